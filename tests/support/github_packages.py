"""GitHub's packages REST API in miniature, over a docker-registry that stands for ghcr.io.

It lists each tagged manifest of a repository as a version and deletes versions, as "REST API endpoints for packages" of docs.github.com has
it; ghcr.io's own protocol does neither.
"""

import http.server
import json
import re
import threading
import time
import urllib.request

_VERSIONS = re.compile(r"/orgs/([^/]+)/packages/container/([^/]+)/versions(?:/(\d+))?$")
_ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"


class GithubPackages:
    """Use as a context manager. `address` is HOST:PORT; `requests` lists (method, path, status); `token` is asked for."""

    def __init__(self, registry, token):
        self.registry = registry
        self.token = token
        self.requests = []
        self._created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._digests = []  # the id of a version is its place, from 1
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def _serve(self):
                with outer._lock:
                    status, answer = outer._answer(self.command, self.path.partition("?")[0], self.headers.get("Authorization", ""))
                    outer.requests.append((self.command, self.path, status))
                body = json.dumps(answer).encode() if answer is not None else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_DELETE = _serve

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, method, path, authorization):
        if authorization != f"Bearer {self.token}":
            return 401, {"message": "Bad credentials"}
        if path.startswith("/users/"):
            return 200, {"login": path.removeprefix("/users/"), "type": "Organization"}
        match = _VERSIONS.match(path)
        if match is None:
            return 404, {"message": "Not Found"}
        repository = f"{match[1]}/{match[2]}"
        if method == "GET":
            return 200, [self._version(digest, tags) for digest, tags in self._manifests(repository).items()]
        digest = self._digests[int(match[3]) - 1]
        self._ask("DELETE", f"{repository}/manifests/{digest}")
        return 204, None

    def _version(self, digest, tags):
        if digest not in self._digests:
            self._digests.append(digest)
        return {"id": self._digests.index(digest) + 1, "name": digest, "created_at": self._created,
                "metadata": {"package_type": "container", "container": {"tags": tags}}}

    def _manifests(self, repository):
        manifests = {}
        for tag in json.loads(self._ask("GET", f"{repository}/tags/list")[1])["tags"] or []:
            headers, _ = self._ask("HEAD", f"{repository}/manifests/{tag}")
            manifests.setdefault(headers["Docker-Content-Digest"], []).append(tag)
        return manifests

    def _ask(self, method, path):
        request = urllib.request.Request(f"http://{self.registry}/v2/{path}", method=method, headers={"Accept": _ACCEPT})
        with urllib.request.urlopen(request) as answer:
            return answer.headers, answer.read()
