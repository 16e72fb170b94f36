#!/usr/bin/env python3
"""SBOM and provenance beside images: where they hang, what they say, what they cost, and what other people's clients make of them."""

import hashlib
import json
import shutil

import harness

STATUS = """\
Package: tini
Status: install ok installed
Architecture: amd64
Version: 0.19.0-1

"""
TINI = "pkg:deb/debian/tini@0.19.0-1?arch=amd64&distro=debian-12"
IN_TOTO = "application/vnd.in-toto+json"
SPDX = "https://spdx.dev/Document"
SLSA = "https://slsa.dev/provenance/v1"
DOCKERFILE = """\
FROM scratch AS files
COPY debian /
FROM scratch
ARG VERSION=1
ARG API_TOKEN=none
COPY --from=files / /
COPY f /app/f
"""


class Attested(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.need_programs("skopeo")
        self.server = self.registry(delete=True)
        self.base = f"{self.server.address}/acme"
        self.write("app/debian/etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
        self.write("app/debian/var/lib/dpkg/status", STATUS)
        self.write("app/debian/var/lib/dpkg/info/tini.list", "/.\n/usr/bin/tini\n")
        self.write("app/debian/usr/bin/tini", "t" * 700)
        self.write("app/f", "content")
        self.write("app/docker/Dockerfile", DOCKERFILE)

    def build(self, name, *words, **options):
        """Builds app and pushes it as this name; the digest that the tag names."""
        # One time for all, so that every machine makes the same image.
        env = {"SOURCE_DATE_EPOCH": "1700000000", **options.pop("env", {})}
        self.kiln("build", "-f", "app/docker/Dockerfile", "--push", "-t", f"{self.base}/{name}", *words, "app", env=env, **options)
        return self.digest(name)

    def digest(self, name):
        repository, _, tag = name.partition(":")
        status, headers, _ = self.manifest(repository, tag)
        self.assertEqual(status, 200, name)
        return headers["Docker-Content-Digest"]

    def manifest(self, repository, key):
        types = ["application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
                 "application/vnd.docker.distribution.manifest.v2+json"]
        return self.server.get(f"/v2/acme/{repository}/manifests/{key}", {"Accept": ", ".join(types)})

    def document(self, repository, key):
        status, _, body = self.manifest(repository, key)
        self.assertEqual(status, 200, f"{repository} {key}")
        return json.loads(body)

    def blob(self, repository, descriptor):
        status, _, body = self.server.get(f"/v2/acme/{repository}/blobs/{descriptor['digest']}")
        self.assertEqual(status, 200)
        self.assertEqual((len(body), "sha256:" + hashlib.sha256(body).hexdigest()), (descriptor["size"], descriptor["digest"]))
        return body

    def referrers(self, repository, digest):
        """The entries of the tag that lists what is attached to a manifest; none where there is no such tag."""
        status, _, body = self.manifest(repository, digest.replace(":", "-"))
        return json.loads(body)["manifests"] if status == 200 else []

    def attached(self, repository, digest):
        """Statements by predicate type, each checked against what the specifications ask of its artifact."""
        statements = {}
        for entry in self.referrers(repository, digest):
            artifact = self.document(repository, entry["digest"])
            self.assertEqual((entry["artifactType"], artifact["artifactType"]), (IN_TOTO, IN_TOTO))
            self.assertEqual(artifact["subject"]["digest"], digest)
            self.assertEqual(artifact["config"]["mediaType"], "application/vnd.oci.empty.v1+json")
            self.assertEqual([layer["mediaType"] for layer in artifact["layers"]], [IN_TOTO])
            self.add_statement(statements, self.blob(repository, artifact["layers"][0]), artifact["annotations"], digest)
            self.assertEqual(artifact["layers"][0]["annotations"]["in-toto.io/predicate-type"], artifact["annotations"]["in-toto.io/predicate-type"])
        return statements

    def add_statement(self, statements, text, annotations, digest):
        statement = json.loads(text)
        self.assertEqual(statement["_type"], "https://in-toto.io/Statement/v1")
        self.assertEqual(annotations["in-toto.io/predicate-type"], statement["predicateType"])
        self.assertEqual({subject["digest"]["sha256"] for subject in statement["subject"]}, {digest.removeprefix("sha256:")})
        self.assertNotIn(statement["predicateType"], statements)
        self.assertNotIn(str(self.folder), text.decode(), "no path of this machine is told")
        statements[statement["predicateType"]] = statement

    def in_index(self, repository, index):
        """The images of an index and, by image, the statements of its attestation manifests."""
        images = [entry for entry in index["manifests"] if entry["platform"]["os"] != "unknown"]
        statements = {}
        for entry in index["manifests"]:
            if entry in images:
                continue
            self.assertEqual(entry["platform"], {"os": "unknown", "architecture": "unknown"})
            self.assertEqual(entry["annotations"]["vnd.docker.reference.type"], "attestation-manifest")
            image = entry["annotations"]["vnd.docker.reference.digest"]
            manifest = self.document(repository, entry["digest"])
            config = json.loads(self.blob(repository, manifest["config"]))
            self.assertEqual(config["rootfs"]["diff_ids"], [layer["digest"] for layer in manifest["layers"]])
            of_image = statements.setdefault(image, {})
            for layer in manifest["layers"]:
                self.assertEqual(layer["mediaType"], IN_TOTO)
                self.add_statement(of_image, self.blob(repository, layer), layer["annotations"], image)
        return images, statements

    def packages(self, sbom):
        return [package["externalRefs"][0]["referenceLocator"] for package in sbom["packages"] if "sourceInfo" in package]

    def writes(self):
        """How many requests that change something the registry got."""
        return sum(self.server.log().count(f'http.request.method={method}') for method in ("PUT", "POST", "PATCH"))


class Referrers(Attested):
    def test_sbom_and_provenance_hang_beside_an_image_that_is_what_it_is_without_them(self):
        given = ["--build-arg", "VERSION=2", "--build-arg", "API_TOKEN=hunter2hunter2"]
        plain = self.build("plain:1", *given)
        digest = self.build("app:1", "--sbom=true", "--provenance=mode=max", *given)
        self.assertEqual(digest, plain)
        statements = self.attached("app", digest)
        self.assertEqual(set(statements), {SPDX, SLSA})
        self.assertEqual(self.packages(statements[SPDX]["predicate"]), [TINI])
        self.assertEqual(statements[SPDX]["subject"][0]["name"], f"pkg:docker/{self.base}/app?platform=linux%2Famd64")
        predicate = statements[SLSA]["predicate"]
        definition = predicate["buildDefinition"]
        self.assertEqual(definition["externalParameters"]["configSource"]["path"], "docker/Dockerfile")
        self.assertEqual(definition["externalParameters"]["request"]["args"], {"VERSION": "2"})
        steps = definition["internalParameters"]["steps"]
        self.assertEqual([(step["line"], step["outcome"]) for step in steps], [(2, "hit"), (6, "hit"), (7, "hit")])
        self.assertTrue(all(len(step["key"]) == 64 and step["diffIds"] for step in steps))
        self.assertEqual(predicate["runDetails"]["builder"]["version"]["kiln"], self.kiln("--version").stdout.split()[1])
        self.assertNotIn("hunter2", json.dumps(statements))
        self.assertEqual(self.referrers("plain", plain), [])

    def test_an_unchanged_push_attaches_nothing_again_on_this_machine_or_another(self):
        words = ["--sbom=true", "--provenance=mode=max"]
        digest = self.build("app:1", *words)
        listed = self.referrers("app", digest)
        self.assertEqual(len(listed), 2)
        before = self.writes()
        for home in (self.home, self.folder / "other"):
            self.assertEqual(self.build("app:1", *words, env={"KILN_HOME": home}), digest)
        self.assertEqual(self.writes(), before)
        self.assertEqual(self.referrers("app", digest), listed)
        # Something else to say of the same image is said beside what was said.
        self.build("app:1", "--provenance=mode=min")
        self.assertEqual(len(self.referrers("app", digest)), 3)

    def test_the_least_provenance_is_the_same_bytes_from_every_machine(self):
        for tag, home in (("one", self.home), ("two", self.folder / "other")):
            self.build(f"{tag}:1", "--provenance=mode=min", env={"KILN_HOME": home})
        digest = self.digest("one:1")
        said = [self.attached(repository, digest)[SLSA]["predicate"] for repository in ("one", "two")]
        self.assertEqual(said[0], said[1])
        self.assertNotIn("args", said[0]["buildDefinition"]["externalParameters"]["request"])
        self.assertNotIn("steps", said[0]["buildDefinition"]["internalParameters"])
        self.assertEqual(said[0]["runDetails"]["metadata"], {})

    def test_each_platform_has_its_own(self):
        digest = self.build("app:1", "--platform", "linux/amd64,linux/arm64", "--sbom=true", "--provenance=mode=min")
        index = self.document("app", digest)
        self.assertEqual(len(index["manifests"]), 2)
        for entry in index["manifests"]:
            statements = self.attached("app", entry["digest"])
            self.assertEqual(set(statements), {SPDX, SLSA})
            platform = f"linux/{entry['platform']['architecture']}"
            self.assertEqual(statements[SLSA]["predicate"]["buildDefinition"]["externalParameters"]["request"]["platform"], platform)

    def test_what_a_build_is_made_of_is_told_by_digest(self):
        parent = self.build("parent:1")
        other = self.build("other:1", "--target", "files")
        self.write("child/Dockerfile", f"FROM {self.base}/parent:1 AS one\nFROM one\nCOPY --from=tools /etc /etc2\nCOPY --from=lib Dockerfile /\n")
        self.write("lib/Dockerfile", "FROM scratch\n")
        self.kiln("build", "--push", "-t", f"{self.base}/child:1", "--provenance=mode=min", "--build-context", f"tools=docker-image://{self.base}/other:1",
                  "--build-context", f"lib={self.folder}/lib", "child")
        definition = self.attached("child", self.digest("child:1"))[SLSA]["predicate"]["buildDefinition"]
        uri = f"pkg:docker/{self.base}/{{}}@1?platform=linux%2Famd64"
        expected = [{"uri": uri.format(name), "digest": {"sha256": digest.removeprefix("sha256:")}} for name, digest in (("other", other), ("parent", parent))]
        self.assertEqual(definition["resolvedDependencies"], expected)
        self.assertEqual(definition["externalParameters"]["request"]["contexts"], [{"name": "lib"}, {"name": "tools", **expected[0]}])

    def test_what_is_attached_goes_along_with_a_copy_and_the_same_is_pulled_and_compared(self):
        digest = self.build("app:1", "--sbom=true", "--provenance=mode=max")
        name, copy = f"{self.base}/app:1", f"{self.base}/copy:1"
        self.kiln("copy", name, copy)
        self.assertEqual(self.digest("copy:1"), digest)
        self.assertEqual([entry["digest"] for entry in self.referrers("copy", digest)], [entry["digest"] for entry in self.referrers("app", digest)])
        self.assertEqual(set(self.attached("copy", digest)), {SPDX, SLSA})
        self.kiln("copy", name, f"{self.base}/app:2")
        self.assertEqual(len(self.referrers("app", digest)), 2)
        other = {"KILN_HOME": self.folder / "other"}
        self.kiln("pull", name, env=other)
        self.assertEqual(self.kiln("digest", name).stdout.strip(), digest)
        self.assertIn("no difference", self.kiln("diff", name, copy).stdout)
        self.assertEqual(self.pushed_image(name).digest, digest)

    def test_what_is_listed_for_an_image_and_attached_to_another_one_is_not_copied(self):
        other = self.build("app:2", "--sbom=true", "--build-arg", "VERSION=2")
        entry = self.referrers("app", other)[0]
        self.write("app/f", "another")
        digest = self.build("app:1")
        listing = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
        self.server.put_manifest("acme/app", digest.replace(":", "-"), json.dumps(listing), listing["mediaType"])
        result = self.kiln("copy", f"{self.base}/app:1", f"{self.base}/copy:1")
        self.assertIn(f"is listed as attached to {digest} and is not: it names {other}; not copied", result.stderr)
        self.assertEqual(self.manifest("copy", entry["digest"])[0], 404)
        self.assertEqual(self.manifest("copy", other.replace(":", "-"))[0], 404)

    def test_what_cannot_be_attached_fails_the_push_with_the_reason_and_is_attached_by_the_next(self):
        digest = self.build("app:1")
        listing = self.server.data / f"docker/registry/v2/repositories/acme/app/_manifests/tags/{digest.replace(':', '-')}"
        # The tag that lists what is attached cannot be written: a file is in its place.
        listing.write_text("")
        failed = self.kiln("build", "-f", "app/docker/Dockerfile", "--push", "-t", f"{self.base}/app:1", "--sbom=true", "app",
                           code=3, env={"SOURCE_DATE_EPOCH": "1700000000"})
        self.assertIn(f"while attaching what is said of '{self.base}/app@{digest}'", failed.stderr)
        listing.unlink()
        self.build("app:1", "--sbom=true")
        self.assertEqual(set(self.attached("app", digest)), {SPDX})

    def test_what_goes_nowhere_is_told(self):
        for words in (["-t", "app:1"], ["-o", "out"], ["-o", "type=docker,dest=app.tar"]):
            told = self.kiln("build", "-f", "app/docker/Dockerfile", "--sbom=true", *words, "app").stderr
            self.assertIn("what is to be said of the image goes nowhere", told, words)
        told = self.kiln("build", "-f", "app/docker/Dockerfile", "--sbom=true", "--offline", "--push", "-t", f"{self.base}/app:1", "app").stderr
        self.assertIn("--offline: SBOMs are not remembered with the pushes of their images", told)
        self.assertNotIn("goes nowhere", told)

    def test_words_that_mean_nothing_are_refused(self):
        for words, message in ((["--sbom=generator=ghcr.io/acme/scanner"], "kiln runs no generator's image"),
                               (["--attest", "type=vuln"], "unknown type 'vuln'"), (["--attest-as", "tag"], "expected 'referrers' or 'index'"),
                               (["--provenance=mode=some"], "mode is 'min' or 'max', got 'some'")):
            for command in (["build", "app"], ["bake"]):
                self.assertIn(message, self.kiln(*command, *words, code=2).stderr)


class Index(Attested):
    WORDS = ["--sbom=true", "--provenance=mode=max", "--attest-as", "index"]

    def test_an_index_holds_the_image_and_what_is_said_of_it_as_buildx_has_it(self):
        plain = self.build("plain:1")
        digest = self.build("app:1", *self.WORDS)
        index = self.document("app", digest)
        images, statements = self.in_index("app", index)
        self.assertEqual([(entry["digest"], entry["platform"]) for entry in images], [(plain, {"architecture": "amd64", "os": "linux"})])
        self.assertEqual(set(statements[plain]), {SPDX, SLSA})
        self.assertEqual(self.packages(statements[plain][SPDX]["predicate"]), [TINI])
        self.assertEqual(self.referrers("app", plain), [])
        # The same index again, though what was a hit is another story now.
        before = self.writes()
        self.assertEqual(self.build("app:1", *self.WORDS), digest)
        self.assertEqual(self.writes(), before)

    def test_the_least_said_makes_the_same_index_on_every_machine(self):
        words = ["--sbom=true", "--provenance=mode=min", "--attest-as=index"]
        self.assertEqual(self.build("app:1", *words), self.build("app:2", *words, env={"KILN_HOME": self.folder / "other"}))

    def test_clients_take_the_image_and_find_what_is_said(self):
        plain = self.build("plain:1")
        digest = self.build("app:1", *self.WORDS)
        name = f"{self.base}/app:1"
        self.assertEqual(self.pushed_image(name, platform="linux/amd64").digest, plain)
        inspected = self.kiln("inspect", name).stdout
        self.assertIn(plain, inspected)
        self.assertNotIn("unknown", inspected)
        # The store has it by its name, archives of it are whole, and it can be copied, pulled and sent again.
        self.stored_image(f"{name}", "linux/amd64")
        self.kiln("pull", name, env={"KILN_HOME": self.folder / "other"})
        self.kiln("copy", name, f"{self.base}/copy:1")
        images, statements = self.in_index("copy", self.document("copy", self.digest("copy:1")))
        self.assertEqual((self.digest("copy:1"), len(images), set(statements[plain])), (digest, 1, {SPDX, SLSA}))

    def test_buildx_reads_sbom_and_provenance(self):
        if shutil.which("buildx") is None:
            self.skipTest("not installed: buildx")
        self.build("app:1", *self.WORDS)
        def inspect(what):
            return json.loads(self.run_program("buildx", "imagetools", "inspect", "--format", "{{json .%s}}" % what, f"{self.base}/app:1").stdout)
        self.assertEqual(self.packages(inspect("SBOM")["SPDX"]), [TINI])
        self.assertEqual(inspect("Provenance")["SLSA"]["buildDefinition"]["buildType"], "https://kiln.dev/build/v1")

    def test_an_archive_of_oci_s_layout_holds_them(self):
        self.kiln("build", "-f", "app/docker/Dockerfile", "--sbom=true", "-t", "app:1", "-o", "type=oci,dest=out,tar=false", "app")
        root = json.loads((self.folder / "out/index.json").read_text())["manifests"][0]
        index = json.loads((self.folder / "out/blobs/sha256" / root["digest"].removeprefix("sha256:")).read_text())
        self.layout_image(self.folder / "out", platform="linux/amd64")
        attestation = self.layout_manifest(index["manifests"][1])
        statement = json.loads((self.folder / "out/blobs/sha256" / attestation["layers"][0]["digest"].removeprefix("sha256:")).read_text())
        self.assertEqual(self.packages(statement["predicate"]), [TINI])

    def layout_manifest(self, entry):
        return json.loads((self.folder / "out/blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_text())

    def test_docker_s_media_types_are_refused(self):
        refused = self.kiln("build", "-f", "app/docker/Dockerfile", "-o", f"type=registry,name={self.base}/app:1,oci-mediatypes=false", *self.WORDS, "app", code=2)
        self.assertIn("attestations in an index need OCI's media types", refused.stderr)


class Fleet(Attested):
    def setUp(self):
        super().setUp()
        self.settings = {"registry": self.server.address, "namespace": "acme", "tags": ["1"]}
        self.image("parent", "FROM scratch\nCOPY Dockerfile /\n", attest=["type=provenance,mode=min"])
        self.image("child", "FROM parent\nCOPY Dockerfile /child\n")
        self.image("silent", "FROM parent\nCOPY Dockerfile /silent\n", attest=["type=provenance,disabled=true", {"type": "sbom", "disabled": "true"}])
        self.image("other", "FROM scratch\nCOPY Dockerfile /other\n")

    def image(self, name, dockerfile, **more):
        self.write(f"images/{name}/image.json", json.dumps({"kind": "service", "profiles": [], **more}))
        self.write(f"images/{name}/Dockerfile", dockerfile)

    def bake(self, *words, **settings):
        self.write("images/fleet.json", json.dumps({**self.settings, **settings}))
        self.kiln("bake", "--push", *words)

    def said(self, name):
        return set(self.attached(name, self.digest(f"{name}:1")))

    def test_children_inherit_what_is_said_of_their_parent_and_all_of_them_what_the_fleet_says(self):
        self.bake(attest=["type=sbom"])
        self.assertEqual([self.said(name) for name in ("parent", "child", "silent", "other")], [{SPDX, SLSA}, {SPDX, SLSA}, set(), {SPDX}])
        predicate = self.attached("child", self.digest("child:1"))[SLSA]["predicate"]
        self.assertEqual(predicate["buildDefinition"]["externalParameters"]["request"]["image"], "child")
        self.assertEqual(predicate["buildDefinition"]["externalParameters"]["configSource"]["path"], "Dockerfile")

    def test_words_on_the_command_line_go_over_what_definitions_say(self):
        self.bake("--provenance=false", "--sbom=false", attest=["type=sbom"])
        self.assertEqual([self.said(name) for name in ("parent", "child", "other")], [set(), set(), set()])
        self.bake("--sbom=true", "--attest", "type=provenance,mode=max")
        self.assertEqual(self.said("other"), {SPDX, SLSA})

    def test_a_fleet_says_where_they_hang(self):
        self.bake(attest_as="index")
        images, statements = self.in_index("child", self.document("child", "1"))
        self.assertEqual(set(statements[images[0]["digest"]]), {SLSA})
        self.assertEqual(self.referrers("child", images[0]["digest"]), [])
        # What a pin names is the image, or the index that holds it alone.
        self.kiln("bake", "--push", "child", "--pin", f"child={self.base}/child@{images[0]['digest']}")
        self.kiln("bake", "--push", "child", "--pin", f"child={self.base}/child:1")

    def test_a_release_of_attested_images_is_theirs(self):
        for form in ("referrers", "index"):
            with self.subTest(form=form):
                self.bake(attest=["type=sbom"], attest_as=form)
                self.kiln("release", "create", f"v-{form}", "--from", "1")
                self.kiln("release", "verify", f"v-{form}")
                self.assertEqual(self.digest(f"child:v-{form}"), self.digest("child:1"))

    def test_bad_words_of_definitions_are_told_with_their_line(self):
        self.write("images/fleet.json", json.dumps(self.settings)[:-1] + ',\n"attest": ["type=sbm"]}')
        self.assertIn("images/fleet.json:2: attest 'type=sbm': unknown type 'sbm'; known: provenance, sbom", self.kiln("bake", code=2).stderr)
        self.write("images/fleet.json", json.dumps(self.settings))
        self.image("child", "FROM parent\n", attest=["type=provenance,mode=all"])
        self.assertIn("mode is 'min' or 'max', got 'all'", self.kiln("bake", "child", code=2).stderr)


class Default(Attested):
    """What is said of an image where nobody says anything of it."""

    counts_what_is_pushed = False

    def provenance(self, name, tag="1"):
        return self.attached(name, self.digest(f"{name}:{tag}")).get(SLSA)

    def test_what_is_pushed_gets_the_least_provenance_beside_an_image_that_is_the_same_without(self):
        plain = self.build("plain:1", "--provenance=false")
        self.assertEqual(self.build("app:1"), plain)
        self.assertEqual(self.referrers("plain", plain), [])
        definition = self.provenance("app")["predicate"]["buildDefinition"]
        self.assertEqual(definition["externalParameters"]["configSource"]["path"], "docker/Dockerfile")
        self.assertNotIn("steps", definition["internalParameters"])
        # The tag that lists it is no name of an image.
        self.assertEqual(self.kiln("ls", f"{self.base}/app").stdout.split(), ["1"])
        self.assertEqual(set(self.kiln("ls", "--all", f"{self.base}/app").stdout.split()), {"1", plain.replace(":", "-")})
        before = self.writes()
        self.assertEqual(self.build("app:1"), plain)
        # What was asked for as the default is the same thing, and another machine finds it.
        self.build("app:1", "--provenance=mode=min", env={"KILN_HOME": self.folder / "other"})
        self.assertEqual(self.writes(), before)
        # An SBOM that is asked for leaves it in place.
        self.build("app:1", "--sbom=true")
        self.assertEqual(set(self.attached("app", plain)), {SPDX, SLSA})

    def test_the_commit_that_is_checked_out_is_told(self):
        self.need_programs("git")
        git = ["git", "-C", self.folder / "app", "-c", "user.name=a", "-c", "user.email=a@acme.example"]
        self.run_program(*git, "init", "-q")
        self.run_program(*git, "add", ".")
        self.run_program(*git, "commit", "-q", "-m", "one")
        commit = self.run_program(*git, "rev-parse", "HEAD").stdout.strip()
        self.write("app/.dockerignore", ".git\n")
        self.build("app:1")
        source = self.provenance("app")["predicate"]["buildDefinition"]["externalParameters"]["configSource"]
        self.assertEqual(source, {"digest": {"sha1": commit}, "path": "docker/Dockerfile"})

    def test_it_is_turned_off_by_a_word_or_by_buildx_s_variable(self):
        for tag, (words, env) in enumerate(((["--provenance=false"], {}), (["--attest", "type=provenance,disabled=true"], {}),
                                            ([], {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}), ([], {"BUILDX_NO_DEFAULT_ATTESTATIONS": "true"}))):
            self.assertEqual(self.referrers("app", self.build(f"app:{tag}", *words, env=env)), [], words)
        refused = self.kiln("build", "-f", "app/docker/Dockerfile", "--push", "-t", f"{self.base}/app:1", "app", code=2, env={"BUILDX_NO_DEFAULT_ATTESTATIONS": "yes"})
        self.assertIn("BUILDX_NO_DEFAULT_ATTESTATIONS 'yes': expected true or false", refused.stderr)

    def test_a_push_of_what_was_built_before_tells_what_the_build_would_have_told(self):
        name = f"{self.base}/app:1"
        env = {"SOURCE_DATE_EPOCH": "1700000000"}
        self.kiln("build", "-f", "app/docker/Dockerfile", "-t", name, "app", env=env)
        pushed = self.kiln("push", name)
        digest = self.digest("app:1")
        self.assertIn(f"attached provenance to {self.base}/app@{digest}", pushed.stdout)
        self.assertEqual(len(self.referrers("app", digest)), 1)
        before = self.writes()
        self.assertNotIn("attached", self.kiln("push", name).stdout)
        self.assertEqual(self.build("app:1"), digest)
        self.assertEqual(self.writes(), before)
        # In the mode that the build asked for, under each name, and not where none was asked for.
        self.kiln("build", "-f", "app/docker/Dockerfile", "-t", "max", "--provenance=mode=max", "app", env=env)
        self.kiln("push", "max", f"{self.base}/max:1")
        self.assertTrue(self.provenance("max")["predicate"]["buildDefinition"]["internalParameters"]["steps"])
        self.kiln("build", "-f", "app/docker/Dockerfile", "-t", "none", "--provenance=false", "app", env=env)
        self.kiln("push", "none", f"{self.base}/none:1")
        self.assertIsNone(self.provenance("none"))
        # Nothing is made up for an image that was made elsewhere.
        other = {"KILN_HOME": self.folder / "other"}
        self.kiln("pull", name, env=other)
        self.assertEqual(json.loads(self.kiln("push", name, f"{self.base}/pulled:1", "--json", env=other).stdout)["attested"], [])
        self.assertIsNone(self.provenance("pulled"))

    def test_a_remembered_push_takes_its_provenance_along_and_each_platform_has_its_own(self):
        name = f"{self.base}/app:1"
        told = self.kiln("build", "-f", "app/docker/Dockerfile", "--platform", "linux/amd64,linux/arm64", "--offline", "--push", "-t", name, "app")
        self.assertNotIn("not remembered", told.stderr)
        sent = json.loads(self.kiln("push", "--pending", "--json").stdout)
        index = self.document("app", "1")
        self.assertEqual(sorted(sent["attested"]), sorted(f"{self.base}/app@{entry['digest']}" for entry in index["manifests"]))
        for entry in index["manifests"]:
            request = self.attached("app", entry["digest"])[SLSA]["predicate"]["buildDefinition"]["externalParameters"]["request"]
            self.assertEqual(request["platform"], f"linux/{entry['platform']['architecture']}")

    def test_a_registry_that_does_not_take_it_leaves_a_warning(self):
        digest = self.build("app:1", "--provenance=false")
        listing = self.server.data / f"docker/registry/v2/repositories/acme/app/_manifests/tags/{digest.replace(':', '-')}"
        listing.write_text("")
        told = self.kiln("build", "-f", "app/docker/Dockerfile", "--push", "-t", f"{self.base}/app:1", "app", env={"SOURCE_DATE_EPOCH": "1700000000"})
        self.assertIn("the image was pushed without the provenance that it has by default: GET ", told.stderr)
        self.assertNotIn("ERROR", told.stderr)
        asked = self.kiln("build", "-f", "app/docker/Dockerfile", "--push", "-t", f"{self.base}/app:1", "--provenance=mode=min", "app", code=3,
                          env={"SOURCE_DATE_EPOCH": "1700000000"})
        self.assertIn("while attaching what is said of", asked.stderr)
        listing.unlink()
        self.build("app:1")
        self.assertTrue(self.provenance("app"))

    def test_where_attestations_stand_in_an_index_the_default_does_too(self):
        plain = self.build("plain:1", "--provenance=false")
        self.build("app:1", "--attest-as=index")
        _, statements = self.in_index("app", self.document("app", "1"))
        self.assertEqual({image: set(said) for image, said in statements.items()}, {plain: {SLSA}})
        # Docker's media types have no such index, and nobody asked for the provenance.
        self.kiln("build", "-f", "app/docker/Dockerfile", "--attest-as=index", "-o", f"type=registry,name={self.base}/docker:1,oci-mediatypes=false", "app")
        self.assertEqual(set(self.attached("docker", self.digest("docker:1"))), {SLSA})

    def test_parts_of_an_index_bring_what_is_said_of_them_in_either_form(self):
        self.write("docker-bake.json", json.dumps({"target": {"default": {
            "context": "app", "dockerfile": "docker/Dockerfile", "tags": [f"{self.base}/app:1"], "platforms": ["linux/amd64", "linux/arm64"]}}}))
        for form in ("referrers", "index"):
            with self.subTest(form=form):
                for platform in ("linux/amd64", "linux/arm64"):
                    self.kiln("bake", "--push", "--only-platform", platform, "--attest-as", form, "--sbom=true")
                self.kiln("index", "bake")
                index = self.document("app", "1")
                images, statements = self.in_index("app", index)
                self.assertEqual([entry["platform"]["architecture"] for entry in images], ["amd64", "arm64"])
                if form == "referrers":
                    statements = {entry["digest"]: self.attached("app", entry["digest"]) for entry in images}
                self.assertEqual({image: set(said) for image, said in statements.items()}, {entry["digest"]: {SPDX, SLSA} for entry in images})

    def test_a_fleet_s_bake_release_copy_and_rollback_keep_it(self):
        self.write("images/fleet.json", json.dumps({"registry": self.server.address, "namespace": "acme", "tags": ["latest"]}))
        self.write("images/one/image.json", json.dumps({"kind": "service", "profiles": []}))
        self.write("images/one/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.kiln("bake", "--push")
        self.kiln("release", "create", "v1")
        first = self.digest("one:latest")
        said = self.referrers("one", first)
        self.write("images/one/Dockerfile", "FROM scratch\nCOPY Dockerfile /two\n")
        self.kiln("bake", "--push")
        self.assertTrue(self.provenance("one", "latest"))
        self.kiln("rollback", "v1")
        self.assertEqual(self.digest("one:latest"), first)
        self.assertEqual(self.referrers("one", first), said)
        self.kiln("copy", f"{self.base}/one:v1", f"{self.base}/copy:v1")
        self.assertEqual(len(self.referrers("copy", first)), 1)


if __name__ == "__main__":
    harness.main()
