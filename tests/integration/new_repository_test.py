#!/usr/bin/env python3
"""A new service or profile at a registry that has its base: the base's layers are mounted, kilobytes are sent. By what the store saw
before, by the fleet's definitions on a machine that saw nothing, and by sending them where the registry mounts nothing."""

import json
import random
import re
import shutil

import harness

ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
BASE_BYTES = 3_000_000
FEW_BYTES = 20_000


class NewRepository(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.server = self.registry()
        self.namespace = f"{self.server.address}/shop"
        self.write("images/fleet.json", json.dumps({"registry": self.server.address, "namespace": "shop"}))
        # Bytes that no compression makes small.
        self.write("images/base-app/payload", random.Random(1).randbytes(BASE_BYTES))
        self.image("base-app", "FROM scratch\nCOPY payload /payload\n", kind="base")
        self.image("worker", "FROM base-app\nCOPY Dockerfile /worker\n")

    def image(self, name, dockerfile, **definition):
        self.write(f"images/{name}/Dockerfile", dockerfile)
        self.write(f"images/{name}/image.json", json.dumps({"kind": "service", **definition}))

    def bake(self, *targets, home=None, **options):
        env = {"KILN_HOME": self.folder / home} if home else {}
        return self.kiln("bake", "--progress", "plain", *targets, "--push", env=env, **options)

    def blobs(self, repository):
        status, _, body = self.server.get(f"/v2/shop/{repository}/manifests/latest", ACCEPT)
        self.assertEqual(status, 200, repository)
        manifest = json.loads(body)
        return {blob["digest"]: blob["size"] for blob in (manifest["config"], *manifest["layers"])}

    def sent_bytes(self, repository):
        """Of the blobs that were put into a repository, by the registry's own log."""
        sizes = self.blobs(repository)
        puts = re.findall(rf'"PUT /v2/shop/{repository}/blobs/uploads/\S*digest=(sha256)(?:%3A|:)([0-9a-f]{{64}})\S* HTTP/1\.1" 201', self.server.log())
        return sum(sizes[f"{algorithm}:{digest}"] for algorithm, digest in puts)

    def assert_little_was_sent(self, repository):
        self.assertGreater(sum(self.blobs(repository).values()), BASE_BYTES)
        self.assertLess(self.sent_bytes(repository), FEW_BYTES)
        self.pushed_image(f"{self.namespace}/{repository}:latest")

    def test_a_new_service_sends_kilobytes(self):
        self.bake()
        self.assertGreater(self.sent_bytes("base-app"), BASE_BYTES)
        self.image("extra", "FROM base-app\nCOPY Dockerfile /extra\n")
        self.bake("extra")
        self.assert_little_was_sent("extra")
        # The same beside those that are at the registry already.
        self.image("further", "FROM base-app\nCOPY Dockerfile /further\n")
        self.bake()
        self.assert_little_was_sent("further")

    def test_a_new_profile_sends_kilobytes(self):
        self.bake()
        self.write("profiles/mainpc.json", json.dumps({"OMP_NUM_THREADS": "4"}))
        self.image("worker", "FROM base-app\nCOPY Dockerfile /worker\n", profiles=["mainpc"])
        self.bake("worker", "--profile", "mainpc")
        self.assert_little_was_sent("worker-mainpc")

    def test_a_machine_that_saw_nothing_mounts_from_the_images_that_the_definitions_name(self):
        self.bake()
        self.image("middle", "FROM base-app\nENV A=1\n", kind="base")
        self.image("extra", "FROM middle\nCOPY Dockerfile /extra\n")
        self.bake("extra", home="fresh")
        self.assert_little_was_sent("extra")

    def test_an_image_of_no_fleet_sends_kilobytes(self):
        for name in ("first", "second"):
            self.kiln("build", "--push", "-t", f"{self.namespace}/{name}:latest", "images/base-app")
        self.assertGreater(self.sent_bytes("first"), BASE_BYTES)
        self.assert_little_was_sent("second")
        self.kiln("push", f"{self.namespace}/first:latest", f"{self.namespace}/copied:latest")
        self.assert_little_was_sent("copied")

    def test_a_repository_that_is_gone_costs_an_upload(self):
        self.bake()
        self.server.pause()  # it remembers what it had
        shutil.rmtree(self.server.data / "docker/registry/v2/repositories/shop")
        self.server.resume()
        self.image("extra", "FROM base-app\nCOPY Dockerfile /extra\n")
        self.bake("extra")
        self.assertGreater(self.sent_bytes("extra"), BASE_BYTES)
        self.pushed_image(f"{self.namespace}/extra:latest")


if __name__ == "__main__":
    harness.main()
