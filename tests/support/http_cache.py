"""Caches behind http for the tests: bazel-remote's REST protocol in miniature, and Debian's nginx with its DAV module."""

import hashlib
import http.server
import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tests.support.registry import die_with_parent, free_port

_PATH = re.compile(r"/(?:.*/)?(ac|cas)/([0-9a-f]{64})$")


class BazelRemote:
    """What bazel-remote does with /ac and /cas: a CAS blob must have its digest, an action result must be JSON, and is served
    only while all of its outputs are there.

    Use as a context manager. `address` is HOST:PORT; `requests` lists (method, path, status), `authorizations` what who asked
    said of themselves; `refuse` answers every request with that status, `delay_seconds` answers late.
    """

    def __init__(self):
        self.blobs = {}
        self.actions = {}
        self.requests = []
        self.authorizations = set()
        self.refuse = None
        self.delay_seconds = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _serve(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                if outer.delay_seconds:
                    time.sleep(outer.delay_seconds)
                status, answer = (outer.refuse, b"refused") if outer.refuse else outer.answer(self.command, self.path, body)
                with outer._lock:
                    outer.authorizations.add(self.headers.get("Authorization"))
                    outer.requests.append((self.command, self.path, status))
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(answer)
                except OSError:
                    pass

            do_GET = do_HEAD = do_PUT = _serve

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method, path, body):
        match = _PATH.match(path)
        if not match:
            return 400, b"no such path"
        kind, key = match.groups()
        with self._lock:
            return self._put(kind, key, body) if method == "PUT" else self._get(kind, key)

    def _put(self, kind, key, body):
        if kind == "cas":
            if hashlib.sha256(body).hexdigest() != key:
                return 400, b"another digest"
            self.blobs[key] = body
            return 200, b""
        result = json.loads(body)
        if set(result) - {"outputFiles", "stdoutRaw"}:
            return 400, b"no action result"
        self.actions[key] = body
        return 200, b""

    def _get(self, kind, key):
        found = (self.blobs if kind == "cas" else self.actions).get(key)
        if found is None:
            return 404, b""
        if kind == "ac":
            for output in json.loads(found)["outputFiles"]:
                blob = self.blobs.get(output["digest"]["hash"])
                if blob is None or len(blob) != int(output["digest"]["sizeBytes"]):
                    return 404, b""
        return 200, found


class NginxDav:
    """nginx with PUT by its DAV module, and DELETE where it `deletes`, lists of folders where it `lists`. Use as a context
    manager; `url` is what kiln is given."""

    def __init__(self, lists=False, deletes=True):
        methods = "PUT DELETE" if deletes else "PUT"
        listing = "autoindex on; autoindex_format json;" if lists else ""
        self._folder = Path(tempfile.mkdtemp(prefix="kiln-nginx-"))
        self._process = None
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}/cache"
        self.data = self._folder / "data/cache"
        self.data.mkdir(parents=True)
        (self._folder / "nginx.conf").write_text(f"""
daemon off; user root; pid {self._folder}/pid; error_log {self._folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log {self._folder}/access.log; client_body_temp_path {self._folder}/body; client_max_body_size 0;
  proxy_temp_path {self._folder}/p; fastcgi_temp_path {self._folder}/f; uwsgi_temp_path {self._folder}/u; scgi_temp_path {self._folder}/s;
  server {{
    listen {self.address}; root {self._folder}/data;
    location /cache/ {{ dav_methods {methods}; create_full_put_path on; {listing} }}
  }}
}}
""")

    def __enter__(self):
        self._process = subprocess.Popen(["nginx", "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")],
                                         stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (self._folder / "pid").exists():
            if self._process.poll() is not None:
                raise RuntimeError("nginx did not start:\n" + (self._folder / "error.log").read_text())
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def requests(self):
        """(method, path, status) of each request so far."""
        found = []
        for line in (self._folder / "access.log").read_text().splitlines():
            match = re.search(r'"(\w+) (\S+) [^"]*" (\d+)', line)
            if match:
                found.append((match[1], match[2], int(match[3])))
        return found
