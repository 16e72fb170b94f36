#!/usr/bin/env python3
"""RUN of an image for another processor than this machine's: by an emulator where the kernel has a handler for its programs, else
refused with what helps."""

import ctypes
import json
import os
import shutil
from pathlib import Path

import harness
from tests.support import tiny_program

HERE = tiny_program.MACHINES.get(os.uname().machine)
OTHER = "riscv64"  # no test but these has programs for it
HANDLERS = Path("/proc/sys/fs/binfmt_misc")
EMULATOR = f"qemu-{OTHER}-static"
# As Debian's qemu-user-static registers it: ELF, 64 bits, little-endian, executable or position-independent, RISC-V.
MAGIC = r"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


class ForeignPlatformTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        if HERE in (None, OTHER):
            self.skipTest(f"no programs are at hand for {os.uname().machine}")
        for architecture in (HERE, OTHER):
            program = tiny_program.program(architecture, "/ran", f"as {architecture}\n")
            self.write(f"app/program-{architecture}", program, 0o755)
        self.write("app/Dockerfile", 'FROM scratch\nARG TARGETARCH\nCOPY program-$TARGETARCH /program\nRUN ["/program"]\n')
        self.platforms = [f"linux/{HERE}", f"linux/{OTHER}"]
        self.write("app/docker-bake.json", json.dumps(
            {"target": {"default": {"tags": ["ghcr.io/acme/app:1"], "platforms": self.platforms}}}))

    def bake(self, *words, **options):
        return self.kiln("bake", *words, cwd=self.folder / "app", **options)

    def need_handler(self):
        """The kernel's handler for RISC-V programs, registered for this test where there is none."""
        self.need_programs(EMULATOR)
        libc = ctypes.CDLL(None, use_errno=True)
        if not (HANDLERS / "register").exists():
            if libc.mount(b"binfmt_misc", bytes(HANDLERS), b"binfmt_misc", 0, None) != 0:
                self.skipTest(f"'{HANDLERS}' cannot be mounted here: {os.strerror(ctypes.get_errno())}")
            self.addCleanup(libc.umount, bytes(HANDLERS))
        if self.has_handler():
            return
        name = f"kiln-test-{os.getpid()}"
        emulator = shutil.which(EMULATOR)
        try:
            # F: the emulator is opened now, since a container has none.
            (HANDLERS / "register").write_text(f":{name}:M::{MAGIC}:{MASK}:{emulator}:OCF\n")
        except OSError as error:
            self.skipTest(f"no handler can be registered here: {error.strerror}")
        self.addCleanup((HANDLERS / name).write_text, "-1")

    def has_handler(self):
        if not HANDLERS.is_dir():
            return False
        return any("magic 7f454c460201010000000000000000000200f300" in path.read_text()
                   for path in HANDLERS.iterdir() if path.name not in ("register", "status"))

    def test_a_run_of_each_platform_is_executed_and_found_again(self):
        self.need_handler()
        self.bake("--progress", "plain")
        for platform in self.platforms:
            files = self.stored_image("ghcr.io/acme/app:1", platform).files()
            self.assertEqual(files["ran"].data, f"as {platform.removeprefix('linux/')}\n".encode())
        again = self.bake("--progress", "plain").stderr
        self.assertIn("4 steps from the cache", again)

    def test_without_an_emulator_the_platform_is_refused_with_what_helps(self):
        if self.has_handler():
            self.skipTest("programs of riscv64 run here")
        wrong = self.bake("--progress", "plain", code=1).stderr
        self.assertIn(f"this machine is linux/{HERE} and has no handler for programs of linux/{OTHER}", wrong)
        self.assertIn("apt-get install qemu-user-static binfmt-support", wrong)
        self.bake("--only-platform", f"linux/{HERE}")
        self.assertEqual(self.stored_image("ghcr.io/acme/app:1").files()["ran"].data, f"as {HERE}\n".encode())


if __name__ == "__main__":
    harness.main()
