#!/usr/bin/env python3
"""A shared cache loses layers between the look-up of a build and its push: the steps are executed again, and the image is pushed."""

import harness

from tests.support.http_cache import BazelRemote


class LosingCache(BazelRemote):
    """Says of all layers that they are there, and has those of `lost` no more when they are fetched."""

    def __init__(self):
        super().__init__()
        self.lost = set()

    def answer(self, method, path, body):
        return (404, b"") if method == "GET" and path.rsplit("/", 1)[-1] in self.lost else super().answer(method, path, body)


class LostLayers(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.images = self.registry()
        self.cache = LosingCache()
        self.addCleanup(self.cache.stop)
        self.write("context/Dockerfile", "FROM scratch\nCOPY a /\nCOPY b /\nCOPY c /\n")
        for name in "abc":
            self.write(f"context/{name}", name * 1000)

    def build(self, machine, tag, *args):
        return self.kiln("build", "--progress", "plain", "--cache-from", f"type=http,url={self.cache.url}", "--cache-to",
                         f"type=http,url={self.cache.url},mode=max", "-t", f"{self.images.address}/acme/app:{tag}", *args,
                         self.folder / "context", env={"KILN_HOME": str(self.folder / machine), "SOURCE_DATE_EPOCH": "1"})

    def test_a_push_whose_layer_the_cache_has_lost_makes_it_again(self):
        self.build("first", "seen", "--push")
        whole = self.pushed_image(f"{self.images.address}/acme/app:seen")
        other = self.registry()
        # To a registry that has none of it, from a machine that has none of it.
        self.images = other
        self.cache.lost = {whole.manifest["layers"][1]["digest"].split(":")[1]}
        result = self.build("second", "healed", "--push")
        self.assertIn("no cache has the layer of 'COPY b /' any more; the step is executed again", result.output)
        self.assertNotIn("'COPY a /' any more", result.output)
        # What was made good is no failure: neither its transfer, nor a push that is remembered.
        self.assertNotRegex(result.output, r"(?m)^#\d+ ERROR")
        self.assertNotIn("remembered", result.output)
        again = self.pushed_image(f"{other.address}/acme/app:healed")
        self.assertEqual(again.manifest, whole.manifest)
        self.assertIn(f"{other.address}/acme/app:healed", (self.folder / "second/oci/index.json").read_text())


if __name__ == "__main__":
    harness.main()
