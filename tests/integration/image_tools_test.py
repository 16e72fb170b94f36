#!/usr/bin/env python3
"""kiln index, diff, tag and untag at a docker-registry and in the store."""

import hashlib
import json
import urllib.request

import harness


class ImageTools(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_programs("skopeo")
        self.server = self.registry(delete=True)
        self.base = f"{self.server.address}/acme"

    def build(self, name, text, platform="linux/amd64", folder="app", **files):
        self.write(f"{folder}/Dockerfile", text)
        for file, content in files.items():
            self.write(f"{folder}/{file}", content)
        self.kiln("build", "--platform", platform, "--push", "-t", name, folder)
        return self.kiln("digest", name).stdout.strip()

    def json_of(self, *words, **options):
        return json.loads(self.kiln(*words, "--json", **options).stdout)

    def raw(self, name):
        return json.loads(self.run_program("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}").stdout)

    def test_an_index_is_made_of_images_of_other_repositories_and_grows(self):
        amd = self.build(f"{self.base}/a:1", "FROM scratch\nCOPY f /f\n", f="amd")
        arm = self.build(f"{self.base}/b:1", "FROM scratch\nCOPY f /f\n", "linux/arm64", f="arm")
        name = f"{self.base}/both:1"
        planned = self.json_of("index", "create", name, f"{self.base}/a:1", "--dry-run")
        self.kiln("digest", name, code=3)
        made = self.json_of("index", "create", name, f"{self.base}/a:1", env={"KILN_HOME": self.folder / "fresh"})
        self.assertEqual(made["digest"], planned["digest"])
        # Layer and config were mounted: nothing but manifests moved.
        manifest = self.raw(f"{self.base}/a:1")
        self.assertEqual(made["wire"]["mounted_bytes"], manifest["layers"][0]["size"] + manifest["config"]["size"])
        grown = self.json_of("index", "append", name, f"{self.base}/b:1", "-t", f"{self.base}/both:2")
        self.assertEqual([(m["digest"], m["platform"]) for m in grown["manifests"]], [(amd, "linux/amd64"), (arm, "linux/arm64")])
        self.assertEqual([m["digest"] for m in self.raw(f"{self.base}/both:2")["manifests"]], [amd, arm])
        self.assertEqual(len(self.raw(name)["manifests"]), 1)
        self.assertEqual(self.pushed_image(f"{self.base}/both:2", platform="linux/arm64").digest, arm)
        again = self.build(f"{self.base}/b:2", "FROM scratch\nCOPY f /f\n", "linux/arm64", f="arm two")
        replaced = self.json_of("index", "append", f"{self.base}/both:2", f"{self.base}/b:2")
        self.assertEqual([m["digest"] for m in replaced["manifests"]], [amd, again])
        refused = self.kiln("index", "create", name, f"{self.base}/b:1", f"{self.base}/b:2", code=2)
        self.assertIn("second image for linux/arm64", refused.stderr)
        self.kiln("index", "append", f"{self.base}/a:1", f"{self.base}/b:1", code=2)
        self.kiln("index", "create", name, code=2)

    def put_manifest(self, repository, reference, document):
        """Puts a manifest or index as it is; its entry for an index."""
        body = json.dumps(document).encode()
        request = urllib.request.Request(f"http://{self.server.address}/v2/acme/{repository}/manifests/{reference}", data=body, method="PUT",
                                         headers={"Content-Type": document["mediaType"]})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            self.assertEqual(answer.status, 201)
        return {"mediaType": document["mediaType"], "size": len(body), "digest": f"sha256:{hashlib.sha256(body).hexdigest()}"}

    def test_the_attestation_of_an_image_that_is_replaced_goes_with_it(self):
        amd = self.build(f"{self.base}/a:1", "FROM scratch\nCOPY f /f\n", f="amd")
        arm = self.build(f"{self.base}/b:1", "FROM scratch\nCOPY f /f\n", "linux/arm64", f="arm")
        name = f"{self.base}/both:1"
        self.kiln("index", "create", name, f"{self.base}/a:1", f"{self.base}/b:1")
        index = self.raw(name)
        for attested in (amd, arm):
            # Any manifest whose blobs the repository has will do.
            attestation = {**self.raw(f"{self.base}/a:1"), "annotations": {"of": attested}}
            digest = "sha256:" + hashlib.sha256(json.dumps(attestation).encode()).hexdigest()
            entry = self.put_manifest("both", digest, attestation)
            index["manifests"].append({**entry, "platform": {"os": "unknown", "architecture": "unknown"}, "annotations": {
                "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": attested}})
        self.put_manifest("both", "1", index)
        self.assertIn("linux/amd64, linux/arm64", self.kiln("inspect", name).stdout)
        self.assertNotIn("unknown", self.kiln("inspect", name).stdout)
        kept = index["manifests"][2]["digest"]
        again = self.build(f"{self.base}/b:2", "FROM scratch\nCOPY f /f\n", "linux/arm64", f="arm two")
        self.kiln("index", "append", name, f"{self.base}/b:2")
        self.assertEqual([entry["digest"] for entry in self.raw(name)["manifests"]], [amd, again, kept])
        # What is put again as it is keeps its own.
        self.kiln("index", "append", name, f"{self.base}/a:1")
        self.assertEqual([entry["digest"] for entry in self.raw(name)["manifests"]], [amd, again, kept])

    def test_a_diff_names_settings_layers_and_files(self):
        self.build(f"{self.base}/a:1", "FROM scratch\nCOPY same /same\nCOPY old f /\nENV A=1\n", same="s", old="gone", f="12345")
        self.build(f"{self.base}/a:2", "FROM scratch\nCOPY same /same\nCOPY --chmod=0700 new f /\nENV A=2\nUSER 7\n", new="fresh file", f="123")
        for where in ([], ["--local"]):
            diff = self.json_of("diff", f"{self.base}/a:1", f"{self.base}/a:2", *where)
            self.assertFalse(diff["same"])
            self.assertEqual(diff["files"]["added"], [{"path": "new", "bytes": 10}])
            self.assertEqual(diff["files"]["removed"], [{"path": "old", "bytes": 4}])
            self.assertEqual(diff["files"]["changed"], [{"path": "f", "a_bytes": 5, "b_bytes": 3, "what": ["content", "mode"]}])
            self.assertEqual([len(diff["layers"][key]) for key in ("shared", "only_a", "only_b")], [1, 1, 1])
            config = {field["field"]: (field["a"], field["b"]) for field in diff["config"]}
            self.assertEqual(sorted(config), ["Env", "User"])
            self.assertEqual((config["Env"][0][-1], config["Env"][1][-1], config["User"]), ("A=1", "A=2", (None, "7")))
        shown = self.kiln("diff", f"{self.base}/a:1", f"{self.base}/a:2").stdout
        self.assertIn("~ /f 5 B -> 3 B (content, mode)", shown)
        self.assertIn("no difference", self.kiln("diff", f"{self.base}/a:1", f"{self.base}/a:1").stdout)

    def test_tags_come_and_go_as_json_and_in_dry_runs(self):
        digest = self.build(f"{self.base}/a:1", "FROM scratch\nCOPY f /f\n", f="one")
        name = f"{self.base}/a:stable"
        planned = self.json_of("tag", f"{self.base}/a:1", "stable", "other", "--dry-run")
        self.assertEqual({tag["outcome"] for tag in planned["tags"]}, {"new"})
        self.kiln("digest", name, code=3)
        done = self.json_of("tag", f"{self.base}/a:1", "stable", "other")
        self.assertEqual({(tag["name"], tag["digest"]) for tag in done["tags"]}, {(name, digest), (f"{self.base}/a:other", digest)})
        self.assertEqual({tag["outcome"] for tag in self.json_of("tag", f"{self.base}/a:1", "stable")["tags"]}, {"unchanged"})
        self.assertEqual(sorted(self.json_of("ls", f"{self.base}/a")["tags"]), ["1", "other", "stable"])
        self.kiln("untag", name, "--dry-run")
        self.assertEqual(self.json_of("digest", name)["digest"], digest)
        self.kiln("tag", "--local", f"{self.base}/a:1", "mine", "--dry-run")
        self.kiln("digest", "--local", "mine", code=2)
        self.assertEqual(self.json_of("tag", "--local", f"{self.base}/a:1", "mine")["tags"][0]["outcome"], "new")
        self.assertEqual(self.json_of("untag", "--local", "mine")["untagged"][0]["digest"], digest)
        self.kiln("digest", "--local", "mine", code=2)


if __name__ == "__main__":
    harness.main()
