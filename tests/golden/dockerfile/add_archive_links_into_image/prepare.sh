python3 - <<'END'
import io
import tarfile


def write(name, *members):
    with tarfile.open(name, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, fields in members:
            member = tarfile.TarInfo(path)
            for field, value in fields.items():
                setattr(member, field, value)
            data = b"new\n" if member.type == tarfile.REGTYPE else b""
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def link(target, **fields):
    return {"type": tarfile.LNKTYPE, "linkname": target, "mode": 0o640, "uid": 5, "gid": 6, **fields}


# Of files of the image: two of one, one of a file that the archive replaces afterwards, one by way of a name of its own.
write("links.tar", ("first", link("sub/other")), ("second", link("sub/other")), ("third", link("second")),
      ("kept", link("old")), ("old", {}))
write("owned.tar", ("group", link("etc/group")), ("home/app/made/passwd", link("/etc/passwd")))
write("after.tar", ("less", link("more")))
END
