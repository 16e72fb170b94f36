"""Run in this folder's parent: python -m unittest discover -s tests -t ."""

import asyncio
import importlib.util
import json
import tempfile
import threading
import unittest
from pathlib import Path

from memory_fusion_hub.settings import Settings, worker_count

PACKAGES = ("fastapi", "rapidfuzz")
MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
needs_packages = unittest.skipIf(MISSING, f"not installed here: {', '.join(MISSING)}")

if not MISSING:
    from memory_fusion_hub.api import create_app
    from memory_fusion_hub.fusion import fused_text, nearest_memory
    from memory_fusion_hub.store import MemoryStore


def call(app, method, path, query="", body=None):
    """One request straight into the ASGI application: its status and its JSON."""
    sent = []
    content = b"" if body is None else json.dumps(body).encode()

    async def receive():
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
        "headers": [(b"content-type", b"application/json")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 6713),
    }
    asyncio.run(app(scope, receive, send))
    text = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(text) if text else None


@needs_packages
class FusionTest(unittest.TestCase):
    def test_word_order_case_and_spaces_do_not_count(self):
        found = nearest_memory("Tea  likes ANNA", [(7, "anna likes tea"), (8, "anna owns a boat")], 90)
        self.assertEqual(found, (7, 100.0))

    def test_what_is_not_alike_stays_apart(self):
        self.assertIsNone(nearest_memory("the door is red", [(1, "the meeting is at nine")], 90))

    def test_the_longer_text_stays(self):
        self.assertEqual(fused_text("anna likes tea", "anna likes green tea"), "anna likes green tea")
        self.assertEqual(fused_text("anna likes green tea", "anna likes tea"), "anna likes green tea")


@needs_packages
class StoreTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.store = MemoryStore(Path(self.folder.name) / "memories.db", 90)

    def test_the_same_fact_of_two_agents_is_one_memory(self):
        self.store.remember("anna", "anna likes green tea", "kitchen")
        memory, is_fused = self.store.remember("anna", "green tea anna likes", "garden")
        self.assertTrue(is_fused)
        self.assertEqual((memory.times_seen, memory.sources), (2, ["kitchen", "garden"]))
        self.assertEqual(self.store.count(), 1)

    def test_subjects_are_never_fused(self):
        self.store.remember("anna", "likes tea", "kitchen")
        self.assertFalse(self.store.remember("ben", "likes tea", "kitchen")[1])

    def test_the_latest_memory_comes_first(self):
        self.store.remember("anna", "likes tea", "kitchen")
        self.store.remember("anna", "has a red bicycle", "garage")
        self.assertEqual([m.text for m in self.store.recall("anna", 10)], ["has a red bicycle", "likes tea"])
        self.assertEqual(len(self.store.recall("anna", 1)), 1)

    def test_forgetting_twice_says_so(self):
        memory, _ = self.store.remember("anna", "likes tea", "kitchen")
        self.assertTrue(self.store.forget(memory.id))
        self.assertFalse(self.store.forget(memory.id))

    def test_many_writers_at_once_make_one_memory(self):
        threads = [
            threading.Thread(target=self.store.remember, args=("anna", "likes tea", f"agent {i}")) for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [memory] = self.store.recall("anna", 10)
        self.assertEqual((memory.times_seen, len(memory.sources)), (8, 8))


class SettingsTest(unittest.TestCase):
    def test_workers_are_at_most_the_processors(self):
        self.assertEqual(worker_count("32", 4), 4)
        self.assertEqual(worker_count("2", 4), 2)
        self.assertEqual(worker_count("0", 4), 1)
        self.assertEqual(worker_count("many", 4), 1)

    def test_the_profile_is_read_from_the_environment(self):
        settings = Settings.from_environment({"MACHINE": "pc2", "UVICORN_WORKERS": "8", "PATH": "/bin"})
        self.assertEqual((settings.machine, settings.port), ("pc2", 6713))
        self.assertEqual(settings.profile, {"UVICORN_WORKERS": "8"})


@needs_packages
class ApiTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        environment = {
            "MEMORY_FUSION_DATABASE": f"{folder.name}/memories.db", "MACHINE": "mainpc", "CUDA_ARCH": "8.9",
        }
        self.app = create_app(Settings.from_environment(environment))

    def test_health_tells_the_machine_and_its_profile(self):
        status, body = call(self.app, "GET", "/health")
        self.assertEqual(status, 200)
        self.assertEqual(body, {"status": "ok", "machine": "mainpc", "profile": {"CUDA_ARCH": "8.9"}, "memories": 0})

    def test_a_memory_is_kept_recalled_and_forgotten(self):
        new = {"subject": "anna", "text": "likes tea", "source": "kitchen"}
        status, memory = call(self.app, "POST", "/memories", body=new)
        self.assertEqual((status, memory["fused"]), (201, False))
        self.assertTrue(call(self.app, "POST", "/memories", body=new)[1]["fused"])
        status, memories = call(self.app, "GET", "/memories", query="subject=anna")
        self.assertEqual((status, [m["times_seen"] for m in memories]), (200, [2]))
        self.assertEqual(call(self.app, "DELETE", f"/memories/{memory['id']}")[0], 204)
        self.assertEqual(call(self.app, "DELETE", f"/memories/{memory['id']}")[0], 404)

    def test_an_empty_memory_is_refused(self):
        self.assertEqual(call(self.app, "POST", "/memories", body={"subject": "anna", "text": "", "source": "x"})[0], 422)


if __name__ == "__main__":
    unittest.main()
