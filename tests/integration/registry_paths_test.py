#!/usr/bin/env python3
"""The ways to a registry: client certificates, proxies, mirrors and blocked registries, and that a password goes nowhere else."""

import base64
import http.server
import json
import threading

import harness
from tests.support.forward_proxy import ForwardProxy
from tests.support.tls_front import TlsFront, make_authority, make_certificate

CANARY = "canary-8be0f3"
SECRETS = (CANARY, base64.b64encode(f"kiln:{CANARY}".encode()).decode())


class Listener:
    """Another host: answers everything with `status` and remembers what it was sent."""

    def __init__(self, status):
        self.heads = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self):
                owner.heads.append(f"{self.command} {self.path}\n{self.headers}")
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_HEAD = do_POST = do_PUT = _answer

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Paths(harness.KilnTest):
    def kiln(self, *args, **options):
        result = super().kiln(*args, **options)
        for secret in SECRETS:
            self.assertNotIn(secret, result.output)
        return result

    def assert_no_secret_in(self, heads):
        for secret in SECRETS:
            self.assertNotIn(secret, "\n".join(heads))

    def environment(self, **changes):
        env = super().environment(**changes)
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            if name.upper() not in changes:
                env.pop(name.upper(), None)
            env.pop(name, None)
        return env

    def listener(self, status):
        server = Listener(status)
        self.addCleanup(server.stop)
        return server

    def build(self, *names, content="first"):
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /a\n")
        self.write("app/a", content * 3000)
        self.kiln("build", *(word for name in names for word in ("-t", name)), "app")
        return self.stored_image(names[0]).digest

    def registries_conf(self, text):
        self.write(".config/containers/registries.conf", text)

    def certificates(self, authority):
        return self.folder / ".docker/certs.d" / authority

    def login(self, address, **options):
        self.kiln("login", address, "-u", "kiln", "--password-stdin", stdin=CANARY, **options)

    def pull_elsewhere(self, name, **options):
        self.home = self.folder / f"home-{len(list(self.folder.iterdir()))}"
        return self.kiln("pull", name, **options)


class ClientCertificates(Paths):
    def setUp(self):
        super().setUp()
        self.need_programs("openssl")
        self.authority = make_authority(self.folder, "authority")
        server = make_certificate(self.folder, "server", self.authority, "IP:127.0.0.1")
        self.front = TlsFront(self.registry(relative=True).address, server, clients=self.authority[0])
        self.front.start()
        self.addCleanup(self.front.stop)
        self.name = f"{self.front.address}/acme/app:1"
        self.digest = self.build(self.name)

    def trust(self, client=None):
        folder = self.certificates(self.front.address)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.crt").write_bytes(self.authority[0].read_bytes())
        if client:
            (folder / "client.cert").write_bytes(client[0].read_bytes())
            (folder / "client.key").write_bytes(client[1].read_bytes())

    def test_a_certificate_lets_in(self):
        self.trust(make_certificate(self.folder, "me", self.authority))
        self.kiln("push", self.name)
        self.assertEqual(self.kiln("digest", self.name).stdout.strip(), self.digest)
        self.pull_elsewhere(self.name)
        self.assertEqual(self.stored_image(self.name).digest, self.digest)
        self.assertGreater(self.front.let_in, 0)

    def test_without_one_or_with_a_foreign_one_there_is_no_way_in(self):
        self.trust()
        self.kiln("push", self.name, code=3)
        self.trust(make_certificate(self.folder, "stranger", make_authority(self.folder, "foreign")))
        self.kiln("push", self.name, code=3)
        self.assertEqual(self.front.let_in, 0)

    def test_a_certificate_without_its_key_is_told(self):
        self.trust(make_certificate(self.folder, "me", self.authority))
        (self.certificates(self.front.address) / "client.key").unlink()
        self.assertIn("client.key", self.kiln("push", self.name, code=4).stderr)


class Proxies(Paths):
    """The registry's name is known to the proxy alone: what arrives came through it."""

    HOST = "registry.acme.test"

    def proxy(self, **hosts):
        proxy = ForwardProxy({f"{self.HOST}:{port[1:]}": address for port, address in hosts.items()})
        proxy.start()
        self.addCleanup(proxy.stop)
        return proxy

    def test_plain_http_goes_through_the_proxy(self):
        server = self.registry(user=("kiln", CANARY))
        proxy = self.proxy(_5000=server.address)
        self.registries_conf(f'[[registry]]\nlocation = "{self.HOST}:5000"\ninsecure = true\n')
        name = f"{self.HOST}:5000/acme/app:1"
        digest = self.build(name)
        proxies = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}
        self.login(f"{self.HOST}:5000", env=proxies)
        self.kiln("push", name, env=proxies)
        self.assertEqual(self.kiln("digest", name, env=proxies).stdout.strip(), digest)
        self.pull_elsewhere(name, env=proxies)
        self.assertEqual(self.stored_image(name).digest, digest)
        self.assertIn(f"PUT http://{self.HOST}:5000/v2/acme/app/manifests/1", proxy.plain)

    def test_https_goes_through_a_tunnel_that_sees_nothing(self):
        self.need_programs("openssl")
        authority = make_authority(self.folder, "authority")
        certificate = make_certificate(self.folder, "server", authority, f"DNS:{self.HOST}")
        front = TlsFront(self.registry(user=("kiln", CANARY), relative=True).address, certificate)
        front.start()
        self.addCleanup(front.stop)
        proxy = self.proxy(_443=front.address)
        folder = self.certificates(self.HOST)
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(authority[0].read_bytes())
        name = f"{self.HOST}/acme/app:1"
        digest = self.build(name)
        proxies = {"HTTPS_PROXY": proxy.url}
        self.login(self.HOST, env=proxies)
        self.kiln("push", name, env=proxies)
        self.pull_elsewhere(name, env=proxies)
        self.assertEqual(self.stored_image(name).digest, digest)
        self.assertIn(f"{self.HOST}:443", proxy.tunnels)
        self.assertEqual(proxy.plain, [])
        self.assert_no_secret_in(proxy.heads)

    def test_loopback_and_what_no_proxy_names_are_asked_directly(self):
        server = self.registry()
        proxy = self.proxy(_5000=server.address)
        proxies = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}
        name = f"{server.address}/acme/app:1"
        self.build(name)
        self.kiln("push", name, env=proxies)
        self.registries_conf(f'[[registry]]\nlocation = "{self.HOST}:5000"\ninsecure = true\n')
        for rule in (self.HOST, "acme.test", ".test", f"{self.HOST}:5000", "*"):
            self.kiln("digest", f"{self.HOST}:5000/acme/app:1", env={**proxies, "NO_PROXY": rule}, code=3, timeout=300)
        self.assertEqual(proxy.plain + proxy.tunnels, [])
        self.kiln("digest", f"{self.HOST}:5000/acme/app:1", env={**proxies, "NO_PROXY": f"{self.HOST}:6000,other.test"})
        self.assertNotEqual(proxy.plain, [])


class Mirrors(Paths):
    def mirror_of_docker_io(self):
        """A registry that has acme/app:1 as docker.io would call it; (registry, digest)."""
        server = self.registry()
        name = f"{server.address}/acme/app:1"
        digest = self.build(name)
        self.kiln("push", name)
        return server, digest

    def test_a_mirror_is_asked_instead_of_docker_io(self):
        server, digest = self.mirror_of_docker_io()
        self.registries_conf(f'[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "{server.address}"\n')
        self.pull_elsewhere("acme/app:1")
        self.assertEqual(self.stored_image("docker.io/acme/app:1").digest, digest)

    def test_a_mirror_that_is_down_or_refuses_gives_way_to_the_next(self):
        server, digest = self.mirror_of_docker_io()
        down = self.registry()
        address = down.address
        down.stop()
        refusing = self.listener(403)
        self.registries_conf(f'[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n'
                             + "".join(f'[[registry.mirror]]\nlocation = "{place}"\n' for place in (address, refusing.address, server.address)))
        self.write(".docker/config.json", json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": SECRETS[1]}}}))
        self.pull_elsewhere("acme/app:1", timeout=300)
        self.assertEqual(self.stored_image("docker.io/acme/app:1").digest, digest)
        self.assertNotEqual(refusing.heads, [])
        self.assert_no_secret_in(refusing.heads)

    def test_a_prefix_leads_elsewhere_for_pull_and_push(self):
        server, digest = self.mirror_of_docker_io()
        self.registries_conf(f'[[registry]]\nprefix = "registry.acme.test/products"\nlocation = "{server.address}/acme"\n')
        self.pull_elsewhere("registry.acme.test/products/app:1")
        self.assertEqual(self.stored_image("registry.acme.test/products/app:1").digest, digest)
        new = self.build("registry.acme.test/products/app:2", content="second")
        self.kiln("push", "registry.acme.test/products/app:2")
        self.assertEqual(self.pushed_image(f"{server.address}/acme/app:2").digest, new)

    def test_a_blocked_registry_is_never_asked(self):
        other = self.listener(200)
        self.registries_conf(f'[[registry]]\nlocation = "{other.address}"\nblocked = true\n')
        name = f"{other.address}/acme/app:1"
        self.build(name)
        for words in (("push", name), ("pull", name), ("digest", name), ("ls", f"{other.address}/acme/app"), ("copy", name, f"{other.address}/acme/b:1")):
            self.assertIn("blocked by registries.conf", self.kiln(*words, code=3).stderr)
        self.assertEqual(other.heads, [])


class Passwords(Paths):
    def test_a_password_is_for_its_own_registry_alone(self):
        mine = self.registry(user=("kiln", CANARY))
        other = self.listener(401)
        name = f"{mine.address}/acme/app:1"
        foreign = f"{other.address}/acme/app:1"
        self.build(name, foreign)
        self.login(mine.address)
        self.kiln("push", name)
        for words in (("push", foreign), ("pull", foreign), ("digest", foreign), ("copy", name, foreign)):
            self.kiln(*words, code=3)
        self.assertNotEqual(other.heads, [])
        self.assert_no_secret_in(other.heads)


if __name__ == "__main__":
    harness.main()
