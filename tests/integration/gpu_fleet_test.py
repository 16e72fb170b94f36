#!/usr/bin/env python3
"""The repository's own definitions: the GPU chain and the five services, on a base that needs no network."""

import json
import shutil

import harness
from tests.support.file_index import dead_weight, image_files, libraries_twice, same_content_twice
from tests.support.fleet_stand_in import SITE, write_fleet

SERVICES = ("affective-processing-center", "memory-fusion-hub", "model-ops-coordinator", "real-time-audio-pipeline",
            "unified-observability-center")
CUDA_PACKAGES = 12


class FleetStandIn(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox", "zstd")
        self.images = write_fleet(harness.ROOT, self.folder)

    def bake(self, *names, **options):
        """Bakes and gives the report."""
        self.kiln("bake", *names, "--registry", "127.0.0.1:9/acme", "--progress", "plain", "--report", "report.json", timeout=300, **options)
        return json.loads((self.folder / "report.json").read_text())

    def image(self, target):
        return self.stored_image(f"127.0.0.1:9/acme/{target}:latest")

    def files(self, target):
        return image_files(self.home, f"127.0.0.1:9/acme/{target}:latest")

    def test_the_gpu_chain_has_each_library_once_and_is_shared_by_both_machines(self):
        self.bake("gpu")
        mainpc, pc2 = self.image("model-ops-coordinator-mainpc"), self.image("model-ops-coordinator-pc2")
        self.assertEqual(mainpc.manifest["layers"], pc2.manifest["layers"])
        self.assertEqual((mainpc.env["MACHINE"], pc2.env["MACHINE"]), ("mainpc", "pc2"))
        self.assertEqual((mainpc.env["CUDA_ARCH"], pc2.env["CUDA_ARCH"]), ("8.9", "8.6"))
        for image in (mainpc, pc2):
            self.assertEqual(image.env["PYTORCH_CUDA_ALLOC_CONF"], image.env["TORCH_CUDA_ALLOC_CONF"])
            self.assertEqual(image.env["CUDA_VISIBLE_DEVICES"], image.env["GPU_VISIBLE_DEVICES"])
            self.assertEqual((image.env["NVIDIA_VISIBLE_DEVICES"], image.env["NVIDIA_DRIVER_CAPABILITIES"]), ("all", "compute,utility"))
            self.assertEqual((image.env["NVIDIA_REQUIRE_CUDA"], image.env["TORCH_CUDA_ARCH_LIST"]), ("cuda>=12.1", "8.6;8.9"))
            self.assertEqual(image.config["config"]["User"], "appuser")
            self.assertIn("Healthcheck", image.config["config"])
        # What base-gpu-cu121 says goes for all that is built on it.
        self.assertEqual({layer["mediaType"].rpartition("+")[2] for layer in mainpc.manifest["layers"]}, {"zstd"})

        files = self.files("model-ops-coordinator-pc2")
        cuda = [path for path in files if path.startswith(f"{SITE}/nvidia/") and ".so" in path]
        self.assertEqual(len(cuda), CUDA_PACKAGES)
        self.assertIn(f"{SITE}/torch/lib/libtorch_cuda.so", files)
        self.assertEqual(libraries_twice(files), {})
        self.assertEqual(same_content_twice(files, 100_000), [])
        self.assertEqual(dead_weight(files, SITE), [])
        self.assertNotIn(f"{SITE}/triton/third_party/cuda/bin/nvdisasm", files)

    def test_a_second_copy_of_cuda_is_seen(self):
        self.write("images/twice/Dockerfile", f"""
            FROM base-gpu-cu121
            RUN mkdir -p /usr/local/cuda/lib64 && cp /{SITE}/nvidia/*/lib/*.so.12 /usr/local/cuda/lib64/
            RUN mkdir /opt && cp /{SITE}/nvidia/cudnn/lib/libcudnn.so.12 /opt/libcudnn-0123abcd.so.8 && rm -r /usr/local/cuda
            """)
        self.write("images/twice/image.json", '{"kind": "base", "default": false}')
        self.bake("twice")
        self.assertEqual(libraries_twice(self.files("twice")),
                         {"libcudnn": ["opt/libcudnn-0123abcd.so.8", f"{SITE}/nvidia/cudnn/lib/libcudnn.so.12"]})
        self.assertEqual(len(same_content_twice(self.files("twice"), 100_000)), 1)

    def test_the_second_cuda_line_is_a_definition(self):
        printed = json.loads(self.kiln("bake", "--print", "base-gpu-cu118").stdout)
        self.assertEqual(printed["target"]["base-gpu-cu118"]["contexts"], {"base-utils": "target:base-utils"})
        plan = json.loads(self.kiln("plan", "base-gpu-cu118", "--format", "json").stdout)
        self.assertEqual([target["name"] for target in plan["targets"]], ["base-utils", "base-gpu-cu118"])
        self.bake("base-gpu-cu118")
        self.assertEqual(self.image("base-gpu-cu118").env["NVIDIA_REQUIRE_CUDA"], "cuda>=11.8")

    def test_an_arch_that_the_family_has_no_code_for_is_refused_before_anything_is_built(self):
        profile = self.images.parent / "profiles/pc2.json"
        profile.write_text(profile.read_text().replace('"8.6"', '"7.5"'))
        result = self.kiln("bake", "gpu", code=2)
        self.assertIn("CUDA_ARCH '7.5' is served by no entry of the arch list '8.6;8.9'", result.stderr)
        self.assertFalse((self.home / "snapshots/1").exists())

    def test_one_changed_line_in_one_service_misses_the_steps_below_it_alone(self):
        self.bake("services")
        file = self.images / "real-time-audio-pipeline/real_time_audio_pipeline/detector.py"
        file.write_text(file.read_text().replace("margin_db: float = 12.0", "margin_db: float = 11.0"))
        report = self.bake("services")
        missed = [step for step in report["steps"] if step["outcome"] == "built"]
        self.assertEqual([(step["file"], step["text"]) for step in missed],
                         [("images/real-time-audio-pipeline/Dockerfile", "COPY . .")], missed)
        self.assertIn("detector.py", missed[0]["reason"])
        self.assertGreaterEqual(report["rates"]["steps_pct"], 90)
        self.assertGreaterEqual(report["rates"]["bytes_pct"], 95)
        # By the seconds that were recorded when the steps were executed: containers against one small COPY.
        self.assertGreaterEqual(report["rates"]["seconds_pct"], 70)
        own = [step for step in report["steps"] if step["file"] == "images/real-time-audio-pipeline/Dockerfile"]
        self.assertGreater(len(own), 3)
        self.assertGreaterEqual(100 * (len(own) - len(missed)) / len(own), 70, own)


class Definitions(harness.KilnTest):
    def test_kiln_check_finds_nothing_in_the_services_and_gpu_bases(self):
        for name in (*SERVICES, "base-gpu-cu121", "base-gpu-cu118", "family-torch-cu121", "base-cpu-pydeps", "base-utils"):
            with self.subTest(image=name):
                self.assertIn("nothing found", self.kiln("check", "--error-on-warning", harness.ROOT / "images" / name).stdout)

    def test_a_name_of_the_fleet_is_no_floating_tag_and_others_are(self):
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme"}')
        self.write("images/base/image.json", '{"kind": "base"}')
        self.write("images/base/Dockerfile", "FROM scratch\n")
        self.write("images/app/image.json", '{"kind": "service"}')
        rest = "COPY image.json /\nUSER 1000\nHEALTHCHECK NONE\nCMD [\"/app\"]\n"
        for base, code in (("base", 0), ("ghcr.io/acme/base", 0), ("ghcr.io/other/base", 1), ("bases", 1)):
            self.write("images/app/Dockerfile", f"FROM {base}\n{rest}")
            result = self.kiln("check", "--error-on-warning", "images/app", code=code)
            self.assertEqual("FloatingTag" in result.stdout, code == 1, base)

    def test_requirements_are_pinned_and_hashed(self):
        for name in (*SERVICES, "base-cpu-pydeps", "base-gpu-cu121", "base-gpu-cu118", "family-torch-cu121"):
            lines = [line for line in (harness.ROOT / "images" / name / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
            for package, digest in zip(lines[::2], lines[1::2], strict=True):
                self.assertRegex(package, r"^[a-z0-9-]+==[0-9][^ ]* \\$")
                self.assertRegex(digest, r"^    --hash=sha256:[0-9a-f]{64}$")

    def test_the_services_pass_their_own_tests(self):
        """As far as Python's own library goes; those that need a package are skipped by name."""
        for name in SERVICES:
            with self.subTest(service=name):
                folder = self.folder / name
                shutil.copytree(harness.ROOT / "images" / name, folder)
                result = self.run_program("/usr/bin/python3", "-B", "-m", "unittest", "discover", "-v", "-s", "tests", "-t", ".", cwd=folder)
                self.assertRegex(result.stderr, r"Ran [1-9]\d* tests")
                self.assertIn("... ok", result.stderr)


if __name__ == "__main__":
    harness.main()
