#!/usr/bin/env python3
"""Words that name a file which is not there, or cannot be what it should be, are a mistake of words: exit code 2, the file named,
and nothing about this machine."""

import harness

GONE = "nowhere/gone.json"
LOADS_DEFINITIONS = (["bake"], ["bake", "--print"], ["bake", "--list", "targets"], ["plan"], ["matrix"], ["lock"], ["baseline"], ["doctor"], ["profile", "list"],
                     ["profile", "check"], ["profile", "show", "x"], ["profile", "diff", "x", "y"], ["release", "list"], ["release", "create", "v1"],
                     ["rollback", "v1"], ["index", "bake"], ["prune", "--registry"])
NAMES_A_FILE = (["report", GONE], ["report", "--against", GONE], ["build", "-f", GONE, "app"], ["build", GONE], ["build", "--secret", f"id=a,src={GONE}", "app"],
                ["build", "--ssh", f"a={GONE}", "app"], ["build", "--ca-bundle", GONE, "app"], ["build", "--build-context", f"a={GONE}", "app"],
                ["bake", "--ca-bundle", GONE], ["check", GONE], ["check", "-f", GONE, "app"], ["compose", "pin", GONE], ["compose", "pin", "--restore", GONE],
                ["init", "-C", GONE], ["ci", "init", "-C", GONE], ["ci", "check", "-C", GONE])
WRITES_A_FILE = (["report", "--output", GONE], ["sbom", "a:1", "--output", GONE], ["build", "--iidfile", GONE, "app"], ["build", "--metadata-file", GONE, "app"],
                 ["build", "--report", GONE, "app"], ["build", "--trace", GONE, "app"], ["bake", "--metadata-file", GONE], ["bake", "--report", GONE],
                 ["bake", "--trace", GONE], ["release", "create", "v1", "--record", GONE], ["index", "bake", "--metadata-file", GONE])
SETTINGS = (("KILN_CONFIG", ["build", "app"]), ("CONTAINERS_REGISTRIES_CONF", ["pull", "127.0.0.1:1/a:1"]))


class NamedFiles(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.write("docker-bake.json", '{"target": {"default": {"context": "app", "tags": ["127.0.0.1:1/a:1"]}}}')
        self.kiln("build", "app")  # so that there is a report

    def assert_refused(self, words, name=GONE, **options):
        with self.subTest(words=words):
            refused = self.kiln(*words, code=2, **options).stderr
            self.assertIn(name, refused)
            self.assertNotIn("kiln doctor", refused)

    def test_a_file_that_is_not_there_is_a_mistake_of_words_for_every_command(self):
        for words in NAMES_A_FILE:
            self.assert_refused(words)
        for words in LOADS_DEFINITIONS:
            self.assert_refused([*words, "-f", GONE])
        for variable, words in SETTINGS:
            self.assert_refused(words, env={variable: GONE})

    def test_a_folder_in_place_of_a_file_is_one_too(self):
        self.write("folder/f")
        for words in (["report", "folder"], ["report", "--against", "folder"], ["build", "-f", "folder", "app"], ["check", "-f", "folder", "app"],
                      ["compose", "pin", "folder"], ["build", "--ca-bundle", "folder", "app"],
                      ["report", "--output", "folder"], ["sbom", "a:1", "-o", "folder"]):
            self.assert_refused(words, "folder")
        for variable, words in SETTINGS:
            self.assert_refused(words, "folder", env={variable: "folder"})

    def test_a_file_that_cannot_be_written_is_refused_before_anything_is_done(self):
        for words in WRITES_A_FILE:
            self.assert_refused(words)

    def test_what_is_no_report_is_one_too(self):
        self.write("none.json", "{}")
        self.write("cut.json", '{"schema_version": ')
        for name in ("none.json", "cut.json"):
            self.assert_refused(["report", name], name)
            self.assert_refused(["report", "--against", name], name)


if __name__ == "__main__":
    harness.main()
