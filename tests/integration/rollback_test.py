#!/usr/bin/env python3
"""kiln rollback at a docker-registry: plans, health checks that fail, kill -9 between two tags."""

import http.client
import http.server
import json
import signal
import subprocess
import threading
import time

import harness
import releases_test
from tests.support.registry import die_with_parent


class Gate(http.server.ThreadingHTTPServer):
    """Stands before a registry. After `let_through` puts of the tag it answers no further one: as if the network hung, or,
    with `refuse`, with 403."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.tag, self.let_through, self.refuse = None, 0, False
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.held = threading.Event()
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.closed.set()
        self.shutdown()
        self.server_close()

    def hold(self, tag, let_through, refuse=False):
        self.tag, self.let_through, self.refuse = tag, let_through, refuse
        self.held.clear()

    def stops(self, method, path):
        if method != "PUT" or self.tag is None or not path.endswith(f"/manifests/{self.tag}"):
            return False
        with self.lock:
            self.let_through -= 1
            return self.let_through < 0


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.stops(self.command, self.path):
            self.server.held.set()
            if not self.server.refuse:
                self.server.closed.wait()
                return
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("connection", "content-length")}
        upstream.request(self.command, self.path, body=body if body or self.command in ("PUT", "POST", "PATCH") else None, headers=headers)
        answer = upstream.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(key, value)
        self.send_header("Content-Length", answer.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        upstream.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = forward

    def log_message(self, *_):
        pass


class Rollback(releases_test.ReleaseTest):
    def registry(self, **options):
        server = super().registry(**options)
        self.gate = Gate(server.address)
        self.addCleanup(self.gate.stop)
        self.upstream = server
        server.address = self.gate.address
        return server

    def setUp(self):
        super().setUp()
        self.create("v1")
        self.then = self.digests("latest")
        self.bake("two")
        self.now = self.digests("latest")
        self.services = self.repositories[1:]
        self.assertNotEqual(self.then, self.now)

    # skopeo asks the registry itself: its first try is TLS, which the gate does not speak.
    def digest(self, name):
        return super().digest(name.replace(self.gate.address, self.gate.upstream))

    def pushed_image(self, reference, **options):
        return super().pushed_image(reference.replace(self.gate.address, self.gate.upstream), **options)

    def current(self):
        path = self.home / "rollbacks/current.json"
        return json.loads(path.read_text()) if path.exists() else None

    def killed_between_two_tags(self):
        """A rollback that dies by kill -9 once one of its two tags has moved."""
        self.gate.hold("latest", let_through=1)
        process = subprocess.Popen([harness.kiln_binary(), "rollback", "v1"], env=self.environment(), cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.assertTrue(self.gate.held.wait(60), "the second tag was never put")
        half = self.wait_for(lambda: [self.digest(f"{name}:latest") for name in self.services],
                             lambda digests: sum(self.then[name] == digest for name, digest in zip(self.services, digests)) == 1)
        process.send_signal(signal.SIGKILL)
        shown = process.communicate()[0].decode()
        self.gate.hold(None, 0)
        self.assertEqual(len(set(half)), 2)
        return shown

    def wait_for(self, look, is_it):
        deadline = time.monotonic() + 60
        while not is_it(found := look()):
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.05)
        return found

    def test_a_rollback_moves_the_tags_back_by_digest(self):
        planned = json.loads(self.kiln("rollback", "v1", "--dry-run", "--json").stdout)
        self.assertEqual({move["tag"].rsplit(":", 1)[0]: (move["from"], move["to"]) for move in planned["moves"]},
                         {name: (self.now[name], self.then[name]) for name in self.repositories})
        self.assertEqual(self.digests("latest"), self.now)
        self.assertIsNone(self.current())
        done = json.loads(self.kiln("rollback", "v1", "--json").stdout)
        self.assertEqual((done["state"], done["failure"]), ("done", ""))
        self.assertEqual(self.digests("latest"), self.then)
        self.assertIsNone(self.current())
        self.assertEqual(len(list((self.home / "rollbacks").iterdir())), 1)
        self.assertIn("stays", self.kiln("rollback", "v1").stdout)

    def test_named_images_and_another_tag(self):
        self.kiln("rollback", "v1", "service-pc2", "--tag", "stable")
        self.assertEqual(list(self.digests("stable").values()), [None, None, self.then[self.services[1]]])
        self.assertIn("did you mean 'service-pc2'", self.kiln("rollback", "v1", "servce-pc2", code=2).stderr)
        self.assertIn("kiln release list", self.kiln("rollback", "v9", code=2).stderr)
        self.kiln("rollback", code=2)
        self.kiln("rollback", "--resume", code=2)

    def test_an_image_that_is_called_like_a_command_is_the_one_that_moves(self):
        for name in ("index", "report"):
            self.write(f"images/{name}/image.json", json.dumps({"kind": "service", "dockerfile": "Dockerfile", "context": ".", "profiles": []}))
            self.write(f"images/{name}/Dockerfile", "FROM scratch\nCOPY app /app\n")
            self.write(f"images/{name}/app", "one")
        self.bake("three")
        self.create("v3")
        repositories = [f"{self.base}/{name}" for name in ("index", "report")]
        then = [self.digest(f"{name}:latest") for name in repositories]
        for name in ("index", "report"):
            self.write(f"images/{name}/app", "two")
        self.bake("four")
        now = [self.digest(f"{name}:latest") for name in repositories]
        others = self.digests("latest")
        self.kiln("rollback", "v3", "index")
        self.assertEqual([self.digest(f"{name}:latest") for name in repositories], [then[0], now[1]])
        self.kiln("rollback", "v3", "report")
        self.assertEqual([self.digest(f"{name}:latest") for name in repositories], then)
        self.assertEqual(self.digests("latest"), others)

    def test_a_health_check_decides(self):
        self.kiln("rollback", "v1", "--health-cmd", "exit 0")
        self.assertEqual(self.digests("latest"), self.then)
        self.bake("two")
        self.kiln("rollback", "v1", "--health", f"http://{self.server.address}/v2/")
        self.assertEqual(self.digests("latest"), self.then)

    def test_a_health_check_that_fails_undoes_everything(self):
        failed = self.kiln("rollback", "v1", "--health-cmd", "echo it is down >&2; exit 1", "--timeout", "500ms", code=1)
        self.assertIn("it is down", failed.stderr)
        self.assertIn("everything was undone", failed.stderr)
        for name in self.services:
            self.assertIn(f"{name}:latest names {self.now[name]}", failed.stderr)
        self.assertEqual(self.digests("latest"), self.now)
        self.assertIsNone(self.current())
        failed = self.kiln("rollback", "v1", "--health", f"http://{self.server.address}/nothing", "--timeout", "500ms", code=1)
        self.assertIn("answered 404", failed.stderr)
        self.assertEqual(self.digests("latest"), self.now)
        self.kiln("rollback", "v1", "--timeout", "soon", code=2)

    def test_a_tag_that_was_not_there_goes_or_is_named(self):
        failed = self.kiln("rollback", "v1", "common", "--tag", "fresh", "--health-cmd", "false", "--timeout", "100ms", code=1)
        # docker-registry deletes no tags: it stays, which is said and recorded.
        self.assertIn("not everything could be undone", failed.stderr)
        self.assertIn("common:fresh names", failed.stderr)
        self.assertEqual(self.current()["state"], "stuck")
        self.assertIn("not ended", self.kiln("rollback", "v1", code=2).stderr)
        self.kiln("rollback", "--undo", code=1)
        self.kiln("rollback", "--resume", code=1)
        self.kiln("rollback", "--abandon")
        self.assertIsNone(self.current())
        self.kiln("rollback", "--abandon", code=2)
        self.assertEqual(self.digest(f"{self.base}/common:fresh"), self.then[f"{self.base}/common"])

    def test_a_tag_that_cannot_be_moved_undoes_the_others(self):
        self.gate.hold("latest", let_through=1, refuse=True)
        failed = self.kiln("rollback", "v1", code=1)
        self.assertIn("403", failed.stderr)
        # The gate refuses to put the first tag back, too.
        self.assertEqual(self.current()["state"], "stuck")
        self.gate.hold(None, 0)
        self.assertIn("every tag is back", self.kiln("rollback", "--undo").stdout)
        self.assertEqual(self.digests("latest"), self.now)
        self.assertIsNone(self.current())

    def test_killed_between_two_tags_it_is_finished_by_resume(self):
        shown = self.killed_between_two_tags()
        self.assertIn("service-pc2:latest", shown)
        plan = self.current()
        self.assertEqual((plan["state"], plan["release"], len(plan["moves"])), ("moving", "v1", 3))
        self.assertIn("--resume", self.kiln("rollback", "v1", code=2).stderr)
        self.assertIn("moves", self.kiln("rollback", "--resume", "--dry-run").stdout)
        self.kiln("rollback", "--resume")
        self.assertEqual(self.digests("latest"), self.then)
        self.assertIsNone(self.current())

    def test_killed_between_two_tags_it_is_taken_back_by_undo(self):
        self.killed_between_two_tags()
        self.kiln("rollback", "--undo")
        self.assertEqual(self.digests("latest"), self.now)
        self.assertIsNone(self.current())

    def test_a_tag_that_somebody_else_moved_meanwhile_is_left_alone(self):
        self.killed_between_two_tags()
        foreign = self.digest(f"{self.base}/common:latest")
        self.kiln("copy", f"{self.base}/common:latest", f"{self.services[1]}:latest")
        refused = self.kiln("rollback", "--resume", code=1)
        self.assertIn("somebody else moved it", refused.stderr)
        self.assertEqual(self.digest(f"{self.services[0]}:latest"), self.now[self.services[0]])
        self.assertEqual(self.digest(f"{self.services[1]}:latest"), foreign)

    def test_a_release_that_is_not_whole_any_more_moves_nothing(self):
        layer = self.pushed_image(f"{self.services[1]}:v1").manifest["layers"][-1]["digest"]
        for link in self.upstream.data.glob(f"**/service-pc2/_layers/sha256/{layer[7:]}/link"):
            link.unlink()
        # The registry remembers blobs that it has seen.
        self.upstream.pause()
        self.upstream.resume()
        refused = self.kiln("rollback", "v1", code=3)
        self.assertIn("not whole any more", refused.stderr)
        self.assertEqual(self.digests("latest"), self.now)


if __name__ == "__main__":
    harness.main()
