#!/usr/bin/env python3
"""kiln plan: what a build would do, told before it is done, and that telling does nothing."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import harness


class PlanTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        busybox = shutil.which("busybox")
        if not busybox:
            self.skipTest("busybox-static is not installed")
        self.fleet = self.folder / "fleet"
        (self.fleet / "base").mkdir(parents=True)
        shutil.copy(busybox, self.fleet / "base/busybox")
        self.write("fleet/base/Dockerfile", """
            FROM scratch
            COPY busybox /bin/sh
            RUN echo base > /base
            """)
        self.write("fleet/app/Dockerfile", """
            FROM base AS build
            COPY source .
            RUN sh -c 'read x < /source; echo made $x > /made'
            FROM base
            COPY --from=build /made /made
            """)
        self.write("fleet/app/source", "one\n")
        self.write("fleet/docker-bake.json", json.dumps({
            "group": {"default": {"targets": ["app"]}},
            "target": {"base": {"context": "base", "tags": ["ghcr.io/acme/base:1"]},
                       "app": {"context": "app", "contexts": {"base": "target:base"}, "tags": ["ghcr.io/acme/app:1"]}}}))

    def plan(self, *args, code=0):
        return self.kiln("plan", *args, code=code, cwd=self.fleet).stdout

    def steps(self):
        plan = json.loads(self.plan("--format", "json"))
        return {(target["name"], step["text"].split()[0] + " " + step["stage"]): step for target in plan["targets"] for step in target["steps"]}, plan

    def test_a_plan_says_what_is_built_and_what_is_unknown_until_then_and_builds_nothing(self):
        steps, plan = self.steps()
        self.assertEqual([t["name"] for t in plan["targets"]], ["base", "app"])
        self.assertEqual([t["wave"] for t in plan["targets"]], [0, 1])
        self.assertEqual(steps["base", "COPY stage-0"]["expectation"], "build")
        self.assertEqual(steps["base", "RUN stage-0"]["expectation"], "unknown")
        self.assertIn("unknown until 'COPY busybox /bin/sh'", steps["base", "RUN stage-0"]["reason"])
        self.assertIn("unknown until 'COPY busybox /bin/sh'", steps["app", "RUN build"]["reason"])
        again, _ = self.steps()
        self.assertEqual(again, steps)

        self.kiln("bake", cwd=self.fleet)
        steps, plan = self.steps()
        self.assertEqual({step["expectation"] for step in steps.values()}, {"hit"})
        self.assertEqual(plan["totals"]["builds"] + plan["totals"]["unknowns"], 0)
        self.assertIn("app from base: unchanged", self.plan())

        self.write("fleet/app/source", "two\n")
        steps, plan = self.steps()
        changed = steps["app", "COPY build"]
        self.assertEqual(changed["expectation"], "build")
        self.assertIn("source changed", changed["reason"])
        self.assertIn("unknown until 'COPY source .'", steps["app", "RUN build"]["reason"])
        self.assertIn("unknown until 'COPY source .'", steps["app", "COPY stage-1"]["reason"])
        self.assertGreater(steps["app", "RUN build"]["seconds"], 0)
        self.assertGreater(steps["app", "RUN build"]["bytes"], 0)
        self.assertEqual(steps["base", "RUN stage-0"]["expectation"], "hit")
        self.assertEqual(plan["totals"]["without_record"], 0)

    def test_a_step_of_another_image_with_the_same_text_foretells_nothing(self):
        self.kiln("bake", cwd=self.fleet)
        bake = json.loads((self.fleet / "docker-bake.json").read_text())
        bake["target"]["other"] = {"context": "other", "contexts": {"base": "target:base"}, "tags": ["ghcr.io/acme/other:1"]}
        bake["group"]["default"]["targets"].append("other")
        self.write("fleet/docker-bake.json", json.dumps(bake))
        shutil.copytree(self.fleet / "app", self.fleet / "other")
        self.write("fleet/other/source", "three\n")
        steps, plan = self.steps()
        self.assertEqual(steps["other", "COPY build"]["expectation"], "build")
        self.assertIsNone(steps["other", "COPY build"]["bytes"])
        self.assertIsNone(steps["other", "RUN build"]["seconds"])
        self.assertGreater(plan["totals"]["without_record"], 0)

    def test_what_would_fail_is_told_with_exit_code_1(self):
        self.kiln("bake", cwd=self.fleet)
        (self.fleet / "app/source").unlink()
        text = self.plan(code=1)
        self.assertIn("would fail: app/Dockerfile:2:", text)
        self.assertIn("base: unchanged", text)

    def test_drawings_are_valid(self):
        root = ElementTree.fromstring(self.plan("--format", "svg"))
        self.assertTrue(root.tag.endswith("svg"))
        dot = self.plan("--format", "dot")
        self.assertIn('"base" -> "app";', dot)
        if shutil.which("dot"):
            subprocess.run(["dot", "-Tsvg"], input=dot.encode(), stdout=subprocess.DEVNULL, check=True)

    def test_a_place_gives_a_terminal_no_orders(self):
        (self.fleet / "app/Dockerfile").rename(self.fleet / "app/\x1b[31mDockerfile")
        bake = self.fleet / "docker-bake.json"
        bake.write_text(bake.read_text().replace('"context": "app"', '"context": "app", "dockerfile": "\\u001b[31mDockerfile"'))
        shown = self.plan()
        self.assertIn("\\x1b[31mDockerfile:3", shown)
        self.assertNotIn("\x1b", shown)

    def test_a_format_that_is_not_known_is_refused(self):
        result = self.kiln("plan", "--format", "jsn", code=2, cwd=self.fleet)
        self.assertIn("did you mean 'json'?", result.stderr)


class NewFleetPlanTest(harness.KilnTest):
    """A fleet of image definitions that nothing was locked of yet."""

    def setUp(self):
        super().setUp()
        self.need_containers()
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme"}')
        self.write("images/app/image.json", '{"kind": "service"}')
        self.write("images/app/Dockerfile", "FROM base\nRUN true\n")

    def define_base(self, mirror=""):
        debian = {"suite": "bookworm", "variant": "minbase"} | ({"mirror": mirror} if mirror else {})
        self.write("images/base/image.json", json.dumps({"kind": "base", "debian": debian}))

    def plan(self):
        plan = json.loads(self.kiln("plan", "--format", "json").stdout)
        self.assertEqual([target["problem"] for target in plan["targets"]], ["", ""])
        self.assertEqual([step["expectation"] for target in plan["targets"] for step in target["steps"]], ["build", "unknown"])
        self.assertFalse((self.folder / "images/kiln.lock").exists())
        return plan

    def test_a_base_that_is_not_locked_would_be_locked_and_does_not_fail(self):
        self.define_base("http://127.0.0.1:9/debian")
        plan = self.plan()
        sentence = "would lock the packages of 'base' first, which cannot be told from here"
        self.assertEqual(plan["notes"], [sentence])
        self.assertEqual(plan["targets"][0]["steps"][0]["reason"], sentence)
        self.assertIn("unknown until 'DEBIAN bookworm minbase'", plan["targets"][1]["steps"][0]["reason"])

    def test_the_packages_that_would_be_locked_are_counted(self):
        self.need_programs("apt-get")
        self.define_base()
        plan = self.plan()
        if plan["notes"] and "cannot be told" in plan["notes"][0]:
            self.skipTest("Debian's archive cannot be reached from here")
        self.assertRegex(plan["notes"][0], r"^would lock [1-9][0-9]+ packages of 'base' first$")
        self.assertEqual(plan["targets"][0]["steps"][0]["reason"], plan["notes"][0])

    def test_an_image_that_a_from_names_would_be_locked(self):
        registry = self.registry()
        self.write("foreign/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        name = f"{registry.address}/other/base:1"
        self.kiln("build", "-t", name, "--push", "foreign", env={"KILN_HOME": self.folder / "elsewhere"})
        digest = self.kiln("digest", name).stdout.strip()
        self.write("images/app/Dockerfile", f"FROM {name}\nCOPY Dockerfile /here\n")
        for _ in range(2):
            text = self.kiln("plan").stdout
            self.assertIn(f"note: would lock '{name}' as {digest} first\n", text)
            self.assertIn("1 to build", text)
        self.assertFalse((self.folder / "images/kiln.lock").exists())

    def test_lock_records_the_images_that_files_are_taken_from(self):
        registry = self.registry()
        self.write("foreign/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        name = f"{registry.address}/other/tool:1"
        self.kiln("build", "-t", name, "--push", "foreign", env={"KILN_HOME": self.folder / "elsewhere"})
        self.write("images/app/Dockerfile", f"FROM scratch\nCOPY --from={name} /Dockerfile /\n")
        self.assertIn(f"{name} ", self.kiln("lock").stdout)
        self.kiln("bake", "--locked")

    def test_bases_that_no_registry_can_tell_of_leave_the_rest_of_the_plan(self):
        self.write("images/app/Dockerfile", "FROM 127.0.0.1:9/acme/gone:1\nRUN true\n")
        self.write("images/child/image.json", '{"kind": "service"}')
        self.write("images/child/Dockerfile", "FROM app\nCOPY Dockerfile /\n")
        self.write("images/other/image.json", '{"kind": "service"}')
        self.write("images/other/Dockerfile", "FROM 127.0.0.1:9/acme/away:2\nCOPY Dockerfile /\n")
        self.write("images/whole/image.json", '{"kind": "service"}')
        self.write("images/whole/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        text = self.kiln("plan", code=3).stdout
        self.assertRegex(text, r"cannot be told: .*127\.0\.0\.1:9/acme/gone:1")
        self.assertRegex(text, r"cannot be told: .*127\.0\.0\.1:9/acme/away:2")
        self.assertIn("whole: 1 to build", text)
        self.assertIn("\n4 targets: 0 steps hit, 1 to build, 3 unknown", text)
        targets = {target["name"]: target for target in json.loads(self.kiln("plan", "--format", "json", code=3).stdout)["targets"]}
        self.assertEqual({name: target["problem_kind"] for name, target in targets.items()},
                         {"app": "unreachable", "child": None, "other": "unreachable", "whole": None})
        self.write("images/whole/Dockerfile", "FROM scratch\nCOPY missing /\n")
        self.assertIn("would fail: ", self.kiln("plan", code=1).stdout)

    def test_each_base_that_cannot_be_reached_is_named_once(self):
        self.write("images/app/Dockerfile", """
            FROM 127.0.0.1:9/acme/go:1 AS build
            RUN true
            FROM 127.0.0.1:9/acme/go:1 AS test
            RUN true
            FROM 127.0.0.1:9/acme/root:2
            COPY --from=build /x /
            COPY --from=test /x /
            COPY --from=127.0.0.1:9/acme/tool:3 /x /
            """)
        plan = json.loads(self.kiln("plan", "--format", "json", code=3).stdout)["targets"][0]
        self.assertEqual(plan["problem_kind"], "unreachable")
        self.assertEqual(re.findall(r"images/app/Dockerfile:(\d+): |while pulling '127.0.0.1:9/acme/([^']*)'", plan["problem"]),
                         [("1", ""), ("", "go:1"), ("5", ""), ("", "root:2"), ("8", ""), ("", "tool:3")])
        self.assertEqual(self.kiln("plan", code=3).stdout.count("cannot be told: "), 3)

    def test_packages_that_there_are_not_would_fail(self):
        self.need_programs("apt-get")
        self.write("images/base/image.json", json.dumps({"kind": "base", "debian": {"suite": "bookworm", "variant": "minbase",
                                                                                   "include": ["no-such-package-of-acme"]}}))
        result = self.kiln("plan", code=None)
        if "cannot be told" in result.stdout:
            self.skipTest("Debian's archive cannot be reached from here")
        self.assertEqual(result.code, 1)
        self.assertIn("would fail: ", result.stdout)
        self.assertIn("no-such-package-of-acme", result.stdout)


if __name__ == "__main__":
    harness.main()
