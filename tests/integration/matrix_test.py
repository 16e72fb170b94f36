#!/usr/bin/env python3
"""kiln matrix: waves of jobs, with what the registry already has left out, and bake --pin, which holds builds to one another."""

import json
import shutil

import harness


class MatrixTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        self.fleet = self.folder / "fleet"
        self.server = self.registry()
        self.namespace = f"{self.server.address}/acme"
        self.write("fleet/images/fleet.json", json.dumps({
            "registry": self.server.address, "namespace": "acme", "platform": "linux/amd64", "compression": "gzip",
            "repository": "{image}-{profile}", "tags": ["latest"]}))
        self.write("fleet/images/base/image.json", json.dumps({"kind": "base"}))
        self.write("fleet/images/base/Dockerfile", "FROM scratch\nCOPY busybox /bin/sh\n")
        shutil.copy(shutil.which("busybox"), self.fleet / "images/base/busybox")
        for name in ("one", "two"):
            self.write(f"fleet/images/{name}/image.json", json.dumps({"kind": "service"}))
            self.write(f"fleet/images/{name}/Dockerfile", "FROM base\nCOPY app /app\n")
            self.write(f"fleet/images/{name}/app", name)
            self.write(f"fleet/images/{name}/NOTES", "not copied")

    def matrix(self, *args):
        return json.loads(self.kiln("matrix", "--format", "json", *args, cwd=self.fleet).stdout)

    def targets(self, matrix):
        return [[row["target"] for row in wave["include"]] for wave in matrix["waves"]]

    def test_lines_for_github_are_matrices_of_every_wave(self):
        text = self.kiln("matrix", "--format", "github", "--runner", "self-hosted", cwd=self.fleet).stdout
        lines = dict(line.split("=", 1) for line in text.splitlines())
        self.assertEqual([lines[f"wave{i}"] == '{"include":[]}' for i in range(6)], [False, False, True, True, True, True])
        row = json.loads(lines["wave1"])["include"][0]
        self.assertEqual((row["target"], row["image"], row["profile"], row["platform"], row["runner"]),
                         ("one", "one", "", "linux/amd64", "self-hosted"))
        self.assertRegex(row["parents"], rf"^base={self.namespace}/base:inputs-[0-9a-f]{{32}}$")
        self.assertEqual(lines["changed"], "base one two")

    def test_what_the_registry_has_is_left_out_until_an_input_changes(self):
        self.assertEqual(self.targets(self.matrix()), [["base"], ["one", "two"]])
        self.kiln("bake", "base", "one", "two", "--push", "--inputs-tag", cwd=self.fleet)
        matrix = self.matrix()
        self.assertEqual(self.targets(matrix), [])
        self.assertEqual([item["target"] for item in matrix["unchanged"]], ["base", "one", "two"])
        self.write("fleet/images/one/NOTES", "no COPY names this file")
        self.assertEqual(self.targets(self.matrix()), [])
        self.write("fleet/images/one/app", "changed")
        matrix = self.matrix()
        self.assertEqual(self.targets(matrix), [["one"]])
        self.assertRegex(matrix["waves"][0]["include"][0]["parents"], rf"^base={self.namespace}/base@sha256:[0-9a-f]{{64}}$")
        self.assertEqual(self.targets(self.matrix("--all")), [["base"], ["one", "two"]])
        self.write("fleet/images/one/app", "one")
        self.assertEqual(self.targets(self.matrix()), [])
        self.write("fleet/images/base/Dockerfile", "FROM scratch\nCOPY busybox /bin/busybox\n")
        self.assertEqual(self.targets(self.matrix()), [["base"], ["one", "two"]])

    def test_unchanged_images_get_the_tags_of_the_build(self):
        self.kiln("bake", "--push", "--inputs-tag", cwd=self.fleet)
        self.write("fleet/images/fleet.json", json.dumps({
            "registry": self.server.address, "namespace": "acme", "platform": "linux/amd64", "compression": "gzip",
            "repository": "{image}-{profile}", "tags": ["next"]}))
        before = self.kiln("digest", f"{self.namespace}/one:latest").stdout
        self.kiln("digest", f"{self.namespace}/one:next", code=3)
        self.matrix("--tag-unchanged")
        self.assertEqual(self.kiln("digest", f"{self.namespace}/one:next").stdout, before)

    def test_a_pin_holds_a_build_to_what_was_pushed(self):
        self.kiln("bake", "base", "--push", cwd=self.fleet)
        good = self.kiln("digest", f"{self.namespace}/base:latest").stdout.strip()
        self.kiln("bake", "one", "--pin", f"base={self.namespace}/base@{good}", cwd=self.fleet)
        self.kiln("bake", "one", "--pin", f"base={self.namespace}/base:latest", cwd=self.fleet)
        self.write("fleet/images/base/Dockerfile", "FROM scratch\nCOPY busybox /bin/busybox\n")
        result = self.kiln("bake", "one", "--push", "--pin", f"base={self.namespace}/base@{good}", cwd=self.fleet, code=1)
        self.assertIn("is pinned to", result.stderr)
        self.kiln("digest", f"{self.namespace}/one:latest", code=3)
        result = self.kiln("bake", "one", "--pin", "bse=x", cwd=self.fleet, code=2)
        self.assertIn("did you mean 'base'?", result.stderr)

    def test_a_registry_that_does_not_answer_leaves_nothing_out(self):
        self.server.stop()
        result = self.kiln("matrix", "--format", "json", cwd=self.fleet)
        self.assertEqual(self.targets(json.loads(result.stdout)), [["base"], ["one", "two"]])
        self.assertIn("is built because the registry did not answer", result.stderr)


if __name__ == "__main__":
    harness.main()
