#!/usr/bin/env python3
"""The release tarball: its checksum, that its bytes can be made again, and that it runs where nothing is installed."""

import os
import shutil
import subprocess
import tarfile

import harness


class ReleaseTarballTest(harness.KilnTest):
    def make(self, folder):
        self.need_programs("cmake", "gzip")
        build = harness.kiln_binary().parent
        if not (build / "CMakeCache.txt").is_file():
            self.skipTest(f"'{build}' is no build folder")
        result = subprocess.run([harness.ROOT / "script/release", folder], cwd=harness.ROOT, capture_output=True, text=True,
                                env={**os.environ, "KILN_BUILD": str(build)}, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.folder / result.stdout.strip()

    def test_the_checksum_is_right_and_the_bytes_can_be_made_again(self):
        first = self.make(self.folder / "one")
        second = self.make(self.folder / "two")
        self.assertEqual(first.read_bytes(), second.read_bytes())
        subprocess.run(["sha256sum", "--check", "--quiet", first.name + ".sha256"], cwd=first.parent, check=True)
        with tarfile.open(first) as tar:
            top = {name.split("/")[0] for name in tar.getnames()}
            self.assertEqual(top, {first.name.removesuffix(".tar.gz")})
            self.assertEqual({(member.uid, member.gid) for member in tar.getmembers()}, {(0, 0)})

    def test_it_runs_in_a_bare_debian_12(self):
        self.run_in("bookworm")

    def test_it_runs_in_a_bare_debian_13(self):
        self.run_in("trixie")

    def run_in(self, suite):
        self.need_root()
        self.need_programs("mmdebstrap")
        tarball = self.make(self.folder / "dist")
        root = self.folder / suite
        made = subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", suite, root], capture_output=True, text=True, timeout=500)
        if made.returncode:
            self.skipTest(f"Debian's mirror gives no {suite} here: {made.stderr.strip().splitlines()[-1]}")
        with tarfile.open(tarball) as tar:
            tar.extractall(root / "opt", filter="fully_trusted") if hasattr(tarfile, "data_filter") else tar.extractall(root / "opt")
        kiln = f"/opt/{tarball.name.removesuffix('.tar.gz')}/bin/kiln"
        # Without /proc the loader does not know where a program stands, and so not what $ORIGIN is.
        subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
        self.addCleanup(subprocess.run, ["umount", root / "proc"], check=True)
        version = self.run_program("chroot", root, kiln, "version").stdout
        self.assertEqual(version, self.kiln("version").stdout)
        (root / "app").mkdir()
        (root / "app/Dockerfile").write_text("FROM scratch\nCOPY hello /hello\n")
        (root / "app/hello").write_text("hello\n")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root / "tmp"], check=True)
        self.addCleanup(subprocess.run, ["umount", root / "tmp"], check=True)
        result = self.run_program("chroot", root, "/usr/bin/env", "KILN_HOME=/tmp/kiln", kiln, "build", "-t", "hello:1", "/app")
        self.assertIn("COPY hello /hello", result.output)
        here = self.folder / "context"
        shutil.copytree(root / "app", here)
        inside = self.run_program("chroot", root, "/usr/bin/env", "KILN_HOME=/tmp/kiln", kiln, "history", "--local", "hello:1").stdout
        self.kiln("build", "-t", "hello:1", here)
        self.assertEqual(inside.splitlines()[0], self.kiln("history", "--local", "hello:1").stdout.splitlines()[0])


if __name__ == "__main__":
    harness.main()
