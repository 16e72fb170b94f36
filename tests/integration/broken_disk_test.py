#!/usr/bin/env python3
"""KILN_HOME on a disk that fails: a file system by FUSE, one of whose calls answers EIO, to the kernel too, which reads ahead, maps and writes back.

A part of the calls by default, the same each time; each of them in turn with KILN_STRESS=1."""

import errno
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import time

import harness
from tests.support.registry import die_with_parent

STRESS = os.environ.get("KILN_STRESS") == "1"
# Of each kind of call this many by default.
SHARE = {"open": 3, "create": 2, "read": 20, "write": 3, "fsync": 2, "rename": 2, "mkdir": 1, "unlink": 1}


class BrokenDisk(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_root()
        self.need_programs("g++", "pkg-config")
        if not os.path.exists("/dev/fuse") or subprocess.run(["pkg-config", "--exists", "fuse3"]).returncode != 0:
            self.skipTest("needs /dev/fuse and libfuse3-dev")
        self.program = self.folder / "faulty_fs"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True, text=True).stdout.split()
        self.run_program("g++", "-std=c++20", "-O1", "-o", self.program, harness.ROOT / "tests/support/faulty_fs.cpp", *flags)
        self.disk, self.below, self.whole, self.log = (self.folder / name for name in ("disk", "below", "whole", "calls"))
        self.disk.mkdir()
        self.below.mkdir()
        self.home = self.disk / "home"
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as packed:
            for number in range(20):
                member = tarfile.TarInfo(f"packed/{number}")
                member.size = 2000
                packed.addfile(member, io.BytesIO(random.Random(number).randbytes(2000)))
        self.write("app/files.tar.gz", archive.getvalue())
        self.write("app/large", random.Random(1).randbytes(400_000))
        self.write("app/Dockerfile", "FROM scratch AS made\nADD files.tar.gz /\nFROM scratch\nCOPY large /large\nCOPY --from=made /packed /packed\n")
        time.sleep(2.1)  # their digests are remembered of files that are older than two seconds (the stat cache)
        self.out = self.folder / "out.tar"
        self.build = ["build", "--progress", "plain", "-t", "app", "app"]
        self.export = ["build", "--progress", "plain", "-o", f"type=oci,dest={self.out}", "app"]

    def on_disk(self, fault, *commands):
        """Runs the commands on a disk with this fault; (results, number of calls by kind, whether the fault was met)."""
        self.log.unlink(missing_ok=True)
        server = subprocess.Popen([self.program, self.below, self.disk, f"{fault}:{errno.EIO}", self.log], preexec_fn=die_with_parent, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while not os.path.ismount(self.disk):
                self.assertIsNone(server.poll(), "the file system did not start")
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.005)
            results = [self.kiln(*words, code=None, env={"SOURCE_DATE_EPOCH": "1"}) for words in commands]  # so that the same files are the same bytes
        finally:
            subprocess.run(["umount", self.disk], check=False, stderr=subprocess.DEVNULL)
            server.wait(timeout=30)
        lines = self.log.read_text().splitlines()
        return results, {line.split()[0]: int(line.split()[1]) for line in lines if " " in line}, "hit" in lines

    def fill(self, is_new):
        shutil.rmtree(self.below)
        if is_new:
            self.below.mkdir()
        else:
            subprocess.run(["cp", "-a", self.whole, self.below], check=True)

    def archive_digest(self):
        return hashlib.sha256(self.out.read_bytes()).hexdigest()

    def test_a_call_that_the_disk_refuses_costs_that_run_alone(self):
        ways = {"a first build": (True, self.build), "a build of what is there": (False, self.build), "an export": (False, self.export)}
        (first, export), _, _ = self.on_disk("none:0", self.build, self.export)
        self.assertEqual((first.code, export.code), (0, 0), f"{first}\n{export}")
        subprocess.run(["cp", "-a", self.below, self.whole], check=True)
        expected = self.archive_digest()
        met = failed = 0
        for way, (is_new, words) in ways.items():
            self.fill(is_new)
            _, counts, _ = self.on_disk("none:0", words)
            for call, count in counts.items():
                numbers = range(1, count + 1)
                for number in numbers if STRESS else random.Random(f"{way} {call}").sample(numbers, min(count, SHARE[call])):
                    with self.subTest(f"{way}: {call} {number} of {count}"):
                        self.fill(is_new)
                        self.out.unlink(missing_ok=True)
                        (result,), _, is_met = self.on_disk(f"{call}:{number}", words)
                        met += is_met
                        failed += result.code != 0
                        self.assertIn(result.code, (0, 1, 2, 3, 4), result)
                        if result.code != 0:
                            self.assertIn("error: ", result.stderr, result)
                        elif words is self.export:
                            self.assertEqual(self.archive_digest(), expected, result)
                        (before, again, after), _, _ = self.on_disk("none:0", ["cache", "verify", "--json"], self.export, ["cache", "verify", "--json"])
                        self.assertEqual(json.loads(before.stdout)["problems"], [], f"{result}\n{before}")
                        self.assertEqual(again.code, 0, f"{result}\n{again}")
                        self.assertEqual(self.archive_digest(), expected, f"{result}\n{again}")
                        self.assertEqual(json.loads(after.stdout)["problems"], [], f"{result}\n{after}")
        print(f"{met} calls that the disk refused: {failed} runs ended with an error, {met - failed} could do without", flush=True)
        self.assertGreater(failed, met // 3)


if __name__ == "__main__":
    harness.main()
