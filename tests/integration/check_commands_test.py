#!/usr/bin/env python3
"""kiln check, and what kiln build says of its input without building."""

import json

import harness


class Check(harness.KilnTest):
    def test_a_clean_dockerfile_passes(self):
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /a\nUSER 1000\nHEALTHCHECK NONE\n")
        self.write("app/a", "1")
        self.assertIn("nothing found", self.kiln("check", "app").stdout)

    def test_a_finding_is_printed_with_its_rule_and_line_and_fails_only_where_asked(self):
        self.write("app/Dockerfile", "from scratch AS build\nCOPY a /a\n")
        result = self.kiln("check", "app")
        self.assertIn("FromAsCasing", result.stdout)
        self.assertIn("Dockerfile:1", result.stdout)
        self.assertIn("FromAsCasing", self.kiln("check", "--error-on-warning", "app", code=1).stdout)
        self.assertIn("FromAsCasing", self.kiln("build", "--check", "app").stdout)

    def test_a_dockerfile_can_ask_for_failure_itself(self):
        self.write("app/Dockerfile", "# check=error=true\nFROM scratch as build\nCOPY a /a\n")
        self.kiln("check", "app", code=1)
        self.kiln("build", "--check", "app", code=1)
        self.kiln("check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", "app")

    def test_a_syntax_error_is_exit_code_2_with_the_nearest_word(self):
        self.write("app/Dockerfile", "FROM scratch\nCOPPY a /a\n")
        self.assertIn("COPY", self.kiln("check", "app", code=2).output)

    def test_what_is_found_can_be_had_as_json(self):
        self.write("app/Dockerfile", "FROM scratch as build\nCOPY a /a\n")
        report = json.loads(self.kiln("check", "--format", "json", "-f", "app/Dockerfile", "app").stdout)
        self.assertIn({"rule": "FromAsCasing", "start_line": 1},
                      [{key: finding[key] for key in ("rule", "start_line")} for finding in report["findings"]])
        self.assertEqual(json.loads(self.kiln("check", "--format", "sarif", "app").stdout)["version"], "2.1.0")
        self.assertIn("json", self.kiln("check", "--format", "jsn", "app", code=2).stderr)

    def test_a_dockerfile_of_standard_input_is_checked(self):
        self.assertIn("FromAsCasing", self.kiln("check", "-f", "-", stdin="FROM scratch as x\n").stdout)


class Input(harness.KilnTest):
    def test_the_parse_is_an_array_of_instructions(self):
        path = self.write("app/Dockerfile", '# comment\nFROM scratch\nCOPY --chown=1:1 \\\n  a \\\n  /a\nCMD ["/a", "b"]\n')
        tree = json.loads(self.kiln("build", "--print-ast", path).stdout)
        self.assertEqual(tree, json.loads(self.kiln("build", "--print-ast", "app").stdout))
        self.assertEqual([node["instruction"] for node in tree], ["from", "copy", "cmd"])
        self.assertEqual((tree[1]["start_line"], tree[1]["end_line"]), (3, 5))
        self.assertEqual((tree[1]["flags"], tree[1]["args"]), (["--chown=1:1"], ["a", "/a"]))
        self.assertEqual(tree[2]["json"], ["/a", "b"])

    def test_what_is_ignored_is_listed_with_the_folders_that_a_kept_file_needs(self):
        for name in ("app/keep", "app/log/a.log", "app/log/wanted", "app/log/deep/x", "app/.git/HEAD"):
            self.write(name, "x")
        self.write("app/.dockerignore", ".git\nlog\n!log/wanted\n")
        lines = self.kiln("build", "--print-ignored", "app").stdout.splitlines()
        self.assertEqual(lines, ["kept     .dockerignore", "ignored  .git/", "ignored  .git/HEAD", "kept     keep",
                                 "kept     log/", "ignored  log/a.log", "ignored  log/deep/", "ignored  log/deep/x",
                                 "kept     log/wanted"])

    def test_an_ignore_file_of_the_dockerfiles_own_wins(self):
        for name in ("app/a", "app/b", "app/one.Dockerfile"):
            self.write(name, "FROM scratch\n")
        self.write("app/.dockerignore", "a\n")
        self.write("app/one.Dockerfile.dockerignore", "b\n")
        lines = self.kiln("build", "--print-ignored", "-f", "app/one.Dockerfile", "app").stdout.splitlines()
        self.assertIn("kept     a", lines)
        self.assertIn("ignored  b", lines)

    def test_a_context_that_is_no_folder_is_refused(self):
        self.assertIn("not a folder", self.kiln("build", "--print-ignored", "nowhere", code=2).stderr)
        self.assertIn("no Dockerfile", self.kiln("check", ".", code=2).stderr)


if __name__ == "__main__":
    harness.main()
