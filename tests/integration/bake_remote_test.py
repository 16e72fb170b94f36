#!/usr/bin/env python3
"""Bake files and contexts that come from git repositories and URLs, and what paths are relative to."""

import json

import harness
from tests.support.web_server import GIT_BACKEND, WebServer


class BakeRemote(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_programs("git")
        if not GIT_BACKEND.is_file():
            self.skipTest(f"there is no '{GIT_BACKEND}'")
        self.web = WebServer(self.folder / "served").start()
        self.addCleanup(self.web.stop)
        (self.folder / "served").mkdir(exist_ok=True)
        (self.folder / "here").mkdir()

    def repository(self, name, files, links={}):
        path = self.folder / "repositories" / name
        path.mkdir(parents=True)
        for file, text in files.items():
            self.write(f"repositories/{name}/{file}", text)
        for link, target in links.items():
            (path / link).symlink_to(target)
        git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        self.run_program("git", "init", "-q", "-b", "main", path)
        self.run_program(*git, "config", "uploadpack.allowAnySHA1InWant", "true", cwd=path)
        self.run_program(*git, "add", "-A", cwd=path)
        self.run_program(*git, "commit", "-qm", "first", cwd=path)
        (self.folder / f"served/{name}.git").symlink_to(path / ".git")
        return f"{self.web.url}/{name}.git"

    def bake(self, *words, code=0, env=None):
        return self.kiln("bake", *words, "--set", "*.output=type=oci,tar=false,dest=out", cwd=self.folder / "here",
                         code=code, env=env)

    def files(self):
        return sorted(name for name, entry in self.layout_image(self.folder / "here/out").files().items()
                      if entry.type == "file")

    # Definitions

    def test_definitions_of_a_repository_take_contexts_from_it_and_cwd_from_here(self):
        url = self.repository("fleet", {
            "docker-bake.hcl": """
target "app" { context = "app" }
target "mixed" {
  contexts = { here = "cwd://." }
  dockerfile-inline = "FROM scratch\\nCOPY theirs /\\nCOPY --from=here ours /\\n"
}
target "outside" { context = "../../../etc" }
""", "theirs": "t", "app/Dockerfile": "FROM scratch\nCOPY file /\n", "app/file": "f"})
        self.write("here/ours", "o")
        self.bake(url, "app")
        self.assertEqual(self.files(), ["file"])
        self.run_program("rm", "-rf", self.folder / "here/out")
        self.bake(f"{url}#main", "mixed")
        self.assertEqual(self.files(), ["ours", "theirs"])
        printed = json.loads(self.kiln("bake", "--print", f"{url}#main", "app", cwd=self.folder / "here").stdout)
        self.assertEqual(printed["target"]["app"]["context"], f"{url}#main:app")
        # Whatever it says, a context of a repository is inside of it.
        self.assertIn("is not a folder", self.bake(url, "outside", code=2).stderr)
        self.assertIn("has no branch, tag or other reference 'none'", self.bake(f"{url}#none", code=3).stderr)

    def test_contexts_of_a_repository_are_printed_as_those_of_its_url(self):
        url = self.repository("fleet", {
            "docker-bake.hcl": 'target "default" {\n  context = "app"\n}\ntarget "root" {}\n'
                               'target "here" {\n  context = "cwd://ours"\n}\n',
            "extra.hcl": 'target "default" {\n  tags = ["acme/app:1"]\n}\n', "inner/docker-bake.hcl": 'target "default" {\n  context = "app"\n}\n'})
        self.write("here/local.hcl", 'target "default" {\n  labels = {here = "1"}\n}\n')

        def printed(*words):
            return json.loads(self.kiln("bake", "--print", *words, cwd=self.folder / "here").stdout)["target"]

        for words, context in {(url,): f"{url}#:app", (url, "root"): url, (f"{url}#main", "root"): f"{url}#main",
                               (f"{url}#main",): f"{url}#main:app", (f"{url}#main:inner",): f"{url}#main:inner/app",
                               (url, "here"): "ours",
                               (f"{url}?subdir=inner&branch=main",): f"{url}?branch=main&subdir=inner%2Fapp",
                               (f"{url}?branch=main",): f"{url}?branch=main#:app"}.items():
            with self.subTest(words=words):
                target = printed(*words)[words[1] if len(words) > 1 else "default"]
                self.assertEqual(target["context"], context)
        # A file of this machine goes over those of the repository, whatever comes first, and over its default files alone.
        for files in (("cwd://local.hcl",), ("cwd://local.hcl", "docker-bake.hcl"), ("extra.hcl", "cwd://local.hcl")):
            with self.subTest(files=files):
                target = printed(url, *(word for file in files for word in ("-f", file)))["default"]
                self.assertEqual(target["labels"], {"here": "1"})
                self.assertEqual(target["context"], url if "extra.hcl" in files else f"{url}#:app")
                self.assertEqual("tags" in target, "extra.hcl" in files)

    def test_definitions_of_a_repository_name_nothing_of_this_machine(self):
        url = self.repository("hostile", {"docker-bake.hcl": """
target "secret" { secret = ["id=x,src=/etc/hostname"] }
target "folder" { context = "cwd://.." }
target "link" {}
""", "file": "f"})
        for target in ("secret", "folder"):
            self.assertIn("outside of the folder in which the command was started", self.bake(url, target, code=2).stderr)
        self.assertIn("is outside of the folder",
                      self.kiln("bake", url, "link", "--set", "link.output=type=local,dest=/tmp/kiln-not-here", code=2,
                                cwd=self.folder / "here").stderr)

    def test_no_dockerfile_of_a_repository_is_a_file_of_this_machine(self):
        secret = self.write("precious", "S3CRET of this machine\n")
        url = self.repository("hostile", {"docker-bake.hcl": f"""
target "linked" {{ context = "app" }}
target "linked-above" {{
  context = "app"
  dockerfile = "../docker/Dockerfile"
}}
target "dotted" {{ context = "..app" }}
target "climbing" {{ dockerfile = "{'../' * 20}{str(secret)[1:]}" }}
target "neighbour" {{
  context = "app"
  dockerfile = "../app2/Dockerfile"
}}
target "above" {{
  context = "app"
  dockerfile = "../plain/Dockerfile"
}}
""", "app/file": "f", "app2/file": "f", "..app/file": "f", "docker/file": "f",
            "plain/Dockerfile": "FROM scratch\nCOPY file /\n"}, links={f"{folder}/Dockerfile": secret for folder in ("app", "app2", "..app", "docker")})
        for target in ("linked", "linked-above", "dotted", "climbing", "neighbour"):
            with self.subTest(target):
                failed = self.bake(url, target, code=2)
                self.assertNotIn("S3CRET", failed.output)
                self.assertRegex(failed.stderr, "leads out of its source|outside of")
        self.bake(url, "above")
        self.assertEqual(self.files(), ["file"])

    def test_no_folder_and_no_definition_of_a_repository_is_one_of_this_machine(self):
        secret = self.write("precious/docker-bake.hcl", "S3CRET of this machine\n").parent
        self.write("precious/Dockerfile", "FROM scratch\nCOPY . /\n")
        url = self.repository("folders", {"docker-bake.hcl": """
target "context" { context = "linked" }
target "named" {
  contexts = { theirs = "linked" }
  dockerfile-inline = "FROM scratch\\nCOPY --from=theirs . /\\n"
}
"""}, links={"linked": secret})
        for target in ("context", "named"):
            with self.subTest(target):
                self.assertIn("is a link that leads out of its source", self.bake(url, target, code=2).stderr)
        for name, files, links in (
                ("bake", {"file": "f"}, {"docker-bake.hcl": secret / "docker-bake.hcl"}),
                ("extends", {"compose.yaml": "services:\n  app:\n    extends: {file: other.yaml, service: app}\n"},
                 {"other.yaml": secret / "docker-bake.hcl"}),
                ("climbs", {"compose.yaml": "include: [../../../../../../etc/hostname]\n"}, {}),
                ("env-file", {"compose.yaml": "services:\n  app:\n    build: {context: ., args: [A]}\n    env_file: linked.env\n"},
                 {"linked.env": secret / "docker-bake.hcl"}),
                ("include", {"compose.yaml": "include: [{path: other.yaml, env_file: ../../../../../../etc/hostname}]\n",
                             "other.yaml": "services: {}\n"}, {}),
                ("images", {"images/fleet.json": '{"registry": "127.0.0.1:1", "namespace": "acme"}', "images/app/Dockerfile": "FROM scratch\n"},
                 {"images/app/image.json": secret / "docker-bake.hcl"}),
                ("profile", {"images/fleet.json": '{"registry": "127.0.0.1:1", "namespace": "acme"}', "profiles/schema.txt": ""},
                 {"profiles/big.json": secret / "docker-bake.hcl"}),
                ("profiles", {"images/fleet.json": '{"registry": "127.0.0.1:1", "namespace": "acme"}'}, {"profiles": secret}),
                ("profiles-above", {"images/fleet.json": '{"registry": "127.0.0.1:1", "namespace": "acme", "profiles_folder": "../../../../etc"}'}, {}),
                ("lock", {"images/fleet.json": '{"registry": "127.0.0.1:1", "namespace": "acme"}'},
                 {"images/kiln.lock": secret / "docker-bake.hcl"}),
                ("authorities", {"images/fleet.json": '{"registry": "127.0.0.1:1", "namespace": "acme", "build": {"ca_bundle": "/etc/hostname"}}'}, {})):
            with self.subTest(name):
                failed = self.bake(self.repository(name, files, links), code=2)
                self.assertIn("leads out of the repository it is taken from", failed.stderr)
                self.assertNotIn("S3CRET", failed.output)

    def test_a_url_that_is_no_repository_is_refused(self):
        self.assertIn("is no git repository to take definitions from",
                      self.bake("https://example.com/docker-bake.hcl", code=2).stderr)

    # Contexts

    def test_contexts_may_be_repositories_and_archives(self):
        url = self.repository("source", {"sub/Dockerfile": "FROM scratch\nCOPY . /\n", "sub/file": "f"})
        self.write("here/docker-bake.hcl", f"""
target "git" {{ context = "{url}#main:sub" }}
target "named" {{
  contexts = {{ source = "{url}" }}
  dockerfile-inline = "FROM scratch\\nCOPY --from=source sub/file /\\n"
}}
target "inline" {{
  context = "{url}"
  dockerfile-inline = "FROM scratch\\nCOPY sub/file /inline\\n"
}}
target "missing" {{ context = "{self.web.url}/none.git" }}
""")
        for target, files in (("git", ["Dockerfile", "file"]), ("named", ["file"]), ("inline", ["inline"])):
            with self.subTest(target=target):
                self.run_program("rm", "-rf", self.folder / "here/out")
                self.bake(target)
                self.assertEqual(self.files(), files)
                self.assertIn("--offline: ", self.bake(target, "--offline", code=3).stderr)
        self.bake("missing", code=3)

    def test_what_several_targets_name_is_fetched_once_for_those_with_the_same_secrets(self):
        url = self.repository("source", {"a/Dockerfile": "FROM scratch\nCOPY file /a\n", "a/file": "f",
                                         "b/Dockerfile": "FROM scratch\nCOPY file /b\n", "b/file": "f"})
        self.web.pages["/page"] = (200, {}, b"FROM scratch\n")
        self.write("here/docker-bake.hcl", f"""
group "default" {{ targets = ["a", "b", "inline", "named", "page", "again"] }}
target "a" {{ context = "{url}#main:a" }}
target "b" {{ context = "{url}#main:b" }}
target "inline" {{
  context = "{url}#main"
  dockerfile-inline = "FROM scratch\\nCOPY a/file /inline\\n"
}}
target "named" {{
  contexts = {{ source = "{url}#main", page = "{self.web.url}/page" }}
  dockerfile-inline = "FROM scratch\\nCOPY --from=source b/file /named\\nCOPY --from=page context /\\n"
}}
target "page" {{ context = "{self.web.url}/page" }}
target "again" {{ context = "{self.web.url}/page" }}
target "authorised" {{
  inherits = ["a"]
  secret = ["id=GIT_AUTH_TOKEN,env=TOKEN"]
}}
""")
        packs = lambda: sum("git-upload-pack" in path and method == "POST"  # noqa: E731
                            for method, path, _ in self.web.requests)
        self.kiln("bake", "a", cwd=self.folder / "here")
        once = packs()
        self.web.requests.clear()
        self.kiln("bake", cwd=self.folder / "here")
        self.assertEqual(packs(), once)
        # As a context and as a named one, where its bytes have another name.
        self.assertEqual(sum(path == "/page" for _, path, _ in self.web.requests), 2)
        self.web.requests.clear()
        self.kiln("bake", "a", "authorised", env={"TOKEN": "t"}, cwd=self.folder / "here")
        self.assertEqual(packs(), 2 * once)

    # What paths are relative to

    def test_paths_are_relative_to_the_file_where_the_environment_says_so(self):
        self.write("here/one/docker-bake.hcl", 'target "base" {\n  context = "ctx"\n}\n')
        self.write("here/two/docker-bake.hcl", """
target "default" { contexts = { lib = "lib", above = "../one" } }
target "referring" { context = target.base.context }
target "inheriting" { inherits = ["base"] }
target "caller" { context = "cwd://ctx" }
""")
        words = ("--print", "default", "referring", "inheriting", "caller")
        env = {"BUILDX_BAKE_FILE": "one/docker-bake.hcl:two/docker-bake.hcl", "BUILDX_BAKE_FILE_RELATIVE_PATHS": "1"}
        targets = json.loads(self.kiln("bake", *words, env=env, cwd=self.folder / "here").stdout)["target"]
        self.assertEqual({name: target["context"] for name, target in targets.items()},
                         {"default": "two", "referring": "one/ctx", "inheriting": "one/ctx", "caller": "ctx"})
        self.assertEqual(targets["default"]["contexts"], {"lib": "two/lib", "above": "one"})
        failed = self.kiln("bake", *words, env={**env, "BUILDX_BAKE_FILE_RELATIVE_PATHS": "maybe"}, code=2,
                           cwd=self.folder / "here")
        self.assertIn("BUILDX_BAKE_FILE_RELATIVE_PATHS: expected true or false, got 'maybe'", failed.stderr)

    def test_plan_and_matrix_read_the_files_of_the_environment_too(self):
        self.write("here/other.hcl", 'variable "TAG" {}\ntarget "default" {\n  dockerfile-inline = "FROM scratch\\nCOPY file /\\n"\n'
                   '  tags = ["127.0.0.1:1/app:${TAG}"]\n}\n')
        self.write("here/file", "f")
        env = {"BUILDX_BAKE_FILE": "other.hcl", "TAG": "1"}
        here = self.folder / "here"
        self.assertIn("default", self.kiln("plan", env=env, cwd=here).stdout)
        rows = json.loads(self.kiln("matrix", "--format", "json", "--all", env=env, cwd=here).stdout)["waves"][0]["include"]
        self.assertEqual([row["target"] for row in rows], ["default"])


if __name__ == "__main__":
    harness.main()
