"""OCI layouts by hand, for images that no builder would make."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from tests.support.tiny_base import BUSYBOX

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
TYPE = "application/vnd.oci.image."


def tar_of(*members):
    """A tar of (name, content) pairs: bytes or text are a file, None a folder, a TarInfo is itself."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            if content is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
                continue
            data = content if isinstance(content, bytes) else content.encode()
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def link_to(target):
    member = tarfile.TarInfo()
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def busybox_layer(*more):
    """A layer in which `RUN /bin/busybox` and `RUN` by /bin/sh work, with further members behind."""
    return tar_of(("bin", None), ("bin/busybox", BUSYBOX.read_bytes()), ("bin/sh", link_to("busybox")), *more)


def special(kind):
    member = tarfile.TarInfo()
    member.type, member.mode = kind, 0o644
    return member


def write_layout(folder, layers, *, name="base", diff_ids=None, layer_type="layer.v1.tar", config=None, history=None):
    """Writes an image of these layers' blobs; `diff_ids` in place of the true ones of plain tars."""
    folder = Path(folder)
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": TYPE + media_type, "digest": f"sha256:{digest}", "size": len(data)}

    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    if diff_ids is None:
        diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    image = {"architecture": architecture, "os": "linux", "config": config or {},
             "rootfs": {"type": "layers", "diff_ids": diff_ids}, **({"history": history} if history else {})}
    manifest = {"schemaVersion": 2, "mediaType": TYPE + "manifest.v1+json",
                "config": blob(json.dumps(image).encode(), "config.v1+json"),
                "layers": [blob(layer, layer_type) for layer in layers]}
    root = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    root["annotations"] = {"org.opencontainers.image.ref.name": name}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))
    return folder
