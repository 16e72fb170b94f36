#!/usr/bin/env python3
"""What `kiln bake --print` prints of bake and Compose files: of each folder of tests/golden/bake what stands there, and
where buildx is on PATH what buildx prints, of those folders and of 500 files and 100 Compose projects that seeded
generators make."""

import json
import re
import shutil

import harness
from tests.support.bake_generator import BakeGenerator
from tests.support.compose_generator import ComposeGenerator

GOLDEN = harness.ROOT / "tests/golden/bake"
GENERATED = 500
GENERATED_PROJECTS = 100

# Where kiln prints something else by intent; docs/bake.md has the reasons.
DIFFERENT = {}
# As buildx prints policies it does not read them.
WRITE_ONLY = {"policies", "words-policy"}
# In these a target's cache-from has a repeat, and buildx shows the cache of a target that inherits it in its place.
DIFFERENT_SEEDS = {260, 287, 308, 347, 359, 448}


def sorted_groups(printed):
    """buildx tells the members of a matrix's group in an order that changes from call to call."""
    for group in printed.get("group", {}).values():
        group["targets"] = group["targets"] and sorted(group["targets"])
    return printed


class BakePrint(harness.KilnTest):
    def cases(self):
        for folder in sorted(path for path in GOLDEN.iterdir() if path.is_dir()):
            lines = (folder / "words").read_text().splitlines() if (folder / "words").exists() else []
            count = 0
            while count < len(lines) and re.match(r"[A-Z_]+=", lines[count]):
                count += 1
            # Bake files ask for CI, which a job sets.
            variables = {"CI": None, **dict(line.split("=", 1) for line in lines[:count])}
            yield folder, variables, lines[count:]

    def copied(self, folder):
        shutil.copytree(folder, self.folder / folder.name)
        return self.folder / folder.name

    def buildx(self, *words, env=None, cwd=None):
        return harness.run(["buildx", "bake", "--print", *words], env=self.environment(**(env or {})), cwd=cwd)

    def test_each_folder_is_printed_as_it_stands_there(self):
        count = 0
        for folder, variables, words in self.cases():
            with self.subTest(folder=folder.name):
                result = self.kiln("bake", "--print", *words, env=variables, cwd=self.copied(folder))
                self.assertEqual(result.stdout, (folder / "print.json").read_text())
            count += 1
        self.assertGreaterEqual(count, 150)

    def test_what_is_printed_is_printed_again_the_same(self):
        for folder, variables, words in self.cases():
            if folder.name in WRITE_ONLY:
                continue
            printed = json.loads((folder / "print.json").read_text())
            self.write("again/docker-bake.json", (folder / "print.json").read_text())
            with self.subTest(folder=folder.name):
                result = self.kiln("bake", "--print", *sorted(printed["group"]), cwd=self.folder / "again")
                again = json.loads(result.stdout)["target"]
                for name, target in printed["target"].items():
                    if target.get("output") != [{"type": "cacheonly"}]:
                        self.assertEqual(again[name], target)

    def test_a_base_that_a_variable_names_is_an_edge_by_the_name_it_has(self):
        self.write("docker-bake.json", json.dumps({"target": {
            "root": {"dockerfile-inline": "FROM scratch\nCOPY f /b\n", "tags": ["ghcr.io/acme/root:1"]},
            "leaf": {"dockerfile-inline": "ARG ROOT=none\nFROM $${ROOT}\nCOPY f /c\n", "args": {"ROOT": "ghcr.io/acme/root:1"},
                     "contexts": {"ghcr.io/acme/root:1": "target:root"}}}}))
        printed = self.kiln("bake", "--print", "leaf").stdout
        self.assertEqual(json.loads(printed)["target"]["leaf"]["contexts"], {"ghcr.io/acme/root:1": "target:root"})
        self.write("docker-bake.json", printed)
        self.assertEqual(self.kiln("bake", "--print", "leaf").stdout, printed)

    def test_buildx_prints_the_same_of_each_folder(self):
        self.need_programs("buildx")
        for folder, variables, words in self.cases():
            if folder.name in DIFFERENT:
                continue
            with self.subTest(folder=folder.name):
                reference = self.buildx(*words, env=variables, cwd=self.copied(folder))
                self.assertEqual(sorted_groups(json.loads(reference.stdout)),
                                 sorted_groups(json.loads((folder / "print.json").read_text())))

    def test_buildx_prints_the_same_of_generated_files(self):
        self.need_programs("buildx")
        taken = 0
        for seed in sorted(set(range(GENERATED)) - DIFFERENT_SEEDS):
            self.write("generated/docker-bake.hcl", BakeGenerator(seed).text())
            reference = self.buildx(cwd=self.folder / "generated")
            with self.subTest(seed=seed):
                if reference.code != 0:
                    self.kiln("bake", "--print", code=2, cwd=self.folder / "generated")
                    continue
                taken += 1
                printed = self.kiln("bake", "--print", cwd=self.folder / "generated")
                self.assertEqual(sorted_groups(json.loads(printed.stdout)), sorted_groups(json.loads(reference.stdout)))
        self.assertGreater(taken, GENERATED // 2)

    def test_buildx_prints_the_same_of_generated_compose_projects(self):
        self.need_programs("buildx")
        taken = 0
        for seed in range(GENERATED_PROJECTS):
            files, words = ComposeGenerator(seed).files()
            folder = self.folder / "project"
            shutil.rmtree(folder, ignore_errors=True)
            for name, text in files.items():
                self.write(f"project/{name}", text)
            reference = self.buildx(*words, env={"OUTER": "shell"}, cwd=folder)
            with self.subTest(seed=seed):
                if reference.code != 0:
                    self.kiln("bake", "--print", *words, env={"OUTER": "shell"}, code=2, cwd=folder)
                    continue
                taken += 1
                printed = self.kiln("bake", "--print", *words, env={"OUTER": "shell"}, cwd=folder)
                self.assertEqual(json.loads(printed.stdout), json.loads(reference.stdout))
        self.assertGreater(taken, GENERATED_PROJECTS // 2)


if __name__ == "__main__":
    harness.main()
