#!/usr/bin/env python3
"""What a bake file's target and an image definition can say that `kiln build` can: several platforms, what RUN sees, annotations,
outputs of their own; and what a failed push leaves behind, whatever command pushed."""

import json
import os
import shutil

import harness
from tests.support.tiny_base import BUSYBOX

PLATFORMS = ["linux/amd64", "linux/arm64"]


class BakeTargets(harness.KilnTest):
    def bake_file(self, **targets):
        self.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.write("app/docker-bake.json", json.dumps({"target": targets}))

    def bake(self, *words, **options):
        return self.kiln("bake", *words, cwd=self.folder / "app", **options)

    def printed(self, *words):
        return json.loads(self.bake("--print", *words).stdout)["target"]

    def index(self, metadata):
        blob = self.home / "oci/blobs/sha256" / metadata["containerimage.digest"].removeprefix("sha256:")
        return json.loads(blob.read_text())

    # Attestations

    def test_attestations_of_a_file_are_made_unless_they_are_switched_off_there_or_on_the_command_line(self):
        off = {"type": "sbom", "disabled": "true"}
        outputs = {name: {"output": [f"type=oci,tar=false,dest={name}"]} for name in ("asks", "off", "heir", "again")}
        self.bake_file(asks={"attest": ["type=provenance,mode=max", off], **outputs["asks"]},
                       off={"attest": ["type=provenance,disabled=1", off], **outputs["off"]},
                       heir={"inherits": ["asks"], "attest": ["type=provenance,disabled=true", "type=sbom"], **outputs["heir"]},
                       again={"attest": [{**off, "disabled": "false"}], **outputs["again"]})
        sbom, provenance = "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"

        def said(*words):
            self.bake("asks", "off", "heir", "again", *words)
            return {name: self.attested(self.folder / "app" / name) for name in outputs}

        self.assertEqual(said(), {"asks": [provenance], "off": [], "heir": [sbom], "again": [sbom]})
        self.assertEqual(said("--set", "*.attest="), {name: [] for name in outputs})
        self.assertEqual(said("--provenance=false"), {"asks": [], "off": [], "heir": [sbom], "again": [sbom]})
        self.assertEqual(said("--sbom=true", "--provenance=mode=min"), {name: [sbom, provenance] for name in outputs})

    def attested(self, folder):
        """The predicate types of what an OCI layout says of its image."""
        def document(descriptor):
            return json.loads((folder / "blobs/sha256" / descriptor["digest"].removeprefix("sha256:")).read_text())
        root = document(json.loads((folder / "index.json").read_text())["manifests"][0])
        entries = [entry for entry in root.get("manifests", []) if entry["platform"]["os"] == "unknown"]
        return [layer["annotations"]["in-toto.io/predicate-type"] for entry in entries for layer in document(entry)["layers"]]

    # Platforms

    def test_a_target_of_several_platforms_is_an_index(self):
        server = self.registry()
        name = f"{server.address}/acme/app:1"
        self.bake_file(default={"tags": [name], "platforms": PLATFORMS})
        self.bake("--push", "--metadata-file", "meta.json")
        metadata = json.loads((self.folder / "app/meta.json").read_text())["default"]
        entries = self.index(metadata)["manifests"]
        self.assertEqual(["{os}/{architecture}".format(**entry["platform"]) for entry in entries], PLATFORMS)
        for platform in PLATFORMS:
            self.assertEqual(self.pushed_image(name, platform=platform).config["architecture"], platform.removeprefix("linux/"))
            self.stored_image(name, platform)

    def test_platforms_are_set_printed_and_planned(self):
        self.bake_file(default={"tags": ["app:1"]})
        words = ("--set", "*.platform=linux/amd64,linux/arm64")
        # As buildx prints it; what is built is told apart.
        self.assertEqual(self.printed(*words)["default"]["platforms"], [",".join(PLATFORMS)])
        self.bake(*words, "--metadata-file", "meta.json")
        self.assertEqual(len(self.index(json.loads((self.folder / "app/meta.json").read_text())["default"])["manifests"]), 2)
        plan = json.loads(self.kiln("plan", *words, "--format", "json", cwd=self.folder / "app").stdout)
        self.assertEqual([target["platform"] for target in plan["targets"]], PLATFORMS)

    def test_image_definitions_have_platforms_and_parents_are_built_for_them(self):
        self.write("images/fleet.json", json.dumps({"registry": "ghcr.io", "namespace": "acme"}))
        self.write("images/base/image.json", json.dumps({"kind": "base"}))
        self.write("images/base/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n")
        self.write("images/app/image.json", json.dumps({"kind": "service", "platforms": PLATFORMS, "annotations": ["index:a=b"]}))
        self.write("images/app/Dockerfile", "FROM base\nCOPY Dockerfile /app\n")
        self.kiln("bake", "app", "--metadata-file", "meta.json")
        index = self.index(json.loads((self.folder / "meta.json").read_text())["app"])
        self.assertEqual(index["annotations"], {"a": "b"})
        for platform in PLATFORMS:
            image = self.stored_image("ghcr.io/acme/app:latest", platform)
            self.assertIn(platform.removeprefix("linux/"), image.files())
        matrix = json.loads(self.kiln("matrix", "app", "--all", "--format", "json").stdout)
        jobs = [[(row["command"], row["platform"]) for row in wave["include"] if row["target"] == "app"] for wave in matrix["waves"]]
        self.assertEqual(sorted(sum(jobs[:-1], [])), [("bake", platform) for platform in PLATFORMS])
        self.assertEqual(jobs[-1], [("index", ",".join(PLATFORMS))])

    # What else targets say

    def test_annotations_and_an_outputs_own_compression_are_the_images(self):
        server = self.registry()
        name = f"{server.address}/acme/app:1"
        self.bake_file(default={"tags": [name], "annotations": ["a=b"], "output": ["type=registry,compression=zstd", "type=oci,dest=out.tar"]})
        self.assertEqual(self.printed("--set", "default.annotations=c=d")["default"]["annotations"], ["a=b", "c=d"])
        self.bake()
        manifest = self.pushed_image(name).manifest
        self.assertEqual(manifest["annotations"], {"a": "b"})
        self.assertTrue(manifest["layers"][0]["mediaType"].endswith("tar+zstd"))
        self.assertTrue((self.folder / "app/out.tar").is_file())

    def test_a_called_check_finds_mistakes_and_builds_nothing(self):
        self.bake_file(default={"call": "check", "tags": ["app:1"]})
        self.bake()
        self.assertNotIn("app:1", self.kiln("images").stdout)
        self.write("app/Dockerfile", "# check=error=true\nfrom scratch\nCOPY Dockerfile /\nCMD a b\n")
        self.bake(code=1)
        self.assertEqual(self.printed()["default"]["call"], "check")
        self.assertEqual(self.printed("--call=check")["default"]["call"], "lint")
        self.assertIn("exclude one another", self.bake("--print", "--list=targets", code=2).stderr)

    def test_run_sees_hosts_limits_shared_memory_and_a_secret_that_is_only_an_id(self):
        self.need_containers()
        if not BUSYBOX.exists():
            self.skipTest(f"not installed: busybox-static ({BUSYBOX})")
        self.bake_file(default={"extra-hosts": {"other": "10.0.0.7"}, "ulimits": ["nofile=100:200"], "shm-size": "1m",
                                "secret": ["id=TOKEN"], "output": ["type=local,dest=out"]})
        shutil.copy(BUSYBOX, self.folder / "app/busybox")
        self.write("app/Dockerfile", '''
            FROM scratch AS run
            COPY busybox /bin/busybox
            RUN --mount=type=secret,id=TOKEN ["/bin/busybox", "sh", "-c", "/bin/busybox grep other /etc/hosts >/found; ulimit -Sn >>/found; ulimit -Hn >>/found; /bin/busybox df -k /dev/shm | /bin/busybox tail -1 | /bin/busybox awk '{print $2}' >>/found; /bin/busybox cat /run/secrets/TOKEN >>/found"]
            FROM scratch
            COPY --from=run /found /
            ''')
        self.bake(env={"TOKEN": "hidden"})
        found = (self.folder / "app/out/found").read_text().split("\n")
        self.assertEqual(found[0].split(), ["10.0.0.7", "other"])
        self.assertEqual(found[1:], ["100", "200", "1024", "hidden"])
        # Neither a variable nor a file of that name.
        failed = self.bake("--no-cache", code=2)
        self.assertIn("secret 'TOKEN': there is neither an environment variable nor a file of that name", failed.stderr)

    def test_no_secret_of_a_target_is_one_of_kilns_own(self):
        for secret in ("id=COSIGN_PASSWORD", "id=key,env=KILN_SIGN_KEY", "id=KILN_LOG_TOKEN,type=env"):
            self.bake_file(default={"secret": [secret]})
            refused = self.bake(code=2, env={"COSIGN_PASSWORD": "hidden", "KILN_SIGN_KEY": "hidden", "KILN_LOG_TOKEN": "hidden"})
            self.assertRegex(refused.stderr, r"target 'default': secret '\w+': kiln has the variable '\w+' from the environment for itself")

    def test_no_secret_of_an_image_of_a_fleet_is_one_of_kilns_own(self):
        self.write("fleet/images/fleet.json", json.dumps({"registry": "ghcr.io", "namespace": "acme", "profiles": []}))
        self.write("fleet/images/base/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        for secret in ({"id": "COSIGN_PASSWORD"}, {"id": "key", "env": "KILN_SIGN_KEY"}):
            self.write("fleet/images/base/image.json", json.dumps({"kind": "base", "secrets": [secret]}))
            refused = self.kiln("bake", cwd=self.folder / "fleet", code=2, env={"COSIGN_PASSWORD": "hidden", "KILN_SIGN_KEY": "hidden"})
            self.assertRegex(refused.stderr, r"image\.json.*secret '\w+': kiln has the variable '\w+' from the environment for itself")

    def test_no_variable_of_a_bake_file_is_one_of_kilns_own(self):
        for name in ("COSIGN_PASSWORD", "KILN_SIGN_KEY", "KILN_LOG_TOKEN"):
            self.write("app/docker-bake.hcl", f'variable "{name}" {{ default = "" }}\ntarget "default" {{ args = {{ A = {name} }} }}\n')
            refused = self.bake("--print", code=2, env={name: "hidden"})
            self.assertIn(f"variable '{name}' of a bake file: kiln has it from the environment for itself", refused.stderr)
            self.assertNotIn("hidden", refused.output)

    def test_pull_asks_the_registry_for_a_base_that_the_store_names(self):
        server = self.registry()
        base = f"{server.address}/acme/base:1"
        self.write("base/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.kiln("build", "--push", "-t", base, "base")
        self.bake_file(default={"tags": ["app:1"], "pull": True})
        self.write("app/Dockerfile", f"FROM {base}\nCOPY Dockerfile /\n")
        self.bake()
        server.pause()
        # All of it is here, and the answer of the registry is not.
        self.assertIn(f"while pulling '{base}'", self.bake(code=3).stderr)
        self.bake("--set", "*.pull=false")
        server.resume()
        self.bake()

    # Delivery

    def test_what_a_failed_push_leaves_behind_is_the_same_for_every_command(self):
        server = self.registry()
        base = f"{server.address}/acme"
        gone = "127.0.0.1:1/acme/gone:1"
        self.bake_file(lost={"tags": [gone]}, kept={"tags": [f"{base}/kept:1"]}, default={"tags": [f"{base}/unasked:1"]})
        self.kiln("build", "--push", "-t", gone, "-t", f"{base}/half:1", "app", code=3)
        self.bake("--push", "lost", "kept", code=3)
        self.assertEqual(sorted(row["name"] for row in json.loads(self.kiln("images", "--json").stdout)), [f"{base}/kept:1"])
        self.pushed_image(f"{base}/kept:1")
        self.pushed_image(f"{base}/half:1")
        pending = json.loads(self.kiln("push", "--pending", "--dry-run", "--json").stdout)["targets"]
        self.assertEqual([push["name"] for push in pending], [gone])
        self.assert_store_is_sound()

    def test_nothing_is_pushed_or_named_where_an_export_fails(self):
        server = self.registry()
        name = f"{server.address}/acme/app:1"
        self.bake_file(default={"tags": [name], "output": ["type=registry", "type=oci,dest=/proc/none/out.tar"]})
        self.bake(code=4)
        self.kiln("build", "-t", name, "-o", "type=registry", "-o", "type=oci,dest=/proc/none/out.tar", "app", code=4)
        self.assertEqual(server.get("/v2/acme/app/tags/list")[0], 404, "it was pushed")
        self.assertEqual(json.loads(self.kiln("images", "--json").stdout), [])


if __name__ == "__main__":
    harness.main()
