#!/usr/bin/env python3
"""Releases of a fleet at a docker-registry: create, list, show, verify."""

import hashlib
import json

import harness


class ReleaseTest(harness.KilnTest):
    """A fleet of two images and two profiles, pushed to a registry of its own."""

    def setUp(self):
        super().setUp()
        self.need_programs("skopeo")
        self.server = self.registry(delete=True)
        self.base = f"{self.server.address}/acme"
        self.write("images/fleet.json", json.dumps({
            "registry": self.server.address, "namespace": "acme", "repository": "{image}-{profile}", "tags": ["latest"],
            "profiles": ["mainpc", "pc2"], "profiles_folder": "../profiles"}))
        for profile, workers in (("mainpc", "8"), ("pc2", "2")):
            self.write(f"profiles/{profile}.json", json.dumps({"UVICORN_WORKERS": workers}))
        self.write("images/common/image.json", json.dumps({"kind": "base", "dockerfile": "Dockerfile", "context": "."}))
        self.write("images/common/Dockerfile", "FROM scratch\nCOPY data /data\n")
        self.write("images/common/data", "the same for all")
        self.write("images/service/image.json", json.dumps({"kind": "service", "dockerfile": "Dockerfile", "context": "."}))
        self.write("images/service/Dockerfile", "FROM common\nCOPY app /app\n")
        self.bake("one")
        self.repositories = [f"{self.base}/{name}" for name in ("common", "service-mainpc", "service-pc2")]

    def bake(self, text):
        self.write("images/service/app", text)
        self.kiln("bake", "--push")

    def create(self, name, *words, code=0):
        result = self.kiln("release", "create", name, "--json", *words, code=code)
        return json.loads(result.stdout) if code == 0 else result

    def digest(self, name):
        """What a tag names, by skopeo; None where there is no such tag."""
        result = self.run_program("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}", code=None)
        return "sha256:" + hashlib.sha256(result.stdout.encode()).hexdigest() if result.code == 0 else None

    def digests(self, tag):
        return {repository: self.digest(f"{repository}:{tag}") for repository in self.repositories}

    def registry_blob(self, digest):
        return self.server.data / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}"


class Releases(ReleaseTest):
    def test_a_release_records_tags_and_writes_what_was_published(self):
        before = self.digests("latest")
        created = self.create("v1")
        self.assertEqual({image["repository"]: image["digest"] for image in created["release"]["images"]}, before)
        self.assertEqual(self.digests("v1"), before)
        self.assertEqual({tag["outcome"] for tag in created["tags"]}, {"new"})
        self.assertGreater(created["verified"]["blobs"], 0)
        self.assertEqual(json.loads((self.folder / "releases/v1.json").read_text()), created["release"])
        manifest = json.loads(self.run_program("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.base}/releases:v1").stdout)
        self.assertEqual(manifest["artifactType"], "application/vnd.kiln.release.v1+json")
        self.assertEqual(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json")
        payload = self.registry_blob(manifest["layers"][0]["digest"]) / "data"
        self.assertEqual(json.loads(payload.read_text()), created["release"])
        self.assertEqual(self.digest(f"{self.base}/releases:v1"), created["artifact"])

    def test_creating_it_once_more_changes_nothing(self):
        first = self.create("v1")
        again = self.create("v1")
        self.assertEqual((again["release"], again["artifact"]), (first["release"], first["artifact"]))
        self.assertEqual({tag["outcome"] for tag in again["tags"]}, {"unchanged"})

    def test_a_name_that_stands_for_other_images_is_refused_unless_forced(self):
        first = self.create("v1")
        before = self.digests("v1")
        self.bake("two")
        refused = self.create("v1", code=2)
        self.assertIn("--force", refused.stderr)
        self.assertIn(f"{self.base}/service-pc2:v1 names {before[f'{self.base}/service-pc2']}", refused.stderr)
        self.assertEqual(self.digests("v1"), before)
        self.assertEqual(self.digest(f"{self.base}/releases:v1"), first["artifact"])
        shown = self.create("v1", "--dry-run")
        self.assertEqual(len(shown["conflicts"]), 3)
        self.assertEqual(self.digests("v1"), before)
        forced = self.create("v1", "--force")
        self.assertEqual(self.digests("v1"), self.digests("latest"))
        self.assertNotEqual(forced["artifact"], first["artifact"])
        self.assertEqual([tag["outcome"] for tag in forced["tags"]], ["unchanged", "moved", "moved"])

    def test_a_dry_run_shows_everything_and_changes_nothing(self):
        shown = self.create("v1", "--dry-run")
        self.assertTrue(shown["dry_run"])
        self.assertEqual(set(self.digests("v1").values()), {None})
        self.assertFalse((self.folder / "releases").exists())
        self.assertIn("nothing was changed", self.kiln("release", "create", "v1", "--dry-run").stdout)
        self.assertEqual(json.loads(self.kiln("release", "list", "--json").stdout), [])

    def test_an_image_that_is_missing_or_not_whole_is_named_and_nothing_is_tagged(self):
        layer = self.pushed_image(f"{self.base}/service-pc2:latest").manifest["layers"][-1]["digest"]
        links = list(self.server.data.glob(f"**/service-pc2/_layers/sha256/{layer[7:]}"))
        self.assertEqual(len(links), 1)
        for link in links[0].iterdir():
            link.unlink()
        self.server.pause()
        self.server.resume()
        refused = self.create("v1", code=3)
        self.assertIn("not whole", refused.stderr)
        self.assertIn(f"blob '{layer}'", refused.stderr)
        self.assertEqual(set(self.digests("v1").values()), {None})
        refused = self.create("v1", "--from", "never-pushed", code=3)
        self.assertIn("3 of 3 images are not at the registry", refused.stderr)
        self.assertIn(f"{self.base}/common:never-pushed", refused.stderr)

    def test_images_and_a_tag_can_be_named(self):
        created = self.create("v1", "common", "--record", "only.json")
        self.assertEqual([image["name"] for image in created["release"]["images"]], ["common"])
        self.assertEqual(json.loads((self.folder / "only.json").read_text()), created["release"])
        self.kiln("tag", f"{self.base}/common:latest", "candidate")
        self.assertEqual(self.create("v2", "common", "--from", "candidate")["release"]["images"][0]["tag"], "candidate")
        self.assertIn("did you mean", self.create("v3", "comon", code=2).stderr)
        self.assertIn("cannot name a release", self.create("a/b", code=2).stderr)

    def test_releases_are_listed_shown_and_verified(self):
        first = self.create("v1")
        self.bake("two")
        self.create("v2")
        listed = json.loads(self.kiln("release", "list", "--json").stdout)
        self.assertEqual([entry["release"]["name"] for entry in listed], ["v1", "v2"])
        self.assertEqual(listed[0], {"release": first["release"], "artifact": first["artifact"]})
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        self.assertIn("v2", self.kiln("release", "list", "--registry", self.base, cwd=elsewhere).stdout)
        self.assertEqual(json.loads(self.kiln("release", "show", "v1", "--json").stdout), first["release"])
        self.assertIn(first["release"]["images"][0]["digest"], self.kiln("release", "show", "v1").stdout)
        self.assertIn("known: v1, v2", self.kiln("release", "show", "v3", code=2).stderr)
        self.assertTrue(json.loads(self.kiln("release", "verify", "v1", "--json").stdout)["whole"])

    def test_verifying_finds_a_moved_tag_and_a_lost_blob(self):
        self.create("v1")
        self.bake("two")
        self.kiln("tag", f"{self.base}/service-pc2:latest", "v1")
        broken = self.kiln("release", "verify", "v1", code=1)
        self.assertIn(f"whole {self.base}/common@", broken.stdout)
        self.assertIn(f"broken {self.base}/service-pc2@", broken.stdout)
        self.assertIn("tag 'v1': expected", broken.stdout)
        result = json.loads(self.kiln("release", "verify", "v1", "--json", code=1).stdout)
        self.assertEqual([bool(image["problems"]) for image in result["images"]], [False, False, True])

    def test_a_bake_files_images_are_released_by_their_own_tags(self):
        self.write("other/docker-bake.json", json.dumps({"target": {"web": {"context": ".", "tags": [f"{self.base}/web:7"]}},
                                                         "group": {"default": {"targets": ["web"]}}}))
        self.write("other/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        folder = self.folder / "other"
        self.kiln("bake", "--push", cwd=folder)
        self.kiln("release", "create", "v1", cwd=folder)
        self.assertEqual(self.digest(f"{self.base}/web:v1"), self.digest(f"{self.base}/web:7"))
        self.assertTrue((folder / "releases/v1.json").is_file())


if __name__ == "__main__":
    harness.main()
