#!/usr/bin/env python3
"""kiln ci, the workflows it writes, and the action's script as a runner would run it."""

import base64
import json
import os
import re
import shutil
import subprocess

import harness
import workflow_player

ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"
FILES = [".github/workflows/kiln.yml", ".github/workflows/kiln-fleet.yml", ".github/workflows/kiln-wave.yml",
         ".github/workflows/kiln-comment.yml", ".github/actions/kiln/action.yml", ".github/actions/kiln/kiln.sh"]


# What a job's token may do: the comment's alone can write elsewhere than to the packages.
ALLOWED = {("contents", "read"), ("packages", "read"), ("packages", "write"), ("actions", "read"), ("pull-requests", "write")}


def jobs_of(workflow):
    """The jobs of a workflow as kiln writes them: their text, keys, permissions and the actions they use."""
    jobs = {}
    for name, text in re.findall(r"(?m)^  ([\w-]+):\n((?:    .*\n|\n|  #.*\n)+)", workflow.split("\njobs:\n", 1)[1] + "\n"):
        permissions = re.search(r"(?m)^    permissions:\n((?:      .*\n)+)", text)
        jobs[name] = {"text": text, "keys": re.findall(r"(?m)^    ([\w-]+):", text), "uses": re.findall(r"(?m)uses: (\S+)", text),
                      "permissions": dict(re.findall(r"([\w-]+): (\w+)", permissions[1])) if permissions else {}}
    return jobs


class CiFilesTest(harness.KilnTest):
    def test_init_writes_what_check_finds_current(self):
        result = self.kiln("ci", "check", code=1)
        self.assertEqual(result.stdout.count("missing"), len(FILES), result)
        self.kiln("ci", "init")
        for file in FILES:
            self.assertTrue((self.folder / file).is_file(), file)
        self.assertTrue(os.access(self.folder / FILES[5], os.X_OK))
        self.kiln("ci", "check")
        self.assertNotIn("@KILN_VERSION@", (self.folder / FILES[4]).read_text())

    def test_what_is_stale_is_named_and_init_brings_it_up_to_date(self):
        self.kiln("ci", "init")
        with open(self.folder / FILES[1], "a") as file:
            file.write("# changed\n")
        (self.folder / FILES[0]).write_text("name: mine\n")
        result = self.kiln("ci", "check", code=1)
        self.assertIn(f"stale {FILES[1]}", result.stdout)
        self.assertNotIn(FILES[0], result.stdout)
        self.kiln("ci", "init")
        self.kiln("ci", "check")
        self.assertEqual((self.folder / FILES[0]).read_text(), "name: mine\n")

    def test_nothing_is_written_through_a_link(self):
        (self.folder / "elsewhere").mkdir()
        (self.folder / "repository").mkdir()
        (self.folder / "repository/.github").symlink_to("../elsewhere")
        result = self.kiln("ci", "init", "-C", "repository", code=2)
        self.assertIn("'.github' is a symbolic link, which kiln does not write through", result.stderr)
        self.assertEqual(list((self.folder / "elsewhere").iterdir()), [])

    def test_files_of_others_are_not_replaced(self):
        self.write(FILES[1], "name: theirs\n")
        result = self.kiln("ci", "init", code=2)
        self.assertIn("is not kiln's", result.stderr)
        self.assertEqual((self.folder / FILES[1]).read_text(), "name: theirs\n")
        self.assertFalse((self.folder / FILES[5]).exists())
        self.kiln("ci", "init", "--force")
        self.kiln("ci", "check")

    def test_actions_of_others_are_pinned_by_commit(self):
        self.kiln("ci", "init")
        count = 0
        for file in FILES[:5]:
            for line in (self.folder / file).read_text().splitlines():
                used = re.match(r"\s*(?:- )?uses: (\S+)(.*)", line)
                if used and not used[1].startswith("./"):
                    self.assertRegex(used[1] + used[2], r"^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", file)
                    count += 1
        self.assertGreater(count, 5)

    def test_programs_of_others_run_in_jobs_that_can_write_nothing(self):
        self.kiln("ci", "init")
        jobs, others = 0, 0
        for file in FILES[:4]:
            for name, job in jobs_of((self.folder / file).read_text()).items():
                jobs += 1
                self.assertIn("permissions", job["keys"], f"{file}: {name} says what its token may do")
                for permission, level in job["permissions"].items():
                    self.assertIn((permission, level), ALLOWED, f"{file}: {name}")
                used = [action for action in job["uses"] if not action.startswith(("./", "actions/"))]
                others += len(used)
                if used:
                    self.assertEqual(job["permissions"], {"packages": "read"}, f"{file}: {name} runs {used}")
                    self.assertNotIn("secrets.", job["text"], f"{file}: {name}")
        self.assertGreater(jobs, 10)
        self.assertEqual(others, 1)

    def test_the_key_reaches_the_jobs_that_push_and_no_other(self):
        self.kiln("ci", "init")
        for file in FILES[:4]:
            for name, job in jobs_of((self.folder / file).read_text()).items():
                signs = re.fullmatch(r"wave\d|build|release", name) is not None
                self.assertEqual("secrets.sign-key" in job["text"], signs, f"{file}: {name}")

    def test_a_signed_set_up_takes_a_key_and_no_identity(self):
        result = self.kiln("ci", "init", "--sign")
        workflow = (self.folder / FILES[0]).read_text()
        self.assertIn("sign-key: ${{ secrets.KILN_SIGN_KEY }}", jobs_of(workflow)["images"]["text"])
        self.assertIn("provenance: mode=max", workflow)
        self.assertNotIn("id-token", "".join((self.folder / file).read_text() for file in FILES[:4]))
        self.assertIn("gh secret set KILN_SIGN_KEY < cosign.key", result.stdout)
        self.assertNotIn("is yours and passes no key", result.stdout)
        self.kiln("ci", "check")

    def test_a_caller_that_is_yours_is_told_what_to_add_for_signing(self):
        self.write(FILES[0], "name: mine\n")
        result = self.kiln("ci", "init", "--sign")
        self.assertIn(f"{FILES[0]} is yours and passes no key; add", result.stdout)
        self.assertEqual((self.folder / FILES[0]).read_text(), "name: mine\n")

    def test_a_push_waits_for_pushes_alone_and_only_a_pull_requests_run_is_cancelled(self):
        self.kiln("ci", "init")
        workflow = (self.folder / FILES[0]).read_text()
        group = re.search(r"(?m)^concurrency:\n(?:  #.*\n)*  group: (.*)\n  cancel-in-progress: (.*)$", workflow)
        self.assertIsNotNone(group, workflow)
        # GitHub keeps one run of a group waiting: a nightly run or one by hand would take the place of a push.
        self.assertEqual(group[1], "images-${{ github.event.pull_request.number || format('{0}-{1}', github.event_name, github.ref) }}")
        self.assertEqual(group[2], "${{ github.event_name == 'pull_request' }}")
        for file in FILES[1:]:
            self.assertNotIn("concurrency:", (self.folder / file).read_text(), file)

    def test_actionlint_finds_nothing(self):
        self.need_programs("go", "git")
        self.kiln("ci", "init")
        env = {**os.environ, "GOBIN": str(self.folder / "bin"), "GOFLAGS": "-modcacherw"}
        installed = subprocess.run(["go", "install", ACTIONLINT], env=env, cwd=self.folder, capture_output=True, text=True, timeout=500)
        if installed.returncode:
            self.skipTest(f"actionlint cannot be installed here: {installed.stderr.strip().splitlines()[-1]}")
        subprocess.run(["git", "init", "-q", self.folder], check=True)
        result = harness.run([self.folder / "bin/actionlint", "-no-color"], cwd=self.folder)
        self.assertEqual((result.code, result.output), (0, ""), result)


# GitHub's program as far as the comment's job uses it: artifacts and comments are files, --jq is jq's.
GH = """#!/usr/bin/python3
import json, pathlib, shutil, subprocess, sys
words, state = sys.argv[1:], pathlib.Path({state!r})
if words[:2] == ["run", "download"]:
    shutil.copytree(state / "artifacts", words[words.index("--dir") + 1])
    sys.exit()
path = next(word for word in words if word.startswith("repos/acme/fleet/"))
comments = json.loads((state / "comments.json").read_text())
if "--jq" in words:
    answer = comments if path.endswith("/issues/7/comments") else \\
        {{"artifacts": [{{"name": entry.name}} for entry in sorted((state / "artifacts").iterdir())]}}
    sys.stdout.write(subprocess.run(["jq", "-r", words[words.index("--jq") + 1]], input=json.dumps(answer), text=True,
                                    capture_output=True, check=True).stdout)
    sys.exit()
body = open(words[words.index("-F") + 1].removeprefix("body=@")).read()
if words[words.index("--method") + 1] == "POST":
    assert path.endswith("/issues/7/comments"), path
    comments.append({{"id": 100 + len(comments), "user": {{"login": "github-actions[bot]"}}, "body": body}})
else:
    next(one for one in comments if path.endswith("/issues/comments/" + str(one["id"])))["body"] = body
(state / "comments.json").write_text(json.dumps(comments))
"""


class CommentTest(harness.KilnTest):
    """The job of kiln-comment.yml, with a GitHub of files."""

    def setUp(self):
        super().setUp()
        self.need_programs("jq")
        workflow = (harness.ROOT / "workflows/kiln-comment.yml").read_text()
        block = re.search(r"(?m)^ {8}run: \|\n((?: {10}.*\n|\n)+)", workflow)[1]
        self.script = self.write("comment.sh", block)
        self.write("bin/gh", GH.format(state=str(self.folder / "state")), mode=0o755)
        marked = "<!-- kiln: what the images of this pull request cost --> mine"
        self.write("state/comments.json", json.dumps([{"id": 100, "user": {"login": "somebody"}, "body": marked}]))
        (self.folder / "state/artifacts").mkdir()

    def comment(self, result="success", **artifacts):
        shutil.rmtree(self.folder / "state/artifacts")
        (self.folder / "state/artifacts").mkdir()
        for name, text in artifacts.items():
            self.write(f"state/artifacts/kiln-comment-{name}/kiln-comment.md", text)
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        env = self.environment(GITHUB_REPOSITORY="acme/fleet", GITHUB_RUN_ID="5", NUMBER="7", RESULT=result)
        env["PATH"] = f"{self.folder / 'bin'}:{env['PATH']}"
        done = harness.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", self.script], env=env, cwd=work)
        self.assertEqual(done.code, 0, done)
        return json.loads((self.folder / "state/comments.json").read_text())

    def test_one_comment_is_written_and_then_changed_and_those_of_others_stay(self):
        comments = self.comment(amd64="## kiln\ngrew by 1 MB\n")
        self.assertEqual(len(comments), 2)
        self.assertIn("grew by 1 MB", comments[1]["body"])
        self.assertNotIn("**amd64**", comments[1]["body"])
        comments = self.comment(amd64="## kiln\ngrew by 2 MB\n", arm64="## kiln\ngrew by 3 MB\n")
        self.assertEqual(len(comments), 2)
        self.assertRegex(comments[1]["body"], r"(?s)^<!-- kiln: .*\*\*amd64\*\*.*2 MB.*\*\*arm64\*\*.*3 MB")
        self.assertTrue(comments[0]["body"].endswith(" mine"))

    def test_a_run_that_built_nothing_says_so_only_where_something_was_said(self):
        self.assertEqual(len(self.comment()), 1)
        self.comment(amd64="grew by 1 MB\n")
        self.assertIn("grew by 1 MB", self.comment(result="failure")[1]["body"])
        self.assertIn("has all images", self.comment()[1]["body"])

    def test_what_is_longer_than_a_comment_may_be_is_cut(self):
        self.assertLess(len(self.comment(amd64="x" * 70_000)[1]["body"]), 65_536)

    def test_only_the_job_that_passes_a_text_on_can_write_to_the_pull_request(self):
        for path in sorted((harness.ROOT / "workflows").rglob("*.yml")):
            text = path.read_text()
            if path.name == "kiln-comment.yml":
                self.assertNotIn("uses:", text)
            elif path.name != "kiln.yml":
                self.assertNotIn("pull-requests:", text, path)


class ActionScriptTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox", "jq")
        self.server = self.registry()
        self.fleet = workflow_player.small_fleet(self, self.folder / "fleet", self.server.address)

    def test_a_push_gives_the_outputs_that_build_push_action_names(self):
        job = workflow_player.Runner(self, "push", self.fleet)
        result = job.run(TARGETS="base", PUSH="true")
        digest = self.kiln("digest", f"{self.server.address}/acme/base:latest").stdout.strip()
        self.assertEqual(job.outputs["digest"], digest)
        self.assertEqual(job.outputs["reference"], f"{self.server.address}/acme/base@{digest}")
        self.assertRegex(job.outputs["imageid"], r"^sha256:[0-9a-f]{64}$")
        self.assertIn("containerimage.digest", job.outputs["metadata"])
        self.assertRegex(result.stdout, r"(?m)^#\d+ DONE \S+ \[base .*\] COPY busybox /bin/sh$")
        summary = (job.folder / "summary").read_text()
        self.assertTrue(summary.startswith("## kiln\n"), summary)
        self.assertRegex(summary, r"(?m)^\| base \| .* \| `" + digest[7:19] + r"` \|$")

    def test_a_push_leaves_what_is_scanned_by_digest_and_its_sbom(self):
        job = workflow_player.Runner(self, "scan", self.fleet)
        job.run(TARGETS="one", PUSH="true")
        lines = [line.split() for line in (job.temp / "kiln-scan/references").read_text().splitlines()]
        self.assertEqual([number for number, _ in lines], ["0", "1"])
        self.assertEqual([reference for _, reference in lines], [job.outputs["reference"], job.outputs["other-references"]])
        for number, reference in lines:
            bill = json.loads((job.temp / f"kiln-scan/{number}.cdx.json").read_text())
            self.assertEqual(bill["metadata"]["component"]["version"], reference.split("@")[1])
        job.run(TARGETS="one")
        self.assertFalse((job.temp / "kiln-scan").exists())

    def test_sbom_provenance_and_the_key_are_passed_on(self):
        self.need_programs("openssl")
        key, public = self.folder / "ci.pem", self.folder / "ci.pub"
        self.run_program("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
        self.run_program("openssl", "pkey", "-in", key, "-pubout", "-out", public)
        job = workflow_player.Runner(self, "attested", self.fleet)
        result = job.run(TARGETS="base", PUSH="true", SBOM="true", PROVENANCE="mode=max", SIGNING_KEY=key.read_text())
        self.assertNotIn(key.read_text().splitlines()[1], result.output)
        self.kiln("verify", job.outputs["reference"], "--key", public)
        name, digest = job.outputs["reference"].split("@")
        # docker-registry has no API that lists what is attached; a tag does.
        status, _, body = self.server.get(f"/v2/{name.split('/', 1)[1]}/manifests/{digest.replace(':', '-')}",
                                          {"Accept": "application/vnd.oci.image.index.v1+json"})
        self.assertEqual(status, 200)
        listed = body.decode()
        for predicate in ("https://spdx.dev/Document", "https://slsa.dev/provenance/v1"):
            self.assertIn(predicate, listed)

    def test_a_pull_request_pushes_nothing(self):
        job = workflow_player.Runner(self, "pull-request", self.fleet)
        job.run(TARGETS="base")
        self.kiln("digest", f"{self.server.address}/acme/base:latest", code=3)

    def test_a_pull_request_is_compared_with_the_registry_and_growth_beyond_the_limit_fails_it(self):
        workflow_player.Runner(self, "main", self.fleet).run(TARGETS="one", PUSH="true")
        self.write(self.fleet / "images/one/app", os.urandom(50_000))
        job = workflow_player.Runner(self, "grown", self.fleet)
        job.run(TARGETS="one", AGAINST=":latest")
        comment = (job.temp / "kiln-comment.md").read_text()
        self.assertRegex(comment, r"\| one large, small \| .* \| \+\d+\.\d kB \| \d+\.\d kB \|")
        self.assertNotIn("| figure |", comment)
        result = job.run(TARGETS="one", AGAINST=":latest", GROWTH="1kB", code=1)
        self.assertRegex(result.stdout, r"(?m)^::error.*grew by")
        self.assertTrue((job.temp / "kiln-comment.md").is_file())
        self.server.stop()
        result = job.run(TARGETS="one", AGAINST=":latest")
        self.assertRegex(result.stdout, r"(?m)^::warning::nothing is compared with :latest: .")
        self.assertFalse((job.temp / "kiln-comment.md").exists())
        job.run(TARGETS="one", AGAINST=":latest", GROWTH="1kB", code=3)

    def test_an_error_is_annotated_at_its_line(self):
        self.write("fleet/images/base/Dockerfile", "FROM scratch\nCOPY nothing /\n")
        job = workflow_player.Runner(self, "broken", self.fleet)
        result = job.run(TARGETS="base", code=1)
        self.assertRegex(result.stdout, r"(?m)^::error file=images/base/Dockerfile,line=2::.*nothing")

    def test_what_a_run_prints_gives_the_runner_no_orders(self):
        with open(self.fleet / "images/base/Dockerfile", "a") as file:
            file.write("RUN echo ::add-path::/evil\n")
        job = workflow_player.Runner(self, "orders", self.fleet)
        obeyed, token = [], None
        for line in job.run(TARGETS="base", GITHUB_ACTIONS="true").stdout.splitlines():
            if token:
                token = None if line == f"::{token}::" else token
            elif line.startswith("::stop-commands::"):
                token = line.removeprefix("::stop-commands::")
                self.assertRegex(token, "^[0-9a-f]{32}$")
            elif line.startswith("::"):
                obeyed.append(line)
        self.assertEqual(len(obeyed), 2, obeyed)
        self.assertRegex(obeyed[0], r"^::group::#\d+ DONE \S+ \[base stage-0 3/3\] RUN echo ::add-path::/evil$")
        self.assertEqual(obeyed[1], "::endgroup::")

    def test_the_login_of_the_user_that_runs_the_job_counts(self):
        private = self.registry(user=("ci", "s3cret"))
        fleet = workflow_player.small_fleet(self, self.folder / "private", private.address)
        login = json.dumps({"auths": {private.address: {"auth": base64.b64encode(b"ci:s3cret").decode()}}})
        for name, inputs in (("home", {}), ("variable", {"DOCKER_AUTH_CONFIG": login}),
                             ("file", {"REGISTRY_AUTH_FILE": self.write("auth.json", login)})):
            with self.subTest(name):
                job = workflow_player.Runner(self, f"login-{name}", fleet)
                if name == "home":
                    self.write(job.folder / ".docker/config.json", login)
                job.run(TARGETS="base", PUSH="true", **inputs)
                self.assertRegex(job.outputs["digest"], "^sha256:")

    def test_the_key_that_signs_the_cache_and_the_proxy_reach_kiln(self):
        self.need_programs("openssl")
        key = self.folder / "ci.pem"
        self.run_program("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
        public = self.run_program("openssl", "pkey", "-in", key, "-pubout").stdout
        settings = json.loads((self.fleet / "images/fleet.json").read_text())
        settings["cache"] = {"sign": {"trust": [public]}}
        self.write(self.fleet / "images/fleet.json", json.dumps(settings))
        job = workflow_player.Runner(self, "signed", self.fleet)
        job.run(TARGETS="base", PUSH="true", CACHE=f"{self.server.address}/acme/cache", KILN_CACHE_SIGN_KEY=key)
        tags = self.kiln("ls", f"{self.server.address}/acme/cache").stdout.split()
        self.assertTrue(tags)
        job = workflow_player.Runner(self, "proxy", self.fleet)
        self.write(job.checkout / "images/base/Dockerfile", "FROM registry.invalid/none\n")
        result = job.run(TARGETS="base", code=3, HTTPS_PROXY="http://127.0.0.1:1")
        self.assertNotIn("resolve host", result.output)

    def test_variables_that_a_bake_file_names_reach_kiln_and_the_actions_own_words_do_not(self):
        bake = self.folder / "bake"
        self.write(bake / "Dockerfile", "FROM scratch\nARG WORDS\nCOPY Dockerfile /\nLABEL words=$WORDS\n")
        self.write(bake / "docker-bake.hcl", f"""
            variable "VERSION" {{ default = "unset" }}
            variable "PUSH" {{ default = "own" }}
            target "default" {{
              tags = ["{self.server.address}/acme/baked:${{VERSION}}"]
              args = {{ WORDS = PUSH }}
            }}
            """)
        workflow_player.Runner(self, "baked", bake).run(PUSH="true", VERSION="1.2")
        image = self.pushed_image(f"{self.server.address}/acme/baked:1.2")
        self.assertEqual(image.config["config"]["Labels"]["words"], "own")

    def test_the_token_is_masked_in_its_other_form_too(self):
        job = workflow_player.Runner(self, "token", self.fleet)
        result = job.run(COMMAND="matrix", GITHUB_TOKEN="not-a-real-token", GITHUB_ACTOR="octocat")
        self.assertTrue(result.stdout.startswith("::add-mask::b2N0b2NhdDpub3QtYS1yZWFsLXRva2Vu\n"), result)
        self.assertNotIn("not-a-real-token", result.output)


if __name__ == "__main__":
    harness.main()
