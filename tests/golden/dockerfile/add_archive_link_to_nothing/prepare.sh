python3 - <<'END'
import tarfile

with tarfile.open("links.tar", "w") as tar:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = tarfile.LNKTYPE, "data/old"
    tar.addfile(member)
END
