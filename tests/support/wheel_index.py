"""A package index for pip (PEP 503) of the wheels in a folder, on loopback."""

import hashlib
import http.server
import re
import ssl
import threading
import zipfile
from pathlib import Path


def make_wheel(folder, project, version, files):
    """A wheel of files (name to text) in the folder, always the same bytes; its sha256."""
    name = project.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    files = {**files, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: kiln\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    target = Path(folder) / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), text)
    return hashlib.sha256(target.read_bytes()).hexdigest()


class WheelIndex:
    """Use as a context manager. tls: (certificate, key) files; pip keeps nothing that came without. `url` is what pip is given as --index-url; `fetched` lists the wheels that were downloaded."""

    def __init__(self, folder, tls=None):
        self.fetched = []
        lock = threading.Lock()
        outer = self

        def page(project):
            links = [f'<a href="/wheels/{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a>'
                     for path in sorted(Path(folder).glob("*.whl"))
                     if re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower() == project]
            return ("<!DOCTYPE html><html><body>" + "".join(links) + "</body></html>").encode() if links else None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                place, _, name = self.path.strip("/").partition("/")
                status, kind, body = 404, "text/plain", b""
                found = page(name) if place == "simple" else None
                if found:
                    status, kind, body = 200, "text/html", found
                elif place == "wheels" and (Path(folder) / name).is_file() and "/" not in name:
                    status, kind, body = 200, "application/octet-stream", (Path(folder) / name).read_bytes()
                    with lock:
                        outer.fetched.append(name)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if status == 200:
                    # What PyPI says of a wheel: pip keeps it in its cache.
                    self.send_header("Cache-Control", "max-age=365000000, immutable, public" if place == "wheels" else "max-age=600")
                self.end_headers()
                self.wfile.write(body)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/simple/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
