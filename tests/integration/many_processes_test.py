#!/usr/bin/env python3
"""Many kiln processes on one store, with a prune running beside them, and kiln killed at random points.

A twentieth of the work by default, all of it with KILN_STRESS=1. The random seed is printed; KILN_STRESS_SEED sets it.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import harness

STRESS = os.environ.get("KILN_STRESS") == "1"
PROCESSES = 8
BUILDS = 50 if STRESS else 3
KILLS = 500 if STRESS else 25
SEED = int(os.environ.get("KILN_STRESS_SEED") or random.SystemRandom().randrange(1 << 32))

WAITING = re.compile(r"waiting for another kiln")


class ManyProcesses(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        print(f"KILN_STRESS_SEED={SEED}", flush=True)
        self.random = random.Random(SEED)
        self.busybox = shutil.which("busybox")

    def make_context(self, name, variant):
        """A context whose steps are those of every context of the same variant."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        if not (folder / "busybox").exists():
            shutil.copy(self.busybox, folder / "busybox")
        (folder / "data").write_bytes(random.Random(variant).randbytes(200_000))
        (folder / "Dockerfile").write_text(
            "FROM scratch AS base\nCOPY --chmod=755 busybox /bin/busybox\n"
            "FROM base AS left\nCOPY data /left/\n"
            f'RUN --mount=type=cache,target=/cache ["/bin/busybox", "sh", "-c", "/bin/busybox echo {variant} >/cache/x; /bin/busybox sha256sum /left/data >/sum"]\n'
            f'FROM base\nWORKDIR /app\nCOPY --from=left /sum /app/sum\nRUN ["/bin/busybox", "sh", "-c", "/bin/busybox echo {variant} >/app/variant"]\n')
        return folder

    def start(self, *args):
        return subprocess.Popen([str(harness.kiln_binary()), *map(str, args)], cwd=self.folder, env=self.environment(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def verify(self):
        found = self.kiln("cache", "verify", "--json", code=None, timeout=300)
        self.assertEqual(json.loads(found.stdout)["problems"], [])

    def age(self):
        """Makes everything look as if it had been written long ago, as it is when the next prune comes."""
        then = time.time() - 7200
        for folder, folders, files in os.walk(self.home):
            for name in folders + files:
                try:
                    os.utime(os.path.join(folder, name), (then, then), follow_symlinks=False)
                except FileNotFoundError:
                    pass

    def leftovers(self):
        """What killed processes left: everything in tmp/, unfinished files, leases, and snapshots without their mark."""
        found = [path for path in (self.home / "tmp").iterdir()] + list(self.home.rglob(".*.tmp")) + list((self.home / "leases").iterdir())
        for path in (self.home / "snapshots").iterdir():
            if path.name.startswith("trash-") or (path.name.isdigit() and not (path / "meta").exists()):
                found.append(path)
        return found

    def executed(self):
        """By step key, in how many builds it was executed."""
        counts = {}
        for path in (self.home / "builds").glob("*.json"):
            for target in json.loads(path.read_text())["targets"]:
                for step in target["steps"]:
                    counts.setdefault(step["key"], 0)
                    counts[step["key"]] += step["outcome"] == "built"
        return counts

    def run_many(self, prune):
        """PROCESSES workers that each build the same variants at the same time; (failures, outputs)."""
        variants = [self.random.randrange(1 << 30) for _ in range(BUILDS)]
        starts = [threading.Barrier(PROCESSES) for _ in variants]
        failures, waited = [], []
        done = threading.Event()

        def work(number):
            for round_number, variant in enumerate(variants):
                context = self.make_context(f"worker{number}", variant)
                starts[round_number].wait(timeout=300)
                process = self.start("build", "--progress", "plain", "-t", f"app{number}:{round_number % 2}", context)
                out, err = process.communicate(timeout=300)
                if process.returncode != 0:
                    failures.append(f"build {round_number} of worker {number}: exit code {process.returncode}\n{out}{err}")
                waited.extend(WAITING.findall(out + err))

        def take():
            while not done.is_set():
                process = self.start("cache", "prune", *prune)
                out, err = process.communicate(timeout=300)
                if process.returncode != 0:
                    failures.append(f"prune: exit code {process.returncode}\n{out}{err}")
                time.sleep(0.05)

        workers = [threading.Thread(target=work, args=(number,)) for number in range(PROCESSES)]
        pruner = threading.Thread(target=take)
        for thread in [*workers, pruner]:
            thread.start()
        for thread in workers:
            thread.join()
        done.set()
        pruner.join()
        self.assertEqual(failures, [])
        return variants, waited

    def check_images(self):
        for number in range(PROCESSES):
            for tag in range(min(2, BUILDS)):
                image = self.stored_image(f"docker.io/library/app{number}:{tag}")
                self.assertIn("app/variant", image.files())
        self.verify()

    def test_equal_steps_are_executed_once_while_a_prune_takes_what_is_old(self):
        # Of a stress run the records of the last 200 builds are there.
        _, waited = self.run_many(["--filter", "until=10m"])
        counts = self.executed()
        once = sum(1 for count in counts.values() if count <= 1)
        print(f"{len(counts)} steps, {once} executed at most once; {len(waited)} times one kiln waited for another", flush=True)
        self.assertGreaterEqual(once, 0.95 * len(counts), sorted(counts.values())[-10:])
        self.check_images()

    def test_a_prune_that_takes_all_it_may_breaks_no_build(self):
        self.run_many(["--all"])
        self.check_images()

    def test_killed_at_random_points_the_store_is_whole_and_the_next_prune_takes_what_is_left(self):
        context = self.make_context("killed", 0)
        began = time.monotonic()
        self.kiln("build", "-t", "killed:0", context)
        longest = max(0.2, 1.3 * (time.monotonic() - began))
        killed = number = 0
        while killed < KILLS:
            number += 1
            self.assertLessEqual(number, 10 * KILLS, "kiln ends before it can be killed")
            self.make_context("killed", self.random.randrange(1 << 30))
            command = ["cache", "prune", "--all"] if self.random.random() < 0.15 else ["build", "-t", f"killed:{number % 3}", context]
            process = self.start(*command)
            time.sleep(self.random.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate(timeout=60)
            killed += process.returncode == -signal.SIGKILL
            self.assertIn(process.returncode, (0, -signal.SIGKILL), out + err)
            if number % 10 == 9:
                self.verify()
        print(f"{killed} of {number} were killed while they worked", flush=True)
        self.verify()
        self.age()
        self.kiln("cache", "prune", timeout=300)
        self.assertEqual([str(path.relative_to(self.home)) for path in self.leftovers()
                          if path.parent != self.home / "leases"], [])
        self.verify()
        self.make_context("killed", 0)
        self.kiln("build", "-t", "killed:0", context)
        self.assertIn("app/sum", self.stored_image("docker.io/library/killed:0").files())


if __name__ == "__main__":
    harness.main()
