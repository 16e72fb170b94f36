#!/usr/bin/env python3
"""The log of a fleet of many services in CI: short where nothing changed, one line for what ended, output folded, failures last."""

import re

import harness
from tests.support.many_services import write_fleet

SERVICES, FAMILIES, LINES = 6, 2, 7


class PlainLog(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        self.fleet = self.folder / "fleet"
        self.targets = write_fleet(self.fleet, SERVICES, FAMILIES, LINES)

    def bake(self, *words, **changes):
        code = changes.pop("code", 0)
        return self.kiln("bake", "--progress", "plain", *words, code=code, cwd=self.fleet, env=changes)

    def outside_of_groups(self, log):
        """The lines that are seen while all groups are folded: a group is its title."""
        self.assertEqual(log.count("::group::"), log.count("::endgroup::"), log)
        return re.sub(r"::group::([^\n]*)\n::stop-commands::(\S+)\n(?:.*\n)*?::\2::\n::endgroup::\n", r"\1\n", log)

    def test_a_step_that_was_executed_is_a_line_with_its_output_folded_under_it(self):
        log = self.bake(GITHUB_ACTIONS="true").stderr
        self.assertEqual(len(re.findall(r"installing package \d of", log)), (1 + FAMILIES + SERVICES) * LINES)
        seen = self.outside_of_groups(log)
        self.assertNotIn("installing package 1 of service-03\n", seen)
        for name in ("base-app", "family-01", "service-03-(large|small)"):
            self.assertEqual(len(re.findall(rf"(?m)^#\d+ DONE \S+ \[{name} stage-0 \d/\d\] RUN for ", seen)), 1, seen)
        # The profiles of a service share steps: each is told where it was executed.
        self.assertEqual(len(re.findall(r"(?m)^#\d+ DONE ", seen)), 4 + FAMILIES + 5 * SERVICES, seen)
        self.assertNotIn("from the cache", seen)

    def test_without_a_service_that_folds_output_is_told_as_it_comes(self):
        log = self.bake("family-00").stderr
        self.assertEqual(len(re.findall(r"(?m)^#\d+ [\d.]+ installing package \d of family-00$", log)), LINES, log)
        self.assertNotIn("::group::", log)

    def test_a_fleet_in_which_nothing_changed_is_a_few_lines(self):
        self.bake()
        again = self.bake()
        self.assertGreater(self.targets, 12)
        self.assertRegex(again.stderr, r"(?m)^\d+ steps from the cache \(\d+ local\)$")
        self.assertLess(len(again.output.splitlines()), 30, again)
        self.assertNotIn("service-03", again.output)

    def test_a_service_takes_no_order_from_what_is_told_of_a_failure(self):
        (self.fleet / "images/service-03/Dockerfile").write_text("FROM family-01\nRUN echo '##[error]boo'; false\n")
        log = self.bake("service-03", code=1, GITHUB_ACTIONS="true").stderr
        self.assertIn("[error]boo", log)
        self.assertNotIn("##[error]", self.outside_of_groups(log))
        for mode in ("quiet", "verbose", "rawjson"):
            log = self.kiln("bake", "--progress", mode, "service-03", code=1, cwd=self.fleet, env={"GITHUB_ACTIONS": "true"}).stderr
            self.assertIn("error]boo", log)
            self.assertNotIn("##[error]", log, mode)

    def test_a_service_takes_no_order_from_what_commands_print(self):
        service = self.fleet / "images/service-03"
        (service / "Dockerfile").write_text("# check=skip=##[error]x\nFROM family-01\nLABEL a='##[error]boo'\nCOPY app /\nRUN : '##[error]boo'\n")
        (service / "app/##[error]boo").write_text("::error::boo\n")
        self.bake("service-02", "service-03")
        other, name = (re.search(rf"\S+/{service}\S*", self.kiln("images", code=0).stdout).group() for service in ("service-02", "service-03"))
        for words in (["history", "--local", name], ["inspect", "--local", name], ["inspect", "--local", "--json", name], ["check", "-f", "images/service-03/Dockerfile"],
                      ["why", "service-03"], ["diff", "--local", other, name]):
            shown = self.kiln(*words, cwd=self.fleet, env={"GITHUB_ACTIONS": "true"})
            self.assertNotIn("##[", shown.output, words)
            self.assertIn("[error]", shown.output, words)

    def test_a_failure_is_last_and_whole(self):
        self.bake()
        dockerfile = self.fleet / "images/service-03/Dockerfile"
        dockerfile.write_text("FROM family-01\nRUN for i in $(seq 1 40); do echo \"line $i\"; done; exit 3\n")
        (self.fleet / "images/service-04/app/main.py").write_text("changed")
        log = self.bake(code=1, GITHUB_ACTIONS="true").stderr
        shown = log.split("steps from the cache")[1]
        for number in range(1, 41):
            self.assertRegex(shown, rf"(?m)^#\d+ [\d.]+ line {number}$")
        self.assertNotIn("::group::", shown)
        self.assertRegex(shown, r"(?m)^#\d+ ERROR: .*exit code 3")
        self.assertRegex(shown, r"(?s)ERROR: .*\nerror: ")

    def test_verbose_tells_all(self):
        self.bake()
        log = self.kiln("bake", "--progress=verbose", cwd=self.fleet).stderr
        self.assertEqual(len(re.findall(r"(?m)^#\d+ CACHED \(local\)$", log)), len(re.findall(r"(?m)^#\d+ \[", log)), log)
        self.assertGreater(log.count("CACHED"), self.targets)


if __name__ == "__main__":
    harness.main()
