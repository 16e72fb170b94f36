#!/usr/bin/env python3
"""kiln cache du, prune and verify on a store that real builds filled."""

import json
import os
import shutil
import time

import harness


class CacheCommands(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        context = self.folder / "app"
        context.mkdir()
        shutil.copy(shutil.which("busybox"), context / "busybox")
        self.write("app/main.py", "print(1)")
        self.write("app/Dockerfile", """
            FROM scratch
            COPY --chmod=755 busybox /bin/busybox
            RUN --mount=type=cache,target=/cache,id=wheels ["/bin/busybox", "sh", "-c", "/bin/busybox echo kept >/cache/x; /bin/busybox echo 1 >/made"]
            COPY main.py /app/
        """)

    def build(self, *args):
        self.kiln("build", *args, "app")
        return self.outcomes()

    def outcomes(self):
        why = json.loads(self.kiln("why", "--json").stdout)
        return [step["outcome"] for step in why["targets"][0]["steps"]]

    def du(self):
        return json.loads(self.kiln("cache", "du", "--json").stdout)

    def prune(self, *args):
        return json.loads(self.kiln("cache", "prune", "--json", *args).stdout)

    def verify(self, *args, code=0):
        return json.loads(self.kiln("cache", "verify", "--json", *args, code=code).stdout)

    def age(self, seconds=7200):
        """Makes all of the store look unused for so long."""
        then = time.time() - seconds
        for folder, _, files in os.walk(self.home):
            for name in files:
                os.utime(os.path.join(folder, name), (then, then), follow_symlinks=False)

    def flip(self, path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def blob_of(self, line):
        """The stored layer blob of the step that a Dockerfile line made."""
        why = json.loads(self.kiln("why", "--json").stdout)
        key = next(step["key"] for step in why["targets"][0]["steps"] if step["line"] == line)
        record = json.loads((self.home / "steps" / key[:2] / key).read_text())
        return self.home / "oci/blobs/sha256" / record["layers"][0]["blobs"][0]["digest"].removeprefix("sha256:")

    def test_du_accounts_for_what_is_there(self):
        self.build("-t", "app:1")
        usage = self.du()
        kinds = usage["kinds"]
        for kind in ("image", "index", "snapshot", "cachemount", "record"):
            self.assertIn(kind, kinds)
        self.assertEqual(kinds["cachemount"]["count"], 1)
        self.assertEqual([item["description"] for item in usage["items"] if item["kind"] == "cachemount"], ["wheels"])
        blobs = sum(path.stat().st_size for path in (self.home / "oci/blobs/sha256").iterdir())
        self.assertEqual(blobs, sum(item["bytes"] for item in usage["items"] if item["id"].startswith("sha256:")))
        self.assertEqual(usage["bytes"], sum(item["bytes"] for item in usage["items"]))
        text = self.kiln("cache", "du").stdout
        self.assertIn("wheels", text)
        self.assertIn("Total:", text)

    def bound(self, text, code=0):
        """A build on a machine whose settings file says so; its output."""
        settings = self.write("config.json", text)
        return self.kiln("build", "-t", "app:1", "app", env={"KILN_CONFIG": settings}, code=code).stderr

    def test_a_build_holds_the_store_to_its_bound_and_keeps_what_it_used_and_what_is_named(self):
        self.build("-t", "app:1")
        for number in range(3):
            self.write("app/main.py", os.urandom(300_000))
            self.kiln("build", "app")
        self.age()
        before = self.du()["bytes"]
        layers = {path.name for path in (self.home / "oci/blobs/sha256").iterdir()}
        self.write("app/main.py", "print(2)")
        text = self.bound('{"store": {"max_used_space": "64"}}')
        self.assertIn("the store gave up", text)
        self.assertIn("more than its bound: images have it, or builds that run", text)
        usage = self.du()
        self.assertLess(usage["bytes"], before - 900_000)
        self.assertLess(len({path.name for path in (self.home / "oci/blobs/sha256").iterdir()} & layers), len(layers))
        self.assertEqual(self.verify()["problems"], [])
        self.assertEqual(set(self.build("-t", "app:1")), {"hit"})
        # A bound that is kept costs nothing and says nothing.
        self.assertNotIn("bound", self.bound('{"store": {"max_used_space": "50GB", "min_free_space": "1"}}'))
        self.assertEqual(self.du()["kinds"]["image"]["bytes"], usage["kinds"]["image"]["bytes"])

    def test_a_mistake_in_the_settings_file_is_refused(self):
        self.assertIn("'store.max_used_spaces' is no setting", self.bound('{"store": {"max_used_spaces": "1"}}', code=2))
        self.assertIn("'stores' is no setting; there are store", self.bound('{"stores": {}}', code=2))
        self.assertIn("is no size such as", self.bound('{"store": {"max_used_space": 50}}', code=2))
        self.assertIn("expected a size", self.bound('{"store": {"max_used_space": "much"}}', code=2))
        self.assertIn("config.json", self.bound("{", code=2))
        result = self.kiln("build", "app", env={"KILN_CONFIG": self.folder / "none"}, code=2)
        self.assertIn("there is no such file", result.stderr)

    def test_prune_keeps_what_a_name_reaches_and_takes_the_rest(self):
        self.build("-t", "app:1")
        self.write("app/main.py", "print(2)")
        self.build()
        removed = self.prune("--dry-run")
        before = self.du()["bytes"]
        self.assertEqual(before, removed["used_before"])
        again = self.prune()
        self.assertEqual(removed["removed"], again["removed"])
        self.assertLessEqual(self.du()["bytes"], before - again["bytes"])
        self.stored_image("docker.io/library/app:1")
        self.assert_store_is_sound()
        self.assertEqual(self.verify()["problems"], [])
        self.assertFalse(list((self.home / "cache-mounts").iterdir()))
        self.write("app/main.py", "print(1)")
        self.assertEqual(self.build(), ["hit"] * 3, "steps of a named image keep their records")
        self.prune("--all")
        self.assertEqual(self.build(), ["built"] * 3)
        self.kiln("untag", "--local", "docker.io/library/app:1", code=None)

    def test_prune_takes_the_oldest_first_and_stops_at_its_limits(self):
        self.build()
        self.age()
        self.write("app/main.py", "print(2)")
        self.build()
        self.assertEqual(self.prune("--filter", "until=3h")["removed"], [])
        removed = self.prune("--filter", "until=1h", "--filter", "type=step")["removed"]
        self.assertEqual([item["description"] for item in removed], ["COPY main.py /app/"])
        self.assertEqual(self.build(), ["hit"] * 3)
        used = self.du()["bytes"]
        self.assertEqual(self.prune("--keep-storage", "1TB")["removed"], [])
        self.assertEqual(self.prune("--max-used-space", "1TB")["removed"], [])
        one = self.prune("--max-used-space", str(used - 1))
        self.assertEqual(len(one["removed"]), 1)
        self.kiln("cache", "prune", "--filter", "until=soon", code=2)
        self.kiln("cache", "prune", "--filter", "colour=red", code=2)

    def test_a_running_build_loses_nothing(self):
        self.write("app/Dockerfile", """
            FROM scratch
            COPY --chmod=755 busybox /bin/busybox
            RUN --mount=type=cache,target=/cache ["/bin/busybox", "sh", "-c", "while ! [ -e /cache/go ]; do /bin/busybox sleep 0.1; done; /bin/busybox echo 1 >/made"]
            COPY main.py /app/
        """)
        import subprocess
        build = subprocess.Popen([harness.kiln_binary(), "build", "-t", "app:1", "app"], cwd=self.folder, env=self.environment(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        mounts = self.home / "cache-mounts"
        deadline = time.time() + 60
        while time.time() < deadline and not (mounts.is_dir() and list(mounts.glob("*/data"))):
            time.sleep(0.05)
        time.sleep(0.3)
        self.prune("--all")
        data = list(mounts.glob("*/data"))
        self.assertEqual(len(data), 1, "the mount is in use")
        (data[0] / "go").touch()
        _, err = build.communicate(timeout=60)
        self.assertEqual(build.returncode, 0, err.decode())
        self.stored_image("docker.io/library/app:1")
        self.assertEqual(self.verify()["problems"], [])

    def test_verify_finds_a_flipped_bit_wherever_it_is_and_a_repair_brings_the_build_back(self):
        self.build("-t", "app:1")
        clean = self.verify()
        self.assertEqual(clean["problems"], [])
        self.assertEqual((clean["layers"], clean["snapshots"], clean["snapshots_unknown"]), (3, 2, 0))
        image = self.stored_image("docker.io/library/app:1")
        places = [path for folder in ("oci/blobs/sha256", "indexes", "blobinfo", "builds") for path in (self.home / folder).iterdir()]
        places += [path for path in (self.home / "steps").glob("??/*")]
        places += [path for path in (self.home / "snapshots").glob("*/fs/**/*") if path.is_file() and not path.is_symlink()]
        self.assertGreaterEqual(len(places), 20)
        shutil.copytree(self.home, self.folder / "whole", symlinks=True)
        for path in places:
            with self.subTest(str(path.relative_to(self.home))):
                self.flip(path)
                found = self.verify(code=4)["problems"]
                self.assertTrue(found)
                repaired = self.verify("--repair")["problems"]
                self.assertTrue(all(problem["repaired"] for problem in repaired), repaired)
                self.assertEqual(self.verify()["problems"], [])
                shutil.rmtree(self.home)
                shutil.copytree(self.folder / "whole", self.home, symlinks=True)
        # After the worst of it a build makes the same image again.
        for path in places[::2]:
            self.flip(path)
        self.verify("--repair")
        self.build("-t", "app:1")
        self.assertEqual(self.verify()["problems"], [])
        self.assertEqual(len(self.stored_image("docker.io/library/app:1").layers), len(image.layers))


if __name__ == "__main__":
    harness.main()
