#!/usr/bin/env python3
"""A whole run of the workflows, played: each job of each wave with an empty store and a checkout of its own, sharing nothing but
a registry and the cache in it."""

import harness
import workflow_player


class WavesTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox", "jq")
        self.server = self.registry()
        self.fleet = workflow_player.small_fleet(self, self.folder / "fleet", self.server.address)
        self.cache = f"{self.server.address}/acme/kiln-cache"
        self.built = []

    def digest(self, name):
        return self.kiln("digest", f"{self.server.address}/acme/{name}:latest").stdout.strip()

    def play(self, run):
        """plan, then every wave; the targets by wave."""
        plan = workflow_player.Runner(self, f"{run}-plan", self.fleet)
        plan.run(COMMAND="matrix", PUSH="true")
        waves = []
        for wave in range(6):
            rows = workflow_player.rows(plan.outputs, wave)
            if rows:
                waves.append([row["target"] for row in rows])
            for row in rows:
                job = workflow_player.Runner(self, f"{run}-{row['id']}", self.fleet)
                job.run(TARGETS=row["target"], PARENTS=row["parents"], PUSH="true", CACHE=self.cache)
                self.built += [(step["key"], step["text"]) for step in job.report()["steps"] if step["outcome"] == "built"]
        return waves

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
        self.assertIn("is pinned to", wrong.stderr)
        self.assertEqual(self.digest("one-large"), before)


if __name__ == "__main__":
    harness.main()
