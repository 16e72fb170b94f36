"""Runs a collection of Dockerfile conformance cases that is kept apart from this repository, and prints the score.

The collection is found at $KILN_CONFORMANCE, by default ../shared/conformance beside the checkout; where there is none the
test is skipped by name. known_failures.txt lists the cases that may fail, with the reason; a case that fails and is not
listed fails this test.

    tests/conformance/conformance_test.py [--filter REGEX]
"""

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


def run_suite(collection, kiln, work, arguments, words):
    """The results of one suite: case -> {'status', 'why'}."""
    results = work / "results.json"
    results.unlink(missing_ok=True)
    command = [sys.executable, collection / "check_cases.py", "--jobs", str(os.cpu_count()), "--json", results,
               "--work", work / "cases", "--cmd", f"{kiln} {words}", *arguments]
    environment = {**os.environ, "KILN_HOME": str(work / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(command, cwd=collection, env=environment, capture_output=True, text=True)
    if results.exists():
        return json.loads(results.read_text())
    # The table suites print their rows only: "PASS NAME", "FAIL NAME: WHY".
    rows = re.findall(r"^(PASS|FAIL) ([^\n]*?)(?:: ([^\n]*))?$", finished.stdout, re.MULTILINE)
    if not rows:
        sys.exit(f"the runner failed:\n{finished.stdout[-2000:]}{finished.stderr[-2000:]}")
    return {name: {"status": status, "why": why} for status, name, why in rows}


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
        builds = run_suite(collection, kiln, work, [*given, "--chain", "tag", *sys.argv[1:]],
                           BUILD.replace("{named}", "--output type=image"))
        tables = {}
        if not sys.argv[1:]:
            words = BUILD.replace("{named}", "")
            tables["dockerignore"] = run_suite(collection, kiln, work, [*given, "--suite", "dockerignore"], words)
            tables["shell"] = run_suite(collection, kiln, work, [*given, "--suite", "shell"], words)
            tables["lint"] = run_suite(collection, kiln, work, ["--suite", "lint"],
                                       "check --format json {opts} -f {dockerfile} {context}")

    allowed = known_failures()
    wrong = []
    for case, result in sorted(builds.items()):
        if result["status"] == "FAIL" and case not in allowed:
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
