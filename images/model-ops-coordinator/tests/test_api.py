"""The HTTP interface; needs the service's own packages."""

import asyncio
import importlib.util
import json
import unittest


def call(app, method, path, body=None):
    """One request straight into the ASGI application: its status and its JSON."""
    sent = []
    content = b"" if body is None else json.dumps(body).encode()

    async def receive():
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(b"content-type", b"application/json")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
    }
    asyncio.run(app(scope, receive, send))
    text = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(text) if text else None


@unittest.skipIf(importlib.util.find_spec("fastapi") is None, "fastapi is not installed here")
class ApiTest(unittest.TestCase):
    def setUp(self):
        from model_ops_coordinator.api import create_app
        from model_ops_coordinator.coordinator import Coordinator
        from model_ops_coordinator.device import ComputeDevice
        from model_ops_coordinator.settings import Settings

        device = ComputeDevice("cpu", 1000, False, "12.1")
        self.app = create_app(Settings.from_environment({"MACHINE": "pc2"}), device, Coordinator(1000, 70))

    def test_health_tells_the_device(self):
        status, body = call(self.app, "GET", "/health")
        self.assertEqual((status, body["status"], body["machine"], body["cuda"]), (200, "ok", "pc2", "12.1"))
        self.assertEqual((body["limit_bytes"], body["used_bytes"]), (700, 0))

    def test_a_model_is_loaded_listed_and_released(self):
        self.assertEqual(call(self.app, "POST", "/models", {"name": "a", "bytes": 600}), (201, {"name": "a", "evicted": []}))
        self.assertEqual(call(self.app, "POST", "/models", {"name": "b", "bytes": 600})[0], 507)
        self.assertEqual(call(self.app, "POST", "/models/a/release")[0], 204)
        self.assertEqual(call(self.app, "POST", "/models/a/release")[0], 404)
        self.assertEqual(call(self.app, "POST", "/models", {"name": "b", "bytes": 600})[1]["evicted"], ["a"])
        self.assertEqual([model["name"] for model in call(self.app, "GET", "/models")[1]], ["b"])


if __name__ == "__main__":
    unittest.main()
