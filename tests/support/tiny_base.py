"""A base image of a few files and busybox, written as an OCI layout without any builder."""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
GROUP = "root:x:0:\nstaff:x:50:app\napp:x:1001:\nnogroup:x:65534:\n"

FOLDERS = {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777, "data": 0o755, "data/sub": 0o750, "data/sub/deep": 0o755,
           "opt": 0o755, "home": 0o755, "dev": 0o755, "proc": 0o755, "sys": 0o755, "run": 0o755, "home/app": 0o755}
FILES = {"etc/passwd": PASSWD, "etc/group": GROUP, "etc/hosts": "", "etc/hostname": "", "etc/resolv.conf": "", "data/old": "old\n", "data/sub/deep/file": "deep\n", "data/sub/other": "x\n"}
LINKS = {"lnk": "data", "abs": "/data/sub", "up": "../../opt", "dangling": "data/nowhere", "filelink": "data/old"}


def _add(archive, name, kind, mode, *, uid=0, gid=0, data=b"", link=""):
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.uid, member.gid, member.linkname, member.size = kind, mode, uid, gid, link, len(data)
    archive.addfile(member, io.BytesIO(data))


def _layer():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, mode in FOLDERS.items():
            owner = (1000, 1001) if name == "home/app" else (0, 0)
            _add(archive, name, tarfile.DIRTYPE, mode, uid=owner[0], gid=owner[1])
        for name, text in FILES.items():
            _add(archive, name, tarfile.REGTYPE, 0o644, data=text.encode())
        for name, target in LINKS.items():
            _add(archive, name, tarfile.SYMTYPE, 0o777, link=target)
        _add(archive, "bin/busybox", tarfile.REGTYPE, 0o755, data=BUSYBOX.read_bytes())
        for applet in subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split():
            if applet != "busybox":
                _add(archive, f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
    return buffer.getvalue()


def write_tiny_base(folder, name="base"):
    """Writes the layout; `name` is the image's reference in it."""
    blobs = Path(folder) / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(data)}

    layer = blob(_layer(), "layer.v1.tar")
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    config = {
        "architecture": architecture, "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/bin:/bin", "FROM_BASE=yes"], "Cmd": ["sh"], "Labels": {"base": "tiny"}},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "tiny base"}],
    }
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(json.dumps(config).encode(), "config.v1+json"), "layers": [layer]}
    descriptor = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    descriptor["annotations"] = {"org.opencontainers.image.ref.name": name}
    (Path(folder) / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (Path(folder) / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
    return descriptor["digest"]
