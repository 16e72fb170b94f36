#!/usr/bin/env python3
"""kiln init: a fleet of a repository as it lies there, whose files stay as they are; init service: one more like another."""

import json
import os
import shutil

import harness


class InitTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_programs("git")
        self.repository = self.folder / "shop"
        self.repository.mkdir()
        self.git("init", "--quiet")

    def git(self, *args):
        return self.run_program("git", "-C", self.repository, "-c", "user.name=T", "-c", "user.email=t@example.com", *args)

    def put(self, path, text="x\n"):
        return self.write(f"shop/{path}", text)

    def init(self, *args, **options):
        return self.kiln("init", *args, cwd=self.repository, **options)

    def definition(self, name):
        return json.loads((self.repository / "images" / name / "image.json").read_text())

    def init_and_plan(self):
        """Commits what is there, makes a fleet of it, and expects that kiln plan takes it and nothing else changed."""
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "before")
        result = self.init()
        changed = self.git("status", "--porcelain", "--untracked-files=all").stdout.splitlines()
        self.assertTrue(changed)
        for line in changed:
            self.assertRegex(line, r"^\?\? (images|profiles)/", "init changed what was there")
        plan = self.kiln("plan", "--format", "json", cwd=self.repository, code=None)
        self.assertIn(plan.code, (0, 3), plan)  # 3: a base image is out of reach here
        targets = json.loads(plan.stdout)["targets"]
        return result, {target["name"]: target for target in targets}

    def test_dockerfiles_in_folders_of_services_become_images_that_point_at_them(self):
        self.put("services/api/Dockerfile", "FROM scratch\nCOPY app /\n")
        self.put("services/api/app")
        self.put("services/web/Dockerfile", "FROM scratch\nCOPY page /\n")
        self.put("services/web/page")
        self.put("Dockerfile", "FROM scratch\nCOPY services /\n")
        result, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["api", "shop", "web"])
        self.assertEqual(self.definition("api"), {
            "$schema": "../schema/image.schema.json", "kind": "service", "dockerfile": "../../services/api/Dockerfile",
            "context": "../../services/api", "baseline": {"dockerfile": "../../services/api/Dockerfile"}})
        self.assertIn("kiln plan", result.stdout)
        self.kiln("bake", "api", "web", cwd=self.repository)
        self.kiln("baseline", "api", cwd=self.repository)
        self.assertIn("api", json.loads((self.repository / "images/baselines.json").read_text())["baselines"])

    def test_the_override_of_compose_counts_and_a_matrix_has_what_its_include_adds(self):
        self.put("api/Dockerfile", "FROM scratch AS dev\nARG VERSION\nARG FLAVOR\nCOPY Dockerfile /\n")
        self.put("compose.yaml", "services:\n  api:\n    build: {context: api, args: {VERSION: '1'}}\n    image: ghcr.io/acme/api\n")
        self.put("compose.override.yaml", "services:\n  api:\n    build: {args: {FLAVOR: dev}, target: dev}\n")
        self.put("py/Dockerfile", "FROM scratch\nARG VERSION\nARG REV\nCOPY Dockerfile /\n")
        self.put(".github/workflows/ci.yml", """
            jobs:
              build:
                strategy:
                  matrix:
                    image: [py]
                    include:
                      - {image: py, version: "3.12"}
                steps:
                  - id: meta
                    uses: docker/metadata-action@v5
                    with: {images: "ghcr.io/acme/${{ matrix.image }}"}
                  - uses: docker/build-push-action@v6
                    with:
                      context: ${{ matrix.image }}
                      build-args: |
                        VERSION=${{ matrix.version }}
                        REV=${{ github.sha }}
                      tags: ${{ steps.meta.outputs.tags }}
        """)
        result, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["api", "py"])
        api = self.definition("api")
        self.assertEqual((api["args"], api["target"]), ({"FLAVOR": "dev", "VERSION": "1"}, "dev"))
        self.assertEqual(self.definition("py")["args"], {"VERSION": "3.12"})
        self.assertIn("are not written down: REV", result.stdout)
        self.assertNotIn("left out:", result.stdout)

    def test_the_versions_of_a_matrix_are_one_image_and_that_is_said(self):
        self.put("Dockerfile", "FROM scratch\nARG PY\nCOPY Dockerfile /\n")
        self.put(".github/workflows/ci.yml", """
            jobs:
              build:
                strategy: {matrix: {py: ["3.11", "3.12", "3.13"]}}
                steps:
                  - uses: docker/build-push-action@v6
                    with:
                      build-args: PY=${{ matrix.py }}
                      tags: ghcr.io/acme/app:${{ matrix.py }}
        """)
        result, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["app"])
        self.assertEqual(self.definition("app")["args"], {"PY": "3.11"})
        self.assertEqual(result.stdout.count("builds 'Dockerfile' several times"), 1)
        self.assertIn("kiln init service NAME --like IMAGE", result.stdout)

    def test_a_dry_run_shows_the_files_and_writes_none(self):
        self.put("api/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        result = self.init("--dry-run")
        self.assertIn("would be written  images/api/image.json", result.stdout)
        self.assertIn('"dockerfile": "../../api/Dockerfile"', result.stdout)
        self.assertEqual(sorted(os.listdir(self.repository)), [".git", "api"])

    def test_files_that_are_there_are_kept_and_a_second_run_writes_what_is_missing(self):
        self.put("api/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.init()
        fleet = self.repository / "images/fleet.json"
        before = fleet.read_text()
        self.put("worker/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        changed = self.repository / "images/schema/image.schema.json"
        changed.write_text("{}")
        result = self.init()
        self.assertIn("written    images/worker/image.json", result.stdout)
        self.assertIn("kept       images/schema/image.schema.json", result.stdout)
        self.assertEqual(changed.read_text(), "{}")
        self.assertEqual(fleet.read_text(), before)
        fleet.unlink()  # as after a run that was stopped: it is written last
        self.init()
        self.assertEqual(fleet.read_text(), before)
        self.kiln("plan", cwd=self.repository)

    def test_a_dockerfile_that_a_bake_file_says_itself_makes_one_image_however_often_init_runs(self):
        self.put("docker-bake.hcl", """
            target "app" {
              dockerfile-inline = "FROM scratch\\nCOPY marker /\\n"
              tags = ["ghcr.io/acme/app:1"]
            }
            target "lib" {
              dockerfile-inline = "FROM scratch\\nCOPY marker /lib\\n"
              args = { A = "1" }
            }
            target "lib-of-sub" {
              context = "sub"
              dockerfile-inline = "FROM scratch\\nCOPY marker /lib\\n"
            }
        """)
        self.put("marker")
        self.put("sub/marker")
        _, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["app", "lib", "lib-of-sub"])
        self.put("images/app/Dockerfile", "FROM scratch\nCOPY marker /changed\n")
        before = {path: path.read_text() for path in (self.repository / "images").rglob("*") if path.is_file()}
        self.init()
        self.assertEqual(before, {path: path.read_text() for path in (self.repository / "images").rglob("*") if path.is_file()})

    def test_an_image_definition_says_all_that_the_target_of_a_bake_file_says(self):
        self.put("app/Dockerfile", "FROM scratch AS build\nCOPY Dockerfile /\nFROM build\n")
        said = {"args": {"A": "1"}, "target": "build", "labels": {"l": "m"}, "annotations": ["a=b", "index:c=d"], "network": "none",
                "extra-hosts": {"db": "10.0.0.7"}, "ulimits": ["nofile=100:200"], "shm-size": "1m", "pull": True, "no-cache": True,
                "no-cache-filter": ["build"], "call": "check",
                "attest": [{"mode": "min", "type": "provenance"}, {"type": "sbom"}]}
        self.put("docker-bake.json", json.dumps({"target": {"app": {"context": "app", "tags": ["ghcr.io/acme/app:1"], **said}}}))
        self.init_and_plan()
        definition = self.definition("app")
        for name, value in said.items():
            self.assertEqual(definition.get(name.replace("-", "_")), value, name)

    def test_what_a_bake_file_asks_for_in_vain_is_left_out_by_name_and_its_targets_are_taken(self):
        self.put("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.put("app/tool.Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.put("docker-bake.hcl", """
            target "app" {
              context = "app"
              tags = ["ghcr.io/acme/shop-app:1"]
              policy = ["filename=app.rego"]
              dockerfle = "x"
            }
            target "tool" {
              context = "app"
              dockerfile = "tool.Dockerfile"
              tags = ["ghcr.io/acme/shop-tool:1"]
              policy = [{filename = "tool.rego"}]
              resources = {memory = "1g"}
            }
        """)
        result, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["shop-app", "shop-tool"])
        self.assertIn("'docker-bake.hcl': 'policy' of 'app', 'tool' is left out: kiln does not honour it", result.stdout)
        self.assertIn("'docker-bake.hcl': 'resources' of 'tool' is left out: kiln does not honour it", result.stdout)
        self.assertIn("did you mean 'dockerfile'?", result.stdout)

    def test_edges_are_found_by_the_tags_of_compose_bake_and_workflows(self):
        self.put("base/Dockerfile", "FROM scratch\nCOPY Dockerfile /base\n")
        self.put("tools/Dockerfile", "FROM scratch\nCOPY Dockerfile /tool\n")
        self.put("api/Dockerfile", "ARG TAG=1.2\nFROM ghcr.io/acme/py-base:${TAG}\nCOPY --from=acme/tools /tool /tool\n")
        self.put("web/Dockerfile", "FROM ghcr.io/acme/made-in-ci:7\nCOPY Dockerfile /\n")
        self.put("ci/base.Dockerfile", "FROM scratch\nCOPY marker /\n")
        self.put("ci/marker")
        self.put("compose.yaml", """
            services:
              db:
                image: postgres:16
                environment:
                  PASSWORD: ${PASSWORD:?must be set}
              api:
                build: {context: api, args: {DEPLOY_TOKEN: "${DEPLOY_TOKEN}", TAG: "1.2"}}
                image: ghcr.io/acme/api:${VERSION:?must be set}
              tools:
                build: tools
                image: acme/tools
        """)
        self.put(".env", "DEPLOY_TOKEN=hunter2\nPASSWORD=hunter3\n")
        self.put("docker-bake.hcl", """
            variable "REGISTRY" { default = "ghcr.io/acme" }
            variable "VERSION" {
              default = ""
              validation {
                condition = VERSION != ""
                error_message = "a version is given in CI"
              }
            }
            target "common" { platforms = [] }
            target "base" {
              inherits = ["common"]
              context = "base"
              tags = ["${REGISTRY}/py-base:1.2"]
            }
            target "lint" {
              context = "tools"
              output = ["type=cacheonly"]
            }
            group "default" { targets = ["base"] }
        """)
        self.put(".github/workflows/ci.yml", """
            on: push
            env: {REGISTRY: ghcr.io/acme}
            jobs:
              build:
                strategy: {matrix: {image: [made-in-ci]}}
                steps:
                - uses: docker/build-push-action@v6
                  with:
                    context: ci
                    file: ci/base.Dockerfile
                    tags: ${{ env.REGISTRY }}/${{ matrix.image }}:${{ github.run_number }}
        """)
        result, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["api", "made-in-ci", "py-base", "tools", "web"])
        self.assertEqual(sorted(targets["api"]["parents"]), ["py-base", "tools"])
        self.assertEqual(targets["web"]["parents"], ["made-in-ci"])
        self.assertEqual(self.definition("py-base")["kind"], "base")
        self.assertEqual(self.definition("api")["args"], {"TAG": "1.2"})
        self.assertNotIn("hunter", result.stdout + "".join(
            path.read_text() for path in (self.repository / "images").rglob("*.json")))
        fleet = json.loads((self.repository / "images/fleet.json").read_text())
        self.assertEqual((fleet["registry"], fleet["namespace"]), ("ghcr.io", "acme"))
        self.kiln("bake", "api", "web", cwd=self.repository)

    def test_a_target_that_others_take_files_from_is_an_image_though_no_group_lists_it(self):
        for name in ("tools", "app", "odd"):
            self.put(f"{name}/Dockerfile", "FROM scratch\nCOPY --from=tools Dockerfile /\n" if name != "tools" else "FROM scratch\nCOPY Dockerfile /\n")
        self.put("docker-bake.hcl", """
            group "default" { targets = ["app", "odd"] }
            target "tools" { context = "tools" }
            target "tools-all" { inherits = ["tools"] }
            target "notes" {
              context = "tools"
              output = ["type=local,dest=out"]
            }
            target "app" {
              context = "app"
              contexts = { tools = "target:tools" }
            }
            target "odd" {
              context = "odd"
              contexts = { tools = "target:notes" }
            }
        """)
        result, targets = self.init_and_plan()
        self.assertEqual(targets["app"]["parents"], [self.definition("app")["contexts"]["tools"].removeprefix("target:")])
        self.assertIn("takes 'tools' from the target 'notes', which is no image here", result.stdout)

    def test_scripts_and_makefiles_tell_tags_and_contexts(self):
        self.put("Makefile", """
            REGISTRY ?= ghcr.io/acme
            images:
            \tdocker build -t $(REGISTRY)/base:3 -f docker/base.Dockerfile .
            \tcd api && docker buildx build \\
            \t  --push -t $(REGISTRY)/shop-api:$(VERSION) .
        """)
        self.put("scripts/all.sh", "for name in one two; do\n  docker build -t ghcr.io/acme/$name services/$name\ndone\n")
        self.put("docker/base.Dockerfile", "FROM scratch\nCOPY docker /\n")
        self.put("api/Dockerfile", "FROM ghcr.io/acme/base:3\nCOPY Dockerfile /\n")
        for name in ("one", "two"):
            self.put(f"services/{name}/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        _, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["base", "one", "shop-api", "two"])
        self.assertEqual(targets["shop-api"]["parents"], ["base"])
        self.assertEqual(self.definition("base")["context"], "../..")

    def test_dockerfiles_for_cpu_and_gpu_are_two_images_and_the_gpu_gets_a_profile(self):
        self.put("ml/Dockerfile.cpu", "FROM ubuntu\nCOPY run.py /\n")
        self.put("ml/Dockerfile.gpu", "FROM nvidia/cuda:12.1.1-runtime-ubuntu22.04\nCOPY run.py /\n")
        self.put("ml/run.py")
        _, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["ml-cpu", "ml-gpu-cuda"])
        self.assertEqual(self.definition("ml-gpu")["device"], "gpu")
        self.assertEqual(self.definition("ml-cpu")["contexts"], {"ubuntu": "docker-image://docker.io/library/ubuntu:latest"})
        self.kiln("profile", "ls", cwd=self.repository, code=None)

    def test_names_are_made_valid_and_no_two_images_get_one(self):
        for path in ("one/api", "two/api", "My Service_v2.0", "Ünïcode"):
            self.put(f"{path}/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        result, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["my-service_v2-0", "n-code", "one-api", "two-api"])
        self.assertIn("'api' would be the name of another image too", result.stdout)

    def test_what_cannot_be_read_or_built_is_named_and_stops_nothing(self):
        self.put("good/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.put("bad/Dockerfile", "FROM scratch\nCPY a b\n")
        self.put("empty/Dockerfile", "")
        self.put("hidden/Dockerfile", "ARG BASE\nFROM $BASE\n")
        self.put("windows/Dockerfile", "FROM mcr.microsoft.com/windows/servercore:ltsc2022\n")
        self.put("web/Dockerfile.j2", "FROM {{ base }}\n")
        self.put("compose.yaml", "services: [\n")
        self.put("node_modules/left-pad/Dockerfile", "FROM scratch\n")
        self.put("line\nbreak/Dockerfile", "FRM scratch\n")
        loop = self.repository / "loop"
        loop.symlink_to(".")
        (self.repository / "good/Dockerfile.link").symlink_to("/etc/hostname")
        result, targets = self.init_and_plan()
        self.assertEqual(sorted(targets), ["good"])
        for name in ("'bad/Dockerfile' is left out", "'empty/Dockerfile' is left out", "'hidden/Dockerfile' is left out",
                     "'windows/Dockerfile' is left out", "'web/Dockerfile.j2' is a template", "'compose.yaml' could not be read",
                     "node_modules", "'line\\x0abreak/Dockerfile' is left out", "'good/Dockerfile.link' is a link"):
            self.assertIn(name, result.stdout)

    def test_a_folder_of_thousands_of_files_is_passed_over_by_its_name(self):
        self.put("api/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        for i in range(3000):
            self.put(f"node_modules/m{i}/Dockerfile", "FROM scratch\n")
        result = self.init()
        self.assertIn("1 image,", result.stdout)
        self.assertIn("folders that were not looked into: .git, node_modules", result.stdout)

    def test_a_repository_with_nothing_gets_a_fleet_without_images(self):
        result, targets = self.init_and_plan()
        self.assertEqual(targets, {})
        self.assertIn("no Dockerfile was found", result.stdout)
        self.assertIn('images/NAME/image.json ({"kind": "service"})', result.stdout)

    def test_dockerfiles_of_which_no_image_can_be_made_are_counted_and_not_denied(self):
        self.put("Dockerfile", "ARG FROM\nFROM ${FROM}\n")
        result, targets = self.init_and_plan()
        self.assertEqual(targets, {})
        self.assertNotIn("was found", result.stdout)
        self.assertIn("no image can be made of the Dockerfile of '", result.stdout)
        self.assertIn("'Dockerfile' is left out: ", result.stdout)
        self.put("api/Dockerfile", "ARG FROM\nFROM ${FROM}\n")
        self.assertIn("no image can be made of the 2 Dockerfiles of '", self.init().stdout)
        self.put("images/api/image.json", '{"kind": "service", "dockerfile": "../../api/Dockerfile", "args": {"FROM": "scratch"}}')
        self.assertIn("1 image, ", self.init().stdout)

    def test_a_dockerfile_of_a_task_makes_no_image_and_is_named(self):
        self.put("lint.Dockerfile", "FROM scratch\nCOPY lint.Dockerfile /\n")
        self.put("docker-bake.hcl", 'target "lint" {\n  dockerfile = "lint.Dockerfile"\n  output = ["type=cacheonly"]\n}\n')
        result, targets = self.init_and_plan()
        self.assertEqual(targets, {})
        self.assertIn("no image can be made of the Dockerfile of '", result.stdout)
        self.assertIn("'lint.Dockerfile' is for a task that makes no image", result.stdout)

    def test_nothing_is_written_through_a_link(self):
        self.put("api/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        (self.folder / "elsewhere").mkdir()
        (self.repository / "images").symlink_to(self.folder / "elsewhere")
        result = self.init(code=2)
        self.assertIn("'images' is a link", result.stderr)
        self.assertEqual(os.listdir(self.folder / "elsewhere"), [])

    def test_equal_first_steps_are_proposed_as_a_base_with_the_bytes_of_earlier_builds(self):
        self.need_containers()
        self.need_programs("busybox")
        for name in ("one", "two", "three"):
            self.put(f"{name}/Dockerfile", f"""
                FROM scratch
                COPY busybox /bin/sh
                RUN echo same >   /same
                COPY {name}.txt /
            """)
            self.put(f"{name}/{name}.txt", name)
            shutil.copy(shutil.which("busybox"), self.repository / name / "busybox")
        result = self.init("--dry-run")
        self.assertNotIn("the same first steps", result.stdout)  # COPY of a large file of another context: not compared
        for name in ("one", "two", "three"):
            path = self.repository / name / "Dockerfile"
            path.write_text(path.read_text().replace("FROM scratch\nCOPY busybox /bin/sh", "FROM shell"))
        self.put("shell/Dockerfile", "FROM scratch\nCOPY busybox /bin/sh\n")
        shutil.copy(shutil.which("busybox"), self.repository / "shell/busybox")
        result, _ = self.init_and_plan()
        self.assertIn("  one, three, two\n    FROM shell\n    RUN echo same > /same\n    saves: unknown until built", result.stdout)
        self.kiln("bake", cwd=self.repository)
        result = self.init("--dry-run")
        self.assertRegex(result.stdout, r"RUN echo same > /same\n    saves [0-9.]+ (B|kB)\n")


    def test_equal_first_steps_from_scratch_are_proposed_where_they_take_the_same_files(self):
        for name in ("one", "two"):
            self.put(f"services/{name}/Dockerfile", f"FROM scratch\nCOPY libs /libs\nCOPY services/{name} /app\n")
        self.put("other/Dockerfile", "FROM scratch\nCOPY libs /libs\n")
        self.put("other/libs/a")
        self.put("libs/a")
        self.put("compose.yaml", "services:\n" + "".join(
            f"  {name}: {{build: {{context: ., dockerfile: services/{name}/Dockerfile}}}}\n" for name in ("one", "two")))
        result, _ = self.init_and_plan()
        self.assertIn("  one, two\n    FROM scratch\n    COPY libs /libs\n    saves: unknown until built", result.stdout)


class InitServiceTest(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.fleet = self.folder / "fleet"
        self.write("fleet/images/fleet.json", json.dumps({
            "registry": "ghcr.io", "namespace": "acme", "groups": {"cpu": ["hub"]}}))
        self.write("fleet/images/hub/image.json", json.dumps({
            "kind": "service", "labels": {"service": "hub"}, "tags": ["hub-1", "latest"],
            "baseline": {"dockerfile": "Dockerfile.legacy"}}))
        self.write("fleet/images/hub/Dockerfile", "FROM scratch\nCOPY app /app\nLABEL name=hub\n")
        self.write("fleet/images/hub/Dockerfile.legacy", "FROM scratch\nCOPY app /app\n")
        self.write("fleet/images/hub/app/run.sh", "#!/bin/sh\n", mode=0o755)
        self.write("fleet/images/hub/node_modules/x", "x")

    def init(self, *args, **options):
        return self.kiln("init", "service", *args, cwd=self.fleet, **options)

    def test_a_service_like_another_is_in_the_fleet_in_one_line(self):
        result = self.init("ninth", "--like", "hub")
        folder = self.fleet / "images/ninth"
        self.assertEqual(json.loads((folder / "image.json").read_text()),
                         {"kind": "service", "labels": {"service": "ninth"}, "tags": ["ninth-1", "latest"]})
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["Dockerfile", "app", "image.json"])
        self.assertTrue(os.access(folder / "app/run.sh", os.X_OK))
        self.assertIn("'Dockerfile' says 'hub'", result.stdout)
        self.assertIn("the group 'cpu'", result.stdout)
        plan = json.loads(self.kiln("plan", "ninth", "--format", "json", cwd=self.fleet).stdout)
        self.assertEqual([target["name"] for target in plan["targets"]], ["ninth"])
        self.kiln("bake", "ninth", cwd=self.fleet)

    def test_a_dry_run_writes_nothing(self):
        result = self.init("ninth", "--like", "hub", "--dry-run")
        self.assertIn("would be written  images/ninth/Dockerfile", result.stdout)
        self.assertFalse((self.fleet / "images/ninth").exists())

    def test_a_name_that_cannot_be_or_is_there_is_refused(self):
        self.assertIn("such as 'my-service'", self.init("My Service", "--like", "hub", code=2).stderr)
        self.assertIn("'hub' is in the fleet already", self.init("hub", "--like", "hub", code=2).stderr)
        self.assertIn("did you mean 'hub'", self.init("ninth", "--like", "hob", code=2).stderr)
        self.assertIn("--like OTHER", self.init("ninth", code=2).stderr)
        (self.fleet / "images/ninth").mkdir()
        self.assertIn("is there already", self.init("ninth", "--like", "hub", code=2).stderr)


if __name__ == "__main__":
    harness.main()
