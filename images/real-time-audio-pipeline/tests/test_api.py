"""The HTTP interface; needs the service's own packages."""

import asyncio
import importlib.util
import json
import unittest


def call(app, method, path, body=None):
    """One request straight into the ASGI application: its status and its JSON."""
    sent = []
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

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


@unittest.skipIf(importlib.util.find_spec("numpy") is None or importlib.util.find_spec("fastapi") is None, "fastapi and numpy are not installed here")
class ApiTest(unittest.TestCase):
    def setUp(self):
        from real_time_audio_pipeline.api import create_app
        from real_time_audio_pipeline.settings import Settings

        self.app = create_app(Settings.from_environment({"MACHINE": "pc2"}))

    def test_health_tells_the_machine(self):
        self.assertEqual(call(self.app, "GET", "/health"), (200, {"status": "ok", "machine": "pc2", "streams": 0}))

    def test_silence_holds_no_speech(self):
        self.assertEqual(call(self.app, "POST", "/segments", b"\0" * 32000), (200, []))


if __name__ == "__main__":
    unittest.main()
