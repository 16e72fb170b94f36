#!/usr/bin/env python3
"""Base images whose layers no builder would write: RUN, COPY --from and the exporters see the same files, and umoci and
podman agree with them but where it says so."""

import io
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import harness
from tests.support.layout_writer import busybox_layer, link_to, special, tar_of, write_layout


def hard_link_to(target):
    member = tarfile.TarInfo()
    member.type, member.linkname = tarfile.LNKTYPE, target
    return member


def device(major, minor):
    member = special(tarfile.CHRTYPE)
    member.devmajor, member.devminor = major, minor
    return member


def folder_of_mode(mode):
    member = tarfile.TarInfo()
    member.type, member.mode = tarfile.DIRTYPE, mode
    return member


@dataclass
class Shape:
    name: str
    layers: list  # of lists of (name, content) as tar_of() takes them
    expected: dict  # path -> "folder", "file TEXT", "link TARGET", "fifo", "device MAJOR:MINOR"
    others: set = field(default_factory=lambda: {"umoci", "podman"})  # who sees the same


OLD = [("d", None), ("d/old", "1"), ("d/sub", None), ("d/sub/deep", "2"), ("top", "3")]
OLD_FILES = {"d": "folder", "d/old": "file 1", "d/sub": "folder", "d/sub/deep": "file 2", "top": "file 3"}


def old_but(*gone, **more):
    kept = {path: kind for path, kind in OLD_FILES.items() if not any(path == each or path.startswith(each + "/") for each in gone)}
    return {**kept, **more}


LONG = "/".join(["n" * 60] * 5)
SHAPES = [
    Shape("an opaque root", [OLD, [(".wh..wh..opq", ""), ("new", "4")]], {"new": "file 4"}),
    Shape("an opaque root behind what is new", [OLD, [("new", "4"), (".wh..wh..opq", "")]], {"new": "file 4"}),
    Shape("an opaque folder", [OLD, [("d", None), ("d/.wh..wh..opq", ""), ("d/new", "4")]],
          old_but("d/old", "d/sub", **{"d/new": "file 4"})),
    Shape("an opaque folder behind what is new", [OLD, [("d", None), ("d/new", "4"), ("d/.wh..wh..opq", "")]],
          old_but("d/old", "d/sub", **{"d/new": "file 4"})),
    Shape("an opaque folder that nothing below has", [OLD, [("e", None), ("e/.wh..wh..opq", ""), ("e/new", "4")]],
          old_but(e="folder", **{"e/new": "file 4"})),
    Shape("marks with contents", [OLD, [("d/.wh..wh..opq", "text"), (".wh.top", "text")]], {"d": "folder"}),
    Shape("a whiteout of a file", [OLD, [(".wh.top", "")]], old_but("top")),
    Shape("a whiteout of a folder", [OLD, [(".wh.d", "")]], old_but("d")),
    Shape("a whiteout within a folder", [OLD, [("d/.wh.sub", "")]], old_but("d/sub")),
    Shape("a whiteout of nothing", [OLD, [(".wh.nothing", ""), ("d/.wh.nothing", "")]], OLD_FILES),
    Shape("layers of nothing but whiteouts", [OLD, [(".wh.d", "")], [(".wh.top", "")]], {}),
    Shape("a whiteout and the same name again", [OLD, [(".wh.d", ""), ("d", None), ("d/new", "4")]],
          old_but("d/old", "d/sub", **{"d/new": "file 4"})),
    Shape("a name that comes again later", [OLD, [(".wh.d", "")], [("d", None), ("d/new", "4")]],
          old_but("d/old", "d/sub", **{"d/new": "file 4"})),
    Shape("marks of aufs", [OLD, [(".wh..wh.aufs", ""), (".wh..wh.plnk", None), (".wh..wh.orph", None)]], OLD_FILES),
    Shape("an empty layer", [OLD, [], [("new", "4")]], old_but(new="file 4")),
    Shape("no layer with anything", [[], []], {}),
    Shape("a folder in place of a file", [OLD, [("top", None), ("top/in", "4")]], old_but(top="folder", **{"top/in": "file 4"})),
    Shape("a file in place of a folder", [OLD, [("d", "4")]], {"d": "file 4", "top": "file 3"}),
    Shape("a link in place of a folder", [OLD, [("d", link_to("top"))]], {"d": "link top", "top": "file 3"}),
    Shape("a folder in place of a link", [[("l", link_to("d")), ("d", None), ("d/x", "1")], [("l", None), ("l/y", "2")]],
          {"l": "folder", "l/y": "file 2", "d": "folder", "d/x": "file 1"}),
    Shape("a folder that is named again keeps what it has", [OLD, [("d", folder_of_mode(0o700))]], OLD_FILES),
    Shape("folders that no entry names", [[("p/q/r", "1")], [("p/s/t", "2")]],
          {"p": "folder", "p/q": "folder", "p/q/r": "file 1", "p/s": "folder", "p/s/t": "file 2"}),
    Shape("a whiteout in a folder that no entry names", [OLD, [("d/sub/.wh.deep", "")]], old_but("d/sub/deep")),
    Shape("a hard link to a layer below", [OLD, [("again", hard_link_to("d/old"))]], old_but(again="file 1")),
    Shape("a hard link over a file", [OLD, [("new", "4"), ("top", hard_link_to("new"))]], old_but(new="file 4", top="file 4")),
    Shape("a hard link to a link", [[("l", link_to("nowhere")), ("m", hard_link_to("l"))]],
          {"l": "link nowhere", "m": "link nowhere"}),
    Shape("links that lead out", [[("a", link_to("/etc/passwd")), ("b", link_to("../../../x")), ("c", link_to("c"))]],
          {"a": "link /etc/passwd", "b": "link ../../../x", "c": "link c"}),
    Shape("a name twice in a layer", [[("a", "1"), ("a", "2"), ("b", None), ("b", "3")]], {"a": "file 2", "b": "file 3"}, others={"umoci"}),
    Shape("names of other spellings", [[("./a", "1"), ("/b", "2"), ("c//d", "3"), ("e/./f", "4")]],
          {"a": "file 1", "b": "file 2", "c": "folder", "c/d": "file 3", "e": "folder", "e/f": "file 4"}),
    Shape("long names and such of other scripts", [[(LONG + "/file", "1"), ("ä-文-\U0001f600", "2"), ("a b\tc", "3")]],
          {**{LONG[:61 * i + 60]: "folder" for i in range(5)}, LONG + "/file": "file 1", "ä-文-\U0001f600": "file 2",
           "a b\tc": "file 3"}),
    Shape("nodes", [[("fifo", special(tarfile.FIFOTYPE)), ("null", device(1, 3))]], {"fifo": "fifo", "null": "device 1:3"}),
    # As containerd, docker and podman have it with their overlay; what is no overlay (umoci, podman with vfs) shows the node.
    Shape("a device 0:0 is what overlayfs calls a whiteout", [OLD, [("top", device(0, 0)), ("d/none", device(0, 0))]],
          old_but("top"), others=set()),
    Shape("names like marks in the middle of a path", [[("a.wh.b", "1"), ("c/x.wh..wh..opq", "2")]],
          {"a.wh.b": "file 1", "c": "folder", "c/x.wh..wh..opq": "file 2"}),
]


def tree_of_tar(archive, below=""):
    """path -> kind, as in Shape.expected, of what is below a folder of a tar."""
    found = {}
    for member in archive:
        path = member.name.removeprefix("./").strip("/")
        if below:
            if not path.startswith(below + "/"):
                continue
            path = path[len(below) + 1:]
        if path in ("", "."):
            continue
        if member.isdir():
            found[path] = "folder"
        elif member.issym():
            found[path] = f"link {member.linkname}"
        elif member.isfile() or member.islnk():
            target = member
            while target.islnk():
                target = archive.getmember(target.linkname)
            found[path] = f"link {target.linkname}" if target.issym() else f"file {archive.extractfile(target).read().decode()}"
        elif member.isfifo():
            found[path] = "fifo"
        else:
            found[path] = f"device {member.devmajor}:{member.devminor}"
    return found


def tree_of_folder(folder):
    found = {}
    for path in Path(folder).rglob("*"):
        name = str(path.relative_to(folder))
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            found[name] = f"link {path.readlink()}"
        elif stat.S_ISDIR(info.st_mode):
            found[name] = "folder"
        elif stat.S_ISREG(info.st_mode):
            found[name] = f"file {path.read_text()}"
        elif stat.S_ISFIFO(info.st_mode):
            found[name] = "fifo"
        else:
            found[name] = f"device {info.st_rdev >> 8 & 0xfff}:{info.st_rdev & 0xff}"
    return found


class BaseShapes(harness.KilnTest):
    maxDiff = None

    def layout(self, number):
        return write_layout(self.folder / f"layout-{number}", [tar_of(*layer) for layer in SHAPES[number].layers])

    def build(self, number, dockerfile):
        self.write("context/Dockerfile", dockerfile)
        runner = write_layout(self.folder / "runner", [busybox_layer()])
        out = self.folder / "out.tar"
        self.kiln("build", "--build-context", f"base=oci-layout://{self.layout(number)}:base", "--build-context",
                  f"runner=oci-layout://{runner}:base", "-o", f"type=tar,dest={out}", self.folder / "context")
        return tarfile.open(out)

    def test_a_run_and_a_copy_see_what_the_layers_mean(self):
        self.need_containers()
        self.need_programs("busybox")
        for number, shape in enumerate(SHAPES):
            with self.subTest(shape.name):
                with self.build(number, """
                    FROM runner AS ran
                    RUN --mount=type=bind,from=base,target=/mnt ["/bin/busybox", "tar", "-C", "/mnt", "-cf", "/seen.tar", "."]
                    FROM scratch
                    COPY --from=ran /seen.tar /
                    COPY --from=base / /copied/
                """) as archive:
                    self.assertEqual(tree_of_tar(archive, "copied"), shape.expected, "COPY --from")
                    with tarfile.open(fileobj=io.BytesIO(archive.extractfile("seen.tar").read())) as seen:
                        self.assertEqual(tree_of_tar(seen), shape.expected, "RUN")

    def test_an_exporter_writes_what_the_layers_mean(self):
        for number, shape in enumerate(SHAPES):
            with self.subTest(shape.name):
                with self.build(number, "FROM base\n") as archive:
                    self.assertEqual(tree_of_tar(archive), shape.expected)

    def test_umoci_sees_the_same(self):
        self.need_root()
        self.need_programs("umoci")
        for number, shape in enumerate(SHAPES):
            with self.subTest(shape.name):
                if "umoci" not in shape.others:
                    continue
                bundle = self.folder / f"bundle-{number}"
                self.run_program("umoci", "unpack", "--image", f"{self.layout(number)}:base", bundle)
                self.assertEqual(tree_of_folder(bundle / "rootfs"), shape.expected)

    def test_podman_sees_the_same(self):
        self.need_root()
        self.need_programs("podman")
        store = ["podman", "--root", self.folder / "podman", "--runroot", self.folder / "run", "--storage-driver", "vfs"]
        for number, shape in enumerate(SHAPES):
            with self.subTest(shape.name):
                if "podman" not in shape.others:
                    continue
                image = self.run_program(*store, "pull", "-q", f"oci:{self.layout(number)}").stdout.split()[-1]
                mounted = self.run_program(*store, "image", "mount", image).stdout.strip()
                self.assertEqual(tree_of_folder(mounted), shape.expected)
                self.run_program(*store, "image", "unmount", image)


if __name__ == "__main__":
    harness.main()
