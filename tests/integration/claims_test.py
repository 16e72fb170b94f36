#!/usr/bin/env python3
"""Machines that start the same builds at nearly the same time and share nothing but a cache: each step is executed once."""

import json
import re
import signal
import subprocess
import threading
import time

import harness
from shared_cache_test import Machines

from tests.support.ci_runner import CiRunner
from tests.support.http_cache import BazelRemote
from tests.support.registry import Registry, die_with_parent

APART_SECONDS = 2
# No cache has compare-and-set, so two machines that claim a step in the same moment may both execute it. Without claims the
# second machine executes nearly all that the first one does: twice.
MOST_TIMES = 1.35

# Each RUN takes as long as a short one does in earnest, so that the second machine comes while the first works.
WORKER = """\
FROM pydeps AS builder
COPY requirements.txt .
RUN sleep 1; mkdir -p /install && cp requirements.txt /install/NAME && touch -d @1000000000 /install /install/NAME
FROM pydeps
RUN sleep 1; mkdir -p /var/lib/NAME && touch -d @1000000000 /var /var/lib /var/lib/NAME
COPY --from=builder /install /usr/local
RUN sleep 1; touch -d @1000000000 /var/lib/NAME/made /var/lib/NAME
COPY . .
ARG MACHINE=small
ENV MACHINE=$MACHINE
"""


class Fleet(Machines):
    """Machines with two more services, whose steps take a while."""

    def setUp(self):
        super().setUp()
        for name in ("one", "two"):
            self.write(f"repo/images/{name}/image.json", '{"kind": "service"}')
            self.write(f"repo/images/{name}/Dockerfile", WORKER.replace("NAME", name))
            self.write(f"repo/images/{name}/requirements.txt", f"{name}\n")
        self.write("repo/images/pydeps/wheels/torch", "small here\n")

    def executed(self, report):
        return [step["key"] for step in report["steps"] if step["outcome"] == "built"]

    def bake_apart(self, targets, ports, apart=APART_SECONDS):
        """Two machines, the second started later; their (metadata, report, output)."""
        results = {}

        def bake(machine):
            with CiRunner(ports) as runner:
                results[machine] = self.bake(machine, runner=runner, targets=targets)

        threads = [threading.Thread(target=bake, args=(machine,)) for machine in ("first", "second")]
        threads[0].start()
        time.sleep(apart)
        threads[1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(results), {"first", "second"})
        return results["first"], results["second"]

    def check_executed_once(self, ports):
        first, second = self.bake_apart(("service", "one", "two"), ports)
        keys = self.executed(first[1]) + self.executed(second[1])
        self.assertLessEqual(len(keys), MOST_TIMES * len(set(keys)), second[2])
        self.assertEqual(self.digests(first[0]), self.digests(second[0]))
        # The second one came in the middle, and waited.
        self.assertIn("waiting for another machine that executes this step", first[2] + second[2])
        # A machine that comes afterwards hits everything.
        third, report, _ = self.bake("third", targets=("service", "one", "two"))
        self.assertEqual(self.executed(report), [])
        self.assertEqual(self.digests(third), self.digests(first[0]))
        twice = [step["text"] for step in second[1]["steps"] if step["outcome"] == "built" and step["key"] in self.executed(first[1])]
        print(f"{self.id().rpartition('.')[2]}: {len(set(keys))} steps, {len(keys)} executed, {len(self.executed(second[1]))} of them by the second machine; twice: {twice}")


class Claims(Fleet):
    def test_two_machines_that_share_a_registry_execute_each_step_once(self):
        self.use_cache(f"type=registry,ref={self.images.address}/acme/cache")
        self.check_executed_once([int(self.images.address.split(":")[1])])
        # A layer is sent once, be it for the cache or for an image.
        sent = [re.search(r"digest=sha256%3A(\w+)", path) for path, status in self.registry_requests()
                if path.startswith("PUT /v2/acme/") and "/blobs/uploads/" in path and status == "201"]
        self.assertTrue(all(sent))
        layers = self.layers_on("first") | self.layers_on("second")
        for layer in layers:
            self.assertLessEqual(sum(match[1] == layer for match in sent), 1, layer)

    def test_two_machines_that_share_an_http_cache_execute_each_step_once(self):
        with BazelRemote() as server:
            self.use_cache(f"type=http,url={server.url}")
            self.check_executed_once([int(self.images.address.split(":")[1]), int(server.address.split(":")[1])])

    def test_two_machines_that_share_a_folder_execute_each_step_once(self):
        self.use_cache(f"type=local,dest={self.folder}/cache")
        self.check_executed_once([int(self.images.address.split(":")[1])])
        self.assertEqual([path for path in (self.folder / "cache/entries").glob("*/*") if "vnd.kiln.claim" in path.read_text(errors="replace")], [])

    def test_a_machine_that_only_reads_claims_nothing_and_waits_for_nobody(self):
        reference = f"type=registry,ref={self.images.address}/acme/cache"
        self.use_cache(reference)
        _, report, output = self.bake("reader", env={"KILN_CACHE_MODE": "read"})
        self.assertEqual(len(self.misses(report)), len(report["steps"]))
        self.assertEqual([path for path, _ in self.registry_requests() if "acme/cache" in path and path.startswith(("PUT", "POST"))], [])
        self.assertNotIn("waiting for another machine", output)

    def claims(self):
        """The claims in the registry, by tag."""
        _, _, body = self.images.get("/v2/acme/cache/tags/list")
        found = {}
        for tag in json.loads(body).get("tags") or []:
            _, _, manifest = self.images.get(f"/v2/acme/cache/manifests/{tag}", {"Accept": "application/vnd.oci.image.manifest.v1+json"})
            manifest = json.loads(manifest)
            if manifest.get("artifactType", "").startswith("application/vnd.kiln.claim."):
                found[tag] = json.loads(manifest["annotations"]["dev.kiln.content"])
        return found

    def test_a_killed_machine_is_waited_for_for_a_while_and_what_it_claimed_is_built(self):
        self.use_cache(f"type=registry,ref={self.images.address}/acme/cache")
        self.write("repo/images/one/Dockerfile", "FROM base\nRUN touch -d @1000000000 /made /; [ -e /nobody ] || sleep 2\n")
        process = subprocess.Popen([harness.kiln_binary(), "bake", "one", "--progress", "plain"], cwd=self.folder / "repo", start_new_session=True,
                                   preexec_fn=die_with_parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=self.environment(KILN_HOME=str(self.folder / "killed")))
        try:
            while not any(not claim["over"] for claim in self.claims().values()):
                self.assertIsNone(process.poll())
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        dead = {tag for tag, claim in self.claims().items() if not claim["over"]}
        self.assertTrue(dead)
        _, report, output = self.bake("living", targets=("one",), push=False)
        self.assertIn("waiting for another machine that executes this step", output)
        self.assertGreater(len(self.executed(report)), 0)
        self.assertTrue(all(claim["over"] for claim in self.claims().values()))

    def test_a_step_that_failed_is_not_waited_for_by_who_tries_it_next(self):
        self.use_cache(f"type=registry,ref={self.images.address}/acme/cache")
        self.write("repo/images/one/Dockerfile", "FROM base\nRUN false\n")
        for machine in ("first", "second"):
            _, _, output = self.bake(machine, targets=("one",), push=False, code=1)
            self.assertNotIn("waiting for another machine", output)

    def test_claims_are_pruned_with_what_else_is_old_in_a_cache(self):
        images = Registry(delete=True)
        images.start()
        self.addCleanup(images.stop)
        self.images = images
        self.use_cache(f"type=registry,ref={images.address}/acme/cache")
        self.bake("first")
        self.assertTrue(self.claims())
        plan = json.loads(self.kiln("prune", "--registry", f"{images.address}/acme", "--json").stdout)
        cache = next(item for item in plan["repositories"] if item["name"].endswith("acme/cache"))
        reasons = {tag: kept["reason"] for kept in cache["keep"] for tag in kept["tags"]}
        self.assertEqual({reasons[tag] for tag in self.claims()}, {"younger than 14 days"})
        # Nothing in the repository is without an age, and so for ever.
        self.assertEqual(set(reasons.values()), {"younger than 14 days"})


if __name__ == "__main__":
    harness.main()
