#!/usr/bin/env python3
"""BuildKit's lint rules as kiln build looks at them: warnings of what is built, an error where the Dockerfile asks for one."""

import harness


class BuildChecks(harness.KilnTest):
    def warnings(self, result):
        return [line for line in result.stderr.splitlines() if line.startswith("WARNING: ")]

    def test_a_build_warns_of_what_the_rules_find_and_goes_on(self):
        self.write("app/Dockerfile", "FROM scratch AS Base\nLABEL a 1\nFROM base\nENV b=$c\n")
        result = self.kiln("build", "--progress", "plain", "app")
        self.assertEqual(self.warnings(result), [
            "WARNING: app/Dockerfile:1: StageNameCasing: Stage name 'Base' should be lowercase",
            'WARNING: app/Dockerfile:2: LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
            "WARNING: app/Dockerfile:4: UndefinedVar: Usage of undefined variable '$c'"])

    def test_rules_about_the_insides_of_stages_pass_over_those_that_are_not_built(self):
        self.write("app/Dockerfile", "FROM scratch AS other\nMAINTAINER me\nLABEL a 1\nCMD a\nFROM scratch\nENV b=1\n")
        self.assertEqual(self.warnings(self.kiln("build", "--progress", "plain", "app")), [
            "WARNING: app/Dockerfile:2: MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"])
        # kiln check looks into all stages.
        self.assertIn("JSONArgsRecommended", self.kiln("check", "app").stdout)

    def test_findings_stop_a_build_that_asks_for_it_before_its_first_step(self):
        self.write("app/Dockerfile", "# check=error=true\nFROM scratch\nCOPY missing /\nLABEL a 1\n")
        error = self.kiln("build", "--progress", "plain", "app", code=1).stderr
        self.assertIn("lint violation found for rules: LegacyKeyValueFormat", error)
        self.assertNotIn("missing", error)
        self.kiln("build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", "--target", "", "app", code=1)
        self.write("app/missing", "")
        self.kiln("build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all;error=true", "app")
        self.write("app/Dockerfile", "# check=skip=LegacyKeyValueFormat;error=true\nFROM scratch\nLABEL a 1\n")
        self.assertEqual(self.warnings(self.kiln("build", "--progress", "plain", "app")), [])

    def test_a_base_images_variables_are_defined(self):
        self.write("base/Dockerfile", "FROM scratch\nENV there=1\n")
        self.kiln("build", "-t", "ghcr.io/acme/base:1", "base")
        self.write("app/Dockerfile", "FROM ghcr.io/acme/base:1\nENV a=$there b=$not_there\n")
        self.assertEqual(self.warnings(self.kiln("build", "--progress", "plain", "app")), [
            "WARNING: app/Dockerfile:2: UndefinedVar: Usage of undefined variable '$not_there'"])


class BasePlatform(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.server = self.registry()
        self.base = f"{self.server.address}/acme/only-s390x:1"
        self.write("base/Dockerfile", "FROM scratch\nCOPY Dockerfile /there\n")
        self.kiln("build", "--platform", "linux/s390x", "-t", self.base, "--push", "base")
        self.kiln("untag", "--local", self.base)

    def found(self, text, *words):
        self.write("app/Dockerfile", text)
        lines = self.kiln("build", "--progress", "plain", *words, "app").stderr.splitlines()
        return [line for line in lines if "InvalidBaseImagePlatform" in line]

    def test_a_base_image_for_another_platform_is_warned_of(self):
        host = self.host_platform()
        message = f'InvalidBaseImagePlatform: Base image {self.base} was pulled with platform "linux/s390x", expected "{host}" for current build'
        self.assertEqual(self.found(f"ARG BASE={self.base}\nFROM $BASE\nLABEL a=1\n"), [f"WARNING: app/Dockerfile:2: {message}"])
        self.assertEqual(self.found(f"FROM --platform=linux/arm64 {self.base}\nLABEL a=1\n"),
                         [f"WARNING: app/Dockerfile:1: {message.replace(host, 'linux/arm64')}"])
        self.assertEqual(self.found(f"FROM {self.base}\nLABEL a=1\n", "--platform", "linux/s390x"), [])
        self.assertEqual(self.found(f"FROM {self.base} AS unused\nFROM scratch\nLABEL a=1\n"), [])
        self.assertEqual(self.found("FROM base\nLABEL a=1\n", "--build-context", f"base=docker-image://{self.base}"), [])
        self.assertEqual(self.found(f"# check=skip=InvalidBaseImagePlatform\nFROM {self.base}\nLABEL a=1\n"), [])
        # The build arg stands in place of the whole directive.
        self.kiln("build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=error=true", "app", code=1)
        self.write("app/Dockerfile", f"# check=error=true\nFROM {self.base}\nLABEL a=1\n")
        self.assertIn("lint violation found for rules: InvalidBaseImagePlatform", self.kiln("build", "app", code=1).stderr)

    def test_an_image_has_the_platform_that_was_asked_for_or_else_its_bases(self):
        def architecture(text, *words):
            self.write("app/Dockerfile", text)
            self.kiln("build", "-t", "ghcr.io/acme/a:1", *words, "app")
            return self.stored_image("ghcr.io/acme/a:1").config["architecture"]

        self.assertEqual(architecture(f"FROM {self.base}\nLABEL a=1\n"), "s390x")
        self.assertEqual(architecture(f"FROM {self.base}\nLABEL a=1\n", "--platform", "linux/arm64"), "arm64")
        self.assertEqual(architecture("FROM --platform=linux/s390x scratch\nLABEL a=1\n"), self.host_platform().split("/")[1])

    def host_platform(self):
        self.write("host/Dockerfile", "FROM scratch\nLABEL a=1\n")
        self.kiln("build", "-t", "ghcr.io/acme/host:1", "host")
        return "linux/" + self.stored_image("ghcr.io/acme/host:1").config["architecture"]


if __name__ == "__main__":
    harness.main()
