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


@unittest.skipIf(importlib.util.find_spec("snowballstemmer") is None or importlib.util.find_spec("fastapi") is None, "fastapi and snowballstemmer are not installed here")
class ApiTest(unittest.TestCase):
    def setUp(self):
        from affective_processing_center.api import create_app
        from affective_processing_center.settings import Settings

        self.app = create_app(Settings.from_environment({"MACHINE": "pc2", "AFFECTIVE_MOST_PEOPLE": "2"}))

    def hear(self, person, text):
        return call(self.app, "POST", "/utterances", {"person": person, "text": text})

    def test_health_tells_the_machine(self):
        self.assertEqual(call(self.app, "GET", "/health"), (200, {"status": "ok", "machine": "pc2", "people": 0}))

    def test_a_person_has_the_mood_of_what_was_said(self):
        status, body = self.hear("anna", "I am so happy, we loved it!")
        self.assertEqual((status, body["text"]["mood"], body["text"]["words"]), (201, "excited", 2))
        self.assertEqual(call(self.app, "GET", "/people/anna")[1]["mood"], "excited")
        self.assertEqual(call(self.app, "GET", "/people/ben")[0], 404)

    def test_who_was_silent_for_longest_is_forgotten(self):
        for person in ("anna", "ben", "anna", "cleo"):
            self.hear(person, "hello")
        self.assertEqual([call(self.app, "GET", f"/people/{name}")[0] for name in ("anna", "ben", "cleo")], [200, 404, 200])


if __name__ == "__main__":
    unittest.main()
