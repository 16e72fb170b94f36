#!/usr/bin/env python3
"""kiln sbom and kiln layers: packages of images in the store and in a registry, and documents that others read."""

import hashlib
import json
import re
import sys

import harness

from tests.support.layout_writer import tar_of, write_layout
from tests.support.wheel_index import make_wheel

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9+deb12u4

"""
TINI = """\
Package: tini
Status: install ok installed
Architecture: amd64
Version: 0.19.0-1

"""
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: Expat
 the text
"""
DOCKERFILE = """\
FROM scratch
COPY debian /
COPY more /
COPY site /usr/local/lib/python3/site-packages
COPY node /srv/node_modules
"""
LIBC = "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc"
TINI_URL = "pkg:deb/debian/tini@0.19.0-1?arch=amd64&distro=debian-12"


class Sbom(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("app/debian/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
        self.write("app/debian/var/lib/dpkg/status", STATUS)
        self.write("app/debian/var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib/libc.so.6\n/usr/lib/libc.so.6\n")
        self.write("app/debian/usr/lib/libc.so.6", "c" * 5000)
        self.write("app/more/var/lib/dpkg/status", STATUS + TINI)
        self.write("app/more/var/lib/dpkg/info/tini.list", "/.\n/usr/bin/tini\n/usr/share/doc/tini/copyright\n")
        self.write("app/more/usr/bin/tini", "t" * 700)
        self.write("app/more/usr/share/doc/tini/copyright", COPYRIGHT)
        self.write("app/node/@acme/x/package.json", '{"name": "@acme/x", "version": "2.0.1", "license": "ISC"}')
        self.write("app/node/@acme/x/index.js", "x" * 100)
        self.write("app/node/broken/package.json", "{")
        self.install_wheel("1.0")
        self.write("app/Dockerfile", DOCKERFILE)

    def install_wheel(self, version):
        """As pip installs it, bytecode and RECORD included."""
        wheels = self.folder / "wheels"
        wheels.mkdir(exist_ok=True)
        make_wheel(wheels, "My.Wheel", version, {"my_wheel.py": f"VERSION = '{version}'\n"})
        pip = [sys.executable, "-m", "pip"]
        if harness.run([*pip, "--version"], env=self.environment()).code != 0:
            self.skipTest("not installed: pip")
        wheel = next(wheels.glob(f"*-{version}-*.whl"))
        self.run_program(*pip, "install", "--quiet", "--no-index", "--no-deps", "--upgrade", "--target", self.folder / "app/site", wheel)

    def build(self, name, *words):
        self.kiln("build", "-t", name, *words, "app", env={"SOURCE_DATE_EPOCH": "1700000000"})

    def json_of(self, *words, **options):
        return json.loads(self.kiln(*words, **options).stdout)

    def packages(self, *words, **options):
        return {package["purl"]: package for package in self.json_of("sbom", "--json", *words, **options)["packages"]}

    def test_packages_of_the_store_are_told_with_their_layer_licence_and_bytes(self):
        self.build("app:1")
        result = self.kiln("sbom", "--local", "app:1", "--json")
        self.assertIn("warning: 'docker.io/library/app:1': srv/node_modules/broken/package.json", result.stderr)
        document = json.loads(result.stdout)
        packages = {package["purl"]: package for package in document["packages"]}
        self.assertEqual(sorted(packages), sorted([LIBC, TINI_URL, "pkg:npm/%40acme/x@2.0.1", "pkg:pypi/my-wheel@1.0"]))
        self.assertEqual([packages[purl]["layer"] for purl in (LIBC, TINI_URL, "pkg:pypi/my-wheel@1.0", "pkg:npm/%40acme/x@2.0.1")],
                         [0, 1, 2, 3])
        self.assertIn("COPY more /", document["layers"][1]["created_by"])
        self.assertEqual(packages[TINI_URL]["licence"], "Expat")
        self.assertEqual(packages["pkg:npm/%40acme/x@2.0.1"]["licence"], "ISC")
        # 5000 bytes of a file are 10 blocks, and each file has a header of one.
        self.assertEqual((packages[LIBC]["files"], packages[LIBC]["unpacked_bytes"]), (1, 11 * 512))
        # All that pip wrote is the wheel's, its bytecode too.
        written = [path for path in (self.folder / "app/site").rglob("*") if path.is_file()]
        self.assertEqual(packages["pkg:pypi/my-wheel@1.0"]["files"], len(written))
        self.assertTrue(any(path.suffix == ".pyc" for path in written))

    def test_bytes_add_up_to_those_of_the_image(self):
        self.build("app:1")
        image = self.json_of("layers", "--local", "app:1", "--json")["images"][0]
        stored = self.stored_image("docker.io/library/app:1")
        self.assertEqual([layer["compressed_bytes"] for layer in image["layers"]], [layer["size"] for layer in stored.manifest["layers"]])
        packaged = sum(package["unpacked_bytes"] for package in image["packages"])
        other = sum(layer["other_unpacked_bytes"] for layer in image["layers"])
        self.assertEqual(packaged + other, sum(layer["unpacked_bytes"] for layer in image["layers"]))
        sizes = [package["compressed_bytes"] for package in image["packages"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        table = self.kiln("layers", "--local", "app:1").stdout
        self.assertRegex(table, r"(?m)^libc6 +2\.36-9\+deb12u4 +deb +\d+ B +5\.63 kB +0 COPY debian /")
        self.assertIn("(no package)", table)
        self.assertIn("needs an image", self.kiln("layers", code=2).stderr)

    def test_a_pushed_image_is_told_alike_and_only_new_layers_are_fetched(self):
        server = self.registry()
        name = f"{server.address}/acme/app:1"
        self.build(name, "--push")
        fresh = {"KILN_HOME": self.folder / "fresh"}
        there = self.packages(name, env=fresh)
        self.assertEqual(there, self.packages("--local", name))
        # What was looked into once is not asked for again, also where its blobs are gone from the registry.
        for blobs in server.data.rglob("blobs/sha256"):
            for layer in self.pushed_layers(name):
                data = blobs / layer[7:9] / layer[7:] / "data"
                if data.exists():
                    data.unlink()
        self.assertEqual(self.packages(name, env=fresh), there)
        self.kiln("sbom", f"{server.address}/acme/none:1", code=3)
        self.kiln("sbom", "--local", "none:1", code=2)

    def pushed_layers(self, name):
        return [layer["digest"] for layer in json.loads(self.kiln("inspect", "--raw", name).stdout)["layers"]]

    def check_spdx(self, document):
        """The fields that the specification of SPDX 2.3 wants, and that what is referred to is there."""
        self.assertEqual((document["spdxVersion"], document["dataLicense"], document["SPDXID"]), ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"))
        self.assertRegex(document["documentNamespace"], r"^https://[^#]+$")
        self.assertRegex(document["creationInfo"]["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for creator in document["creationInfo"]["creators"]:
            self.assertRegex(creator, "^(Tool|Person|Organization): ")
        known = {"SPDXRef-DOCUMENT"}
        extracted = {licence["licenseId"] for licence in document.get("hasExtractedLicensingInfos", [])}
        for package in document["packages"]:
            self.assertRegex(package["SPDXID"], r"^SPDXRef-[a-zA-Z0-9.-]+$")
            self.assertNotIn(package["SPDXID"], known)
            known.add(package["SPDXID"])
            self.assertTrue(package["name"])
            self.assertEqual(package["downloadLocation"], "NOASSERTION")
            self.assertFalse(package["filesAnalyzed"])
            for reference in re.findall(r"LicenseRef-[a-zA-Z0-9.-]+", package["licenseDeclared"]):
                self.assertIn(reference, extracted)
        for relationship in document["relationships"]:
            self.assertLessEqual({relationship["spdxElementId"], relationship["relatedSpdxElement"]}, known)

    def check_cyclonedx(self, document):
        self.assertEqual((document["bomFormat"], document["specVersion"]), ("CycloneDX", "1.6"))
        self.assertRegex(document["serialNumber"], r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
        references = [component["bom-ref"] for component in document["components"]]
        self.assertEqual(len(references), len(set(references)))
        # The system first: without it a scanner leaves its packages out.
        self.assertEqual((document["components"][0]["type"], document["components"][0]["name"]), ("operating-system", "debian"))
        for component in [*document["components"][1:], document["metadata"]["component"]]:
            self.assertIn(component["type"], ("library", "container"))
            self.assertTrue(component["purl"].startswith("pkg:"))

    def test_both_documents_have_what_their_specifications_want_and_are_the_same_bytes_each_time(self):
        self.build("app:1")
        for form, check in (("spdx", self.check_spdx), ("cyclonedx", self.check_cyclonedx)):
            printed = self.kiln("sbom", "--local", "app:1", "--format", form).stdout
            check(json.loads(printed))
            self.assertIn("2023-11-14T22:13:20Z", printed)
            self.assertIn(LIBC, printed)
            self.assertIn("COPY more /", printed)
            self.kiln("sbom", "--local", "app:1", "--format", form, "-o", "bill.json")
            self.assertEqual((self.folder / "bill.json").read_text(), printed)
            self.assertIn("2001-09-09T01:46:40Z", self.kiln("sbom", "--local", "app:1", "--format", form,
                                                              env={"SOURCE_DATE_EPOCH": "1000000000"}).stdout)
        self.kiln("sbom", "--local", "app:1", env={"SOURCE_DATE_EPOCH": "soon"})  # a table has no time
        self.assertIn("SOURCE_DATE_EPOCH 'soon'", self.kiln("sbom", "--local", "app:1", "--format", "spdx",
                                                            env={"SOURCE_DATE_EPOCH": "soon"}, code=2).stderr)
        self.assertIn("unknown format 'spd'; did you mean 'spdx'?\n",
                      self.kiln("sbom", "--local", "app:1", "--format", "spd", code=2).stderr)

    def test_each_package_is_told_with_the_line_that_brought_it_of_others_base_images_too(self):
        layer = tar_of(("etc", None), ("etc/os-release", 'ID=debian\nVERSION_ID="12"\n'), ("var", None), ("var/lib", None), ("var/lib/dpkg", None),
                       ("var/lib/dpkg/status", TINI), ("var/lib/dpkg/info", None), ("var/lib/dpkg/info/tini.list", "/.\n/usr/bin/tini\n"))
        above = tar_of(("usr", None), ("usr/marker", "m"))
        history = [{"created_by": "/bin/sh -c #(nop) ADD file:0123abcd in / "}, {"created_by": '/bin/sh -c #(nop)  CMD ["bash"]', "empty_layer": True},
                   {"created_by": "RUN |1 V=1 /bin/sh -c touch /usr/marker # buildkit"}]
        write_layout(self.folder / "base", [layer, above], history=history)
        self.write("app/Dockerfile", "FROM base\nCOPY node /srv/node_modules\n")
        self.build("app:1", "--build-context", f"base=oci-layout://{self.folder}/base:base")
        lines = {TINI_URL: "ADD file:0123abcd in /", "pkg:npm/%40acme/x@2.0.1": "COPY node /srv/node_modules"}
        table = self.kiln("sbom", "--local", "app:1").stdout
        self.assertRegex(table, r"(?m)^tini .*ADD file:0123abcd in /")
        self.assertRegex(table, r"(?m)^@acme/x .*COPY node /srv/node_modules")
        spdx = json.loads(self.kiln("sbom", "--local", "app:1", "--format", "spdx").stdout)
        stated = {package["externalRefs"][0]["referenceLocator"]: package["sourceInfo"] for package in spdx["packages"] if "sourceInfo" in package}
        bill = json.loads(self.kiln("sbom", "--local", "app:1", "--format", "cyclonedx").stdout)
        properties = {component["purl"]: {entry["name"]: entry["value"] for entry in component["properties"]} for component in bill["components"]
                      if component["type"] == "library"}
        layers = self.json_of("sbom", "--local", "app:1", "--json")["layers"]
        for (purl, line), number in zip(lines.items(), (0, 2)):
            self.assertIn(f"from layer {layers[number]['diff_id']}", stated[purl])
            self.assertIn(line, stated[purl])
            self.assertIn(line, properties[purl]["kiln:layer:created_by"])
            self.assertEqual(properties[purl]["kiln:layer:diff_id"], layers[number]["diff_id"])

    def test_files_are_listed_with_their_digests_where_they_are_asked_for(self):
        self.build("app:1")
        self.assertNotIn("files", json.loads(self.kiln("sbom", "--local", "app:1", "--format", "spdx").stdout))
        spdx = json.loads(self.kiln("sbom", "--local", "app:1", "--format", "spdx", "--file-digests").stdout)
        digests = {file["fileName"]: file["checksums"] for file in spdx["files"]}
        libc = hashlib.sha256(b"c" * 5000).hexdigest()
        self.assertEqual(digests["./usr/lib/libc.so.6"], [{"algorithm": "SHA256", "checksumValue": libc}])
        ids = {element["SPDXID"]: element for element in spdx["packages"] + spdx["files"]}
        self.assertEqual(len(ids), len(spdx["packages"]) + len(spdx["files"]))
        owner = {}
        for relationship in spdx["relationships"][1:]:
            self.assertEqual(relationship["relationshipType"], "CONTAINS")
            owner[ids[relationship["relatedSpdxElement"]].get("fileName")] = ids[relationship["spdxElementId"]]["name"]
        self.assertEqual((owner["./usr/lib/libc.so.6"], owner["./usr/bin/tini"], owner["./var/lib/dpkg/status"]), ("libc6", "tini", "docker.io/library/app:1"))
        self.assertLessEqual({file["fileName"] for file in spdx["files"]}, set(owner))
        components = json.loads(self.kiln("sbom", "--local", "app:1", "--format", "cyclonedx", "--file-digests").stdout)["components"]
        files = {part["name"]: part for component in components for part in component.get("components", [])}
        self.assertEqual(files["/usr/lib/libc.so.6"], {"type": "file", "name": "/usr/lib/libc.so.6", "hashes": [{"alg": "SHA-256", "content": libc}]})
        self.assertIn("/etc/os-release", [component["name"] for component in components])
        told = self.json_of("sbom", "--local", "app:1", "--json", "--file-digests")["files"]
        self.assertEqual(len(told), len(spdx["files"]))
        self.assertIn({"path": "usr/lib/libc.so.6", "digest": f"sha256:{libc}", "layer": 0, "purl": LIBC}, told)
        self.assertIn("a table has no room for files", self.kiln("sbom", "--local", "app:1", "--file-digests", code=2).stderr)
        self.assertIn("exclude one another", self.kiln("sbom", "--local", "app:1", "--file-digests", "--diff", "app:1", "--json", code=2).stderr)

    def test_two_images_differ_by_packages_and_share_layers(self):
        self.build("app:1")
        self.write("app/node/@acme/x/package.json", '{"name": "@acme/x", "version": "2.1.0"}')
        self.write("app/node/new/package.json", '{"name": "new", "version": "1.0.0"}')
        self.write("app/more/var/lib/dpkg/status", STATUS)
        self.build("app:2")
        changes = self.json_of("sbom", "--local", "app:2", "--diff", "app:1", "--json")
        self.assertEqual([(change["change"], change["name"], change["before"], change["after"]) for change in changes["changes"]],
                         [("removed", "tini", ["0.19.0-1"], []), ("changed", "@acme/x", ["2.0.1"], ["2.1.0"]), ("added", "new", [], ["1.0.0"])])
        shown = self.kiln("sbom", "--local", "app:2", "--diff", "app:1").stdout
        self.assertRegex(shown, r"(?m)^~ +@acme/x +2\.0\.1 +2\.1\.0 +npm$")
        self.assertEqual(self.kiln("sbom", "--local", "app:1", "--diff", "app:1").stdout, "no difference\n")
        self.assertIn("--diff has no format 'spdx'", self.kiln("sbom", "--local", "app:1", "--diff", "app:1", "--format", "spdx", code=2).stderr)
        shared = self.json_of("layers", "--local", "app:1", "app:2", "--json")["shared"]
        self.assertEqual([layer["images"] for layer in shared["layers"]], [["docker.io/library/app:1", "docker.io/library/app:2"]] * 2)
        self.assertEqual({package["purl"]: package["layers"] for package in shared["packages"]}, {LIBC: 1, "pkg:pypi/my-wheel@1.0": 1})
        self.assertIn("shared by several of these 2 images: 2 layers", self.kiln("layers", "--local", "app:1", "app:2").stdout)


if __name__ == "__main__":
    harness.main()
