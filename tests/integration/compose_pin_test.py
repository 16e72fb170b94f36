#!/usr/bin/env python3
"""kiln compose pin: a release's digests go into a compose file, and nothing else in it changes."""

import json
import os
import re

import harness
import releases_test
from tests.support.web_server import WebServer


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

    def test_with_a_key_a_release_and_its_images_have_to_be_signed(self):
        for command in (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"], ["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]):
            self.run_program("openssl", *command, cwd=self.folder)
        before = f"services: {{a: {{image: {self.pc2}}}}}\n"
        path = self.compose(before)
        pin = lambda code, *words, **env: self.kiln("compose", "pin", "compose.yaml", *words, code=code, env=env)
        self.assertIn("nothing was pinned: of 4 digests 4 are not signed by key", pin(1, "--key", "key.pub").stderr)
        self.assertIn("nothing was pinned", pin(1, KILN_VERIFY_KEY=str(self.folder / "key.pub")).stderr)
        for repository, digest in self.then.items():
            self.kiln("sign", f"{repository}@{digest}", "--key", "key.pem", code=0)
        self.assertIn("of 4 digests one is not signed by key", pin(1, "--key", "key.pub").stderr)
        self.assertEqual(path.read_text(), before)
        self.assertIn("--key is about a release", pin(2, "--local", "--key", "key.pub").stderr)
        self.assertIn("--restore takes neither", pin(2, "--restore", "--key", "key.pub").stderr)
        self.kiln("sign", f"{self.pc2.rsplit('/', 1)[0]}/releases:v1", "--key", "key.pem", code=0)
        pin(0, "--key", "key.pub")
        self.assertIn(f"{self.pc2}@{self.then[self.pc2]}", path.read_text())

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

    def pins(self):
        """The image of each service in the override file that was written."""
        return dict(re.findall(r'^  (\S+):\n    image: "(.*)"$', (self.folder / "compose.pins.yaml").read_text(), re.MULTILINE))

    def test_variables_anchors_and_merge_keys_are_pinned_by_service_in_a_file_beside(self):
        text = (f"x-base: &base {{image: '{self.pc2}', tty: true}}\n"
                f"services:\n  a: {{image: '{self.mainpc}:${{TAG:-latest}}'}}\n  b: {{<<: *base}}\n"
                f"  c: {{extends: {{service: a}}}}\n  plain: {{image: {self.pc2}:latest}}\n  db: {{image: 'postgres:${{PG:-16}}'}}\n")
        path = self.compose(text)
        pins = self.folder / "compose.pins.yaml"
        dry = self.kiln("compose", "pin", "compose.yaml", "--dry-run").stdout
        self.assertIn("would write 'compose.pins.yaml'", dry)
        self.assertFalse(pins.exists())
        shown = self.kiln("compose", "pin", "compose.yaml").stdout
        self.assertIn("docker compose -f compose.yaml -f compose.pins.yaml up -d", shown)
        self.assertIn("service 'db': 'postgres:16' is not in the release 'v1'; it stays", shown)
        self.assertEqual(path.read_text(), text)
        self.assertTrue(pins.read_text().startswith("# Written by 'kiln compose pin': compose.yaml in the release 'v1'\n"))
        mainpc, pc2 = (f"{name}@{self.then[repository]}" for name, repository in (
            (f"{self.mainpc}:latest", self.mainpc), (f"{self.pc2}:latest", self.pc2)))
        self.assertEqual(self.pins(), {
            "a": mainpc, "b": pc2, "c": mainpc, "plain": pc2})
        pinned = json.loads(self.kiln("compose", "pin", "compose.yaml", "--json").stdout)
        self.assertEqual((pinned["override"], pinned["command"]),
                         ("compose.pins.yaml", "docker compose -f compose.yaml -f compose.pins.yaml up -d"))
        self.assertEqual(json.loads(self.kiln("compose", "pin", "compose.yaml", "--restore", "--json").stdout)["removed"], "compose.pins.yaml")
        self.assertFalse(pins.exists())
        self.assertEqual(path.read_text(), text)

    def docker_compose(self, *words, **variables):
        """What it makes of the files, as JSON. Of a daemon it asks only for digests, which are the release's here."""
        docker = WebServer().start()
        self.addCleanup(docker.stop)
        docker.pages["/_ping"] = (200, {"Api-Version": "1.48"}, b"OK")
        for repository, digest in self.then.items():
            described = {"Descriptor": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}}
            docker.pages[f"/v1.48/distribution/{repository}:latest/json"] = (
                200, {"Content-Type": "application/json"}, json.dumps(described).encode())
        shown = harness.run(["docker-compose", *words, "--format", "json"], cwd=self.folder,
                            env=self.environment(DOCKER_HOST=f"tcp://{docker.address}", **variables))
        self.assertEqual(shown.code, 0, shown)
        services = json.loads(shown.stdout)["services"]
        return {name: service["image"] for name, service in services.items() if "image" in service}

    def test_docker_compose_writes_the_same_pins_and_takes_those_that_are_written(self):
        self.need_programs("docker-compose")
        if "--lock-image-digests" not in self.run_program("docker-compose", "config", "--help", code=None).stdout:
            self.skipTest("this docker-compose writes no digests")
        self.compose(f"include: [more.yaml]\nx-base: &base {{image: '{self.pc2}', tty: true}}\n"
                     f"x-name: &name {self.mainpc}\n"
                     f"services:\n  a: {{image: '{self.mainpc}:${{TAG:-latest}}'}}\n  b: {{<<: *base}}\n"
                     f"  c: {{extends: {{service: a}}}}\n  named: {{image: *name}}\n  built: {{build: .}}\n"
                     f"  both: {{image: '${{REPOSITORY}}', build: .}}\n  'on': {{image: '{self.pc2}:latest'}}\n"
                     f"  over: {{image: '{self.mainpc}:older'}}\n  far: {{extends: {{file: base/base.yaml, service: far}}}}\n")
        self.write("compose.override.yaml", f"services: {{over: {{image: '{self.common}:$TAG'}}}}\n")
        self.write("more.yaml", f"services: {{included: {{image: '{self.common}'}}}}\n")
        self.write("base/base.yaml", f"services: {{far: {{image: '{self.common}:${{OTHER-latest}}'}}}}\n")
        self.write(".env", f"TAG=latest\nREPOSITORY={self.pc2}\n")
        self.kiln("compose", "pin", "compose.yaml")
        pins = {name.strip('"'): image for name, image in self.pins().items()}
        self.assertEqual(len(pins), 9)
        self.assertEqual(self.docker_compose("config", "--lock-image-digests"), pins)
        files = ("-f", "compose.yaml", "-f", "compose.override.yaml", "-f", "compose.pins.yaml")
        self.assertEqual(self.docker_compose(*files, "config", TAG="other"), pins)

    def test_a_plain_file_is_pinned_by_service_where_that_is_asked_for_and_then_again(self):
        path = self.compose(f"services: {{a: {{image: {self.pc2}}}}}\n")
        before = path.read_text()
        self.kiln("compose", "pin", "compose.yaml", "--override")
        self.assertEqual(self.pins(), {"a": f"{self.pc2}:latest@{self.then[self.pc2]}"})
        self.bake("two")
        self.create("v2")
        self.kiln("compose", "pin", "compose.yaml")
        self.assertEqual(path.read_text(), before)
        self.assertEqual(self.pins(), {"a": f"{self.pc2}:latest@{self.digests('latest')[self.pc2]}"})

    def test_the_environment_and_the_override_that_compose_reads_by_itself_count(self):
        self.compose(f"services:\n  a: {{image: '{self.mainpc}:$TAG'}}\n  b: {{image: nginx, command: '$WORD'}}\n")
        self.write("compose.override.yaml", f"services: {{b: {{image: {self.pc2}}}}}\n")
        self.write(".env", "TAG=latest\n")
        result = self.kiln("compose", "pin", "compose.yaml")
        self.assertIn("docker compose -f compose.yaml -f compose.override.yaml -f compose.pins.yaml up -d", result.stdout)
        self.assertRegex(result.stdout, r"(?m)^service 'b': pinned to ")
        self.assertIn("the variable 'WORD' is not set, and counts as empty", result.stderr)
        self.assertNotIn("'TAG'", result.stderr)
        self.assertEqual(self.pins(), {
            "a": f"{self.mainpc}:latest@{self.then[self.mainpc]}", "b": f"{self.pc2}:latest@{self.then[self.pc2]}"})
        self.write("more.yaml", f"services: {{c: {{image: {self.pc2}}}}}\n")
        self.kiln("compose", "pin", "compose.yaml", "more.yaml", env={"TAG": "other"})
        self.assertEqual(set(self.pins()), {"a", "c"})

    def test_a_file_of_that_name_that_is_not_kilns_stays(self):
        self.compose(f"services: {{a: {{image: '{self.pc2}:${{TAG:-latest}}'}}}}\n")
        self.write("compose.pins.yaml", "services: {}\n")
        for words in ([], ["--override"], ["--restore"]):
            self.assertIn("'compose.pins.yaml' was not written by kiln",
                          self.kiln("compose", "pin", "compose.yaml", *words, code=2).stderr)
        self.assertEqual((self.folder / "compose.pins.yaml").read_text(), "services: {}\n")

    def test_what_cannot_be_pinned_is_named_and_a_link_stays_one(self):
        path = self.compose(f"services:\n  a: {{image: '{self.pc2}:${{TAG}}'}}\n  c: {{image: {self.pc2}}}\n")
        os.symlink("compose.yaml", self.folder / "link.yaml")
        result = self.kiln("compose", "pin", "link.yaml", code=1)
        self.assertIn("link.yaml:2: service 'a': not pinned: ", result.stdout)
        self.assertIn("the variable 'TAG' is not set, and counts as empty", result.stderr)
        self.assertTrue((self.folder / "link.yaml").is_symlink())
        self.assertIn(f"c: {{image: {self.pc2}@{self.then[self.pc2]}}}", path.read_text())

    def test_words_and_files_that_fit_nothing_are_refused(self):
        self.compose("services: [")
        self.assertIn("compose.yaml:1:12: ", self.kiln("compose", "pin", "compose.yaml", code=2).stderr)
        self.compose("volumes: {}\n")
        self.assertIn("no service with an image", self.kiln("compose", "pin", "compose.yaml", code=2).stderr)
        self.assertIn("has no release 'v9'", self.kiln("compose", "pin", "compose.yaml", "--release", "v9", code=2).stderr)
        self.kiln("compose", "pin", "compose.yaml", "--release", "v1", "--local", code=2)
        for words in (["none.yaml"], ["compose.yaml", "none.yaml"], ["none.yaml", "--override"]):
            self.assertIn("the compose file 'none.yaml' does not exist", self.kiln("compose", "pin", *words, code=2).stderr)


if __name__ == "__main__":
    harness.main()
