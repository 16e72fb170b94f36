"""Debian's docker-registry on a free loopback port, for as long as a test needs it."""

import base64
import ctypes
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = "docker-registry"
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent():
    """For subprocess's preexec_fn: the child is killed when this process ends, however it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """A registry with its data in a folder of its own, removed at the end.

    delete: whether manifests can be deleted. user: ("name", "password") asks for basic authentication, by Debian's
    htpasswd. token: a tests.support.token_server.TokenServer whose tokens it wants. tls: (certificate, key) files. relative: its
    Locations are without a host, as they must be where something before it ends TLS. Use as a context manager, or start() and
    stop(). `address` is HOST:PORT; what the registry printed is in log().
    """

    def __init__(self, delete=False, user=None, token=None, tls=None, relative=False):
        self._delete = delete
        self._user = user
        self._token = token
        self._tls = tls
        self._relative = relative
        self._process = None
        self._folder = None
        self.address = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def data(self):
        """Where the registry keeps its blobs."""
        return self._folder / "data"

    def log(self):
        return (self._folder / "log").read_text(errors="replace")

    def start(self, deadline_seconds=30):
        self._folder = Path(tempfile.mkdtemp(prefix="kiln-registry-"))
        try:
            # Between finding a free port and listening on it another process may take it.
            for _ in range(5):
                if self._try_start(deadline_seconds):
                    return
            raise RuntimeError(f"{PROGRAM} found no free port:\n{self.log()}")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def pause(self):
        """The registry is unreachable until resume(); its data stays."""
        self._process.kill()
        self._process.wait()

    def resume(self, deadline_seconds=30):
        self._launch()
        if not self._wait(deadline_seconds):
            raise RuntimeError(f"{PROGRAM} did not come back:\n{self.log()}")

    def get(self, path, headers=None):
        """(status, headers, body) of a request as the registry's user."""
        return self._send("GET", path, headers)

    def put_manifest(self, repository, tag, text, media_type):
        status, _, body = self._send("PUT", f"/v2/{repository}/manifests/{tag}", {"Content-Type": media_type}, text.encode())
        assert status == 201, (status, body)

    def _send(self, method, path, headers, data=None):
        scheme = "https" if self._tls else "http"
        request = urllib.request.Request(f"{scheme}://{self.address}{path}", data=data, headers=dict(headers or {}), method=method)
        if self._user:
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(self._user).encode()).decode())
        # Whom it trusts is for the clients under test to find out.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl._create_unverified_context()))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def _try_start(self, deadline_seconds):
        self.address = f"127.0.0.1:{free_port()}"
        self._write_config()
        self._launch()
        if self._wait(deadline_seconds):
            return True
        if "address already in use" not in self.log():
            raise RuntimeError(f"{PROGRAM} did not start:\n{self.log()}")
        return False

    def _write_config(self):
        tls = f", tls: {{certificate: '{self._tls[0]}', key: '{self._tls[1]}'}}" if self._tls else ""
        lines = [
            "version: 0.1",
            "log: {level: info, accesslog: {disabled: false}}",
            f"http: {{addr: '{self.address}', secret: kiln-tests, relativeurls: {str(self._relative).lower()}{tls}}}",
            "storage:",
            "  cache: {blobdescriptor: inmemory}",
            f"  delete: {{enabled: {str(self._delete).lower()}}}",
            f"  filesystem: {{rootdirectory: '{self.data}'}}",
        ]
        if self._user:
            name, password = self._user
            line = subprocess.run(["htpasswd", "-Bbn", name, password], check=True, capture_output=True, text=True).stdout
            (self._folder / "htpasswd").write_text(line)
            lines.append(f"auth: {{htpasswd: {{realm: kiln, path: '{self._folder / 'htpasswd'}'}}}}")
        if self._token:
            lines.append(f"auth: {{token: {{realm: '{self._token.realm}', service: '{self._token.service}', issuer: '{self._token.issuer}', "
                         f"rootcertbundle: '{self._token.certificate}'}}}}")
        (self._folder / "config.yml").write_text("\n".join(lines) + "\n")

    def _launch(self):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("REGISTRY_", "OTEL_"))}
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "serve", str(self._folder / "config.yml")], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, preexec_fn=die_with_parent)

    def _wait(self, deadline_seconds):
        deadline = time.monotonic() + deadline_seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.get("/v2/")[0] == (401 if self._token else 200):
                    return True
            except OSError:
                pass
            time.sleep(0.02)
        return False
