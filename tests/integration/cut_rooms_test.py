#!/usr/bin/env python3
"""Steps whose layers are cut along packages, in every command that shows, moves or keeps layers: each layer is one of its own there,
under the name of what it holds."""

import json
import re

import harness

from tests.support.cut_steps import LARGE, SITE, install_python

DOCKERFILE = f"""\
FROM base
RUN {{install}}; echo o >/own
RUN cat {SITE}/idna/__init__.py /own >/seen
"""


class CutRooms(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.tiny_base()
        self.write("app/file", "file\n")

    def build(self, name, *flags, torch="2.3.1", idna="3.6", more="", dockerfile=DOCKERFILE, home=None):
        install = "; ".join([install_python("torch", torch, LARGE), install_python("idna", idna), *([more] if more else [])])
        self.write("app/Dockerfile", dockerfile.replace("{install}", install))
        return self.kiln("build", "--progress", "plain", "--layers", "package", "--build-context", f"base=oci-layout://{self.folder / 'base'}:base",
                         "-t", name, *flags, "app", env={"KILN_HOME": self.folder / home} if home else {})

    def parts(self, image):
        return [line.rpartition(" # ")[2] for line in (entry["created_by"] for entry in image.config["history"] if not entry.get("empty_layer"))]

    def layer_of(self, image, part):
        return image.manifest["layers"][self.parts(image).index(part)]

    def puts(self, server, repository=r"\S+"):
        """Digests of the blobs that were put, in order."""
        return re.findall(rf'"PUT /v2/{repository}/blobs/uploads/\S*digest=(?:sha256)(?::|%3A)([0-9a-f]{{64}})\S* HTTP/1\.1" 201', server.log())

    def has_blob(self, home, digest):
        return (self.folder / home / "oci/blobs/sha256" / digest.removeprefix("sha256:")).exists()

    def test_why_tells_the_cut_step_once_and_what_changed_in_it(self):
        self.build("ghcr.io/acme/app:1")
        self.build("ghcr.io/acme/app:1", idna="3.7")
        said = self.kiln("why").stdout
        self.assertEqual(len(re.findall(r"^ +miss +app/Dockerfile:2 ", said, re.MULTILINE)), 1, said)
        self.assertIn("0 hits, 2 misses", said)
        # Of the layers that the next step stands on the changed one is named.
        self.assertIn("echo o >/own # idna 3.7, app/Dockerfile:2) changed", said)
        self.assertNotIn("# torch", said)

    def test_diff_tells_the_changed_package_and_nothing_of_the_others(self):
        self.build("ghcr.io/acme/app:1")
        self.build("ghcr.io/acme/app:2", idna="3.7")
        said = self.kiln("diff", "--local", "ghcr.io/acme/app:1", "ghcr.io/acme/app:2").stdout
        self.assertIn("idna", said)
        self.assertNotIn("torch", said)

    def test_copy_moves_each_layer_once_and_a_changed_package_alone(self):
        server, other = self.registry(), self.registry()
        self.build(f"{server.address}/shop/app:1", "--push")
        self.kiln("copy", f"{server.address}/shop/app:1", f"{other.address}/shop/app:1")
        first = self.pushed_image(f"{other.address}/shop/app:1")
        self.assertEqual(self.parts(first)[1:], ["torch 2.3.1", "idna 3.6", "the rest", "buildkit"])
        self.build(f"{server.address}/shop/app:1", "--push", idna="3.7")
        before = len(self.puts(other))
        self.kiln("copy", f"{server.address}/shop/app:1", f"{other.address}/shop/app:1")
        second = self.pushed_image(f"{other.address}/shop/app:1")
        changed = {self.layer_of(second, part)["digest"] for part in ("idna 3.7", "buildkit")} | {second.manifest["config"]["digest"]}
        self.assertEqual({f"sha256:{digest}" for digest in self.puts(other)[before:]}, changed)

    def test_the_report_has_a_row_for_each_package_and_its_pages_show_them_as_layers(self):
        self.build("ghcr.io/acme/app:1", "--report", "report.json")
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(len([step for step in report["steps"] if step["line"] == 2]), 1)
        layers = [layer for layer in report["images"][0]["layers"] if layer["line"] == 2]
        self.assertEqual([layer["text"].rpartition(" # ")[2] for layer in layers], ["torch 2.3.1", "idna 3.6", "the rest"])
        self.assertGreater(layers[0]["unpacked_bytes"], LARGE)
        self.kiln("report", "--format", "html", "--output", "report.html")
        for shown in (self.kiln("report").stdout, (self.folder / "report.html").read_text()):
            for contents in ("torch 2.3.1", "idna 3.6", "the rest"):
                self.assertIn(f"{contents}: RUN mkdir", shown)
        # The treemap goes on inside of a layer.
        self.assertIn("__init__.py", (self.folder / "report.html").read_text())

    def test_waste_is_told_of_a_file_that_a_later_step_takes_from_a_cut_layer(self):
        dockerfile = DOCKERFILE + f"RUN rm -r {SITE}/torch\n"
        self.build("ghcr.io/acme/app:1", "--report", "report.json", dockerfile=dockerfile)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(len(report["images"][0]["layers"]), 6)
        said = self.kiln("report").stdout
        self.assertRegex(said, rf"9\.00 MB  hidden  app/Dockerfile:2 +{SITE}/torch/__init__\.py")

    def test_prune_keeps_all_layers_of_a_named_image_and_takes_all_of_one_that_lost_its_name(self):
        self.build("ghcr.io/acme/app:1")
        self.build("ghcr.io/acme/app:2", torch="2.4.0", idna="3.7")
        kept, gone = self.stored_image("ghcr.io/acme/app:1"), self.stored_image("ghcr.io/acme/app:2")
        self.kiln("untag", "--local", "ghcr.io/acme/app:2")
        self.kiln("cache", "prune", "--all")
        left = {path.name for path in (self.home / "oci/blobs/sha256").iterdir()}
        stays = {layer["digest"].removeprefix("sha256:") for layer in kept.manifest["layers"]}
        self.assertLessEqual(stays, left)
        self.assertEqual({layer["digest"].removeprefix("sha256:") for layer in gone.manifest["layers"]} & left, stays & {layer["digest"].removeprefix("sha256:") for layer in gone.manifest["layers"]})
        self.kiln("cache", "verify")

    def test_retention_frees_the_layers_of_the_changed_package_alone(self):
        server = self.registry(delete=True)
        self.write("images/fleet.json", json.dumps({"registry": server.address, "namespace": "shop", "tags": ["{date}"], "profiles": [],
                                                    "retention": {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}}))
        self.write("images/app/image.json", '{"kind": "base"}')
        self.write("images/app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        names = [f"{server.address}/shop/app:{date}" for date in ("20261101", "20261102")]
        for name, idna in zip(names, ("3.6", "3.7"), strict=True):
            self.build(name, "--push", idna=idna)
        old, new = map(self.pushed_image, names)
        raw = self.kiln("inspect", "--raw", names[0]).stdout
        plan = json.loads(self.kiln("prune", "--registry", "--json", "--yes").stdout)
        kept = {layer["digest"] for layer in new.manifest["layers"]}
        gone = [layer["size"] for layer in old.manifest["layers"] if layer["digest"] not in kept]
        self.assertEqual(len(gone), 2, "idna's, and that of the RUN which reads it")
        self.assertEqual((plan["deleted"], plan["freed_bytes"]), (1, sum(gone) + old.manifest["config"]["size"] + len(raw.encode())))
        self.pushed_image(names[1])

    def test_verify_finds_the_one_cut_layer_that_is_damaged_and_the_next_build_makes_it_again(self):
        self.build("ghcr.io/acme/app:1")
        image = self.stored_image("ghcr.io/acme/app:1")
        torch = self.layer_of(image, "torch 2.3.1")["digest"]
        blob = self.home / "oci/blobs/sha256" / torch.removeprefix("sha256:")
        bad = bytearray(blob.read_bytes())
        bad[len(bad) // 2] ^= 1
        blob.write_bytes(bad)
        said = self.kiln("cache", "verify", code=4).output
        self.assertIn(torch, said)
        self.assertNotIn(self.layer_of(image, "idna 3.6")["digest"], said)
        self.kiln("cache", "verify", "--repair", code=None)
        self.build("ghcr.io/acme/app:1")
        self.assertEqual(self.stored_image("ghcr.io/acme/app:1").manifest["layers"], image.manifest["layers"])
        self.kiln("cache", "verify")

    def test_what_the_store_has_is_neither_compressed_nor_sent_though_the_step_is_executed(self):
        server = self.registry()
        name = f"{server.address}/shop/app:1"
        self.build(name, "--push")
        image = self.pushed_image(name)
        torch = self.layer_of(image, "torch 2.3.1")["digest"]
        blob = self.home / "oci/blobs/sha256" / torch.removeprefix("sha256:")
        written = blob.stat().st_ino
        said = self.build(name, "--push", idna="3.7").output
        self.assertIn("2 of 3 layers are in the store already", said)
        self.assertEqual(blob.stat().st_ino, written, "it was written again")
        self.assertEqual(self.puts(server).count(torch.removeprefix("sha256:")), 1)

    def test_what_the_registry_has_is_neither_compressed_nor_sent_by_a_machine_that_executes_the_step(self):
        server = self.registry()
        cache = ["--cache-from", f"type=registry,ref={server.address}/shop/cache", "--cache-to", f"type=registry,ref={server.address}/shop/cache"]
        first, second = f"{server.address}/shop/first:1", f"{server.address}/shop/second:1"
        self.build(first, "--push", *cache)
        sent = len(self.puts(server))
        # Another image, another command, a machine that has seen nothing.
        said = self.build(second, "--push", *cache, idna="3.7", home="fresh").output
        self.assertIn("2 of 3 layers are in a shared cache already", said)
        image = self.pushed_image(second)
        for part in ("torch 2.3.1", "the rest"):
            digest = self.layer_of(image, part)["digest"]
            self.assertEqual(digest, self.layer_of(self.pushed_image(first), part)["digest"])
            self.assertFalse(self.has_blob("fresh", digest), "it was compressed again")
            self.assertNotIn(digest.removeprefix("sha256:"), self.puts(server)[sent:])
        changed = self.layer_of(image, "idna 3.7")["digest"]
        self.assertTrue(self.has_blob("fresh", changed))
        self.assertEqual(self.puts(server)[sent:].count(changed.removeprefix("sha256:")), 1)
        self.kiln("cache", "verify", env={"KILN_HOME": self.folder / "fresh"})
        # What stands on it, and an export, fetch what they need.
        self.build(second, "-o", "type=oci,dest=app.tar", *cache, idna="3.7", home="fresh")
        self.kiln("cache", "verify", env={"KILN_HOME": self.folder / "fresh"})

    def test_layers_of_a_cut_step_go_early(self):
        server = self.registry()
        name = f"{server.address}/shop/app:1"
        # The next RUN ends once the registry has the layer of the first.
        self.build("before:1", home="before")
        torch = self.layer_of(self.layout_image(self.folder / "before/oci", "docker.io/library/before:1"), "torch 2.3.1")["digest"]
        url = f"http://{server.address}/v2/shop/app/blobs/{torch}"
        wait = f"for i in $(seq 1200); do wget -q -O /dev/null {url} 2>/dev/null && exit 0; sleep 0.05; done; exit 9"
        self.build(name, "--push", "--network", "host", dockerfile=f"FROM base\nRUN {{install}}; echo o >/own\nRUN {wait}\n")
        self.assertEqual(self.puts(server).count(torch.removeprefix("sha256:")), 1)


if __name__ == "__main__":
    harness.main()
