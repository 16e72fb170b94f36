#!/usr/bin/env python3
"""What is fetched for a build, by git and HTTP: who may fetch it, what of it gets into an image, and what must not."""

import base64
import gzip
import hashlib
import os
import zlib

import harness
from tests.support.web_server import GIT_BACKEND, WebServer


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class RemoteTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.web = WebServer(self.folder / "repositories").start()
        self.addCleanup(self.web.stop)

    def build(self, dockerfile, *words, code=0, env=None, context="app"):
        self.write("app/Dockerfile", dockerfile)
        return self.kiln("build", "--no-cache", "-o", "type=oci,tar=false,dest=out", *words, context, code=code, env=env)

    def files(self, dockerfile, *words, **options):
        """The files of what is built, in an output folder that is taken away again."""
        self.run_program("rm", "-rf", self.folder / "out")
        self.build(dockerfile, *words, **options)
        return self.layout_image(self.folder / "out").files()


class Git(RemoteTest):
    def setUp(self):
        super().setUp()
        self.need_programs("git")
        if not GIT_BACKEND.is_file():
            self.skipTest(f"there is no '{GIT_BACKEND}'")
        self.repository("repo", {"file": "main\n", "sub/inner": "inner\n"})
        self.git("repo", "tag", "light")
        self.git("repo", "tag", "-a", "-m", "noted", "v1")
        self.git("repo", "branch", "both", "HEAD")
        self.commit("repo", {"file": "newer\n"}, "newer")
        self.git("repo", "tag", "both")

    def git(self, name, *words):
        path = self.folder / "repositories" / f"{name}.git"
        return self.run_program("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c",
                                "protocol.file.allow=always", *words, cwd=path).stdout.strip()

    def commit(self, name, files, message):
        for path, text in files.items():
            self.write(f"repositories/{name}.git/{path}", text)
        self.git(name, "add", "-A")
        self.git(name, "commit", "-qm", message)

    def repository(self, name, files):
        path = self.folder / "repositories" / f"{name}.git"
        path.mkdir(parents=True)
        self.run_program("git", "init", "-q", "-b", "main", path)
        # Served as it lies, so that no bare copy is needed.
        self.git(name, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.commit(name, files, "first")
        self.web.repositories = self.folder / "served"
        (self.folder / "served").mkdir(exist_ok=True)
        (self.folder / f"served/{name}.git").symlink_to(path / ".git")

    def checkout(self, files, at=".git"):
        """The kept .git on disk, for git itself."""
        folder = self.folder / "checkout"
        self.run_program("rm", "-rf", folder)
        for name, entry in files.items():
            if entry.type == "dir":
                (folder / name).mkdir(parents=True, exist_ok=True)
        for name, entry in files.items():
            if entry.type == "file":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(entry.data)
        return lambda *words: self.run_program("git", *words, cwd=folder).stdout.strip()

    def keep(self, reference, *words, url=None, **options):
        return self.files(f"FROM scratch\nADD --keep-git-dir=true {url or self.web.url}/repo.git{reference} /\n", *words, **options)

    # What stays of .git

    def test_no_credential_gets_into_the_image_or_a_message(self):
        self.web.protected["/repo.git"] = basic("ada", "T0KEN")
        url = f"http://ada:T0KEN@{self.web.address}"
        files = self.keep("", url=url)
        self.assertIn(f"url = http://xxxxx:xxxxx@{self.web.address}/repo.git", files[".git/config"].text)
        self.assertEqual([name for name, entry in files.items() if b"T0KEN" in entry.data], [])
        config = (self.folder / "out").rglob("*")
        for path in config:
            if path.is_file():
                self.assertNotIn(b"T0KEN", path.read_bytes(), path)
        log = self.build(f"FROM scratch\nADD {url}/repo.git /\n").output
        self.assertNotIn("T0KEN", log)
        failed = self.build(f"FROM scratch\nADD {url}/none.git /\n", code=3).output
        self.assertNotIn("T0KEN", failed)
        self.assertNotIn("T0KEN", "".join(str(request) for request in self.web.requests if "T0KEN" in request[1]))

    def test_a_submodules_configuration_has_no_credential_either(self):
        self.repository("inner", {"deep": "deep\n"})
        self.git("repo", "submodule", "--quiet", "add", "../inner.git", "module")
        self.git("repo", "commit", "-qm", "submodule")
        self.web.protected["/"] = basic("ada", "T0KEN")
        files = self.keep("", url=f"http://ada:T0KEN@{self.web.address}")
        self.assertEqual(files["module/deep"].text, "deep\n")
        self.assertIn(".git/modules/module/config", files)
        self.assertEqual([name for name, entry in files.items() if b"T0KEN" in entry.data], [])
        logs = [entry.size for name, entry in files.items() if "/logs/" in name and entry.type == "file"]
        self.assertEqual(set(logs), {0})

    def test_nothing_tells_who_fetched_it_or_when(self):
        self.write(".gitconfig", """
            [user]
            name = Grace
            email = grace@example.com
            [core]
            autocrlf = true
            [url "http://127.0.0.1:1/"]
            insteadOf = http://
            """)
        first = self.keep("#v1", env={"XDG_CONFIG_HOME": str(self.folder), "GIT_AUTHOR_NAME": "Grace"})
        self.assertEqual(first["file"].text, "main\n")
        self.assertEqual(first[".git/logs/HEAD"].data, b"")
        self.assertNotIn(".git/FETCH_HEAD", first)
        self.assertEqual([name for name, entry in first.items() if b"Grace" in entry.data or b"grace" in entry.data], [])
        self.addCleanup(os.umask, os.umask(0o077))
        second = self.keep("#v1")
        self.assertEqual({name: (entry.type, entry.mode, entry.digest) for name, entry in first.items()},
                         {name: (entry.type, entry.mode, entry.digest) for name, entry in second.items()})

    def test_two_fetches_of_a_large_repository_are_the_same(self):
        self.repository("inner", {f"file{number}": f"text {number}\n" * 50 for number in range(150)})
        self.git("repo", "submodule", "--quiet", "add", "../inner.git", "module")
        self.commit("repo", {f"many/file{number}": f"line {number}\n" * 40 for number in range(150)}, "many")
        digests = []
        for move in range(2):
            files = self.keep("#main")
            digests.append({name: entry.digest for name, entry in files.items()})
            self.commit("inner", {"later": str(move)}, "moved on")
            self.git("repo", "branch", f"other{move}")
        self.assertEqual(digests[0], digests[1])
        self.assertTrue([name for name in digests[0] if name.endswith(".pack")])

    def test_references_are_those_that_buildkit_leaves(self):
        head = self.git("repo", "rev-parse", "HEAD")
        first = self.git("repo", "rev-parse", "HEAD~1")
        for reference, expected, commit in (("", ["refs/heads/main", "refs/tags/main"], head),
                                            ("#light", ["refs/heads/light", "refs/tags/light"], first),
                                            ("#refs/tags/light", ["refs/tags/light"], first),
                                            ("#v1", ["refs/tags/v1"], first), ("?branch=main", ["refs/heads/main"], head),
                                            ("#both", ["refs/heads/both", "refs/tags/both"], first),
                                            ("?tag=both", ["refs/tags/both"], head), (f"#{first}", [], first)):
            with self.subTest(reference):
                git = self.checkout(self.keep(reference))
                self.assertEqual(git("for-each-ref", "--format=%(refname)").split(), expected)
                self.assertEqual(git("rev-parse", "HEAD"), commit)
                self.assertEqual(git("rev-list", "--count", "HEAD"), "1")
                self.assertEqual(git("status", "--porcelain"), "")
        self.assertEqual(self.checkout(self.keep("#v1"))("describe"), "v1")

    def test_a_folder_of_a_repository_keeps_no_git_folder(self):
        self.assertEqual(sorted(self.keep("#main:sub")), ["inner"])

    def test_a_checksum_may_be_that_of_an_annotated_tag(self):
        tag, commit = self.git("repo", "rev-parse", "v1"), self.git("repo", "rev-parse", "v1^{commit}")
        for checksum in (tag, commit[:10]):
            self.build(f"FROM scratch\nADD --checksum={checksum} {self.web.url}/repo.git#v1 /\n")
        failed = self.build(f"FROM scratch\nADD --checksum={tag[::-1]} {self.web.url}/repo.git#v1 /\n", code=1)
        self.assertIn(f"got {commit}", failed.stderr)

    def test_files_are_as_old_as_their_commit_where_the_query_says_so(self):
        time = int(self.git("repo", "show", "-s", "--format=%ct", "light^{commit}"))
        for keep in ("", "&keep-git-dir"):
            files = self.files(f"FROM scratch\nADD {self.web.url}/repo.git?mtime=commit{keep}#light /out/\n")
            self.assertEqual({entry.mtime for name, entry in files.items() if name.startswith("out/")}, {time})

    def test_a_query_that_says_nothing_known_is_told_with_its_line(self):
        for words in ([], ["--secret", "id=GIT_AUTH_TOKEN,src=app/Dockerfile"]):
            failed = self.build(f"FROM scratch\nADD {self.web.url}/repo.git?brunch=main /\n", *words, code=2)
            self.assertIn("Dockerfile:2: git source", failed.stderr)

    def test_a_commit_is_fetched_by_itself_where_the_query_says_so(self):
        commit = self.git("repo", "rev-parse", "light^{commit}")
        query = f"fetch-by-commit=true&commit={commit}"
        self.assertEqual(self.files(f"FROM scratch\nADD {self.web.url}/repo.git?branch=gone&{query} /\n")["file"].text, "main\n")
        self.assertIn("needs all digits of a commit",
                      self.build(f"FROM scratch\nADD {self.web.url}/repo.git?branch=main&fetch-by-commit=true /\n", code=2).stderr)

    def test_a_reference_that_is_missing_is_named(self):
        self.assertIn("has no branch, tag or other reference 'mian'",
                      self.build(f"FROM scratch\nADD {self.web.url}/repo.git#mian /\n", code=3).stderr)

    # Contexts

    def test_a_context_keeps_its_git_folder_where_the_build_arg_says_so(self):
        self.commit("repo", {"Dockerfile": "FROM scratch\nCOPY . /\n"}, "Dockerfile")
        for words, kept in (([], False), (["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1"], True),
                            (["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=false"], False)):
            with self.subTest(words):
                files = self.files("", *words, context=f"{self.web.url}/repo.git")
                self.assertEqual(".git/HEAD" in files, kept)
        self.assertIn("expected true or false", self.build("", "--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=maybe",
                                                           context=f"{self.web.url}/repo.git", code=2).stderr)

    def test_the_ignore_file_of_a_repository_holds_for_it_as_a_context(self):
        self.commit("repo", {"Dockerfile": "FROM scratch\nCOPY . /\n", ".dockerignore": "sub\n"}, "ignored")
        self.kiln("build", "--no-cache", "-o", "type=oci,tar=false,dest=out", f"{self.web.url}/repo.git")
        files = self.layout_image(self.folder / "out").files()
        self.assertIn("file", files)
        self.assertNotIn("sub", files)

    def test_a_dockerfile_or_ignore_file_that_leads_out_of_the_context_is_refused(self):
        secret = self.write("secret", "S3CRET\n")
        for name in ("Dockerfile", ".dockerignore"):
            with self.subTest(name):
                path = self.folder / "repositories/repo.git" / name
                self.write("repositories/repo.git/Dockerfile", "FROM scratch\nCOPY . /\n")
                path.unlink(missing_ok=True)
                path.symlink_to(secret)
                self.git("repo", "add", "-A")
                self.git("repo", "commit", "-qm", name)
                failed = self.build("", context=f"{self.web.url}/repo.git", code=2).output
                self.assertIn("leads out of its source", failed)
                self.assertNotIn("S3CRET", failed)
                path.unlink()

    # Who may fetch

    def test_secrets_authorise_git(self):
        self.commit("repo", {"Dockerfile": "FROM scratch\nCOPY file /\n"}, "Dockerfile")
        token = basic("x-access-token", "T0KEN").replace("Basic", "basic")
        for name, value, wanted in (("GIT_AUTH_TOKEN", "T0KEN\n", token), ("GIT_AUTH_HEADER", "Custom abc", "Custom abc"),
                                    ("GIT_AUTH_TOKEN.127.0.0.1", "T0KEN", token),
                                    (f"GIT_AUTH_TOKEN.{self.web.address}", "T0KEN", token),
                                    ("GIT_AUTH_HEADER.127.0.0.1", "Custom abc", "Custom abc")):
            with self.subTest(name):
                self.web.protected = {"/repo.git": wanted}
                self.write("value", value)
                words = ["--secret", f"id={name},src=value"]
                self.assertIn("file", self.files(f"FROM scratch\nADD {self.web.url}/repo.git /\n", *words))
                self.assertIn("file", self.files("", *words, context=f"{self.web.url}/repo.git"))
                self.build("FROM scratch\nCOPY --from=other file /\n", *words, "--build-context", f"other={self.web.url}/repo.git")
        self.write("value", "T0KEN")
        self.web.protected = {"/repo.git": token}
        before = len(self.web.requests)
        failed = self.build(f"FROM scratch\nADD {self.web.url}/repo.git /\n", "--secret", "id=GIT_AUTH_TOKEN.example.com,src=value", code=3)
        self.assertNotIn("T0KEN", failed.output)
        asked = self.web.requests[before:]
        self.assertTrue(asked)
        self.assertFalse([request for request in asked if request[2].get("Authorization")])

    def test_a_redirect_of_a_git_server_takes_no_token_to_another_host(self):
        other = WebServer(self.web.repositories).start()
        self.addCleanup(other.stop)
        place = f"http://localhost:{other.port}/repo.git/info/refs?service=git-upload-pack"
        self.web.pages["/repo.git/info/refs"] = (302, {"Location": place}, b"")
        self.write("value", "T0KEN")
        for url, words in ((self.web.url, ["--secret", "id=GIT_AUTH_TOKEN,src=value"]), (f"http://ada:T0KEN@{self.web.address}", [])):
            failed = self.build(f"FROM scratch\nADD {url}/repo.git /\n", *words, code=3)
            self.assertIn("cannot be had: its server redirects", failed.stderr)
            self.assertIn("name the place itself", failed.stderr)
            self.assertNotIn("T0KEN", failed.output)
        self.assertTrue([request for request in self.web.requests if request[2].get("Authorization")])
        self.assertEqual(other.requests, [])
        # Without a secret it is followed.
        self.assertIn("file", self.files(f"FROM scratch\nADD {self.web.url}/repo.git /\n"))

    def test_a_submodule_by_ssh_of_a_source_by_http_is_not_followed(self):
        commit = self.git("repo", "rev-parse", "HEAD")
        self.write("repositories/repo.git/.gitmodules", '[submodule "sub"]\n\tpath = module\n\turl = ssh://git@127.0.0.1/x.git\n')
        self.git("repo", "update-index", "--add", "--cacheinfo", f"160000,{commit},module")
        self.git("repo", "add", ".gitmodules")
        self.git("repo", "commit", "-qm", "submodule")
        said = self.folder / "said"
        ssh = self.write("bin/ssh", f'#!/bin/sh\necho "$SSH_AUTH_SOCK" >> {said}\nexit 1\n')
        ssh.chmod(0o755)
        env = {"PATH": f"{ssh.parent}:{os.environ['PATH']}", "SSH_AUTH_SOCK": "/nowhere/agent"}
        for url in (f"{self.web.url}/repo.git", "ssh://git@127.0.0.1/x.git"):
            failed = self.build(f"FROM scratch\nADD {url} /\n", code=3, env=env)
            if url.startswith("http"):
                self.assertIn("transport 'ssh' not allowed", failed.stderr)
                self.assertFalse(said.exists())
        # What the user asks for by ssh has the agent.
        self.assertIn("/nowhere/agent", said.read_text())

    def test_a_secret_that_is_no_header_is_refused_unseen(self):
        self.write("value", "S3CRET\nInjected: yes")
        failed = self.build(f"FROM scratch\nADD {self.web.url}/repo.git /\n", "--secret", "id=GIT_AUTH_TOKEN,src=value", code=2)
        self.assertIn("secret 'GIT_AUTH_TOKEN': expected one line", failed.stderr)
        self.assertNotIn("S3CRET", failed.output)


class Http(RemoteTest):
    def add(self, path, *words, flags="", **options):
        return self.files(f"FROM scratch\nADD {flags} {self.web.url}{path} /got\n", *words, **options)

    def test_a_body_in_gzip_is_what_was_encoded(self):
        text = b"plain text\n" * 1000
        self.web.pages["/text"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(text))
        checksum = "sha256:" + hashlib.sha256(text).hexdigest()
        self.assertEqual(self.add("/text", flags=f"--checksum={checksum}")["got"].data, text)
        two_members = gzip.compress(b"one ") + gzip.compress(b"two")
        self.web.pages["/two"] = (200, {"content-encoding": "GZIP"}, two_members)
        self.assertEqual(self.add("/two")["got"].data, b"one two")

    def test_spaces_of_a_url_go_out_as_they_are_encoded(self):
        self.web.pages["/a%20b/c%20d"] = (200, {}, b"spaced")
        self.web.pages["/moved"] = (302, {"Location": "/a b/c d"}, b"")
        for path in ("/a b/c d", "/a%20b/c%20d"):
            files = self.files(f'FROM scratch\nADD ["{self.web.url}{path}", "/x/"]\n')
            self.assertEqual(files["x/c d"].data, b"spaced")
        self.assertEqual(self.add("/moved")["got"].data, b"spaced")
        self.build('FROM scratch\nADD ["http://127.0.0.1 x/a", "/x/"]\n', code=2)

    def test_other_encodings_are_stored_as_they_come(self):
        for encoding, body in (("deflate", zlib.compress(b"text")), ("identity", b"text"), ("br", b"\x0b\x01\x80text\x03")):
            self.web.pages["/body"] = (200, {"Content-Encoding": encoding}, body)
            self.assertEqual(self.add("/body")["got"].data, body, encoding)

    def test_a_body_that_is_not_what_its_encoding_says_is_an_error_of_the_network(self):
        for body in (b"no gzip at all", gzip.compress(b"cut" * 1000)[:-20], b""):
            self.web.pages["/bad"] = (200, {"Content-Encoding": "gzip"}, body)
            self.assertIn("/bad", self.build(f"FROM scratch\nADD {self.web.url}/bad /got\n", code=3).stderr)

    def test_secrets_authorise_add(self):
        self.web.pages["/file"] = (200, {}, b"content")
        self.write("value", "T0KEN\n")
        self.web.protected["/file"] = "Bearer T0KEN"
        self.assertEqual(self.add("/file", "--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,src=value")["got"].data, b"content")
        self.web.protected["/file"] = "T0KEN"
        self.assertEqual(self.add("/file", "--secret", "id=HTTP_AUTH_HEADER_127.0.0.1,src=value")["got"].data, b"content")
        failed = self.build(f"FROM scratch\nADD {self.web.url}/file /got\n", code=3).stderr
        self.assertIn("--secret id=HTTP_AUTH_TOKEN_127.0.0.1", failed)

    def test_a_redirect_takes_no_authorisation_to_another_host(self):
        other = WebServer().start()
        self.addCleanup(other.stop)
        other.pages["/file"] = (200, {}, b"content")
        self.web.pages["/moved"] = (302, {"Location": f"http://localhost:{other.port}/file"}, b"")
        self.write("value", "T0KEN")
        self.add("/moved", "--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,src=value")
        self.assertEqual(self.web.requests[-1][2].get("Authorization"), "Bearer T0KEN")
        self.assertNotIn("Authorization", other.requests[-1][2])
        self.files(f"FROM scratch\nADD http://ada:T0KEN@{self.web.address}/moved /got\n")
        self.assertNotIn("Authorization", other.requests[-1][2])

    def test_a_secret_of_a_host_that_only_a_redirect_names_does_not_go_in_the_clear(self):
        other = WebServer().start()
        self.addCleanup(other.stop)
        other.pages["/file"] = (200, {}, b"content")
        self.write("value", "T0KEN")
        for host in ("localhost", "127.0.0.1"):
            self.web.pages["/moved"] = (302, {"Location": f"http://{host}:{other.port}/file"}, b"")
            self.add("/moved", "--secret", f"id=HTTP_AUTH_TOKEN_{host},src=value")
            self.assertNotIn("Authorization", other.requests[-1][2])
        self.web.pages["/here"] = (302, {"Location": "/file"}, b"")
        self.web.pages["/file"] = (200, {}, b"content")
        self.add("/here", "--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,src=value")
        self.assertEqual(self.web.requests[-1][2].get("Authorization"), "Bearer T0KEN")

    def test_a_redirect_may_have_spaces_and_letters_beyond_ascii(self):
        self.web.pages["/moved"] = (302, {"Location": "/new place/caf\xe9?sig=a b"}, b"")
        self.web.pages["/new%20place/caf%E9"] = (200, {}, b"content")
        self.assertEqual(self.add("/moved")["got"].data, b"content")
        self.assertEqual(self.web.requests[-1][1], "/new%20place/caf%E9?sig=a%20b")

    def test_a_body_of_more_than_64_gib_is_refused_by_what_its_header_says(self):
        self.web.pages["/large"] = (200, {"Content-Length": str((64 << 30) + 1)}, b"the first bytes of it")
        added = self.build(f"FROM scratch\nADD {self.web.url}/large /got\n", code=3)
        context = self.kiln("build", f"{self.web.url}/large", code=3)
        for result in (added, context):
            self.assertIn("expected at most 68719476736 bytes, the server is to send 68719476737", result.stderr)

    def test_user_and_password_of_a_url_authorise_it_and_are_shown_nowhere(self):
        self.web.pages["/file"] = (200, {}, b"content")
        self.web.protected["/file"] = basic("a@da", "T0:pass")
        result = self.build(f"FROM scratch\nADD http://a%40da:T0%3Apass@{self.web.address}/file /got\n")
        image = self.layout_image(self.folder / "out")
        self.assertEqual(image.files()["got"].data, b"content")
        self.assertIn("xxxxx", image.config["history"][-1]["created_by"])
        self.assertNotIn("pass", result.output + str(image.config))
        self.web.protected["/file"] = "nothing"
        self.assertNotIn("passw", self.build(f"FROM scratch\nADD http://ada:passw@{self.web.address}/file /got\n", code=3).output)

    def test_a_url_that_is_none_is_an_error_of_the_words(self):
        self.build("FROM scratch\nADD http://user:pw@/file /got\n", code=2)

    def test_a_checksum_that_is_none_is_refused_before_anything_is_fetched(self):
        refused = self.build("FROM scratch\nADD --checksum=sha256:12 http://127.0.0.1:1/file /got\n", code=2)
        self.assertIn("--checksum 'sha256:12' is not a digest", refused.stderr)


if __name__ == "__main__":
    harness.main()
