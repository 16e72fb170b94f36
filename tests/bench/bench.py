#!/usr/bin/env python3
"""kiln beside its peers, in turn, on one machine:

    tests/bench/bench.py                              every case that the programs on PATH allow
    tests/bench/bench.py --case W1 --case F --peer buildah --runs 5 --json out.json
    tests/bench/bench.py --size 0.1                   a tenth of each workload
    tests/bench/bench.py wheels                       fetches what the cases G* need (3 GB from PyPI)
    tests/bench/bench.py peers                        builds buildkitd, buildctl, buildx and crane with Go, and says where

A round is kiln, then each peer, and every second one goes the other way round: what drifts on the machine, or costs who comes
first, does so for all. Printed are minimum, median and maximum of the wall clock, processor seconds (a daemon's included), peak
memory, and the peers' median over kiln's; and of the cases that count them the bytes that moved. "uncut" is kiln with a layer for
each step, for the cases that ask what cutting along packages costs. Everything happens below --folder, which is removed at the
end; the registry is Debian's docker-registry on loopback, and the Python image of the cases is made from Debian's packages by
images/base-python.
"""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/bench")]

import peers  # noqa: E402
import transfers  # noqa: E402
import workloads  # noqa: E402
from cases import CASES  # noqa: E402
from measure import Failed  # noqa: E402
from traffic import Bytes  # noqa: E402
from tests.support.registry import Registry  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kiln-bench"
GO_PEERS = ("github.com/moby/buildkit/cmd/buildkitd@v0.34.2", "github.com/moby/buildkit/cmd/buildctl@v0.34.2",
            "github.com/docker/buildx/cmd/buildx@v0.38.2", "github.com/google/go-containerregistry/cmd/crane@v0.21.7")


def say(text):
    print(text, file=sys.stderr, flush=True)


def fetch_wheels():
    folder = CACHE / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    small, *versions = workloads.SMALL_WHEEL
    # One call cannot ask for two versions of one wheel.
    for wanted in ([*workloads.cuda_wheels(), workloads.TORCH, workloads.OF_SMALL_WHEEL, "fastapi", "uvicorn"],
                   *([f"{small}=={version}"] for version in versions),
                   workloads.MORE_WHEELS):
        subprocess.run([sys.executable, "-m", "pip", "download", "--only-binary=:all:", "--python-version", "3.11", "--dest", folder, *wanted],
                       check=True)
    say(f"the wheels are in {folder}")


def build_go_peers():
    folder = CACHE / "go"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "go.mod").exists():
        subprocess.run(["go", "mod", "init", "peers"], cwd=folder, check=True)
    subprocess.run(["go", "get", *GO_PEERS], cwd=folder, check=True)
    subprocess.run(["go", "build", "-o", f"{CACHE / 'bin'}/", *[peer.partition("@")[0] for peer in GO_PEERS]], cwd=folder, check=True)
    say(f"PATH={CACHE / 'bin'}:$PATH")


def push_python_image(kiln, registry):
    """python:3.11-slim's stand-in: the repository's own base-python, made once per bench."""
    env = dict(os.environ, KILN_HOME=str(CACHE / "home"))
    subprocess.run([kiln, "bake", "base-python", "--push", "--registry", f"{registry}/base", "--progress", "quiet"], cwd=ROOT, env=env,
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run([kiln, "copy", "--quiet", f"{registry}/base/base-python:latest", f"{registry}/bench/{workloads.PYTHON_IMAGE}"], env=env, check=True,
                   stdout=subprocess.DEVNULL)


def able(case, peer):
    """Why the peer has no such row; empty where it has."""
    if case.needs_bake and not peer.bakes:
        return f"{peer.name} bakes nothing" + (" without buildx" if isinstance(peer, peers.BuildKit) else "")
    if case.needs_cache and not peer.shares_cache:
        return f"{peer.name} keeps no cache in a registry"
    if case.needs_pull and not peer.pulls:
        return f"{peer.name} is not asked to pull"
    if case.asks_what_cuts_cost and not isinstance(peer, peers.Kiln):
        return f"{peer.name} cuts no layers"
    if peer.is_for_cuts and not case.asks_what_cuts_cost:
        return "it is kiln itself"
    return ""


def show(case, number, name, cost):
    moved = f"  {bytes_of(cost)}" if cost.moved != Bytes() else ""
    say(f"{case.name} round {number + 1} {name:9} {cost.wall:8.3f} s  cpu {cost.cpu:7.3f} s  {cost.memory / 1e6:6.0f} MB{moved}")


def bytes_of(cost):
    allowed = f", allowed {cost.allowed:,}" if cost.allowed else ""
    return f"{cost.moved.sent:,} bytes sent, {cost.moved.received:,} received, {cost.moved.added:,} added{allowed}"


def measure_transfer(transfer, clients, runs):
    """{client: [Cost]}"""
    costs = {client.name: [] for client in clients}
    for number in range(runs):
        for client in clients:
            try:
                cost = transfer.round(client, number)
            except Failed as failure:
                say(f"{transfer.name}: {client.name}: {failure}")
                continue
            show(transfer, number, client.name, cost)
            costs[client.name].append(cost)
    return costs


def measure_case(case, builders, runs):
    """{peer: [Cost]}"""
    costs = {}
    for number in range(runs):
        for builder in builders if number % 2 == 0 else reversed(builders):
            if able(case, builder):
                continue
            case.round = number
            try:
                case.prepare(builder)
                cost = case.measure(builder)
            except Failed as failure:
                say(f"{case.name}: {builder.name}: {failure}")
                costs.setdefault(builder.name, [])
                continue
            show(case, number, builder.name, cost)
            costs.setdefault(builder.name, []).append(cost)
    return costs


def summary(costs):
    if not costs:
        return None
    walls = sorted(cost.wall for cost in costs)
    return {"wall_seconds": {"min": walls[0], "median": statistics.median(walls), "max": walls[-1]},
            "cpu_seconds": statistics.median(cost.cpu for cost in costs), "peak_memory_bytes": max(cost.memory for cost in costs),
            "runs": len(costs), **moved_bytes(costs)}


def moved_bytes(costs):
    """Of the round that moved most; nothing where none counted."""
    most = max(costs, key=lambda cost: cost.moved.sent)
    if most.moved == Bytes():
        return {}
    return {"bytes": {**dataclasses.asdict(most.moved), "allowed": most.allowed}}


def table(rows):
    """Markdown, as the README and a job summary take it."""
    lines = ["| case | builder | min | median | max | processor | memory | to kiln |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        ours = row["builders"].get("kiln")
        for name, figures in row["builders"].items():
            if figures is None:
                lines.append(f"| {row['case']} | {name} | failed | | | | | |")
                continue
            wall = figures["wall_seconds"]
            ratio = f"{wall['median'] / ours['wall_seconds']['median']:.1f} x" if ours and name != "kiln" else ""
            lines.append(f"| {row['case']} | {name} | {wall['min']:.3f} s | {wall['median']:.3f} s | {wall['max']:.3f} s | "
                         f"{figures['cpu_seconds']:.1f} s | {figures['peak_memory_bytes'] / 1e6:.0f} MB | {ratio} |")
    return "\n".join(lines + byte_table(rows))


def byte_table(rows):
    lines = []
    for row in rows:
        for name, figures in row["builders"].items():
            if figures is None or "bytes" not in figures:
                continue
            moved = figures["bytes"]
            allowed = f"{moved['allowed']:,}" if moved["allowed"] else ""
            lines.append(f"| {row['case']} | {name} | {moved['sent']:,} | {moved['received']:,} | {moved['added']:,} | {allowed} |")
    if not lines:
        return []
    return ["", "| case | builder | bytes sent | received | added to the registry | allowed |", "|---|---|---|---|---|---|", *lines]


def run_case(name, words, folder, registry, chosen, leftovers):
    """The row of a case of cases.py."""
    builders = [builder(folder / builder.name, registry.address) for builder in (peers.Kiln, *chosen)]
    case = CASES[name](folder, registry, words.size)
    (folder / "workload").mkdir(parents=True, exist_ok=True)
    if case.needs_wheels:
        if not (CACHE / "wheels").is_dir():
            raise SystemExit(f"{name} needs the wheels: tests/bench/bench.py wheels")
        (folder / "wheels").symlink_to(CACHE / "wheels")
    for builder in builders:
        if able(case, builder) and not builder.is_for_cuts:
            say(f"{name}: not by {builder.name}: {able(case, builder)}")
    case.make()
    try:
        return case, measure_case(case, builders, words.runs)
    finally:
        for builder in builders:
            builder.stop()
            leftovers.append(builder)


def run_transfer(name, words, folder, registry, chosen):
    """The row of a case of transfers.py."""
    transfer = transfers.TRANSFERS[name](folder, registry.address, words.kiln, words.size)
    transfer.make()
    return transfer, measure_transfer(transfer, transfer.clients(chosen), words.runs)


def here(wanted, known, programs):
    """The peers of `known` that are asked for (all, where nothing is) and on PATH; says which are not."""
    found = []
    for name in known:
        if wanted and name not in wanted:
            continue
        missing = [program for program in programs(known[name]) if shutil.which(program) is None]
        if missing:
            say(f"without {name}: {', '.join(missing)} not on PATH")
        else:
            found.append(known[name])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = {**CASES, **transfers.TRANSFERS}
    everybody = {**peers.PEERS, **transfers.CLIENTS}
    parser.add_argument("command", nargs="?", choices=["wheels", "peers"])
    parser.add_argument("--case", action="append", choices=cases, metavar="CASE", help=", ".join(cases))
    parser.add_argument("--peer", action="append", choices=[*everybody, "none"], metavar="PEER", help=", ".join(everybody) + "; none: kiln alone")
    parser.add_argument("--runs", type=int, default=3, help="rounds of each case")
    parser.add_argument("--size", type=float, default=1.0, help="of the workloads, 1 being whole")
    parser.add_argument("--kiln", default=os.environ.get("KILN_BINARY") or ROOT / "build/kiln", type=Path, help="the program")
    parser.add_argument("--folder", help="where to work (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    words = parser.parse_args()
    if words.command:
        return {"wheels": fetch_wheels, "peers": build_go_peers}[words.command]()

    words.kiln = words.kiln.resolve()
    peers.Kiln.binary = transfers.Kiln.binary = words.kiln
    names = words.case or [name for name, case in cases.items() if not getattr(case, "needs_wheels", False)]
    builders = here(words.peer, peers.PEERS, lambda peer: peer.programs)
    clients = here(words.peer, transfers.CLIENTS, lambda client: [client.program])

    rows, leftovers = [], []
    with tempfile.TemporaryDirectory(prefix="kiln-bench-", dir=words.folder) as folder, Registry() as registry:
        if any(name in CASES for name in names):
            say("making the Python image")
            push_python_image(words.kiln, registry.address)
        for name in names:
            measured, costs = (run_case(name, words, Path(folder) / name, registry, builders, leftovers) if name in CASES
                               else run_transfer(name, words, Path(folder) / name, registry, clients))
            rows.append({"case": name, "what": measured.what, "builders": {key: summary(value) for key, value in costs.items()}})
        for builder in leftovers:
            builder.clear()

    print(table(rows))
    if words.json:
        machine = {"cores": os.cpu_count(), "kernel": platform.release(),
                   "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}
        words.json.write_text(json.dumps({"machine": machine, "size": words.size, "cases": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
