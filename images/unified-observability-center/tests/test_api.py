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


@unittest.skipIf(importlib.util.find_spec("httpx") is None or importlib.util.find_spec("fastapi") is None, "fastapi and httpx are not installed here")
class ApiTest(unittest.TestCase):
    def setUp(self):
        from unified_observability_center.api import create_app
        from unified_observability_center.settings import Settings

        self.app = create_app(Settings.from_environment({"MACHINE": "pc2", "OBSERVABILITY_SERVICES": "hub=http://hub/health"}))

    def test_health_tells_how_many_services_there_are(self):
        self.assertEqual(call(self.app, "GET", "/health"), (200, {"status": "ok", "machine": "pc2", "services": 1}))

    def test_a_service_that_was_not_asked_yet_is_unknown(self):
        status, body = call(self.app, "GET", "/services")
        self.assertEqual((status, body["overall"], body["services"][0]["state"]), (200, "unknown", "unknown"))
        self.assertEqual(call(self.app, "GET", "/services/other")[0], 404)

    def test_answers_reach_the_state_and_prometheus(self):
        import httpx
        from prometheus_client import CollectorRegistry, generate_latest
        from unified_observability_center.api import StatusCollector
        from unified_observability_center.status import ServiceStatus
        from unified_observability_center.watch import ask_all

        services = [ServiceStatus("good", "http://good/health"), ServiceStatus("bad", "http://bad/health", down_after=1)]

        def answer(request):
            return httpx.Response(200 if request.url.host == "good" else 503)

        async def ask():
            async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
                await ask_all(client, services)

        asyncio.run(ask())
        self.assertEqual([service.state for service in services], ["up", "down"])
        self.assertEqual(services[1].answers[-1].detail, "status 503")
        registry = CollectorRegistry()
        registry.register(StatusCollector({service.name: service for service in services}))
        text = generate_latest(registry).decode()
        self.assertIn('service_up{service="good"} 1.0', text)
        self.assertIn('service_up{service="bad"} 0.0', text)


if __name__ == "__main__":
    unittest.main()
