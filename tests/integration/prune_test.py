#!/usr/bin/env python3
"""kiln prune --registry against docker-registry: what goes, what stays, and that nothing goes unasked."""

import datetime
import json

import harness

from tests.support.web_server import WebServer


class Prune(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.server = self.registry(delete=True)
        self.prepare()

    def prepare(self):
        """Six daily images of acme/app, 20261101 to 20261106, of a fleet that keeps two."""
        self.repository = f"{self.server.address}/acme/app"
        self.write("fleet/images/fleet.json", json.dumps({
            "registry": self.server.address, "namespace": "acme", "tags": ["{date}", "latest"],
            "profiles": [], "retention": {"last": 2, "daily": 0, "weekly": 0, "monthly": 0}}))
        self.write("fleet/images/app/image.json", '{"kind": "base", "profiles": []}')
        self.write("fleet/images/app/Dockerfile", "FROM scratch\nCOPY base /base\nCOPY day /day\n")
        self.write("fleet/images/app/base", "b" * 5000)
        self.digests = {}
        for day in range(1, 7):
            self.write("fleet/images/app/day", f"{day}" * 1000)
            name = f"{self.repository}:2026110{day}"
            self.kiln("build", "-t", name, "fleet/images/app")
            self.kiln("push", name)
            self.digests[day] = self.kiln("digest", name).stdout.strip()

    def prune(self, *args, **options):
        return self.kiln("prune", "--registry", *args, cwd=self.folder / "fleet", **options)

    def tags(self):
        return sorted(self.kiln("ls", self.repository).stdout.split())

    def test_a_plan_is_shown_and_nothing_deleted_without_yes(self):
        before = self.tags()
        text = self.prune().stdout
        self.assertIn("keep 2, delete 4", text)
        self.assertIn("4 manifests would be deleted", text)
        self.assertEqual(self.prune("--dry-run").stdout, text)
        self.assertIn("give one of them", self.prune("--dry-run", "--yes", code=2).stderr)
        plan = json.loads(self.prune("--json").stdout)
        self.assertEqual((plan["delete_count"], plan["deleted"]), (4, 0))
        deletions = plan["repositories"][0]["delete"]
        self.assertEqual(sorted(entry["digest"] for entry in deletions), sorted(self.digests[day] for day in range(1, 5)))
        self.assertEqual(plan["freed_bytes"], sum(entry["freed_bytes"] for entry in deletions))
        # Two layers an image, one of which all images share.
        image = json.loads(self.kiln("inspect", "--json", f"{self.repository}:20261101").stdout)
        shared = image["manifest"]["layers"][0]["size"]
        self.assertLess(plan["freed_bytes"], 4 * (image["compressed_bytes"] + 4000))
        for entry in deletions:
            raw = self.kiln("inspect", "--raw", f"{self.repository}:{entry['date'].replace('-', '')[:8]}").stdout
            manifest = json.loads(raw)
            parts = sum(layer["size"] for layer in manifest["layers"]) + manifest["config"]["size"] + len(raw.encode())
            self.assertEqual(entry["freed_bytes"], parts - shared)
        self.assertEqual(self.tags(), before)

    def test_yes_deletes_what_the_plan_says(self):
        result = json.loads(self.prune("--json", "--yes").stdout)
        self.assertEqual((result["deleted"], result["left"]), (4, []))
        self.assertEqual(self.tags(), ["20261105", "20261106"])
        for day in (5, 6):
            self.assertEqual(self.pushed_image(f"{self.repository}:2026110{day}").digest, self.digests[day])
        self.assertIn("nothing to delete", self.prune().stdout)

    def test_what_a_fixed_tag_or_an_index_names_stays_with_all_its_tags(self):
        self.kiln("tag", f"{self.repository}:20261101", "latest")
        index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": self.digests[2],
             "size": len(self.kiln("inspect", "--raw", f"{self.repository}:20261102").stdout.encode())}]})
        self.server.put_manifest("acme/app", "20261107", index, "application/vnd.oci.image.index.v1+json")
        self.prune("--yes")
        # The index of the 7th and the image of the 6th are the last two.
        self.assertEqual(self.tags(), ["20261101", "20261102", "20261106", "20261107", "latest"])

    def test_a_prefix_names_repositories_and_the_default_retention_keeps_ten(self):
        plan = json.loads(self.kiln("prune", "--registry", "--json", f"{self.server.address}/acme").stdout)
        self.assertEqual([entry["name"] for entry in plan["repositories"]], [self.repository])
        self.assertEqual(plan["delete_count"], 0)
        with_fleet = json.loads(self.prune("--json", "-f", "images/fleet.json", self.repository).stdout)
        self.assertEqual(with_fleet["delete_count"], 4)

    def test_a_list_that_the_registry_refuses_is_not_taken_for_an_empty_one(self):
        for status in (400, 401, 403, 404):
            server = WebServer().start()
            self.addCleanup(server.stop)
            server.pages = {"/v2/": (200, {}, b"{}"), "/v2/_catalog": (status, {}, b"{}")}
            refused = self.kiln("prune", "--registry", f"{server.address}/acme", "--yes", code=3).stderr
            self.assertIn(f"the registry answered {status}", refused)
            self.assertIn(f"cannot be found; name them one by one: 'kiln prune --registry {server.address}/acme/NAME'", refused)
            # The name may be a repository that can be read all the same.
            server.pages["/v2/acme/tags/list"] = (200, {}, b'{"name": "acme", "tags": []}')
            self.assertIn(f"'{server.address}/acme' alone is looked at", self.kiln("prune", "--registry", f"{server.address}/acme").stderr)

    def test_a_prefix_that_no_repository_has_is_an_error(self):
        refused = self.kiln("prune", "--registry", f"{self.server.address}/elsewhere", code=3).stderr
        self.assertIn("the registry lists no such repository and none below it", refused)

    def test_words_are_checked(self):
        self.assertIn("--registry", self.kiln("prune", code=2).stderr)
        self.assertIn("names one image", self.prune(f"{self.repository}:1", code=2).stderr)


class CacheEntries(harness.KilnTest):
    """A fleet that shares its steps through a repository of the registry."""

    def setUp(self):
        super().setUp()
        self.server = self.registry(delete=True)
        self.cache = f"{self.server.address}/acme/cache"
        self.write("fleet/images/fleet.json", json.dumps({
            "registry": self.server.address, "namespace": "acme", "tags": ["{date}"], "profiles": [], "cache": {"to": [f"type=registry,ref={self.cache}"]},
            "retention": {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}}))
        self.write("fleet/images/app/image.json", '{"kind": "base", "profiles": []}')
        self.write("fleet/images/app/Dockerfile", "FROM scratch\nCOPY base /base\nCOPY day /day\n")
        self.write("fleet/images/app/base", "b" * 5000)
        for day in (1, 2):
            before = set(self.entries())
            self.write("fleet/images/app/day", f"{day}" * 1000)
            name = f"{self.server.address}/acme/app:2026110{day}"
            self.kiln("build", "-t", name, "--cache-to", f"type=registry,ref={self.cache}", "fleet/images/app")
            self.kiln("push", name)
            if day == 1:
                self.shared = self.step_of(self.entries(), "base")
                self.first = self.step_of(self.entries(), "day")
            else:
                self.second = self.step_of(set(self.entries()) - before, "day")

    def step_of(self, tags, name):
        """The entry of the step that copies `name`."""
        found = [tag for tag in tags if self.manifest(tag)["artifactType"].startswith("application/vnd.kiln.step")
                 and f"COPY {name} " in self.content(tag)]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def content(self, tag):
        return self.server.get(f"/v2/acme/cache/blobs/{self.manifest(tag)['config']['digest']}")[2].decode()

    def manifest(self, tag):
        return json.loads(self.server.get(f"/v2/acme/cache/manifests/{tag}", {"Accept": "application/vnd.oci.image.manifest.v1+json"})[2])

    def entries(self):
        status, _, body = self.server.get("/v2/acme/cache/tags/list")
        return json.loads(body)["tags"] if status == 200 else []

    def make_older(self, days, tags=None):
        """As if these entries (all) had been written so many days earlier."""
        for tag in tags or self.entries():
            manifest = self.manifest(tag)
            created = datetime.datetime.fromisoformat(manifest["annotations"]["org.opencontainers.image.created"].replace("Z", "+00:00"))
            manifest["annotations"]["org.opencontainers.image.created"] = (created - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.server.put_manifest("acme/cache", tag, json.dumps(manifest), "application/vnd.oci.image.manifest.v1+json")

    def prune(self, *args):
        return self.kiln("prune", "--registry", *args, cwd=self.folder / "fleet").stdout

    def plan(self):
        repositories = json.loads(self.prune("--json"))["repositories"]
        return next(entry for entry in repositories if entry["name"] == self.cache)

    def test_entries_are_written_with_their_day(self):
        today = datetime.datetime.now(datetime.timezone.utc)
        for tag in self.entries():
            created = self.manifest(tag)["annotations"]["org.opencontainers.image.created"]
            self.assertIn(created, [(today - datetime.timedelta(days=ago)).strftime("%Y-%m-%dT00:00:00Z") for ago in (0, 1)])

    def test_young_entries_stay_whatever_they_are_for(self):
        self.make_older(13)
        self.assertEqual(self.plan()["delete"], [])
        self.assertEqual({entry["reason"] for entry in self.plan()["keep"]}, {"younger than 14 days"})

    def test_old_entries_go_that_no_kept_image_was_built_from(self):
        self.make_older(16)
        plan = self.plan()
        going = {entry["tags"][0]: entry for entry in plan["delete"]}
        self.assertIn(self.first, going)
        self.assertNotIn(self.shared, going)
        self.assertNotIn(self.second, going)
        self.assertEqual({entry["kind"] for entry in plan["delete"] + plan["keep"]}, {"cache entry"})
        manifest = self.manifest(self.first)
        layers = sum(layer["size"] for layer in manifest["layers"])
        self.assertGreaterEqual(going[self.first]["freed_bytes"], layers + manifest["config"]["size"])
        text = self.prune()
        self.assertIn(f"{len(plan['delete'])} cache entr", text)
        self.assertIn("used by a kept image", text)
        kept = sorted(set(self.entries()) - set(going))
        self.prune("--yes")
        self.assertEqual(sorted(self.entries()), kept)

    def test_without_the_build_records_every_old_entry_goes(self):
        self.make_older(16)
        self.home = self.folder / "another-machine"
        self.assertEqual(len(self.plan()["delete"]), len(self.entries()))

    def test_what_a_young_bundle_names_stays_also_for_a_machine_that_built_nothing(self):
        bundles = [tag for tag in self.entries() if self.manifest(tag)["artifactType"].startswith("application/vnd.kiln.bundle")]
        self.assertTrue(bundles)
        self.make_older(16, [tag for tag in self.entries() if tag not in bundles])
        self.home = self.folder / "another-machine"
        plan = self.plan()
        reasons = {entry["tags"][0]: entry["reason"] for entry in plan["keep"]}
        # The first image's own step is in no bundle any more: a build that does not read the cache replaces what it wrote.
        self.assertEqual([entry["tags"] for entry in plan["delete"]], [[self.first]])
        self.assertEqual({reasons.get(tag) for tag in (self.shared, self.second)}, {"used by a kept image"})


class PruneWithoutDelete(Prune):
    """Against a registry that deletes nothing."""

    def setUp(self):
        harness.KilnTest.setUp(self)
        self.server = self.registry(delete=False)
        self.prepare()

    def test_yes_deletes_what_the_plan_says(self):
        before = self.tags()
        self.assertIn("REGISTRY_STORAGE_DELETE_ENABLED", self.prune("--yes", code=3).stderr)
        self.assertEqual(self.tags(), before)

    test_a_plan_is_shown_and_nothing_deleted_without_yes = None
    test_what_a_fixed_tag_or_an_index_names_stays_with_all_its_tags = None
    test_a_prefix_names_repositories_and_the_default_retention_keeps_ten = None
    test_words_are_checked = None


if __name__ == "__main__":
    harness.main()
