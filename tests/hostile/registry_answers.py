"""What a registry, or what calls itself one, may answer to a pull and to a push."""

import hashlib
import json
import time

from tests.hostile.answer_server import MANIFEST
from tests.hostile.stand import CANARY, Case, Run
from tests.support.layout_writer import tar_of, write_layout

MANIFESTS, BLOBS = "/v2/acme/base/manifests/1", "/v2/acme/base/blobs/"


def endless(first=b"{"):
    """A body without an end and without a length."""
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", MANIFEST)
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(first)
        if handler.command != "HEAD":
            stop = time.monotonic() + 90
            while time.monotonic() < stop:
                handler.wfile.write(b" " * 65536)
    return answer


def raw(data):
    def answer(handler):
        handler.close_connection = True
        handler.wfile.write(data)
    return answer


def redirect(place, status=307):
    return (status, {"Location": place}, b"")


def challenge(text, status=401):
    return (status, {"WWW-Authenticate": text}, b"{}")


# (name, path, answer); "layer" is the path of the layer.
ROWS = [
    *((f"a manifest redirected to {name}", MANIFESTS, redirect(place)) for name, place in (
        ("file://", f"file://{CANARY}/secret"), ("a file without a scheme", f"{CANARY}/secret"), ("ftp://", "ftp://127.0.0.1:1/x"), ("gopher://", "gopher://127.0.0.1:1/x"),
        ("unix", "unix:///run/docker.sock"), ("nowhere", ""), ("itself", MANIFESTS), ("a URL of 100 KB", "/" + "a" * 100000), ("a user and password", "http://u:p@127.0.0.1:1/x"),
        ("a line feed", "/x\tHost: y"), ("metadata of a cloud", "http://169.254.169.254.invalid/latest"), ("dict://", "dict://127.0.0.1:1/x"), ("data:", "data:,{}"))),
    *((f"a layer redirected to {name}", "layer", redirect(place)) for name, place in (("file://", f"file://{CANARY}/secret"), ("itself", "."), ("ftp://", "ftp://127.0.0.1:1/x"))),
    *((f"a status of {status}", MANIFESTS, (status, {}, b"{}")) for status in (204, 206, 300, 304, 400, 402, 403, 418, 451, 501, 999)),
    *((f"a manifest of {name}", MANIFESTS, raw(data)) for name, data in (
        ("no HTTP", b"\x16\x03\x01 what is this\r\n\r\n"), ("nothing", b""), ("HTTP/9.9", b"HTTP/9.9 200 OK\r\n\r\n"), ("a status of letters", b"HTTP/1.1 abc OK\r\n\r\n"),
        ("1,000 headers", b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"v" * 300) for i in range(1000)) + b"\r\n{}"), ("a header of 1 MiB", b"HTTP/1.1 200 OK\r\nX: " + b"v" * (1 << 20) + b"\r\n\r\n{}"),
        ("headers folded", b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n{}"), ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 900\r\n\r\n{}"),
        ("a negative length", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"), ("a length of 2^70", b"HTTP/1.1 200 OK\r\nContent-Length: 1180591620717411303424\r\n\r\n{}"),
        ("chunks that lie", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"), ("a gzip that is none", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
        ("100 Continue without an end", b"HTTP/1.1 100 Continue\r\n\r\n" * 5000))),
    ("a manifest without an end", MANIFESTS, endless()),
    ("a layer without an end", "layer", endless(b"")),
    ("a layer that is shorter than its length", "layer", (200, {"Content-Length": "5000"}, b"x")),
    ("a layer of another length", "layer", (200, {}, b"x" * 7)),
    ("a layer of other bytes", "layer", (200, {}, b"x" * 10240)),
    ("a layer as a page of HTML", "layer", (200, {"Content-Type": "text/html"}, b"<html>" + b"x" * 10234)),
    ("a range that was not asked for", "layer", (206, {"Content-Range": "bytes 5-9/20"}, b"x" * 5)),
    ("a manifest called HTML", MANIFESTS, (200, {"Content-Type": "text/html"}, b"<html>")),
    ("a manifest's digest of another one", MANIFESTS, lambda handler: handler.send(200, {"Content-Type": MANIFEST, "Docker-Content-Digest": "sha256:" + "1" * 64}, b"{}")),
    ("a manifest's digest of a path", MANIFESTS, (200, {"Content-Type": MANIFEST, "Docker-Content-Digest": "sha256:../../x"}, b"{}")),
    *((f"a challenge of {name}", MANIFESTS, challenge(text)) for name, text in (
        ("nothing", ""), ("an unknown scheme", "Kerberos x"), ("no realm", "Bearer"), ("a realm of a file", f'Bearer realm="file://{CANARY}/secret"'), ("a realm that is no URL", 'Bearer realm="::::"'),
        ("an open quote", 'Bearer realm="http://127.0.0.1:1'), ("100 KB", 'Bearer realm="http://127.0.0.1:1/' + "a" * 90000 + '"'), ("many", "Basic realm=x, " * 2000),
        ("Basic", 'Basic realm="x"'), ("a realm with a password", 'Bearer realm="http://u:p@127.0.0.1:1/"'), ("a scope of everything", 'Bearer realm="http://127.0.0.1:1/",scope="repository:*:*"'))),
]
# What a token server answers.
TOKENS = [("nothing", b""), ("no JSON", b"<html>"), ("null", b"null"), ("a list", b"[]"), ("a number", b'{"token": 7}'), ("none", b"{}"), ("100 KB", json.dumps({"token": "t" * 100000}).encode()),
          ("a line feed", json.dumps({"token": "a\r\nX-Evil: 1"}).encode()), ("a NUL", json.dumps({"token": "a\0b"}).encode()), ("one that lives -1 seconds", b'{"token": "t", "expires_in": -1}'),
          ("deep JSON", b"[" * 100000)]
LINKS = ["<http://127.0.0.1:1/v2/acme/base/tags/list?n=1>; rel=\"next\"", "<file:///etc/passwd>; rel=\"next\"", "</v2/acme/base/tags/list>; rel=\"next\"", "<", "<>; rel=next", "x" * 90000]


def served(stand):
    """A sound image; its name and its layer's digest."""
    data = tar_of(("a", "one"))
    layout = write_layout(stand.folder / "layout", [data])
    return stand.server.serve_layout(layout), "sha256:" + hashlib.sha256(data).hexdigest()


def pulled(path, answer):
    def runs(stand):
        name, layer = served(stand)
        for method_path in [path if path.startswith("/") else BLOBS + layer]:
            stand.server.answers[method_path] = answer
        yield Run("pull", ["pull", name])
    return runs


def tokens(body):
    def runs(stand):
        name, _ = served(stand)
        stand.server.answers[MANIFESTS] = challenge(f'Bearer realm="{stand.server.url}/token",service="x"')
        stand.server.answers["/token"] = (200, {"Content-Type": "application/json"}, body)
        yield Run("pull", ["pull", name])
    return runs


def elsewhere(kind):
    """A redirect, a realm, a link to another host: what it hears must hold no password."""
    def runs(stand):
        name, layer = served(stand)
        # The name of the same address: another host.
        other = stand.server.url.replace("127.0.0.1", "localhost")
        login = "Basic a2lsbjpjYW5hcnktb2YtdGhlLWhvc3QtNzcxOQ=="  # kiln:TOKEN
        stand.write("user/.docker/config.json", json.dumps({"auths": {stand.server.address: {"auth": login.split()[1]}}}))
        manifest = stand.server.answers[MANIFESTS]

        def wants_login(handler):
            if handler.headers.get("Authorization") != login:
                return handler.send(*challenge('Basic realm="x"'))
            return handler.send(*(redirect(f"{other}/elsewhere") if kind == "a redirect" else challenge(f'Bearer realm="{other}/token"')))

        def hears(handler):
            heard = "Authorization" in handler.headers
            handler.send(200, {"Content-Type": MANIFEST}, b"heard a password" if heard else manifest[2])

        stand.server.answers[MANIFESTS] = wants_login
        stand.server.answers["/elsewhere"] = stand.server.answers["/token"] = hears
        yield Run("pull", ["pull", name], says="" if kind == "a redirect" else "error: ")
    return runs


def listed(link):
    def runs(stand):
        name, _ = served(stand)
        stand.server.answers["/v2/acme/base/tags/list"] = (200, {"Link": link, "Content-Type": "application/json"}, b'{"name": "acme/base", "tags": ["1", "a/../b", "\\u0000"]}')
        yield Run("ls", ["ls", name.rsplit(":", 1)[0]])
    return runs


def pushed(location):
    def runs(stand):
        stand.server.answers = {"/v2/": (200, {}, b"{}"), "/v2/acme/app/blobs/uploads/": (202, {"Location": location}, b""), "*": (404, {}, b"{}")}
        stand.write("context/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        yield Run("push", ["build", "--push", "-t", f"{stand.server.address}/acme/app:1", "context"])
    return runs


def cases():
    for name, path, answer in ROWS:
        yield Case("registries' answers", name, pulled(path, answer), not name.startswith(("a status", "a manifest of", "a layer")))
    for name, body in TOKENS:
        yield Case("registries' answers", f"a token of {name}", tokens(body))
    for kind in ("a redirect", "a realm"):
        yield Case("registries' answers", f"{kind} to another host, with a password", elsewhere(kind))
    for link in LINKS:
        yield Case("registries' answers", f"a Link of {link[:30]}", listed(link))
    for location in (f"file://{CANARY}/loot", "", "::::", "http://u:p@127.0.0.1:1/", "ftp://127.0.0.1:1/", "/../../x"):
        yield Case("registries' answers", f"an upload to '{location}'", pushed(location))
