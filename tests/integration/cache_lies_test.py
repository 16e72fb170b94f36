#!/usr/bin/env python3
"""Every lie that whoever may write to a shared cache can put there, in a folder, behind http and in a registry, with and without
keys that are trusted: what is found, what is believed. The table of docs/cache.md, "Lies", has a row for each."""

import hashlib
import json
import secrets
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import harness
from tests.support.cache_places import BUNDLE, LAYER, MOUNT, PLACES, STEP, sha256
from tests.support.layout_writer import tar_of, write_layout
from tests.support.registry import Registry

PASSWD = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"


class CacheLies(harness.KilnTest):
    """A maker fills a cache, somebody changes it, and a reader builds from it."""

    @classmethod
    def setUpClass(cls):
        cls.kept = Path(tempfile.mkdtemp(prefix="kiln-lies-"))
        cls.addClassCleanup(shutil.rmtree, cls.kept, ignore_errors=True)
        cls.filled = {}  # (place, trusted) -> what a maker filled for all tests: (place, its entries, files of the image)

    def setUp(self):
        super().setUp()
        self.need_programs("docker-registry", "openssl", "zstd")
        self.write("context/etc/passwd", PASSWD)
        for name in "ab":
            self.write(f"context/{name}", name)
        self.write_dockerfile()
        self.keys = {name: self.key_pair(name) for name in ("ci", "stranger")}

    def key_pair(self, name):
        private, public = self.kept / f"{name}.pem", self.kept / f"{name}.pub.pem"
        if not public.exists():
            self.run_program("openssl", "genpkey", "-algorithm", "ed25519", "-out", private)
            self.run_program("openssl", "pkey", "-in", private, "-pubout", "-out", public)
        return private, public

    # A build, and what it came to

    def build(self, machine, *args, env=None):
        """(what became of each line, "built" where it was executed in the end; files of the image; what was printed)."""
        tar, report = self.folder / f"{machine}.tar", self.folder / f"{machine}.json"
        result = self.kiln("build", "--progress", "plain", "--report", report, "-o", f"type=tar,dest={tar}", *args,
                           self.folder / "context", env={"KILN_HOME": self.folder / machine, "SOURCE_DATE_EPOCH": "1", **(env or {})})
        with tarfile.open(tar) as archive:
            files = {member.name: (member.uid, archive.extractfile(member).read() if member.isfile() else b"") for member in archive}
        lines = {}
        for step in json.loads(report.read_text())["steps"]:
            lines[step["line"]] = "built" if "built" in (step["outcome"], lines.get(step["line"])) else step["outcome"]
        return " ".join(outcome for _, outcome in sorted(lines.items())), files, result.output

    def make(self, place, signer=None):
        env = {"KILN_CACHE_SIGN_KEY": self.keys[signer][0]} if signer else {}
        return self.build("maker-" + secrets.token_hex(4), "--cache-to", place.target, env=env)[1]

    def fill(self, name, trusted):
        """A place as a maker left it."""
        if (name, trusted) not in self.filled:
            place = PLACES[name](self.kept / f"{name}-{trusted}")
            self.addClassCleanup(place.stop)
            self.filled[name, trusted] = (place, self.make(place, "ci" if trusted else None), place.entries())
        place, honest, entries = self.filled[name, trusted]
        for entry in entries:
            place.put(entry)
        return place, honest

    def each(self, lie, unsigned, trusted, drops_bundles=True):
        """Tells the lie in each place, with and without trust. Expected of both: (what becomes of the lines, whether the image is the
        maker's, words that are printed)."""
        for name in PLACES:
            for is_trusted, (outcomes, is_honest, *words) in ((False, unsigned), (True, trusted)):
                with self.subTest(place=name, trusted=is_trusted):
                    place, honest = self.fill(name, is_trusted)
                    if drops_bundles:
                        for entry in self.of(place, BUNDLE):
                            place.remove(entry)
                    lie(place)
                    got, files, output = self.build("reader-" + secrets.token_hex(4), "--cache-from", place.source,
                                                    env={"KILN_CACHE_TRUST": self.keys["ci"][1]} if is_trusted else {})
                    self.assertEqual((got, files == honest), (outcomes, is_honest), output)
                    for word in words:
                        self.assertIn(word, output)

    # Entries

    def of(self, place, kind):
        return [entry for entry in place.entries() if entry.media_type == kind]

    def step(self, place, text):
        return next(entry for entry in self.of(place, STEP) if entry.record()["text"].startswith(text))

    def index_text(self, place, layer):
        return subprocess.run(["zstd", "-dc"], input=place.blob(layer["index"]["digest"]), stdout=subprocess.PIPE, check=True).stdout

    def with_index(self, place, entry, text):
        """The entry with this text in place of its layer's file index."""
        record = entry.record()
        blob = subprocess.run(["zstd", "-qc"], input=text, stdout=subprocess.PIPE, check=True).stdout
        old = record["layers"][0]["index"]
        new = {**old, "digest": place.put_blob(blob), "size": len(blob)}
        record["layers"][0]["index"] = new
        blobs = [(new["digest"], new["size"], kind) if digest == old["digest"] else (digest, size, kind) for digest, size, kind in entry.blobs]
        return entry.but(blobs=blobs).with_record(record)


class Lies(CacheLies):
    """An image of three COPY, the second for a user whom the first one's /etc/passwd names."""

    def write_dockerfile(self):
        self.write("context/Dockerfile", "FROM scratch\nCOPY etc /etc\nCOPY --chown=app a /a\nCOPY b /b\n")

    def test_no_lie(self):
        self.each(lambda place: None, ("hit hit hit", True), ("hit hit hit", True), drops_bundles=False)

    def test_an_entry_of_another_key(self):
        def lie(place):
            place.put(self.step(place, "COPY b"), key=self.step(place, "COPY --chown").key)
        self.each(lie, ("hit built hit", True, "key "), ("hit built hit", True, "is not used: "))

    def test_a_damaged_record(self):
        def lie(place):
            entry = self.step(place, "COPY --chown")
            place.put(entry.but(content=entry.content.replace(b'"COPY', b'"COPX')))
        self.each(lie, ("hit built hit", True), ("hit built hit", True, "its signature is wrong"))

    def test_layers_of_another_step_are_believed_without_trust(self):
        def lie(place):
            entry, other = self.step(place, "COPY --chown"), self.step(place, "COPY b")
            place.put(other.but(key=entry.key, signature=entry.signature).with_record({**other.record(), "key": entry.key}))
        self.each(lie, ("hit hit hit", False), ("hit built hit", True, "its signature is wrong"))

    def test_a_layer_that_is_damaged(self):
        def lie(place):
            digest = next(digest for digest, _, kind in self.step(place, "COPY --chown").blobs if "layer" in kind)
            data = place.blob(digest)
            place.put_blob(data[:-1] + bytes([data[-1] ^ 1]), digest)
            self.addCleanup(place.put_blob, data, digest)
        again = ("hit built hit", True, "no cache has the layer of 'COPY --chown=app a /a' any more")
        self.each(lie, again, again)

    def test_an_index_that_lies_about_its_layer(self):
        found = "what a cache says of the layer of 'COPY etc /etc' is false: its file index"
        ghost = f"f 7:etc/zzz 644 0 0 0 1 0: {hashlib.sha256().hexdigest()} 0 0 0\n".encode()
        for what, outcome, change in (
                ("a file's owner", "built hit hit", lambda text: text.replace(b" 644 0 0 49 ", b" 644 7 7 49 ")),
                ("a kept file", "built built hit", lambda text: text.replace(b":1000:1000:", b":0000:0000:")),
                ("an entry that is not there", "built hit hit", lambda text: text.replace(b"entries 2", b"entries 3") + ghost)):
            with self.subTest(what):
                def lie(place, change=change):
                    entry = self.step(place, "COPY etc")
                    text = self.index_text(place, entry.record()["layers"][0])
                    self.assertNotEqual(change(text), text)
                    place.put(self.with_index(place, entry, change(text)))
                self.each(lie, (outcome, True, found), ("built hit hit", True, "its signature is wrong"))

    def test_an_index_of_another_layer(self):
        def lie(place):
            entry, other = self.step(place, "COPY etc"), self.step(place, "COPY b")
            place.put(self.with_index(place, entry, self.index_text(place, other.record()["layers"][0])))
        self.each(lie, ("built hit hit", True, "is false: its file index is that of layer"),
                  ("built hit hit", True, "its signature is wrong"))

    def test_a_false_index_that_a_later_step_was_made_with(self):
        """The reader makes `COPY --chown=app` itself, of an index in which app is root, before it sees the layer."""
        def lie(place):
            place.remove(self.step(place, "COPY --chown"))
            entry = self.step(place, "COPY etc")
            text = self.index_text(place, entry.record()["layers"][0])
            place.put(self.with_index(place, entry, text.replace(b"app:x:1000:1000:", b"app:x:0000:0000:")))
        self.each(lie, ("built built hit", True, "its file index has another 'etc/passwd' than the layer"),
                  ("built built hit", True, "its signature is wrong"))

    def test_a_record_that_names_another_layer_than_its_blob_holds(self):
        def lie(place):
            entry, other = self.step(place, "COPY --chown"), self.step(place, "COPY b")
            record = entry.record()
            record["layers"][0]["blobs"] = other.record()["layers"][0]["blobs"]
            del record["layers"][0]["index"]
            place.put(entry.with_record(record))
        self.each(lie, ("hit built hit", True, "is false: it names the layer 'sha256:"), ("hit built hit", True, "its signature is wrong"))

    def test_an_older_entry_of_the_same_step_is_one_of_its_layers(self):
        """What is signed has no date: a step's key is made of all that goes into it, so an older record is as good as the newest."""
        kept = {}
        def lie(place):
            old = kept.setdefault(id(place), self.step(place, "COPY --chown"))
            place.put(old)
        self.each(lie, ("hit hit hit", True), ("hit hit hit", True))

    def test_stripped_signatures(self):
        def lie(place):
            for entry in self.of(place, STEP):
                place.put(entry.but(signature=""))
        self.each(lie, ("hit hit hit", True), ("built built built", True, "it is not signed"))

    def test_signatures_of_somebody_else(self):
        def lie(place):
            for entry in place.entries():
                place.remove(entry)
            self.make(place, "stranger")
        self.each(lie, ("hit hit hit", True), ("built built built", True, "which is not trusted"))

    def test_a_signature_of_another_entry(self):
        def lie(place):
            signature = self.step(place, "COPY b").signature
            place.put(self.step(place, "COPY --chown").but(signature=signature))
        self.each(lie, ("hit hit hit", True), ("hit built hit", True, "its signature is wrong"))

    def test_a_bundle_that_holds_lies(self):
        """Its entries are held to what single ones are held to, and a bundle decides nothing."""
        def lie(place):
            entry, other = self.step(place, "COPY --chown"), self.step(place, "COPY b")
            false = other.but(key=entry.key, signature=entry.signature).with_record({**other.record(), "key": entry.key})
            for bundle in self.of(place, BUNDLE):
                content = json.loads(bundle.content)
                content["entries"] = [false.text().decode() if false.key in text.split("\n")[1] else text for text in content["entries"]]
                place.put(bundle.but(content=json.dumps(content).encode()))
        self.each(lie, ("hit hit hit", False), ("hit hit hit", True), drops_bundles=False)

    def test_a_bundle_of_entries_under_other_keys(self):
        def lie(place):
            for bundle in self.of(place, BUNDLE):
                content = json.loads(bundle.content)
                keys = [text.split("\n")[1] for text in content["entries"]]
                content["entries"] = [text.replace(key, other, 1) for text, key, other in zip(content["entries"], keys, keys[1:] + keys[:1])]
                place.put(bundle.but(content=json.dumps(content).encode()))
        self.each(lie, ("built built built", True), ("hit hit hit", True), drops_bundles=False)


class FalseBases(CacheLies):
    """The same for what a cache says of a base image's layer, which no step made."""

    def write_dockerfile(self):
        self.need_programs("skopeo")
        if not hasattr(self, "base"):
            server = Registry()
            server.start()
            self.addClassCleanup(server.stop)
            type(self).base = f"{server.address}/acme/base:1"
            layout = write_layout(self.kept / "layout", [tar_of(("etc", None), ("etc/passwd", PASSWD))])
            self.run_program("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{layout}:base", f"docker://{self.base}")
        self.write("context/Dockerfile", f"FROM {self.base}\nCOPY --chown=app a /a\n")

    def false_index(self, place):
        entry = self.of(place, LAYER)[0]
        value = json.loads(entry.content)
        text = self.index_text(place, value)
        false = text.replace(b"app:x:1000:1000:", b"app:x:0000:0000:")
        self.assertNotEqual(false, text)
        blob = subprocess.run(["zstd", "-qc"], input=false, stdout=subprocess.PIPE, check=True).stdout
        old, value["index"]["digest"], value["index"]["size"] = value["index"]["digest"], place.put_blob(blob), len(blob)
        blobs = [(value["index"]["digest"], len(blob), kind) if digest == old else (digest, size, kind) for digest, size, kind in entry.blobs]
        place.put(entry.but(content=json.dumps(value).encode(), blobs=blobs))

    def test_a_false_index_of_a_base(self):
        def lie(place):
            place.remove(self.step(place, "COPY --chown"))
            self.false_index(place)
        self.each(lie, ("built", True, "is false: its file index has another 'etc/passwd' than the layer"),
                  ("built", True, "its signature is wrong"))


class MountLies(CacheLies):
    """The same for what a cache says of the contents of a RUN's cache mount."""

    def write_dockerfile(self):
        self.tiny_base()
        self.write("images/app/image.json", json.dumps({"kind": "base", "contexts": {"base": f"oci-layout://{self.folder}/base:base"}}))
        self.write("images/app/Dockerfile", "FROM base\nARG WHO\nRUN --mount=type=cache,target=/c echo \"there is $(cat /c/x || echo nothing)\"; echo $WHO > /c/x\n")

    def bake(self, machine, place, trusted, signer=None):
        cache = {"from": [place.source], "to": [place.target], **({"sign": {"trust": [str(self.keys["ci"][1])]}} if trusted else {})}
        self.write("images/fleet.json", json.dumps({"registry": "ghcr.io", "namespace": "acme", "cache_mounts": "share", "cache": cache}))
        env = {"KILN_HOME": self.folder / machine, **({"KILN_CACHE_SIGN_KEY": self.keys[signer][0]} if signer else {})}
        return self.kiln("bake", "--progress", "plain", "--set", f"app.args.WHO={machine}", env=env).output

    def listed(self, entry, **changes):
        value = {**json.loads(entry.content), **changes}
        value.pop("sum")
        text = lambda: json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        value["sum"] = sha256(text()).split(":")[1]
        return entry.but(content=text())

    def test_lists_of_chunks(self):
        loot = tar_of(("x", "loot"))

        def replaced(place, entry):
            chunk = [place.put_blob(loot), len(loot)]
            blobs = [(chunk[0], chunk[1], "application/vnd.kiln.chunk.v1")]
            return self.listed(entry, digest=chunk[0], bytes=len(loot), chunks=[chunk]).but(blobs=blobs)

        lies = {"its own digest": (lambda place, entry: self.listed(entry, digest=sha256(b"another")), "begins empty: ", "there is nothing"),
                "sizes that do not add up": (lambda place, entry: self.listed(entry, bytes=7), "they do not add up to the size", "there is nothing"),
                "other chunks": (replaced, "", "there is loot")}
        for name in PLACES:
            for trusted in (False, True):
                place = PLACES[name](self.folder / f"{name}-{trusted}")
                self.addCleanup(place.stop)
                self.bake("maker", place, trusted, "ci" if trusted else None)
                shutil.rmtree(self.folder / "maker")
                entry = self.of(place, MOUNT)[0]
                for number, (lie, (change, warning, seen)) in enumerate(lies.items()):
                    with self.subTest(place=name, trusted=trusted, lie=lie):
                        place.put(change(place, entry))
                        output = self.bake(f"reader{name}{trusted}{number}", place, trusted)
                        self.assertIn("its signature is wrong" if trusted else warning, output)
                        self.assertIn("there is nothing" if trusted else seen, output)
                        place.put(entry)
                with self.subTest(place=name, trusted=trusted, lie="none"):
                    self.assertIn("there is maker", self.bake(f"reader{name}{trusted}", place, trusted))


if __name__ == "__main__":
    harness.main()
