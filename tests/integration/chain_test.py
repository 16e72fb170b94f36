#!/usr/bin/env python3
"""The repository's own chain, for real: Debian packages, pip, containers, a registry, other people's clients."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import harness

PORT = 6713


def port_is_taken():
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


def offline():
    """Whether what the chain fetches is out of reach: asked of the hosts themselves, whatever a failed build says."""
    for url in ("http://deb.debian.org/debian/dists/bookworm/InRelease", "https://pypi.org/simple/pip/"):
        try:
            urllib.request.urlopen(url, timeout=20).close()
        except (urllib.error.URLError, OSError):
            return True
    return False


class Chain(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("mmdebstrap", "podman", "git")
        shutil.copytree(harness.ROOT / "images", self.folder / "images")
        shutil.copytree(harness.ROOT / "profiles", self.folder / "profiles")

    def bake(self, registry, *args):
        result = self.kiln("bake", "--progress", "plain", "--push", "--registry", f"{registry.address}/acme", "--report", "report.json",
                           "--metadata-file", "meta.json", *args, code=None, timeout=500)
        if result.code != 0 and offline():
            self.skipTest("Debian's packages or PyPI cannot be reached from here")
        self.assertEqual(result.code, 0, result)
        return json.loads((self.folder / "meta.json").read_text()), json.loads((self.folder / "report.json").read_text())

    def podman(self, *args, code=0):
        return self.run_program("podman", "--root", self.folder / "podman", "--runroot", self.folder / "podman-run", "--runtime", "runc",
                                "--storage-driver", "vfs", *args, code=code, timeout=200)

    def health(self):
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=2) as answer:
                    return answer.status
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        return None

    def test_the_pilot_is_baked_pushed_pulled_and_healthy(self):
        registry = self.registry()
        metadata, report = self.bake(registry)
        self.assertEqual(sorted(metadata), ["base-cpu-pydeps", "base-python", "base-utils", "memory-fusion-hub-mainpc", "memory-fusion-hub-pc2"])
        for entry in metadata.values():
            self.assertLessEqual({"containerimage.digest", "containerimage.config.digest", "containerimage.descriptor", "image.name"}, set(entry))
        mainpc = self.pushed_image(f"{registry.address}/acme/memory-fusion-hub-mainpc:latest")
        pc2 = self.pushed_image(f"{registry.address}/acme/memory-fusion-hub-pc2:latest")
        self.assertEqual(mainpc.manifest["layers"], pc2.manifest["layers"])
        self.assertLess(mainpc.compressed_bytes, 130_000_000)
        self.assertEqual((mainpc.env["UVICORN_WORKERS"], pc2.env["UVICORN_WORKERS"]), ("32", "8"))
        self.assertTrue(any(image["reduction_pct"] and image["reduction_pct"] > 55 for image in report["images"]))

        # Nothing changed: everything hits, nothing moves, and the lock holds.
        again, report = self.bake(registry, "--locked")
        self.assertEqual({target: entry["containerimage.digest"] for target, entry in metadata.items()},
                         {target: entry["containerimage.digest"] for target, entry in again.items()})
        self.assertEqual((report["rates"]["steps_pct"], report["wire"]["pushed_bytes"]), (100, 0))

        with self.subTest("it runs"):
            self.run_service(registry)

    def run_service(self, registry):
        if port_is_taken():
            self.skipTest(f"running the service: port {PORT} is taken, on which it listens")
        name = f"kiln-test-{os.getpid()}"
        image = f"{registry.address}/acme/memory-fusion-hub-pc2:latest"
        self.podman("pull", "--quiet", "--tls-verify=false", image)
        self.addCleanup(subprocess.run, ["podman", "--root", self.folder / "podman", "--runroot", self.folder / "podman-run",
                                         "--storage-driver", "vfs", "rm", "--force", "--time", "1", name], capture_output=True)
        self.podman("run", "--detach", "--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--name", name, image)
        self.assertEqual(self.health(), 200)
        self.assertNotIn("uid=0", self.podman("exec", name, "id").stdout)
        self.assertIn("OMP_NUM_THREADS=4", self.podman("exec", name, "env").stdout)


if __name__ == "__main__":
    harness.main()
