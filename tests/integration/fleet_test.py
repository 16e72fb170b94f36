#!/usr/bin/env python3
"""A small fleet with two profiles: the same digests everywhere, honest hits, and a report that others can recompute."""

import json
import os
import shutil

import harness


class Fleet(harness.KilnTest):
    """base -> service, COPY only, for the profiles big and small."""

    def setUp(self):
        super().setUp()
        self.make(self.folder / "repo")

    def make(self, folder):
        name = folder.relative_to(self.folder)
        self.write(f"{name}/images/fleet.json", json.dumps({
            "registry": "ghcr.io", "namespace": "acme", "profiles": ["big", "small"], "profiles_folder": "../profiles",
            "tags": ["latest"]}))
        self.write(f"{name}/profiles/big.json", '{"OMP_NUM_THREADS": "16", "TORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"}')
        self.write(f"{name}/profiles/small.json", '{"OMP_NUM_THREADS": "4", "TORCH_CUDA_ALLOC_CONF": "max_split_size_mb:32"}')
        self.write(f"{name}/images/base/image.json", '{"kind": "base", "profiles": []}')
        self.write(f"{name}/images/base/Dockerfile", "FROM scratch\nCOPY lib /lib\n")
        self.write(f"{name}/images/base/lib/one", "1" * 5000)
        self.write(f"{name}/images/service/image.json", '{"kind": "service"}')
        self.write(f"{name}/images/service/Dockerfile",
                   "FROM base\nWORKDIR /app\nCOPY requirements.txt .\nCOPY app ./app\nARG MACHINE\nENV MACHINE=$MACHINE\n")
        self.write(f"{name}/images/service/requirements.txt", "flask\n")
        self.write(f"{name}/images/service/app/main.py", "print('hello')\n")

    def bake(self, *args, repo="repo", home=None, code=0):
        env = {"KILN_HOME": str(home)} if home else None
        self.kiln("bake", "--progress", "plain", "--metadata-file", "meta.json", "--report", "report.json", *args,
                  cwd=self.folder / repo, env=env, code=code)
        folder = self.folder / repo
        return json.loads((folder / "meta.json").read_text()), json.loads((folder / "report.json").read_text())

    def digests(self, metadata):
        return {target: entry["containerimage.digest"] for target, entry in metadata.items()}

    def test_two_machines_give_the_same_digests(self):
        first, _ = self.bake()
        self.make(self.folder / "elsewhere/checkout")
        for folder, _, files in os.walk(self.folder / "elsewhere"):
            os.chmod(folder, 0o775)
            for file in files:
                os.chmod(os.path.join(folder, file), 0o664)
                os.utime(os.path.join(folder, file), (1, 1))
        second, _ = self.bake(repo="elsewhere/checkout", home=self.folder / "home2")
        self.assertEqual(self.digests(first), self.digests(second))
        self.assertEqual(sorted(first), ["base", "service-big", "service-small"])

    def test_another_processor_gives_the_same_digests(self):
        self.need_emulation()
        first, _ = self.bake()
        emulated = harness.run(
            ["qemu-x86_64-static", "-cpu", "Nehalem", harness.kiln_binary(), "bake", "--progress", "plain", "--metadata-file", "meta.json"],
            env=self.environment(KILN_HOME=str(self.folder / "home2")), cwd=self.folder / "repo", timeout=300)
        if emulated.code != 0 and "error:" not in emulated.stderr:
            self.skipTest("kiln does not start under qemu-user here")
        self.assertEqual(emulated.code, 0, emulated)
        self.assertEqual(self.digests(first), self.digests(json.loads((self.folder / "repo/meta.json").read_text())))

    def test_profiles_share_every_layer_and_differ_in_config(self):
        self.bake()
        big = self.stored_image("ghcr.io/acme/service-big:latest")
        small = self.stored_image("ghcr.io/acme/service-small:latest")
        self.assertEqual([layer["digest"] for layer in big.manifest["layers"]], [layer["digest"] for layer in small.manifest["layers"]])
        self.assertEqual(big.env["OMP_NUM_THREADS"], "16")
        self.assertEqual(big.env["PYTORCH_CUDA_ALLOC_CONF"], "max_split_size_mb:64")
        self.assertEqual((big.env["MACHINE"], small.env["MACHINE"]), ("big", "small"))
        self.assertEqual(small.config["config"]["Labels"]["dev.kiln.profile.OMP_NUM_THREADS"], "4")

    def test_a_moved_and_touched_checkout_is_a_full_hit(self):
        self.bake()
        shutil.move(self.folder / "repo", self.folder / "moved")
        os.utime(self.folder / "moved/images/service/app/main.py")
        _, report = self.bake(repo="moved")
        self.assertEqual({step["outcome"] for step in report["steps"]}, {"hit"})
        self.assertEqual(report["rates"]["steps_pct"], 100)

    def test_a_changed_file_misses_its_step_alone_and_says_why(self):
        self.bake()
        self.write("repo/images/service/app/main.py", "print('changed')\n")
        _, report = self.bake()
        missed = [step for step in report["steps"] if step["outcome"] != "hit"]
        self.assertEqual([step["line"] for step in missed], [4])
        self.assertIn("file app/main.py changed", missed[0]["reason"])
        self.assertEqual(report["rates"]["steps_pct"], 75)

    def test_every_figure_can_be_recomputed_from_the_registry(self):
        registry = self.registry()
        _, report = self.bake("--push", "--registry", f"{registry.address}/acme")
        self.assertEqual(report["schema_version"], 1)
        images = {}
        for image in report["images"]:
            repository = image["name"] + (f"-{image['profile']}" if image["profile"] else "")
            pushed = self.pushed_image(f"{registry.address}/acme/{repository}:latest")
            images[repository] = pushed
            layers = pushed.manifest["layers"]
            self.assertEqual(image["digest"], pushed.digest)
            self.assertEqual([layer["digest"] for layer in image["layers"]], [layer["digest"] for layer in layers])
            self.assertEqual([layer["diff_id"] for layer in image["layers"]], pushed.config["rootfs"]["diff_ids"])
            self.assertEqual(image["compressed_bytes"], sum(layer["size"] for layer in layers))
            self.assertEqual(image["unpacked_bytes"], pushed.unpacked_bytes)
            self.assertEqual(image["compressed_bytes"], image["unique_bytes"] + image["shared_bytes"])
        holders = {}  # what only the profiles of one image have is its own
        for image in report["images"]:
            for layer in image["layers"]:
                holders.setdefault(layer["digest"], set()).add(image["name"])
        for image in report["images"]:
            shared = sum(layer["bytes"] for layer in image["layers"] if len(holders[layer["digest"]]) > 1)
            self.assertEqual(image["shared_bytes"], shared)
        built = [step for step in report["steps"] if step["outcome"] == "built"]
        hits = [step for step in report["steps"] if step["outcome"] == "hit"]
        self.assertEqual(len({step["key"] for step in report["steps"]}), len(report["steps"]))
        self.assertEqual(report["rates"]["steps_pct"], round(100 * len(hits) / (len(hits) + len(built)), 2))
        distinct = {layer["digest"]: layer["size"] for pushed in images.values() for layer in pushed.manifest["layers"]}
        self.assertGreaterEqual(report["wire"]["pushed_bytes"], sum(distinct.values()))

    def test_a_second_push_moves_nothing_and_layers_are_mounted_across_repositories(self):
        registry = self.registry()
        first, report = self.bake("--push", "--registry", f"{registry.address}/acme")
        self.assertGreater(report["wire"]["mounted_bytes"], 0)
        second, report = self.bake("--push", "--registry", f"{registry.address}/acme")
        self.assertEqual((report["wire"]["pushed_bytes"], report["wire"]["pulled_bytes"]), (0, 0))
        self.assertEqual(self.digests(first), self.digests(second))

    def test_print_has_buildx_shape(self):
        printed = json.loads(self.kiln("bake", "--print", cwd=self.folder / "repo").stdout)
        self.assertEqual(sorted(printed), ["group", "target"])
        self.assertEqual(printed["group"]["default"]["targets"], ["base", "service-big", "service-small"])
        self.assertEqual(printed["target"]["service-big"]["args"]["MACHINE"], "big")


class Trust(harness.KilnTest):
    def test_certificates_reach_run_and_nothing_else(self):
        self.need_containers()
        self.need_programs("busybox", "openssl")
        (self.folder / "rootfs/bin").mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), self.folder / "rootfs/bin/sh")
        self.run_program("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.folder / "key.pem", "-out",
                         self.folder / "ca.pem", "-days", "1", "-subj", "/CN=kiln-canary-authority")
        self.write("app/Dockerfile", "FROM scratch\nCOPY --from=rootfs / /\nRUN echo \"trusts ${SSL_CERT_FILE:-nothing}\" && echo built > /result\n")
        words = ["build", "--progress", "plain", "--build-context", f"rootfs={self.folder / 'rootfs'}", "-t", "acme/app:1"]
        proxy = {"http_proxy": "http://user:canary-password@127.0.0.1:9", "no_proxy": "*"}
        result = self.kiln(*words, "--ca-bundle", self.folder / "ca.pem", "app", env=proxy)
        self.assertIn("trusts /run/kiln/", result.stderr)
        image = self.stored_image("docker.io/acme/app:1")
        self.assertEqual(sorted(path for path in image.files() if not path.startswith("bin")), ["result"])
        # The same step without them is a hit: nothing of it is in the key.
        again = self.kiln(*words, "--ca-bundle", "none", "app")
        self.assertNotIn("trusts nothing", again.stderr)
        self.assertEqual(self.stored_image("docker.io/acme/app:1").config["rootfs"], image.config["rootfs"])
        for path in self.home.rglob("*"):
            if path.is_file() and "blobs" not in path.parts:
                text = path.read_bytes()
                self.assertNotIn(b"canary-password", text, path)
        self.assertNotIn("kiln-canary-authority", json.dumps(image.config))
        self.assertNotIn("canary-password", json.dumps(image.config) + result.output)


if __name__ == "__main__":
    harness.main()
