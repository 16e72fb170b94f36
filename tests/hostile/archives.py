"""Archives: as ADD takes them, as a context on standard input, and as a layer of a base image (layers.py has the ways of that)."""

import bz2
import gzip
import lzma
import random
import shutil
import struct
import subprocess
from dataclasses import dataclass, field

from tests.hostile.stand import CANARY, Case, Run
from tests.support.cache_places import sha256
from tests.support.layout_writer import write_layout

LOOT = "loot of the archive"
UP = "../" * 12 + CANARY[1:]
BLOCK = 512


def header(name, size=0, kind=b"0", link=b"", *, mode=0o644, uid=0, gid=0, mtime=1, major=0, minor=0, prefix=b"", magic=b"ustar\x0000", sizes=None, sums=None):
    """One block. `sizes`, `sums`: these bytes in place of the size's, the checksum's field."""
    name, link = (text.encode() if isinstance(text, str) else text for text in (name, link))
    octal = lambda number, width: b"%0*o\0" % (width - 1, number)
    block = bytearray(b"".join((name[:100].ljust(100, b"\0"), octal(mode, 8), octal(uid, 8), octal(gid, 8), sizes or octal(size, 12), octal(mtime, 12), b" " * 8,
                                kind, link[:100].ljust(100, b"\0"), magic, bytes(64), octal(major, 8), octal(minor, 8), prefix.ljust(155, b"\0"), bytes(12))))
    block[148:156] = sums or b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def file(name, text=LOOT, **more):
    data = text.encode() if isinstance(text, str) else text
    return header(name, len(data), **more) + padded(data)


def folder(name, **more):
    return header(name, kind=b"5", **{"mode": 0o755, **more})


def symlink(name, target):
    return header(name, kind=b"2", link=target, mode=0o777)


def hardlink(name, target):
    return header(name, kind=b"1", link=target)


def record(key, value):
    body = b" " + key.encode() + b"=" + (value.encode() if isinstance(value, str) else value) + b"\n"
    size = len(body) + len(str(len(body)))
    size += len(str(size)) - len(str(len(body)))
    return b"%d" % size + body


def pax(records, kind=b"x"):
    """An extended header of (key, value) pairs, or of these bytes."""
    data = records if isinstance(records, bytes) else b"".join(record(*pair) for pair in records)
    return header("PaxHeaders/x", len(data), kind) + padded(data)


def gnu_long(name, kind=b"L"):
    data = name.encode() + b"\0" if isinstance(name, str) else name
    return header("././@LongLink", len(data), kind) + padded(data)


END = bytes(2 * BLOCK)


def bomb(compress, blocks):
    """A tar whose one file is `blocks` times 16 MiB of zeros, each a frame of its own."""
    return compress(header("zeros", sizes=b"\x80" + struct.pack(">11B", *((blocks * (16 << 20)).to_bytes(11, "big"))))) + compress(bytes(16 << 20)) * blocks + compress(END)


@dataclass
class Archive:
    """`lands`: where its files are to be after ADD to /d (stand.Run); `says`: what refusing it says."""

    name: str
    data: bytes
    lands: dict = field(default_factory=dict)
    says: str = ""


def escapes():
    """Names and links that lead out of the tree. What is taken apart stays below its destination."""
    for name, path, lands in (("dots", "../loot", "loot"), ("many dots", f"{UP}/loot", f"{CANARY[1:]}/loot"),
                              ("dots within", f"a/../../{UP}/loot", f"{CANARY[1:]}/loot"), ("dots at the end", "a/..", None), ("only dots", "..", None)):
        yield Archive(f"a file at {name}", file(path) + END, {f"d/{lands}": LOOT} if lands else {})
    for name, path in (("dots", "../loot/"), ("dots within", "a/b/../../../loot/")):
        yield Archive(f"a folder at {name}", folder(path) + END)
    yield Archive("an absolute name", file(f"{CANARY}/loot") + END, lands={f"d{CANARY}/loot": LOOT})
    yield Archive("a name of many slashes", file(f"///.//{CANARY}//loot") + END, lands={f"d{CANARY}/loot": LOOT})
    yield Archive("dots that stay inside", file("a/../b") + END, lands={"d/b": LOOT})
    yield Archive("backslashes", file("..\\..\\loot") + END, lands={"d/..\\..\\loot": LOOT})
    yield Archive("a file through an absolute link", symlink("l", CANARY) + file("l/loot") + END, lands={f"{CANARY[1:]}/loot": None})
    yield Archive("a file through a relative link", symlink("l", UP) + file("l/loot") + END)
    yield Archive("a file through two links", symlink("a", "b") + symlink("b", CANARY) + file("a/loot") + END)
    yield Archive("a file through a link in a folder", folder("x") + symlink("x/l", UP) + file("x/l/loot") + END)
    yield Archive("a file over a link to a file", symlink("l", f"{CANARY}/secret") + file("l") + END, lands={"d/l": LOOT})
    yield Archive("a folder over a link to a folder", symlink("l", CANARY) + folder("l") + file("l/loot") + END)
    yield Archive("a mode for what a link leads to", symlink("l", f"{CANARY}/secret") + folder("l", mode=0o777) + END)
    yield Archive("a link to itself and a file through it", symlink("l", "l") + file("l/loot") + END)
    yield Archive("links in a ring and a file through them", symlink("a", "b") + symlink("b", "a") + file("a/loot") + END)
    yield Archive("a link and its target changed over", symlink("l", "x") + folder("x") + symlink("x", CANARY) + file("l/loot") + END)
    for name, target in (("absolute", f"{CANARY}/secret"), ("relative", f"{UP}/secret"), ("/etc/passwd", "/etc/passwd"), ("itself", "h"), ("what comes later", "later")):
        yield Archive(f"a hard link to {name}", hardlink("h", target) + file("later") + END)
    yield Archive("a hard link through a link", symlink("l", CANARY) + hardlink("h", "l/secret") + END)
    yield Archive("a hard link to a link to a file", symlink("l", f"{CANARY}/secret") + hardlink("h", "l") + file("h") + END, lands={"d/h": LOOT})
    yield Archive("a hard link to a folder", folder("x") + hardlink("h", "x") + END)
    yield Archive("a hard link with data", file("a", "one") + header("h", 4, b"1", "a") + padded(b"loot") + END)
    for name in (".", "/", "./", "..", "a/.."):  # the root itself becomes a link: umoci's GHSA-9m95-8hx6-7p9v
        yield Archive(f"a link named {name!r} and files through it", symlink(name, CANARY) + file("loot") + folder("x") + file("x/loot") + END)
    yield Archive("a link of no text", symlink("l", "") + END)
    yield Archive("a link of 100 bytes", symlink("l", "x" * 100) + END)


def kinds():
    """Entries that are neither files nor folders, modes, owners and attributes."""
    for name, kind in (("a character device", b"3"), ("a block device", b"4"), ("a FIFO", b"6")):
        yield Archive(name, header("n", kind=kind, major=1, minor=8) + END)
        yield Archive(f"{name} and a file through it", header("n", kind=kind, major=1, minor=8) + file("n/loot") + END)
    yield Archive("overlay's whiteout as a device", header("n", kind=b"3") + END)
    yield Archive("a device number out of bounds", header("n", kind=b"3", major=0o7777777, minor=0o7777777) + END)
    for kind in b"7", b"S", b"V", b"D", b"M", b"N", b"K", b"L", b"x", b"g", b"X", b"A", b"Z", b"\xff", b"\0":
        yield Archive(f"type {kind!r} alone", header("t", kind=kind) + file("behind") + END)
    yield Archive("set-user-ID of another user", file("s", mode=0o6755, uid=1000) + END)
    yield Archive("mode 7777 and more", file("s", mode=0o7777777) + END)
    yield Archive("an owner of 2^21", file("s", uid=0o7777777, gid=0o7777777) + END)
    for key in ("uid", "gid"):
        for value in ("-1", "4294967295", "4294967296", "99999999999999999999", "x", ""):
            yield Archive(f"pax {key} '{value}'", pax([(key, value)]) + file("s") + END)
    for key in ("security.capability", "security.selinux", "security.ima", "trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy",
                "user.overlay.whiteout", "system.posix_acl_access", "user.x", "nothing.x", "user.", ""):
        yield Archive(f"xattr '{key}'", pax([("SCHILY.xattr." + key, b"\1\2\0\3")]) + folder("x") + file("x/f") + END)
    yield Archive("an xattr of 64 KiB", pax([("SCHILY.xattr.user.x", b"v" * 65537)]) + file("f") + END)
    yield Archive("a thousand xattrs", pax([(f"SCHILY.xattr.user.{i}", "v") for i in range(1000)]) + file("f") + END)


def whiteouts():
    """What is a whiteout in a layer, and a name like others in an archive."""
    for name in (".wh.", ".wh..", ".wh...", ".wh.a", ".wh..wh.a", ".wh..wh..opq", "x/.wh..wh..opq", ".wh..wh.plnk", ".wh..wh.aufs", ".wh.a/b", ".wh..wh..opq/x",
                 f".wh.{'a' * 250}", ".wh.\n", ".wh.\xff"):
        yield Archive(f"whiteout {name!r:.30}", file(name, "") + END)
    yield Archive("a whiteout with data", file(".wh.a", "data") + END)
    yield Archive("a whiteout that is a folder", folder(".wh.a") + file(".wh.a/b") + END)
    yield Archive("a whiteout that is a link", symlink(".wh.a", CANARY) + END)
    yield Archive("a whiteout of what stands there", file("a") + file(".wh.a", "") + END)
    yield Archive("a whiteout through a link", symlink("l", CANARY) + file("l/.wh.secret", "") + END)
    yield Archive("an opaque marker through a link", symlink("l", CANARY) + file("l/.wh..wh..opq", "") + END)


def headers():
    """Headers that lie about lengths, names and themselves."""
    for name, value in (("size", "-1"), ("size", "99999999999999999999"), ("size", "1152921504606846976"), ("size", "x"), ("size", ""), ("size", "0x10"),
                        ("path", ""), ("path", "a\0b"), ("path", "../loot"), ("path", f"{UP}/loot"), ("path", "/"), ("path", "a" * 256), ("path", "a/" * 2100),
                        ("linkpath", "a\0b"), ("linkpath", ""), ("mtime", "1e400"), ("mtime", "-99999999999999999999"), ("mtime", "nan"), ("mtime", "."),
                        ("GNU.sparse.size", "-1"), ("GNU.sparse.map", "0,1,x"), ("GNU.sparse.major", "9"), ("GNU.sparse.realsize", "99999999999999"),
                        ("hdrcharset", "BINARY"), ("charset", "ISO-IR 8859 1 1998"), ("", "value"), ("comment", "c" * 5000)):
        yield Archive(f"pax {name} {value[:24]!r}", pax([(name, value)]) + file("f") + END)
    for name, data in (("no length", b"path=x\n"), ("length 0", b"0 path=x\n"), ("length beyond", b"999 path=x\n"), ("negative length", b"-9 path=x\n"),
                       ("a huge length", b"99999999999999999999 path=x\n"), ("no end of line", b"9 path=xx"), ("no equals", b"7 path\n"), ("zeros", bytes(40)),
                       ("a million of records", b"6 a=b\n" * 170000)):
        yield Archive(f"a pax header of {name}", pax(data) + file("f") + END)
        if name in ("length 0", "zeros"):
            yield Archive(f"a global pax header of {name}", pax(data, b"g") + file("f") + END)
    yield Archive("a global path", pax([("path", "../loot")], b"g") + file("a") + file("b") + END)
    yield Archive("a pax header for nothing", pax([("path", "x")]) + END)
    yield Archive("pax headers in a row", pax([("path", "x")]) * 2000 + file("f") + END)
    yield Archive("a GNU long name out of the tree", gnu_long(f"{UP}/loot") + file("f") + END)
    yield Archive("a GNU long name of 2 MiB", gnu_long("a/" * (1 << 20)) + file("f") + END)
    yield Archive("a GNU long name of nothing", gnu_long(b"") + file("f") + END)
    yield Archive("a GNU long link to the canary", gnu_long(f"{CANARY}/secret", b"K") + symlink("l", "x") + END)
    yield Archive("a GNU long hard link to the canary", gnu_long(f"{UP}/secret", b"K") + hardlink("l", "x") + END)
    for name, field in (("binary -1", b"\xff" * 12), ("binary 2^88", b"\x80" + b"\xff" * 11), ("binary 2^62", b"\x80" + (1 << 62).to_bytes(11, "big")), ("spaces", b" " * 12),
                        ("letters", b"abcdefghijkl"), ("eights", b"88888888888\0"), ("all sevens", b"777777777777")):
        yield Archive(f"a size of {name}", header("f", sizes=field) + padded(b"x") + END)
    yield Archive("a wrong checksum", header("f", sums=b"000001\0 ") + END)
    yield Archive("a wrong checksum behind an entry", file("a") + header("f", sums=b"000001\0 ") + END)
    yield Archive("a checksum of letters", file("a") + header("f", sums=b"zzzzzzzz") + END)
    yield Archive("no end", file("a"))
    yield Archive("half a header", file("a") + header("b")[:200])
    yield Archive("half a file", file("a") + header("b", 5000) + b"x" * 600)
    yield Archive("one zero block and more", file("a") + bytes(BLOCK) + file("b") + END)
    yield Archive("data behind the end", file("a") + END + b"trailing" * 100)
    yield Archive("another archive behind the end", file("a") + END + file(f"{UP}/loot") + END)
    yield Archive("v7 with a prefix of bytes", header("f", magic=b"\0" * 8, prefix=b"../../x") + END)
    yield Archive("a prefix out of the tree", header("f", prefix=b"../.." + CANARY.encode()) + END)
    yield Archive("a name with a newline and escapes", file("a\n\x1b[2Jerror: b\x07") + END)
    yield Archive("a name that is no UTF-8", file(b"\xff\xfe\x80") + END)
    yield Archive("a name of spaces and a dash", file("-rf /") + file(" ") + END)
    yield Archive("nothing at all", b"")
    yield Archive("zeros alone", END * 20)
    yield Archive("ten thousand times one name", file("a", "") * 10000 + END)
    yield Archive("one name as file, folder and link by turns", (file("a") + folder("a") + file("a/b") + symlink("a", CANARY)) * 50 + END)
    yield Archive("folders a thousand deep", file("d/" * 1000 + "f") + END)
    yield Archive("an old GNU sparse file of 2^60 bytes", header("s", 1, b"S", prefix=b"\0" * 41 + b"00000000000\0" b"00000000001\0") + padded(b"x") + END)
    yield Archive("a sparse map that overlaps", pax([("GNU.sparse.map", "0,5,2,5"), ("GNU.sparse.size", "10"), ("GNU.sparse.name", "s")]) + file("s", "0123456789") + END)
    yield Archive("a sparse file of 60 TiB", pax([("GNU.sparse.map", "0,1"), ("GNU.sparse.size", str(60 << 40)), ("GNU.sparse.name", "s")]) + file("s", "x") + END)
    yield Archive("a sparse name out of the tree", pax([("GNU.sparse.map", "0,1"), ("GNU.sparse.size", "1"), ("GNU.sparse.name", f"{UP}/loot")]) + file("s", "x") + END)


def packed():
    """Archives whose stream lies: bombs, frames in a row, streams that are cut or followed by something else."""
    zstd = lambda data, *more: subprocess.run(["zstd", "-qc", *more], input=data, stdout=subprocess.PIPE, check=True).stdout
    xz = lambda data: lzma.compress(data, preset=1)
    tar = file("a") + END
    for name, compress in (("gzip", lambda data: gzip.compress(data, 9)), ("zstd", zstd), ("bzip2", bz2.compress), ("xz", xz)):
        blob = compress(tar)
        # More than the case's disk: it ends there and not with the machine's.
        yield Archive(f"a bomb of 512 MiB in {name}", bomb(compress, 32))
        yield Archive(f"{name} in two frames", compress(tar[:700]) + compress(tar[700:]), {"d/a": LOOT})
        yield Archive(f"{name} and garbage behind it", blob + b"garbage" * 99, {"d/a": LOOT})
        yield Archive(f"{name} and another archive behind it", blob + compress(file(f"{UP}/loot") + END))
        yield Archive(f"{name} cut in the middle", compress(file("a", bytes(random.Random(1).randbytes(9000))) + END)[:5000])
        yield Archive(f"{name} in {name}", compress(blob))
        yield Archive(f"{name} of nothing", compress(b""))
        yield Archive(f"{name}'s magic alone", blob[:6])
        yield Archive(f"{name} with a flipped byte", blob[:len(blob) // 2] + bytes([blob[len(blob) // 2] ^ 0xFF]) + blob[len(blob) // 2 + 1:])
    yield Archive("a zstd window of 1 GiB", zstd(tar, "--ultra", "--long=30", "--no-check", "-19"))
    yield Archive("zstd frames that are skipped, a thousand", b"\x50\x2a\x4d\x18\x00\x00\x00\x00" * 1000 + zstd(tar), {"d/a": LOOT})
    yield Archive("a skippable zstd frame of 4 GiB", b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + zstd(tar))
    yield Archive("gzip with a name out of the tree", b"\x1f\x8b\x08\x08" + bytes(6) + UP.encode() + b"/loot\0" + gzip.compress(tar)[10:], {"d/a": LOOT})


def all_archives():
    for table in (escapes, kinds, whiteouts, headers, packed):
        yield from table()


def bases():
    """Layers in which the places that a RUN needs or mounts on are something else."""
    for name in ("proc", "dev", "sys", "etc", "tmp", "run", "root", "bin", "usr", "etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/passwd", "etc/group", "dev/null", "dev/shm",
                 "proc/self", "sys/fs/cgroup"):
        target = f"{CANARY}/secret" if "." in name or name in ("etc/hosts", "etc/hostname", "etc/passwd", "etc/group", "dev/null") else CANARY
        yield Archive(f"/{name} is a link to the canary", symlink(name, target) + END)
        yield Archive(f"/{name} is a link out of the tree", symlink(name, UP + target.removeprefix(CANARY)) + END)
        yield Archive(f"/{name} is a link to itself", symlink(name, f"/{name}") + END)
        yield Archive(f"/{name} is a FIFO", header(name, kind=b"6") + END)
        yield Archive(f"/{name} is a disk", header(name, kind=b"4", major=8) + END)
        yield Archive(f"/{name} is a file" if target == CANARY else f"/{name} is a folder", (file(name) if target == CANARY else folder(name)) + END)


def runs(archive, stand):
    """ADD, and a context on standard input, which may hold it too."""
    stand.write("context/a.tar", archive.data)
    stand.write("context/Dockerfile", "FROM scratch\nADD a.tar /d/\n")
    yield Run("ADD", ["build", "-o", "type=local,dest=out", "context"], lands=archive.lands, says=archive.says)
    is_plain = archive.data[257:262] == b"ustar"
    if is_plain:
        yield Run("context", ["build", "-o", "type=local,dest=out", "-"], stdin=file("Dockerfile", "FROM scratch\nCOPY . /d/\n") + archive.data)


def layer_runs(archive, stand):
    """The same as the layer of a base image: FROM, COPY --from, a bind mount, a registry's image."""
    layer_type = "layer.v1.tar"
    for magic, name in ((b"\x1f\x8b", "layer.v1.tar+gzip"), (b"\x28\xb5\x2f\xfd", "layer.v1.tar+zstd")):
        layer_type = name if archive.data.startswith(magic) else layer_type
    diff_ids = None if layer_type == "layer.v1.tar" else [sha256(plain_of(archive.data))]
    layout = write_layout(stand.folder / "layout", [archive.data], layer_type=layer_type, diff_ids=diff_ids)
    base = ["--build-context", f"base=oci-layout://{layout}:base"]
    stand.write("from/Dockerfile", "FROM base\nCOPY Dockerfile /\n")
    yield Run("FROM", ["build", *base, "-o", "type=local,dest=out", "from"])
    stand.write("copy/Dockerfile", "FROM scratch\nCOPY --from=base / /d/\n")
    yield Run("COPY --from", ["build", *base, "-o", "type=local,dest=out", "copy"])
    yield from run_runs(stand, base)
    name = stand.server.serve_layout(layout)
    yield Run("pull", ["pull", name])
    yield Run("sbom", ["sbom", name])
    yield diff_run(stand, name)


# Where the table above has links, folders and files: mount points are made there.
MOUNT_POINTS = ("/l/mount", "/a/mount", "/x/mount", "/d/mount", "/h/mount", "/mount")


def run_runs(stand, base):
    """A command, and mounts at names that the image may have; a WORKDIR there."""
    shutil.copy("/bin/busybox", stand.write("run/busybox", b""))
    copied = "FROM base\nCOPY --chmod=755 busybox /tool/busybox\n"
    stand.write("run/plain", f'{copied}RUN ["/tool/busybox", "touch", "/touched"]\n')
    yield Run("RUN", ["build", *base, "-f", "run/plain", "-o", "type=local,dest=out", "run"])
    mounts = " ".join(f"--mount=type={kind},target={path}{more}" for path, (kind, more) in zip(MOUNT_POINTS, [("cache", ""), ("bind", ",rw"), ("tmpfs", "")] * 2))
    stand.write("run/mounts", f'{copied}RUN {mounts} ["/tool/busybox", "touch", "/mount/x"]\n')
    yield Run("RUN --mount", ["build", *base, "-f", "run/mounts", "-o", "type=local,dest=out", "run"])
    stand.write("run/workdir", f'{copied}WORKDIR /l/deep\nRUN ["/tool/busybox", "touch", "loot"]\n')
    yield Run("WORKDIR", ["build", *base, "-f", "run/workdir", "-o", "type=local,dest=out", "run"])


def diff_run(stand, name):
    """What differs between a sound image and this one, which the server has already."""
    sound = stand.server.serve_layout_too(write_layout(stand.folder / "sound", [file("a", "one") + END]), "acme/sound")
    return Run("diff", ["diff", sound, name])


def plain_of(data):
    try:
        program = "gzip" if data[:2] == b"\x1f\x8b" else "zstd"
        return subprocess.run(["sh", "-c", f"{program} -dc | head -c 100000000"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    except OSError:
        return b""


def cases():
    for archive in all_archives():
        yield Case("archives", archive.name, lambda stand, archive=archive: runs(archive, stand))
        yield Case("layers", archive.name, lambda stand, archive=archive: layer_runs(archive, stand))
    for archive in bases():
        yield Case("bases", archive.name, lambda stand, archive=archive: layer_runs(archive, stand))
