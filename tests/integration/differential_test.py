#!/usr/bin/env python3
"""tests/golden/dockerfile: each case built by kiln, and by BuildKit and buildah where they are installed, and compared with
what is committed beside it. The expectations are what BuildKit builds.

    CASE/context/        the build context with its Dockerfile, copied with modes 0644 and 0755
    CASE/prepare.sh      run in the copy: what git does not keep (modes, owners, links, xattrs, archives)
    CASE/options.json    {"args": {...}, "target": "...", "secrets": {"id": "content"}, "from": "scratch"}
    CASE/files.txt       the expected changes to the base, as tests/support/image_listing.py writes them
    CASE/config.json     the expected config and history
    CASE/error.txt       instead of these two: kiln's error; the others must refuse too

PEER_differences.txt names the cases that BuildKit or buildah builds differently, and why. KILN_CASES=REGEX chooses cases;
KILN_RECORD=kiln or KILN_RECORD=buildkit writes the expectations anew from what that builder made.
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import harness
from tests.support.image_builders import Buildah, BuildKit, Kiln, Request
from tests.support.image_listing import config_of, listing
from tests.support.tiny_base import BUSYBOX, write_tiny_base

CASES = harness.ROOT / "tests/golden/dockerfile"
# Fields that buildah's OCI images do not have, or that it writes its own way in every image.
NOT_BUILDAHS = {"history": "it writes another text per step, and one entry per layer only",
                "OnBuild": "not a field of OCI's config", "Healthcheck": "not a field of OCI's config",
                "Shell": "not a field of OCI's config", "ArgsEscaped": "not a field of OCI's config",
                "WorkingDir": "it leaves out the default '/'"}


def cases():
    chosen = os.environ.get("KILN_CASES", "")
    return sorted(path for path in CASES.iterdir() if path.is_dir() and re.search(chosen, path.name))


def known_differences(peer):
    lines = (CASES / f"{peer.lower()}_differences.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def without_text_of_healthchecks(config):
    """BuildKit up to 0.26 writes HEALTHCHECK into the history in another form than its successors."""
    history = [{**entry, "created_by": "HEALTHCHECK"} if entry["created_by"].startswith("HEALTHCHECK ") else entry for entry in config["history"]]
    return {**config, "history": history}


def without_buildahs(config):
    kept = {key: value for key, value in config["config"].items() if key not in NOT_BUILDAHS}
    return {**{key: value for key, value in config.items() if key not in NOT_BUILDAHS}, "config": kept}


class Differential(harness.KilnTest):
    maxDiff = None

    def setUp(self):
        super().setUp()
        self.need_containers()
        if not BUSYBOX.exists():
            self.skipTest(f"not installed: busybox-static ({BUSYBOX})")
        self.base = self.folder / "base"
        self.base_digest = write_tiny_base(self.base)
        self.base_image = self.layout_image(self.base)

    def run_builder(self, words, cwd=None):
        return harness.run(words, env=self.environment(), cwd=cwd, timeout=120)

    def prepared(self, case):
        """A request with a copy of the case's context, as its prepare.sh wants it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix=case.name + "-"))
        folder.chmod(0o755)
        context = folder / "context"
        shutil.copytree(case / "context", context, symlinks=True)
        for path in [context, *context.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        if (case / "prepare.sh").exists():
            self.run_program("sh", "-eu", case / "prepare.sh", cwd=context)
        options = json.loads((case / "options.json").read_text()) if (case / "options.json").exists() else {}
        secrets = {}
        for name, text in options.get("secrets", {}).items():
            secrets[name] = folder / f"secret-{name}"
            secrets[name].write_text(text)
        base = None if options.get("from") == "scratch" else self.base_image
        return Request(context, self.base, self.base_digest, folder / "out", options.get("args", {}),
                       options.get("target", ""), secrets), base

    def compare(self, builder, case):
        request, base = self.prepared(case)
        result = builder.build(request)
        error = case / "error.txt"
        if error.exists():
            self.assertNotEqual(result.code, 0, f"built what has to be refused\n{result}")
            if builder.name == "kiln":
                self.assertIn(error.read_text().strip(), result.stderr)
            return
        self.assertEqual(result.code, 0, result)
        image = self.layout_image(request.out)
        files, config = "\n".join(listing(image, base)) + "\n", config_of(image, base)
        if os.environ.get("KILN_RECORD", "").lower() == builder.name.lower():
            (case / "files.txt").write_text(files)
            (case / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        self.assertEqual((case / "files.txt").read_text(), files)
        expected = json.loads((case / "config.json").read_text())
        if builder.name == "BuildKit" and any(entry["created_by"].startswith("HEALTHCHECK &{") for entry in config["history"]):
            expected, config = without_text_of_healthchecks(expected), without_text_of_healthchecks(config)
        if builder.name == "buildah":
            expected, config = without_buildahs(expected), without_buildahs(config)
        self.assertEqual(expected, config)

    def compare_all(self, builder):
        self.assertTrue(cases(), "there are no cases")
        allowed = set() if builder.name == "kiln" else known_differences(builder.name)
        self.assertEqual(allowed - {case.name for case in CASES.iterdir()}, set(), "differences of cases that are not there")
        for case in cases():
            if case.name in allowed:
                continue
            with self.subTest(case=case.name):
                self.compare(builder, case)

    def builder_folder(self):
        return Path(self.enterContext(tempfile.TemporaryDirectory(prefix="kiln-peer-", ignore_cleanup_errors=True)))

    def test_kiln_builds_what_is_expected(self):
        self.compare_all(Kiln(harness.kiln_binary(), self.run_builder))

    def test_buildkit_builds_what_is_expected(self):
        self.need_programs(*BuildKit.programs)
        builder = BuildKit(self.builder_folder(), self.run_builder)
        self.addCleanup(builder.stop)
        self.compare_all(builder)

    def test_buildah_builds_what_is_expected(self):
        self.need_programs(*Buildah.programs)
        self.compare_all(Buildah(self.builder_folder(), self.base, self.run_builder))


if __name__ == "__main__":
    harness.main()
