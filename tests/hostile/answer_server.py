"""A server on loopback that answers as a table says: whole answers, answers that lie about their length, and answers without an end."""

import hashlib
import http.server
import json
import threading
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class AnswerServer:
    """`answers`: path -> (status, header fields, body) or a function of the handler. `requests`: (method, path, fields). A body that
    is a list is sent part by part; a Content-Length among the fields is sent as it is."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                outer.requests.append((self.command, self.path, dict(self.headers)))
                found = outer.answers.get(self.path.partition("?")[0]) or outer.answers.get("*") or (404, {}, b"")
                try:
                    found(self) if callable(found) else self.send(*found)
                except OSError:
                    self.close_connection = True

            def send(self, status, fields, body):
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                if not {"Content-Length", "Transfer-Encoding"} & set(fields):
                    self.send_header("Content-Length", str(len(body)))
                else:
                    self.close_connection = True
                self.end_headers()
                if self.command != "HEAD":
                    for part in body if isinstance(body, list) else [body]:
                        self.wfile.write(part)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def serve_layout(self, layout, repository="acme/base"):
        """Serves an OCI layout's image and all its blobs, and nothing else; the image's name."""
        self.answers = {"/v2/": (200, {}, b"{}")}
        return self.serve_layout_too(layout, repository)

    def serve_layout_too(self, layout, repository):
        """The same, beside what is served already."""
        layout = Path(layout)
        for path in (layout / "blobs/sha256").iterdir():
            self.answers[f"/v2/{repository}/blobs/sha256:{path.name}"] = (200, {}, path.read_bytes())
        root = json.loads((layout / "index.json").read_text())["manifests"][0]
        return self.serve_manifest((layout / "blobs" / root["digest"].replace(":", "/")).read_bytes(), repository)

    def serve_manifest(self, data, repository="acme/base", media_type=MANIFEST):
        answer = (200, {"Content-Type": media_type, "Docker-Content-Digest": "sha256:" + hashlib.sha256(data).hexdigest()}, data)
        for name in ("1", answer[1]["Docker-Content-Digest"]):
            self.answers[f"/v2/{repository}/manifests/{name}"] = answer
        return f"{self.address}/{repository}:1"
