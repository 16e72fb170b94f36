#!/usr/bin/env python3
"""A whole run of the workflows, played: each job of each wave with an empty store and a checkout of its own, sharing nothing but
a registry and the cache in it."""

import json

import harness
import workflow_player


class PlayedWaves(harness.KilnTest):
    platforms = None  # of the fleet's images

    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox", "jq")
        self.server = self.registry()
        self.fleet = workflow_player.small_fleet(self, self.folder / "fleet", self.server.address, self.platforms)
        self.cache = f"{self.server.address}/acme/kiln-cache"
        self.built = []

    def digest(self, name):
        return self.kiln("digest", f"{self.server.address}/acme/{name}:latest").stdout.strip()

    def play(self, run):
        """plan, then every wave; the targets by wave."""
        plan = workflow_player.Runner(self, f"{run}-plan", self.fleet)
        plan.run(COMMAND="matrix", PUSH="true", RUNNER="ubuntu-24.04 linux/amd64/v2=new-machine")
        waves = []
        for wave in range(6):
            rows = workflow_player.rows(plan.outputs, wave)
            if rows:
                waves.append([self.told(row) for row in rows])
            for row in rows:
                self.play_row(run, row)
        return waves

    def told(self, row):
        return row["target"]

    def play_row(self, run, row):
        job = workflow_player.Runner(self, f"{run}-{row['id']}", self.fleet)
        job.run(COMMAND=row["command"], TARGETS=row["target"], PLATFORM=row["platform"], PARENTS=row["parents"], PUSH="true",
                CACHE=self.cache)
        if row["command"] == "bake":
            self.built += [(step["key"], step["text"]) for step in job.report()["steps"] if step["outcome"] == "built"]
        return job


class WavesTest(PlayedWaves):
    def test_waves_equal_one_machine_and_execute_each_step_once(self):
        waves = self.play("first")
        self.assertEqual(waves, [["base"], ["family"], ["one-large one-small", "two-large two-small"]])
        self.assertEqual(len(self.built), len({key for key, _ in self.built}), self.built)
        # COPY and RUN of base, RUN of family, RUN and COPY of one, RUN of two for each profile, and its COPY.
        self.assertEqual(len(self.built), 8, self.built)

        pushed = {name: self.digest(name) for name in ("base", "family", "one-large", "one-small", "two-large", "two-small")}
        one = workflow_player.Runner(self, "one-machine", self.fleet)
        one.run(CACHE=self.cache)
        report = one.report()
        self.assertEqual({step["outcome"] for step in report["steps"]}, {"hit"})
        names = {f"{image['name']}-{image['profile']}" if image["profile"] else image["name"]: image["digest"] for image in report["images"]}
        self.assertEqual(names, {name: pushed[name] for name in names})
        self.assertEqual(len(names), 6)

        self.assertEqual(self.play("again"), [])

        self.write(self.fleet / "images/one/app", "changed\n")
        self.built = []
        self.assertEqual(self.play("change"), [["one-large one-small"]])
        self.assertEqual([text for _, text in self.built], ["COPY app /app"])
        self.assertEqual(self.digest("family"), pushed["family"])
        self.assertNotEqual(self.digest("one-large"), pushed["one-large"])

    def test_a_wave_whose_parent_is_another_image_fails_before_it_pushes(self):
        self.play("first")
        before = self.digest("one-large")
        self.write(self.fleet / "images/one/app", "changed\n")
        job = workflow_player.Runner(self, "without-cache", self.fleet)
        wrong = job.run(TARGETS="one-large", PARENTS=f"family={self.server.address}/acme/family@{self.digest('family')}", PUSH="true", code=1)
        self.assertIn("is pinned to", wrong.stdout)
        self.assertEqual(self.digest("one-large"), before)


class PlatformWavesTest(PlayedWaves):
    """Each platform of an image is a job, a wave later another makes the index, and children wait for their platform alone."""

    platforms = ["linux/amd64", "linux/amd64/v2"]

    def told(self, row):
        return f"{row['target']} {'index' if row['command'] == 'index' else row['platform']} {row['runner']}"

    def test_the_indexes_of_waves_are_those_that_one_machine_would_push(self):
        self.assertEqual(self.play("first"), [
            ["base linux/amd64 ubuntu-24.04", "base linux/amd64/v2 new-machine"],
            ["base index ubuntu-24.04", "family linux/amd64 ubuntu-24.04", "family linux/amd64/v2 new-machine"],
            ["family index ubuntu-24.04", "one-large one-small linux/amd64 ubuntu-24.04", "one-large one-small linux/amd64/v2 new-machine",
             "two-large two-small linux/amd64 ubuntu-24.04", "two-large two-small linux/amd64/v2 new-machine"],
            ["one-large one-small index ubuntu-24.04", "two-large two-small index ubuntu-24.04"]])
        self.assertEqual(len(self.built), len({key for key, _ in self.built}), self.built)
        names = ("base", "family", "one-large", "one-small", "two-large", "two-small")
        pushed = {name: self.digest(name) for name in names}
        tags = self.kiln("ls", f"{self.server.address}/acme/base").stdout
        self.assertRegex(tags, r"inputs-[0-9a-f]{32}-linux-amd64-v2\b")

        one = workflow_player.Runner(self, "one-machine", self.fleet)
        one.run(PUSH="true", CACHE=self.cache)
        self.assertEqual({step["outcome"] for step in one.report()["steps"]}, {"hit"})
        self.assertEqual({name: self.digest(name) for name in names}, pushed)
        for name in names:
            for platform in self.platforms:
                image = self.pushed_image(f"{self.server.address}/acme/{name}:latest", platform=platform)
                self.assertEqual(image.config.get("variant", ""), "v2" if platform.endswith("v2") else "")
        self.assertEqual(self.play("again"), [])

        self.write(self.fleet / "images/one/app", "changed\n")
        self.assertEqual(self.play("change"), [
            ["one-large one-small linux/amd64 ubuntu-24.04", "one-large one-small linux/amd64/v2 new-machine"],
            ["one-large one-small index ubuntu-24.04"]])
        self.assertEqual(self.digest("family"), pushed["family"])
        self.assertNotEqual(self.digest("one-large"), pushed["one-large"])

    def test_a_platform_that_is_there_is_not_built_again_and_an_index_needs_all(self):
        plan = workflow_player.Runner(self, "plan", self.fleet)
        plan.run(COMMAND="matrix", PUSH="true", TARGETS="base")
        first, second = workflow_player.rows(plan.outputs, 0)
        self.play_row("half", first)
        self.kiln("digest", f"{self.server.address}/acme/base:latest", code=3)
        wrong = workflow_player.Runner(self, "too-early", self.fleet).run(COMMAND="index", TARGETS="base", code=3)
        self.assertIn(f"the image of 'base' for {second['platform']} is not at the registry", wrong.stdout)

        plan = workflow_player.Runner(self, "plan-again", self.fleet)
        plan.run(COMMAND="matrix", PUSH="true", TARGETS="base")
        waves = [[(row["command"], row["platform"]) for row in workflow_player.rows(plan.outputs, wave)] for wave in range(2)]
        self.assertEqual(waves, [[("bake", second["platform"])], [("index", "linux/amd64,linux/amd64/v2")]])
        job = self.play_row("other-half", second)
        self.assertRegex(job.outputs["reference"], rf"^{self.server.address}/acme/base@sha256:[0-9a-f]{{64}}$")
        job = self.play_row("index", workflow_player.rows(plan.outputs, 1)[0])
        self.assertEqual(job.outputs["digest"], self.digest("base"))
        self.assertEqual(job.outputs["reference"], f"{self.server.address}/acme/base@{self.digest('base')}")

    def test_a_platform_whose_parent_is_another_image_fails_before_it_pushes(self):
        self.play("first")
        before = self.digest("one-large")
        self.write(self.fleet / "images/one/app", "changed\n")
        pin = f"family={self.server.address}/acme/family@{self.digest('family')}"
        job = workflow_player.Runner(self, "without-cache", self.fleet)
        wrong = job.run(TARGETS="one-large", PLATFORM="linux/amd64/v2", PARENTS=pin, PUSH="true", code=1)
        self.assertRegex(wrong.stdout, r"'family' comes out as sha256:\w+ for linux/amd64/v2 here, but is pinned to sha256:")
        self.assertEqual(self.digest("one-large"), before)
        with_cache = workflow_player.Runner(self, "with-cache", self.fleet)
        with_cache.run(TARGETS="one-large", PLATFORM="linux/amd64/v2", PARENTS=pin, PUSH="true", CACHE=self.cache)

    def test_a_pull_request_builds_each_platform_in_one_job(self):
        plan = workflow_player.Runner(self, "plan", self.fleet)
        plan.run(COMMAND="matrix", RUNNER="ubuntu-24.04 linux/amd64/v2=new-machine")
        rows = json.loads(plan.outputs["platforms"])["include"]
        everything = "base family one-large one-small two-large two-small"
        self.assertEqual([(row["platform"], row["runner"], row["target"]) for row in rows],
                         [("linux/amd64/v2", "new-machine", everything), ("linux/amd64", "ubuntu-24.04", everything)])
        job = workflow_player.Runner(self, "pull-request", self.fleet)
        job.run(TARGETS=rows[0]["target"], PLATFORM=rows[0]["platform"])
        self.kiln("digest", f"{self.server.address}/acme/base:latest", code=3)


if __name__ == "__main__":
    harness.main()
