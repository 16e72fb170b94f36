#!/usr/bin/env python3
"""Secrets of every kind stand nowhere afterwards: not in the store, an image, a cache, a report or a word that kiln prints."""

import base64
import json
import shutil
import subprocess

import harness
from tests.support.web_server import WebServer

SECRETS = {kind: f"canary{number}{kind}" for number, kind in enumerate(
    ("mounted", "environment", "token", "header", "password", "registry", "proxy", "argument"), start=3517)}


class Canaries(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_root()
        self.need_containers()
        self.need_programs("busybox", "gzip", "zstd")
        self.printed = []
        self.web = WebServer(self.folder / "pages").start()
        self.addCleanup(self.web.stop)
        self.server = self.registry(user=("kiln", SECRETS["registry"]))
        self.write("mounted", SECRETS["mounted"])
        shutil.copy(shutil.which("busybox"), self.write("images/app/busybox"))
        self.run_program("chmod", "755", self.folder / "images/app/busybox")
        self.write("images/fleet.json", '{"registry": "%s", "namespace": "acme", "tags": ["1"]}' % self.server.address)

    def run_kiln(self, *words, code=0, **options):
        result = self.kiln(*words, code=code, env=self.secrets_of_the_caller(), **options)
        self.printed.append(result)
        return result

    def secrets_of_the_caller(self):
        return {"ENVIRONMENT": SECRETS["environment"], "TOKEN": SECRETS["token"], "HEADER": "Basic " + SECRETS["header"],
                "no_proxy": "127.0.0.1,localhost", "http_proxy": f"http://user:{SECRETS['proxy']}@proxy.invalid:3128"}

    def dockerfile(self, last="true"):
        self.write("images/app/Dockerfile", f"""
            FROM scratch
            ARG API_TOKEN=none
            COPY busybox /bin/sh
            ADD http://ada:{SECRETS['password']}@localhost:{self.web.port}/with-password /a
            ADD {self.web.url}/with-token /b
            RUN --mount=type=secret,id=mounted --mount=type=secret,id=environment,env=VALUE \\
                read -r secret < /run/secrets/mounted; test -n "$secret" && test -n "$VALUE" && {last}
        """)

    def words(self):
        return ["--secret", "id=mounted,src=mounted", "--secret", "id=environment,env=ENVIRONMENT",
                "--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN"]

    def test_none_is_left_anywhere(self):
        self.web.pages["/with-password"] = self.web.pages["/with-token"] = (200, {}, b"content")
        self.web.protected["/with-token"] = "Bearer " + SECRETS["token"]
        self.web.protected["/with-password"] = "Basic " + base64.b64encode(f"ada:{SECRETS['password']}".encode()).decode()
        name = f"{self.server.address}/acme/app:1"
        self.run_kiln("login", self.server.address, "-u", "kiln", "--password-stdin", stdin=SECRETS["registry"])
        shared = ["--cache-to", "type=local,dest=shared,mode=max", "--cache-from", "type=local,src=shared"]
        argument = ["--build-arg", "API_TOKEN=" + SECRETS["argument"]]
        self.dockerfile()
        for _ in range(2):
            self.run_kiln("build", "-t", name, "--push", "--sbom=true", "--provenance=mode=max", "--report", "report.json", "--metadata-file", "metadata.json", *self.words(), *shared,
                          *argument, "images/app")
        self.assertIn('SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")', self.printed[-1].stderr)
        self.dockerfile(last="exit 3")
        self.run_kiln("build", "--progress", "plain", *self.words(), *argument, "images/app", code=1)
        self.run_kiln("build", "--progress", "rawjson", *self.words()[:4], *argument, "images/app", code=3)  # no token: 401
        for words in (["why"], ["plan"], ["report"], ["report", "--format", "html", "-o", "page.html"], ["report", "--format", "json"],
                      ["history", name], ["inspect", name], ["sbom", name], ["layers", name], ["cache", "du", "--verbose"], ["images"]):
            self.run_kiln(*words, code=None)
        self.assert_nowhere()

    def assert_nowhere(self):
        for result in self.printed:
            self.assert_none_in((result.stdout + result.stderr).encode(), result.args, is_config="history" in result.args)
        # What the user wrote down, and where kiln keeps logins as docker does.
        given = {self.folder / "mounted", self.folder / "images/app/Dockerfile", self.folder / ".docker/config.json"}
        kept = [path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink() and path not in given]
        kept += [path for path in self.server.data.rglob("data") if path.is_file()]
        self.assertGreater(len(kept), 30)
        for path in kept:
            data = self.unpacked(path.read_bytes())
            self.assert_none_in(data, path, is_config=data.startswith(b'{"architecture"'))

    def unpacked(self, data):
        """The bytes, and what gzip or zstd hides in them."""
        for magic, program in ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")):
            if data.startswith(magic):
                return data + subprocess.run([program, "-dc"], input=data, capture_output=True, check=True).stdout
        return data

    def assert_none_in(self, data, where, is_config):
        for kind, secret in SECRETS.items():
            if kind == "argument" and is_config:
                continue  # the history of an image names the arguments of a RUN, as docker's does, and lint warns of this one
            for form in (secret.encode(), base64.b64encode(secret.encode()).rstrip(b"=")[:-1]):
                self.assertFalse(form in data, f"{kind} in {where}")


class ExpandedArguments(harness.KilnTest):
    """What a variable with a secret build arg is expanded to is told and recorded nowhere, whatever word it is put into."""

    SECRET = "hunter2secretvalue"

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
        self.assertNotIn(self.SECRET, result.stdout + result.stderr, " ".join(map(str, words)))
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
                self.assertNotIn(self.SECRET.encode(), path.read_bytes(), path)
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
