#!/usr/bin/env python3
"""An image's name without its profile means all its profiles, in every command that takes images."""

import json

import harness
from tests.support.many_services import write_fleet


class ProfileWords(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        self.server = self.registry()
        self.namespace = f"{self.server.address}/acme"
        self.fleet = self.folder / "fleet"
        write_fleet(self.fleet, 2, 1, 1)
        settings = self.fleet / "images/fleet.json"
        settings.write_text(json.dumps(json.loads(settings.read_text()) | {"registry": self.server.address}))
        for number in range(2):
            dockerfile = self.fleet / f"images/service-0{number}/Dockerfile"
            dockerfile.write_text(dockerfile.read_text() + 'HEALTHCHECK CMD true\nCMD ["/bin/sh", "-c", "while :; do sleep 1; done"]\n')
        self.bake()

    def bake(self):
        self.in_fleet("bake", "--push")

    def in_fleet(self, *words, **options):
        return self.kiln(*words, cwd=self.fleet, **options)

    def digest(self, name, tag="latest"):
        return self.kiln("digest", f"{self.namespace}/{name}:{tag}").stdout.strip()

    def profiles(self, image="service-00"):
        return [f"{image}-large", f"{image}-small"]

    def test_a_release_of_an_image_and_a_rollback_of_it_are_of_all_its_profiles(self):
        created = json.loads(self.in_fleet("release", "create", "v1", "service-00", "--json").stdout)
        self.assertEqual([image["name"] for image in created["release"]["images"]], self.profiles())
        before = {name: self.digest(name) for name in self.profiles()}
        (self.fleet / "images/service-00/app/main.py").write_text("changed")
        self.bake()
        self.assertNotEqual(before, {name: self.digest(name) for name in self.profiles()})
        self.in_fleet("rollback", "v1", "service-00")
        self.assertEqual(before, {name: self.digest(name) for name in self.profiles()})
        one = json.loads(self.in_fleet("rollback", "v1", "service-00-small", "--dry-run", "--json").stdout)
        self.assertEqual([move["image"] for move in one["moves"]], ["service-00-small"])
        self.assertIn("holds no image 'service-01'", self.in_fleet("rollback", "v1", "service-01", code=2).stderr)

    def test_each_profile_is_tested_and_the_worst_is_the_exit_code(self):
        verdicts = json.loads(self.in_fleet("test", "service-00", "--json").stdout)
        self.assertEqual([verdict["name"] for verdict in verdicts],
                         [f"{self.namespace}/{name}:latest" for name in self.profiles()])
        self.assertEqual(json.loads(self.in_fleet("test", "service-00-small:latest", "--json").stdout)["name"],
                         f"{self.namespace}/service-00-small:latest")
        dockerfile = self.fleet / "images/service-00/Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("HEALTHCHECK CMD true", "HEALTHCHECK CMD read n < /threads; [ $n = 8 ]"))
        self.bake()
        text = self.in_fleet("test", "service-00", "--timeout", "8", code=1).stdout
        self.assertRegex(text, r"service-00-large:latest@\w+ .*: healthy after")
        self.assertRegex(text, r"service-00-small:latest@\w+ .*: unhealthy after")

    def test_differences_are_told_profile_by_profile(self):
        for name in self.profiles():
            self.kiln("tag", f"{self.namespace}/{name}:latest", f"{self.namespace}/{name}:v1")
        (self.fleet / "images/service-00/app/main.py").write_text("changed")
        self.bake()
        diffs = json.loads(self.in_fleet("diff", "service-00:v1", "service-00", "--json").stdout)
        self.assertEqual([(diff["a"]["name"], diff["b"]["name"]) for diff in diffs],
                         [(f"{self.namespace}/{name}:v1", f"{self.namespace}/{name}:latest") for name in self.profiles()])
        self.assertEqual([[file["path"] for file in diff["files"]["changed"]] for diff in diffs], [["app/main.py"]] * 2)
        one = json.loads(self.in_fleet("diff", "service-00-large:v1", "service-00-large", "--json").stdout)
        self.assertEqual(one["a"]["name"], f"{self.namespace}/service-00-large:v1")

    def test_a_compose_file_that_leaves_the_profile_out_is_told_which_there_are(self):
        self.in_fleet("release", "create", "v1", "service-00")
        self.write("fleet/compose.yaml", f"services:\n  web:\n    image: {self.namespace}/service-00\n")
        for words in ([], ["--local"]):
            text = self.in_fleet("compose", "pin", "compose.yaml", "--dry-run", *words, code=1).stdout
            self.assertIn(f"not pinned: '{self.namespace}/service-00' is published for each of its profiles; name one of "
                          f"{self.namespace}/service-00-large, {self.namespace}/service-00-small", text)

    def test_a_compose_file_that_leaves_the_profile_out_gets_the_only_one_that_was_released(self):
        self.in_fleet("release", "create", "v1", "service-00-small")
        before = f"services:\n  web:\n    image: '{self.namespace}/service-00:latest'  # here\n  db: {{image: elsewhere/service-00}}\n"
        path = self.write("fleet/compose.yaml", before)
        self.in_fleet("compose", "pin", "compose.yaml")
        pinned = f"{self.namespace}/service-00-small:latest@{self.digest('service-00-small')}"
        self.assertEqual(path.read_text(), before.replace(f"{self.namespace}/service-00:latest", pinned))
        self.in_fleet("compose", "pin", "compose.yaml")
        self.assertIn(pinned, path.read_text())
        self.in_fleet("compose", "pin", "compose.yaml", "--restore")
        self.assertIn("service-00", path.read_text())
        path.write_text(before)
        self.in_fleet("compose", "pin", "compose.yaml", "--override")
        self.assertIn(pinned, (self.fleet / "compose.pins.yaml").read_text())

    def test_a_name_that_the_store_has_is_that_image(self):
        self.write("other/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.kiln("build", "-t", "service-00", "other")
        self.assertIn("--- docker.io/library/service-00:latest@", self.in_fleet("diff", "--local", "service-00", "service-00").stdout)


if __name__ == "__main__":
    harness.main()
