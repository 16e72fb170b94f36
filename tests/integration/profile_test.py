#!/usr/bin/env python3
"""kiln profile list, show, diff and check."""

import json

import harness

MAINPC = '{"machine": {"cores": 32, "memory": "64GiB", "gpu": "RTX 4090", "vram": "24GB"}, "OMP_NUM_THREADS": "1", "UVICORN_WORKERS": "32", "CUDA_ARCH": "8.9", "TORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64", "GPU_VISIBLE_DEVICES": "0"}'
PC2 = '{"extends": "mainpc", "machine": {"cores": 8, "gpu": "RTX 3060", "vram": "12GB"}, "UVICORN_WORKERS": "8", "CUDA_ARCH": "8.6"}'


class Profiles(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme", "profiles": ["mainpc", "pc2"]}')
        self.write("profiles/mainpc.json", MAINPC)
        self.write("profiles/pc2.json", PC2)
        self.write("images/base/image.json", '{"kind": "base"}')
        self.write("images/base/Dockerfile", "FROM scratch\nCOPY image.json /base.json\n")
        self.write("images/app/image.json", '{"kind": "service"}')
        self.write("images/app/Dockerfile", """
            FROM base
            WORKDIR /app
            ARG CUDA_ARCH
            COPY kernels-$CUDA_ARCH /app/kernels
            COPY app /app/app
            """)
        for name, size in (("app", 10), ("kernels-8.9", 20000), ("kernels-8.6", 10000)):
            self.write(f"images/app/{name}", "x" * size)

    def json(self, *args, code=0):
        return json.loads(self.kiln("profile", *args, "--json", code=code).stdout)

    def test_profiles_are_listed_with_their_machines(self):
        result = self.kiln("profile", "list").stdout
        self.assertRegex(result, r"mainpc +32 cores, .*RTX 4090 .* 1\n")
        self.assertRegex(result, r"pc2 +8 cores, .*RTX 3060 .* 1\n")
        self.assertEqual([profile["name"] for profile in self.json("list")["profiles"]], ["mainpc", "pc2"])

    def test_a_profile_shows_what_it_inherits_and_what_the_libraries_read(self):
        shown = self.json("show", "pc2")
        self.assertEqual(shown["values"]["OMP_NUM_THREADS"], "1")
        self.assertEqual(shown["environment"]["PYTORCH_CUDA_ALLOC_CONF"], "max_split_size_mb:64")
        self.assertEqual(shown["environment"]["CUDA_VISIBLE_DEVICES"], "0")
        self.assertEqual(shown["targets"], ["app-pc2"])
        self.assertIn("derived", self.kiln("profile", "show", "pc2").stdout)
        self.assertIn("did you mean 'pc2'", self.kiln("profile", "show", "pc3", code=2).stderr)

    def test_keys_of_ones_own_add_to_those_of_kiln(self):
        self.write("profiles/own.json", '{"QUEUE_DEPTH": "100", "TORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"}')
        refused = self.kiln("profile", "check", code=2).stderr
        self.assertIn("own.json:1: unknown key 'QUEUE_DEPTH'", refused)
        self.assertIn("keys of your own are added in schema.json beside the profiles", refused)
        self.write("profiles/schema.json", '{"properties": {"QUEUE_DEPTH": {"type": "string"}}}')
        shown = self.json("show", "own")["environment"]
        self.assertEqual((shown["QUEUE_DEPTH"], shown["PYTORCH_CUDA_ALLOC_CONF"]), ("100", "max_split_size_mb:64"))
        self.write("profiles/own.json", '{"OMP_NUM_THREDS": "2"}')
        self.assertIn("did you mean 'OMP_NUM_THREADS'?", self.kiln("profile", "check", code=2).stderr)

    def test_a_schema_is_printed_as_kiln_enforces_it(self):
        for name in ("fleet", "image", "profile"):
            self.assertIn("properties", json.loads(self.kiln("schema", name).stdout))
        self.assertIn("did you mean 'profile'", self.kiln("schema", "profiles", code=2).stderr)

    def test_a_difference_names_the_values(self):
        self.assertEqual(self.json("diff", "mainpc", "pc2")["values"], {"CUDA_ARCH": ["8.9", "8.6"], "UVICORN_WORKERS": ["32", "8"]})
        self.assertIn("have the same values", self.kiln("profile", "diff", "pc2", "pc2").stdout)

    def test_a_difference_names_the_layers_their_bytes_and_the_argument_that_makes_them_differ(self):
        before = self.json("diff", "mainpc", "pc2", "app")["image"]
        self.assertEqual((before["shared"]["layers"], before["own"]["layers"], before["unmeasured"]), (3, 1, 4))
        self.kiln("bake")
        image = self.json("diff", "mainpc", "pc2", "app")["image"]
        own = [step for step in image["steps"] if step["verdict"] == "differs"]
        self.assertEqual([(step["line"], step["because"]) for step in own], [(4, ["it expands CUDA_ARCH of line 3"])])
        self.assertEqual((image["shared"]["layers"], image["own"]["layers"], image["unmeasured"]), (3, 1, 0))
        layers = [self.stored_image(f"ghcr.io/acme/app-{name}:latest").manifest["layers"] for name in ("mainpc", "pc2")]
        same = [layer["size"] for layer in layers[0] if layer in layers[1]]
        different = [[layer["size"] for layer in side if layer not in layers[1 - i]] for i, side in enumerate(layers)]
        self.assertEqual(image["shared"]["bytes"], sum(same))
        self.assertEqual([[image["own"]["bytes"]], [image["own"]["other_bytes"]]], different)
        self.assertIn("mainpc and pc2 share 3 of 4 layers", self.kiln("profile", "diff", "mainpc", "pc2", "app").stdout)

    def test_an_argument_above_a_run_is_named_without_building(self):
        self.write("images/app/Dockerfile", "FROM base\nARG UVICORN_WORKERS\nRUN make\nCOPY app /app\n")
        steps = self.json("diff", "mainpc", "pc2", "app")["image"]["steps"]
        self.assertEqual([(step["line"], step["because"]) for step in steps if step["verdict"] == "differs"],
                         [(3, ["UVICORN_WORKERS of line 2 is in scope"])])

    def test_an_image_that_is_not_baked_for_a_profile_is_refused(self):
        self.assertIn("is not baked for the profile 'mainpc'", self.kiln("profile", "diff", "mainpc", "pc2", "base", code=2).stderr)
        self.assertIn("did you mean 'app'", self.kiln("profile", "diff", "mainpc", "pc2", "ap", code=2).stderr)

    def test_a_profile_that_fits_its_machine_passes(self):
        self.assertEqual(self.kiln("profile", "check").stdout, "mainpc: nothing found\npc2: nothing found\n")

    def test_counts_beyond_the_machine_fail(self):
        self.write("profiles/pc2.json", PC2.replace('"8"', '"64"').replace('"8.6"', '"8.9"'))
        result = self.json("check", "pc2", code=1)
        self.assertEqual([(finding["severity"], finding["key"]) for finding in result["findings"]], [("error", "CUDA_ARCH"), ("error", "UVICORN_WORKERS")])
        self.assertIn("64 processes on 8 cores", self.kiln("profile", "check", code=1).stdout)

    def test_a_family_without_code_for_the_gpu_fails(self):
        self.write("images/base/image.json", '{"kind": "family", "device": "gpu", "cuda": {"version": "12.1", "arch": ["8.9"]}}')
        self.write("images/app/image.json", '{"kind": "service", "device": "gpu"}')
        self.assertIn("target 'app-pc2': CUDA_ARCH '8.6' is served by no entry", self.kiln("profile", "check", code=2).stderr)


if __name__ == "__main__":
    harness.main()
