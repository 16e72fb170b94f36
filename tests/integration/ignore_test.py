#!/usr/bin/env python3
"""What ignore files leave out is not looked at."""

import re

import harness

OPENED = re.compile(r'\bopen(?:at2?)?\((?:\S+, )?"([^"]*)"')


class Ignore(harness.KilnTest):
    def setUp(self):
        super().setUp()
        for path in ("modules/a/b/file", "big/cache/deep/file", "kept/file", "mixed/wanted/deep/file", "mixed/other/file"):
            self.write(f"app/{path}", path)
        self.write("app/Dockerfile", "FROM scratch\nCOPY . /\n")

    def built(self, *words):
        self.kiln("build", "-o", "type=local,dest=files", *words, "app")
        return sorted(str(path.relative_to(self.folder / "files")) for path in (self.folder / "files").rglob("*") if path.name == "file")

    def test_an_excluded_folder_is_entered_where_a_negation_needs_it_only(self):
        self.need_programs("strace")
        self.write("app/.dockerignore", "modules\n**/cache\nmixed\n!mixed/wanted/deep/file\n")
        log = self.folder / "log"
        traced = self.run_program("strace", "-f", "-o", log, "-e", "trace=open,openat,openat2", harness.kiln_binary(), "build", "--no-cache", "-o",
                                  "type=local,dest=files", "app", code=None, cwd=self.folder)
        if traced.code != 0 and "PTRACE" in traced.stderr:
            self.skipTest("strace may not trace here")
        self.assertEqual(traced.code, 0, traced)
        opened = {path.removeprefix(f"{self.folder}/app/") for path in OPENED.findall(log.read_text())}
        self.assertLessEqual({"big", "kept", "mixed", "mixed/wanted", "mixed/wanted/deep"}, opened)
        inside = [path for path in opened if re.match(r"(modules|big/cache|mixed/other)(/|$)", path)]
        self.assertEqual(inside, [])
        found = sorted(str(path.relative_to(self.folder / "files")) for path in (self.folder / "files").rglob("file"))
        self.assertEqual(found, ["kept/file", "mixed/wanted/deep/file"])

    def test_the_ignore_file_beside_the_dockerfile_goes_before_that_of_the_context(self):
        self.write("app/.dockerignore", "*\n")
        self.write("app/Dockerfile.dockerignore", "m*\nbig\n")
        self.write("elsewhere/Other", "FROM scratch\nCOPY . /\n")
        self.write("elsewhere/Other.dockerignore", "kept\nbig\nmodules")
        self.assertEqual(self.built(), ["kept/file"])
        (self.folder / "files/kept/file").unlink()
        self.assertEqual(self.built("-f", "elsewhere/Other"), ["mixed/other/file", "mixed/wanted/deep/file"])


if __name__ == "__main__":
    harness.main()
