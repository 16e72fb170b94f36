#!/usr/bin/env python3
"""--trace: a build as an OpenTelemetry trace in OTLP/JSON, checked against the rules of its JSON mapping, and sent to an endpoint."""

import http.server
import json
import re
import threading

import harness
from tests.support.many_services import write_fleet

VALUES = {"stringValue": str, "boolValue": bool, "intValue": str, "doubleValue": (int, float)}


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes traces as a collector does, and keeps them."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Trace(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        self.fleet = self.folder / "fleet"
        self.targets = write_fleet(self.fleet, 2, 1, 2)

    def bake(self, *words, **options):
        return self.kiln("bake", *words, cwd=self.fleet, **options)

    def spans(self, text):
        """The spans of a request, checked against the JSON mapping of opentelemetry-proto (trace.proto, common.proto)."""
        request = json.loads(text)
        self.assertEqual(set(request), {"resourceSpans"})
        spans = []
        for resource_spans in request["resourceSpans"]:
            self.assertLessEqual(set(resource_spans), {"resource", "scopeSpans", "schemaUrl"})
            self.check_attributes(resource_spans["resource"]["attributes"])
            names = {item["key"]: item["value"] for item in resource_spans["resource"]["attributes"]}
            self.assertEqual(names["service.name"], {"stringValue": "kiln"})
            for scope_spans in resource_spans["scopeSpans"]:
                self.assertLessEqual(set(scope_spans), {"scope", "spans", "schemaUrl"})
                spans += scope_spans["spans"]
        seen = {}
        for span in spans:
            self.assertLessEqual(set(span), {"traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                                             "attributes", "status"})
            self.assertRegex(span["traceId"], "^[0-9a-f]{32}$")
            self.assertRegex(span["spanId"], "^[0-9a-f]{16}$")
            self.assertNotIn(span["spanId"], seen)
            for name in ("startTimeUnixNano", "endTimeUnixNano"):
                self.assertIsInstance(span[name], str)
                self.assertRegex(span[name], "^[0-9]{19}$")
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]), span)
            self.assertEqual(span["kind"], 1)
            self.assertTrue(span["name"])
            self.check_attributes(span["attributes"])
            self.assertIn(span["status"].get("code", 0), (0, 2))
            seen[span["spanId"]] = span
        self.assertEqual(len({span["traceId"] for span in spans}), 1)
        for span in spans[1:]:
            self.assertIn(span["parentSpanId"], seen)
        return spans

    def check_attributes(self, attributes):
        self.assertEqual(len({item["key"] for item in attributes}), len(attributes), attributes)
        for item in attributes:
            self.assertEqual(set(item), {"key", "value"})
            (kind, value), = item["value"].items()
            self.assertIsInstance(value, VALUES[kind])
            if kind == "intValue":
                self.assertRegex(value, "^-?[0-9]+$")

    def attribute(self, span, name):
        return next((next(iter(item["value"].values())) for item in span["attributes"] if item["key"] == name), None)

    def collector(self, status=200):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
        server.got, server.status = [], status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def test_the_file_holds_the_build_its_targets_their_steps_and_what_waited(self):
        self.bake("--trace", "trace.json")
        spans = self.spans((self.fleet / "trace.json").read_text())
        self.assertEqual(spans[0]["name"], "kiln bake")
        self.assertNotIn("parentSpanId", spans[0])
        names = {span["spanId"]: span["name"] for span in spans}
        targets = [span for span in spans if span.get("parentSpanId") == spans[0]["spanId"] and self.attribute(span, "kiln.target")]
        self.assertEqual(len(targets), self.targets)
        run = next(span for span in spans if span["name"].startswith("RUN for i in") and self.attribute(span, "kiln.target") == "base-app")
        self.assertEqual(names[run["parentSpanId"]], "base-app")
        self.assertEqual(self.attribute(run, "kiln.outcome"), "built")
        self.assertEqual(self.attribute(run, "code.file.path"), "images/base-app/Dockerfile")
        self.assertEqual(self.attribute(run, "code.line.number"), "2")
        self.assertTrue([name for name in names.values() if name.startswith("wait for ")], names)
        self.bake("--trace", "again.json")
        outcomes = {self.attribute(span, "kiln.outcome") for span in self.spans((self.fleet / "again.json").read_text())}
        self.assertEqual(outcomes - {None}, {"hit", "done"})

    def test_a_collector_gets_it_with_the_headers_of_the_environment(self):
        server = self.collector()
        url = f"http://127.0.0.1:{server.server_port}"
        parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        self.bake("--trace", url, env={"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc,x-tenant=acme", "TRACEPARENT": parent})
        (path, headers, body), = server.got
        self.assertEqual(path, "/v1/traces")
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual((headers["authorization"], headers["x-tenant"]), ("Bearer abc", "acme"))
        spans = self.spans_below(body, parent)
        self.assertEqual(spans[0]["name"], "kiln bake")
        self.bake(env={"OTEL_EXPORTER_OTLP_ENDPOINT": url + "/otlp/"})
        self.assertEqual(server.got[-1][0], "/otlp/v1/traces")
        self.bake(env={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url + "/own", "OTEL_EXPORTER_OTLP_ENDPOINT": url})
        self.assertEqual(server.got[-1][0], "/own")
        self.bake("--offline", env={"OTEL_EXPORTER_OTLP_ENDPOINT": url})
        self.bake(env={"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SDK_DISABLED": "true"})
        self.bake(env={"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_EXPORTER": "none"})
        self.assertEqual(len(server.got), 3)

    def spans_below(self, body, parent):
        spans = json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"]
        _, trace, span, _ = parent.split("-")
        self.assertEqual((spans[0]["traceId"], spans[0]["parentSpanId"]), (trace, span))
        return spans

    def test_a_collector_that_takes_none_is_a_warning(self):
        refusing = self.collector(status=503)
        result = self.bake("--trace", f"http://127.0.0.1:{refusing.server_port}/v1/traces?token=hunter2")
        self.assertIn(f"warning: the trace could not be sent to 'http://127.0.0.1:{refusing.server_port}/v1/traces': it answered 503",
                      result.stderr)
        result = self.bake(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
        self.assertIn("warning: the trace could not be sent: ", result.stderr)

    def test_a_build_that_fails_has_a_trace_that_says_so(self):
        self.write("app/Dockerfile", "FROM base\nRUN echo hunter2; false\n")
        self.write("docker-bake.json", json.dumps({"target": {
            "default": {"context": "app", "contexts": {"base": "target:base"}}, "base": {"context": str(self.fleet / "images/base-os"),
                                                                                        "dockerfile-inline": "FROM scratch\nCOPY busybox /bin/sh\n"}}}))
        self.kiln("bake", "--trace", "trace.json", code=1)
        spans = self.spans((self.folder / "trace.json").read_text())
        self.assertEqual(spans[0]["status"]["code"], 2)
        failed = next(span for span in spans if self.attribute(span, "kiln.outcome") == "failed" and self.attribute(span, "kiln.stage"))
        self.assertEqual(failed["status"]["code"], 2)
        self.assertTrue(failed["status"]["message"])

    def test_no_secret_is_in_a_span(self):
        self.write("secret", "hunter2")
        self.write("app/Dockerfile", """
            FROM scratch
            COPY busybox /bin/sh
            ARG API_TOKEN
            ARG PIN
            RUN --mount=type=secret,id=key echo "$API_TOKEN $PIN"; read key < /run/secrets/key; echo "$key"
            ENV WORD=$PIN
            RUN echo "$WORD" | { read word; echo "$word"; exit 3; }
            """)
        (self.folder / "app/busybox").write_bytes((self.fleet / "images/base-os/busybox").read_bytes())
        for pin in ("hunter3", "hunter4"):
            self.kiln("build", "--build-arg", "API_TOKEN=hunter1", "--build-arg", f"PIN={pin}", "--secret", "id=key,src=secret", "--trace",
                      "trace.json", "app", code=1)
            text = (self.folder / "trace.json").read_text()
            self.assertFalse(re.findall("hunter.", text))
            self.assertIn("RUN --mount=type=secret,id=key", text)

    def test_what_cannot_be_is_refused_before_anything_is_built(self):
        self.assertIn("--trace 'no/such/file': there is no folder 'no/such'", self.bake("--trace", "no/such/file", code=2).stderr)
        self.assertIn("--offline: nothing is sent", self.bake("--offline", "--trace", "http://127.0.0.1:9", code=2).stderr)
        self.assertFalse((self.home / "builds").is_dir() and any((self.home / "builds").iterdir()))


if __name__ == "__main__":
    harness.main()
