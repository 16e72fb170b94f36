#!/usr/bin/env python3
"""kiln why: each step of a build, hit or miss, and of a miss the very input that changed."""

import json
import shutil

import harness
from tests.support.many_services import write_fleet


class Why(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        context = self.folder / "app"
        context.mkdir()
        shutil.copy(shutil.which("busybox"), context / "busybox")
        self.write("app/one.txt", "1")
        self.write("app/src/main.py", "print(1)")
        self.write("app/src/other.py", "print(2)")
        self.write("app/Dockerfile", """
            FROM scratch
            ARG VERSION=1
            ARG API_TOKEN
            ENV MODE=fast
            COPY --chmod=755 busybox /bin/busybox
            COPY src /app/
            RUN ["/bin/busybox", "touch", "/made"]
            RUN --mount=type=bind,source=.,target=/src ["/bin/busybox", "cp", "/src/one.txt", "/two.txt"]
        """)

    def build(self, *args, code=0):
        self.kiln("build", "-t", "app:1", *args, "app", code=code)

    def why(self, *args):
        return json.loads(self.kiln("why", "--json", *args).stdout)

    def steps(self, *args):
        return self.why(*args)["targets"][0]["steps"]

    def differences(self, *args):
        """By line: what changed, for the steps that missed."""
        return {step["line"]: [item["text"] for item in step["differences"]] for step in self.steps(*args) if step["outcome"] != "hit"}

    def test_a_first_build_and_its_repetition(self):
        self.assertIn("no record of any build", self.kiln("why", code=2).stderr)
        self.build()
        steps = self.steps("app:1")
        self.assertEqual([step["outcome"] for step in steps], ["built"] * 4)
        self.assertEqual(steps[0]["reason"], "no earlier build of this step")
        self.build()
        steps = self.steps("docker.io/library/app:1")
        self.assertEqual([(step["outcome"], step["from"]) for step in steps], [("hit", "local")] * 4)
        self.assertTrue(all(step["bytes"] > 0 for step in steps[:2]))
        self.assertIn("4 hits, 0 misses", self.kiln("why").stdout)
        self.assertIn("did you mean 'docker.io/library/app:1'", self.kiln("why", "docker.io/library/ap:1", code=2).stderr)

    def test_a_changed_file_is_named_and_what_was_built_on_it_names_the_line(self):
        self.build()
        self.write("app/src/main.py", "print(3)")
        self.build()
        changed = self.differences("app:1")
        self.assertEqual(sorted(changed), [6, 7, 8])
        self.assertEqual(changed[6], ["file src/main.py changed"])
        self.assertEqual(changed[7], ["parent layer 2 (COPY src /app/, app/Dockerfile:6) changed"])
        self.assertIn("parent layer 2 (COPY src /app/, app/Dockerfile:6) changed", changed[8])
        self.assertIn("file src/main.py changed", changed[8], "the mount shows the file too")
        text = self.kiln("why", "app:1").stdout
        self.assertIn("file src/main.py changed", text)
        self.assertIn("to hit: keep 'src/main.py' as it was", text)

    def test_a_file_that_only_a_mount_shows_is_named(self):
        self.build()
        self.write("app/one.txt", "2")
        self.build()
        self.assertEqual(self.differences(), {8: ["file one.txt changed"]})

    def test_an_arg_is_named_with_both_values_and_a_secret_without(self):
        self.build("--build-arg", "API_TOKEN=hunter2")
        self.build("--build-arg", "VERSION=2", "--build-arg", "API_TOKEN=hunter3")
        changed = self.differences()
        self.assertEqual(changed[7], ["ARG VERSION changed from '1' to '2'", "ARG API_TOKEN changed"])
        self.assertIn("pass --build-arg VERSION=1", self.kiln("why").stdout)
        # The image's own history shows the value of an ARG, as docker's does; no record does.
        for folder in ("builds", "reports", "steps"):
            for path in (self.home / folder).rglob("*"):
                if path.is_file():
                    self.assertNotIn(b"hunter", path.read_bytes(), path)

    def test_env_and_the_edited_line_are_named(self):
        self.build()
        dockerfile = self.folder / "app/Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("MODE=fast", "MODE=slow").replace("/made", "/done"))
        self.build()
        changed = self.differences()
        self.assertIn("ENV MODE changed from 'fast' to 'slow'", changed[7])
        self.assertIn("command changed from '/bin/busybox touch /made' to '/bin/busybox touch /done'", changed[7])

    def test_the_nearest_earlier_build_is_compared_with(self):
        self.build()
        self.build("--build-arg", "VERSION=2", "--build-arg", "API_TOKEN=x")
        self.build("--build-arg", "VERSION=3")
        # The first build differs in VERSION alone, the second one in API_TOKEN too.
        self.assertEqual(self.differences()[7], ["ARG VERSION changed from '1' to '3'"])

    def test_a_build_is_named_by_its_id_and_one_that_failed_is_kept(self):
        self.build()
        first = self.why()["build"]
        dockerfile = self.folder / "app/Dockerfile"
        dockerfile.write_text(dockerfile.read_text() + 'RUN ["/bin/busybox", "false"]\n')
        self.build(code=1)
        last = self.why()
        self.assertTrue(last["failed"])
        self.assertEqual(last["targets"][0]["steps"][-1]["outcome"], "failed")
        self.assertEqual(self.why("--build", first)["build"], first)
        self.assertFalse(self.why("--build", first[:-2])["failed"])
        self.assertIn("no record of a build 'x'", self.kiln("why", "--build", "x", code=2).stderr)

    def test_without_the_cache_the_reason_is_that(self):
        self.build()
        self.build("--no-cache")
        self.assertTrue(all(step["reason"] == "the cache was not to be used" for step in self.steps()))
        self.assertIn("leave out --no-cache", self.kiln("why").stdout)

    def test_a_profiles_key_is_named(self):
        self.write("repo/images/fleet.json", json.dumps({
            "registry": "ghcr.io", "namespace": "acme", "profiles": ["big"], "profiles_folder": "../profiles", "tags": ["latest"]}))
        self.write("repo/profiles/big.json", '{"OMP_NUM_THREADS": "16"}')
        self.write("repo/images/tool/image.json", '{"kind": "service"}')
        self.write("repo/images/tool/Dockerfile", """
            FROM scratch
            COPY --chmod=755 busybox /bin/busybox
            ARG OMP_NUM_THREADS
            RUN ["/bin/busybox", "touch", "/made"]
        """)
        shutil.copy(shutil.which("busybox"), self.folder / "repo/images/tool/busybox")
        self.kiln("bake", cwd=self.folder / "repo")
        self.write("repo/profiles/big.json", '{"OMP_NUM_THREADS": "8"}')
        self.kiln("bake", cwd=self.folder / "repo")
        self.assertEqual(self.differences("tool"), {4: ["profile OMP_NUM_THREADS changed from '16' to '8'"]})
        self.assertEqual(self.why("tool-big")["targets"][0]["profile"], "big")

    def write_fleet(self, repository, line):
        self.write(f"{repository}/images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme", "tags": ["latest"]}')
        for name, kind in (("os", "base"), ("tools", "family"), ("app", "service")):
            self.write(f"{repository}/images/{name}/image.json", json.dumps({"kind": kind}))
        self.write(f"{repository}/images/os/Dockerfile", "FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\n")
        shutil.copy(shutil.which("busybox"), self.folder / repository / "images/os/busybox")
        self.write(f"{repository}/images/tools/Dockerfile", f'FROM os\nRUN ["/bin/busybox", "touch", "/{line}"]\n')
        self.write(f"{repository}/images/app/Dockerfile", 'FROM tools\nCOPY file /file\n')
        self.write(f"{repository}/images/app/file", "1")

    def test_the_misses_of_what_an_image_is_built_from_are_shown_before_its_own(self):
        self.write_fleet("repo", "one")
        self.kiln("bake", cwd=self.folder / "repo")
        self.write_fleet("repo", "two")
        self.kiln("bake", cwd=self.folder / "repo")
        found = self.why("app")
        self.assertEqual([target["name"] for target in found["targets"]], ["app"])
        self.assertEqual([target["name"] for target in found["bases"]], ["os", "tools"])
        self.assertEqual([[step["outcome"] for step in target["steps"]] for target in found["bases"]], [["hit"], ["built"]])
        text = self.kiln("why", "app").stdout
        self.assertLess(text.index("tools (linux/"), text.index("app (linux/"))
        self.assertNotIn("os (linux/", text)
        self.assertIn("command changed from '/bin/busybox touch /one' to '/bin/busybox touch /two'", text)

    def test_the_first_cause_in_a_chain_is_named_once_with_what_was_rebuilt_because_of_it(self):
        services = 3
        write_fleet(self.folder / "repo", services, 1, 2)
        self.kiln("bake", cwd=self.folder / "repo")
        dockerfile = self.folder / "repo/images/base-app/Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("installing", "fetching").replace("/installed-", "/fetched-"))
        self.kiln("bake", cwd=self.folder / "repo")
        cause = f"images/base-app/Dockerfile:2 changed; {1 + 2 * services} images rebuilt because of it"
        for word in ("service-01", "service-01-large", "family-00", "base-app"):
            text = self.kiln("why", word, cwd=self.folder / "repo").stdout
            self.assertEqual(text.count("first cause"), 1, text)
            self.assertIn(f"first cause: {cause}\n", text)
        text = self.kiln("why", "service-01-large", cwd=self.folder / "repo").stdout
        self.assertRegex(text, r"(?m)^service-01-large \(linux/\w+\): \d+ hits, .*; below it 2 misses that cost [0-9.]+ s and ")
        found = json.loads(self.kiln("why", "service-01-large", "--json", cwd=self.folder / "repo").stdout)
        self.assertEqual([item["text"] for item in found["causes"]], [cause])
        self.assertEqual(found["targets"][0]["below"]["misses"], 2)
        self.assertEqual(len(found["causes"][0]["rebuilt"]), 1 + 2 * services)
        # Of all images of a fleet only what missed by itself is told step by step.
        write_fleet(self.folder / "large", 6, 2, 2)
        self.kiln("bake", cwd=self.folder / "large")
        self.write("large/images/family-01/Dockerfile", "FROM base-app\nRUN echo other > /other\n")
        self.kiln("bake", cwd=self.folder / "large")
        text = self.kiln("why", cwd=self.folder / "large").stdout
        self.assertIn("first cause: images/family-01/Dockerfile:2 changed; 6 images rebuilt because of it\n", text)
        self.assertRegex(text, r"(?m)^service-01-\w+ \(.*, because of images/family-01/Dockerfile:2$")
        self.assertIn("of 16 targets executed nothing", text)

    def test_an_image_of_the_same_name_that_another_folders_dockerfile_built_is_not_mixed_in(self):
        self.write_fleet("repo", "x")
        self.kiln("bake", cwd=self.folder / "repo")
        self.write("elsewhere/one/two/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.kiln("build", "-t", "ghcr.io/acme/app:latest", "one/two", cwd=self.folder / "elsewhere")
        found = json.loads(self.kiln("why", "ghcr.io/acme/app:latest", "--json", cwd=self.folder / "repo").stdout)
        self.assertEqual(found["fleet"], str(self.folder / "repo/images"))

    def test_builds_of_another_fleet_with_an_image_of_the_same_name_are_not_mixed_in(self):
        self.write_fleet("one", "x")
        self.write_fleet("two", "x")
        self.kiln("bake", cwd=self.folder / "one")
        self.kiln("bake", cwd=self.folder / "two")
        for repository in ("one", "two"):
            found = json.loads(self.kiln("why", "app", "--json", cwd=self.folder / repository).stdout)
            self.assertEqual(found["fleet"], str(self.folder / repository / "images"))
        (self.folder / "three").mkdir()
        self.assertIn(f"of '{self.folder}/two/images'", self.kiln("why", "app", cwd=self.folder / "three").stdout)


if __name__ == "__main__":
    harness.main()
