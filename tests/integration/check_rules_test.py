#!/usr/bin/env python3
"""Each rule of kiln check: a Dockerfile that breaks it, one that nearly does, and its page."""

import json
import re

import harness

# What the rules about images want of every last stage.
WELL = "USER 1000\nHEALTHCHECK NONE\n"
DEBIAN = "FROM debian:12\n"
# rule: (what breaks it, what nearly does)
RULES = {
    "StageNameCasing": ("FROM alpine:3 AS Build\n", "FROM alpine:3 AS build-1\n"),
    "FromAsCasing": ("FROM alpine:3 as build\n", "from alpine:3 as build\n"),
    "NoEmptyContinuation": ("FROM alpine:3\nRUN a \\\n\n  b\n", "FROM alpine:3\nRUN a \\\n# a comment\n  b\n\nRUN c\n"),
    "ConsistentInstructionCasing": ("FROM alpine:3\nrun a\nRUN b\n", "from alpine:3\nrun a\nrun B\n"),
    "DuplicateStageName": ("FROM alpine:3 AS b\nFROM alpine:3 AS b\n", "FROM alpine:3 AS b\nFROM alpine:3 AS b2\n"),
    "ReservedStageName": ("FROM alpine:3 AS context\n", "FROM alpine:3 AS contexts\n"),
    "JSONArgsRecommended": ("FROM alpine:3\nCMD run it\n", 'FROM alpine:3\nSHELL ["/bin/sh", "-c"]\nCMD run it\n'),
    "MaintainerDeprecated": ("FROM alpine:3\nMAINTAINER me\n", "FROM alpine:3\nLABEL maintainer=me\n"),
    "UndefinedArgInFrom": ("ARG VERSION=3\nFROM alpine:3$VERSIO\n", "ARG VERSION=3\nFROM alpine:$VERSION\n"),
    "WorkdirRelativePath": ("FROM scratch\nWORKDIR app\n", "FROM scratch\nWORKDIR /srv\nWORKDIR app\n"),
    "UndefinedVar": ("FROM alpine:3\nENV A=1\nCOPY $B /a\n", "FROM alpine:3\nARG B\nCOPY $B /a\n"),
    "MultipleInstructionsDisallowed": ('FROM alpine:3\nCMD ["a"]\nCMD ["b"]\n', 'FROM alpine:3 AS a\nCMD ["a"]\nFROM a\nCMD ["b"]\n'),
    "LegacyKeyValueFormat": ("FROM alpine:3\nENV A 1\n", 'FROM alpine:3\nENV A="1 2"\n'),
    "RedundantTargetPlatform": ("FROM --platform=$TARGETPLATFORM alpine:3\n", "FROM --platform=$BUILDPLATFORM alpine:3\n"),
    "SecretsUsedInArgOrEnv": ("FROM alpine:3\nARG AWS_SECRET_ACCESS_KEY\n", "FROM alpine:3\nARG PUBLIC_KEY\nENV TOKENIZER=1\n"),
    "InvalidDefaultArgInFrom": ("ARG VERSION\nFROM alpine:$VERSION\n", "ARG VERSION=3\nFROM alpine:$VERSION\n"),
    "FromPlatformFlagConstDisallowed": ("FROM --platform=linux/amd64 alpine:3\n", "FROM --platform=linux/amd64 alpine:3 AS linux-amd64\nFROM linux-amd64\n"),
    "CopyIgnoredFile": ("FROM scratch\nCOPY left.txt /a\n", "FROM scratch\nCOPY a /left.txt\nCOPY a .\n"),
    "InvalidDefinitionDescription": ("# check=experimental=InvalidDefinitionDescription\n# the version\nARG VERSION=3\nFROM alpine:$VERSION\n",
                                     "# check=experimental=InvalidDefinitionDescription\n# VERSION of alpine\nARG VERSION=3\nFROM alpine:$VERSION\n"),
    "ExposeProtoCasing": ("FROM alpine:3\nEXPOSE 80/TCP\n", "FROM alpine:3\nEXPOSE 80/tcp 81\n"),
    "ExposeInvalidFormat": ("FROM alpine:3\nEXPOSE 127.0.0.1:80:80\n", "FROM alpine:3\nEXPOSE 80-90/udp\n"),
    "ChownInOwnLayer": (DEBIAN + "COPY a /a\nRUN chown -R 5:5 /a\n", DEBIAN + "COPY --chown=5:5 a /a\nRUN make /b && chown -R 5:5 /b\n"),
    "AptListsLeftBehind": (DEBIAN + "RUN apt-get update && apt-get install -y x\n",
                           DEBIAN + "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*\n"),
    "PipCacheInLayer": ("FROM python:3.12\nRUN pip install x\n", "FROM python:3.12\nENV PIP_NO_CACHE_DIR=1\nRUN pip install x\n"),
    "RemovedInLaterLayer": (DEBIAN + "COPY a /a.tar\nRUN rm /a.tar\n", DEBIAN + "COPY a /a.tar\nRUN cp /a.tar /tmp/b && rm /tmp/b\n"),
    "CopyBeforeDependencies": ("FROM python:3.12\nCOPY . /app\nRUN pip install --no-cache-dir -r /app/requirements.txt\n",
                               "FROM python:3.12\nCOPY a /app/\nRUN pip install --no-cache-dir -r /app/requirements.txt\nCOPY . /app\n"),
    "ProfileArgAboveHeavyRun": (DEBIAN + "ARG MACHINE_PROFILE\nRUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*\n",
                                DEBIAN + "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*\nARG MACHINE_PROFILE\nRUN echo $MACHINE_PROFILE\n"),
    "CudaLibrariesTwice": ("FROM nvidia/cuda:12.1.1-runtime-ubuntu22.04\nRUN pip install --no-cache-dir torch\n",
                           "FROM python:3.12\nRUN pip install --no-cache-dir torch\n"),
    "FloatingTag": ("FROM alpine\n", "FROM alpine:3\nFROM alpine@sha256:" + "0" * 64 + "\n"),
    "RootAtRunTime": ('FROM alpine:3\nUSER 1000\nUSER 0\nCMD ["a"]\n', 'FROM alpine:3\nUSER 0\nUSER 1000\nCMD ["a"]\n'),
    "SecretLikeName": ("FROM alpine:3\nENV DBPASSWORD=1\n",
                       "FROM alpine:3\nARG AUTHOR\nARG PUBLIC_COOKIE\nENV SIGNATURE_FILE=1\nARG DB_PASSWORD\nLABEL COOKIE=1\n"),
    "PasswordInUrl": ("FROM alpine:3\nENV INDEX=https://ci:hunter2@example.com/simple\n",
                      "FROM alpine:3\nENV INDEX=https://example.com/ci:hunter2@simple\nADD https://ci:hunter2@example.com/a /a\nRUN curl https://ci:hunter2@example.com\n"),
    "NoHealthcheck": ('FROM alpine:3\nCMD ["a"]\n', 'FROM alpine:3\nHEALTHCHECK CMD ["b"]\nCMD ["a"]\n'),
}
# It needs the base image, so it is tried where images are built.
TRIED_ELSEWHERE = {"InvalidBaseImagePlatform"}


class Rules(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("app/a", "a")
        self.write("app/left.txt", "left")
        self.write("app/.dockerignore", "left.txt\n")

    def check(self, dockerfile, *words, code=0):
        self.write("app/Dockerfile", dockerfile)
        return json.loads(self.kiln("check", "--format", "json", *words, "app", code=code).stdout)["findings"]

    def names(self, dockerfile, *words, **options):
        return {finding["rule"] for finding in self.check(dockerfile, *words, **options)}

    def pages(self):
        pages = {}
        for path in (harness.ROOT / "docs/rules").glob("*.md"):
            pages[path.read_text().split("\n", 1)[0].removeprefix("# ")] = path
        return pages

    def test_each_rule_is_tried_here_and_has_a_page_with_the_fix(self):
        pages = self.pages()
        self.assertEqual(set(pages), set(RULES) | TRIED_ELSEWHERE)
        for rule, page in pages.items():
            text = page.read_text()
            self.assertGreaterEqual(text.count("```dockerfile"), 2, f"{page}: what is reported, and what to write instead")
            self.assertIn(f"check=skip={rule}", text, page)

    def test_each_rule_finds_what_breaks_it_and_not_what_nearly_does(self):
        for rule, (broken, near) in RULES.items():
            with self.subTest(rule=rule):
                findings = [finding for finding in self.check(broken) if finding["rule"] == rule]
                self.assertTrue(findings, broken)
                self.assertGreaterEqual(findings[0]["start_line"], 1)
                self.assertEqual(harness.ROOT / findings[0]["page"], self.pages()[rule])
                self.assertNotIn(rule, self.names(near), near)

    def test_each_rule_is_skipped_by_its_name_and_all_of_them_by_all(self):
        for rule, (broken, _) in RULES.items():
            with self.subTest(rule=rule):
                # An experimental rule is off unless it is asked for, and then skip says nothing of it.
                asked_for = broken.startswith("# check=experimental=")
                self.assertNotIn(rule, self.names(broken.split("\n", 1)[1] if asked_for else f"# check=skip={rule}\n{broken}"))
        self.assertEqual(self.names("# check=skip=all;error=true\nFROM alpine as Build\n"), set())

    def test_a_skip_and_an_error_stand_in_one_comment(self):
        dockerfile = "# check=skip=StageNameCasing,FloatingTag;error=true\nFROM alpine AS Build\n" + WELL
        self.assertEqual(self.names(dockerfile), set())
        self.assertEqual(self.names(dockerfile.replace("AS", "as"), code=1), {"FromAsCasing"})

    def test_text_names_file_line_rule_and_page(self):
        self.write("app/Dockerfile", "FROM alpine:3 as build\n" + WELL)
        text = self.kiln("check", "app").stdout
        self.assertRegex(text, r"FromAsCasing \(docs/rules/from-as-casing\.md\)\n")
        self.assertIn("app/Dockerfile:1\n", text)

    def test_sarif_is_what_code_scanning_takes(self):
        self.write("app/Dockerfile", "FROM alpine as Build\nMAINTAINER me\nEXPOSE 80/TCP\n")
        report = json.loads(self.kiln("check", "--format", "sarif", "app").stdout)
        self.assertEqual(report["version"], "2.1.0")
        self.assertIn("sarif", report["$schema"])
        self.assertEqual(len(report["runs"]), 1)
        run = report["runs"][0]
        driver = run["tool"]["driver"]
        self.assertEqual(driver["name"], "kiln")
        rules = driver["rules"]
        self.assertEqual(len({rule["id"] for rule in rules}), len(rules))
        for rule in rules:
            self.assertTrue(rule["shortDescription"]["text"])
            if rule["id"] in self.pages():
                self.assertIn(str(self.pages()[rule["id"]].relative_to(harness.ROOT)), rule["help"]["text"])
        self.assertGreaterEqual({result["ruleId"] for result in run["results"]},
                                {"FromAsCasing", "StageNameCasing", "MaintainerDeprecated", "ExposeProtoCasing", "FloatingTag"})
        for result in run["results"]:
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            self.assertIn(result["level"], {"warning", "error", "note"})
            self.assertTrue(result["message"]["text"])
            place = result["locations"][0]["physicalLocation"]
            self.assertRegex(place["artifactLocation"]["uri"], re.compile(r"^(?!/).*Dockerfile$"))
            self.assertGreaterEqual(place["region"]["endLine"], place["region"]["startLine"])


if __name__ == "__main__":
    harness.main()
