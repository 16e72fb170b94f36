#!/usr/bin/env python3
"""Every flag of docker buildx build, as docs/buildx-flags.md promises it, and the forms that a context may have."""

import http.server
import io
import re
import shutil
import tarfile
import threading

import harness

# A value for each flag that takes one; None where it takes none.
VALUES = {
    "--add-host": "a:1.2.3.4", "--allow": "network.host", "--annotation": "a=b", "--attest": "type=sbom", "--build-arg": "a=b",
    "--build-context": "other=app", "--builder": "x", "--cache-from": "type=local,src=cache", "--cache-to": "type=local,dest=cache", "--call": "build",
    "--cgroup-parent": "x", "--check": None, "--compress": None, "--cpu-period": "1", "--cpu-quota": "1", "--cpu-shares": "1",
    "--cpuset-cpus": "1", "--cpuset-mems": "1", "--debug": None, "--file": "app/Dockerfile", "--force-rm": None, "--iidfile": "iid",
    "--isolation": "x", "--label": "a=b", "--memory": "1g", "--memory-swap": "1g", "--metadata-file": "metadata.json",
    "--network": "none", "--no-cache": None, "--no-cache-filter": "build", "--output": "type=oci,dest=out.tar",
    "--platform": "linux/amd64", "--policy": "x", "--progress": "plain", "--provenance": "false", "--pull": None, "--quiet": None, "--resource": "memory=2g",
    "--rm": None, "--sbom": "false", "--secret": "id=a,src=app/Dockerfile", "--security-opt": "x", "--shm-size": "64m",
    "--squash": None, "--ssh": "default", "--tag": "a:1", "--target": "build", "--ulimit": "nofile=100",
}
# They need an engine and a registry.
TRIED_ELSEWHERE = {"--load", "--push"}
BAKE_VALUES = {
    "--allow": "ssh", "--builder": "x", "--call": "build", "--check": None, "--debug": None, "--file": "bake.json", "--jobs": "2", "--list": "targets",
    "--metadata-file": "metadata.json", "--no-cache": None, "--policy": "disabled=true", "--print": None, "--progress": "plain", "--provenance": "false", "--pull": None,
    "--sbom": "false", "--set": "app.labels.a=b", "--var": "TAG=1",
}

DOCKERFILE = "FROM scratch AS build\nCOPY Dockerfile /\n"


class Flags(harness.KilnTest):
    def documented(self, command):
        page = (harness.ROOT / "docs/buildx-flags.md").read_text()
        table = page.split(f"| flag | kiln {command} |")[1].split("\n\n")[0]
        return dict(re.findall(r"^\| `(--[a-z-]+)` \| (honoured|refused)", table, re.M))

    def check_flags(self, command, values):
        documented = self.documented(command)
        self.assertEqual(set(documented), set(values) | TRIED_ELSEWHERE)
        for flag, value in values.items():
            with self.subTest(flag=flag):
                words = [flag] if value is None else [flag, value]
                if documented[flag] == "honoured":
                    self.kiln(command, *words, "app")
                else:
                    self.assertIn("cannot be honoured: ", self.kiln(command, *words, "app", code=2).stderr)

    def check_refused_words(self, command):
        for word in ("--provenance=mode=all", "--sbom=generator=a/b", "--allow=device", "--call=outline"):
            with self.subTest(word=word):
                self.kiln(command, word, "app", code=2)

    def test_the_tables_have_each_flag_of_the_buildx_that_is_installed(self):
        self.need_programs("buildx")
        for command in ("build", "bake"):
            shown = set(re.findall(r"^  (?:-\w,|   ) (--[a-z-]+)", self.run_program("buildx", command, "--help").stdout, re.M)) - {"--help"}
            self.assertGreater(len(shown), 10)
            self.assertEqual(shown - set(self.documented(command)), set())

    def test_each_flag_of_bake_is_honoured_or_refused_as_documented(self):
        self.write("app/Dockerfile", DOCKERFILE)
        definition = '{"target": {"default": {"context": "app"}, "app": {"context": "app"}}}'
        self.write("docker-bake.json", definition)
        self.write("bake.json", definition)
        self.check_flags("bake", BAKE_VALUES)
        self.check_refused_words("bake")
        for word, reason in {"strict=true": "kiln evaluates no source policies", "log-level=loud": "unknown log-level 'loud'",
                             "disabled=true,strict=true": "goes with nothing else", "filename=a": "said in the bake file",
                             "files=a": "unknown key 'files' of a policy"}.items():
            with self.subTest(policy=word):
                self.assertIn(reason, self.kiln("bake", "--policy", word, "app", code=2).stderr)

    def test_a_policy_that_is_switched_off_stops_nothing(self):
        self.write("app/Dockerfile", DOCKERFILE)
        self.write("docker-bake.hcl", """target "off" {
  context = "app"
  policy = [{ disabled = true }]
}
target "on" {
  context = "app"
  policy = ["filename=app.rego"]
}
""")
        self.kiln("bake", "off")
        self.assertIn("docker-bake.hcl:7:12: target 'on': kiln does not honour 'policy'", self.kiln("bake", "on", code=2).stderr)
        self.kiln("bake", "--policy", "disabled=true", "on")

    def test_bake_checks_the_dockerfiles_of_its_targets(self):
        self.write("good/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.write("bad/Dockerfile", "# check=error=true\nFROM scratch\nLABEL a b\n")
        self.write("docker-bake.json", '{"target": {"good": {"context": "good"}, "bad": {"context": "bad"}}}')
        self.kiln("bake", "--check", "good")
        for word in ("--check", "--call=check"):
            self.assertIn("LegacyKeyValueFormat", self.kiln("bake", word, "good", "bad", code=1).stdout)
        self.assertFalse((self.home / "oci/index.json").exists() and self.stored_names())

    def stored_names(self):
        return self.kiln("images").stdout.splitlines()[1:]

    def test_each_flag_is_honoured_or_refused_as_documented(self):
        self.write("app/Dockerfile", DOCKERFILE)
        self.check_flags("build", VALUES)

    def test_generators_of_sboms_other_entitlements_and_other_calls_are_refused(self):
        self.write("app/Dockerfile", DOCKERFILE)
        self.check_refused_words("build")

    def test_docker_s_default_platform_counts_where_no_platform_is_asked_for(self):
        self.write("app/Dockerfile", "FROM scratch AS base\nARG TARGETARCH\nCOPY $TARGETARCH /\nCOPY Dockerfile /\n")
        self.write("app/arm64", "for arm")
        self.write("app/amd64", "for amd")
        self.write("docker-bake.json", '{"target": {"default": {"context": "app"}, "named": {"context": "app", "platforms": ["linux/amd64"]}}}')
        for value, words, wanted in (("linux/arm64", [], {"arm64"}), ("linux/arm64", ["--platform", "linux/amd64"], {"amd64"}),
                                     ("arm64", [], {"arm64"}), ("linux/amd64,linux/arm64", [], {"linux_amd64", "linux_arm64"})):
            with self.subTest(value=value, words=words):
                self.kiln("build", *words, "-o", "files", "app", env=self.environment(DOCKER_DEFAULT_PLATFORM=value))
                found = {path.name for path in (self.folder / "files").iterdir()}
                self.assertEqual(found - {"Dockerfile"}, wanted)
                shutil.rmtree(self.folder / "files")
        odd = self.environment(DOCKER_DEFAULT_PLATFORM="linux/")
        for words in (["build", "app"], ["check", "app"], ["pull", "localhost:1/a"]):
            with self.subTest(words=words):
                self.assertIn("platform 'linux/': malformed, expected OS/ARCHITECTURE[/VARIANT] such as linux/amd64, "
                              "which DOCKER_DEFAULT_PLATFORM in the environment names", self.kiln(*words, env=odd, code=2).stderr)
        self.kiln("build", "--platform", "linux/amd64", "app", env=odd)
        several = self.environment(DOCKER_DEFAULT_PLATFORM="linux/amd64,linux/arm64")
        self.assertIn("names several platforms, of which one is pulled", self.kiln("pull", "localhost:1/a", env=several, code=2).stderr)
        arm = self.environment(DOCKER_DEFAULT_PLATFORM="linux/arm64")
        self.assertIn("DOCKER_DEFAULT_PLATFORM does not count for bake", self.kiln("bake", env=arm).stderr)
        self.assertNotIn("DOCKER_DEFAULT_PLATFORM", self.kiln("bake", "named", env=arm).stderr)

    def test_several_platforms_are_checked_by_the_first(self):
        self.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.kiln("check", "--platform", "linux/amd64,linux/arm64", "app")

    def test_several_platforms_give_an_index(self):
        self.write("app/Dockerfile", DOCKERFILE)
        self.kiln("build", "--platform", "linux/amd64,linux/arm64", "-o", "type=local,dest=files", "app")
        for folder in ("linux_amd64", "linux_arm64"):
            self.assertEqual(((self.folder / "files") / folder / "Dockerfile").read_text(), DOCKERFILE)
        self.kiln("build", "--platform", "linux/amd64,linux/arm64", "-o", "type=docker,dest=x.tar", "app", code=2)


class Contexts(harness.KilnTest):
    def tar(self):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            info = tarfile.TarInfo("Dockerfile")
            info.size = len(DOCKERFILE)
            tar.addfile(info, io.BytesIO(DOCKERFILE.encode()))
        return data.getvalue()

    def test_a_tar_file_is_a_context(self):
        (self.folder / "context.tgz").write_bytes(self.tar())
        self.kiln("build", "-o", "type=local,dest=files", "context.tgz")
        self.assertEqual(((self.folder / "files") / "Dockerfile").read_text(), DOCKERFILE)

    def test_standard_input_is_a_tar_or_a_dockerfile(self):
        self.kiln("build", "-o", "type=local,dest=files", "-", stdin=self.tar())
        self.assertEqual(((self.folder / "files") / "Dockerfile").read_text(), DOCKERFILE)
        self.kiln("build", "-", stdin=b"FROM scratch\nLABEL a=b\n")
        self.kiln("build", "-f", "-", "-", stdin=b"FROM scratch\n", code=2)
        self.assertIn("only a Dockerfile was given", self.kiln("build", "-", stdin=b"FROM scratch\nCOPY a /\n", code=1).stderr)

    def serve(self, files):
        """A web server for bytes by path."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = files.get(self.path.partition("?service=")[0])
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.send_header("Last-Modified", "Tue, 02 Jan 2024 03:04:05 GMT")
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def test_a_url_is_a_tar_or_a_dockerfile(self):
        plain = b"FROM scratch\nCOPY . /\n"
        address = self.serve({"/c.tar.gz": self.tar(), "/some/Dockerfile": plain})
        self.kiln("build", "-o", "type=local,dest=tar", f"{address}/c.tar.gz")
        self.assertEqual((self.folder / "tar/Dockerfile").read_text(), DOCKERFILE)
        self.kiln("build", "-f", "-", "-o", "type=local,dest=other", f"{address}/c.tar.gz", stdin=b"FROM scratch\nCOPY . /all/\n")
        self.assertEqual((self.folder / "other/all/Dockerfile").read_text(), DOCKERFILE)
        self.kiln("build", "-o", "type=local,dest=plain", f"{address}/some/Dockerfile")
        self.assertEqual([path.name for path in (self.folder / "plain").iterdir()], ["context"])
        self.assertEqual((self.folder / "plain/context").read_bytes(), plain)
        self.assertEqual((self.folder / "plain/context").stat().st_mtime, 1704164645)
        self.kiln("build", "--check", f"{address}/some/Dockerfile")
        self.kiln("build", "-f", "Other", f"{address}/some/Dockerfile", code=2)
        self.assertIn("404", self.kiln("build", f"{address}/missing.tar", code=3).stderr)

    def test_a_named_context_is_a_folder_a_repository_a_file_behind_a_url_or_nothing(self):
        self.need_programs("git")
        self.write("folder/kept", "kept")
        self.write("folder/left", "left")
        self.write("folder/.dockerignore", "left\n")
        self.write("repository/sub/file", "file")
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x"],
                      ["update-server-info"]):
            self.run_program("git", *words, cwd=self.folder / "repository")
        git = self.folder / "repository/.git"
        # git asks with '?service=git-upload-pack' first.
        files = {f"/r.git/{path.relative_to(git)}": path.read_bytes() for path in git.rglob("*") if path.is_file()}
        address = self.serve({**files, "/file.txt": b"text"})
        self.write("app/Dockerfile", "FROM scratch\nCOPY --from=named . /\n")
        for value, expected in (("folder", [".dockerignore", "kept"]), (f"{address}/r.git", ["sub"]), (f"{address}/r.git#main:sub", ["file"]),
                                (f"{address}/file.txt", ["context"]), ("docker-image://scratch", [])):
            with self.subTest(value=value):
                self.kiln("build", "--build-context", f"named={value}", "-o", "type=tar,dest=files.tar", "app")
                with tarfile.open(self.folder / "files.tar") as tar:
                    self.assertEqual([name for name in tar.getnames() if "/" not in name], expected)
        self.assertIn("'nowhere'", self.kiln("build", "--build-context", "named=nowhere", "app", code=2).stderr)
        self.assertIn("--offline", self.kiln("build", "--offline", "--build-context", f"named={address}/file.txt", "app", code=3).stderr)

    def test_characters_of_patterns_in_the_name_of_a_url_stand_for_themselves(self):
        address = self.serve({"/a[1]*?.txt": b"one", "/a%5B1%5D*%3F.txt": b"one"})
        self.write("app/Dockerfile", f"FROM scratch\nADD {address}/a%5B1%5D*%3F.txt /in/\n")
        self.kiln("build", "-o", "type=local,dest=files", "app")
        self.assertEqual([path.name for path in (self.folder / "files/in").iterdir()], ["a[1]*?.txt"])
        # What a pattern finds is no pattern again.
        self.write("other/a[1].txt", "one")
        self.write("other/Dockerfile", "FROM scratch\nADD *.txt /in/\n")
        self.kiln("build", "-o", "type=local,dest=more", "other")
        self.assertEqual([path.name for path in (self.folder / "more/in").iterdir()], ["a[1].txt"])


if __name__ == "__main__":
    harness.main()
