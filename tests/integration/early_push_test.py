#!/usr/bin/env python3
"""Layers that go to their registry while later steps run: a step that waits until it finds its image's layer there, registries that
refuse or never answer meanwhile, builds that fail afterwards; and that every blob is sent once and asked about once."""

import http.client
import json
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import harness

ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
DOCKERFILE = """\
FROM scratch AS other
COPY only-other /only-other
FROM scratch
COPY busybox /bin/busybox
COPY payload /payload
COPY --from=other /only-other /copied
ARG URL
ARG THEN
RUN ["/bin/busybox", "sh", "-c", "for i in $(/bin/busybox seq 1200); do /bin/busybox wget -q -O /dev/null $URL 2>/dev/null && break; /bin/busybox sleep 0.05; [ $i = 1200 ] && exit 9; done; eval $THEN; /bin/busybox touch /done"]
"""


class Front:
    """Stands before a registry. While `refuses`, uploads are answered with 403; while `holds`, an upload's body is read and nothing
    answered. /begun is there once either has happened, /open ends both."""

    def __init__(self, registry):
        front = self
        self.refuses = self.holds = False
        self._begun = threading.Event()
        self._ended = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, headers=(), body=b""):
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "connection", "transfer-encoding", "date"):
                        self.send_header(name, value)
                length = dict((name.lower(), value) for name, value in headers).get("content-length") if self.command == "HEAD" else None
                self.send_header("Content-Length", length or str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/begun":
                    return self.reply(200 if front._begun.is_set() else 404)
                if self.path == "/open":
                    front.refuses = front.holds = False
                    return self.reply(200)
                if front.refuses and self.command == "POST":
                    front._begun.set()
                    return self.reply(403, body=b"{}")
                if front.holds and self.command == "PUT":
                    front._begun.set()
                    front._ended.wait()
                    self.close_connection = True
                    return None
                connection = http.client.HTTPConnection(registry.address, timeout=30)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                text = answer.read()
                self.reply(answer.status, answer.getheaders(), text)
                return connection.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


class EarlyPush(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        self.server = self.registry()
        self.write("app/Dockerfile", DOCKERFILE)
        self.write("app/payload", "payload " * 50_000)
        self.write("app/only-other", "other " * 50_000)
        shutil.copy(shutil.which("busybox"), self.folder / "app/busybox")
        # What the layer before the RUN will be called.
        self.write("before/Dockerfile", "\n".join(DOCKERFILE.splitlines()[:5]) + "\n")
        self.kiln("build", "-q", "-f", self.folder / "before/Dockerfile", "-t", "before", "app", env={"KILN_HOME": self.folder / "before-home"})
        self.layer = self.layout_image(self.folder / "before-home/oci", "docker.io/library/before:latest").manifest["layers"][1]["digest"]

    def front(self, **options):
        front = Front(self.server)
        self.addCleanup(front.stop)
        for name, value in options.items():
            setattr(front, name, value)
        return front

    def build(self, *args, address=None, url=None, then="true", code=0, push=("--push",), timeout=110):
        """Builds an image whose RUN goes on once `url` is there: the payload's layer in the image's repository."""
        address = address or self.server.address
        url = url or f"http://{address}/v2/acme/app/blobs/{self.layer}"
        return self.kiln("build", "--progress", "verbose", *push, "-t", f"{address}/acme/app:1", "--build-arg", f"URL={url}", "--build-arg", f"THEN={then}",
                         *args, "app", code=code, timeout=timeout)

    def requests(self):
        return re.findall(r'"((?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+) HTTP/1\.1" (\d+)', self.server.log())

    def puts(self):
        """Digests of blobs that were sent, each as often as it was."""
        return sorted(re.findall(r"PUT /v2/\S+/blobs/uploads/\S*digest=sha256(?:%3A|:)([0-9a-f]{64})", " ".join(path for path, _ in self.requests())))

    def blobs(self, repository="acme/app", tag="1"):
        status, _, body = self.server.get(f"/v2/{repository}/manifests/{tag}", ACCEPT)
        self.assertEqual(status, 200)
        manifest = json.loads(body)
        return [blob["digest"].removeprefix("sha256:") for blob in (manifest["config"], *manifest["layers"])]

    def assert_no_tag(self):
        self.assertEqual(self.server.get("/v2/acme/app/manifests/1", ACCEPT)[0], 404)

    def test_a_layer_is_at_the_registry_before_the_last_step_has_ended(self):
        result = self.build()
        image = self.pushed_image(f"{self.server.address}/acme/app:1")
        self.assertEqual(image.digest, self.stored_image(f"{self.server.address}/acme/app:1").digest)
        # Each blob of the image, and nothing of the other stage, was asked about once, sent once, and told once.
        self.assertEqual(self.puts(), sorted(self.blobs()))
        for blob in self.blobs():
            asked = [path for path, _ in self.requests() if path == f"HEAD /v2/acme/app/blobs/sha256:{blob}"]
            self.assertEqual(len(asked), 1, asked)
            self.assertEqual(len(re.findall(rf"^#\d+ push {blob[:12]} ", result.output, re.M)), 1, result.output)
        self.assertNotIn("CANCELED", result.output)
        # What is there already is neither built, nor sent, nor asked about.
        before = len(self.requests())
        self.build()
        self.assertEqual([path for path, _ in self.requests()[before:] if "blobs" in path], [])

    def test_an_image_pushed_by_its_digest_alone(self):
        self.kiln("build", "-o", f"type=image,name={self.server.address}/acme/app,push-by-digest=true,push=true", "--build-arg",
                  f"URL=http://{self.server.address}/v2/acme/app/blobs/{self.layer}", "--build-arg", "THEN=true", "app", timeout=110)
        self.assertEqual(len(self.puts()), len(set(self.puts())))
        self.assert_no_tag()

    def test_nothing_goes_early_for_an_image_that_is_not_pushed(self):
        self.build(push=(), url=f"http://{self.server.address}/v2/")
        self.build("--offline", "--no-cache", url=f"http://{self.server.address}/v2/")
        self.assertEqual([path for path, _ in self.requests() if "/v2/acme" in path], [])

    def test_a_build_that_fails_afterwards_leaves_no_tag(self):
        result = self.build(then="exit 7", code=1)
        self.assertIn("exit code 7", result.output)
        self.assertIn(self.layer.removeprefix("sha256:"), self.puts())
        self.assert_no_tag()
        # The next build finds it there.
        self.build()
        self.assertEqual(self.puts(), sorted(set(self.puts())))
        self.pushed_image(f"{self.server.address}/acme/app:1")

    def test_a_registry_that_refuses_meanwhile_fails_no_build(self):
        front = self.front(refuses=True)
        self.build(address=front.address, url=f"http://{front.address}/begun", then=f"/bin/busybox wget -q -O /dev/null http://{front.address}/open")
        self.assertEqual(self.puts(), sorted(self.blobs()))
        self.pushed_image(f"{self.server.address}/acme/app:1")

    def test_a_registry_that_refuses_to_the_end_is_reported_once(self):
        front = self.front(refuses=True)
        result = self.build(address=front.address, url=f"http://{front.address}/begun", code=3)
        self.assertEqual(len(re.findall(r"^error: .*403", result.output, re.M)), 1, result.output)
        self.assertEqual(self.puts(), [])

    def test_an_upload_that_is_never_answered_does_not_hold_up_a_build_that_fails(self):
        front = self.front(holds=True)
        result = self.build(address=front.address, url=f"http://{front.address}/begun", then="exit 7", code=1)
        self.assertIn("exit code 7", result.output)
        self.assertRegex(result.output, r"(?m)^#\d+ CANCELED$")
        self.assert_no_tag()

    def check_cache(self, *flags):
        self.build(*flags, url=f"http://{self.server.address}/v2/")
        large = {path.name for path in (self.home / "oci/blobs/sha256").iterdir()} & set(self.blobs()[1:])
        self.assertEqual(len(large), 4)
        self.assertEqual([blob for blob in self.puts() if blob in large], sorted(large))
        self.pushed_image(f"{self.server.address}/acme/app:1")

    def test_a_cache_in_the_same_registry_costs_no_second_upload(self):
        cache = f"type=registry,ref={self.server.address}/acme/cache"
        self.check_cache("--cache-to", cache)

    def test_a_cache_that_is_written_by_each_step_costs_no_second_upload(self):
        cache = f"type=registry,ref={self.server.address}/acme/cache"
        self.check_cache("--cache-to", cache, "--cache-from", cache)

    def test_a_fleet_sends_shared_layers_once(self):
        self.write("fleet/fleet.json", '{"registry": "ghcr.io", "namespace": "acme", "tags": ["1"]}')
        self.write("fleet/base/image.json", '{"kind": "base", "profiles": []}')
        self.write("fleet/base/Dockerfile", "FROM scratch\nCOPY payload /payload\n")
        self.write("fleet/base/payload", "base " * 50_000)
        for name in ("one", "two"):
            self.write(f"fleet/{name}/image.json", '{"kind": "base", "profiles": []}')
            self.write(f"fleet/{name}/Dockerfile", f"FROM base\nCOPY {name} /{name}\nCOPY common /common\n")
            self.write(f"fleet/{name}/{name}", f"{name} " * 50_000)
            self.write(f"fleet/{name}/common", "common")
        self.kiln("bake", "base", "one", "two", "--push", "--registry", f"{self.server.address}/acme", cwd=self.folder / "fleet")
        for name in ("base", "one", "two"):
            self.pushed_image(f"{self.server.address}/acme/{name}:1")
        everything = {blob for name in ("base", "one", "two") for blob in self.blobs(f"acme/{name}")}
        self.assertEqual(self.puts(), sorted(everything))


if __name__ == "__main__":
    harness.main()
