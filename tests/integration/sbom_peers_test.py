#!/usr/bin/env python3
"""Bills of materials beside what others say: the schemas of SPDX 2.3 and CycloneDX 1.6, SPDX's reference tool, and syft.

syft builds from the Go module github.com/anchore/syft (cmd/syft). The schemas are files of Go modules, which 'go mod download' brings into
Go's own cache; jsonschema is Debian's python3-jsonschema or PyPI's. What is not there is skipped by name.
"""

import fnmatch
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

MODULES = {"spdx": ("github.com/anchore/syft@v1.57.1", "schema/spdx-json/spdx-schema-2.3.json"),
           "cyclonedx": ("github.com/CycloneDX/cyclonedx-go@v0.12.0", "schema/bom-1.6.schema.json")}
DIFFERENCES = Path(__file__).with_name("syft_differences.txt")
# References between schemas of one folder are resolved there: nothing is asked of a network.
VALIDATE = """\
import json, sys, pathlib, jsonschema
schema_path, document_path = map(pathlib.Path, sys.argv[1:])
schema = json.loads(schema_path.read_text())
beside = {}
for path in schema_path.parent.glob("*.json"):
    other = json.loads(path.read_text())
    for key in ("$id", "id"):
        if isinstance(other, dict) and key in other:
            beside[other[key]] = other
validator = jsonschema.validators.validator_for(schema)
resolver = jsonschema.RefResolver.from_schema(schema, store=beside)
errors = list(validator(schema, resolver=resolver).iter_errors(json.loads(document_path.read_text())))
for error in errors[:5]:
    print("/".join(map(str, error.absolute_path)), error.message[:300])
sys.exit(1 if errors else 0)
"""
DPKG = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9+deb12u4

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Source: gcc-12 (12.2.0-14)
Version: 12.2.0-14+b1

Package: vim-common
Status: install ok installed
Architecture: all
Source: vim
Version: 2:9.0.1378-2~deb12u1

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

"""
DISTROLESS = """\
Package: tzdata
Architecture: all
Version: 2024a-0+deb12u1
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>

"""
APK = """\
C:Q1aaaaaaaaaaaaaaaaaaaaaaaaaaa=
P:musl
V:1.2.4_git20230717-r4
A:x86_64
S:407278
I:667648
T:the musl c library
U:https://musl.libc.org/
L:MIT
o:musl
m:Natanael Copa <ncopa@alpinelinux.org>
F:lib
R:ld-musl-x86_64.so.1

C:Q1bbbbbbbbbbbbbbbbbbbbbbbbbbb=
P:ssl_client
V:1.36.1-r15
A:x86_64
S:5000
I:28672
T:External ssl_client for busybox wget
U:https://busybox.net/
L:GPL-2.0-only
o:busybox

"""
REMOVED = "pkg:deb/debian/gone@1.0?arch=amd64&distro=debian-12"
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: Expat
"""


@functools.cache
def module_folder(module):
    """Where Go keeps a module's files, fetched where it has not got them; None where it cannot have them."""
    if shutil.which("go") is None:
        return None
    # The caller's own Go: its module cache is what is wanted, not one of the test's.
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(["go", "mod", "download", "-json", module], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return Path(json.loads(answer.stdout)["Dir"]) if answer.returncode == 0 else None


@functools.cache
def python_with_jsonschema():
    for python in (sys.executable, "/usr/bin/python3"):
        if Path(python).exists() and subprocess.run([python, "-c", "import jsonschema"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def purl_name(purl):
    """A package URL without its qualifiers: what is asked for, not by which words."""
    return purl.partition("?")[0]


class Peers(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.debian()
        self.distroless()
        self.alpine()
        self.python()
        self.node()
        self.go()

    def debian(self):
        self.write("debian/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
        self.write("debian/var/lib/dpkg/status", DPKG)
        self.write("debian/var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib/libc.so.6\n")
        self.write("debian/lib/libc.so.6", "c" * 5000)
        self.write("debian/usr/share/doc/libc6/copyright", COPYRIGHT)
        self.write("debian/Dockerfile", "FROM scratch\nCOPY etc /etc\nCOPY . /\n")
        # This machine's own packages, where it has such a database: hundreds, with epochs, binary rebuilds and sources of other names.
        status = Path("/var/lib/dpkg/status")
        if status.exists():
            self.write("machine/etc/os-release", Path("/etc/os-release").read_bytes())
            self.write("machine/var/lib/dpkg/status", status.read_bytes())
            self.write("machine/Dockerfile", "FROM scratch\nCOPY . /\n")

    def distroless(self):
        self.write("distroless/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
        self.write("distroless/var/lib/dpkg/status.d/tzdata", DISTROLESS)
        self.write("distroless/var/lib/dpkg/status.d/tzdata.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\n")
        self.write("distroless/usr/share/zoneinfo/UTC", "")
        self.write("distroless/Dockerfile", "FROM scratch\nCOPY . /\n")

    def alpine(self):
        self.write("alpine/etc/os-release", "ID=alpine\nVERSION_ID=3.19.1\n")
        self.write("alpine/lib/apk/db/installed", APK)
        self.write("alpine/lib/ld-musl-x86_64.so.1", "m" * 3000)
        self.write("alpine/Dockerfile", "FROM scratch\nCOPY . /\n")

    def python(self):
        site = "python/usr/local/lib/python3.11/site-packages"
        for name, version, licence in (("My.Wheel", "1.0", "License: BSD\n"), ("ruamel.yaml.clib", "0.2.8", "License-Expression: MIT OR Apache-2.0\n"),
                                       ("Foo_Bar", "2.0.post1+cu121", "")):
            info = f"{site}/{name.replace('.', '_')}-{version}.dist-info"
            self.write(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{licence}\n")
            self.write(f"{info}/RECORD", f"{name}.py,,\n")
            self.write(f"{site}/{name}.py", name)
        self.write(f"{site}/old-3.1.egg-info/PKG-INFO", "Metadata-Version: 1.1\nName: old\nVersion: 3.1\nLicense: UNKNOWN words of nobody\n")
        self.write("python/Dockerfile", "FROM scratch\nCOPY . /\n")

    def node(self):
        for folder, text in (("@acme/x", '{"name": "@acme/x", "version": "2.0.1", "license": "ISC"}'),
                             ("left-pad", '{"name": "left-pad", "version": "1.3.0", "license": "WTFPL"}'),
                             ("left-pad/node_modules/deep", '{"name": "deep", "version": "0.0.1-beta.2", "licenses": [{"type": "MIT"}]}')):
            self.write(f"node/srv/node_modules/{folder}/package.json", text)
            self.write(f"node/srv/node_modules/{folder}/index.js", "x")
        self.write("node/Dockerfile", "FROM scratch\nCOPY . /\n")

    def go(self):
        # Debian's registry was built without modules; crane, where it is, with dozens.
        programs = [program for program in map(shutil.which, ("docker-registry", "crane")) if program]
        for program in programs:
            self.write(f"go/app/{Path(program).name}", Path(program).read_bytes(), mode=0o755)
        if programs:
            self.write("go/Dockerfile", "FROM scratch\nCOPY app /app\n")

    def images(self):
        return [path.parent.name for path in sorted(self.folder.glob("*/Dockerfile"))]

    def build(self, name):
        """The image of a folder, in the store and as a layout that others read."""
        self.kiln("build", "-t", name, name, env={"SOURCE_DATE_EPOCH": "1700000000"})
        return f"oci-dir:{self.folder / 'layouts' / name}"

    def bill(self, name, form, *words):
        self.kiln("sbom", "--local", name, "--format", form, "-o", f"{name}.{form}.json", *words)
        return self.folder / f"{name}.{form}.json"


class Schemas(Peers):
    def test_documents_of_both_formats_are_what_their_schemas_want(self):
        python = python_with_jsonschema()
        if python is None:
            self.skipTest("not installed: python3-jsonschema")
        for form, (module, path) in MODULES.items():
            folder = module_folder(module)
            if folder is None:
                self.skipTest(f"cannot be had by 'go mod download': {module}, for its {path}")
            for name in self.images():
                self.build(name)
                for words in ([], ["--file-digests"]):
                    with self.subTest(form=form, image=name, words=words):
                        bill = self.bill(name, form, *words)
                        answer = subprocess.run([python, "-c", VALIDATE, folder / path, bill], capture_output=True, text=True, check=False)
                        self.assertEqual((answer.returncode, answer.stdout), (0, ""), answer.stderr)

    def test_a_document_that_is_none_is_refused_by_the_same_schema(self):
        python = python_with_jsonschema()
        module, path = MODULES["cyclonedx"]
        folder = module_folder(module) if python else None
        if folder is None:
            self.skipTest("not installed: python3-jsonschema, or the schema of CycloneDX")
        broken = self.write("broken.json", json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "file"}]}))
        answer = subprocess.run([python, "-c", VALIDATE, folder / path, broken], capture_output=True, text=True, check=False)
        self.assertEqual(answer.returncode, 1, answer.stderr)
        self.assertIn("'name' is a required property", answer.stdout)

    def test_the_reference_tool_of_spdx_takes_the_document(self):
        self.need_programs("pyspdxtools")
        self.build("debian")
        self.run_program("pyspdxtools", "-i", self.bill("debian", "spdx"), cwd=self.folder)


class WithSyft(Peers):
    def listed_by_syft(self, name):
        self.kiln("build", "-o", f"type=oci,dest=layouts/{name},tar=false", name, env={"SOURCE_DATE_EPOCH": "1700000000"})
        environment = self.environment(SYFT_CHECK_FOR_APP_UPDATE="false")
        answer = harness.run(["syft", "-q", "scan", f"oci-dir:{self.folder / 'layouts' / name}", "-o", "syft-json"], env=environment, cwd=self.folder, timeout=300)
        self.assertEqual(answer.code, 0, str(answer))
        return {artifact["purl"] for artifact in json.loads(answer.stdout)["artifacts"] if artifact["purl"]}

    def listed_by_kiln(self, name):
        self.build(name)
        document = json.loads(self.kiln("sbom", "--local", name, "--json").stdout)
        return {package["purl"] for package in document["packages"]}

    def test_every_package_that_syft_lists_is_told_or_its_absence_is_explained(self):
        self.need_programs("syft")
        rows = [line.split(None, 1) for line in DIFFERENCES.read_text().splitlines() if line.strip() and not line.startswith("#")]
        self.assertTrue(all(len(row) == 2 for row in rows), "each row has a pattern and a reason")
        for name in self.images():
            with self.subTest(image=name):
                theirs, ours = self.listed_by_syft(name), self.listed_by_kiln(name)
                self.assertTrue(theirs, "syft finds something in each of these images")
                names = {purl_name(purl) for purl in ours}
                missing = [purl for purl in sorted(theirs) if purl not in ours and purl_name(purl) not in names
                           and not any(fnmatch.fnmatchcase(purl, pattern) for pattern, _ in rows)]
                self.assertEqual(missing, [])

    def test_packages_of_debian_have_the_same_package_urls_to_the_letter(self):
        self.need_programs("syft")
        for name in ("debian", "distroless"):
            with self.subTest(image=name):
                self.assertEqual(self.listed_by_syft(name) - {REMOVED}, self.listed_by_kiln(name))


if __name__ == "__main__":
    harness.main()
