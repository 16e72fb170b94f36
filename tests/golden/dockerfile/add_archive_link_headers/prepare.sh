python3 - <<'END'
import io
import tarfile


def member(name, kind, link="", mode=0o644, uid=0, gid=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.uid, info.gid = kind, link, mode, uid, gid
    return info


with tarfile.open("links.tar", "w", format=tarfile.PAX_FORMAT) as tar:
    def file(name, data, **header):
        info = member(name, tarfile.REGTYPE, **header)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))

    def link(name, target, **header):
        tar.addfile(member(name, tarfile.LNKTYPE, target, **header))

    file("one", b"one\n")
    link("another", "one", mode=0o600, uid=1, gid=1)
    link("third", "another", mode=0o4755, uid=3, gid=4)
    file("replaced", b"old\n", uid=2, gid=2)
    link("kept", "replaced", mode=0o640, uid=5, gid=6)
    file("replaced", b"new\n", mode=0o444)
END
