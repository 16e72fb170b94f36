#!/usr/bin/env python3
"""What people get wrong, and what machines do: the exit code, the words, and that nothing is lost."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time

import harness


class BadInput(harness.KilnTest):
    def build(self, dockerfile, *args, code=0, **options):
        self.write("app/Dockerfile", dockerfile)
        return self.kiln("build", "--progress", "plain", *args, "app", code=code, **options)

    def busybox(self):
        """A root with a shell, as a folder that `FROM scratch; COPY --from=rootfs / /` takes."""
        self.need_containers()
        self.need_programs("busybox")
        root = self.folder / "rootfs"
        (root / "bin").mkdir(parents=True, exist_ok=True)
        shutil.copy(shutil.which("busybox"), root / "bin/sh")
        return ["--build-context", f"rootfs={root}"]

    def test_a_missing_dockerfile(self):
        self.write("app/Dockerfil", "FROM scratch\n")
        result = self.kiln("build", "app", code=2)
        self.assertIn("there is no Dockerfile in 'app'", result.stderr)
        self.assertIn("Dockerfil", result.stderr)

    def test_a_syntax_error_is_shown_in_its_place(self):
        result = self.build("FROM scratch\nCOPPY a b\n", code=2)
        self.assertIn("Dockerfile:2", result.stderr)
        self.assertIn("did you mean 'COPY'?", result.stderr)
        self.assertIn(">>> COPPY a b", result.stderr)

    def test_no_byte_behind_a_link_that_leads_out_of_the_context_is_shown(self):
        self.write("host/secret", "S3CRET 1\nS3CRET 2\n")
        for name in ("Dockerfile", ".dockerignore", "Dockerfile.dockerignore"):
            with self.subTest(name):
                self.write("app/Dockerfile", "FROM scratch\nCOPY . /\n")
                link = self.folder / "app" / name
                link.unlink(missing_ok=True)
                link.symlink_to("../host/secret")
                for words in (["build", "app"], ["build", "-f", "app/Dockerfile", "app"]):
                    failed = self.kiln(*words, code=2)
                    self.assertIn("is a link that leads out of its source", failed.stderr)
                    self.assertNotIn("S3CRET", failed.output)
                link.unlink()
        self.write("app/common/Dockerfile", "FROM scratch\n")
        (self.folder / "app/Dockerfile").unlink(missing_ok=True)
        (self.folder / "app/Dockerfile").symlink_to("common/Dockerfile")
        self.kiln("build", "app")

    def test_a_copy_of_a_file_that_is_not_there(self):
        self.write("app/config.json", "{}")
        result = self.build("FROM scratch\nCOPY confg.json /\n", code=1)
        self.assertIn("Dockerfile:2: '/confg.json' is not in the build context; did you mean 'config.json'?", result.stderr)

    def test_a_copy_of_an_ignored_file_says_so(self):
        self.write("app/secret.txt", "x")
        self.write("app/.dockerignore", "*.txt\n")
        self.assertIn("is excluded by the ignore file", self.build("FROM scratch\nCOPY secret.txt /\n", code=1).stderr)

    def test_a_stage_that_is_not_there(self):
        result = self.build("FROM scratch AS runtime\n", "--target", "runtme", code=2)
        self.assertIn("did you mean 'runtime'?", result.stderr)

    def test_a_run_that_fails_shows_line_output_and_code(self):
        context = self.busybox()
        result = self.build("FROM scratch\nCOPY --from=rootfs / /\nRUN echo almost there; exit 7\n", *context, code=1)
        self.assertIn("Dockerfile:3", result.stderr)
        self.assertIn("exit code 7", result.stderr)
        self.assertIn("almost there", result.stderr)
        self.assertIn(">>> RUN echo almost there; exit 7", result.stderr)
        self.assert_store_is_sound()
        # The next run goes on from the last good step.
        again = self.build("FROM scratch\nCOPY --from=rootfs / /\nRUN echo there\n", *context)
        self.assertIn("from the cache", again.stderr)

    def test_a_registry_that_is_not_there(self):
        result = self.build("FROM 127.0.0.1:1/acme/base:1\n", code=3)
        self.assertIn("127.0.0.1:1", result.stderr)
        result = self.build("FROM scratch\nCOPY Dockerfile /\n", "-t", "127.0.0.1:1/acme/app:1", "--push", code=3)
        self.assertIn("127.0.0.1:1", result.stderr)
        self.assert_store_is_sound()

    def test_unknown_words(self):
        self.write("app/Dockerfile", "FROM scratch\n")
        self.assertIn("did you mean '--target'?", self.kiln("build", "--targt", "x", "app", code=2).stderr)
        self.assertIn("did you mean 'build'?", self.kiln("biuld", "app", code=2).stderr)

    def test_a_password_of_a_url_is_shown_by_no_word_that_takes_none(self):
        self.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        url = "https://user:canary-5517@example.com/x"
        for flag in ("--allow", "--annotation", "--build-context", "--ca-bundle", "--cache-from", "--cache-to", "--call", "--file",
                     "--iidfile", "--metadata-file", "--on-error", "--platform", "--policy", "--progress", "--pull",
                     "--secret", "--security", "--shm-size", "--ssh", "--tag", "--target", "--ulimit", f"--{url}"):
            with self.subTest(flag):
                result = self.kiln("build", f"{flag}={url}", "app", code=None)
                self.assertTrue(result.code != 0 or "WARNING" in result.stderr, result)
                self.assertNotIn("canary-5517", result.output)
        for line in (f"FROM {url}", f"FROM scratch\nCOPY --from={url} /a /b", f"FROM scratch\nCOPY {url} /",
                     f"FROM --platform={url} scratch", f"FROM scratch\n{url}"):
            with self.subTest(line):
                self.write("app/Dockerfile", line + "\n")
                result = self.kiln("build", "app", code=None)
                self.assertIn(result.code, (1, 2, 3))
                self.assertNotIn("canary-5517", result.output)
        self.write("app/Dockerfile", f"FROM scratch\nCOPY {url} /\n")
        self.assertIn("'https://xxxxx:xxxxx@example.com/x' is a URL, which COPY does not take; use ADD", self.kiln("build", "app", code=2).stderr)

    def test_a_word_too_many_behind_a_login_is_not_repeated(self):
        result = self.kiln("login", "ghcr.io", "-u", "ada", "--password-stdin", "canary-5517", code=2)
        self.assertIn("'kiln login' takes no further argument; a password is read from standard input", result.stderr)
        self.assertNotIn("canary-5517", result.output)

    def test_credentials_of_other_builders_caches_are_not_repeated(self):
        self.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        for words in ("type=s3,region=eu,bucket=b,secret_access_key=canary-5517", "type=azblob,secret_access_key=canary-5517",
                      "type=gha,token=canary-5517", "type=http,url=http://127.0.0.1:1/,token=canary-5517"):
            for flag in ("--cache-from", "--cache-to"):
                with self.subTest(flag=flag, words=words):
                    self.assertNotIn("canary-5517", self.kiln("build", flag, words, "app", code=2).output)

    def test_a_name_that_is_a_url_is_told_without_what(self):
        failed = self.build("FROM http://192.0.2.1:5000/acme/app:1\n", code=2)
        self.assertIn("a name begins with the registry's host; write it without 'http://'", failed.stderr)

    def test_a_build_arg_that_has_no_value_anywhere_is_told(self):
        told = self.build("FROM scratch\nARG NOWHERE_5517\nCOPY Dockerfile /\n", "--build-arg", "NOWHERE_5517", "--build-arg", "HTTPS_PROXY", code=0)
        self.assertIn("--build-arg 'NOWHERE_5517' is left out: it has no value, and the environment has no such variable", told.stderr)
        self.assertNotIn("HTTPS_PROXY", told.stderr)

    def test_no_message_shows_the_value_of_a_build_arg_that_looks_like_a_secret(self):
        # A folder is a context like an image's, so that no base is needed.
        words = ["--no-cache", "--build-context", "other=app", "--build-arg", "DB_PASSWORD=canary5517", "--build-arg", "WHERE=shown5518"]
        for line in ("COPY $DB_PASSWORD /x", "COPY $DB_PASSWORD/*.c /x", "COPY --from=other /$DB_PASSWORD /x", "WORKDIR /Dockerfile/$DB_PASSWORD",
                     "COPY --chmod=$DB_PASSWORD Dockerfile /x", "STOPSIGNAL $DB_PASSWORD", "EXPOSE $DB_PASSWORD",
                     "ENV A=${NOPE:?$DB_PASSWORD}", "COPY [$DB_PASSWORD /x", "ADD http://127.0.0.1:1/$DB_PASSWORD /x",
                     "ADD --checksum=$DB_PASSWORD http://127.0.0.1:1/a /x"):
            with self.subTest(line):
                failed = self.build(f"FROM scratch\nARG DB_PASSWORD\nCOPY Dockerfile /\n{line}\n", *words, code=None)
                self.assertNotEqual(failed.code, 0)
                self.assertIn("app/Dockerfile:4: ", failed.stderr)
                self.assertNotIn("canary5517", failed.output)
        self.assertIn("'/***' is not in the build context", self.build("FROM scratch\nARG DB_PASSWORD\nCOPY $DB_PASSWORD /x\n", *words, code=1).stderr)
        self.assertIn("'/shown5518' is not in the build context", self.build("FROM scratch\nARG WHERE\nCOPY $WHERE /x\n", *words, code=1).stderr)

    def test_a_full_disk_loses_nothing(self):
        self.need_root()
        self.home.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", self.home], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.home])
        self.write("app/small", "x" * 1000)
        self.write("app/large", os.urandom(6_000_000))
        dockerfile = "FROM scratch\nCOPY small /\nCOPY large /\n"
        result = self.build(dockerfile, "-t", "acme/app:1", code=4)
        self.assertIn("no space left on device", result.stderr)
        subprocess.run(["mount", "-o", "remount,size=60m", self.home], check=True)
        again = self.build(dockerfile, "-t", "acme/app:1")
        self.assertIn("from the cache", again.stderr)
        self.assertIn("large", self.stored_image("docker.io/acme/app:1").files())

    def test_a_stop_leaves_no_process_no_mount_and_a_sound_store(self):
        context = self.busybox()
        self.write("app/Dockerfile", "FROM scratch\nCOPY --from=rootfs / /\nRUN echo begun; while :; do :; done\n")
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)):
            with self.subTest(signal=number):
                process = subprocess.Popen([harness.kiln_binary(), "build", "--progress", "plain", *context, "app"],
                                           cwd=self.folder, env=self.environment(), stderr=subprocess.PIPE, text=True)
                for line in process.stderr:
                    if "begun" in line and "RUN" not in line:
                        break
                process.send_signal(number)
                process.stderr.read()
                self.assertEqual(process.wait(30), code)
                deadline = time.monotonic() + 20
                while self.leftovers() and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertEqual(self.leftovers(), [])
        self.write("app/Dockerfile", "FROM scratch\nCOPY --from=rootfs / /\nRUN echo done\n")
        self.kiln("build", *context, "-t", "acme/app:1", "app")
        self.stored_image("docker.io/acme/app:1")

    def test_a_stop_ends_a_wait_for_a_lock_that_somebody_holds(self):
        self.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.kiln("build", "app")
        for lock in ("leases", "store"):
            for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
                with self.subTest(lock=lock, signal=number), open(self.home / "locks" / lock) as held:
                    fcntl.flock(held, fcntl.LOCK_EX)
                    process = subprocess.Popen([harness.kiln_binary(), "build", "-q", "-t", "acme/app:1", "app"], cwd=self.folder,
                                               env=self.environment(), stderr=subprocess.PIPE, text=True)
                    try:
                        with self.assertRaises(subprocess.TimeoutExpired):
                            process.wait(2)
                        process.send_signal(number)
                        self.assertEqual(process.wait(10), code)
                        self.assertIn(f"stopped by signal {number}", process.stderr.read())
                    finally:
                        process.kill()
                        process.wait()
        self.kiln("build", "-t", "acme/app:1", "app")
        self.stored_image("docker.io/acme/app:1")

    def test_an_error_gives_a_terminal_no_orders(self):
        told = self.kiln("images", env={"KILN_HOME": self.write("none\x1b[2J\u202e\x07")}, code=4).stderr
        self.assertIn("none\\x1b[2J\\xe2\\x80\\xae\\x07", told)
        self.assertNotRegex(told, "[\x00-\x08\x0b-\x1f\x7f\u202e]")

    def leftovers(self):
        """Mounts below this test's folder, and processes that run its busybox."""
        found = [line for line in open("/proc/self/mounts") if str(self.folder) in line]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = open(f"/proc/{pid}/cmdline").read()
            except OSError:
                continue
            if "echo begun" in command and "while :" in command:
                found.append(command)
        return found


class BadDefinitions(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme", "profiles_folder": "../profiles"}')
        self.image("base-utils", "FROM scratch\n")

    def image(self, name, dockerfile, definition=None):
        self.write(f"images/{name}/Dockerfile", dockerfile)
        self.write(f"images/{name}/image.json", json.dumps(definition or {"kind": "base"}))

    def refused(self, *words, args=()):
        stderr = self.kiln("bake", "--print", *args, code=2).stderr
        for word in words:
            self.assertIn(word, stderr)

    def test_an_unknown_parent(self):
        self.image("app", "FROM base-util\n")
        self.refused("images/app/Dockerfile:1", "unknown parent 'base-util'", "did you mean 'base-utils'?")

    def test_a_cycle(self):
        self.image("a", "FROM b\n")
        self.image("b", "FROM a\n")
        self.refused("Dockerfile:1", "cycle", "a -> b -> a")

    def test_an_unknown_key_and_a_wrong_type(self):
        self.image("app", "FROM scratch\n", {"kind": "base", "dockerfil": "x"})
        self.refused("images/app/image.json:1", "did you mean 'dockerfile'?")
        self.image("app", "FROM scratch\n", {"kind": "base", "context": 7})
        self.refused("images/app/image.json:1")

    def test_an_unknown_profile_key(self):
        self.write("profiles/mainpc.json", '{\n  "OMP_NUM_THREAD": "4"\n}')
        self.image("app", "FROM scratch\n", {"kind": "service", "profiles": ["mainpc"]})
        self.refused("profiles/mainpc.json:2", "did you mean 'OMP_NUM_THREADS'?")

    def test_all_broken_definitions_are_told_at_once(self):
        self.write("images/one/image.json", '{\n  "kind": "base",\n  "contxt": "x",\n  "target": 7\n}')
        self.write("images/two/image.json", '{"kind": "base", "tags": ["{nothing}"]}')
        self.refused("images/one/image.json:3: unknown key 'contxt'; did you mean 'context'?", "images/one/image.json:4: ",
                     "images/two/image.json:1: there is no Dockerfile 'images/two/Dockerfile'", "{nothing}")

    def test_mistakes_of_definitions_and_of_dockerfiles_are_told_together(self):
        self.image("key", "FROM scratch\n", {"kind": "base", "contxt": "x"})
        self.image("spelt", "FROM scratch\nCOPPY a b\n")
        self.image("child", "FROM nowhere\n")
        self.refused("error: images/key/image.json:1: unknown key 'contxt'", "images/spelt/Dockerfile:2: unknown instruction 'COPPY'",
                     ">>> COPPY a b", "images/child/Dockerfile:1: unknown parent 'nowhere'")
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespce": "acme",\n"groups": {"all": ["nothing"]}}')
        self.refused("error: images/fleet.json:1: unknown key 'namespce'", "images/key/image.json:1: unknown key 'contxt'")
        self.write("images/fleet.json", '{"registry": "ghcr.io",\n"groups": {"all": ["nothing"], "some": ["spelt", "none"]}}')
        self.refused("error: images/fleet.json:2: unknown image, target or group 'nothing'",
                     "images/fleet.json:2: unknown image, target or group 'none'", "images/key/image.json:1: unknown key 'contxt'")

    def test_images_of_one_name_stop_only_what_needs_that_name(self):
        self.image("one", "FROM scratch\n", {"kind": "base", "name": "app"})
        self.image("two", "FROM scratch\n", {"kind": "base", "name": "app"})
        self.image("child", "FROM app\n")
        self.image("key", "FROM scratch\n", {"kind": "base", "contxt": "x"})
        problem = "images/two/image.json:1: two images have the name 'app'; the other is in 'images/one/image.json'"
        self.assertIn(f"'app' is left out, and what is built from it: {problem}", self.kiln("bake", "--print", "base-utils").stderr)
        self.refused(f"error: {problem}, which 'child' is built from", args=["child"])
        self.refused(problem, "images/key/image.json:1: unknown key 'contxt'")

    def test_a_broken_definition_stops_only_what_needs_it(self):
        self.image("broken", "FROM scratch\n", {"kind": "base", "contxt": "x"})
        self.image("child", "FROM ghcr.io/acme/broken\n")
        self.image("other", "FROM base-utils\n")
        result = self.kiln("bake", "--print", "other")
        self.assertEqual(set(json.loads(result.stdout)["target"]), {"base-utils", "other"})
        self.assertIn("warning: 'broken' is left out, and what is built from it: images/broken/image.json:1: unknown key 'contxt'", result.stderr)
        self.kiln("plan", "other")
        self.kiln("matrix", "other")
        self.refused("error: images/broken/image.json:1: unknown key 'contxt'", "which 'child' is built from", args=["child"])
        self.refused("error: images/broken/image.json:1: unknown key 'contxt'", args=["broken"])
        self.refused("error: images/broken/image.json:1: unknown key 'contxt'")

    def test_a_broken_dockerfile_stops_only_what_needs_it(self):
        self.image("spelt", "FROM scratch\nCOPPY a b\n")
        self.image("orphan", "FROM nowhere\n")
        self.image("child", "FROM ghcr.io/acme/spelt\n")
        self.image("other", "FROM base-utils\nCOPY Dockerfile /\n")
        result = self.kiln("bake", "--print", "other")
        self.assertEqual(set(json.loads(result.stdout)["target"]), {"base-utils", "other"})
        left_out = "'spelt' is left out, and what is built from it: images/spelt/Dockerfile:2: unknown instruction 'COPPY'"
        self.assertIn(left_out, result.stderr)
        self.assertIn(left_out, self.kiln("bake", "--check", "other", code=None).stderr)
        self.assertIn(left_out, self.kiln("plan", "other").stdout)
        self.kiln("matrix", "other")
        baked = self.kiln("bake", "--progress", "plain", "other")
        self.assertIn("'spelt' is left out, and what is built from it: images/spelt/Dockerfile:2: unknown instruction 'COPPY'", baked.stderr)
        self.assertIn("'orphan' is left out, and what is built from it: images/orphan/Dockerfile:1: unknown parent 'nowhere'", baked.stderr)
        self.refused("error: images/spelt/Dockerfile:2: unknown instruction 'COPPY'", "which 'child' is built from", args=["child"])
        self.refused("error: images/spelt/Dockerfile:2: unknown instruction 'COPPY'", ">>> COPPY a b", args=["spelt"])
        self.refused("error: images/")

    def test_a_broken_profile_stops_only_what_is_built_for_it(self):
        self.write("profiles/good.json", '{"OMP_NUM_THREADS": "4"}')
        self.write("profiles/broken.json", '{"OMP_NUM_THREAD": "4"}')
        self.write("profiles/heir.json", '{"extends": "broken"}')
        self.image("app", "FROM scratch\nCOPY Dockerfile /\n", {"kind": "service", "profiles": ["good", "broken", "heir"]})
        problem = "profiles/broken.json:1: unknown key 'OMP_NUM_THREAD'"
        for words in ("bake --print app-good base-utils", "plan app-good", "matrix app-good", "bake app-good", "profile show good",
                      "profile diff good good"):
            with self.subTest(words):
                self.assertIn(f"profile 'broken' is left out, and what is built for it: {problem}", self.kiln(*words.split()).stderr)
        for target in ("app-broken", "app-heir", "app"):
            self.refused(f"error: {problem}", args=[target])
        self.assertIn(problem, self.kiln("profile", "check", code=2).stderr)

    def test_a_broken_profile_that_is_asked_for_says_what_is_wrong_with_it_and_no_other_waits_for_it(self):
        self.write("profiles/good.json", '{"OMP_NUM_THREADS": "4"}')
        self.write("profiles/broken.json", '{"OMP_NUM_THREAD": "4"}')
        self.image("app", "FROM scratch\nCOPY Dockerfile /\n", {"kind": "service", "profiles": ["good", "broken"]})
        printed = json.loads(self.kiln("bake", "--print", "--profile", "good").stdout)
        self.assertIn("app-good", printed["target"])
        self.assertNotIn("app-broken", printed["target"])
        for words in (["--profile", "broken"], ["app", "--profile", "broken"]):
            self.refused("error: profiles/broken.json:1: unknown key 'OMP_NUM_THREAD'", args=words)
        self.refused("error: unknown profile 'borken'", args=["--profile", "borken"])
        self.assertIn("error: profile 'broken' cannot be read, as said above", self.kiln("profile", "show", "broken", code=2).stderr)

    def test_a_value_that_cannot_be_is_told_with_the_images_name(self):
        self.image("app", "FROM scratch\n", {"kind": "base", "shm_size": "64zz"})
        self.refused("error: images/app/image.json:1: target 'app': shm-size '64zz' is not valid; expected a size such as 64m")

    def test_what_is_not_broken_is_locked(self):
        self.image("broken", "FROM scratch\n", {"kind": "base", "contxt": "x"})
        self.image("spelt", "FROM scratch\nCOPPY a b\n")
        locked = self.kiln("lock")
        self.assertIn("'broken' is left out", locked.stderr)
        self.assertIn("'spelt' is left out", locked.stderr)

    def test_a_dockerfile_beside_debian_is_the_images_own(self):
        debian = {"kind": "base", "debian": {"suite": "bookworm", "variant": "minbase"}}
        self.image("os", "FROM debian\nRUN install\n", debian)
        self.write("images/bare/image.json", json.dumps(debian))
        targets = json.loads(self.kiln("bake", "--print", "os", "bare").stdout)["target"]
        self.assertEqual(targets["os"]["dockerfile"], "Dockerfile")
        self.assertNotIn("dockerfile", targets["bare"])

    def test_a_missing_dockerfile_names_the_target_and_what_to_do(self):
        self.write("gen/Dockerfil", "FROM scratch\n")
        self.write("docker-bake.json", json.dumps({"target": {"app": {"context": "gen"}, "gone": {"context": "nowhere"}}}))
        missing = "error: target 'app': there is no Dockerfile 'gen/Dockerfile'; did you mean 'Dockerfil'?; \"dockerfile\" of the target"
        for command in (["bake"], ["plan"], ["matrix"], ["bake", "--check"]):
            result = self.kiln(*command, "-f", "docker-bake.json", "app", code=2)
            self.assertIn(missing, result.stderr)
        self.assertIn("target 'gone': there is no folder 'nowhere'",
                      self.kiln("bake", "-f", "docker-bake.json", "gone", code=2).stderr)
        self.kiln("bake", "-f", "docker-bake.json", "--print", "app")
        self.refused("target 'base-utils': there is no Dockerfile 'images/base-utils/Other'", args=["--set", "base-utils.dockerfile=Other"])

    def test_unknown_targets_and_profiles(self):
        self.refused("did you mean 'base-utils'?", args=["base-utls"])
        self.write("profiles/mainpc.json", '{"OMP_NUM_THREADS": "4"}')
        self.refused("mainpc", args=["--profile", "mainpcs"])

    def test_a_mistake_in_an_hcl_file_is_shown_with_its_place(self):
        self.write("docker-bake.hcl", 'target "x" {\n  tags = [TGA]\n}\nvariable "TAG" {}\n')
        self.refused("docker-bake.hcl:2:11: unknown variable 'TGA'; did you mean 'TAG'?", "2 |   tags = [TGA]", args=["-f", "docker-bake.hcl"])


if __name__ == "__main__":
    harness.main()
