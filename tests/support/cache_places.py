"""Shared caches as whoever may write to them sees them: entries that can be read, changed and put back, in a folder, behind http
and in a registry. The forms stand in builder/cache/cache_entry.hpp, local_backend.hpp, http_backend.hpp and registry_backend.hpp."""

import base64
import dataclasses
import hashlib
import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.http_cache import BazelRemote
from tests.support.registry import Registry

STEP, BUNDLE, LAYER, MOUNT = ("application/vnd.kiln.step.v2", "application/vnd.kiln.bundle.v1+json",
                              "application/vnd.kiln.layer.v1+json", "application/vnd.kiln.mount.v1+json")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Entry:
    key: str
    media_type: str
    content: bytes
    signature: str = ""
    blobs: list = field(default_factory=list)  # (digest, size, media type)

    @staticmethod
    def parse(data):
        fields, rest = [], data
        for _ in range(6):
            line, _, rest = rest.partition(b"\n")
            fields.append(line.decode())
        _, key, media_type, _, signature, count = fields
        blobs = []
        for _ in range(int(count.split()[1])):
            line, _, rest = rest.partition(b"\n")
            digest, size, kind = line.decode().split(" ")
            blobs.append((digest, int(size), kind))
        return Entry(key, media_type, rest, signature, blobs)

    def text(self):
        head = ["kiln cache entry 1", self.key, self.media_type, sha256(self.content), self.signature, f"blobs {len(self.blobs)}"]
        return "".join(line + "\n" for line in head + [" ".join(map(str, blob)) for blob in self.blobs]).encode() + self.content

    def but(self, **changes):
        return dataclasses.replace(self, **changes)

    # Of a step: its record, and the same entry with another one.
    def record(self):
        return json.loads(self.content.split(b"\n", 1)[0])

    def with_record(self, record):
        body = json.dumps(record).encode() + b"\n" + b"".join(
            line + b"\n" for line in self.content.split(b"\n")[1:-1] if not line.startswith(b"sum "))
        return self.but(content=body + b"sum " + hashlib.sha256(body).hexdigest().encode() + b"\n")


class Folder:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.source, self.target = f"type=local,src={folder}", f"type=local,dest={folder},mode=max"

    def entries(self):
        return [Entry.parse(path.read_bytes()) for path in sorted((self.folder / "entries").glob("*/*"))]

    def put(self, entry, key=None):
        key = key or entry.key
        (self.folder / "entries" / key[:2]).mkdir(exist_ok=True)
        (self.folder / "entries" / key[:2] / key).write_bytes(entry.text())

    def remove(self, entry):
        (self.folder / "entries" / entry.key[:2] / entry.key).unlink()

    def blob(self, digest):
        return (self.folder / "blobs" / digest.replace(":", "/")).read_bytes()

    def put_blob(self, data, digest=None):
        digest = digest or sha256(data)
        (self.folder / "blobs" / digest.replace(":", "/")).write_bytes(data)
        return digest

    def stop(self):
        pass


class Http:
    def __init__(self, folder):
        self.server = BazelRemote()
        self.source, self.target = f"type=http,url={self.server.url}", f"type=http,url={self.server.url},mode=max"

    def entries(self):
        return [Entry.parse(base64.b64decode(json.loads(body)["stdoutRaw"])) for _, body in sorted(self.server.actions.items())]

    def put(self, entry, key=None):
        outputs = [{"path": "blobs/" + digest.replace(":", "/"), "digest": {"hash": digest.split(":")[1], "sizeBytes": str(size)}}
                   for digest, size, _ in entry.blobs]
        self.server.actions[key or entry.key] = json.dumps(
            {"outputFiles": outputs, "stdoutRaw": base64.b64encode(entry.text()).decode()}).encode()

    def remove(self, entry):
        del self.server.actions[entry.key]

    def blob(self, digest):
        return self.server.blobs[digest.split(":")[1]]

    def put_blob(self, data, digest=None):
        digest = digest or sha256(data)
        self.server.blobs[digest.split(":")[1]] = data
        return digest

    def stop(self):
        self.server.stop()


class InRegistry:
    def __init__(self, folder):
        self.server = Registry(delete=True)
        self.server.start()
        reference = f"type=registry,ref={self.server.address}/acme/cache"
        self.source, self.target = reference, reference + ",mode=max"

    def _send(self, method, path, body=None, **fields):
        url = path if path.startswith("http") else f"http://{self.server.address}/v2/acme/cache/{path}"
        request = urllib.request.Request(url, data=body, headers={name.replace("_", "-"): value for name, value in fields.items()}, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.headers, answer.read()

    def entries(self):
        tags = json.loads(self._send("GET", "tags/list")[1])["tags"]
        found = []
        for tag in sorted(tags):
            manifest = json.loads(self._send("GET", f"manifests/{tag}", Accept=MANIFEST)[1])
            if manifest["config"]["mediaType"] not in (STEP, BUNDLE, LAYER, MOUNT):
                continue
            blobs = [(layer["digest"], layer["size"], layer["mediaType"]) for layer in manifest["layers"]]
            found.append(Entry(tag, manifest["config"]["mediaType"], self.blob(manifest["config"]["digest"]),
                               manifest.get("annotations", {}).get("dev.kiln.signature", ""), blobs))
        return found

    def put(self, entry, key=None):
        config = {"mediaType": entry.media_type, "digest": self.put_blob(entry.content), "size": len(entry.content)}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": entry.media_type, "config": config,
                    "layers": [{"mediaType": kind, "digest": digest, "size": size} for digest, size, kind in entry.blobs]}
        if entry.signature:
            manifest["annotations"] = {"dev.kiln.signature": entry.signature}
        self._send("PUT", f"manifests/{key or entry.key}", json.dumps(manifest).encode(), Content_Type=MANIFEST)

    def remove(self, entry):
        headers, _ = self._send("HEAD", f"manifests/{entry.key}", Accept=MANIFEST)
        self._send("DELETE", f"manifests/{headers['Docker-Content-Digest']}")

    def blob(self, digest):
        return self._send("GET", f"blobs/{digest}")[1]

    def put_blob(self, data, digest=None):
        if digest is not None:  # damage: the registry itself would refuse it
            hexadecimal = digest.split(":")[1]
            (self.server.data / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data").write_bytes(data)
            return digest
        digest = sha256(data)
        place = self._send("POST", "blobs/uploads/", b"")[0]["Location"]
        self._send("PUT", place + ("&" if "?" in place else "?") + "digest=" + digest, data, Content_Type="application/octet-stream")
        return digest

    def stop(self):
        self.server.stop()


PLACES = {"folder": Folder, "http": Http, "registry": InRegistry}
