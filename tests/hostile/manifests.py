"""Indexes, manifests and configs of registries and of OCI layouts: one sound image, one thing of it made false."""

import copy
import hashlib
import json

from tests.hostile.archives import diff_run
from tests.hostile.stand import CANARY, Case, Run
from tests.support.layout_writer import ARCHITECTURES, TYPE, tar_of

LAYER = tar_of(("a", "one"))
DEEP = "[" * 100000 + "]" * 100000
NOT_THERE = "sha256:" + "0" * 64
HOST_DIGEST = "sha256:../../../../../../../.." + CANARY + "/secret"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """A sound image as documents. `wrong` sees (and may replace by text) one after the other: what is written is what it left."""

    def __init__(self, place, document, wrong):
        self.place, self.document, self.wrong = place, document, wrong
        self.blobs = {}

    def put(self, name, value, media_type):
        if name == self.document:
            value = self.wrong(copy.deepcopy(value))
        data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.blobs[digest(data)] = data
        return {"mediaType": TYPE + media_type, "digest": digest(data), "size": len(data)}

    def build(self):
        import platform
        architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
        layer = self.put("layer", LAYER, "layer.v1.tar")
        config = self.put("config", {"architecture": architecture, "os": "linux", "config": {"Env": ["A=b"], "User": "0", "WorkingDir": "/"},
                                     "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]}, "history": [{"created_by": "x"}]}, "config.v1+json")
        manifest = self.put("manifest", {"schemaVersion": 2, "mediaType": TYPE + "manifest.v1+json", "config": config, "layers": [layer]}, "manifest.v1+json")
        manifest["platform"] = {"architecture": architecture, "os": "linux"}
        return self.put("index", {"schemaVersion": 2, "mediaType": TYPE + "index.v1+json", "manifests": [manifest]}, "index.v1+json")


def at(path, value):
    """Sets what a path of keys leads to; DELETE takes it away."""
    def change(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        if value is DELETE:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        return document
    return change


DELETE = object()
SIZES = (("-1", -1), ("2^63", 1 << 63), ("2^80", 1 << 80), ("1.5", 1.5), ("a text", "7"), ("null", None), ("gone", DELETE), ("one less", len(LAYER) - 1), ("2^50", 1 << 50))
DIGESTS = (("a path", HOST_DIGEST), ("of no algorithm", "0" * 64), ("md5", "md5:" + "0" * 32), ("sha512", "sha512:" + "0" * 128), ("short", "sha256:00"),
           ("in capitals", "sha256:" + "A" * 64), ("with a NUL", "sha256:" + "0" * 63 + "\0"), ("null", None), ("a number", 7), ("gone", DELETE), ("not there", NOT_THERE),
           ("a URL", "http://127.0.0.1:1/x"), ("empty", ""))
TYPES = (("null", None), ("a number", 7), ("a text", "x"), ("a list", []), ("an object", {}), ("gone", DELETE))

# document -> rows of (what is false, change)
FALSE = {
    "index": [*((f"manifests {name}", at(["manifests"], value)) for name, value in TYPES),
              *((f"a manifest's digest {name}", at(["manifests", 0, "digest"], value)) for name, value in DIGESTS),
              *((f"a manifest's size {name}", at(["manifests", 0, "size"], value)) for name, value in SIZES if name != "one less"),
              *((f"a platform {name}", at(["manifests", 0, "platform"], value)) for name, value in TYPES),
              ("an architecture of 2 MiB", at(["manifests", 0, "platform", "architecture"], "a" * (2 << 20))),
              ("schemaVersion 1", at(["schemaVersion"], 1)), ("100,000 entries", lambda doc: {**doc, "manifests": doc["manifests"] * 100000}),
              ("5,000 entries", lambda doc: {**doc, "manifests": doc["manifests"] * 5000}), ("a manifest of an unknown type", at(["manifests", 0, "mediaType"], "text/plain")),
              ("a manifest that is called an index", at(["manifests", 0, "mediaType"], TYPE + "index.v1+json"))],
    "manifest": [*((f"config {name}", at(["config"], value)) for name, value in TYPES), *((f"layers {name}", at(["layers"], value)) for name, value in TYPES),
                 *((f"a layer's digest {name}", at(["layers", 0, "digest"], value)) for name, value in DIGESTS),
                 *((f"the config's digest {name}", at(["config", "digest"], value)) for name, value in DIGESTS),
                 *((f"a layer's size {name}", at(["layers", 0, "size"], value)) for name, value in SIZES),
                 *((f"the config's size {name}", at(["config", "size"], value)) for name, value in SIZES[:7]),
                 *((f"a layer's media type {name}", at(["layers", 0, "mediaType"], value)) for name, value in (*TYPES, ("of a config", TYPE + "config.v1+json"),
                   ("gzip of a plain tar", TYPE + "layer.v1.tar+gzip"), ("zstd of a plain tar", TYPE + "layer.v1.tar+zstd"), ("encrypted", TYPE + "layer.v1.tar+encrypted"),
                   ("foreign", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), ("with a newline", TYPE + "layer.v1.tar\nx")) if name != "a text"),
                 ("urls to a file of the host", at(["layers", 0, "urls"], [f"file://{CANARY}/secret"])), ("urls that are no list", at(["layers", 0, "urls"], "x")),
                 ("one layer too many", lambda doc: {**doc, "layers": doc["layers"] * 2}), ("10,000 layers", lambda doc: {**doc, "layers": doc["layers"] * 10000}),
                 ("annotations of numbers", at(["annotations"], {"a": 1})), ("annotations of 3 MiB", at(["annotations"], {"a": "b" * (3 << 20)})),
                 ("schema 1", lambda doc: {"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [{"blobSum": NOT_THERE}], "history": []}),
                 ("layers and manifests", at(["manifests"], [])), ("a subject of a path", at(["subject"], {"mediaType": "x", "digest": HOST_DIGEST, "size": 1}))],
    "config": [*((f"rootfs {name}", at(["rootfs"], value)) for name, value in TYPES), *((f"diff_ids {name}", at(["rootfs", "diff_ids"], value)) for name, value in TYPES),
               *((f"a diff ID {name}", at(["rootfs", "diff_ids", 0], value)) for name, value in DIGESTS if name != "gone"),
               *((f"config {name}", at(["config"], value)) for name, value in TYPES), *((f"Env {name}", at(["config", "Env"], value)) for name, value in TYPES),
               ("an Env without a name", at(["config", "Env"], ["=x", "", "a"])), ("an Env with a NUL", at(["config", "Env"], ["A=b\0c"])),
               ("a User out of bounds", at(["config", "User"], "99999999999999:-1")), ("a User of a path", at(["config", "User"], "../../x")),
               ("a WorkingDir out of the root", at(["config", "WorkingDir"], "../../../" + CANARY)), ("a Volume out of the root", at(["config", "Volumes"], {"../../x": {}})),
               ("an OnBuild that reads the host", at(["config", "OnBuild"], [f"COPY {CANARY}/secret /"])), ("an OnBuild of FROM", at(["config", "OnBuild"], ["FROM x"])),
               ("an OnBuild that is no instruction", at(["config", "OnBuild"], ["\0"])), ("100,000 OnBuild", at(["config", "OnBuild"], ["ENV a=b"] * 100000)),
               ("100,000 entries of history", at(["history"], [{}] * 100000)), ("history null", at(["history"], None)), ("a date of nonsense", at(["created"], "9" * 100)),
               ("an os of another world", at(["os"], "plan9")), ("no architecture", at(["architecture"], DELETE)),
               ("a Healthcheck of nonsense", at(["config", "Healthcheck"], {"Interval": -1, "Test": 7})), ("ports out of bounds", at(["config", "ExposedPorts"], {"99999/xyz": {}})),
               ("labels of 15 MiB", at(["config", "Labels"], {"a": "b" * (15 << 20)})), ("17 MiB", at(["config", "Labels"], {"a": "b" * (17 << 20)}))],
}
# What each document can be instead of JSON of its kind.
TEXTS = (("nothing", ""), ("null", "null"), ("a list", "[]"), ("a number", "7"), ("a text", '"x"'), ("a deep list", DEEP), ("a deep object", '{"a":' * 5000 + "1" + "}" * 5000),
         ("cut", '{"schemaVersion": 2, '), ("NUL bytes", "\0" * 100), ("no UTF-8", b'{"a": "\xff\xfe"}'), ("half a surrogate", '{"a": "\\ud800"}'),
         ("a key twice", '{"schemaVersion": 2, "schemaVersion": 2, "layers": [], "layers": []}'), ("a huge number", '{"schemaVersion": 1e999}'), ("text behind it", "{} {}"))


def ways(image, root, stand):
    """From a registry by its tag, and the same as a layout's image."""
    server = stand.server
    server.answers = {"/v2/": (200, {}, b"{}")}
    for name, data in image.blobs.items():
        server.answers[f"/v2/acme/base/blobs/{name}"] = (200, {}, data)
        server.answers[f"/v2/acme/base/manifests/{name}"] = (200, {"Content-Type": TYPE + ("index" if name == root["digest"] else "manifest") + ".v1+json", "Docker-Content-Digest": name}, data)
        stand.write("layout/blobs/" + name.replace(":", "/"), data)
    server.answers["/v2/acme/base/manifests/1"] = server.answers[f"/v2/acme/base/manifests/{root['digest']}"]
    stand.write("layout/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    stand.write("layout/index.json", json.dumps({"schemaVersion": 2, "manifests": [{**root, "annotations": {"org.opencontainers.image.ref.name": "base"}}]}))
    name = f"{server.address}/acme/base:1"
    stand.write("from/Dockerfile", f"FROM {name}\nCOPY Dockerfile /\n")
    stand.write("layout-from/Dockerfile", "FROM base\nCOPY Dockerfile /\n")
    yield Run("FROM", ["build", "-o", "type=local,dest=out", "from"])
    yield Run("oci-layout", ["build", "--build-context", f"base=oci-layout://{stand.folder}/layout:base", "-o", "type=local,dest=out", "layout-from"])
    yield Run("pull", ["pull", name])
    yield Run("inspect", ["inspect", name])
    yield diff_run(stand, name)
    yield Run("index create", ["index", "create", "--dry-run", f"{server.address}/acme/all:1", name])


def image_case(document, name, change):
    def runs(stand):
        image = Image(stand, document, change)
        return ways(image, image.build(), stand)
    return Case(document, name, runs)


def cyclic(stand):
    """Indexes that lead to one another by digests that nobody can make: the registry answers with what it was asked for."""
    child = {"mediaType": TYPE + "index.v1+json", "digest": NOT_THERE, "size": 300}
    data = json.dumps({"schemaVersion": 2, "mediaType": TYPE + "index.v1+json", "manifests": [child]}).encode()
    name = stand.server.serve_manifest(data, media_type=TYPE + "index.v1+json")
    stand.server.answers[f"/v2/acme/base/manifests/{NOT_THERE}"] = (200, {"Content-Type": TYPE + "index.v1+json"}, data.ljust(300))
    stand.server.answers["/v2/"] = (200, {}, b"{}")
    yield Run("pull", ["pull", name])
    yield Run("inspect", ["inspect", name])


def nested(depth):
    def runs(stand):
        image = Image(stand, "", None)
        root = image.build()
        for _ in range(depth):
            root = image.put("outer", {"schemaVersion": 2, "mediaType": TYPE + "index.v1+json", "manifests": [root]}, "index.v1+json")
        return ways(image, root, stand)
    return runs


def cases():
    yield image_case("index", "a sound one", lambda document: document)
    for document, rows in FALSE.items():
        for name, change in rows:
            yield image_case(document, name, change)
        for name, text in TEXTS:
            yield image_case(document, f"is {name}", lambda _, text=text: text)
    yield Case("index", "lists itself", cyclic)
    for depth in (2, 5, 50):
        yield Case("index", f"is nested {depth} deep", nested(depth))
    for name, data in (("another layer", tar_of(("a", "two"))), ("no tar", b"x" * 1024), ("nothing", b"")):
        yield image_case("layer", f"is {name}", lambda _, data=data: data)
