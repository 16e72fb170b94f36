"""What lies on disks that others write to: OCI layouts, local caches, and a KILN_HOME that was damaged."""

import json
import os
import shutil

from tests.hostile.stand import CANARY, Case, Run
from tests.support.layout_writer import tar_of, write_layout

HOST = f"{CANARY}/secret"


def changed(pattern, change):
    """Applies a change to every file that the pattern names, below what is spoilt."""
    def spoil(folder):
        found = [path for path in sorted(folder.glob(pattern)) if path.is_file() or path.is_symlink()]
        assert found, f"nothing is called {pattern}"
        for path in found:
            change(path)
    return spoil


def linked(target):
    def change(path):
        path.unlink()
        path.symlink_to(target)
    return change


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def device(path):
    path.unlink()
    os.mknod(path, 0o20644, os.makedev(1, 5))


def folder(path):
    path.unlink()
    path.mkdir()


def text(data):
    def change(path):
        path.chmod(0o644)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return change


def flipped(path):
    data = bytearray(path.read_bytes())
    path.chmod(0o644)
    if data:
        data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


SPOILT = {"a link to the host": linked(HOST), "a link of dots": linked("../" * 15 + HOST), "a link to itself": lambda path: linked(path.name)(path), "a link to /dev/zero": linked("/dev/zero"), "a FIFO": fifo, "a device": device, "a folder": folder,
          "nothing": text(b""), "NUL bytes": text(b"\0" * 300), "nonsense": text(b"{[\xff" * 40), "one flipped bit": flipped, "gone": lambda path: path.unlink(), "1 TiB of nothing": lambda path: os.truncate(path, 1 << 40), "no rights": lambda path: path.chmod(0)}


def layout_runs(spoil):
    def runs(stand):
        layout = write_layout(stand.folder / "layout", [tar_of(("a", "one"))])
        spoil(layout)
        for way, line in (("FROM", "FROM base\nCOPY Dockerfile /\n"), ("COPY --from", "FROM scratch\nCOPY --from=base /a /b\n")):
            stand.write(f"{way}/Dockerfile", line)
            yield Run(way, ["build", "--build-context", f"base=oci-layout://{layout}:base", "-o", "type=local,dest=out", way])
    return runs


def cache_runs(spoil):
    """A local cache that a build filled, then spoilt, then read and written by another machine."""
    def runs(stand):
        stand.write("context/Dockerfile", "FROM scratch\nCOPY a /\nCOPY b /\n")
        stand.write("context/a", "a")
        stand.write("context/b", "b")
        words = ["build", "--progress", "plain", "-o", "type=local,dest=out", "--cache-to", "type=local,dest=home/cache,mode=max", "--cache-from", "type=local,src=home/cache", "context"]
        stand.prepare(words)
        kept = stand.folder / "home/cache"
        spoil(kept)
        shutil.move(kept, stand.folder / "cache")
        shutil.rmtree(stand.folder / "home")
        (stand.folder / "home").mkdir()
        shutil.move(stand.folder / "cache", kept)
        yield Run("build", words, lands={"a": "a", "b": "b"})
        yield Run("cache prune", ["cache", "prune", "--cache", "type=local,src=home/cache", "--filter", "until=0s"])
    return runs


def store_runs(spoil):
    """A KILN_HOME with an image, a record and a report, spoilt. Its owner alone may write there: what is held is that nothing else
    is touched, and that what is damaged is not built from."""
    def runs(stand):
        stand.write("context/Dockerfile", "FROM scratch\nCOPY a /\nCOPY b /\n")
        stand.write("context/a", "a")
        stand.write("context/b", "b")
        words = ["build", "--progress", "plain", "-t", "acme/app:1", "context"]
        stand.prepare(words)
        spoil(stand.folder / "home")
        yield Run("build", words)
        yield Run("export", ["build", "-o", "type=local,dest=out", "context"], lands={"a": "a", "b": "b"})
        yield Run("sbom", ["sbom", "--local", "acme/app:1"])
        yield Run("why", ["why"])
        yield Run("verify", ["cache", "verify"])
        yield Run("verify --repair", ["cache", "verify", "--repair"])
        yield Run("prune", ["cache", "prune", "--all"])
    return runs


# KILN_HOME is its owner's: who may write there may do more than leading kiln out of it by a link. The rest of the table is damage.
OF_THE_OWNER = ("a link to the host", "a link of dots", "a link to /dev/zero", "a device", "1 TiB of nothing")
LAYOUT_PARTS = {"index.json": "index.json", "oci-layout": "oci-layout", "its blobs": "blobs/sha256/*"}
CACHE_PARTS = {"its entries": "entries/*/*", "its blobs": "blobs/sha256/*", "its version": "version"}
STORE_PARTS = {"its blobs": "oci/blobs/sha256/*", "index.json": "oci/index.json", "step records": "steps/*/*", "build records": "builds/*", "facts of layers": "indexes/*", "facts of blobs": "blobinfo/*"}


def cases():
    for part, pattern in LAYOUT_PARTS.items():
        for name, change in SPOILT.items():
            yield Case("layouts", f"{part}: {name}", layout_runs(changed(pattern, change)))
    for name, value in (("lists itself", lambda root: {"schemaVersion": 2, "manifests": [{**root, "size": 1}]}), ("names a blob of the host", lambda root: {"schemaVersion": 2, "manifests": [{**root, "digest": f"sha256:../../../../../..{HOST}"}]}),
                        ("has 100,000 images", lambda root: {"schemaVersion": 2, "manifests": [root] * 100000}), ("has one name twice", lambda root: {"schemaVersion": 2, "manifests": [root, {**root, "digest": "sha256:" + "0" * 64}]})):
        def spoil(layout, value=value):
            path = layout / "index.json"
            path.write_text(json.dumps(value(json.loads(path.read_text())["manifests"][0])))
        yield Case("layouts", f"index.json {name}", layout_runs(spoil))

    def folder_linked(layout):
        shutil.rmtree(layout / "blobs/sha256")
        (layout / "blobs/sha256").symlink_to(CANARY)
    yield Case("layouts", "blobs are a link to the host", layout_runs(folder_linked))
    yield Case("layouts", "a sound one", layout_runs(lambda layout: None))
    for part, pattern in CACHE_PARTS.items():
        for name, change in SPOILT.items():
            yield Case("caches", f"{part}: {name}", cache_runs(changed(pattern, change)))
    for name in ("entries", "blobs", "blobs/sha256"):
        def spoil(cache, name=name):
            shutil.rmtree(cache / name)
            (cache / name).symlink_to(CANARY)
        yield Case("caches", f"{name} is a link to the host", cache_runs(spoil))

    def exchanged(cache):
        paths = sorted((cache / "entries").glob("*/*"))
        texts = [path.read_bytes() for path in paths]
        for path, data in zip(paths, texts[1:] + texts[:1]):
            path.write_bytes(data)
    yield Case("caches", "entries of others", cache_runs(exchanged))
    yield Case("caches", "a folder of something else", cache_runs(lambda cache: shutil.rmtree(cache) or cache.mkdir() or (cache / "photos").write_text("x")))
    yield Case("caches", "a sound one", cache_runs(lambda cache: None))
    for part, pattern in STORE_PARTS.items():
        for name, change in SPOILT.items():
            if name in OF_THE_OWNER:
                continue
            yield Case("stores", f"{part}: {name}", store_runs(changed(pattern, change)))
