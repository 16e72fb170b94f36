#!/usr/bin/env python3
"""The commands that move, name and show images, against docker-registry, with skopeo as the second opinion."""

import hashlib
import json
import os

import harness
from tests.hostile.answer_server import MANIFEST, AnswerServer

INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


class RegistryCommands(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_programs("skopeo")
        self.server = self.registry()
        self.name = f"{self.server.address}/acme/app:1"
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /a\nCOPY b /b\nENV COLOUR=blue\nUSER 1000\nCMD [\"/a\"]\n")
        self.write("app/a", "first")
        self.write("app/b", "second")
        self.kiln("build", "-t", self.name, "app")

    def skopeo_digest(self, name):
        raw = self.run_program("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}").stdout
        return "sha256:" + hashlib.sha256(raw.encode()).hexdigest()

    def pushed(self):
        self.kiln("push", self.name)
        return self.skopeo_digest(self.name)

    def test_what_is_pushed_is_what_the_store_has(self):
        stored = self.stored_image(self.name)
        first = json.loads(self.kiln("push", "--json", self.name).stdout)
        self.assertEqual(first["targets"], [{"name": self.name, "digest": stored.digest, "outcome": "pushed"}])
        self.assertGreater(first["wire"]["pushed_bytes"], 0)
        self.assertEqual(self.pushed_image(self.name).digest, stored.digest)
        again = json.loads(self.kiln("push", "--json", self.name).stdout)
        self.assertEqual((again["targets"][0]["outcome"], again["wire"]["pushed_bytes"]), ("unchanged", 0))

    def test_an_image_is_pushed_under_other_names(self):
        others = [f"{self.server.address}/acme/{name}" for name in ("other:2", "app:3")]
        self.kiln("push", self.name, *others)
        self.assertEqual(self.skopeo_digest(others[0]), self.skopeo_digest(others[1]))

    def test_a_name_that_an_image_gets_holds_no_other_images_digest(self):
        name, other = self.name.rsplit(":", 1)[0], "sha256:" + 64 * "0"
        for digested in (f"{name}@{other}", f"{name}:2@{other}"):
            for command in (("build", "-t", digested, "app"), ("build", "-o", f"type=image,name={digested}", "app"), ("tag", "--local", self.name, digested)):
                self.assertIn("holds no digest, which the image decides", self.kiln(*command, code=2).stderr)
            self.assertIn("names another image", self.kiln("push", self.name, digested, code=2).stderr)
        self.assertEqual(self.kiln("push", "--pending", "--dry-run").stdout, "no push is pending\n")
        digest = self.pushed()
        for digested in (f"{name}@{other}", f"{name}:2@{other}"):
            self.assertIn("names another image", self.kiln("copy", self.name, digested, code=2).stderr)
        self.assertEqual(self.kiln("ls", name).stdout, "1\n")
        self.assertEqual(self.kiln("push", self.name, f"{name}@{digest}").stdout, f"unchanged {name}@{digest}\n")

    def test_a_name_that_the_store_does_not_have_is_answered_with_the_nearest(self):
        result = self.kiln("push", self.name.replace("app", "apb"), code=2)
        self.assertIn(f"did you mean '{self.name}'", result.stderr)

    def test_a_pulled_image_is_whole_and_named_in_the_store(self):
        digest = self.pushed()
        self.home = self.folder / "other-home"
        self.assertEqual(self.kiln("pull", self.name).stdout, f"{self.name.rsplit(':', 1)[0]}@{digest}\n")
        self.assertEqual(self.stored_image(self.name).digest, digest)
        self.assert_store_is_sound()
        self.assertEqual(json.loads(self.kiln("images", "--json").stdout)[0]["digest"], digest)

    def test_what_is_not_at_the_registry_is_exit_code_3(self):
        for command in (("pull",), ("inspect",), ("digest",), ("history",), ("test", "--pull")):
            self.kiln(*command, f"{self.server.address}/acme/none:1", code=3)
        self.kiln("ls", f"{self.server.address}/acme/none", code=3)
        self.kiln("pull", "not a name", code=2)

    def test_an_error_of_a_push_names_the_image_once(self):
        self.server.pause()
        for command in (("push", self.name), ("build", "--push", "-t", self.name, "app")):
            self.assertEqual(self.kiln(*command, code=3).stderr.count("while pushing"), 1)

    def test_tags_come_and_are_listed(self):
        digest = self.pushed()
        self.kiln("tag", self.name, "stable", f"{self.server.address}/acme/app:prod")
        repository = self.name.rsplit(":", 1)[0]
        self.assertEqual(sorted(self.kiln("ls", repository).stdout.split()), ["1", "prod", "stable"])
        self.assertEqual(json.loads(self.kiln("ls", "--json", repository).stdout)["repository"], repository)
        self.assertEqual(self.skopeo_digest(f"{repository}:prod"), digest)
        self.assertIn("kiln copy", self.kiln("tag", self.name, f"{self.server.address}/acme/elsewhere:1", code=2).stderr)
        self.assertIn("kiln tag", self.kiln("tag", self.name, code=2).stderr)

    def test_the_stores_names_come_and_go_without_a_registry(self):
        self.server.pause()
        self.kiln("tag", "--local", self.name, "acme/second:1")
        names = [image["name"] for image in json.loads(self.kiln("images", "--json").stdout)]
        self.assertEqual(sorted(names), sorted([self.name, "docker.io/acme/second:1"]))
        self.kiln("untag", "--local", self.name)
        self.assertNotIn(self.name, self.kiln("images").stdout)
        self.kiln("untag", "--local", self.name, code=2)
        self.assertEqual(self.kiln("digest", "--local", "acme/second:1").stdout.strip(), self.stored_image("docker.io/acme/second:1").digest)

    def test_untagging_never_takes_other_tags_along(self):
        self.pushed()
        self.kiln("tag", self.name, "kept")
        # docker-registry deletes manifests by digest only, and refuses tags.
        self.kiln("untag", self.name, code=3)
        self.assertIn("names no tag", self.kiln("untag", f"{self.name.rsplit(':', 1)[0]}@sha256:{'0' * 64}", code=2).stderr)
        self.assertEqual(self.skopeo_digest(self.name.rsplit(":", 1)[0] + ":kept"), self.skopeo_digest(self.name))

    def test_a_copy_within_a_registry_mounts_and_one_between_registries_streams(self):
        digest = self.pushed()
        self.home = self.folder / "other-home"
        inside = f"{self.server.address}/acme/copied:1"
        wire = json.loads(self.kiln("copy", "--json", self.name, inside).stdout)["wire"]
        self.assertGreater(wire["mounted_bytes"], 0)
        self.assertEqual(self.pushed_image(inside).digest, digest)
        second = self.registry()
        outside = f"{second.address}/acme/app:1"
        self.kiln("copy", self.name, outside)
        self.assertEqual(self.pushed_image(outside).digest, digest)
        image = self.pushed_image(outside)
        for layer in image.manifest["layers"]:
            self.assertFalse((self.home / "oci/blobs/sha256" / layer["digest"][7:]).exists(), "a layer went to the disk")

    def test_digest_and_inspect_say_what_skopeo_says(self):
        digest = self.pushed()
        self.assertEqual(self.kiln("digest", self.name).stdout.strip(), digest)
        raw = self.kiln("inspect", "--raw", self.name).stdout
        self.assertEqual("sha256:" + hashlib.sha256(raw.encode()).hexdigest(), digest)
        shown = json.loads(self.kiln("inspect", "--json", self.name).stdout)
        theirs = json.loads(self.run_program("skopeo", "inspect", "--tls-verify=false", f"docker://{self.name}").stdout)
        self.assertEqual(shown["digest"], theirs["Digest"])
        self.assertEqual([layer["digest"] for layer in shown["manifest"]["layers"]], theirs["Layers"])
        self.assertEqual(shown["config"]["config"]["Env"], theirs["Env"])
        self.assertEqual(shown["compressed_bytes"], sum(layer["size"] for layer in shown["manifest"]["layers"]))
        text = self.kiln("inspect", self.name).stdout
        for word in (digest, "COLOUR=blue", "linux/", "2 layers"):
            self.assertIn(word, text)
        self.server.pause()
        self.assertEqual(json.loads(self.kiln("inspect", "--local", "--json", self.name).stdout), shown)

    def test_the_history_names_each_layer_with_its_size(self):
        self.pushed()
        entries = json.loads(self.kiln("history", "--json", self.name).stdout)
        layers = json.loads(self.kiln("inspect", "--json", self.name).stdout)["manifest"]["layers"]
        self.assertEqual([(entry["digest"], entry["bytes"]) for entry in entries if entry["digest"]],
                         [(layer["digest"], layer["size"]) for layer in layers])
        self.assertIn("COPY a /a", self.kiln("history", "--local", self.name).stdout)

    def test_the_last_report_is_printed_again(self):
        report = json.loads(self.kiln("report", "--json").stdout)
        self.assertEqual(len(report["images"]), 1)
        self.assertEqual(self.kiln("report").code, 0)
        path = self.write("report.json", json.dumps(report))
        self.assertEqual(json.loads(self.kiln("report", "--json", path).stdout), report)
        self.home = self.folder / "other-home"
        self.assertIn("no report", self.kiln("report", code=2).stderr)


class Login(harness.KilnTest):
    def test_logging_in_lets_push_and_logging_out_does_not(self):
        self.need_programs("skopeo")
        server = self.registry(user=("kiln", "Canary-77"))
        name = f"{server.address}/acme/app:1"
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /a\n")
        self.write("app/a", "1")
        self.kiln("build", "-t", name, "app")
        self.kiln("push", name, code=3)
        wrong = self.kiln("login", server.address, "-u", "kiln", "--password-stdin", stdin="Wrong-88\n", code=3)
        self.assertNotIn("Wrong-88", wrong.output)
        self.assertFalse((self.folder / ".docker/config.json").exists())
        right = self.kiln("login", server.address, "-u", "kiln", "--password-stdin", stdin="Canary-77\n")
        self.assertNotIn("Canary-77", right.output)
        self.assertEqual(os.stat(self.folder / ".docker/config.json").st_mode & 0o777, 0o600)
        self.assertNotIn("Canary-77", self.kiln("push", name).output)
        self.assertEqual(self.pushed_image(name, user=("kiln", "Canary-77")).digest, self.stored_image(name).digest)
        self.kiln("logout", server.address)
        self.kiln("digest", name, code=3)

    def test_a_password_is_taken_from_standard_input_only(self):
        self.assertIn("--password-stdin", self.kiln("login", "ghcr.io", "-u", "kiln", code=2).stderr)
        self.assertIn("-u", self.kiln("login", "ghcr.io", "--password-stdin", stdin="x", code=2).stderr)
        self.assertIn("HOST[:PORT]", self.kiln("login", "https://ghcr.io/acme", "-u", "k", "--password-stdin", stdin="x", code=2).stderr)


class WideIndexes(harness.KilnTest):
    """Indexes by hand, of a registry that is read only: `kiln index create --dry-run` reads all that they hold."""

    def setUp(self):
        super().setUp()
        self.server = AnswerServer()
        self.server.answers["/v2/"] = (200, {}, b"{}")
        self.addCleanup(self.server.stop)
        self.config = self.put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}), CONFIG, "blobs")

    def put(self, text, media_type, kind="manifests", name=None):
        digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        for key in filter(None, (digest, name)):
            self.server.answers[f"/v2/acme/base/{kind}/{key}"] = (200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, text.encode())
        return {"mediaType": media_type, "digest": digest, "size": len(text)}

    def manifest(self, number=0):
        return self.put(json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": self.config, "layers": [], "annotations": {"n": str(number)}}), MANIFEST)

    def index(self, children, name=None):
        return self.put(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}), INDEX, name=name)

    def create(self, code):
        return self.kiln("index", "create", "--dry-run", f"{self.server.address}/acme/all:1", f"{self.server.address}/acme/base:1", code=code)

    def test_a_manifest_that_indexes_lead_to_in_many_ways_is_fetched_once(self):
        part = self.manifest()
        for _ in range(3):
            part = self.index([part] * 60)
        self.index([part] * 60, name="1")
        self.create(0)
        self.assertLess(len(self.server.requests), 20)

    def test_indexes_nested_more_than_4_deep_are_refused(self):
        part = self.manifest()
        for _ in range(4):
            part = self.index([part])
        self.index([part], name="1")
        self.assertIn("its indexes are nested more than 4 deep", self.create(3).stderr)

    def test_an_index_of_more_than_1000_manifests_is_refused(self):
        self.index([self.manifest(number) for number in range(1000)], name="1")
        self.assertIn("it has more than 1000 manifests", self.create(3).stderr)


if __name__ == "__main__":
    harness.main()
