#!/usr/bin/env python3
"""What a command is given is used, refused, or said to be of no use: nothing is passed over in silence."""

import os
import re
import subprocess

import harness
from tests.integration.buildx_flags_test import BAKE_VALUES, VALUES

DOCKERFILE = "FROM scratch AS build\nCOPY Dockerfile /\n"
# Flags of kiln's own, with a value for those that take one.
OWN_VALUES = {"--attest-as": "index", "--fleet-policy": "none", "--ca-bundle": "none", "--security": "sandbox", "--layers": "package", "--network-log": None, "--network-unrecorded": "example.org", "--offline": None, "--on-error": "shell",
              "--report": "report.json", "--sign-key": "key.pem", "--trace": "trace.json"}
LOOKS = {"--check": {"--call", "--file", "--build-arg", "--platform", "--target", "--secret", "--allow", "--rm", "--progress", "--offline"},
         "--print-ast": {"--file", "--progress", "--offline"},
         "--print-ignored": {"--file", "--progress", "--offline"}}


class Words(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("app/Dockerfile", DOCKERFILE)

    def flags_of(self, command):
        """The flags of a command's help, each by its first long name."""
        shown = self.kiln(command, "--help").stdout
        return set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", shown, re.M)) - {"--help"}

    def given(self, flag, values):
        value = values[flag]
        return [flag] if value is None else [f"{flag}={value}"]

    def test_each_flag_beside_a_look_is_heeded_told_or_refused(self):
        values = {**VALUES, **OWN_VALUES, "--rm": None}
        flags = self.flags_of("build") - set(LOOKS)
        for look, heeded in LOOKS.items():
            for flag in sorted(flags):
                with self.subTest(look=look, flag=flag):
                    value = ["--call=check"] if flag == "--call" and look == "--check" else self.given(flag, {**values, "--push": None, "--load": None})
                    told = self.kiln("build", look, *value, "app").stderr
                    expected = "" if flag in heeded else f"{look} builds nothing: {flag} does nothing beside it"
                    self.assertEqual(re.sub(r"^(?:\S+ )?(?:warning|WARNING): ", "", told.strip()), expected)
        told = self.kiln("build", "--check", "--push", "-t", "a:1", "app").stderr
        self.assertIn("--check builds nothing: --tag, --push do nothing beside it", told)

    def test_several_looks_exclude_one_another(self):
        for words in (["--check", "--print-ast"], ["--print-ast", "--print-ignored"], ["--call=check", "--print-ignored"]):
            self.assertIn("exclude one another", self.kiln("build", *words, "app", code=2).stderr)
        self.assertIn("--check and --call=build exclude one another", self.kiln("build", "--check", "--call=build", "app", code=2).stderr)

    def test_flags_of_a_bake_beside_a_look_are_told(self):
        self.write("docker-bake.json", '{"target": {"default": {"context": "app"}}}')
        for look in ("--print", "--check", "--list=targets"):
            told = self.kiln("bake", look, "--metadata-file=m", "--fail-under=cache=1", "--cache-from=type=local,src=app").stderr
            flag = look.partition("=")[0]
            self.assertIn(f"{flag} builds nothing: --cache-from, --metadata-file, --fail-under do nothing beside it", told)
        self.assertIn("--check builds nothing: --push does nothing", self.kiln("bake", "--check", "--push").stderr)
        self.assertEqual(self.kiln("bake", "--print", "--push").stderr, "")
        self.assertIn("--print builds nothing: --registry does nothing", self.kiln("bake", "--print", "--registry=localhost:1/a").stderr)
        self.assertIn("--locked changes nothing: bake files have no lock file", self.kiln("bake", "--locked").stderr)
        self.write("docker-bake.json", '{"variable": {"TAG": {}}, "target": {"default": {"context": "app"}}}')
        self.assertIn("--var 'TGA' is no variable of the bake files; did you mean 'TAG'?", self.kiln("bake", "--var=TGA=1").stderr)

    def test_values_that_no_build_can_use_are_refused_before_it(self):
        self.write("folder/file", "")
        for words, message in (
                (["--network", "bridge"], "--network 'bridge': expected default, host, none or recorded; RUN has no other networks"),
                (["--quiet", "--progress", "plain"], "--quiet and --progress plain exclude one another"),
                (["--metadata-file", "nowhere/m"], "--metadata-file 'nowhere/m': there is no folder 'nowhere'"),
                (["--iidfile", "folder"], "--iidfile 'folder' is a folder; name a file"),
                (["--report", "folder/file/r"], "--report 'folder/file/r': there is no folder 'folder/file'"),
                (["--secret", "id=a,src=app/Dockerfile", "--secret", "id=a,env=HOME"], "--secret 'a' is given twice"),
                (["--ssh", "default", "--ssh", "default=x"], "--ssh 'default' is given twice"),
                (["--add-host", "a:b"], "host 'a:b': 'b' is no IP address"),
                (["--target", "build", "--target", "x"], "flag '--target' takes one value, and is given several times"),
                (["--target"], "flag '--target' needs a value"),
                (["--check=maybe"], "flag '--check' has a value that it does not take"),
                (["-f", "https://host/Dockerfile"], "--file takes no URL"),
                (["--build-context", "x=docker-image://a:b:c"], "image reference 'a:b:c'"),
        ):
            with self.subTest(words=words):
                where = [] if words == ["--target"] else ["app"]
                refused = self.kiln("build", *where, *words, code=2)
                self.assertIn(message, refused.stderr)
                self.assertEqual(refused.stdout, "")
        self.assertFalse((self.home / "oci").exists())
        self.write("docker-bake.json", '{"target": {"default": {"context": "app"}}}')
        self.assertIn("there is no folder 'nowhere'", self.kiln("bake", "--metadata-file", "nowhere/m", code=2).stderr)

    def test_a_dockerfile_of_more_than_16_mib_is_refused_wherever_it_comes_from(self):
        large = b"FROM scratch\n" + b"# line\n" * (5 << 19)
        self.write("app/Dockerfile", large)
        for words, stdin in ((["app"], None), (["-f", "-", "app"], large), (["-"], large)):
            with self.subTest(words=words):
                self.assertIn("is larger than 16777216 bytes", self.kiln("build", *words, code=2, stdin=stdin).stderr)

    def test_a_bake_file_or_password_on_standard_input_is_read_to_its_bound(self):
        self.assertIn("the bake file on standard input is larger than 4194304 bytes",
                      self.kiln("bake", "-f", "-", code=2, stdin=b"#" * (5 << 20)).stderr)
        self.assertIn("the password on standard input is larger than 65536 bytes",
                      self.kiln("login", "-u", "u", "--password-stdin", "127.0.0.1:1", code=2, stdin=b"x" * 70000).stderr)

    def test_an_override_that_compose_reads_by_itself_is_told_where_a_bake_leaves_it_out(self):
        self.write("compose.yaml", "services: {a: {image: x, build: app}}\n")
        self.write("compose.override.yaml", "services: {a: {image: y, build: app}}\n")
        alone = self.kiln("bake", "--print")
        self.assertIn('"x"', alone.stdout)
        self.assertIn("'compose.override.yaml' is left out: a bake reads the files that are named, '-f compose.yaml -f compose.override.yaml'",
                      alone.stderr)
        both = self.kiln("bake", "-f", "compose.yaml", "-f", "compose.override.yaml", "--print")
        self.assertIn('"y"', both.stdout)
        self.assertNotIn("left out", both.stderr)

    def test_an_empty_file_is_none_as_with_docker(self):
        self.kiln("build", "-f", "", "app")

    def test_a_cache_that_is_not_there_is_told_unless_the_build_fills_it(self):
        told = "--cache-from: there is no folder"
        self.assertIn(told, self.kiln("build", "--cache-from", "type=local,src=nowhere", "app").stderr)
        self.assertNotIn(told, self.kiln("build", "--cache-from", "type=local,src=c", "--cache-to", "type=local,dest=c", "app").stderr)
        self.assertIn("'mode' changes nothing there", self.kiln("build", "--cache-from", "type=local,src=c,mode=max", "app").stderr)

    def test_what_no_output_takes_along_is_told(self):
        told = self.kiln("build", "-t", "a:1", "--label", "b=1", "--annotation", "c=1", "-o", "out", "app").stderr
        for what in ("names 'docker.io/library/a:1'", "labels 'b'", "annotations 'c'"):
            self.assertIn(f"no output is an image, so nothing has the {what}", told)
        told = self.kiln("build", "--annotation", "manifest[linux/arm64]:c=1", "--platform", "linux/amd64", "app").stderr
        self.assertIn("linux/arm64 is not built, so nothing has the annotations 'c'", told)

class EmptyValues(Words):
    def test_an_empty_value_takes_no_word_behind_it(self):
        for flag in ("--label", "--report", "--network", "--no-cache"):
            result = self.kiln("build", f"{flag}=", "--offline", "app", code=2)
            self.assertIn(f"'{flag}=' has no value behind its '='", result.stderr)
        self.kiln("build", "--build-arg=EMPTY=", "app")


class Output(harness.KilnTest):
    def test_what_cannot_be_written_is_an_error(self):
        for words in (["version"], ["schema", "image"]):
            with open("/dev/full", "w") as full:
                result = subprocess.run([harness.kiln_binary(), *words], stdout=full, stderr=subprocess.PIPE, text=True, env=self.environment(), timeout=60)
            self.assertEqual(result.returncode, 4, words)
            self.assertRegex(result.stderr, "^error: cannot write to standard output")

    def test_a_reader_that_has_gone_is_none(self):
        for words in (["version"], ["schema", "image"]):
            reader, writer = os.pipe()
            os.close(reader)
            result = subprocess.run([harness.kiln_binary(), *words], stdout=writer, stderr=subprocess.PIPE, text=True, env=self.environment(), timeout=60)
            os.close(writer)
            self.assertEqual((result.returncode, result.stderr), (0, ""), words)


if __name__ == "__main__":
    harness.main()
