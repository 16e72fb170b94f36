"""Runs a collection of Dockerfile conformance cases that is kept apart from this repository, and prints the score.

The collection is found at $KILN_CONFORMANCE, by default ../shared/conformance beside the checkout; where there is none the
test is skipped by name. known_failures.txt lists the cases that may fail, with the reason; a case that fails and is not
listed fails this test.

    tests/conformance/conformance_test.py [--filter REGEX]
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SKIPPED = 77
BUILD_PARTS = 8  # more than there are processors, so that none waits long for the last one

BUILD = "build --progress plain --output type=oci,dest={out},tar=false,name={tag} {named} -t {tag} {opts} -f {dockerfile} {context}"


def known_failures():
    lines = (HERE / "known_failures.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def kind_of(collection, case):
    """'build', 'fail' or 'either': what a builder must do with a case."""
    description = json.loads((collection / "cases" / case / "case.json").read_text())
    if description.get("either"):
        return "either"
    expectations = [step.get("expect", {}) for step in description.get("steps", [])] or [description.get("expect", {})]
    return "fail" if "error" in expectations[-1] else "build"


class Part:
    """Cases that one runner goes through one after the other, in a KILN_HOME that no other part has: cases that run at the
    same time must not disturb one another."""

    def __init__(self, suite, words, arguments):
        self.suite, self.words, self.arguments = suite, words, arguments

    def run(self, collection, kiln, work):
        """case -> {'status', 'why'}"""
        work.mkdir()
        results = work / "results.json"
        command = [sys.executable, collection / "check_cases.py", "--jobs", "1", "--json", results, "--work", work / "cases",
                   "--cmd", f"{kiln} {self.words}", *self.arguments]
        environment = {**os.environ, "KILN_HOME": str(work / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
        finished = subprocess.run(command, cwd=collection, env=environment, capture_output=True, text=True)
        if results.exists():
            return json.loads(results.read_text())
        # The table suites print their rows only: "PASS NAME", "FAIL NAME: WHY".
        rows = re.findall(r"^(PASS|FAIL) ([^\n]*?)(?:: ([^\n]*))?$", finished.stdout, re.MULTILINE)
        if not rows:
            sys.exit(f"the runner failed:\n{finished.stdout[-2000:]}{finished.stderr[-2000:]}")
        return {name: {"status": status, "why": why} for status, name, why in rows}


def build_parts(collection, given, chosen):
    names = sorted(f"{path.parent.parent.name}/{path.parent.name}" for path in collection.glob("cases/*/*/case.json"))
    names = [name for name in names if re.search(chosen, name)]
    words = BUILD.replace("{named}", "--output type=image")
    count = min(BUILD_PARTS, len(names))
    for i in range(count):
        pattern = "^(" + "|".join(re.escape(name) for name in names[i::count]) + ")$"
        yield Part("build", words, [*given, "--chain", "tag", "--filter", pattern])


def table_parts(given):
    words = BUILD.replace("{named}", "")
    yield Part("shell", words, [*given, "--suite", "shell"])
    yield Part("dockerignore", words, [*given, "--suite", "dockerignore"])
    yield Part("lint", "check --format json {opts} -f {dockerfile} {context}", ["--suite", "lint"])


def as_golden(node):
    """An instruction of --print-ast in the words of the collection's golden trees."""
    words = node["json"] if "json" in node else node["args"]
    return {"cmd": node["instruction"], "flags": node["flags"],
            "args": [as_golden(word) if isinstance(word, dict) else word for word in words]}


def run_parser(collection, kiln):
    """The golden parse trees: case -> {'status', 'why'}."""
    results = {}
    for case in json.loads((collection / "parser/golden.json").read_text()):
        printed = subprocess.run([kiln, "build", "--print-ast", collection / "parser" / case["dockerfile"]], capture_output=True, text=True)
        tree = [as_golden(node) for node in json.loads(printed.stdout)] if printed.returncode == 0 else []
        wrong = [f"expected {want}, got {got}" for want, got in zip(case["instructions"], tree) if want != got]
        if len(tree) != len(case["instructions"]):
            wrong.append(f"expected {len(case['instructions'])} instructions, got {len(tree)} {printed.stderr}")
        results[case["name"]] = {"status": "FAIL" if wrong else "PASS", "why": "; ".join(wrong)}
    return results


def passed(results):
    return sum(result["status"] == "PASS" for result in results.values())


def main():
    collection = pathlib.Path(os.environ.get("KILN_CONFORMANCE", ROOT.parent / "shared/conformance"))
    if not (collection / "check_cases.py").exists():
        print(f"skipped: conformance: there is no collection at {collection}")
        return SKIPPED
    if os.geteuid() != 0:
        print("skipped: conformance: it has to run as root")
        return SKIPPED
    kiln = os.environ.get("KILN_BINARY", ROOT / "build/kiln")
    with tempfile.TemporaryDirectory(prefix="kiln-conformance-") as folder:
        work = pathlib.Path(folder)
        base = work / "base"
        subprocess.run([sys.executable, collection / "check_cases.py", "make-base", "--out", base], check=True,
                       cwd=collection, stdout=subprocess.DEVNULL)
        given = ["--base", base, "--base-mode", "context"]
        chosen = sys.argv[2] if sys.argv[1:2] == ["--filter"] else ""
        parts = [*(table_parts(given) if not chosen else []), *build_parts(collection, given, chosen)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            done = list(pool.map(lambda job: job[1].run(collection, kiln, work / f"part-{job[0]}"), enumerate(parts)))
        suites = {part.suite: {} for part in parts}
        for part, results in zip(parts, done):
            suites[part.suite].update(results)
        builds = suites.pop("build", {})
        tables = {} if chosen else {**suites, "parser": run_parser(collection, kiln)}

    allowed = known_failures()
    wrong = []
    for case, result in sorted(builds.items()):
        if result["status"] != "FAIL":
            continue
        if case in allowed:
            print(f"may fail, and did: {case}: {result['why'][:300]}")
        else:
            wrong.append(f"{case}: {result['why'][:300]}")
    for kind, words in (("build", "must build"), ("fail", "must fail"), ("either", "either way")):
        of_kind = {case: result for case, result in builds.items() if kind_of(collection, case) == kind}
        print(f"conformance: {words}: {passed(of_kind)} of {len(of_kind)}")
    for name, results in tables.items():
        print(f"conformance: {name}: {passed(results)} of {len(results)}")
        wrong += [f"{name}/{case}: {result['why'][:300]}" for case, result in results.items() if result["status"] == "FAIL"]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
