#!/usr/bin/env python3
"""Registries as they are set up in the world, and other people's clients: what kiln pushes they pull, what they push kiln
pulls, with equal digests.

crane and regctl are taken from PATH or ~/.cache/kiln-tests/bin, where `tests/integration/registries_test.py --install-clients`
puts them with Go; without them their tests are skipped by name.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import harness
from tests.support.registry import die_with_parent, free_port
from tests.support.token_server import TokenServer

CANARY = "canary-c41d9e"
CLIENTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kiln-tests/bin"
GO_CLIENTS = ("github.com/google/go-containerregistry/cmd/crane@v0.20.6", "github.com/regclient/regclient/cmd/regctl@v0.9.2")


def install_clients():
    CLIENTS.mkdir(parents=True, exist_ok=True)
    for client in GO_CLIENTS:
        subprocess.run(["go", "install", client], env=dict(os.environ, GOBIN=str(CLIENTS)), check=True)
    print(CLIENTS)


class Case(harness.KilnTest):
    """One image, built but not pushed."""

    def build(self, server, content="first"):
        self.server = server
        self.name = f"{server.address}/acme/app:1"
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /a\nCOPY b /b\nENV COLOUR=blue\n")
        self.write("app/a", content * 3000)
        self.write("app/b", "second")
        self.kiln("build", "-t", self.name, "app")
        self.digest = self.stored_image(self.name).digest

    def kiln(self, *args, **options):
        result = super().kiln(*args, **options)
        self.assertNotIn(CANARY, result.output)
        return result

    def run_program(self, *args, env=None, code=0, **options):
        result = harness.run(args, env={**self.environment(), **(env or {})}, **options)
        if code is not None and result.code != code:
            self.fail(f"expected exit code {code}\n{result}")
        return result

    def whole_path(self):
        """Push, look, copy within, list, and pull into an empty home; returns nothing, or fails."""
        self.assertEqual(json.loads(self.kiln("push", "--json", self.name).stdout)["targets"][0]["digest"], self.digest)
        self.assertEqual(self.kiln("digest", self.name).stdout.strip(), self.digest)
        inside = f"{self.server.address}/acme/copied:2"
        self.kiln("copy", self.name, inside)
        self.assertEqual(self.kiln("digest", inside).stdout.strip(), self.digest)
        self.assertEqual(self.kiln("ls", f"{self.server.address}/acme/copied").stdout.split(), ["2"])
        self.home = self.folder / "other-home"
        self.kiln("pull", inside)
        self.assertEqual(self.stored_image(inside).digest, self.digest)
        self.assert_store_is_sound()

    def login(self, password=CANARY, code=0):
        return self.kiln("login", self.server.address, "-u", "kiln", "--password-stdin", stdin=password, code=code)


class Registries(Case):
    def test_a_plain_registry(self):
        self.build(self.registry())
        self.whole_path()

    def test_a_registry_with_htpasswd(self):
        self.build(self.registry(user=("kiln", CANARY)))
        self.assertIn("401", self.kiln("push", self.name, code=3).stderr)
        self.login("wrong", code=3)
        self.login()
        self.whole_path()
        self.assertEqual(self.pushed_image(self.name, user=("kiln", CANARY)).digest, self.digest)

    def token_server(self, **options):
        self.need_programs("openssl")
        server = TokenServer(self.folder, "kiln", CANARY, **options)
        server.start()
        self.addCleanup(server.stop)
        return server

    def test_a_registry_with_tokens(self):
        tokens = self.token_server()
        self.build(self.registry(token=tokens))
        self.kiln("push", self.name, code=3)
        self.login()
        self.whole_path()
        self.assertIn("repository:acme/app:pull,push", tokens.scopes)
        self.assertEqual(self.pushed_image(self.name, user=("kiln", CANARY)).digest, self.digest)

    def test_tokens_that_expire_at_once(self):
        self.build(self.registry(token=self.token_server(lifetime=1)))
        self.login()
        self.whole_path()

    def test_a_registry_with_its_own_authority(self):
        self.need_programs("openssl")
        key, certificate = self.folder / "tls.key", self.folder / "tls.crt"
        self.run_program("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)
        self.build(self.registry(tls=(certificate, key)))
        self.assertIn("certificate", self.kiln("push", self.name, code=3).stderr)
        folder = self.folder / ".docker/certs.d" / self.server.address
        folder.mkdir(parents=True)
        shutil.copy(certificate, folder / "ca.crt")
        self.whole_path()

    def test_a_registry_of_go_containerregistry(self):
        crane = find_client(self, "crane")
        address = f"127.0.0.1:{free_port()}"
        process = subprocess.Popen([crane, "registry", "serve", "--address", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   preexec_fn=die_with_parent)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        class Server:
            pass

        server = Server()
        server.address = address
        self.build(server)
        deadline = time.monotonic() + 30
        while self.kiln("push", self.name, code=None).code != 0 and time.monotonic() < deadline:
            self.assertIsNone(process.poll(), "the registry ended")
        self.whole_path()


def find_client(test, name):
    path = shutil.which(name) or (str(CLIENTS / name) if (CLIENTS / name).is_file() else None)
    if path is None:
        test.skipTest(f"not installed: {name} (with Go: tests/integration/registries_test.py --install-clients)")
    return path


class Clients(Case):
    """Others pull what kiln pushed, and push it under another name; kiln pulls that."""

    def setUp(self):
        super().setUp()
        self.build(self.registry())
        self.kiln("push", self.name)
        self.theirs = f"{self.server.address}/acme/theirs:1"

    def kiln_pulls(self, digest):
        self.home = self.folder / "other-home"
        self.kiln("pull", self.theirs)
        self.assertEqual(self.stored_image(self.theirs).digest, digest)
        self.assert_store_is_sound()

    def test_skopeo(self):
        self.assertEqual(self.pushed_image(self.name).digest, self.digest)
        self.run_program("skopeo", "--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false",
                         f"docker://{self.name}", f"docker://{self.theirs}")
        self.kiln_pulls(self.digest)

    def test_skopeo_with_dockers_media_types(self):
        self.need_programs("skopeo")
        self.run_program("skopeo", "--insecure-policy", "copy", "--format", "v2s2", "--src-tls-verify=false", "--dest-tls-verify=false",
                         f"docker://{self.name}", f"docker://{self.theirs}")
        digest = json.loads(self.run_program("skopeo", "inspect", "--tls-verify=false", f"docker://{self.theirs}").stdout)["Digest"]
        self.assertNotEqual(digest, self.digest)
        self.assertEqual(self.kiln("digest", self.theirs).stdout.strip(), digest)
        self.home = self.folder / "other-home"
        self.assertIn(digest, self.kiln("pull", self.theirs).stdout)

    def test_umoci(self):
        self.need_programs("umoci", "skopeo")
        layout = self.folder / "layout"
        self.run_program("skopeo", "--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false", f"docker://{self.name}", f"oci:{layout}:1")
        self.run_program("umoci", "unpack", "--rootless", "--image", f"{layout}:1", self.folder / "bundle")
        self.assertEqual((self.folder / "bundle/rootfs/a").read_text(), "first" * 3000)
        self.run_program("umoci", "config", "--image", f"{layout}:1", "--config.label", "by=umoci")
        self.run_program("skopeo", "--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{self.theirs}")
        self.kiln_pulls(self.layout_image(layout, "1").digest)

    def podman(self, *args):
        self.need_root()
        self.need_programs("podman")
        return self.run_program("podman", "--root", self.folder / "podman", "--runroot", self.folder / "podman-run", "--storage-driver", "vfs", *args)

    def test_podman(self):
        self.podman("pull", "--tls-verify=false", self.name)
        self.assertEqual(self.podman("image", "inspect", "--format", "{{.Digest}}", self.name).stdout.strip(), self.digest)
        self.podman("push", "--tls-verify=false", "--digestfile", self.folder / "digest", self.name, self.theirs)
        self.kiln_pulls((self.folder / "digest").read_text().strip())

    def test_docker(self):
        self.need_programs("docker")
        if self.run_program("docker", "version", code=None).code != 0:
            self.skipTest("no docker daemon")
        self.run_program("docker", "pull", self.name)
        self.addCleanup(self.run_program, "docker", "rmi", self.name, code=None)
        digests = json.loads(self.run_program("docker", "image", "inspect", self.name).stdout)[0]["RepoDigests"]
        self.assertIn(f"{self.name.rsplit(':', 1)[0]}@{self.digest}", digests)

    def test_crane(self):
        crane = find_client(self, "crane")
        self.assertEqual(self.run_program(crane, "digest", "--insecure", self.name).stdout.strip(), self.digest)
        self.run_program(crane, "validate", "--insecure", "--remote", self.name)
        self.run_program(crane, "pull", "--insecure", "--format", "oci", self.name, self.folder / "pulled")
        self.assertEqual(self.layout_image(self.folder / "pulled").digest, self.digest)
        self.run_program(crane, "push", "--insecure", self.folder / "pulled", self.theirs)
        self.kiln_pulls(self.digest)

    def test_regctl(self):
        regctl = find_client(self, "regctl")
        self.run_program(regctl, "registry", "set", "--tls", "disabled", self.server.address)
        self.assertEqual(self.run_program(regctl, "image", "digest", self.name).stdout.strip(), self.digest)
        self.run_program(regctl, "image", "copy", self.name, f"ocidir://{self.folder / 'pulled'}:1")
        self.assertEqual(self.layout_image(self.folder / "pulled", "1").digest, self.digest)
        self.run_program(regctl, "image", "copy", f"ocidir://{self.folder / 'pulled'}:1", self.theirs)
        self.kiln_pulls(self.digest)


if __name__ == "__main__":
    if sys.argv[1:] == ["--install-clients"]:
        install_clients()
    else:
        harness.main()
