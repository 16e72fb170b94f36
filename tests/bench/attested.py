#!/usr/bin/env python3
"""What it costs to say what is in images and how they were made:

    tests/bench/attested.py chain [--runs 3] [--target memory-fusion-hub-mainpc]     a cold bake, and an unchanged one, with and without
    tests/bench/attested.py gpu [--runs 5]                      kiln sbom of the image of case G, a few GB, and syft beside it

"chain" bakes a target of images/ with all that it is built on into a docker-registry on loopback: without attestations, and with SBOM
and provenance of both modes. Rounds are interleaved, every second one the other way round. Debian's and Python's packages come from the
network, so beside the wall clock stands the time of the processor, a RUN's included. "gpu" needs the wheels of bench.py, builds the image
once and keeps it in the bench's folder of the cache.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/bench")]

import workloads  # noqa: E402
from bench import CACHE, push_python_image  # noqa: E402
from tests.support.registry import Registry  # noqa: E402

WAYS = {"nothing": ["--provenance=false", "--sbom=false"], "provenance": ["--provenance=mode=min", "--sbom=false"],
        "sbom, provenance": ["--provenance=mode=max", "--sbom=true"]}


def timed(command, **options):
    """(wall, processor) seconds of a command that must succeed."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def print_table(title, costs):
    """Least wall clock and least processor time of each way, and what they are more than the first way's."""
    print(f"\n{title}")
    least = {way: tuple(min(cost[i] for cost in rounds) for i in (0, 1)) for way, rounds in costs.items()}
    base = next(iter(least.values()))
    for way, (wall, cpu) in least.items():
        print(f"  {way:18} {wall:8.3f} s  {1000 * (wall - base[0]):+8.0f} ms  {100 * (wall / base[0] - 1):+6.1f} %"
              f"   processor {cpu:8.3f} s  {1000 * (cpu - base[1]):+8.0f} ms  {100 * (cpu / base[1] - 1):+6.1f} %")


def chain(words):
    cold, again = {way: [] for way in WAYS}, {way: [] for way in WAYS}
    with Registry() as registry, tempfile.TemporaryDirectory(dir=words.folder) as folder:
        for number in range(words.runs):
            ways = list(WAYS.items()) if number % 2 == 0 else list(reversed(WAYS.items()))
            for way, flags in ways:
                home = Path(folder) / "home"
                shutil.rmtree(home, ignore_errors=True)
                env = dict(os.environ, KILN_HOME=str(home))
                command = [words.kiln, "bake", words.target, "--push", "--registry", f"{registry.address}/{number}-{list(WAYS).index(way)}",
                           "--progress", "quiet", *flags]
                cold[way].append(timed(command, cwd=ROOT, env=env))
                again[way] += [timed(command, cwd=ROOT, env=env) for _ in range(words.runs + 2)]
                print(f"round {number + 1}, {way}: cold {cold[way][-1][0]:.2f} s", file=sys.stderr)
    print_table(f"{words.target}, cold", cold)
    print_table(f"{words.target}, nothing changed", again)


def gpu(words):
    home = CACHE / "gpu-home"
    env = dict(os.environ, KILN_HOME=str(home))
    name = "localhost/bench/gpu:1"
    if subprocess.run([words.kiln, "digest", name], env=env, capture_output=True, check=False).returncode != 0:
        with Registry() as registry, tempfile.TemporaryDirectory(dir=words.folder) as folder:
            push_python_image(words.kiln, registry.address)
            workloads.gpu(Path(folder) / "g", registry.address)
            timed([words.kiln, "build", "-t", name, "--build-context", f"wheels={CACHE / 'wheels'}", Path(folder) / "g"], env=env)
    document = json.loads(subprocess.run([words.kiln, "sbom", "--local", name, "--json"], env=env, capture_output=True, check=True).stdout)
    unpacked = sum(layer["unpacked_bytes"] for layer in document["layers"])
    print(f"{len(document['packages'])} packages in {len(document['layers'])} layers, {unpacked / 1e9:.1f} GB unpacked", file=sys.stderr)
    costs = {"kiln": [], "kiln, files": []}
    syft = shutil.which("syft")
    with tempfile.TemporaryDirectory(dir=words.folder) as folder:
        for number in range(words.runs):
            costs["kiln"].append(timed([words.kiln, "sbom", "--local", name, "--format", "spdx"], env=env))
            costs["kiln, files"].append(timed([words.kiln, "sbom", "--local", name, "--format", "spdx", "--file-digests"], env=env))
            if syft and number == 0:
                reference = f"docker.io/{name}" if name not in index_names(home) else name
                subprocess.run(["skopeo", "copy", "-q", f"oci:{home / 'oci'}:{reference}", f"oci:{folder}/layout:1"], check=True)
                costs["syft"] = [timed([syft, "-q", "scan", f"oci-dir:{folder}/layout", "-o", "spdx-json"], env=dict(env, TMPDIR=folder, SYFT_CHECK_FOR_APP_UPDATE="false"))]
    print_table("SBOM of the image of case G", costs)
    if not syft:
        print("  syft is not on PATH: go build github.com/anchore/syft/cmd/syft")


def index_names(home):
    index = json.loads((home / "oci/index.json").read_text())
    return {entry.get("annotations", {}).get("org.opencontainers.image.ref.name") for entry in index["manifests"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("chain", "gpu"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--target", default="memory-fusion-hub-mainpc", help="of images/")
    parser.add_argument("--kiln", type=Path, default=ROOT / "build/kiln")
    parser.add_argument("--folder", type=Path, default=None, help="for temporary files")
    words = parser.parse_args()
    words.kiln = words.kiln.resolve()
    {"chain": chain, "gpu": gpu}[words.what](words)


if __name__ == "__main__":
    main()
