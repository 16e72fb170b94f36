"""Runs the corpus. By hand, as root:

    python3 -m tests.hostile.runner [--kiln FILE] [--only TEXT] [--update]

--update writes expected.txt from what happened, to be read before it is committed: a line for each way in, which says what it comes to."""

import argparse
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

from tests.hostile import archives, definitions, dockerfiles, git, manifests, on_disk, registry_answers
from tests.hostile.stand import Stand

MODULES = [archives, manifests, registry_answers, git, dockerfiles, definitions, on_disk]
EXPECTED = Path(__file__).with_name("expected.txt")


def all_cases():
    return [case for module in MODULES for case in module.cases()]


def a_part_of(cases, share, seed):
    """Of each kind every `share`-th of an order that the seed makes."""
    by_kind = defaultdict(list)
    for case in cases:
        by_kind[case.kind].append(case)
    chosen = []
    for kind in by_kind.values():
        random.Random(seed).shuffle(kind)
        chosen += kind[: max(1, len(kind) // share)]
    return chosen


# A line for each case: KIND | NAME | OUTCOME WAY, WAY; OUTCOME WAY, ...
def read_expected():
    found = {}
    for line in EXPECTED.read_text().splitlines():
        kind, name, outcomes = line.rsplit(" | ", 2)
        for part in outcomes.split("; "):
            outcome, _, ways = part.partition(" ")
            found.update({(kind, name, way): outcome for way in ways.split(", ")})
    return found


def write_expected(outcomes):
    lines = defaultdict(lambda: defaultdict(list))
    for (kind, name, way), outcome in sorted(outcomes.items()):
        lines[kind, name][outcome].append(way)
    EXPECTED.write_text("".join(f"{kind} | {name} | {'; '.join(outcome + ' ' + ', '.join(ways) for outcome, ways in of.items())}\n"
                                for (kind, name), of in lines.items()))


def shown(name):
    return name.encode("unicode_escape").decode()


class Report:
    def __init__(self):
        self.cases = Counter()
        self.runs = Counter()
        self.outcomes = {}
        self.problems = []
        self.messages = {}

    def lines(self):
        for kind, count in self.cases.items():
            said = Counter(outcome for (of, _, _), outcome in self.outcomes.items() if of == kind)
            yield f"{kind}: {count} cases, {self.runs[kind]} runs, {said['refused']} refused, {said['accepted']} accepted"
        yield f"hostile inputs: {sum(self.cases.values())} cases, {sum(self.runs.values())} runs, {len(self.problems)} problems"


def play(cases, binary, expected=None, tell=None):
    """Runs the cases; Report. Without `expected` only the promises of stand.py are held."""
    report = Report()
    with Stand(binary) as stand:
        for case in cases:
            report.cases[case.kind] += 1
            stand.clear()
            for run in case.runs(stand):
                outcome = stand.run(run)
                key = (case.kind, shown(case.name), run.way)
                report.runs[case.kind] += 1
                report.outcomes[key] = "accepted" if outcome.code == 0 else "refused"
                report.messages[key] = outcome
                if expected is not None and expected.get(key) != report.outcomes[key]:
                    outcome.problems.append(f"{report.outcomes[key]}, expected: {expected.get(key)}")
                report.problems += [f"{' | '.join(key)}: {problem}\n{outcome.output[-600:]}" for problem in outcome.problems]
                if tell:
                    tell(key, outcome)
    return report


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--kiln", default="build/kiln")
    options.add_argument("--only", default="")
    options.add_argument("--update", action="store_true")
    options.add_argument("--seen", help="also write what each way in came to, with its message, to this file")
    words = options.parse_args()
    cases = [case for case in all_cases() if any(f"{case.kind}/{case.name}".startswith(only) for only in words.only.split(","))]

    seen = open(words.seen, "w") if words.seen else None

    def tell(key, outcome):
        if seen:
            error = next((line for line in outcome.output.splitlines() if "error: " in line), "")
            print(f"{' | '.join(key)} | {outcome.code} | {outcome.seconds:.2f} s {outcome.memory >> 20} MiB | {error[:300]} | {outcome.problems}", file=seen, flush=True)
        if outcome.problems:
            print(f"{' | '.join(key)}: {outcome.problems}", flush=True)

    report = play(cases, Path(words.kiln).resolve(), None if words.update else read_expected(), tell)
    if words.update:
        lines = {**read_expected(), **report.outcomes}
        known = {(case.kind, shown(case.name)) for case in all_cases()}
        write_expected({key: outcome for key, outcome in lines.items() if key[:2] in known})
    print(*report.lines(), sep="\n")
    sys.exit(1 if report.problems else 0)


if __name__ == "__main__":
    main()
