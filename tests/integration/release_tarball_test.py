#!/usr/bin/env python3
"""The release tarball and the Debian package: checksums, that the bytes can be made again, and that they run where nothing else is."""

import os
import shutil
import subprocess
import tarfile
import tempfile

import harness


class ReleaseTarballTest(harness.KilnTest):
    made = None

    @classmethod
    def tearDownClass(cls):
        if cls.made:
            shutil.rmtree(cls.made[0].parent)

    def made_once(self):
        """The tarball and the package, made by the first test that needs them."""
        if not self.made:
            type(self).made = self.make(tempfile.mkdtemp(prefix="kiln-release-"))
        return self.made

    def make(self, folder):
        self.need_programs("cmake", "gzip", "dpkg-deb")
        build = harness.kiln_binary().parent
        if not (build / "CMakeCache.txt").is_file():
            self.skipTest(f"'{build}' is no build folder")
        result = subprocess.run([harness.ROOT / "script/release", str(folder)], cwd=harness.ROOT, capture_output=True, text=True,
                                env={**os.environ, "KILN_BUILD": str(build)}, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [self.folder / line for line in result.stdout.splitlines()]

    def test_the_checksum_is_right_and_the_bytes_can_be_made_again(self):
        once = self.made_once()
        again = self.make(self.folder / "two")
        self.assertEqual([path.suffix for path in once], [".gz", ".deb"])
        for first, second in zip(once, again):
            self.assertEqual(first.read_bytes(), second.read_bytes(), first.name)
            subprocess.run(["sha256sum", "--check", "--quiet", first.name + ".sha256"], cwd=first.parent, check=True)
        with tarfile.open(once[0]) as tar:
            names = set(tar.getnames())
            top = once[0].name.removesuffix(".tar.gz")
            self.assertEqual({name.split("/")[0] for name in names}, {top})
            self.assertEqual({(member.uid, member.gid) for member in tar.getmembers()}, {(0, 0)})
        for file in ("man/man1/kiln-bake.1", "man/man1/kiln-cache-du.1", "bash-completion/completions/kiln",
                     "fish/vendor_completions.d/kiln.fish", "zsh/vendor-completions/_kiln"):
            self.assertIn(f"{top}/share/{file}", names)

    def test_the_package_is_installed_used_and_removed_in_a_bare_debian_12(self):
        package = self.made_once()[1]
        root = self.bare_debian("bookworm", "--include=runc,ca-certificates")
        before = self.files_of(root / "usr")
        shutil.copy(package, root / package.name)
        self.run_program("chroot", root, "dpkg", "--install", f"/{package.name}")
        self.build_something(root, "/usr/bin/kiln")
        added = self.files_of(root / "usr") - before
        self.assertIn("share/man/man1/kiln-build.1.gz", added)
        self.assertIn("bin/kiln", added)
        self.run_program("chroot", root, "dpkg", "--remove", "kiln")
        self.assertEqual(self.files_of(root / "usr"), before)

    def test_it_runs_in_a_bare_debian_12(self):
        self.run_in("bookworm")

    def test_it_runs_in_a_bare_debian_13(self):
        self.run_in("trixie")

    def run_in(self, suite):
        tarball = self.made_once()[0]
        root = self.bare_debian(suite)
        with tarfile.open(tarball) as tar:
            tar.extractall(root / "opt", filter="fully_trusted") if hasattr(tarfile, "data_filter") else tar.extractall(root / "opt")
        self.build_something(root, f"/opt/{tarball.name.removesuffix('.tar.gz')}/bin/kiln")

    def bare_debian(self, suite, *options):
        """A root folder of Debian's smallest set of packages."""
        self.need_root()
        self.need_programs("mmdebstrap")
        root = self.folder / suite
        made = subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", *options, suite, root], capture_output=True, text=True, timeout=500)
        if made.returncode:
            self.skipTest(f"Debian's mirror gives no {suite} here: {made.stderr.strip().splitlines()[-1]}")
        # Without /proc the loader does not know where a program stands, and so not what $ORIGIN is.
        for kind, folder in (("proc", "proc"), ("tmpfs", "tmp")):
            subprocess.run(["mount", "-t", kind, kind, root / folder], check=True)
            self.addCleanup(subprocess.run, ["umount", root / folder], check=True)
        return root

    def files_of(self, folder):
        return {str(path.relative_to(folder)) for path in folder.rglob("*")}

    def build_something(self, root, kiln):
        """Builds an image in the root: the same comes out as here."""
        version = self.run_program("chroot", root, kiln, "version").stdout
        self.assertEqual(version, self.kiln("version").stdout)
        (root / "app").mkdir()
        (root / "app/Dockerfile").write_text("FROM scratch\nCOPY hello /hello\n")
        (root / "app/hello").write_text("hello\n")
        result = self.run_program("chroot", root, "/usr/bin/env", "KILN_HOME=/tmp/kiln", kiln, "build", "-t", "hello:1", "/app")
        self.assertIn("COPY hello /hello", result.output)
        here = self.folder / "context"
        shutil.copytree(root / "app", here)
        inside = self.run_program("chroot", root, "/usr/bin/env", "KILN_HOME=/tmp/kiln", kiln, "history", "--local", "hello:1").stdout
        self.kiln("build", "-t", "hello:1", here)
        self.assertEqual(inside.splitlines()[0], self.kiln("history", "--local", "hello:1").stdout.splitlines()[0])


if __name__ == "__main__":
    harness.main()
