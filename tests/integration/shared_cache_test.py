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

    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.need_containers()
        self.images = self.registry()
        self.write("repo/profiles/big.json", '{"OMP_NUM_THREADS": "16"}')
        self.write("repo/profiles/small.json", '{"OMP_NUM_THREADS": "4"}')
        self.write("repo/images/base/image.json", '{"kind": "base", "profiles": []}')
        self.write("repo/images/base/Dockerfile",
                   'FROM scratch\nCOPY busybox /bin/busybox\nENV PATH=/bin\n'
                   'RUN ["/bin/busybox", "sh", "-c", "/bin/busybox --install -s /bin && touch -h -d @1000000000 /bin/* /bin"]\n')
        shutil.copy(shutil.which("busybox"), self.folder / "repo/images/base/busybox")
        self.write("repo/images/pydeps/image.json", '{"kind": "base", "profiles": []}')
        self.write("repo/images/pydeps/Dockerfile", "FROM base\nCOPY wheels /usr/lib/wheels\nRUN touch -d @1000000000 /usr/lib/done /usr/lib\n")
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
        metadata, report = self.folder / f"{machine}.meta.json", self.folder / f"{machine}.report.json"
        for path in (metadata, report):
            path.unlink(missing_ok=True)
        pushing = ["--push", "--registry", f"{self.images.address}/acme"] if push else []
        command = [harness.kiln_binary(), "bake", *targets, "--progress", "plain", "--metadata-file", metadata, "--report",
                   report, *pushing, *args]
        repo = self.folder / "repo"
        result = harness.run(runner.command(command, cwd=repo) if runner else command, cwd=repo, timeout=300,
                             env=self.environment(KILN_HOME=str(self.folder / machine), **(env or {})))
        self.assertEqual(result.code, code, result)
        if code != 0:
            return None, None, result.output
        return json.loads(metadata.read_text()), json.loads(report.read_text()), result.output

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
        # The fresh machine tells it too, though it has built nothing before: the shared cache's records are what it compares with.
        why = json.loads(self.kiln("why", "service", "--json", env={"KILN_HOME": self.folder / "fresh"}).stdout)
        explained = [step for target in why["targets"] for step in target["steps"] if step["outcome"] != "hit"]
        self.assertEqual({step["text"] for step in explained}, {"COPY . ."})
        for step in explained:
            self.assertEqual([item["text"] for item in step["differences"]], ["file app.sh changed"])
            self.assertTrue(step["against"] and step["advice"])
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
            self.assertEqual(raw["artifactType"], "application/vnd.kiln.step.v2")
            _, _, record = self.images.get(f"/v2/acme/cache/blobs/{raw['config']['digest']}")
            self.assertEqual(json.loads(record.splitlines()[0])["key"], step["key"])


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


class Trust(Machines):
    """Caches that are damaged, not to be trusted, down, slow or refusing: a stated miss or a warning, and the right image."""

    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.use_cache(f"type=local,dest={self.cache}")
        self.first, report, _ = self.bake("warm", push=False)
        self.steps = len(report["steps"])

    def entries(self, kind="step"):
        return [path for path in sorted((self.cache / "entries").glob("*/*")) if f"vnd.kiln.{kind}." in path.read_text(errors="replace")]

    def drop_bundles(self):
        for path in self.entries("bundle"):
            path.unlink()

    def bake_fresh(self, machine="fresh", **more):
        metadata, report, output = self.bake(machine, push=False, **more)
        self.assertEqual(self.digests(metadata), self.digests(self.first))
        return report, output

    def assert_all_missed(self, report, reason):
        self.assertEqual(len(self.misses(report)), len(report["steps"]))
        for step in report["steps"]:
            self.assertIn(reason, step["reason"])

    def test_a_corrupt_entry_is_a_stated_miss(self):
        self.drop_bundles()
        for path in self.entries():
            text = path.read_bytes()
            path.write_bytes(text[:-10] + bytes([text[-10] ^ 1]) + text[-9:])
        report, output = self.bake_fresh()
        self.assert_all_missed(report, "its content has the digest")
        self.assertIn("shared cache folder", output)

    def test_a_truncated_entry_is_a_stated_miss(self):
        self.drop_bundles()
        for path in self.entries():
            path.write_bytes(path.read_bytes()[:100])
        report, _ = self.bake_fresh()
        self.assert_all_missed(report, "truncated")

    def test_another_keys_entry_is_a_stated_miss(self):
        self.drop_bundles()
        entries = self.entries()
        texts = [path.read_bytes() for path in entries]
        for path, text in zip(entries, texts[1:] + texts[:1]):
            path.write_bytes(text)
        report, _ = self.bake_fresh()
        self.assert_all_missed(report, "it is the entry of key")

    def test_a_corrupt_bundle_costs_nothing_but_look_ups(self):
        for path in self.entries("bundle"):
            path.write_bytes(path.read_bytes().replace(b"entries", b"entrees"))
        report, _ = self.bake_fresh()
        self.assertEqual(self.misses(report), [])

    def test_a_corrupt_layer_is_made_again(self):
        for path in (self.cache / "blobs/sha256").iterdir():
            text = path.read_bytes()
            path.write_bytes(bytes([text[0] ^ 1]) + text[1:])
        report, output = self.bake_fresh()
        self.assertIn("digest", output)
        self.assertTrue(self.misses(report))

    def test_layers_that_are_gone_are_made_again_and_it_is_said(self):
        shutil.rmtree(self.cache / "blobs")
        report, output = self.bake_fresh()
        self.assertIn("no cache has the layer of", output)
        self.assertEqual({step["reason"] for step in report["steps"] if step["outcome"] != "hit"}, {"no cache has its layer any more"})

    def keys(self, name):
        private, public = self.folder / f"{name}.pem", self.folder / f"{name}.pub.pem"
        self.run_program("openssl", "genpkey", "-algorithm", "ed25519", "-out", private)
        self.run_program("openssl", "pkey", "-in", private, "-pubout", "-out", public)
        return private, public

    def test_only_entries_of_trusted_keys_hit(self):
        self.need_programs("openssl")
        private, public = self.keys("ci")
        stranger, _ = self.keys("stranger")
        reference = f"type=local,dest={self.cache}"
        signing = {"env": {"KILN_CACHE_SIGN_KEY": private}}
        # What was written before, unsigned.
        self.use_cache(reference, sign={"trust": [str(public)]})
        report, output = self.bake_fresh("unsigned")
        self.assert_all_missed(report, "it is not signed")
        self.assertIn("the shared cache is only read", output)
        # Signed by somebody else.
        shutil.rmtree(self.cache)
        self.use_cache(reference)
        self.bake_fresh("writer1", env={"KILN_CACHE_SIGN_KEY": stranger})
        self.use_cache(reference, sign={"trust": [public.read_text()]})
        report, _ = self.bake_fresh("foreign")
        self.assert_all_missed(report, "which is not trusted")
        # Signed by the one that is trusted, who writes over what cannot be used.
        self.bake_fresh("writer2", **signing)
        report, _ = self.bake_fresh("reader")
        self.assertEqual(self.misses(report), [])
        # A signature does not hold for anything else.
        self.drop_bundles()
        for path in self.entries():
            path.write_bytes(path.read_bytes().replace(b"ed25519:", b"ed25519:0", 1))
        report, _ = self.bake_fresh("damaged")
        self.assertEqual(len(self.misses(report)), self.steps)

    def test_reading_writes_nothing(self):
        def listing():
            return {path: path.stat().st_mtime_ns for path in self.cache.rglob("*")}

        before = listing()
        reference = f"type=local,dest={self.cache}"
        self.write("repo/images/service/app.sh", "echo changed\n")
        self.use_cache(reference, mode="read")
        self.bake("one", push=False)
        self.use_cache(reference)
        self.bake("two", push=False, env={"KILN_CACHE_MODE": "read"})
        self.bake("three", "--cache-from", reference, "--cache-to", reference + ",mode=read", push=False)
        self.assertEqual(listing(), before)

    def test_the_images_layers_are_kept_by_min_and_those_of_all_stages_by_max(self):
        def kept():
            return {path.name for path in (self.cache / "blobs/sha256").iterdir()}

        small = kept()
        shutil.rmtree(self.cache)
        self.bake("warm", "--cache-to", f"type=local,dest={self.cache},mode=max", push=False)
        self.assertLess(small, kept())

    def test_a_cache_that_is_down_costs_a_warning(self):
        with BazelRemote() as server:
            address = server.address
        self.use_cache(f"type=http,url=http://{address}")
        report, output = self.bake_fresh()
        self.assertEqual(len(self.misses(report)), self.steps)
        self.assertEqual(output.count("going on without it"), 1, output)
        self.assertIn(f"shared cache http {address}", output)

    def test_a_cache_that_is_slow_costs_its_timeout_once(self):
        with BazelRemote() as server:
            server.delay_seconds = 30
            self.use_cache(f"type=http,url={server.url},timeout=1")
            _, output = self.bake_fresh()
        self.assertEqual(output.count("going on without it"), 1, output)

    def test_a_cache_that_refuses_costs_a_warning_or_the_build_where_that_is_asked_for(self):
        with BazelRemote() as server:
            server.refuse = 403
            self.use_cache(f"type=http,url={server.url}")
            _, output = self.bake_fresh()
            self.assertIn("403", output)
            server.refuse = 500
            _, _, output = self.bake("strict", "--cache-to", f"type=http,url={server.url},ignore-error=false", push=False, code=3)
            self.assertIn("could not be written", output)

    def test_what_a_far_cache_answers_is_written_to_the_nearer_one(self):
        with BazelRemote() as server:
            self.use_cache(f"type=http,url={server.url}")
            self.bake("warm", push=False)
            near = f"type=local,dest={self.folder}/near"
            self.use_cache(near, f"type=http,url={server.url}")
            self.bake_fresh("one")
        self.use_cache(near)
        report, _ = self.bake_fresh("two")
        self.assertEqual(self.misses(report), [])
        self.assertEqual({step["from"] for step in report["steps"]}, {f"folder '{self.folder}/near'"})


if __name__ == "__main__":
    harness.main()
