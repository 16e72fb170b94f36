#!/usr/bin/env python3
"""Machines that share nothing but a cache, in a registry, behind http or in a folder: what a fresh one asks for, what it
downloads, that its images are those of a warm one, and that no cache can break a build."""

import contextlib
import json
import os
import re
import shutil

import harness

from tests.support.ci_runner import CiRunner
from tests.support.http_cache import BazelRemote, NginxDav

MOST_REQUESTS = 20
MOST_BYTES_FOR_A_CHANGED_FILE = 2_000_000

# What a RUN writes has fixed times here, so that two machines that both execute it make the same layer.
SERVICE = """\
FROM pydeps AS start
ENV PYTHONUNBUFFERED=1
WORKDIR /app
FROM start AS builder
COPY requirements.txt .
RUN mkdir -p /install && cp requirements.txt /install/packages && touch -d @1000000000 /install /install/packages
FROM start AS runtime
RUN mkdir -p /var/lib/service && touch -d @1000000000 /var /var/lib /var/lib/service
COPY --from=builder /install /usr/local
COPY . .
ARG MACHINE=small
ENV MACHINE=$MACHINE
USER 1000
CMD ["sh", "app.sh"]
"""


class Machines(harness.KilnTest):
    """A fleet of base -> pydeps -> service for two profiles, and machines to bake it on, each with a home of its own."""

    def setUp(self):
        super().setUp()
        self.need_containers()
        self.images = self.registry()
        self.write("repo/profiles/big.json", '{"OMP_NUM_THREADS": "16"}')
        self.write("repo/profiles/small.json", '{"OMP_NUM_THREADS": "4"}')
        self.write("repo/images/base/image.json", '{"kind": "base", "profiles": []}')
        self.write("repo/images/base/Dockerfile",
                   'FROM scratch\nCOPY busybox /bin/busybox\nENV PATH=/bin\n'
                   'RUN ["/bin/busybox", "sh", "-c", "/bin/busybox --install -s /bin && touch -h -d @1000000000 /bin/*"]\n')
        shutil.copy(shutil.which("busybox"), self.folder / "repo/images/base/busybox")
        self.write("repo/images/pydeps/image.json", '{"kind": "base", "profiles": []}')
        self.write("repo/images/pydeps/Dockerfile", "FROM base\nCOPY wheels /usr/lib/wheels\nRUN touch -d @1000000000 /usr/lib/done\n")
        # Larger than what a changed application file may cost, and no zip makes it smaller.
        self.write("repo/images/pydeps/wheels/torch", os.urandom(3 * MOST_BYTES_FOR_A_CHANGED_FILE))
        self.write("repo/images/service/image.json", '{"kind": "service"}')
        self.write("repo/images/service/Dockerfile", SERVICE)
        self.write("repo/images/service/requirements.txt", "flask\n")
        self.write("repo/images/service/app.sh", "echo hello\n")
        self.settings = {"registry": "ghcr.io", "namespace": "acme", "profiles": ["big", "small"], "profiles_folder": "../profiles",
                         "tags": ["latest"]}
        self.use_cache()

    def use_cache(self, *references, **more):
        """Writes fleet.json with these caches, for both directions."""
        cache = {"from": list(references), "to": list(references), **more} if references else {}
        self.write("repo/images/fleet.json", json.dumps({**self.settings, **({"cache": cache} if cache else {})}))

    def bake(self, machine, *args, push=True, runner=None, env=None, code=0, targets=("service",)):
        """Bakes on the machine whose home has that name; (metadata, report, output)."""
        for name in ("meta.json", "report.json"):
            (self.folder / "repo" / name).unlink(missing_ok=True)
        pushing = ["--push", "--registry", f"{self.images.address}/acme"] if push else []
        command = [harness.kiln_binary(), "bake", *targets, "--progress", "plain", "--metadata-file", "meta.json", "--report",
                   "report.json", *pushing, *args]
        old = os.getcwd()
        os.chdir(self.folder / "repo")
        try:
            result = harness.run(runner.command(command) if runner else command, cwd=self.folder / "repo", timeout=300,
                                 env=self.environment(KILN_HOME=str(self.folder / machine), **(env or {})))
        finally:
            os.chdir(old)
        self.assertEqual(result.code, code, result)
        if code != 0:
            return None, None, result.output
        folder = self.folder / "repo"
        return json.loads((folder / "meta.json").read_text()), json.loads((folder / "report.json").read_text()), result.output

    def digests(self, metadata):
        return {target: entry["containerimage.digest"] for target, entry in metadata.items()}

    def misses(self, report):
        return [step["text"] for step in report["steps"] if step["outcome"] != "hit"]

    def layers_on(self, machine):
        """Blobs on the machine that the images in the registry have as layers."""
        blobs = {path.name for path in (self.folder / machine / "oci/blobs/sha256").iterdir()}
        layers = set()
        for profile in ("big", "small"):
            status, _, body = self.images.get(f"/v2/acme/service-{profile}/manifests/latest",
                                              {"Accept": "application/vnd.oci.image.manifest.v1+json"})
            self.assertEqual(status, 200)
            layers |= {layer["digest"].removeprefix("sha256:") for layer in json.loads(body)["layers"]}
        return blobs & layers

    def registry_requests(self):
        return re.findall(r'"((?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+) HTTP/1\.1" (\d+)', self.images.log())


class SharedCacheChecks:
    """The three runs that a shared cache is measured by. A class below says with which."""

    # Requests that the cache itself got so far.
    def cache_requests(self):
        return 0

    def cache_ports(self):
        return []

    def setUp(self):
        super().setUp()
        self.open_cache()
        self.use_cache(self.reference)
        self.first, report, _ = self.bake("warm")
        self.assertEqual(len(self.misses(report)), len(report["steps"]))

    @contextlib.contextmanager
    def ci_runner(self):
        with CiRunner([int(self.images.address.split(":")[1]), *self.cache_ports()]) as runner:
            yield runner

    def test_an_unchanged_fleet_costs_a_few_requests_and_no_layer(self):
        before = len(self.registry_requests()) + self.cache_requests()
        with self.ci_runner() as runner:
            metadata, report, _ = self.bake("fresh", runner=runner)
        self.assertEqual(self.misses(report), [])
        self.assertEqual(self.digests(metadata), self.digests(self.first))
        self.assertEqual({step["from"] for step in report["steps"]} - {self.place()}, set())
        self.assertEqual(self.layers_on("fresh"), set())
        self.assertEqual({item["what"] for item in report["fetched"]} - {"file index"}, set())
        requests = len(self.registry_requests()) + self.cache_requests() - before
        self.assertLessEqual(requests, MOST_REQUESTS, self.registry_requests()[-requests:])

    def test_a_changed_application_file_downloads_no_layer(self):
        self.write("repo/images/service/app.sh", "echo changed\n")
        with self.ci_runner() as runner:
            metadata, report, _ = self.bake("fresh", runner=runner)
            received = runner.received_bytes
        self.assertEqual(self.misses(report), ["COPY . ."])
        missed = [step for step in report["steps"] if step["outcome"] != "hit"]
        self.assertIn("file app.sh changed", missed[0]["reason"])
        self.assertEqual({item["what"] for item in report["fetched"]} - {"file index"}, set())
        self.assertLessEqual(received, MOST_BYTES_FOR_A_CHANGED_FILE)
        self.use_cache()
        warm, _, _ = self.bake("warm", push=False)
        self.assertEqual(self.digests(metadata), self.digests(warm))
        for profile in ("big", "small"):
            self.pushed_image(f"{self.images.address}/acme/service-{profile}:latest")

    def test_changed_requirements_miss_the_steps_below_them_and_fetch_their_parents(self):
        self.write("repo/images/service/requirements.txt", "flask\nnumpy\n")
        with self.ci_runner() as runner:
            metadata, report, output = self.bake("fresh", runner=runner)
        self.assertEqual(sorted(self.misses(report)),
                         ["COPY --from=builder /install /usr/local", "COPY . .", "COPY requirements.txt .",
                          "RUN mkdir -p /install && cp requirements.txt /install/packages && touch -d @1000000000 /install /install/packages"], output)
        # The RUN's parents, and nothing of the stage that ends the image.
        fetched = {item["digest"]: item["step"] for item in report["fetched"] if item["what"] == "layer"}
        self.assertEqual({text[:20] for text in fetched.values()}, {"RUN mkdir -p /instal"})
        service = next(image for image in report["images"] if image["profile"] == "big")
        parents = [layer["digest"] for layer in service["layers"] if not layer["text"].startswith(("RUN mkdir -p /var", "COPY --from", "COPY . "))]
        self.assertEqual(sorted(fetched), sorted(parents))
        self.use_cache()
        warm, _, _ = self.bake("warm", push=False)
        self.assertEqual(self.digests(metadata), self.digests(warm))

    def test_what_one_fresh_machine_built_the_next_one_hits(self):
        self.write("repo/images/service/app.sh", "echo changed\n")
        first, _, _ = self.bake("one")
        second, report, _ = self.bake("two")
        self.assertEqual(self.misses(report), [])
        self.assertEqual(self.digests(first), self.digests(second))
        # The bundle keeps what it held before.
        self.write("repo/images/service/app.sh", "echo hello\n")
        third, report, _ = self.bake("three")
        self.assertEqual(self.misses(report), [])
        self.assertEqual(self.digests(third), self.digests(self.first))


class RegistryCache(SharedCacheChecks, Machines):
    def open_cache(self):
        self.reference = f"type=registry,ref={self.images.address}/acme/cache"

    def place(self):
        return f"registry {self.images.address}/acme/cache"

    def test_layers_are_mounted_and_never_sent_twice(self):
        uploads = [path for path, status in self.registry_requests() if path.startswith("PUT /v2/acme/") and "/blobs/uploads/" in path]
        self.assertTrue(uploads)
        large = {path.name for path in (self.folder / "warm/oci/blobs/sha256").iterdir() if path.stat().st_size > 1_000_000}
        self.assertTrue(large)
        for blob in large:
            sent = [path for path in uploads if blob in path]
            self.assertLessEqual(len(sent), 1, sent)

    def test_each_step_is_an_artifact_that_other_clients_can_read(self):
        self.need_programs("skopeo")
        status, _, body = self.images.get("/v2/acme/cache/tags/list")
        self.assertEqual(status, 200)
        tags = json.loads(body)["tags"]
        _, report, _ = self.bake("warm")
        for step in report["steps"]:
            self.assertIn(step["key"], tags)
            raw = json.loads(self.run_program("skopeo", "inspect", "--raw", "--tls-verify=false",
                                              f"docker://{self.images.address}/acme/cache:{step['key']}").stdout)
            self.assertEqual(raw["artifactType"], "application/vnd.kiln.step.v1+json")
            _, _, record = self.images.get(f"/v2/acme/cache/blobs/{raw['config']['digest']}")
            self.assertEqual(json.loads(record)["key"], step["key"])


class BazelRemoteCache(SharedCacheChecks, Machines):
    def open_cache(self):
        self.server = BazelRemote()
        self.addCleanup(self.server.stop)
        self.reference = f"type=http,url={self.server.url}"

    def place(self):
        return f"http {self.server.address}"

    def cache_requests(self):
        return len(self.server.requests)

    def cache_ports(self):
        return [int(self.server.address.split(":")[1])]


class NginxCache(SharedCacheChecks, Machines):
    def open_cache(self):
        self.need_programs("nginx")
        self.server = NginxDav()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        self.reference = f"type=http,url={self.server.url}"

    def place(self):
        return f"http {self.server.address}/cache"

    def cache_requests(self):
        return len(self.server.requests)

    def cache_ports(self):
        return [int(self.server.address.split(":")[1])]


class FolderCache(SharedCacheChecks, Machines):
    def open_cache(self):
        self.reference = f"type=local,dest={self.folder}/cache"

    def place(self):
        return f"folder '{self.folder}/cache'"


if __name__ == "__main__":
    harness.main()
