"""A token server for docker-registry's token authentication, on a free loopback port (distribution, "Token Authentication
Specification"). Keys and signatures are openssl's."""

import base64
import http.server
import json
import subprocess
import threading
import time
import urllib.parse
import uuid
from pathlib import Path


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """Gives tokens to one user, as GET with basic authentication asks for them, or POST with the identity token that stands in
    `identity`, each for `lifetime` seconds.

    Use as a context manager, or start() and stop(). `scopes` remembers what was asked for, `tokens` what was given."""

    service = "kiln tests"
    issuer = "kiln token server"

    def __init__(self, folder, user, password, lifetime=300):
        self.key = Path(folder) / "token.key"
        self.certificate = Path(folder) / "token.crt"
        self.scopes = []
        self.tokens = []
        self._lifetime = lifetime
        self._login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._user = user
        self.identity = None
        self._server = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def realm(self):
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def start(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kiln tests",
                        "-keyout", self.key, "-out", self.certificate], check=True, capture_output=True)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                is_known = self.headers.get("Authorization") == owner._login
                self._answer(is_known, "token", query)

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                is_known = owner.identity is not None and form.get("refresh_token") == [owner.identity] and form.get("grant_type") == ["refresh_token"]
                self._answer(is_known, "access_token", form)

            def _answer(self, is_known, name, asked):
                body = json.dumps({name: owner._token(asked.get("scope", [])), "expires_in": owner._lifetime} if is_known else {}).encode()
                self.send_response(200 if is_known else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _token(self, scopes):
        access = []
        for text in " ".join(scopes).split():
            self.scopes.append(text)
            kind, name, actions = text.split(":", 1)[0], text.split(":", 1)[1].rsplit(":", 1)[0], text.rsplit(":", 1)[1]
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        certificate = "".join(line for line in self.certificate.read_text().splitlines() if "CERTIFICATE" not in line)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": self._user, "aud": self.service, "exp": now + self._lifetime, "nbf": now - 5, "iat": now,
                  "jti": str(uuid.uuid4()), "access": access}
        text = f"{_base64url(json.dumps(header).encode())}.{_base64url(json.dumps(claims).encode())}"
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True, capture_output=True).stdout
        self.tokens.append(f"{text}.{_base64url(signature)}")
        return self.tokens[-1]
