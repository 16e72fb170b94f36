#!/usr/bin/env python3
"""kiln sign, kiln verify and --sign-key, with cosign itself as the second opinion: keys and signatures of both forms, both ways.

cosign builds from the Go module github.com/sigstore/cosign/v3/cmd/cosign. All of it is offline: keys, no transparency log.
"""

import contextlib
import hashlib
import http.client
import json
import os
import pty
import re
import select
import time

import harness

PASSWORD = "canary-sign-5f21"
DOCKERFILE = "FROM scratch\nCOPY app.txt /\n"
FORMS = ("bundle", "tag")


class SignTest(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.server = self.registry(delete=True)
        self.repository = f"{self.server.address}/acme/app"
        self.write("app/app.txt", "one")
        self.write("app/Dockerfile", DOCKERFILE)
        self.make_keys("key")

    def make_keys(self, name, *algorithm):
        """NAME.pem and NAME.pub, by openssl."""
        self.need_programs("openssl")
        algorithm = algorithm or ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.run_program("openssl", "genpkey", *algorithm, "-out", self.folder / f"{name}.pem")
        self.run_program("openssl", "pkey", "-in", self.folder / f"{name}.pem", "-pubout", "-out", self.folder / f"{name}.pub")

    def push(self, tag="1", *words, **options):
        return self.kiln("build", "-q", "-t", f"{self.repository}:{tag}", "--push", *words, "app", **options)

    def digest(self, tag="1"):
        return self.kiln("digest", f"{self.repository}:{tag}").stdout.strip()

    def tags(self):
        status, _, body = self.server.get("/v2/acme/app/tags/list")
        return set(json.loads(body)["tags"] or []) if status == 200 else set()

    def assert_nowhere(self, secrets, results):
        """None of them is in what kiln printed, its home, or the registry."""
        for secret in secrets:
            for result in results:
                self.assertNotIn(secret, result.output)
            for top in (self.home, self.server.data):
                for path in top.rglob("*"):
                    if path.is_file() and secret.encode() in path.read_bytes():
                        self.fail(f"{secret} is in {path}")

    def verify(self, reference, key="key.pub", **options):
        return self.kiln("verify", reference, "--key", key, **options)


class Signing(SignTest):
    def test_an_image_is_signed_in_both_forms_and_verified(self):
        self.push()
        name = f"{self.repository}:1"
        digest = self.digest()
        signed = self.kiln("sign", name, "--key", "key.pem").stdout
        self.assertRegex(signed, rf"^signed {self.repository}@{digest} as tag and bundle by key sha256:[0-9a-f]{{64}}\n$")
        verified = self.verify(name).stdout
        self.assertRegex(verified, rf"^verified {self.repository}@{digest}: signed by key sha256:[0-9a-f]{{64}} \(bundle and tag\)\n$")
        hex_digits = digest.partition(":")[2]
        self.assertEqual(self.tags(), {"1", f"sha256-{hex_digits}", f"sha256-{hex_digits}.sig"})
        self.assertEqual(self.digest(), digest)
        self.assertEqual(self.kiln("sign", name, "--key", "key.pem").stdout, f"unchanged {self.repository}@{digest}: signed by this key already\n")
        self.pushed_image(name)  # other clients see the image as before

    def test_what_was_found_is_told_where_the_key_did_not_sign(self):
        self.push()
        name = f"{self.repository}:1"
        self.assertRegex(self.verify(name, code=1).stderr, r"has no signature; 'kiln sign .*@sha256:[0-9a-f]{64} --key FILE' makes one")
        self.kiln("sign", name, "--key", "key.pem")
        self.make_keys("other", "-algorithm", "ed25519")
        told = self.verify(name, key="other.pub", code=1).stderr
        self.assertIn("has 2 signatures, none by key sha256:", told)
        self.assertEqual(len(re.findall(r"^ *(?:bundle|tag) sha256:[0-9a-f]{64}: it is not by this key$", told, re.M)), 2)
        document = json.loads(self.kiln("verify", name, "--key", "other.pub", "--json", code=1).stdout)
        self.assertEqual((document["verified"], len(document["signatures"])), (False, 2))
        document = json.loads(self.kiln("verify", name, "--key", "key.pub", "--json").stdout)
        self.assertEqual(document["digest"], self.digest())
        self.assertEqual([(each["format"], each["verified"]) for each in document["signatures"]], [("bundle", True), ("tag", True)])
        self.kiln("sign", name, "--key", "other.pem")
        for key in ("key.pub", "other.pub"):
            self.verify(name, key=key)

    def test_an_image_that_is_put_in_its_place_is_not_signed(self):
        self.push("1", "--sign-key", "key.pem")
        self.verify(f"{self.repository}:1")
        self.write("app/app.txt", "two")
        self.push()
        self.assertIn("has no signature", self.verify(f"{self.repository}:1", code=1).stderr)

    def test_words_that_cannot_be_meant_are_refused(self):
        name = f"{self.repository}:1"
        for words, message in (
                (["sign", name], "'kiln sign' needs the private key; give it with --key FILE"),
                (["sign", "--key", "key.pem"], "'kiln sign' needs the images to sign"),
                (["sign", name, "--key", "none.pem"], "--key is neither the path of a file, nor env://NAME, nor a key in PEM"),
                (["sign", name, "--key", "key.pub"], "the key 'key.pub' holds a public key, expected the private one"),
                (["sign", name, "--key", "env://NO_KEY"], "there is no environment variable 'NO_KEY'"),
                (["sign", name, "--key", "key.pem", "--format", "jws"], "--format 'jws': expected both, bundle or tag"),
                (["sign", name, "--key", "key.pem", "--referrers", "x"], "--referrers 'x': expected auto, api or tag"),
                (["verify", name], "'kiln cache verify' looks after the store of this machine"),
                (["verify", name, "--key", "key.pem"], "the key 'key.pem' holds a private key, expected the public one"),
                (["verify", name, "--key", "app/Dockerfile"], "the key 'app/Dockerfile' is no public key in PEM")):
            with self.subTest(words=words):
                self.assertIn(message, self.kiln(*words, code=2).stderr)
        for words in (["sign", name, "--key", "key.pem"], ["verify", name, "--key", "key.pub"]):
            self.assertIn("the registry has no image", self.kiln(*words, code=3).stderr)
        self.push()
        self.assertIn("has no referrers API", self.kiln("sign", name, "--key", "key.pem", "--format", "bundle", "--referrers", "api", code=3).stderr)

    def test_keys_come_from_the_environment_too(self):
        self.push()
        name = f"{self.repository}:1"
        key, public = (self.folder / "key.pem").read_text(), (self.folder / "key.pub").read_text()
        self.kiln("sign", name, "--key", "env://SIGN", env={"SIGN": key})
        self.kiln("verify", name, "--key", "env://PUBLIC", env={"PUBLIC": public})
        self.kiln("verify", name, "--key", public)


class AtPush(SignTest):
    def test_build_and_push_sign_what_they_push(self):
        self.push("1", "--sign-key", "key.pem")
        self.verify(f"{self.repository}:1")
        self.push("2", env={"KILN_SIGN_KEY": str(self.folder / "key.pem")})
        self.verify(f"{self.repository}:2")
        self.write("app/app.txt", "three")
        self.push("3", "--sign-key", "", env={"KILN_SIGN_KEY": str(self.folder / "key.pem")})
        self.verify(f"{self.repository}:3", code=1)
        self.kiln("build", "-q", "-t", "local:1", "app")
        other = f"{self.server.address}/acme/other"
        pushed = self.kiln("push", "local:1", f"{other}:1", f"{other}:2", "--sign-key", "key.pem").stdout
        self.assertEqual(len(re.findall(rf"^signed {other}@sha256:", pushed, re.M)), 1)
        document = json.loads(self.kiln("push", "local:1", f"{other}:1", "--json", "--sign-key", "key.pem").stdout)
        self.assertEqual(document["signed"], [f"{other}@{document['targets'][0]['digest']}"])
        self.verify(f"{other}:2")

    def test_a_key_stands_nowhere_afterwards(self):
        key = (self.folder / "key.pem").read_text()
        lines = key.splitlines()[1:-1]
        broken = key.replace(lines[0], lines[0][::-1])
        results = [self.push("1", "--sign-key", "env://SIGN", env={"SIGN": key}),
                   self.push("2", env={"KILN_SIGN_KEY": key}),
                   self.kiln("build", "--progress", "plain", "-t", f"{self.repository}:3", "--push", "--sign-key", key, "app"),
                   self.kiln("sign", f"{self.repository}:1", "--key", broken, code=2),
                   self.kiln("sign", f"{self.repository}:1", "--key", "".join(lines), code=2),
                   self.kiln("history", "list", code=None)]
        self.assert_nowhere([*lines, lines[0][::-1]], results)

    def test_a_bake_signs_each_image_and_the_index_of_several_platforms(self):
        self.write("docker-bake.json", json.dumps({
            "group": {"default": {"targets": ["app", "both"]}},
            "target": {"app": {"context": "app", "tags": [f"{self.repository}:1", f"{self.repository}:2"]},
                       "both": {"context": "app", "tags": [f"{self.server.address}/acme/both:1"],
                                "platforms": ["linux/amd64", "linux/arm64"]}}}))
        self.kiln("bake", "--push", "--sign-key", "key.pem")
        for name in (f"{self.repository}:1", f"{self.repository}:2", f"{self.server.address}/acme/both:1"):
            self.verify(name)
        self.assertEqual(len([tag for tag in self.tags() if tag.endswith(".sig")]), 1)

    def test_an_image_that_cannot_be_signed_was_not_delivered(self):
        told = self.push("1", "--sign-key", "app/Dockerfile", code=2).stderr
        self.assertIn("the key 'app/Dockerfile' is no private key in PEM", told)
        self.assertEqual(self.tags(), set())  # it was refused before anything was built

    def test_a_key_that_is_of_no_use_is_told_where_it_is_said(self):
        told = self.kiln("build", "-t", "local:1", "--sign-key", "none.pem", "app").stderr
        self.assertIn("--sign-key does nothing: no image is pushed", told)
        told = self.kiln("build", "-t", "local:1", "app", env={"KILN_SIGN_KEY": "none.pem"}).stderr
        self.assertNotIn("sign", told)

    def test_what_is_pushed_later_is_signed_then(self):
        told = self.kiln("build", "--offline", "-t", f"{self.repository}:1", "--push", "--sign-key", "key.pem", "app").stderr
        self.assertIn("--offline: nothing is signed; 'kiln push --pending --sign-key FILE' signs what it sends", told)
        sent = self.kiln("push", "--pending", "--sign-key", "key.pem").stdout
        self.assertIn(f"signed {self.repository}@sha256:", sent)
        self.verify(f"{self.repository}:1")

    def test_an_index_that_is_put_is_signed(self):
        for platform in ("amd64", "arm64"):
            self.kiln("build", "-q", "--platform", f"linux/{platform}", "-t", f"{self.repository}:{platform}", "--push", "app")
        self.kiln("index", "create", f"{self.repository}:1", f"{self.repository}:amd64", f"{self.repository}:arm64", "--sign-key", "key.pem")
        self.verify(f"{self.repository}:1")
        self.verify(f"{self.repository}:amd64", code=1)


class GoingAlong(SignTest):
    def push_days(self):
        """Images of three days, each signed, of a fleet that keeps two."""
        self.write("fleet/images/fleet.json", json.dumps({
            "registry": self.server.address, "namespace": "acme", "tags": ["{date}"], "profiles": [],
            "retention": {"last": 2, "daily": 0, "weekly": 0, "monthly": 0}}))
        self.write("fleet/images/app/image.json", '{"kind": "base", "profiles": []}')
        self.write("fleet/images/app/Dockerfile", DOCKERFILE)
        self.write("fleet/images/app/app.txt", "")
        for day in ("20261101", "20261102", "20261103"):
            self.write("app/app.txt", day)
            self.push(day, "--sign-key", "key.pem")

    def test_a_prune_takes_signatures_with_their_image_and_no_others(self):
        self.push_days()
        kept = {day: self.digest(day).replace(":", "-") for day in ("20261102", "20261103")}
        told = self.kiln("prune", "--registry", cwd=self.folder / "fleet").stdout
        self.assertIn("4 manifests would be deleted", told)  # the image, both tags of its signatures, the bundle
        self.kiln("prune", "--registry", "--yes", cwd=self.folder / "fleet")
        expected = {name for day, digest in kept.items() for name in (day, digest, f"{digest}.sig")}
        self.assertEqual(self.tags(), expected)
        for day in kept:
            self.assertIn("(bundle and tag)", self.verify(f"{self.repository}:{day}").stdout)
        self.assertIn("nothing to delete", self.kiln("prune", "--registry", cwd=self.folder / "fleet").stdout)

    def test_a_copy_takes_signatures_along_and_leaves_those_that_are_there(self):
        self.make_keys("other")
        self.push("1", "--sign-key", "key.pem")
        copy = f"{self.server.address}/acme/copy:1"
        told = self.kiln("copy", f"{self.repository}:1", copy).stdout
        self.assertIn("copied 2 artifacts with it", told)
        self.assertIn("(bundle and tag)", self.verify(copy).stdout)
        self.kiln("sign", copy, "--key", "other.pem")
        self.assertNotIn("with it", self.kiln("copy", f"{self.repository}:1", copy).stdout)
        for key in ("key.pub", "other.pub"):
            self.assertIn("(bundle and tag)", self.verify(copy, key).stdout)
        # Back: the other key's signatures come beside the first's.
        self.kiln("copy", copy, f"{self.repository}:1")
        for key in ("key.pub", "other.pub"):
            self.assertIn("(bundle and tag)", self.verify(f"{self.repository}:1", key).stdout)
        alone = f"{self.server.address}/acme/alone:1"
        self.kiln("copy", "--only-image", f"{self.repository}:1", alone)
        self.verify(alone, code=1)

    def test_a_copy_of_an_index_takes_along_what_hangs_on_its_platforms(self):
        self.kiln("build", "-q", "--platform", "linux/amd64,linux/arm64", "-t", f"{self.repository}:1", "--push", "--sign-key", "key.pem", "app")
        index = json.loads(self.kiln("inspect", "--raw", f"{self.repository}:1").stdout)
        child = index["manifests"][0]["digest"]
        self.kiln("sign", f"{self.repository}@{child}", "--key", "key.pem")
        copy = f"{self.server.address}/acme/copy"
        self.kiln("copy", f"{self.repository}:1", f"{copy}:1")
        self.verify(f"{copy}:1")
        self.verify(f"{copy}@{child}")
        self.kiln("copy", "--platform", "linux/amd64", f"{self.repository}:1", f"{copy}:amd64")
        self.verify(f"{copy}:amd64")

    def put(self, connection, key, document):
        """Its descriptor."""
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        connection.request("PUT", f"/v2/acme/app/manifests/{key or digest}", body, {"Content-Type": document["mediaType"]})
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.read()), (201, b""))
        return {"mediaType": document["mediaType"], "digest": digest, "size": len(body)}

    def attach(self, connection, subject, number):
        """So many artifacts on a manifest, listed by the fallback tag; their digests."""
        image = json.loads(self.kiln("inspect", "--raw", f"{self.repository}:1").stdout)
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
            self.put(connection, None, {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                        "artifactType": "application/x-note", "config": image["config"],
                                        "layers": image["layers"], "annotations": {"org.example.note": f"{subject} {i}"}})
            for i in range(number)]}
        self.put(connection, subject.replace(":", "-"), index)
        return [entry["digest"] for entry in index["manifests"]]

    def test_more_than_1000_artifacts_of_an_image_are_refused_before_one_is_copied(self):
        self.push()
        with contextlib.closing(http.client.HTTPConnection(self.server.address, timeout=30)) as connection:
            artifacts = self.attach(connection, self.digest(), 1001)
        told = self.kiln("copy", f"{self.repository}:1", f"{self.server.address}/acme/copy:1", code=3).stderr
        self.assertIn(f"more than 1000 artifacts hang on '{self.repository}', which are not copied", told)
        self.assertEqual(self.server.get(f"/v2/acme/copy/manifests/{artifacts[0]}")[0], 404)

    def test_artifacts_are_taken_along_4_deep(self):
        self.push()
        chain = [self.digest()]
        with contextlib.closing(http.client.HTTPConnection(self.server.address, timeout=30)) as connection:
            for _ in range(5):
                chain += self.attach(connection, chain[-1], 1)
        told = self.kiln("copy", f"{self.repository}:1", f"{self.server.address}/acme/copy:1").stdout
        self.assertIn("copied 4 artifacts with it", told)
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        found = [self.server.get(f"/v2/acme/copy/manifests/{digest}", accept)[0] for digest in chain]
        self.assertEqual(found, [200] * 5 + [404])


class Releases(SignTest):
    def test_a_release_signs_its_record_and_verifies_it(self):
        self.write("fleet/images/fleet.json", json.dumps({"registry": self.server.address, "namespace": "acme", "tags": ["latest"], "profiles": []}))
        self.write("fleet/images/app/image.json", '{"kind": "base", "profiles": []}')
        self.write("fleet/images/app/Dockerfile", DOCKERFILE)
        self.write("fleet/images/app/app.txt", "1")
        place = {"cwd": self.folder / "fleet"}
        key, public = self.folder / "key.pem", self.folder / "key.pub"
        self.kiln("bake", "--push", **place)
        self.kiln("release", "create", "v1", **place)
        self.assertIn("not signed", self.kiln("release", "verify", "v1", "--key", public, code=1, **place).stdout)
        self.assertIn("signed by key sha256:", self.kiln("release", "create", "v1", "--sign-key", key, **place).stdout)
        self.assertIn("verified ", self.kiln("release", "verify", "v1", "--key", public, **place).stdout)
        self.verify(f"{self.server.address}/acme/releases:v1")
        self.make_keys("other")
        document = json.loads(self.kiln("release", "verify", "v1", "--key", self.folder / "other.pub", "--json", code=1, **place).stdout)
        self.assertEqual((document["whole"], document["signed"]), (True, False))
        self.assertEqual(len(json.loads(self.kiln("release", "list", "--json", **place).stdout)), 1)

    def test_a_rollback_with_a_key_moves_no_tag_to_what_the_key_did_not_sign(self):
        self.write("fleet/images/fleet.json", json.dumps({"registry": self.server.address, "namespace": "acme", "tags": ["latest"], "profiles": []}))
        self.write("fleet/images/app/image.json", '{"kind": "base", "profiles": []}')
        self.write("fleet/images/app/Dockerfile", DOCKERFILE)
        place = {"cwd": self.folder / "fleet"}
        key, public = self.folder / "key.pem", self.folder / "key.pub"

        def bake(text, *words):
            self.write("fleet/images/app/app.txt", text)
            self.kiln("bake", "--push", *words, **place)
            return self.digest("latest")

        def release_of(text, name, *words):
            digest = bake(text)
            self.kiln("release", "create", name, *words, **place)
            return digest

        bare = release_of("1", "bare")
        recorded = release_of("2", "recorded", "--sign-key", key)
        now = bake("3")
        refused = self.kiln("rollback", "bare", "--key", public, code=1, **place).stderr
        self.assertIn("no tag was moved: of 2 digests 2 are not signed by key sha256:", refused)
        self.assertIn(f"{self.repository}@{bare}: no signature", refused)
        # The signature of the record is not one of the image, which a tag of its own name could reach.
        refused = self.kiln("rollback", "recorded", code=1, env={"KILN_VERIFY_KEY": public}, **place).stderr
        self.assertIn("of 2 digests one is not signed by key sha256:", refused)
        self.assertIn(f"{self.repository}@{recorded}: no signature", refused)
        self.assertEqual(self.digest("latest"), now)
        self.kiln("sign", f"{self.repository}@{recorded}", "--key", key)
        self.make_keys("other")
        self.assertIn("are not signed by key", self.kiln("rollback", "recorded", "--key", self.folder / "other.pub", code=1, **place).stderr)
        self.kiln("rollback", "recorded", env={"KILN_VERIFY_KEY": public}, **place)
        self.assertEqual(self.digest("latest"), recorded)
        self.kiln("rollback", "bare", "--key", "", env={"KILN_VERIFY_KEY": public}, **place)
        self.assertEqual(self.digest("latest"), bare)


class WithCosign(SignTest):
    def setUp(self):
        super().setUp()
        self.need_programs("cosign")
        self.password = {"COSIGN_PASSWORD": PASSWORD}
        self.run_cosign("generate-key-pair")

    def run_cosign(self, *words, code=0):
        environment = self.environment(**self.password)
        result = harness.run(["cosign", *words], env=environment, cwd=self.folder, timeout=180)
        self.assertEqual(result.code == 0, code == 0, result)
        return result

    def cosign_verify(self, name, key="cosign.pub", code=0):
        return self.run_cosign("verify", "--key", key, "--insecure-ignore-tlog", "--allow-insecure-registry", name, code=code)

    def cosign_sign(self, name, key, form):
        if form == "tag":
            how = ["--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"]
        else:
            # No service of a log or of times.
            self.run_cosign("signing-config", "create", "--out", "services.json")
            how = ["--signing-config", "services.json"]
        self.run_cosign("sign", "--key", key, *how, "--allow-insecure-registry", "-y", name)

    def test_what_kiln_signs_cosign_verifies(self):
        self.make_keys("ed", "-algorithm", "ed25519")
        for private, public in (("cosign.key", "cosign.pub"), ("key.pem", "key.pub"), ("ed.pem", "ed.pub")):
            for form in FORMS:
                with self.subTest(key=private, form=form):
                    tag = f"{private.partition('.')[0]}-{form}"
                    self.write("app/app.txt", tag)
                    self.push(tag)
                    name = f"{self.repository}:{tag}"
                    self.cosign_verify(name, public, code=1)
                    self.kiln("sign", name, "--key", private, "--format", form, env=self.password)
                    self.assertIn(self.digest(tag), self.cosign_verify(name, public).stdout)
        self.cosign_verify(f"{self.repository}:key-bundle", "cosign.pub", code=1)

    def test_what_cosign_signs_kiln_verifies(self):
        self.make_keys("ed", "-algorithm", "ed25519")
        self.run_cosign("import-key-pair", "--key", "ed.pem", "--output-key-prefix", "imported")
        for private, public in (("cosign.key", "cosign.pub"), ("imported.key", "ed.pub")):
            for form in FORMS:
                with self.subTest(key=private, form=form):
                    tag = f"{private.partition('.')[0]}-{form}"
                    self.write("app/app.txt", tag)
                    self.push(tag)
                    name = f"{self.repository}@{self.digest(tag)}"
                    self.cosign_sign(name, private, form)
                    self.assertIn(f"({form})", self.verify(name, public).stdout)
                    self.verify(name, "key.pub", code=1)

    def test_signatures_of_both_programs_stand_beside_one_another(self):
        self.push("1", "--sign-key", "key.pem")
        name = f"{self.repository}@{self.digest()}"
        for form in FORMS:
            self.cosign_sign(name, "cosign.key", form)
        for key in ("key.pub", "cosign.pub"):
            self.cosign_verify(name, key)
            self.assertIn("(bundle and tag)", self.verify(name, key).stdout)
        self.make_keys("third")
        self.kiln("sign", name, "--key", "third.pem")
        for key in ("key.pub", "cosign.pub", "third.pub"):
            self.cosign_verify(name, key)
            self.verify(name, key)

    def test_a_key_with_a_password_opens_by_the_environment_and_by_the_terminal(self):
        self.push()
        name = f"{self.repository}:1"
        told = self.kiln("sign", name, "--key", "cosign.key", code=2).stderr
        self.assertIn("is encrypted and there is no terminal to ask for its password on; set COSIGN_PASSWORD", told)
        told = self.kiln("sign", name, "--key", "cosign.key", code=2, env={"COSIGN_PASSWORD": "hunter-two"}).stderr
        self.assertIn("the password does not open the key 'cosign.key'", told)
        self.assertNotIn("hunter-two", told)
        shown, code = self.sign_on_a_terminal(name)
        self.assertEqual(code, 0, shown)
        self.assertIn("Password of the key 'cosign.key': ", shown)
        self.assertNotIn(PASSWORD, shown)
        self.verify(name, "cosign.pub")
        results = [self.push("2", "--sign-key", "cosign.key", env=self.password),
                   self.kiln("sign", name, "--key", "cosign.key", env={"COSIGN_PASSWORD": PASSWORD + "x"}, code=2)]
        self.assert_nowhere([PASSWORD], results)

    def sign_on_a_terminal(self, name):
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve(harness.kiln_binary(), ["kiln", "sign", name, "--key", "cosign.key"], self.environment())
        shown = b""
        answered = False
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
            if not answered and b"Password of" in shown:
                answered = True
                os.write(terminal, PASSWORD.encode() + b"\n")
        _, status = os.waitpid(child, 0)
        os.close(terminal)
        return shown.decode(), os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    harness.main()
