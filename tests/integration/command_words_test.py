#!/usr/bin/env python3
"""Words behind a command are that command's, also where they are spelt like the name of another one."""

import json
import re

import harness


class CommandWords(harness.KilnTest):
    def names_below(self, *command):
        """The commands that the help of `command` lists."""
        sections = re.split(r"^(\S[^:\n]*):\n", self.kiln(*command, "--help").stdout, flags=re.M)
        lists = [text for heading, text in zip(sections[1::2], sections[2::2]) if heading not in ("Options", "Positionals")]
        return [name for text in lists for name in re.findall(r"^  (\w\S*)", text, re.M)]

    def commands(self, *above):
        """Every command of kiln as a tuple of words, ("cache", "du") for one that is nested."""
        for name in self.names_below(*above):
            yield (*above, name)
            yield from self.commands(*above, name)

    def shown(self, *words):
        """The command whose help is shown at the end of `words`: the last one that they began."""
        result = self.kiln(*words, "--help")
        found = re.search(r"^Usage: kiln (.*?)(?: \[|$)", result.stdout, re.M)
        self.assertIsNotNone(found, result)
        return tuple(found[1].split())

    def takes_words(self, command):
        return "\nPositionals:\n" in self.kiln(*command, "--help").stdout

    def test_no_word_behind_a_command_begins_another(self):
        commands = list(self.commands())
        names = sorted({name for command in commands for name in command})
        self.assertGreater(len(commands), 40)
        self.assertIn(("cache", "verify"), commands)
        for command in commands:
            others = [name for name in names if (*command, name) not in commands]
            # All of them in one call, in both orders; one by one only to say which of them it was.
            for words in (others, others[::-1]):
                if self.shown(*command, *words) != command:
                    for name in others:
                        self.assertEqual(self.shown(*command, name), command, name)
                    self.fail(f"{command} with {words}")

    def test_a_command_without_words_of_its_own_refuses_names_of_commands(self):
        for command in self.commands():
            if self.takes_words(command) or self.names_below(*command):
                continue
            for name in ("version", command[0], command[-1]):
                refused = self.kiln(*command, name, code=2)
                self.assertIn(f"'kiln {' '.join(command)}' takes no further argument '{name}'", refused.stderr)
                self.assertEqual(refused.stdout, "")

    def test_a_command_that_holds_others_refuses_names_of_its_siblings(self):
        for command in self.commands():
            if self.names_below(*command):
                self.assertIn("unknown command 'version'", self.kiln(*command, "version", code=2).stderr)

    def test_an_unknown_flag_is_told_before_what_is_missing(self):
        for command in self.commands():
            refused = self.kiln(*command, "--flag-of-none", code=2).stderr
            self.assertIn(f"unknown flag '--flag-of-none' of 'kiln {' '.join(command)}'", refused)

    def test_what_a_command_lacks_is_said_with_that_commands_help(self):
        nested = 0
        for command in self.commands():
            if "REQUIRED" not in self.kiln(*command, "--help").stdout:
                continue
            refused = self.kiln(*command, code=2).stderr
            self.assertRegex(refused, rf"(?m) is required; 'kiln {' '.join(command)} --help' shows the words$")
            nested += len(command) > 1
        self.assertGreater(nested, 5)

    def test_targets_may_be_called_like_commands(self):
        self.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        targets = ["app", "version", "test", "plan", "bake"]
        self.write("docker-bake.json", json.dumps({"target": {name: {} for name in targets}, "group": {"default": {"targets": ["app"]}}}))
        for words in (["version"], ["test", "bake"], ["--", "plan"], ["app", "--", "version"]):
            printed = json.loads(self.kiln("bake", "--print", *words).stdout)
            self.assertEqual(sorted(printed["target"]), sorted(set(words) - {"--"}))
        self.assertIn("version", self.kiln("plan", "version").stdout)


if __name__ == "__main__":
    harness.main()
