#!/usr/bin/env python3
"""The corpus of hostile inputs (tests/hostile), with the real program on a root of its own: a part of each kind that a seed chooses;
all of it with KILN_STRESS=1, as script/stress does."""

import os

import harness
from tests.hostile import runner


class HostileInputs(harness.KilnTest):
    def test_nothing_hostile_gets_out_of_its_place_and_all_of_it_comes_to_what_was_expected(self):
        self.need_root()
        self.need_programs("git", "zstd", "gzip")
        cases = runner.all_cases()
        expected = runner.read_expected()
        if os.environ.get("KILN_STRESS") != "1":
            cases = runner.a_part_of([case for case in cases if case.is_quick], 25, os.environ.get("KILN_STRESS_SEED", "1"))
        report = runner.play(cases, harness.kiln_binary(), expected)
        print(*report.lines(), sep="\n", flush=True)
        self.assertEqual(report.problems, [], "\n" + "\n".join(report.problems))

    def test_every_case_says_what_it_comes_to(self):
        names = {(case.kind, runner.shown(case.name)) for case in runner.all_cases()}
        said = {key[:2] for key in runner.read_expected()}
        self.assertEqual((sorted(names - said), sorted(said - names)), ([], []))
        self.assertGreaterEqual(len(names), 300)


if __name__ == "__main__":
    harness.main()
