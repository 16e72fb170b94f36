#!/usr/bin/env python3
"""Secrets of every kind stand nowhere afterwards: not in the store, an image, a cache, a report, a core file or a word that kiln prints.

The rows of the table "Where secrets are not" in docs/security.md."""

import base64
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import harness
from credentials_test import HELPER
from tests.support.canaries import Canaries, check_the_search
from tests.support.forward_proxy import ForwardProxy
from tests.support.http_cache import BazelRemote
from tests.support.plain_user import AsNobody, words_for_nobody
from tests.support.registry import die_with_parent
from tests.support.token_server import TokenServer
from tests.support.web_server import GIT_BACKEND, WebServer

PROGRESS = ("plain", "verbose", "rawjson", "quiet")


class CanaryTest(harness.KilnTest):
    """What the user wrote down is in self.given, where kiln's HOME is too, and is not searched. All else below self.folder is."""

    KINDS = ()
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.need_root()
        self.need_containers()
        self.need_programs("busybox", "zstd")
        self.canaries = Canaries(*self.KINDS)
        self.printed = []
        self.given = self.folder / "given"
        (self.folder / "tmp").mkdir()
        shutil.copy(shutil.which("busybox"), self.write("given/app/busybox"))
        self.run_program("chmod", "755", self.given / "app/busybox")

    def environment(self, **changes):
        return super().environment(HOME=self.given, TMPDIR=self.folder / "tmp", **changes)

    def told(self, *words, code=0, **options):
        result = self.kiln(*words, code=code, **options)
        self.printed.append(result)
        return result

    def told_on_a_terminal(self, *words, env):
        """The same with --progress tty, which a terminal alone gets."""
        master, slave = pty.openpty()
        args = [harness.kiln_binary(), *map(str, words), "--progress", "tty"]
        process = subprocess.Popen(args, env=self.environment(**env, TERM="xterm"), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                                   preexec_fn=die_with_parent)
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 1 << 16):
                shown += piece
        except OSError:
            pass  # the terminal was closed
        os.close(master)
        self.printed.append(harness.Result(args, process.wait(60), shown.decode(errors="replace"), ""))
        return self.printed[-1]

    def tell_all(self, name=None, **options):
        """Every command that tells of a build that was."""
        asked = [["why"], ["why", "--format", "json"], ["report"], ["report", "--format", "markdown"], ["report", "--format", "html", "-o", "page.html"],
                 ["report", "--format", "json"], ["cache", "du", "--verbose"], ["cache", "verify"], ["images"], ["doctor"]]
        if name:
            asked += [["history", name], ["inspect", name], ["sbom", name], ["layers", name], ["ls", name.rsplit(":", 1)[0], "--all"], ["digest", name]]
        for words in asked:
            self.told(*words, code=None, **options)

    def serve(self, **options):
        web = WebServer(**options).start()
        self.addCleanup(web.stop)
        return web

    def repository(self, name, files):
        """A repository that WebServer(self.served) serves as NAME.git."""
        self.need_programs("git")
        if not GIT_BACKEND.is_file():
            self.skipTest(f"there is no '{GIT_BACKEND}'")
        path = self.given / "repositories" / name
        for file, text in files.items():
            self.write(path / file, text)
        git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        for words in (["init", "-q", "-b", "main", path], ["-C", path, "add", "-A"], ["-C", path, "commit", "-qm", "first"]):
            self.run_program(*git, *words)
        served = self.given / "served"
        served.mkdir(exist_ok=True)
        (served / f"{name}.git").symlink_to(path / ".git")
        return served

    def basic(self, user, kind):
        return "Basic " + base64.b64encode(f"{user}:{self.canaries[kind]}".encode()).decode()

    def assert_nowhere(self, *further_folders, further_bytes=(), may_stand=lambda path, kinds: set()):
        """`may_stand`: of the kinds found in a file or the output of a command, those that the Dockerfile put there."""
        pieces = [(" ".join(map(str, result.args)), (result.stdout + result.stderr).encode()) for result in self.printed]
        pieces += [("what was sent", data) for data in further_bytes]
        for folder in (self.folder, *further_folders):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink() and not path.is_relative_to(self.given):
                    pieces.append((str(path), str(path).encode() + b"\n" + path.read_bytes()))
        self.assertGreater(len(pieces), 30)
        found = {}
        for name, data in pieces:
            kinds = self.canaries.found_in(data) - may_stand(name, data)
            if kinds:
                found[name] = sorted(kinds)
        self.assertEqual(found, {})


class OfBuilds(CanaryTest):
    """What a build is given: secrets, build args, tokens, headers and passwords of what it fetches, of proxies, of collectors of traces."""

    KINDS = ("mounted", "variable", "argument", "url", "git url", "http token", "http header", "git token", "git header", "proxy", "proxy argument", "collector",
             "registry", "signing")

    def setUp(self):
        super().setUp()
        self.registry_server = self.registry(user=("kiln", self.canaries["registry"]))
        self.name = f"{self.registry_server.address}/acme/app:1"
        served = self.repository("source", {"file": "content"})
        self.web, self.other = self.serve(repositories=served), self.serve(repositories=served)
        content = (200, {}, b"content")
        for web, pages in ((self.web, {"/token-file": "Bearer " + self.canaries["http token"], "/header-file": "Token " + self.canaries["http header"],
                                       "/token/": self.basic("x-access-token", "git token").replace("Basic", "basic"), "/header/": "Token " + self.canaries["git header"]}),
                           (self.other, {"/url-file": self.basic("ada", "url"), "/source.git": self.basic("ada", "git url")})):
            web.pages.update({page: content for page in pages if page.endswith("-file")})
            web.protected.update(pages)
        for name in ("token", "header"):
            (served / name).mkdir()
            (served / name / "source.git").symlink_to(self.given / "repositories/source/.git")
        self.web.pages["/plain-file"] = content
        self.collector = self.serve()
        self.collector.pages["/v1/traces"] = (200, {}, b"{}")
        self.proxy = ForwardProxy({"pages.acme.test:80": self.web.address})
        self.proxy.start()
        self.addCleanup(self.proxy.stop)
        self.write("given/mounted", self.canaries["mounted"])
        self.write("given/http-header", "Token " + self.canaries["http header"])
        self.write("given/git-header", "Token " + self.canaries["git header"])

    def callers(self):
        proxy = f"http://user:{self.canaries.in_url('proxy')}@{self.proxy.url.removeprefix('http://')}"
        return {"VARIABLE": self.canaries["variable"], "HTTP_TOKEN": self.canaries["http token"], "GIT_TOKEN": self.canaries["git token"],
                "http_proxy": proxy, "HTTP_PROXY": proxy, "https_proxy": proxy, "HTTPS_PROXY": proxy, "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost",
                "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url,
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20" + self.canaries.in_url("collector"), "COSIGN_PASSWORD": self.canaries["signing"]}

    def words(self):
        """Of --secret and --build-arg."""
        web, local = self.web.address, f"localhost:{self.web.port}"
        secrets = ("id=mounted,src=given/mounted", "id=variable,env=VARIABLE", f"id=HTTP_AUTH_TOKEN_{web},env=HTTP_TOKEN", f"id=HTTP_AUTH_HEADER_{local},src=given/http-header",
                   f"id=GIT_AUTH_TOKEN.{web},env=GIT_TOKEN", f"id=GIT_AUTH_HEADER.{local},src=given/git-header")
        proxy = f"http://user:{self.canaries.in_url('proxy argument')}@proxy.invalid:3128"
        return [*(word for secret in secrets for word in ("--secret", secret)), "--build-arg", "API_TOKEN=" + self.canaries["argument"],
                "--build-arg", "HTTP_PROXY=" + proxy, "--build-arg", "https_proxy=" + proxy]

    def dockerfile(self, last="true"):
        web, local = self.web.url, f"http://localhost:{self.web.port}"
        self.write("given/app/Dockerfile", f"""
            FROM scratch
            ARG API_TOKEN=none
            COPY busybox /bin/sh
            ADD http://ada:{self.canaries.in_url('url')}@{self.other.address}/url-file /files/
            ADD http://ada:{self.canaries.in_url('git url')}@{self.other.address}/source.git /git/url/
            ADD --keep-git-dir=true http://ada:{self.canaries.in_url('git url')}@{self.other.address}/source.git /git/kept/
            ADD {web}/token-file {local}/header-file http://pages.acme.test/plain-file /files/
            ADD --keep-git-dir=true {web}/token/source.git /git/token/
            ADD --keep-git-dir=true {local}/header/source.git /git/header/
            ADD http://pages.acme.test/source.git /git/proxied/
            RUN --mount=type=secret,id=mounted --mount=type=secret,id=variable,env=VALUE \\
                read -r secret < /run/secrets/mounted; test -n "$secret" && test -n "$VALUE" && test -n "$HTTP_PROXY" && test -n "$API_TOKEN" && {last}
        """)

    def may_stand(self, name, data):
        """docker's history names the arguments of a RUN, and lint warns of this one. Archives hold the config as it is in out/."""
        is_config = name.endswith(("out.tar", "docker.tar")) or b'\n{"architecture"' in data or " history " in name or " inspect " in name
        return {"argument"} if is_config else set()

    def build(self, *words, code=0):
        return self.told("build", *words, *self.words(), "given/app", env=self.callers(), code=code)

    def test_after_builds_and_pushes(self):
        self.told("login", self.registry_server.address, "-u", "kiln", "--password-stdin", stdin=self.canaries["registry"])
        self.run_program("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.given / "sign.pem")
        self.dockerfile()
        repository = self.name.rsplit(":", 1)[0]
        caches = ("type=local,DIR=local-cache", f"type=registry,ref={repository}-cache")
        with BazelRemote() as http:
            shared = [word for cache in (*caches, f"type=http,url={http.url}") for word in
                      ("--cache-to", cache.replace("DIR", "dest") + ",mode=max", "--cache-from", cache.replace("DIR", "src"))]
            for number in range(2):
                built = self.build("-t", self.name, "--push", "--sbom=true", "--provenance=mode=max", "--attest-as=index", "--report", "report.json", "--metadata-file",
                                   "metadata.json", "--trace", f"trace-{number}.json", "--sign-key", "given/sign.pem", *shared)
            self.build("--no-cache", "-o", "type=oci,dest=out.tar", "-o", "type=oci,tar=false,dest=out", "-o", "type=local,dest=files", "-o", "type=docker,dest=docker.tar")
            self.build("--no-cache", "--network=recorded", "-o", "type=cacheonly")
            in_http_cache = [*http.blobs.values(), *http.actions.values()]
        self.assertGreater(len(in_http_cache), 4)
        self.assertIn('SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")', built.stderr)
        self.assertTrue(any("pages.acme.test/plain-file" in line for line in self.proxy.plain), self.proxy.plain)
        self.assertTrue(any("pages.acme.test/source.git" in line for line in self.proxy.plain), self.proxy.plain)
        self.assertGreater(len(self.collector.bodies), 2)
        for progress in PROGRESS:
            self.build("--progress", progress, "-o", "type=cacheonly")
        self.assertEqual(self.told_on_a_terminal("build", "--no-cache", "-o", "type=cacheonly", *self.words(), "given/app", env=self.callers()).code, 0)
        for words in (["plan", "--format", "json"], ["push", self.name], ["pull", self.name], ["copy", self.name, self.name + "-copy"], ["verify", self.name, "--key", "none"],
                      ["check", "--build-arg", "API_TOKEN=" + self.canaries["argument"], "given/app"],
                      ["build", "--print-ignored", "given/app"]):
            self.told(*words, env=self.callers(), code=None)
        self.tell_all(self.name, env=self.callers())
        self.assert_nowhere(self.registry_server.data, further_bytes=[*in_http_cache, *self.collector.bodies], may_stand=self.may_stand)

    def test_after_failures(self):
        """Of a RUN, of each thing that is fetched, of the proxy, of the collector, and of an interrupted build."""
        self.dockerfile(last="exit 3")
        for progress in PROGRESS:
            self.build("--progress", progress, "--trace", f"trace-{progress}.json", "--report", f"report-{progress}.json", code=1)
            self.tell_all()
        self.assertEqual(self.told_on_a_terminal("build", *self.words(), "given/app", env=self.callers()).code, 1)
        self.dockerfile()
        for server, page in ((self.web, "/token-file"), (self.web, "/header-file"), (self.web, "/token/"), (self.web, "/header/"), (self.other, "/url-file"), (self.other, "/source.git")):
            wanted = server.protected[page]
            server.protected[page] = "another"
            with self.subTest(page):
                self.build("--no-cache", "--progress", "plain", "--trace", "trace.json", code=3)
                self.tell_all()
            server.protected[page] = wanted
        self.collector.pages.clear()
        self.proxy.hosts.clear()
        self.build("--no-cache", "--progress", "plain", code=3)
        secret = self.canaries.in_url("proxy")
        for proxy in (f"http://user:{secret}@127.0.0.1:1", f"user:{secret}@127.0.0.1:1", f"http://user:{secret}@proxy.invalid:99999", f"user:{secret}@proxy.invalid:99999",
                      f"user:{secret}@proxy.invalid:x", f"gopher://user:{secret}@proxy.invalid:1", f"https://user:{secret}@127.0.0.1:1", f"socks5://user:{secret}@127.0.0.1:1",
                      f"http://user:{secret}@[::1", f"user:{secret}", f"http:/user:{secret}@proxy.invalid", f"http://user:1/{secret}@proxy.invalid",
                      f"http://user:1#{secret}@proxy.invalid:1", f"http://user:1?{self.canaries['proxy']}@proxy.invalid:1"):
            callers = self.callers() | {name: proxy for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")}
            self.told("build", "--no-cache", "--progress", "plain", "--trace", "trace.json", *self.words(), "given/app", env=callers, code=3)
            self.told("pull", "pages.acme.test/acme/app:1", env=callers, code=3)
            self.told("build", "--progress", "plain", "http://pages.acme.test/source.git", env=callers, code=3)
            self.tell_all()
        self.assert_nowhere(may_stand=self.may_stand)


    def test_what_the_dockerfile_puts_into_an_image_lint_says(self):
        self.write("given/app/Dockerfile", f"""
            FROM scratch
            ARG API_TOKEN
            ARG HTTP_PROXY
            ENV INDEX=http://ada:{self.canaries.in_url('url')}@pages.acme.test/
            COPY busybox /bin/sh
            RUN true
        """)
        said = self.build("--progress", "plain", "-o", "type=oci,tar=false,dest=out").stderr
        for finding in ('SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")',
                        'PasswordInUrl: The image will hold a URL with a user or password (ARG "HTTP_PROXY")',
                        'PasswordInUrl: The image will hold a URL with a user or password (ENV "INDEX")'):
            self.assertIn(finding, said)
        configs = [path for path in (self.folder / "out/blobs/sha256").iterdir() if path.read_bytes().startswith(b'{"architecture"')]
        self.assertEqual([self.canaries.found_in(path.read_bytes()) for path in configs], [{"argument", "proxy argument", "url"}])
        self.tell_all()
        self.assert_nowhere(may_stand=lambda name, data: {"argument", "proxy argument", "url"} if b'\n{"architecture"' in data else set())


class OfRegistries(CanaryTest):
    """Passwords of logins, of credential helpers, identity tokens, tokens that a token server gave, and what an http cache is asked with."""

    KINDS = ("login", "helper", "identity", "token", "cache")

    def setUp(self):
        super().setUp()
        self.write("given/app/Dockerfile", "FROM scratch\nCOPY busybox /bin/sh\nRUN true\n")

    def push_and_tell(self, name, code=0, env=None, caches=()):
        shared = [word for cache in caches for word in ("--cache-to", cache + ",mode=max", "--cache-from", cache)]
        for progress in PROGRESS:
            self.told("build", "--progress", progress, "-t", name, "--push", "--sbom=true", "--provenance=mode=max", "--trace", f"trace-{progress}.json", *shared, "given/app",
                      code=code, env=env or {})
        for command in ("push", "pull"):
            self.told(command, name, code=None if code else 0, env=env or {})
        self.tell_all(name, env=env or {})

    def test_of_a_login_and_of_an_http_cache(self):
        server = self.registry(user=("kiln", self.canaries["login"]))
        with BazelRemote() as http:
            for address, kind in ((server.address, "login"), (http.address, "cache")):
                # A login at a cache is not looked at by its server: it speaks no registry's protocol.
                self.told("login", address, "-u", "kiln", "--password-stdin", stdin=self.canaries[kind], code=0 if kind == "login" else None)
            config = json.loads((self.given / ".docker/config.json").read_text())
            config["auths"][http.address] = {"auth": self.basic("kiln", "cache").removeprefix("Basic ")}
            self.write("given/.docker/config.json", json.dumps(config))
            caches = (f"type=http,url={http.url}", f"type=registry,ref={server.address}/acme/cache")
            self.push_and_tell(f"{server.address}/acme/app:1", caches=caches)
            self.assertIn(self.basic("kiln", "cache"), http.authorizations)
            http.refuse = 401
            self.told("build", "--no-cache", "--cache-to", caches[0], "--progress", "plain", "given/app", code=None)
            config["auths"][server.address]["auth"] = base64.b64encode(f"other:{self.canaries['login']}".encode()).decode()
            self.write("given/.docker/config.json", json.dumps(config))
            self.push_and_tell(f"{server.address}/acme/other:1", code=3, caches=caches[1:])
            config["auths"][server.address] = {"auth": self.canaries["login"]}
            self.write("given/.docker/config.json", json.dumps(config))
            self.push_and_tell(f"{server.address}/acme/other:1", code=4)
            self.assert_nowhere(server.data, further_bytes=[*http.blobs.values(), *http.actions.values()])

    def test_of_a_credential_helper(self):
        server = self.registry(user=("kiln", self.canaries["helper"]))
        self.write("given/bin/docker-credential-cellar", HELPER, mode=0o755)
        self.write("given/.docker/config.json", json.dumps({"credsStore": "cellar"}))
        env = {"PATH": f"{self.given / 'bin'}:{os.environ['PATH']}"}
        self.told("login", server.address, "-u", "kiln", "--password-stdin", stdin=self.canaries["helper"], env=env)
        self.push_and_tell(f"{server.address}/acme/app:1", env=env)
        failing = f"#!/bin/sh\necho '{self.canaries['helper']}' | tee /dev/stderr\n"
        for ending, code in (("exit 1", 4), ("exit 0", 4), ("kill -SEGV $$", 4)):
            self.write("given/bin/docker-credential-cellar", failing + ending + "\n", mode=0o755)
            self.push_and_tell(f"{server.address}/acme/other:1", env=env, code=code)
        self.assert_nowhere(server.data)

    def test_of_identity_tokens_and_what_a_token_server_gives(self):
        self.need_programs("openssl")
        tokens = TokenServer(self.given, "kiln", self.canaries["login"])
        tokens.identity = self.canaries["identity"]
        tokens.start()
        self.addCleanup(tokens.stop)
        server = self.registry(token=tokens)
        for login in ({"identitytoken": self.canaries["identity"]}, {"auth": self.basic("kiln", "login").removeprefix("Basic ")}, {"registrytoken": self.canaries["token"]}):
            self.write("given/.docker/config.json", json.dumps({"auths": {server.address: login}}))
            self.push_and_tell(f"{server.address}/acme/app:1", code=3 if "registrytoken" in login else 0)
        tokens.identity = "another"
        self.write("given/.docker/config.json", json.dumps({"auths": {server.address: {"identitytoken": self.canaries["identity"]}}}))
        self.push_and_tell(f"{server.address}/acme/other:1", code=3)
        self.assertGreater(len(tokens.tokens), 3)
        for token in tokens.tokens:
            self.canaries.add("token", token.split(".")[2][:40])
        self.assert_nowhere(server.data)


class OfDefinitions(CanaryTest):
    """Passwords of URLs that are contexts and definitions, and the tokens for them."""

    KINDS = ("context", "bake", "bake token", "archive")

    def setUp(self):
        super().setUp()
        dockerfile = "FROM scratch\nCOPY . /\n"
        served = self.repository("source", {"app/Dockerfile": dockerfile, "Dockerfile": dockerfile, "docker-bake.hcl": """
            target "default" {
              context = "app"
              output = ["type=oci,dest=out.tar"]
            }
        """})
        for name in ("bake", "token"):
            (served / name).mkdir()
            (served / name / "source.git").symlink_to(self.given / "repositories/source/.git")
        self.web = self.serve(repositories=served)
        self.web.protected = {"/source.git": self.basic("ada", "context"), "/bake/": self.basic("ada", "bake"),
                              "/token/": self.basic("x-access-token", "bake token").replace("Basic", "basic"), "/file.tar": self.basic("ada", "archive")}
        self.run_program("tar", "-C", self.given / "repositories/source", "-cf", self.given / "file.tar", "Dockerfile")
        self.web.pages["/file.tar"] = (200, {}, (self.given / "file.tar").read_bytes())

    def url(self, kind, path):
        return f"http://ada:{self.canaries.in_url(kind)}@{self.web.address}/{path}"

    def commands(self):
        context, archive, bake = self.url("context", "source.git"), self.url("archive", "file.tar"), self.url("bake", "bake/source.git")
        self.write("given/named/Dockerfile", "FROM scratch\nCOPY --from=git /app /a\nCOPY --from=file / /b\n")
        named = ("--build-context", f"git={context}", "--build-context", f"file={archive}", "given/named")
        self.write("given/fleet/docker-bake.json", json.dumps({"target": {"default": {"context": context, "contexts": {"file": archive}, "output": ["type=cacheonly"]}}}))
        everything = ("--progress", "plain", "--trace", "trace.json", "--report", "report.json", "--metadata-file", "metadata.json")
        image = ("-o", "type=oci,dest=image.tar", "--provenance=mode=max")
        for _ in range(2):
            yield from (("build", *everything, *image, context), ("build", *everything, *image, archive), ("build", *everything, *image, *named))
            yield from (("bake", *everything, bake), ("bake", "--print", bake), ("plan", "-f", "given/fleet/docker-bake.json"),
                        ("bake", *everything, "-f", "given/fleet/docker-bake.json"), ("bake", *everything, f"{self.web.url}/token/source.git"))
        yield from (("check", context), ("build", "--check", context), ("build", "-t", "acme/app:1", context))

    def tell(self, code):
        for words in self.commands():
            with self.subTest(words[0]):
                # Where there is a token it goes before the user of a URL.
                self.told(*words, code=code, env={"BUILDX_BAKE_GIT_AUTH_TOKEN": self.canaries["bake token"] if "/token/" in words[-1] else None})
            self.tell_all()

    def test_after_builds(self):
        self.tell(code=None)
        self.assertEqual([str(result) for result in self.printed if result.args[1] in ("build", "bake") and result.code != 0], [])
        self.tell_all("acme/app:1")
        self.assert_nowhere()

    def test_after_failures(self):
        self.web.protected = {"/": "another"}
        self.tell(code=None)
        self.assertEqual([str(result) for result in self.printed if result.args[1] in ("build", "bake") and result.code == 0], [])
        self.assert_nowhere()


class OfCrashes(CanaryTest):
    """kiln, what runs its containers and a RUN crash in the middle of a build, where core files may be of any size."""

    KINDS = ("mounted", "variable", "argument", "login", "proxy", "header")

    def setUp(self):
        super().setUp()
        self.hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        control = self.folder / "control"
        control.mkdir()
        subprocess.run(["sh", "-c", "kill -SEGV $$"], cwd=control, preexec_fn=self.allow_core_files, check=False)
        if not list(control.iterdir()):
            self.skipTest("core files are written elsewhere here, or not at all: " + Path("/proc/sys/kernel/core_pattern").read_text().strip())
        shutil.rmtree(control)
        self.write("given/mounted", self.canaries["mounted"])

    def allow_core_files(self):
        resource.setrlimit(resource.RLIMIT_CORE, (self.hard, self.hard))

    def callers(self):
        return {"VARIABLE": self.canaries["variable"], "HEADER": "Basic " + self.canaries["header"], "http_proxy": f"http://user:{self.canaries.in_url('proxy')}@proxy.invalid:1",
                "DOCKER_AUTH_CONFIG": json.dumps({"auths": {"registry.invalid": {"auth": self.basic("kiln", "login").removeprefix("Basic ")}}})}

    def words(self, command, *more):
        self.write("given/app/Dockerfile", f"""
            FROM scratch
            ARG API_TOKEN
            COPY busybox /bin/sh
            COPY busybox /bin/sleep
            RUN --mount=type=secret,id=mounted --mount=type=secret,id=variable,env=VALUE \\
                read -r secret < /run/secrets/mounted; test -n "$secret" && test -n "$VALUE" && test -n "$API_TOKEN" && {command}
        """)
        return [harness.kiln_binary(), "build", "--progress", "plain", "--trace", "trace.json", "--secret", "id=mounted,src=given/mounted", "--secret", "id=variable,env=VARIABLE",
                "--secret", "id=GIT_AUTH_HEADER,env=HEADER", "--build-arg", "API_TOKEN=" + self.canaries["argument"], *more, "given/app"]

    def start(self, command):
        """A build whose RUN waits; the process is kiln's own."""
        process = subprocess.Popen([*self.before_kiln(), *map(str, self.words(f"echo beg''un; {command}"))], env=self.environment(**self.callers()), cwd=self.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=self.allow_core_files)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        seen = []
        for line in process.stderr:
            seen.append(line.decode(errors="replace"))
            if line.rstrip().endswith(b"begun"):
                return process, seen
        self.fail("the RUN did not begin:\n" + "".join(seen))

    def before_kiln(self):
        return ()

    def core_files(self):
        """A core file lies where its process worked: the runner's and the container's is the root folder."""
        return sorted(path for folder in (self.folder, Path("/")) for path in (folder.rglob("core*") if folder == self.folder else folder.glob("core*"))
                      if path.is_file() and path.stat().st_mtime > self.began)

    def crash(self, number, of):
        self.began = time.time() - 1
        process, seen = self.start("sleep 60")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        runner = next(int(child) for child in children if Path(f"/proc/{child}/comm").read_text().strip() == "kiln-runner")
        os.kill(process.pid if of == "kiln" else runner, number)
        seen.append(process.stderr.read().decode(errors="replace"))
        code = process.wait(60)
        self.printed.append(harness.Result([of, number], code, "", "".join(seen)))
        self.assertEqual(self.core_files(), [], of)
        return code

    def test_of_kiln(self):
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGBUS, signal.SIGKILL):
            with self.subTest(number):
                self.assertEqual(self.crash(number, "kiln"), -number)
        self.tell_all()
        self.assert_nowhere()

    def test_of_what_runs_containers(self):
        self.assertEqual(self.crash(signal.SIGSEGV, "runner"), 4)
        self.tell_all()
        self.assert_nowhere()

    def test_of_a_run(self):
        """Its core file would lie in the layer, with the secrets that it was given."""
        self.began = time.time() - 1
        words = self.words("(sleep 1 & kill -SEGV $!; wait); sh -c 'kill -SEGV $$'; true", "-o", "type=local,dest=files", "-o", "type=oci,dest=out.tar", "-o", "type=oci,tar=false,dest=out")
        result = subprocess.run([*self.before_kiln(), *map(str, words)], env=self.environment(**self.callers()), cwd=self.folder, capture_output=True, text=True,
                                preexec_fn=self.allow_core_files, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.printed.append(harness.Result(["a RUN"], 0, result.stdout, result.stderr))
        self.assertEqual(self.core_files(), [])
        self.tell_all()
        self.assert_nowhere(may_stand=lambda name, data: {"argument"} if name.endswith("out.tar") or b'\n{"architecture"' in data else set())

    def test_a_run_has_the_limit_that_it_was_given(self):
        for given, blocks in (((), "0"), (("--ulimit", "core=1048576"), "2048")):
            words = self.words("echo limit=$(ulimit -c)", "--no-cache", *given)
            result = subprocess.run([*self.before_kiln(), *map(str, words)], env=self.environment(**self.callers()), cwd=self.folder, capture_output=True, text=True,
                                    preexec_fn=self.allow_core_files, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stderr, f"(?m)limit={blocks}$")


class OfCrashesWithoutRoot(AsNobody, OfCrashes):
    def before_kiln(self):
        self.give_away()
        return words_for_nobody(self.folder)


class TheSearch(harness.KilnTest):
    def test_it_finds_each_form_of_a_canary(self):
        self.need_programs("zstd")
        check_the_search()


class ExpandedArguments(harness.KilnTest):
    """What a variable with a secret build arg is expanded to is told and recorded nowhere, whatever word it is put into."""

    SECRET = "hunter2secretvalue"
    parts = ()  # which are not to be seen either

    def setUp(self):
        super().setUp()
        self.need_root()
        self.need_containers()
        self.need_programs("busybox")
        shutil.copy(shutil.which("busybox"), self.write("app/busybox"))
        self.run_program("chmod", "755", self.folder / "app/busybox")
        self.write("app/f", "content")
        self.registry_address = self.registry().address

    def told(self, *words, code=None):
        result = self.kiln(*words, code=code)
        for part in (self.SECRET, *self.parts):
            self.assertNotIn(part, (result.stdout + result.stderr).lower(), " ".join(map(str, words)))
        return result.stdout + result.stderr

    def tell_all(self, code):
        given = ["--build-arg", "DB_PASSWORD=" + self.SECRET, "app"]
        self.write("fleet/docker-bake.json", json.dumps({"target": {"app": {"context": "../app", "args": {"DB_PASSWORD": self.SECRET}}}}))
        for words in ([], ["--format", "json"]):
            self.told("plan", "-f", "fleet/docker-bake.json", "app", *words)
        printed = self.told("build", "--progress", "plain", "--trace", "trace.json", "-t", "acme/app:1", *given, code=code)
        for words in (["build", "--progress", "rawjson", *given], ["build", "--progress", "verbose", *given], ["build", "--check", *given],
                      ["check", *given[:2], "-f", "app/Dockerfile"], ["bake", "-f", "fleet/docker-bake.json", "app"], ["why"], ["why", "--format", "json"], ["report"],
                      ["report", "--format", "json"], ["report", "--format", "html", "-o", "page.html"], ["cache", "du", "--verbose"]):
            self.told(*words)
        for path in self.folder.rglob("*"):
            is_text = path.suffix in (".json", ".html") or any(name in path.parts for name in ("builds", "reports", "steps"))
            if is_text and path.is_file() and path.name != "docker-bake.json":
                for part in (self.SECRET, *self.parts):
                    self.assertNotIn(part.encode(), path.read_bytes().lower(), path)
        return printed

    def test_a_failing_instruction_names_none(self):
        cases = {
            "RUN --mount=type=tmpfs,target=/bin/sh/$S true": "mount target '/bin/sh/***'",
            "RUN --mount=type=secret,id=$S,required=true true": "secret '***' is required",
            "RUN --mount=type=ssh,id=$S,required=true true": "***",
            "RUN --mount=type=bind,source=$S,target=/x true": "/***",
            "COPY $S /": "***",
            "COPY --chown=$S f /": "***",
            "COPY --chmod=$S f /": "***",
            "USER $S\nRUN true": "***",
            "STOPSIGNAL $S": "***",
            "EXPOSE $S": "***",
        }
        for lines, shown in cases.items():
            with self.subTest(lines):
                self.write("app/Dockerfile", f"FROM scratch\nARG DB_PASSWORD\nARG S=$DB_PASSWORD\nCOPY busybox /bin/sh\n{lines}\n")
                self.assertIn(shown, self.tell_all(code=None))

    def test_what_is_left_of_one_is_named_nowhere(self):
        self.SECRET, self.parts = "hunter2first//./lastpart:1000", ("unter2first", "lastpart")
        cases = {
            "COPY $S /": "***",
            "COPY --chown=$S f /": "***",
            "COPY --chown=${S##*/} f /": "***",
            "COPY f /$S\nRUN false": "exit code",
            "WORKDIR /$S\nCOPY nothing .": "nothing",
            "COPY ${S#h} /": "***",
            "COPY ${S%//*} /": "***",
            "COPY ${NOPE:?x${S#h}} /": "x***",
            "USER ${S%%/*}\nRUN true": "***",
            "ENV VALUE=${S/1000/200}\nUSER $VALUE\nRUN true": "***",
            "STOPSIGNAL ${S%%/*}": "***",
            "EXPOSE ${S//1000/x}": "***",
            "RUN --mount=type=bind,source=${S#h},target=/x true": "***",
        }
        for lines, shown in cases.items():
            with self.subTest(lines):
                self.write("app/Dockerfile", f"FROM scratch\nARG DB_PASSWORD\nARG S=$DB_PASSWORD\nCOPY busybox /bin/sh\n{lines}\n")
                self.assertIn(shown, self.tell_all(code=None))
        for line in (f"FROM {self.registry_address}/acme/${{S#hunter2}}", "FROM UP:${S%%/*}", "FROM ${NOPE:?x${S#h}}"):
            with self.subTest(line):
                self.write("app/Dockerfile", f"ARG DB_PASSWORD\nARG S=$DB_PASSWORD\n{line}\n")
                self.assertIn("***", self.tell_all(code=None))

    def test_a_base_names_none(self):
        cases = {
            f"FROM {self.registry_address}/acme/$S": f"resolve image {self.registry_address}/acme/***:latest",
            f"FROM {self.registry_address}/acme/x:$S": f"resolve image {self.registry_address}/acme/x:***",
            "FROM --platform=$S scratch": "***",
            "FROM UP:$S": "***",
        }
        for line, shown in cases.items():
            with self.subTest(line):
                self.write("app/Dockerfile", f"ARG DB_PASSWORD\nARG S=$DB_PASSWORD\n{line}\n")
                self.assertIn(shown, self.tell_all(code=None))

    def test_the_cause_of_a_miss_names_none(self):
        cases = {
            "RUN true": "ARG S changed",
            "COPY f /$S": "destination changed",
            "WORKDIR /$S": "directory changed",
            "ENV VALUE=$S\nRUN true": "changed",
            "ADD f /$S/": "destination changed",
        }
        for lines, shown in cases.items():
            with self.subTest(lines):
                self.write("app/Dockerfile", f"FROM scratch\nARG DB_PASSWORD\nARG S=$DB_PASSWORD\nCOPY busybox /bin/sh\n{lines}\n")
                self.told("build", "--build-arg", "DB_PASSWORD=x", "-t", "acme/app:1", "app", code=0)
                self.assertIn(shown, self.tell_all(code=0))
                self.told("build", "--progress", "plain", "--build-arg", "DB_PASSWORD=y", "app", code=0)

    def test_the_id_of_a_cache_mount_names_none(self):
        write, read = ("COPY busybox /bin/sh\nRUN --mount=type=cache,target=/c,id=$S echo kept > /c/f",
                       "COPY busybox /bin/sh\nRUN --mount=type=cache,target=/d,id=$S read -r line < /d/f; test $line = kept")
        for lines in (write, read, write.replace("target=/c,id=$S", "target=/c/$S").replace("/c/f", "/c/$S/f")):
            with self.subTest(lines):
                self.write("app/Dockerfile", f"FROM scratch\nARG DB_PASSWORD\nARG S=$DB_PASSWORD\n{lines}\n")
                self.tell_all(code=0)
        usage = self.told("cache", "du", code=0)
        self.assertRegex(usage, r"cachemount.*\s\*\*\*")
        self.assertRegex(usage, r"cachemount.*/c/\*\*\*")
        metas = list((self.folder / "home").glob("cache-mounts/*/meta"))
        self.assertEqual(len(metas), 2, metas)
        for meta in metas:
            self.assertNotIn(self.SECRET, meta.read_text())

    def test_what_a_command_prints_stays(self):
        self.write("app/Dockerfile", "FROM scratch\nARG DB_PASSWORD\nCOPY busybox /bin/sh\nRUN echo \"$DB_PASSWORD\"\n")
        result = self.kiln("build", "--progress", "plain", "--build-arg", "DB_PASSWORD=" + self.SECRET, "app")
        self.assertIn(self.SECRET, result.stderr)


if __name__ == "__main__":
    harness.main()
