#!/usr/bin/env python3
"""Other people's readers on a layer of more than one compressed block, gzip and zstd: what each of them makes of it."""

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import harness
from tests.support.image_check import Layout
from tests.support.layout_writer import tar_of

try:
    import zstandard
except ImportError:
    zstandard = None

BLOCK = 4 << 20  # builder/layer/compression.hpp, kBlockBytes

CARGO_TOML = """
[package]
name = "reader"
version = "0.1.0"
edition = "2021"

[dependencies]
flate2 = "1"
tar = "0.4"
"""
MAIN_RS = """
use std::io::Read;
fn main() {
    let file = std::fs::File::open(std::env::args().nth(1).unwrap()).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        println!("{} {}", entry.path().unwrap().display(), data.len());
    }
}
"""


def noise(size):
    """Bytes that do not shrink, the same each time."""
    block = b"".join(hashlib.sha256(i.to_bytes(4, "big")).digest() for i in range(32768))
    return (block * (size // len(block) + 1))[:size]


class LayerReaders(harness.KilnTest):
    FILES = {"first": noise(BLOCK + 1000), "second": b"small", "third": b"zeros".ljust(3 * BLOCK, b"\0"), "last": b"end"}

    def image(self, compression):
        for name, data in self.FILES.items():
            self.write(f"context/{name}", data)
        self.write("context/Dockerfile", "FROM scratch\nCOPY first second third last /\n")
        out = self.folder / f"layout-{compression.replace(',', '-')}"
        self.kiln("build", "-o", f"type=oci,tar=false,dest={out},compression={compression}", self.folder / "context")
        return out

    def layer(self, compression):
        layout = Layout(self.image(compression))
        return layout.folder / "blobs" / layout.image().manifest["layers"][0]["digest"].replace(":", "/")

    def check(self, members):
        self.assertEqual(members, {name: hashlib.sha256(data).hexdigest() for name, data in self.FILES.items()})

    def members(self, archive):
        return {item.name: hashlib.sha256(archive.extractfile(item).read()).hexdigest() for item in archive if item.isfile()}

    def tree(self, folder):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(folder).iterdir() if path.is_file()}

    def test_a_gzip_layer_is_one_member(self):
        for level in (0, 1, 2, 6):
            with self.subTest(level=level):
                path = self.layer(f"gzip,compression-level={level}")
                found = subprocess.run([sys.executable, "-c", "import sys,zlib\nd=zlib.decompressobj(31)\n"
                                        "n=len(d.decompress(open(sys.argv[1],'rb').read()))+len(d.flush())\n"
                                        "print(n,d.eof,len(d.unused_data))", path], check=True, capture_output=True, text=True)
                size, eof, behind = found.stdout.split()
                self.assertEqual((eof, behind), ("True", "0"))
                self.assertGreater(int(size), 4 * BLOCK)

    def test_python_reads_gzip_from_a_file_and_from_a_pipe(self):
        path = self.layer("gzip")
        for mode in ("r:gz", "r|gz", "r:*", "r|*"):
            with self.subTest(mode=mode), tarfile.open(path, mode) as archive:
                self.check(self.members(archive))

    def test_python_reads_zstd_by_frames(self):
        if zstandard is None:
            self.skipTest("not installed: Python's zstandard")
        path = self.layer("zstd")
        whole = zstandard.ZstdDecompressor()
        with path.open("rb") as file, whole.stream_reader(file, read_across_frames=True) as plain:
            with tarfile.open(fileobj=plain, mode="r|") as archive:
                self.check(self.members(archive))
        # What docs/store.md says of readers that stop at a frame's end.
        with path.open("rb") as file, whole.stream_reader(file, read_across_frames=False) as plain:
            self.assertEqual(len(plain.read(2 * BLOCK)), BLOCK)

    def test_tar_programs_read_both(self):
        for program in ("tar", "bsdtar"):
            for kind, helper in (("gzip", "gzip"), ("zstd", "zstd")):
                with self.subTest(program=program, kind=kind):
                    self.need_programs(program, helper)
                    out = self.folder / f"{program}-{kind}"
                    out.mkdir()
                    by = [f"--{kind}"] if program == "tar" else []
                    self.run_program(program, *by, "-xf", self.layer(kind), "-C", out)
                    self.check(self.tree(out))

    def test_skopeo_decompresses_both(self):
        self.need_programs("skopeo")
        for kind in ("gzip", "zstd"):
            with self.subTest(kind=kind):
                out = self.folder / f"plain-{kind}"
                self.run_program("skopeo", "--insecure-policy", "copy", "--dest-decompress", f"oci:{self.image(kind)}",
                                 f"dir:{out}")
                plain = max((path for path in out.iterdir()), key=lambda path: path.stat().st_size)
                with tarfile.open(plain, "r:") as archive:
                    self.check(self.members(archive))

    def test_umoci_unpacks_gzip(self):
        self.need_root()
        self.need_programs("umoci", "skopeo")
        self.run_program("skopeo", "--insecure-policy", "copy", f"oci:{self.image('gzip')}",
                         f"oci:{self.folder / 'named'}:app")
        self.run_program("umoci", "unpack", "--image", f"{self.folder / 'named'}:app", self.folder / "bundle")
        self.check(self.tree(self.folder / "bundle/rootfs"))

    def test_podman_loads_both(self):
        self.need_root()
        self.need_programs("podman")
        for kind in ("gzip", "zstd"):
            with self.subTest(kind=kind):
                store = ["podman", "--root", self.folder / f"podman-{kind}", "--runroot", self.folder / f"run-{kind}",
                         "--storage-driver", "vfs"]
                image = self.run_program(*store, "pull", "-q", f"oci:{self.image(kind)}").stdout.split()[-1]
                mounted = self.run_program(*store, "image", "mount", image).stdout.strip()
                self.check(self.tree(mounted))
                self.run_program(*store, "image", "unmount", image)

    def test_crane_exports_both(self):
        self.need_programs("crane")
        registry = self.registry()
        for kind in ("gzip", "zstd"):
            with self.subTest(kind=kind):
                name = f"{registry.address}/acme/readers:{kind}"
                self.image(kind)
                self.kiln("build", "-o", f"type=registry,compression={kind}", "-t", name, self.folder / "context")
                process = subprocess.run(["crane", "export", "--insecure", name, "-"], capture_output=True, check=True)
                with tarfile.open(fileobj=io.BytesIO(process.stdout), mode="r:") as archive:
                    self.check(self.members(archive))

    def test_rust_reads_gzip(self):
        self.need_programs("cargo")
        self.write("reader/Cargo.toml", CARGO_TOML)
        self.write("reader/src/main.rs", MAIN_RS)
        built = harness.run(["cargo", "build", "--quiet", "--offline"], cwd=self.folder / "reader", timeout=300,
                            env=self.environment(HOME=str(Path.home()), CARGO_TARGET_DIR=str(self.folder / "target")))
        if built.code != 0:
            self.skipTest("cargo has no flate2 and tar here")
        lines = self.run_program(self.folder / "target/debug/reader", self.layer("gzip")).stdout.splitlines()
        self.assertEqual(dict(line.split() for line in lines), {name: str(len(data)) for name, data in self.FILES.items()})


if __name__ == "__main__":
    harness.main()
