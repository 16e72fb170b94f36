#!/usr/bin/env python3
"""kiln cache prune --cache: what shared caches of each kind lose, by use, age and size, and what they keep."""

import base64
import json
import os
import shutil
import time

import harness
from tests.support.github_packages import GithubPackages
from tests.support.http_cache import BazelRemote, NginxDav

DAY = 24 * 3600


class SharedPrune(harness.KilnTest):
    """An image that was built three times, by machines that have nothing but the cache, and whose second COPY changed each time."""

    def build(self, reference, text):
        self.write("app/Dockerfile", "FROM scratch\nCOPY data /data\nCOPY app /app\n")
        self.write("app/data", b"data" * 5000)
        self.write("app/app", text)
        self.home = self.folder / f"machine-{time.monotonic_ns()}"
        self.kiln("build", "-t", "app:1", "--cache-from", reference, "--cache-to", f"{reference},mode=max,ignore-error=false", "--metadata-file",
                  "metadata.json", "app")
        report = json.loads(self.kiln("report", "--json").stdout)
        return {step["text"]: step for step in report["steps"]}

    def build_three(self, reference):
        for i in range(3):
            steps = self.build(reference, os.urandom(50_000 + i))
        return steps

    def prune(self, reference, *words, code=0, env=None):
        result = self.kiln("cache", "prune", "--cache", reference, "--json", *words, code=code, env=env)
        return json.loads(result.stdout)["caches"][0] if code == 0 else result


class OfFolder(SharedPrune):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.reference = f"type=local,src={self.cache}"

    def age(self, days, kind=""):
        for path in self.cache.rglob("*"):
            if path.is_file() and kind in str(path):
                os.utime(path, (time.time() - days * DAY,) * 2)

    def files(self, folder):
        return {path.name for path in (self.cache / folder).rglob("*") if path.is_file()}

    def bundle(self):
        return next(path for path in (self.cache / "entries").rglob("*") if path.is_file() and b"vnd.kiln.bundle" in path.read_bytes()[:200])

    def test_nothing_young_goes_and_what_nobody_used_for_long_does_with_its_layers(self):
        self.build_three(self.reference)
        self.assertEqual(self.prune(self.reference)["bytes"], 0)
        self.age(15)
        steps = self.build(self.reference, (self.folder / "app/app").read_bytes())
        self.assertEqual({step["outcome"] for step in steps.values()}, {"hit"})
        before, size = self.files("blobs"), sum(path.stat().st_size for path in self.cache.rglob("*") if path.is_file()) - len("kiln cache 1\n")
        would = self.prune(self.reference, "--dry-run")
        self.assertEqual(self.files("blobs"), before)
        pruned = self.prune(self.reference)
        self.assertEqual({**would, "left": 0}, pruned)
        self.assertEqual(pruned["used_before"], size)
        # The bundle that the last build used names the entries of all three; those that it did not use are older.
        self.assertEqual(pruned["left"], 0)
        self.home = self.folder / "again"
        steps = self.build(self.reference, (self.folder / "app/app").read_bytes())
        self.assertEqual({step["outcome"] for step in steps.values()}, {"hit"})

    def test_without_a_bundle_that_names_them_old_entries_go_and_blobs_without_one(self):
        self.build_three(self.reference)
        self.bundle().unlink()
        orphan = self.cache / "blobs/sha256" / ("0" * 64)
        orphan.write_bytes(b"x" * 1000)
        self.age(15)
        used = self.build(self.reference, (self.folder / "app/app").read_bytes())
        self.assertEqual({step["outcome"] for step in used.values()}, {"hit"})
        pruned = self.prune(self.reference)
        self.assertEqual(pruned["entries"], 2)
        self.assertFalse(orphan.exists())
        self.assertGreater(pruned["bytes"], 100_000)
        self.assertLess(pruned["bytes"], 200_000)
        used = self.build(self.reference, (self.folder / "app/app").read_bytes())
        self.assertEqual({step["outcome"] for step in used.values()}, {"hit"})

    def test_a_size_bounds_it_and_what_the_last_builds_used_stays(self):
        self.build_three(self.reference)
        self.age(3)
        bundle = self.bundle()
        bundle.unlink()
        steps = self.build(self.reference, (self.folder / "app/app").read_bytes())
        pruned = self.prune(self.reference, "--max-used-space", "1")
        self.assertEqual(pruned["entries"], 2)
        self.assertGreaterEqual(pruned["used_entries"], len(steps))
        steps = self.build(self.reference, (self.folder / "app/app").read_bytes())
        self.assertEqual({step["outcome"] for step in steps.values()}, {"hit"})
        text = self.kiln("cache", "prune", "--cache", self.reference, "--max-used-space", "1").stdout
        self.assertIn("stay: builds use them", text)

    def test_words_that_a_shared_cache_has_not_are_refused(self):
        for words, message in ((["--all"], "--all is for this machine's store"), (["--min-free-space=1GB"], "--min-free-space is for"),
                               (["--filter=type=step"], "--filter type= is for"), ([], "holds no cache")):
            self.assertIn(message, self.prune(self.reference, *words, code=2).stderr)
        (self.cache).mkdir()
        self.write("cache/mine", "")
        self.assertIn("holds something else", self.prune(self.reference, code=4).stderr)
        self.assertIn("type=gha", self.prune("type=gha", code=2).stderr)


class OfHttp(SharedPrune):
    def test_nginx_that_lists_and_deletes_is_pruned(self):
        self.need_programs("nginx")
        with NginxDav(lists=True) as server:
            reference = f"type=http,url={server.url}"
            self.build_three(reference)
            self.assertEqual(self.prune(reference)["entries"], 0)
            for path in server.data.rglob("*"):
                os.utime(path, (time.time() - 15 * DAY,) * 2)
            would = self.prune(reference, "--dry-run")
            self.assertGreater(would["bytes"], 150_000)
            pruned = self.prune(reference)
            self.assertEqual(pruned["bytes"], would["bytes"])
            self.assertEqual([path for path in server.data.rglob("*") if path.is_file()], [])

    def test_servers_that_do_not_list_or_delete_are_named_with_what_would(self):
        with BazelRemote() as server:
            result = self.prune(f"type=http,url={server.url}", code=3)
            self.assertIn("does not list what it holds", result.stderr)
            self.assertIn("autoindex_format json", result.stderr)
        if shutil.which("nginx"):
            with NginxDav(lists=True, deletes=False) as server:
                reference = f"type=http,url={server.url}"
                self.build(reference, b"app")
                for path in server.data.rglob("*"):
                    os.utime(path, (time.time() - 15 * DAY,) * 2)
                self.assertIn("deletes nothing", self.prune(reference, code=3).stderr)


class OfRegistry(SharedPrune):
    def test_entries_go_by_size_and_images_and_what_the_last_builds_used_stay(self):
        server = self.registry(delete=True)
        reference = f"type=registry,ref={server.address}/acme/cache"
        self.build_three(reference)
        tags = set(self.kiln("ls", f"{server.address}/acme/cache").stdout.split())
        self.assertEqual(self.prune(reference)["entries"], 0)
        # Its bundle was written today and names all of them.
        self.assertEqual(self.prune(reference, "--max-used-space", "1")["entries"], 0)
        would = self.prune(reference, "--filter", "until=0s", "--dry-run")
        self.assertEqual(would["entries"], len(tags))
        self.assertEqual(would["blobs"], 0)
        self.assertEqual(self.prune(reference, "--filter", "until=0s")["entries"], len(tags))
        self.assertEqual(self.prune(reference, "--filter", "until=0s")["entries"], 0)

    def test_of_ghcr_the_packages_api_lists_and_deletes_with_the_registrys_token(self):
        server = self.registry(delete=True)
        self.write(".config/containers/registries.conf", f'[[registry]]\nprefix = "ghcr.io"\nlocation = "{server.address}"\ninsecure = true\n')
        reference = "type=registry,ref=ghcr.io/acme/cache"
        self.build_three(reference)
        tags = set(self.kiln("ls", f"{server.address}/acme/cache").stdout.split())
        with GithubPackages(server.address, "ghp_canary") as api:
            env = {"GITHUB_API_URL": f"http://{api.address}"}
            self.assertIn("kiln login ghcr.io", self.prune(reference, code=2, env=env).stderr)
            self.assertEqual(api.requests, [])
            self.write(".docker/config.json", json.dumps({"auths": {"ghcr.io": {"auth": base64.b64encode(b"acme:ghp_canary").decode()}}}))
            self.assertEqual(self.prune(reference, env=env)["entries"], 0)
            self.assertEqual(self.prune(reference, "--filter", "until=0s", "--dry-run", env=env)["entries"], len(tags))
            self.assertEqual({method for method, _, _ in api.requests}, {"GET"})
            self.assertEqual(self.prune(reference, "--filter", "until=0s", env=env)["entries"], len(tags))
            self.assertEqual([status for method, _, status in api.requests if method == "DELETE"], [204] * len(tags))
        # No request of kiln's own to the registry deleted anything.
        self.assertEqual(self.kiln("ls", f"{server.address}/acme/cache").stdout.split(), [])

    def test_a_registry_that_deletes_nothing_is_an_error_that_says_what_turns_it_on(self):
        server = self.registry()
        reference = f"type=registry,ref={server.address}/acme/cache"
        self.build(reference, b"app")
        self.assertIn("DELETE", self.prune(reference, "--filter", "until=0s", code=3).stderr.upper())
        self.assertIn("no such repository", self.prune(f"type=registry,ref={server.address}/acme/none", code=3).stderr)


if __name__ == "__main__":
    harness.main()
