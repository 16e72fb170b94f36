#!/usr/bin/env python3
"""Building without a network: --offline, and pushes that are remembered until they can be sent."""

import json

import harness


class Offline(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_programs("skopeo")
        self.server = self.registry()
        self.base = f"{self.server.address}/acme"
        self.write("base/Dockerfile", "FROM scratch\nCOPY Dockerfile /base\n")
        self.write("app/Dockerfile", f"FROM {self.base}/base:1\nCOPY Dockerfile /app\n")
        self.kiln("build", "-t", f"{self.base}/base:1", "--push", "base")
        self.name = f"{self.base}/app:1"

    def pending(self):
        return json.loads(self.kiln("push", "--pending", "--dry-run", "--json").stdout)["targets"]

    def test_what_the_store_lacks_is_named(self):
        fresh = {"KILN_HOME": self.folder / "fresh"}
        missing = self.kiln("build", "--offline", "-t", self.name, "app", code=3, env=fresh)
        self.assertIn(f"{self.base}/base:1", missing.stderr)
        self.assertIn("kiln pull", missing.stderr)
        self.write("url/Dockerfile", f"FROM scratch\nADD http://{self.server.address}/file /\n")
        missing = self.kiln("build", "--offline", "url", code=3)
        self.assertIn(f"http://{self.server.address}/file", missing.stderr)
        self.write("git/Dockerfile", "FROM scratch\nADD https://example.invalid/acme/app.git /\n")
        self.assertIn("acme/app.git", self.kiln("build", "--offline", "git", code=3).stderr)
        self.assertIn("--offline", self.kiln("build", "--offline", "https://example.invalid/acme/app.git", code=3).stderr)
        self.kiln("build", "--offline", "--pull", "app", code=2)

    def test_a_layer_that_was_never_fetched_is_named(self):
        fresh = {"KILN_HOME": self.folder / "fresh"}
        digest = self.kiln("digest", f"{self.base}/base:1").stdout.strip()
        self.write("pinned/Dockerfile", f"FROM {self.base}/base@{digest}\nLABEL a=b\n")
        # Pushed from one repository to another without its base's layer.
        self.kiln("build", "--push", "-t", f"{self.base}/pinned:1", "pinned", env=fresh)
        missing = self.kiln("build", "--offline", "--output", "type=oci,dest=out.tar", "pinned", code=3, env=fresh)
        layer = self.pushed_image(f"{self.base}/base:1").manifest["layers"][0]["digest"]
        self.assertIn(layer, missing.stderr)
        self.assertIn(f"{self.base}/base@{digest}", missing.stderr)
        self.assertIn("--offline", missing.stderr)
        # A push does not need it here: it is mounted when the registry can be reached.
        self.kiln("build", "--offline", "--push", "-t", f"{self.base}/pinned:2", "pinned", env=fresh)
        self.assertIn("pushed", self.kiln("push", "--pending", env=fresh).stdout)
        self.pushed_image(f"{self.base}/pinned:2")

    def test_an_offline_push_is_remembered_and_sent_later(self):
        self.server.pause()
        built = self.kiln("build", "--offline", "--push", "-t", self.name, "app")
        self.assertIn("'kiln push --pending'", built.stderr)
        self.assertEqual([(push["name"], push["problem"]) for push in self.pending()], [(self.name, "--offline")])
        self.assertEqual((self.home / "pending-pushes.json").stat().st_mode & 0o777, 0o600)
        self.server.resume()
        sent = json.loads(self.kiln("push", "--pending", "--json").stdout)["targets"]
        self.assertEqual([(push["name"], push["outcome"]) for push in sent], [(self.name, "pushed")])
        self.assertEqual(self.pushed_image(self.name).digest, sent[0]["digest"])
        self.assertEqual(self.pending(), [])
        self.assertIn("no push is pending", self.kiln("push", "--pending").stdout)

    def test_a_push_that_fails_is_remembered_survives_a_prune_and_is_not_lost_by_failing_again(self):
        self.server.pause()
        failed = self.kiln("build", "--push", "-t", self.name, "app", code=3, timeout=300)
        self.assertIn("1 push is remembered", failed.stderr)
        self.kiln("push", "--pending", code=3, timeout=300)
        self.assertEqual([push["name"] for push in self.pending()], [self.name])
        self.kiln("cache", "prune", "--all")
        self.server.resume()
        self.assertIn(f"pushed {self.name}@", self.kiln("push", "--pending").stdout)
        self.pushed_image(self.name)

    def test_a_push_that_succeeds_otherwise_is_pending_no_more_and_one_can_be_forgotten(self):
        self.kiln("build", "--offline", "--push", "-t", self.name, "-t", f"{self.base}/app:2", "app")
        self.assertEqual(len(self.pending()), 2)
        self.kiln("push", self.name)
        self.assertEqual([push["name"] for push in self.pending()], [f"{self.base}/app:2"])
        self.assertIn("no push of", self.kiln("push", "--pending", self.name, code=2).stderr)
        self.kiln("push", "--pending", "--forget", f"{self.base}/app:2")
        self.assertEqual(self.pending(), [])
        self.kiln("push", code=2)
        self.kiln("push", self.name, "--dry-run", code=2)


if __name__ == "__main__":
    harness.main()
