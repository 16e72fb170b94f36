#!/usr/bin/env python3
"""The report in all its formats, and the gates that make CI red, on a small fleet without a network."""

import base64
import json
import os
import re
import xml.etree.ElementTree
import zlib
from html.parser import HTMLParser

import harness

VOID = {"meta", "br", "input"}


class WellFormed(HTMLParser):
    """Raises for a tag that is not closed where it must be; collects the text."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.outside = [], [], []

    def handle_starttag(self, tag, attrs):
        self.outside += [value for name, value in attrs if name == "src" or name == "href" and not value.startswith("#")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes something else")

    def handle_data(self, data):
        self.text.append(data)


def data_of(page):
    """What the page's script draws; see builder/report/page_data.hpp."""
    packed = re.search(r'<script type="application/octet-stream" id="page-data">([^<]*)</script>', page).group(1)
    return json.loads(zlib.decompress(base64.b64decode(packed)))


class ReportFormats(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme"}')
        self.write("images/tools/image.json", '{"kind": "service", "device": "cpu"}')
        # The second COPY brings what the first one did under another owner; the third hides one file of it.
        self.write("images/tools/Dockerfile", """
            FROM scratch
            COPY data /data
            COPY --chown=1000 data /data
            COPY small /data/large.bin
            """)
        self.write("images/tools/data/large.bin", bytes(range(256)) * 4096)
        self.write("images/tools/data/other.bin", bytes(range(255, -1, -1)) * 2048)
        self.write("images/tools/small", "small\n")

    def report(self, *words, **options):
        return self.kiln("report", *words, **options).stdout

    def test_every_format_tells_the_same_run(self):
        self.kiln("bake")
        self.kiln("bake")
        report = json.loads(self.report("--json"))
        image = report["images"][0]
        self.assertEqual(report, json.loads(self.report("--format", "json")))
        size = image["compressed_bytes"]

        samples = dict(line.rsplit(" ", 1) for line in self.report("--format", "prometheus").splitlines() if not line.startswith("#"))
        self.assertEqual(float(samples['kiln_image_compressed_bytes{image="tools",profile=""}']), size)
        self.assertEqual(float(samples['kiln_cache_hit_ratio{by="steps"}']), 1)

        markdown = self.report("--format", "markdown")
        self.assertIn("| cache hits by steps | 100.0 % |", markdown)
        self.assertIn("Dockerfile:3", markdown)

        self.kiln("report", "--format", "html", "-o", "report.html")
        page = WellFormed()
        text = (self.folder / "report.html").read_text()
        page.feed(text)
        self.assertEqual(page.open, [])
        self.assertEqual(page.outside, [])
        for start in [i for i in range(len(text)) if text.startswith("<svg", i)]:
            xml.etree.ElementTree.fromstring(text[start:text.index("</svg>", start) + 6])
        self.assertIn("data/large.bin", data_of(text)["files"][0]["rest"], "the files of a layer")
        for heading in ("Where the bytes are", "The largest layers", "The build", "The last builds", "Waste"):
            self.assertIn(heading, "".join(page.text))

    def test_waste_is_found_by_line_from_the_file_indexes(self):
        self.kiln("bake")
        waste = json.loads(self.report("--json"))["images"][0]["waste"]
        found = {(item["kind"], item["layer"], item["because"]): item for item in waste}
        self.assertEqual(found[("doubled", 1, 1)]["bytes"], (1 << 20) + (1 << 19))
        self.assertEqual(found[("hidden", 1, 2)]["bytes"], 1 << 20)
        self.assertEqual(found[("hidden", 1, 2)]["example"], "data/large.bin")

    def test_a_reduction_is_split_by_cause_from_the_file_indexes_and_adds_up(self):
        # Before: a library, its header, a cache, and the library again; the header and what is twice are not in what is baked.
        library, header, cache = b"lib" * 40000, b"#define X 1\n" * 5000, bytes(range(256)) * 1000
        self.write("images/service/image.json", '{"kind": "service", "default": false, "baseline": {"dockerfile": "Dockerfile.legacy"}}')
        self.write("images/service/Dockerfile", "FROM scratch\nCOPY library /opt/library\n")
        self.write("images/service/Dockerfile.legacy", """
            FROM scratch
            COPY library /opt/library
            COPY header.h /usr/include/header.h
            COPY cache /root/.cache/pip/http/1
            COPY library /srv/library
            """)
        for name, data in (("library", library), ("header.h", header), ("cache", cache)):
            self.write(f"images/service/{name}", data)
        registry = self.registry()
        # Without a name: every image that has a baseline, in the default group or not.
        self.kiln("baseline", "--push", "--registry", f"{registry.address}/acme")
        before = self.pushed_image(f"{registry.address}/acme/service-baseline:latest")
        self.kiln("bake", "service")
        image = json.loads(self.report("--json"))["images"][-1]
        self.assertEqual(image["baseline"]["compressed_bytes"], sum(layer["size"] for layer in before.manifest["layers"]))
        self.assertEqual(image["baseline"]["unpacked_bytes"], before.unpacked_bytes)
        causes = {share["cause"]: share for share in image["causes"]}
        self.assertEqual(sum(share["saved_bytes"] for share in image["causes"]), image["baseline"]["compressed_bytes"] - image["compressed_bytes"])
        for cause, data in (("build_tools", header), ("caches", cache), ("duplicates", library)):
            with self.subTest(cause=cause):
                self.assertEqual(causes[cause]["unpacked_bytes"], 0)
                self.assertGreaterEqual(causes[cause]["unpacked_bytes_before"], len(data) + 512)
                self.assertLess(causes[cause]["unpacked_bytes_before"], len(data) + 2049)  # headers of its folders, padding
        self.assertEqual(sum(value for name, value in image["contents"].items() if name != "repeated"), image["unpacked_bytes"])
        self.assertIn("build tools", self.report())
        self.assertIn("Why it is less", self.report("--format", "html"))

    def test_what_only_compilers_read_is_waste_where_there_is_none(self):
        self.write("images/tools/data/a.h", "#define X 1\n" * 10000)
        self.kiln("bake")
        waste = json.loads(self.report("--json"))["images"][0]["waste"]
        # The second COPY brings the header again.
        self.assertIn(("build", 120000, "data/a.h"), [(item["kind"], item["bytes"], item["example"]) for item in waste])
        self.write("images/tools/data/bin/gcc", "#!\n", mode=0o755)
        self.kiln("bake")
        self.assertNotIn("build", [item["kind"] for item in json.loads(self.report("--json"))["images"][0]["waste"]])

    def test_gates_name_the_line_and_leave_with_1(self):
        result = self.kiln("bake", "--fail-under", "cache=70", code=1)
        self.assertIn("0.0 % of steps came from the cache, and 70 % are asked for", result.stderr)
        self.assertIn("Dockerfile:2", result.stderr)
        self.kiln("bake", "--fail-under", "cache=70")
        self.kiln("report", "--fail-under", "cache=70")
        self.assertIn("no image has a baseline", self.kiln("report", "--fail-under", "reduction=55", code=1).stderr)
        self.assertIn("reduction", self.kiln("report", "--fail-under", "reductoin=55", code=2).stderr)
        self.assertIn("markdown", self.kiln("report", "--format", "markdwon", code=2).stderr)

    def test_two_reports_are_compared_and_growth_is_a_gate(self):
        self.kiln("bake", "--report", "before.json")
        self.write("images/tools/small", os.urandom(50_000))
        self.kiln("bake", "--report", "now.json")
        markdown = self.report("now.json", "--against", "before.json", "--format", "markdown")
        self.assertRegex(markdown, r"\| tools \| [^|]+ \| [^|]+ \| \+5\d\.\d kB \| 5\d\.\d kB \|")
        self.assertRegex(markdown, r"\| \+5\d\.\d kB \| tools \| images/tools/Dockerfile:4 \| COPY small /data/large.bin \|")
        self.assertIn("Compared with the report of", self.report("now.json", "--against", "before.json", "--format", "html"))
        gate = ("report", "now.json", "--against", "before.json", "--fail-over")
        self.kiln(*gate, "growth=60kB")
        self.assertIn("images/tools/Dockerfile:4", self.kiln(*gate, "growth=40kB", code=1).stderr)
        self.assertIn("and 0.1 % are allowed", self.kiln(*gate, "growth=0.1%", code=1).stderr)
        for limit in ("size=2%", "growth=inf%", "growth=nan%", "growth=-1%"):
            self.assertIn("expected 'growth=2%'", self.kiln(*gate, limit, code=2).stderr)
        self.assertIn("needs --against", self.kiln("report", "--fail-over", "growth=2%", code=2).stderr)
        self.assertIn("shows no comparison", self.kiln("report", "--against", "before.json", "--format", "text", code=2).stderr)

    def test_an_earlier_report_that_is_damaged_is_left_out_of_the_trend(self):
        for _ in range(3):
            self.kiln("bake", code=0)
        oldest = sorted((self.home / "reports").glob("*.json"))[0]
        oldest.write_text("{")
        result = self.kiln("report", "--format", "html", "-o", "page.html", code=0)
        self.assertIn("warning: an earlier build is left out: ", result.stderr)
        self.assertIn(oldest.name, result.stderr)

    def test_words_that_would_say_nothing_are_refused(self):
        self.kiln("bake", code=0)
        self.assertIn("--json is --format json, and --format html another", self.kiln("report", "--json", "--format", "html", code=2).stderr)
        self.kiln("report", "--json", "--format", "json", code=0)
        for words in (["--registry", "localhost:1/x"], ["-f", "images/fleet.json"]):
            self.assertIn("--file and --registry say where what --against names is", self.kiln("report", *words, code=2).stderr)

    def test_the_trend_names_the_commit_of_each_build(self):
        git = ("git", "-c", "user.name=a", "-c", "user.email=a@acme.example", "-C", self.folder)
        self.run_program("git", "init", "-q", self.folder)
        commits = []
        for number in range(2):
            self.write("images/tools/small", f"small {number}\n")
            self.run_program(*git, "add", "images")
            self.run_program(*git, "commit", "-qm", "a change")
            commits.append(self.run_program(*git, "rev-parse", "HEAD").stdout.strip())
            self.kiln("bake")
        self.assertEqual(json.loads(self.report("--json"))["commit"], commits[1])
        page = self.report("--format", "html")
        trend = page[page.index('id="trend"'):]
        self.assertLess(trend.index(commits[1][:12]), trend.index(commits[0][:12]))

    def test_an_image_above_its_limit_is_neither_named_nor_pushed(self):
        self.write("images/tools/image.json", '{"kind": "service", "device": "cpu", "limits": {"size": "1 kB"}}')
        registry = self.registry()
        result = self.kiln("bake", "--push", "--registry", f"{registry.address}/acme", code=1)
        self.assertIn("limits.size is 1.00 kB", result.stderr)
        self.assertEqual(registry.get("/v2/acme/tools/tags/list")[0], 404)
        self.assertNotIn("tools", self.kiln("images").stdout)


if __name__ == "__main__":
    harness.main()
