"""A TLS front end on a free loopback port that lets in who shows a certificate of its authority, and hands everything on to a
plain registry. Keys are openssl's."""

import select
import socket
import ssl
import subprocess
import threading
from pathlib import Path


def make_authority(folder, name):
    """A self-signed authority; its (certificate, key)."""
    key, certificate = Path(folder) / f"{name}.key", Path(folder) / f"{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN=kiln tests {name}", "-keyout", key,
                    "-out", certificate], check=True, capture_output=True)
    return certificate, key


def make_certificate(folder, name, authority, alternative=None):
    """A certificate of an authority, for a server where `alternative` says of which ("IP:127.0.0.1"); (certificate, key)."""
    key, request, certificate = (Path(folder) / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request],
                   check=True, capture_output=True)
    extensions = Path(folder) / f"{name}.ext"
    extensions.write_text(f"subjectAltName={alternative}\n" if alternative else "basicConstraints=CA:FALSE\n")
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", authority[0], "-CAkey", authority[1], "-CAcreateserial", "-days", "2",
                    "-extfile", extensions, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def relay(first, second):
    """Copies both ways until both sides have ended; closes both."""

    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    other = threading.Thread(target=copy, args=(second, first), daemon=True)
    other.start()
    copy(first, second)
    other.join()
    first.close()
    second.close()


class TlsFront:
    """In front of `target` ("HOST:PORT"): serves `server` (certificate, key), and with `clients` (a certificate file) lets in only
    who shows a certificate of that authority. Use start() and stop(); `address` is HOST:PORT, `let_in` how many were let in."""

    def __init__(self, target, server, clients=None):
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*server)
        if clients:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(clients)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.let_in = 0
        self._lock = threading.Lock()

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client.settimeout(30)
            inner = self._context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return
        with self._lock:
            self.let_in += 1
        inner.settimeout(None)
        host, port = self._target.rsplit(":", 1)
        with inner, socket.create_connection((host, int(port))) as registry:
            _pump(inner, registry)


def _pump(inner, registry):
    # On one thread: an SSL socket is not for two at once.
    try:
        while True:
            ready = [inner] if inner.pending() else select.select([inner, registry], [], [])[0]
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                (registry if source is inner else inner).sendall(data)
    except OSError:
        pass
