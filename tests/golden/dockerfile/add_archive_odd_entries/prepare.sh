python3 - <<'EOF'
import io
import tarfile

tar = tarfile.open("odd.tar", "w", format=tarfile.PAX_FORMAT)


def add(name, data=b"x", **fields):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(data))


add("/abs/one")
add("./dot/./two")
add("twice", b"1")
add("twice", b"22")
add("implied/deep/er", mode=0o600)
add("a" * 120 + "/" + "b" * 120)
add("uni-\u00e9")
add("d", b"", type=tarfile.DIRTYPE, mode=0o700)
add("d/", b"", type=tarfile.DIRTYPE, mode=0o711)
add("dev", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
add("suid", mode=0o6755, uid=7, gid=8)
tar.close()
EOF
