#!/usr/bin/env python3
"""The pilot on fresh CI runners that share nothing but a cache: a registry, bazel-remote's protocol, nginx with DAV, a folder.

    tests/bench/runners.py                        all caches, three rounds each
    tests/bench/runners.py --cache registry --rounds 1

A warm machine bakes memory-fusion-hub for its profiles and fills the cache. Then each run happens in network and mount
namespaces of its own, with an empty KILN_HOME, and only the registry, the cache and an index of wheels can be reached:

    unchanged      no miss, at most 30 requests: the index of each layer, the tags, and two for each image's attestations
    application    one changed application file: its COPY misses, at most 2 MB are received
    requirements   a changed requirements.txt: exactly the steps below that line miss

Requests, bytes, misses and the digests against those of the warm machine are checked; seconds are printed. Needs root, runc,
docker-registry, nginx, and the network for the warm machine's Debian packages and wheels.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.ci_runner import CiRunner  # noqa: E402
from tests.support.http_cache import BazelRemote, NginxDav  # noqa: E402
from tests.support.registry import Registry  # noqa: E402
from tests.support.wheel_index import WheelIndex, make_wheel  # noqa: E402

SERVICE = "memory-fusion-hub"
MOST_REQUESTS = 30
MOST_BYTES = 2_000_000
GOALS = {"unchanged": 0.5, "application": 1.0, "requirements": None}


class Pilot:
    """A copy of the repository's images and a registry for them; bakes on machines, each a KILN_HOME."""

    def __init__(self, folder, kiln, registry, index, warm):
        self.folder = folder
        self.kiln = kiln
        self.registry = registry
        self.index = index
        self.warm = warm or folder / "warm"
        self.repo = folder / "repo"
        for name in ("images", "profiles"):
            shutil.copytree(ROOT / name, self.repo / name)
        # pip asks the index here instead of PyPI, on every machine alike.
        for image in (SERVICE, "base-cpu-pydeps"):
            self.change(image, "requirements.txt", lambda text: f"--index-url {index.url}\n{text}")
        subprocess.run(["git", "init", "-q"], cwd=self.repo, check=True)
        subprocess.run(["git", "add", "."], cwd=self.repo, check=True)
        subprocess.run(["git", "-c", "user.name=kiln", "-c", "user.email=kiln@example.com", "commit", "-qm", "Pilot"], cwd=self.repo,
                       check=True, env=dict(os.environ, GIT_COMMITTER_DATE="2026-01-01T00:00:00Z", GIT_AUTHOR_DATE="2026-01-01T00:00:00Z"))

    def change(self, image, name, edit):
        path = self.repo / "images" / image / name
        path.write_text(edit(path.read_text()))

    def restore(self):
        subprocess.run(["git", "checkout", "-q", "."], cwd=self.repo, check=True)

    def bake(self, machine, *args, runner=None, push=True):
        """(seconds, digests by target, report)."""
        pushing = ["--push", "--registry", f"{self.registry.address}/acme"] if push else []
        command = [str(self.kiln), "bake", SERVICE, "--progress", "quiet", "--metadata-file", str(self.folder / "meta.json"), "--report",
                   str(self.folder / "report.json"), *pushing, *args]
        if runner:
            command = runner.command(command, cwd=self.repo)
        env = {key: value for key, value in os.environ.items() if not key.startswith(("KILN_", "PIP_"))}
        home = self.warm if machine == "warm" else self.folder / machine
        begin = time.monotonic()
        done = subprocess.run(command, cwd=self.repo, env=dict(env, KILN_HOME=str(home)), capture_output=True, text=True)
        seconds = time.monotonic() - begin
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        metadata = json.loads((self.folder / "meta.json").read_text())
        digests = {target: entry["containerimage.digest"] for target, entry in metadata.items()}
        return seconds, digests, json.loads((self.folder / "report.json").read_text()), done.stderr


def misses(report):
    return sorted({step["text"] for step in report["steps"] if step["outcome"] != "hit"})


def open_cache(kind, folder, registry):
    """(what kiln is given, the server or None, function that counts its requests)."""
    if kind == "registry":
        return f"type=registry,ref={registry.address}/acme/cache", None, lambda: 0
    if kind == "folder":
        return f"type=local,dest={folder}/cache", None, lambda: 0
    server = BazelRemote() if kind == "bazel-remote" else NginxDav()
    server.__enter__()
    return f"type=http,url={server.url}", server, lambda: len(server.requests)


# What stands below COPY requirements.txt in the stage that installs, and what is made from that in the one that is published.
BELOW_REQUIREMENTS = ("COPY requirements.txt", "RUN --mount=type=cache,target=/root/.cache/pip ", "COPY --from=builder", "COPY . .")


def measure(pilot, kind, rounds, wheels):
    cache = pilot.folder / kind
    cache.mkdir()
    reference, server, cache_requests = open_cache(kind, cache, pilot.registry)
    flags = ["--cache-from", reference, "--cache-to", reference]
    reading = ["--cache-from", reference]
    pilot.restore()
    pilot.bake("warm", *flags)
    registry_requests = lambda: pilot.registry.log().count(" HTTP/1.1\" ")  # noqa: E731
    ports = [int(pilot.registry.address.split(":")[1]), pilot.index.port]
    if server:
        ports.append(int(server.address.split(":")[1]))
    ok = True
    for run in GOALS:
        rows = []
        for number in range(rounds):
            pilot.restore()
            if run == "application":
                pilot.change(SERVICE, "app.py", lambda text: text + f"\n# {kind} {number}\n")
            elif run == "requirements":
                version = f"{len(kind)}.{number}"
                digest = make_wheel(wheels, "kiln-probe", version, {"kiln_probe.py": f"MADE_FOR = {kind!r}, {number}\n"})
                pilot.change(SERVICE, "requirements.txt", lambda text: f"{text}\nkiln-probe=={version} --hash=sha256:{digest}\n")
            time.sleep(0.3)  # the registry writes its log a moment later
            before = registry_requests() + cache_requests()
            machine = f"{kind}-{run}-{number}"
            with CiRunner(ports) as runner:
                seconds, digests, report, _ = pilot.bake(machine, *reading, runner=runner)
                received = runner.received_bytes
            time.sleep(0.3)
            requests = registry_requests() + cache_requests() - before
            shutil.rmtree(pilot.folder / machine)
            _, warm, _, _ = pilot.bake("warm", push=False)
            missed = misses(report)
            problems = []
            if digests != warm:
                problems.append(f"digests {digests}, a warm machine has {warm}")
            if run == "unchanged" and (missed or requests > MOST_REQUESTS):
                problems.append(f"{requests} requests, misses {missed}")
            if run == "application" and (missed != ["COPY . ."] or received > MOST_BYTES):
                problems.append(f"{received} bytes, misses {missed}")
            if run == "requirements":
                expected = sorted({step["text"] for step in report["steps"] if step["text"].startswith(BELOW_REQUIREMENTS)})
                if missed != expected or len(missed) != len(BELOW_REQUIREMENTS):
                    problems.append(f"misses {missed}, expected {expected}")
            rows.append((seconds, requests, received, len(missed)))
            for problem in problems:
                ok = False
                print(f"WRONG {kind} {run}: {problem}", flush=True)
        seconds = [row[0] for row in rows]
        goal = f" (goal {GOALS[run]:.1f})" if GOALS[run] else ""
        print(f"{kind:<13} {run:<13} {min(seconds):6.2f} {statistics.median(seconds):6.2f} {max(seconds):6.2f} s{goal:<12} "
              f"{max(row[1] for row in rows):4} requests {max(row[2] for row in rows):>10,} bytes received  {rows[-1][3]} misses", flush=True)
    if server:
        server.__exit__(None, None, None)
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", action="append", choices=["registry", "bazel-remote", "nginx", "folder"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kiln", type=Path, default=Path(os.environ.get("KILN_BINARY") or ROOT / "build/kiln"))
    parser.add_argument("--wheels", type=Path, help="a folder that has the wheels already")
    parser.add_argument("--warm", type=Path, help="a KILN_HOME to keep for the next time")
    words = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kiln-runners-"))
    try:
        wheels = folder / "wheels"
        if words.wheels:
            shutil.copytree(words.wheels, wheels)
        else:
            for image in ("base-cpu-pydeps", SERVICE):
                subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version",
                                "3.11", "-r", ROOT / f"images/{image}/requirements.txt", "-d", wheels], check=True)
        with Registry() as registry, WheelIndex(wheels) as index:
            pilot = Pilot(folder, words.kiln.resolve(), registry, index, words.warm and words.warm.resolve())
            seconds, _, _, _ = pilot.bake("warm")
            print(f"the warm machine's first bake: {seconds:.1f} s", flush=True)
            good = [measure(pilot, kind, words.rounds, wheels) for kind in words.cache or ["registry", "bazel-remote", "nginx", "folder"]]
        return 0 if all(good) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
