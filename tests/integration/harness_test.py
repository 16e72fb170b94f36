#!/usr/bin/env python3
"""The harness itself: a registry that comes and goes, and checks that find every lie an image can tell."""

import gzip
import io
import json
import os
import time
import tarfile

import harness
from tests.support.image_check import OCI_INDEX, OCI_MANIFEST, REF_NAME, ImageError, Layout, sha256
from tests.support.registry import Registry

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def tar_of(*files):
    """A tar of (name, content); content None is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content or b""))
    return buffer.getvalue()


class LayoutMaker:
    """A layout with one image, each part of which can be falsified."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def put(self, data, media_type):
        digest = sha256(data)
        (self.folder / "blobs/sha256" / digest[7:]).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def image(self, *tars, diff_ids=None, history=None, name="app"):
        config = {"os": "linux", "architecture": "amd64", "config": {"Env": ["A=1=2"]},
                  "rootfs": {"type": "layers", "diff_ids": diff_ids or [sha256(tar) for tar in tars]}}
        if history is not None:
            config["history"] = history
        manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                    "config": self.put(json.dumps(config).encode(), CONFIG_TYPE),
                    "layers": [self.put(gzip.compress(tar, mtime=0), LAYER_TYPE) for tar in tars]}
        descriptor = self.put(json.dumps(manifest).encode(), OCI_MANIFEST)
        descriptor["annotations"] = {REF_NAME: name}
        self.index(descriptor)
        return descriptor

    def index(self, *descriptors):
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": descriptors}))


class ImageChecks(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.maker = LayoutMaker(self.folder / "layout")

    def check(self):
        return Layout(self.maker.folder).image("app")

    def test_a_true_image_passes_and_is_merged(self):
        self.maker.image(tar_of(("etc", None), ("etc/a", b"1"), ("etc/b", b"2"), ("old", None), ("old/x", b"x")),
                         tar_of(("etc", None), ("etc/.wh.b", b""), ("etc/a", b"new"), ("old", None), ("old/.wh..wh..opq", b""),
                                ("old/y", b"y")))
        image = self.check()
        self.assertEqual(sorted(image.files()), ["etc", "etc/a", "old", "old/y"])
        self.assertEqual(image.files()["etc/a"].text, "new")
        self.assertEqual(image.env, {"A": "1=2"})

    def test_a_flipped_bit_is_found(self):
        descriptor = self.maker.image(tar_of(("a", b"1")))
        for path in (self.maker.folder / "blobs/sha256").iterdir():
            good = path.read_bytes()
            path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
            with self.assertRaises(ImageError, msg=path.name):
                self.check()
            path.write_bytes(good)
        self.assertEqual(self.check().digest, descriptor["digest"])

    def test_a_wrong_diff_id_is_found(self):
        self.maker.image(tar_of(("a", b"1")), diff_ids=[sha256(b"other")])
        with self.assertRaisesRegex(ImageError, "diff IDs"):
            self.check()

    def test_a_wrong_size_is_found(self):
        descriptor = self.maker.image(tar_of(("a", b"1")))
        descriptor["size"] += 1
        self.maker.index(descriptor)
        with self.assertRaisesRegex(ImageError, "size of"):
            self.check()

    def test_a_history_that_does_not_fit_the_layers_is_found(self):
        self.maker.image(tar_of(("a", b"1")), history=[{"created_by": "x", "empty_layer": True}])
        with self.assertRaisesRegex(ImageError, "history"):
            self.check()

    def test_a_name_twice_in_a_layer_is_found(self):
        self.maker.image(tar_of(("a", b"1"), ("a", b"2")))
        with self.assertRaisesRegex(ImageError, "all different"):
            self.check()

    def test_a_name_twice_in_the_index_is_found(self):
        descriptor = self.maker.image(tar_of(("a", b"1")))
        self.maker.index(descriptor, descriptor)
        with self.assertRaisesRegex(ImageError, "images called 'app'"):
            self.check()

    def test_an_index_is_followed_by_platform(self):
        child = self.maker.image(tar_of(("a", b"1")))
        child["platform"] = {"os": "linux", "architecture": "amd64"}
        index = self.maker.put(json.dumps({"schemaVersion": 2, "manifests": [child]}).encode(), OCI_INDEX)
        index["annotations"] = {REF_NAME: "app"}
        self.maker.index(index)
        self.assertEqual(Layout(self.maker.folder).image("app", "linux/amd64").digest, child["digest"])
        with self.assertRaises(ImageError):
            Layout(self.maker.folder).image("app", "linux/arm64")


class Registries(harness.KilnTest):
    def test_a_registry_answers_and_is_gone_afterwards(self):
        self.need_programs("docker-registry")
        with Registry() as registry:
            self.assertEqual(registry.get("/v2/_catalog")[0], 200)
            self.assertEqual(json.loads(registry.get("/v2/_catalog")[2]), {"repositories": []})
            pid, folder = registry._process.pid, registry.data.parent
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assertFalse(folder.exists())

    def test_an_image_travels_through_a_registry_and_back(self):
        self.need_programs("skopeo")
        registry = self.registry()
        maker = LayoutMaker(self.folder / "layout")
        descriptor = maker.image(tar_of(("a", b"1")))
        self.run_program("skopeo", "--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false",
                         f"oci:{maker.folder}:app", f"docker://{registry.address}/acme/app:1")
        self.assertEqual(self.pushed_image(f"{registry.address}/acme/app:1").digest, descriptor["digest"])
        registry.pause()
        with self.assertRaises(OSError):
            registry.get("/v2/")
        registry.resume()
        self.assertEqual(registry.get("/v2/acme/app/tags/list")[0], 200)

    def test_a_registry_with_a_user_refuses_others(self):
        registry = self.registry(user=("kiln", "secret"))
        self.assertEqual(registry.get("/v2/")[0], 200)
        registry._user = ("kiln", "wrong")
        self.assertEqual(registry.get("/v2/")[0], 401)


class Programs(harness.KilnTest):
    def test_a_program_that_does_not_end_is_ended_with_all_it_started(self):
        with self.assertRaisesRegex(AssertionError, "no end after 1 s"):
            self.run_program("sh", "-c", "sleep 1000 & echo $! >child; sleep 1000", cwd=self.folder, timeout=1)
        stat = f"/proc/{(self.folder / 'child').read_text().strip()}/stat"
        deadline = time.monotonic() + 10  # the kernel ends what was killed in its own time
        while self.is_running(stat) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(self.is_running(stat))

    @staticmethod
    def is_running(stat):
        try:
            text = open(stat).read()
        except OSError:
            return False
        return ") Z " not in text and "(sleep)" in text

    def test_kiln_answers_with_its_version(self):
        self.assertIn("kiln", self.kiln("version").output)

    def test_the_callers_environment_decides_nothing(self):
        os.environ["DOCKER_AUTH_CONFIG"] = "{}"
        self.addCleanup(os.environ.pop, "DOCKER_AUTH_CONFIG")
        self.assertNotIn("DOCKER_AUTH_CONFIG", self.environment())
        self.assertEqual(self.environment(A=1)["A"], "1")
        self.assertNotIn("HOME", self.environment(HOME=None))


if __name__ == "__main__":
    harness.main()
