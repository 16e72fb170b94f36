#!/usr/bin/env python3
"""Completion of words in bash, fish and zsh, and the manual pages: both say what the help says."""

import json
import re
import subprocess

import harness
from tests.integration import command_words_test


class CompletionTest(harness.KilnTest):
    commands = command_words_test.CommandWords.commands
    names_below = command_words_test.CommandWords.names_below

    def setUp(self):
        super().setUp()
        self.write("images/fleet.json", json.dumps({"registry": "localhost:5000", "namespace": "acme", "profiles": ["small", "large"]}))
        for name in ("web", "worker"):
            self.write(f"images/{name}/image.json", "{}")
            self.write(f"images/{name}/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.write("images/web/image.json", json.dumps({"kind": "service"}))
        for name in ("small", "large"):
            self.write(f"profiles/{name}.json", "{}")
        self.write("releases/v1.json", "{}")

    def candidates(self, *words):
        """The words that the last of `words` may become, and whether it may be a file."""
        lines = self.kiln("complete", "--", *words).stdout.splitlines()
        return [line.partition("\t")[0] for line in lines if line != ":files"], ":files" in lines

    def test_commands_flags_and_values(self):
        for words, expected, files in (
                (["ba"], ["bake", "baseline"], False),
                (["cache", ""], ["du", "prune", "verify"], False),
                (["cache", "du", "--v"], ["--verbose"], False),
                (["bake", "w"], ["web", "web-large", "web-small", "worker"], False),
                (["bake", "web", "wo"], ["worker"], False),
                (["bake", "--profile", ""], ["large", "small"], False),
                (["bake", "--profile=s"], ["--profile=small"], False),
                (["bake", "--push", "--pus"], [], False),
                (["rollback", ""], ["v1"], False),
                (["release", "show", "v"], ["v1"], False),
                (["bake", "-f", ""], [], True),
                (["build", ""], [], True),
                (["build", "--", "--pu"], [], True),
                (["schema", ""], ["fleet", "image", "profile"], False),
                (["help", "ca"], ["cache"], False),
                (["no-such-command", "x"], [], False),
                (["complet"], ["completion"], False),
        ):
            with self.subTest(words=words):
                self.assertEqual(self.candidates(*words), (expected, files))

    def test_images_of_the_store_complete_references(self):
        self.kiln("build", "-t", "localhost:5000/acme/web:1", "-f", "images/web/Dockerfile", "images/web")
        for command in ("push", "inspect", "diff"):
            self.assertEqual(self.candidates(command, "local"), (["localhost:5000/acme/web:1"], False))

    def test_broken_definitions_complete_nothing_and_say_nothing(self):
        self.write("images/fleet.json", "{")
        result = self.kiln("complete", "--", "bake", "")
        self.assertEqual((result.stdout, result.stderr), ("", ""))

    def test_no_store_is_made_by_completing(self):
        self.candidates("push", "")
        self.assertFalse(self.home.exists())

    def test_every_flag_of_every_command_completes(self):
        for command in self.commands():
            shown = self.kiln(*command, "--help").stdout
            flags = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", shown, re.M))
            found, _ = self.candidates(*command, "--")
            self.assertEqual(flags - set(found), set(), command)

    def test_bash_completes_behind_colons_and_equals_signs(self):
        self.need_programs("bash")
        self.kiln("build", "-t", "localhost:5000/acme/web:1", "-f", "images/web/Dockerfile", "images/web")
        kiln = harness.kiln_binary()
        for line, expected in (("bake wor", "worker"), ("bake --profile=sm", "small"), ("push localhost:50", "5000/acme/web:1"), ("rel", "release")):
            script = (f"cd {self.folder}; source <({kiln} completion bash); compopt() {{ :; }}; COMP_LINE='{kiln} {line}'; COMP_POINT=${{#COMP_LINE}}; "
                      "_kiln; printf '%s\\n' \"${COMPREPLY[@]}\"")
            self.assertEqual(self.run_program("bash", "-c", script).stdout.split(), [expected], line)

    def test_fish_completes(self):
        self.need_programs("fish")
        kiln = harness.kiln_binary()
        found = self.run_program("fish", "-c", f"cd {self.folder}; {kiln} completion fish | source; complete -C '{kiln} bake wor'").stdout
        self.assertIn("worker", found)

    def test_zsh_reads_its_script(self):
        self.need_programs("zsh")
        kiln = harness.kiln_binary()
        script = f"autoload -Uz compinit; compinit -u -D; source <({kiln} completion zsh); print $_comps[kiln]"
        self.assertEqual(self.run_program("zsh", "-fc", script).stdout.strip(), "_kiln")

    def test_help_prints_commands_and_pages(self):
        self.assertEqual(self.kiln("help", "cache", "du").stdout, self.kiln("cache", "du", "--help").stdout)
        both = self.kiln("help", "cache").stdout
        self.assertTrue(both.startswith(self.kiln("cache", "--help").stdout))
        self.assertTrue(both.endswith((harness.ROOT / "docs/cache.md").read_text()))
        self.assertEqual(self.kiln("help", "store").stdout, (harness.ROOT / "docs/store.md").read_text())
        listed = self.kiln("help").stdout
        for page in (harness.ROOT / "docs").glob("*.md"):
            self.assertIn(page.stem, listed.rpartition("Topics: ")[2].strip().split(", "))
        self.assertIn("there is no command and no topic 'cahce'; did you mean 'cache'?", self.kiln("help", "cahce", code=2).stderr)
        self.kiln("help", "cache", "no", code=2)

    def test_each_command_has_a_manual_page_with_its_flags(self):
        self.kiln("manual", "man1")
        pages = {path.stem for path in (self.folder / "man1").iterdir()}
        self.assertEqual(pages, {"kiln", *("-".join(("kiln", *command)) for command in self.commands())})
        for command in self.commands():
            page = (self.folder / "man1" / ("-".join(("kiln", *command)) + ".1")).read_text().replace("\\-", "-")
            for flag in re.findall(r"^  (?:-\w,)?(--[a-z-]+)", self.kiln(*command, "--help").stdout, re.M):
                self.assertIn(f"\\fB{flag}\\fR", page, command)

    def test_groff_finds_no_fault_in_the_pages(self):
        self.need_programs("groff")
        self.kiln("manual", "man1")
        for page in sorted((self.folder / "man1").iterdir()):
            result = subprocess.run(["groff", "-man", "-ww", "-z", page], capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stderr), (0, ""), page.name)


if __name__ == "__main__":
    harness.main()
