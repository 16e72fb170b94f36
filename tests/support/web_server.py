"""A web server on a free loopback port: pages, and git repositories by git's own http-backend, some of them for those alone who
say who they are."""

import http.server
import os
import subprocess
import threading
from pathlib import Path

GIT_BACKEND = Path("/usr/lib/git-core/git-http-backend")


class WebServer:
    """Use start() and stop(). `pages`: path -> (status, header fields, body). `protected`: path prefix -> the value of
    Authorization that it wants. `repositories`: a folder whose repositories are served below /. `requests` remembers
    (method, path, header fields), `bodies` what was sent to pages."""

    def __init__(self, repositories=None):
        self.repositories = repositories
        self.pages = {}
        self.protected = {}
        self.requests = []
        self.bodies = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.answer(self)

            do_POST = do_GET

            def log_message(self, *words):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler):
        path, _, query = handler.path.partition("?")
        self.requests.append((handler.command, handler.path, dict(handler.headers)))
        for prefix, wanted in self.protected.items():
            if path.startswith(prefix) and handler.headers.get("Authorization") != wanted:
                return self._send(handler, 401, {"WWW-Authenticate": 'Basic realm="test"'}, b"who are you?\n")
        if path in self.pages:
            self.bodies.append(handler.rfile.read(int(handler.headers.get("Content-Length") or 0)))
            return self._send(handler, *self.pages[path])
        if self.repositories and ".git" in path:
            return self._send(handler, *self._git(handler, path, query))
        return self._send(handler, 404, {}, b"nothing here\n")

    def _git(self, handler, path, query):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        environment = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.repositories), "GIT_HTTP_EXPORT_ALL": "1",
                       "REQUEST_METHOD": handler.command, "PATH_INFO": path, "QUERY_STRING": query,
                       "CONTENT_TYPE": handler.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                       "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
                       "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
                       "GIT_PROTOCOL": handler.headers.get("Git-Protocol", "")}
        answer = subprocess.run([GIT_BACKEND], input=body, env=environment, stdout=subprocess.PIPE, check=True).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return int(fields.pop("Status", "200").split()[0]), fields, content

    @staticmethod
    def _send(handler, status, fields, body):
        handler.send_response(status)
        for name, value in fields.items():
            handler.send_header(name, value)
        if "Content-Length" not in fields:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
