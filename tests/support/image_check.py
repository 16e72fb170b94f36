"""Reads images from OCI layouts without any of kiln's code, and recomputes everything that they claim."""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"


class ImageError(AssertionError):
    """What an image claims is not what it is."""


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def expect(actual, expected, what):
    if actual != expected:
        raise ImageError(f"{what}: expected {expected!r}, got {actual!r}")


def unique_keys(pairs):
    keys = [key for key, _ in pairs]
    expect(len(keys), len(set(keys)), "keys of a JSON object, all different")
    return dict(pairs)


def parse_json(data):
    return json.loads(data, object_pairs_hook=unique_keys)


@dataclass
class Entry:
    """A file of an image. `digest` is that of a regular file's content."""

    type: str  # file, dir, link, char, block, fifo
    mode: int
    uid: int
    gid: int
    size: int = 0
    link: str = ""
    digest: str = ""
    mtime: float = 0
    xattrs: dict = field(default_factory=dict)
    data: bytes = b""

    @property
    def text(self):
        return self.data.decode()


@dataclass
class Layer:
    digest: str
    diff_id: str
    media_type: str
    size: int
    tar: bytes

    def members(self):
        """The tar's members, in its order."""
        with tarfile.open(fileobj=io.BytesIO(self.tar), mode="r:") as archive:
            return archive.getmembers()

    def names(self):
        return [member.name for member in self.members()]


@dataclass
class Image:
    digest: str
    manifest: dict
    config: dict
    layers: list
    manifest_size: int
    config_size: int

    @property
    def compressed_bytes(self):
        return sum(layer["size"] for layer in self.manifest["layers"])

    @property
    def unpacked_bytes(self):
        return sum(len(layer.tar) for layer in self.layers)

    @property
    def env(self):
        return dict(item.split("=", 1) for item in self.config["config"].get("Env") or [])

    def files(self):
        """The merged root file system: path without leading slash -> Entry."""
        merged = {}
        for layer in self.layers:
            apply_layer(merged, layer.tar)
        return merged


def remove_below(files, path, itself):
    prefix = path + "/" if path else ""
    for name in [name for name in files if name.startswith(prefix) or (itself and name == path)]:
        del files[name]


def apply_layer(files, tar):
    """OCI image spec, layer.md: whiteouts hide lower layers only, so they come first."""
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        members = [(member.name.removeprefix("./").strip("/"), member) for member in archive.getmembers()]
        for path, _ in members:
            folder, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                remove_below(files, folder, itself=False)
            elif name.startswith(".wh."):
                remove_below(files, (folder + "/" if folder else "") + name[4:], itself=True)
        for path, member in members:
            if path in ("", ".") or path.rpartition("/")[2].startswith(".wh."):
                continue
            entry = entry_of(archive, member, files)
            before = files.get(path)
            if before is not None and (entry.type != "dir" or before.type != "dir"):
                remove_below(files, path, itself=True)
            files[path] = entry


def entry_of(archive, member, files):
    if member.islnk():
        target = files.get(member.linkname.removeprefix("./").strip("/"))
        if target is None:
            raise ImageError(f"hard link '{member.name}' to '{member.linkname}', which is not there before it")
        return target
    kinds = {tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "link", tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block",
             tarfile.FIFOTYPE: "fifo"}
    prefix = "SCHILY.xattr."
    xattrs = {key[len(prefix):]: value.encode("utf-8", "surrogateescape")
              for key, value in member.pax_headers.items() if key.startswith(prefix)}
    entry = Entry(type=kinds.get(member.type, "file"), mode=member.mode, uid=member.uid, gid=member.gid, mtime=member.mtime,
                  link=member.linkname if member.issym() else "", xattrs=xattrs)
    if member.isfile():
        entry.data = archive.extractfile(member).read()
        entry.size = len(entry.data)
        entry.digest = sha256(entry.data)
    return entry


def decompress(data, media_type):
    if media_type.endswith(("+gzip", ".gzip")):
        return gzip.decompress(data)
    if media_type.endswith("+zstd"):
        if shutil.which("zstd") is None:
            raise RuntimeError("zstd is not installed, and the image is compressed with it; run script/test, which installs it")
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    expect(media_type.endswith(".tar"), True, f"media type {media_type} is that of a layer")
    return data


def platform_of(descriptor):
    """As people write it: "linux/amd64", "linux/arm/v7"."""
    platform = descriptor["platform"]
    return "/".join(platform[key] for key in ("os", "architecture", "variant") if platform.get(key))


class Layout:
    """An OCI image layout in a folder: kiln's store, or what skopeo or `-o type=oci,tar=false` wrote."""

    def __init__(self, folder):
        self.folder = Path(folder)
        expect(parse_json((self.folder / "oci-layout").read_bytes()), {"imageLayoutVersion": "1.0.0"}, "oci-layout")
        self.index = parse_json((self.folder / "index.json").read_bytes())
        expect(self.index["schemaVersion"], 2, "schemaVersion of index.json")

    def names(self):
        return [entry.get("annotations", {}).get(REF_NAME, "") for entry in self.index["manifests"]]

    def blob(self, descriptor):
        """The bytes of a descriptor's blob, checked."""
        digest = descriptor["digest"]
        data = (self.folder / "blobs" / digest.replace(":", "/", 1)).read_bytes()
        expect(len(data), descriptor["size"], f"size of {digest}")
        expect(sha256(data), digest, "digest of a blob")
        return data

    def descriptor(self, name=None):
        found = [entry for entry in self.index["manifests"]
                 if name is None or entry.get("annotations", {}).get(REF_NAME) == name]
        expect(len(found), 1, f"images called {name!r} among {self.names()}")
        return found[0]

    def image(self, name=None, platform=None):
        """The image of that name (or the only one), everything in it recomputed; `platform` chooses from an index."""
        descriptor = self.descriptor(name)
        while descriptor["mediaType"] == OCI_INDEX:
            children = parse_json(self.blob(descriptor))["manifests"]
            fitting = children if platform is None else [child for child in children if platform_of(child) == platform]
            expect(len(fitting), 1, f"manifests for {platform} in an index")
            descriptor = fitting[0]
        return self._validated(descriptor)

    def _validated(self, descriptor):
        manifest_bytes = self.blob(descriptor)
        manifest = parse_json(manifest_bytes)
        expect(manifest["schemaVersion"], 2, "schemaVersion")
        expect(manifest.get("mediaType", OCI_MANIFEST), descriptor["mediaType"], "media type of the manifest")
        config_bytes = self.blob(manifest["config"])
        config = parse_json(config_bytes)
        layers = []
        for item in manifest["layers"]:
            data = self.blob(item)
            tar = decompress(data, item["mediaType"])
            layers.append(Layer(item["digest"], sha256(tar), item["mediaType"], len(data), tar))
        expect(config["rootfs"]["type"], "layers", "rootfs.type")
        expect([layer.diff_id for layer in layers], config["rootfs"]["diff_ids"], "diff IDs")
        if config.get("history"):
            not_empty = [entry for entry in config["history"] if not entry.get("empty_layer")]
            expect(len(not_empty), len(layers), "history entries with a layer")
        for layer in layers:
            names = layer.names()
            expect(len(names), len(set(names)), f"names in layer {layer.digest}, all different")
        return Image(descriptor["digest"], manifest, config, layers, len(manifest_bytes), len(config_bytes))
