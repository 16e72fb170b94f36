"""Bytes that went to and came from the bench's registry, whoever moved them: by what it logged and by what it keeps."""

import json
import re
from dataclasses import dataclass

_UPLOADED = re.compile(r'"PUT /v2/\S+/blobs/uploads/\S*digest=sha256(?::|%3A)([0-9a-f]{64})\S* HTTP/1\.1" 201')
_FETCHED = re.compile(r'"GET /v2/\S+/(?:blobs|manifests)/\S+ HTTP/1\.1" 20[06] (\d+)')
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


@dataclass
class Bytes:
    sent: int = 0      # of blobs that a client uploaded; those that were mounted or there already are not
    received: int = 0  # of blobs and manifests that a client fetched
    added: int = 0     # that the registry holds more than before, manifests included

    def __add__(self, other):
        return Bytes(self.sent + other.sent, self.received + other.received, self.added + other.added)


class Traffic:
    """What moves from now on."""

    def __init__(self, registry):
        self._registry = registry
        self._log = len(registry.log())
        self._held = self._held_bytes()

    def _blobs(self):
        return self._registry.data / "docker/registry/v2/blobs/sha256"

    def _held_bytes(self):
        return sum(path.stat().st_size for path in self._blobs().glob("*/*/data")) if self._blobs().exists() else 0

    def _size(self, digest):
        return (self._blobs() / digest[:2] / digest / "data").stat().st_size

    def so_far(self):
        log = self._registry.log()[self._log:]
        return Bytes(sent=sum(self._size(digest) for digest in _UPLOADED.findall(log)), received=sum(map(int, _FETCHED.findall(log))),
                     added=self._held_bytes() - self._held)


def layers_of(registry, repository, tag="latest"):
    """[(what made it, bytes)] of an image at the registry."""
    headers = {"Accept": ", ".join((*_MANIFESTS, *_INDEXES))}

    def fetched(path):
        status, _, body = registry.get(f"/v2/{repository}/{path}", headers)
        if status != 200:
            raise RuntimeError(f"the registry answered {status} for {repository}/{path}")
        return json.loads(body)

    manifest = fetched(f"manifests/{tag}")
    if "manifests" in manifest:
        manifest = fetched(f"manifests/{manifest['manifests'][0]['digest']}")
    config = fetched(f"blobs/{manifest['config']['digest']}")
    made = [entry.get("created_by", "") for entry in config["history"] if not entry.get("empty_layer")]
    return list(zip(made, (layer["size"] for layer in manifest["layers"]), strict=True))
