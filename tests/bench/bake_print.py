#!/usr/bin/env python3
"""What printing a bake file costs: 1,000 targets that a matrix and functions make, read and printed with nothing built.

    tests/bench/bake_print.py [--targets 1000] [--runs 10] [--kiln build/kiln] [--buildx buildx] [--json FILE]

Both programs must print the same; buildx tells the targets of a matrix in an order that changes. Figures are medians of runs in turn; memory is the largest of a run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BAKE_FILE = """
variable "REGISTRY" { default = "ghcr.io/acme" }
variable "VERSION" { default = "2026.11" }
variable "PLATFORMS" { default = ["linux/amd64", "linux/arm64"] }

function "tags_of" {
  params = [name, version]
  result = [for tag in ["${VERSION}", "${VERSION}-${version}", "latest"]: "${REGISTRY}/${name}:${tag}"]
}
function "cache_of" {
  params = [name]
  result = "type=registry,ref=${REGISTRY}/cache:${replace(lower(name), "/", "-")}"
}

group "default" { targets = ["service"] }

target "_common" {
  args = { VERSION = VERSION, BUILD = join("-", split(".", VERSION)) }
  platforms = PLATFORMS
  labels = { "org.opencontainers.image.vendor" = title("acme"), "org.opencontainers.image.version" = VERSION }
}

target "service" {
  inherits = ["_common"]
  name = "service-${number}-${replace(python, ".", "-")}"
  matrix = {
    number = range(%d)
    python = ["3.10", "3.11", "3.12", "3.13"]
  }
  context = "services/${number}"
  dockerfile = number %% 2 == 0 ? "Dockerfile" : "docker/Dockerfile.${upper("odd")}"
  args = merge({ PYTHON = python, NAME = format("service-%%04d", number) }, number > 100 ? { LATE = "1" } : {})
  tags = tags_of("service-${number}", python)
  cache-from = [cache_of("Service/${number}"), cache_of("main")]
  labels = { "org.opencontainers.image.title" = "service ${number}", "dev.acme.hash" = substr(sha256("${number}-${python}"), 0, 12) }
}
"""


def run(program, folder, home):
    """(seconds, bytes of memory, what it printed)"""
    with tempfile.TemporaryFile() as output:
        begin = time.monotonic()
        process = subprocess.Popen([*program, "bake", "--print"], cwd=folder, stdout=output, stderr=subprocess.PIPE,
                                   env={**os.environ, "KILN_HOME": home})
        message = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{program[0]} ended with {process.returncode}: {message.decode(errors='replace')[-1000:]}")
        output.seek(0)
        return seconds, usage.ru_maxrss * 1024, output.read()


def meaning(printed):
    value = json.loads(printed)
    for group in value["group"].values():
        group["targets"].sort()
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kiln", default=ROOT / "build/kiln", type=Path)
    parser.add_argument("--buildx", help="the program to compare with (docker-buildx, or what 'go install' makes)")
    parser.add_argument("--json", type=Path, help="writes every figure there")
    words = parser.parse_args()
    programs = {"kiln": [str(words.kiln.resolve())]}
    if words.buildx:
        programs["buildx"] = [words.buildx]
    figures = {name: {"seconds": [], "memory": []} for name in programs}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "docker-bake.hcl").write_text(BAKE_FILE % (words.targets // 4))
        printed = {}
        for _ in range(words.runs + 1):  # the first one fills the page cache
            for name, program in programs.items():
                seconds, memory, printed[name] = run(program, folder, str(Path(folder, "home")))
                figures[name]["seconds"].append(seconds)
                figures[name]["memory"].append(memory)
    meanings = [meaning(text) for text in printed.values()]
    if any(value != meanings[0] for value in meanings):
        sys.exit("the programs print different things")
    targets = len(meanings[0]["target"])
    for name, figure in figures.items():
        print(f"{name:8} {targets} targets  {statistics.median(figure['seconds'][1:]) * 1000:6.0f} ms  "
              f"{max(figure['memory']) / 1e6:5.0f} MB")
    if words.json:
        words.json.write_text(json.dumps({"targets": targets, "programs": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
