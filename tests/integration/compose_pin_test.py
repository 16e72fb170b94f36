#!/usr/bin/env python3
"""kiln compose pin: a release's digests go into a compose file, and nothing else in it changes."""

import json
import os

import harness
import releases_test


class ComposePin(releases_test.ReleaseTest):
    def setUp(self):
        super().setUp()
        self.create("v1")
        self.then = self.digests("latest")
        self.common, self.mainpc, self.pc2 = self.repositories

    def compose(self, text):
        path = self.folder / "compose.yaml"
        path.write_bytes(text.encode())
        return path

    def test_images_of_the_release_are_pinned_and_put_back(self):
        before = (f"# Übersicht\r\nservices:\r\n  a:\r\n      image:   '{self.mainpc}:latest'   # why\r\n"
                  f"  b: {{image: {self.pc2}, ports: [\"80:80\"]}}\r\n  db:\r\n    image: postgres:16\r\n")
        path = self.compose(before)
        path.chmod(0o640)
        self.kiln("compose", "pin", "compose.yaml", "--dry-run")
        self.assertEqual(path.read_bytes().decode(), before)
        shown = self.kiln("compose", "pin", "compose.yaml", "--release", "v1").stdout
        self.assertIn("compose.yaml:7: service 'db': 'postgres:16' is not in the release 'v1'; it stays", shown)
        after = before.replace(f"{self.mainpc}:latest", f"{self.mainpc}:latest@{self.then[self.mainpc]}").replace(
            f"{self.pc2},", f"{self.pc2}@{self.then[self.pc2]},")
        self.assertEqual(path.read_bytes().decode(), after)
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        self.assertEqual((self.folder / "compose.yaml.before-pin").read_bytes().decode(), before)
        self.kiln("compose", "pin", "compose.yaml", "--restore", "--dry-run")
        self.assertEqual(path.read_bytes().decode(), after)
        self.kiln("compose", "pin", "compose.yaml", "--restore")
        self.assertEqual(path.read_bytes().decode(), before)
        self.kiln("compose", "pin", "compose.yaml", "--restore", code=2)

    def test_owner_and_mode_stay_whatever_the_umask(self):
        self.need_root()
        path = self.compose(f"services: {{a: {{image: {self.pc2}}}}}\n")
        path.chmod(0o664)
        os.chown(path, 12345, 54321)
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        for words in ([], ["--restore"]):
            self.kiln("compose", "pin", "compose.yaml", *words)
            found = path.stat()
            self.assertEqual((found.st_uid, found.st_gid, found.st_mode & 0o7777), (12345, 54321, 0o664), words)

    def test_a_comment_that_was_written_since_is_a_change(self):
        path = self.compose(f"services:\n  a: {{image: {self.pc2}}}\n")
        self.kiln("compose", "pin", "compose.yaml")
        for edited in (path.read_text() + "# why\n", path.read_text().replace("services:", "services:  # why")):
            path.write_text(edited)
            self.assertIn("changed since", self.kiln("compose", "pin", "compose.yaml", "--restore", code=2).stderr)
            self.assertEqual(path.read_text(), edited)

    def test_the_newest_release_is_the_default_and_another_one_replaces_its_digests(self):
        path = self.compose(f"services: {{a: {{image: {self.pc2}:latest}}}}\n")
        self.bake("two")
        self.create("v2")
        now = self.digests("latest")
        pinned = json.loads(self.kiln("compose", "pin", "compose.yaml", "--json").stdout)
        self.assertEqual((pinned["release"], pinned["services"][0]["outcome"]), ("v2", "pinned"))
        self.assertIn(now[self.pc2], path.read_text())
        self.kiln("compose", "pin", "compose.yaml", "--release", "v1")
        self.assertEqual(path.read_text(), f"services: {{a: {{image: {self.pc2}:latest@{self.then[self.pc2]}}}}}\n")

    def test_a_file_that_was_edited_since_is_not_put_back(self):
        path = self.compose(f"services:\n  a: {{image: {self.pc2}}}\n")
        self.kiln("compose", "pin", "compose.yaml")
        edited = path.read_text() + "volumes: {}\n"
        path.write_text(edited)
        self.assertIn("changed since", self.kiln("compose", "pin", "compose.yaml", "--restore", code=2).stderr)
        self.assertEqual(path.read_text(), edited)

    def test_what_cannot_be_pinned_is_named_and_a_link_stays_one(self):
        path = self.compose(f"x: &i {self.pc2}\nservices:\n  a: {{image: *i}}\n  b: {{image: '{self.pc2}:${{TAG}}'}}\n  c: {{image: {self.pc2}}}\n")
        os.symlink("compose.yaml", self.folder / "link.yaml")
        shown = self.kiln("compose", "pin", "link.yaml", code=1).stdout
        self.assertIn("link.yaml:3: service 'a': not pinned: it is the alias '*i'", shown)
        self.assertIn("link.yaml:4: service 'b': not pinned: it holds a variable", shown)
        self.assertTrue((self.folder / "link.yaml").is_symlink())
        self.assertIn(f"c: {{image: {self.pc2}@{self.then[self.pc2]}}}", path.read_text())

    def test_words_and_files_that_fit_nothing_are_refused(self):
        self.compose("services: [")
        self.assertIn("compose.yaml:2:", self.kiln("compose", "pin", "compose.yaml", code=2).stderr)
        self.compose("volumes: {}\n")
        self.assertIn("no service with an image", self.kiln("compose", "pin", "compose.yaml", code=2).stderr)
        self.assertIn("has no release 'v9'", self.kiln("compose", "pin", "compose.yaml", "--release", "v9", code=2).stderr)
        self.kiln("compose", "pin", "compose.yaml", "--release", "v1", "--local", code=2)


if __name__ == "__main__":
    harness.main()
