#!/usr/bin/env python3
"""What fails under kiln costs that run alone: calls of the system, bits of the store, the clock, kill -9 in every command.

A part of the work by default, the same each time; all of it with KILN_STRESS=1, by a random seed that is printed. KILN_STRESS_SEED sets it.
"""

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import harness
import releases_test
from tests.support.image_check import Layout
from tests.support.registry import die_with_parent

STRESS = os.environ.get("KILN_STRESS") == "1"
FAULTS = 1000 if STRESS else 40
FLIPS = 500 if STRESS else 20
KILLS = 1000 if STRESS else 30
SEED = int(os.environ.get("KILN_STRESS_SEED") or (random.SystemRandom().randrange(1 << 32) if STRESS else 1))

# The calls of tests/support/fault_shim.cpp, and what the system may answer to each.
CALLS = {"open": [errno.EMFILE, errno.EIO, errno.ENOSPC], "read": [errno.EIO], "write": [errno.ENOSPC, errno.EIO, errno.EDQUOT], "sync": [errno.EIO, errno.ENOSPC],
         "rename": [errno.EIO, errno.ENOSPC], "mkdir": [errno.ENOSPC, errno.EMFILE]}
COMMANDS = ["build", "push", "bake", "pull", "tag", "copy", "release", "rollback", "prune", "cache prune"]
MANIFEST_TYPES = ["application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"]
# What `verify` does not promise to find: the texts of names, who holds what, figures, what is told of earlier builds (reports, their causes), and what
# says that an unpacked layer is whole: where that is damaged, the layer is unpacked again. The version of KILN_HOME has a test of its own.
NOTES = re.compile(r"(^|/)(locks|leases|runtime|tmp|builds|reports|slots|cache-mounts|mounts)/|/(lock|meta|bytes|synced|checked|next)$|stat-cache|oci/index\.json$|^version$")


def contents(image):
    """What an image holds, without the times that a RUN left."""
    return {path: (entry.type, entry.mode, entry.uid, entry.gid, entry.link, entry.digest) for path, entry in image.files().items()}


class Faults(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.tiny_base()
        print(f"KILN_STRESS_SEED={SEED}", flush=True)
        self.random = random.Random(SEED)

    def make_context(self, name="app", variant="one"):
        self.write(f"{name}/Dockerfile", f'''
            FROM base AS made
            RUN --mount=type=cache,target=/cache echo {variant} >/made && echo x >>/cache/x
            FROM base
            COPY files /files
            COPY --from=made /made /made
            RUN --mount=type=bind,from=made,source=/made,target=/seen cat /seen >/copied
        ''')
        for number in range(20):
            self.write(f"{name}/files/{number}", random.Random(f"{variant} {number}").randbytes(3000))
        return ["--build-context", f"base=oci-layout://{self.folder / 'base'}:base", self.folder / name]

    def stored_digest(self, name):
        return Layout(self.home / "oci").descriptor(f"docker.io/library/{name}:latest")["digest"]

    def contents_of(self, archive):
        folder = self.folder / "exported"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.run_program("tar", "-xf", archive, "-C", folder)
        return contents(self.layout_image(folder))

    def problems(self, *args):
        found = self.kiln("cache", "verify", "--json", *args, code=None, timeout=300)
        self.assertIn(found.code, (0, 4), found)
        return json.loads(found.stdout)["problems"]

    def shim(self):
        self.need_programs("g++")
        library = self.folder / "fault_shim.so"
        self.run_program("g++", "-std=c++20", "-shared", "-fPIC", "-O1", "-o", library, harness.ROOT / "tests/support/fault_shim.cpp", "-ldl")
        return library

    def test_a_call_of_the_system_that_fails_costs_that_run_alone(self):
        if "ASAN_OPTIONS" in os.environ:
            self.skipTest("AddressSanitizer has the calls of the C library for itself")
        library = self.shim()
        log = self.folder / "calls"
        build = ["build", "--progress", "plain", "-t", "app", *self.make_context()]
        # How many calls of each kind a build from nothing has, and one that finds all of its steps.
        counts = {}
        for call in CALLS:
            shutil.rmtree(self.home, ignore_errors=True)
            for is_new in (True, False):
                self.kiln(*build, env={"LD_PRELOAD": library, "KILN_FAULT": f"{call}:0:0", "KILN_FAULT_LOG": log})
                counts[call, is_new] = int(log.read_text().split()[1])
            self.assertGreater(counts[call, True], 0, f"no call of {call} was seen")
        expected = contents(self.stored_image("docker.io/library/app:latest"))
        outcomes = {"failed": 0, "passed": 0}
        for number in range(FAULTS):
            call = list(CALLS)[number % len(CALLS)]
            error = self.random.choice(CALLS[call])
            is_new = number % 3 != 0 or counts[call, False] == 0
            if is_new:
                shutil.rmtree(self.home, ignore_errors=True)
            at = self.random.randrange(1, counts[call, is_new] + 1)
            fault = f"{call}:{at}:{error} ({os.strerror(error)})"
            with self.subTest(fault):
                log.unlink(missing_ok=True)
                result = self.kiln(*build, code=None, env={"LD_PRELOAD": library, "KILN_FAULT": f"{call}:{at}:{error}", "KILN_FAULT_LOG": log})
                hit = not log.exists() or log.read_text().split()[2] == "1"
                self.assertIn(result.code, (0, 1, 2, 3, 4), f"{fault}\n{result}")
                outcomes["passed" if result.code == 0 else "failed"] += hit
                if result.code != 0:
                    self.assertIn("error", result.stderr.lower(), f"{fault}\n{result}")
                self.assertEqual(self.problems(), [], f"{fault}\n{result}")
                again = self.kiln(*build)
                self.assertEqual(contents(self.stored_image("docker.io/library/app:latest")), expected, f"{fault}\n{result}\n{again}")
        print(f"{sum(outcomes.values())} calls that failed: {outcomes['failed']} runs ended with an error, {outcomes['passed']} could do without", flush=True)
        self.assertGreater(outcomes["failed"], FAULTS // 4)

    def test_a_clock_that_jumps_changes_no_image_and_loses_nothing(self):
        library = self.shim()
        build = ["build", "-t", "app", *self.make_context()]
        self.kiln(*build)
        expected = self.stored_digest("app")
        for shift, jump in ((-20 * 365 * 86400, -1), (20 * 365 * 86400, -1), (86400, 40), (-86400, 40), (-2**31, 200)):
            with self.subTest(shift=shift, jump=jump):
                env = {"LD_PRELOAD": library, "KILN_CLOCK_SHIFT": shift, "KILN_CLOCK_JUMP": jump}
                self.kiln(*build, env=env)
                self.assertEqual(self.stored_digest("app"), expected)
                self.kiln("cache", "prune", env=env)
                self.assertEqual(self.problems(), [])
                self.kiln(*build)
                self.assertEqual(self.stored_digest("app"), expected)
                self.kiln("build", "--no-cache", "-t", "app", *build[3:], env=env)
                self.assertEqual(self.stored_image("docker.io/library/app:latest").files()["copied"].text, "one\n")
                expected = self.stored_digest("app")

    def test_stacks_that_are_small_are_enough(self):
        self.need_programs("prlimit")
        build = ["build", "-t", "app", *self.make_context()]
        result = self.run_program("prlimit", f"--stack={256 << 10}", harness.kiln_binary(), *build, cwd=self.folder, timeout=120)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.problems(), [])

    def test_few_open_files_are_enough_or_said(self):
        self.need_programs("prlimit")
        build = ["build", "-t", "app", *self.make_context()]
        enough = 0
        for most in (1024, 256, 128, 64, 48, 32, 24, 16, 12, 8):
            shutil.rmtree(self.home, ignore_errors=True)
            result = self.run_program("prlimit", f"--nofile={most}", harness.kiln_binary(), *build, cwd=self.folder, code=None)
            self.assertIn(result.code, (0, 1, 4), result)
            enough += result.code == 0
            if result.code != 0:
                self.assertRegex(result.output, "(?i)too many open files|cannot start|error while loading shared libraries", result)
            self.kiln(*build)
            self.assertEqual(self.problems(), [])
        self.assertGreaterEqual(enough, 4)

    def test_a_flipped_bit_of_the_store_is_found_and_nothing_is_built_from_it(self):
        context = self.make_context()
        build = ["build", "-t", "app", *context]
        out = self.folder / "out.tar"
        export = ["build", "-o", f"type=oci,dest={out}", *context]
        self.kiln(*build)
        self.kiln(*export)
        expected = self.contents_of(out)
        whole = self.folder / "whole"
        subprocess.run(["cp", "-a", self.home, whole], check=True)
        files = [path for path in sorted(whole.rglob("*")) if path.is_file() and not path.is_symlink() and path.stat().st_size > 0
                 and not NOTES.search(str(path.relative_to(whole)))]
        self.assertGreater(len(files), 30)
        found = refused = 0
        for _ in range(FLIPS):
            shutil.rmtree(self.home)
            subprocess.run(["cp", "-a", whole, self.home], check=True)
            path = self.home / self.random.choice(files).relative_to(whole)
            at, bit = self.random.randrange(path.stat().st_size), self.random.randrange(8)
            times = path.stat()
            with open(path, "r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ (1 << bit)]))
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            where = f"{path.relative_to(self.home)}, byte {at}, bit {bit}"
            with self.subTest(where):
                problems = self.problems()
                self.assertNotEqual(problems, [], f"{where}: not found")
                found += 1
                out.unlink(missing_ok=True)
                result = self.kiln(*export, code=None)
                refused += result.code != 0
                self.assertIn(result.code, (0, 1, 3, 4), f"{where}\n{result}")
                if result.code == 0:
                    self.assertEqual(self.contents_of(out), expected, f"{where}: another image was exported\n{result}")
                else:
                    self.assertIn("error", result.stderr.lower(), f"{where}\n{result}")
                self.problems("--repair")
                self.assertEqual(self.problems(), [], where)
                self.kiln(*export)
                self.assertEqual(self.contents_of(out), expected, where)
        print(f"{FLIPS} bits flipped, {found} found by verify, {refused} exports refused, the others whole", flush=True)


    def test_a_flipped_bit_of_the_version_is_an_error_of_every_command_and_touches_nothing(self):
        context = self.make_context()
        self.kiln("build", "-t", "app", *context)
        version = self.home / "version"
        text = version.read_bytes()
        for at in range(len(text)):
            damaged = bytearray(text)
            damaged[at] ^= 1 << self.random.randrange(8)
            version.write_bytes(damaged)
            for words in (["build", "-t", "app", *context], ["cache", "verify", "--repair"], ["cache", "prune", "--all"]):
                result = self.kiln(*words, code=4)
                self.assertIn(f"'{version}' holds", result.stderr)
            self.assertEqual(version.read_bytes(), damaged)
        version.write_bytes(text)
        self.assertEqual(self.problems(), [])


class KilledCommands(releases_test.ReleaseTest):
    """A fleet of its own at a registry; every command that changes something, killed at random points."""

    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        print(f"KILN_STRESS_SEED={SEED}", flush=True)
        self.random = random.Random(SEED)

    def words(self, name):
        """A command by its name, with something new to do where it makes something."""
        text = str(self.random.randrange(1 << 30))
        if name in ("build", "push"):
            self.write("app/Dockerfile", "FROM scratch\nCOPY data text /\n")
            self.write("app/data", random.Random(text).randbytes(300_000))
            self.write("app/text", "the newest\n")
        if name == "bake":
            self.write("images/service/app", text)
        app = f"{self.base}/app"
        return {
            "build": ["build", "-t", f"{app}:latest", "app"],
            "push": ["build", "--push", "-t", f"{app}:latest", "app"],
            "bake": ["bake", "--push"],
            "pull": ["pull", f"{self.base}/service-pc2:latest"],
            "tag": ["tag", f"{self.base}/common:latest", f"t{text}"],
            "copy": ["copy", f"{app}:latest", f"{self.base}/copied:latest"],
            "release": ["release", "create", f"v{text}"],
            "rollback": ["rollback", "v1"],
            "prune": ["prune", "--registry", "--yes"],
            "cache prune": ["cache", "prune", "--all"],
        }[name]

    def assert_nothing_is_lost(self, of):
        found = json.loads(self.kiln("cache", "verify", "--json", code=None, timeout=300).stdout)
        self.assertEqual(found["problems"], [], of)
        for name in json.loads(self.server.get("/v2/_catalog?n=1000")[2])["repositories"]:
            status, _, body = self.server.get(f"/v2/{name}/tags/list")
            for tag in (json.loads(body).get("tags") or []) if status == 200 else []:
                self.assert_manifest_is_whole(name, tag, of)

    def assert_manifest_is_whole(self, repository, reference, of):
        status, _, body = self.server.get(f"/v2/{repository}/manifests/{reference}", {"Accept": ", ".join(MANIFEST_TYPES)})
        self.assertEqual(status, 200, f"{repository}:{reference} after {of}")
        manifest = json.loads(body)
        for entry in manifest.get("manifests", []):
            self.assert_manifest_is_whole(repository, entry["digest"], of)
        for blob in [manifest[key] for key in ("config",) if key in manifest] + manifest.get("layers", []):
            self.assertEqual((self.registry_blob(blob["digest"]) / "data").stat().st_size, blob["size"], f"{repository}:{reference} after {of}")

    def end_rollback(self):
        """A rollback that was killed is finished or put back by a command of its own; it may have been killed before it began."""
        ended = self.kiln("rollback", self.random.choice(["--resume", "--undo"]), code=None)
        if ended.code != 0:
            self.assertEqual(ended.code, 2, ended)
            self.assertIn("no rollback", ended.stderr)

    def test_killed_in_every_command_nothing_is_lost_and_the_next_run_is_right(self):
        self.create("v1")
        longest = {}
        for name in COMMANDS:
            began = time.monotonic()
            self.kiln(*self.words(name))
            longest[name] = max(0.05, 1.3 * (time.monotonic() - began))
        killed = dict.fromkeys(COMMANDS, 0)
        number = 0
        while sum(killed.values()) < KILLS:
            number += 1
            self.assertLessEqual(number, 20 * KILLS, "kiln ends before it can be killed")
            name = self.random.choice(COMMANDS)
            process = subprocess.Popen([str(harness.kiln_binary()), *self.words(name)], cwd=self.folder, env=self.environment(), preexec_fn=die_with_parent,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(self.random.uniform(0, longest[name]))
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate(timeout=60)
            self.assertIn(process.returncode, (0, -signal.SIGKILL), f"{name}\n{out}{err}")
            killed[name] += process.returncode == -signal.SIGKILL
            if name == "rollback" and process.returncode != 0:
                self.end_rollback()
            if number % 10 == 9:
                self.assert_nothing_is_lost(name)
        print(f"killed while they worked: {killed}", flush=True)
        for name in COMMANDS:
            self.kiln(*self.words(name))
        self.assert_nothing_is_lost("all of it")
        self.assertEqual(self.pushed_image(f"{self.base}/copied:latest").files()["text"].text, "the newest\n")


if __name__ == "__main__":
    harness.main()
