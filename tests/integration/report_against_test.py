#!/usr/bin/env python3
"""kiln report --against what a registry has: what a pull request's images grew by, on a machine that built nothing before."""

import json
import os
import urllib.request

import harness
from report_page_test import write_distribution

SITE = "usr/lib/python3/site-packages"


class ReportAgainstRegistry(harness.KilnTest):
    """A fleet whose main branch was pushed by another machine as 'main'."""

    def setUp(self):
        super().setUp()
        self.server = self.registry()
        self.base = f"{self.server.address}/acme"
        self.write("images/fleet.json", json.dumps({
            "registry": self.server.address, "namespace": "acme", "repository": "{image}-{profile}", "tags": ["main"],
            "profiles": ["one", "two"], "profiles_folder": "../profiles"}))
        for profile, threads in (("one", "1"), ("two", "2")):
            self.write(f"profiles/{profile}.json", json.dumps({"OMP_NUM_THREADS": threads}))
        self.write("images/common/image.json", '{"kind": "base"}')
        self.write("images/common/Dockerfile", "FROM scratch\nCOPY data /data\n")
        self.write("images/common/data", os.urandom(200_000))
        self.write("images/service/image.json", '{"kind": "service"}')
        self.write("images/service/Dockerfile", "FROM common\nARG WHERE=/srv\nCOPY packages/ /\nCOPY app $WHERE/app\n")
        self.write("images/service/app", os.urandom(10_000))
        write_distribution(self, f"images/service/packages/{SITE}", "numpy", "1.26.4", {"numpy/a.so": 300_000})
        write_distribution(self, f"images/service/packages/{SITE}", "idna", "3.6", {"idna/data.py": 5_000})
        self.kiln("bake", "--push")
        self.home = self.folder / "pull-request"

    def change(self):
        for file in (self.folder / f"images/service/packages/{SITE}").glob("numpy*/*"):
            file.unlink()
        write_distribution(self, f"images/service/packages/{SITE}", "numpy", "2.1.0", {"numpy/a.so": 450_000})
        # The line moves down by one; its variable is another one.
        self.write("images/service/Dockerfile", "FROM common\nARG WHERE=/srv\n\nCOPY packages/ /\nCOPY app $WHERE/app\n")

    def against(self, word, *words, **options):
        return self.kiln("report", "--against", word, "--format", "markdown", *words, **options)

    def test_what_grew_is_told_by_image_line_and_package_and_what_an_update_pulls(self):
        self.change()
        self.kiln("bake")
        markdown = self.against(":main").stdout
        old = self.pushed_image(f"{self.base}/service-one:main").manifest["layers"]
        now = next(image for image in json.loads(self.kiln("report", "--json").stdout)["images"] if image["profile"] == "one")
        had = {layer["digest"] for layer in old}
        pulled = sum(layer["bytes"] for layer in now["layers"] if layer["digest"] not in had)
        self.assertGreater(pulled, 450_000)
        shown = f"{pulled / 1000:.0f} kB"
        self.assertRegex(markdown, rf"\| service one, two \| 51\d kB \| 66\d kB \| \+15\d kB \| {shown} \|")
        self.assertIn("all images of ':main' pulls " + shown, markdown)
        self.assertRegex(markdown, r"\| \+15\d kB \| service one, two \| images/service/Dockerfile:4 \| COPY packages/ / \|")
        self.assertNotIn("COPY app", markdown.split("### Packages")[0].split("### Lines")[1])
        self.assertRegex(markdown, r"\| \+150 kB \| pypi numpy \| 1\.26\.4 \| 2\.1\.0 \|")
        self.assertNotIn("idna", markdown)
        self.assertIn("Compared with &#39;:main&#39;", self.kiln("report", "--against", ":main", "--format", "html").stdout)
        brief = self.against(":main", "--brief").stdout
        self.assertIn("numpy", brief)
        self.assertNotIn("| figure |", brief)

    def test_growth_is_a_gate_with_the_line_that_grew_most(self):
        self.change()
        self.kiln("bake")
        self.against(":main", "--fail-over", "growth=200kB")
        result = self.against(":main", "--brief", "--fail-over", "growth=2%", code=1)
        self.assertIn("service one, two grew by 15", result.stderr)
        self.assertIn("most at images/service/Dockerfile:4", result.stderr)
        self.assertIn("> [!CAUTION]", result.stdout)

    def test_an_instruction_with_variables_and_one_that_is_gone_are_told(self):
        self.write("images/service/app", os.urandom(30_000))
        self.write("images/service/Dockerfile", "FROM common\nARG WHERE=/srv\nCOPY app $WHERE/app\n")
        self.kiln("bake")
        lines = self.against(":main", "--brief").stdout.split("### Lines that changed")[1]
        self.assertRegex(lines, r"\| \+20\.\d kB \| service one, two \| images/service/Dockerfile:3 \| COPY app \$WHERE/app \|")
        self.assertRegex(lines, r"\| -30\d kB \| service one, two \|  \| COPY packages/ / \|")

    def test_the_registry_may_be_named_with_placeholders_or_by_one_image(self):
        self.change()
        self.kiln("bake")
        everywhere = self.against(":main").stdout.split("### Images that changed")[1]
        named = self.against(f"{self.base}/{{image}}-{{profile}}:main").stdout.split("### Images that changed")[1]
        self.assertEqual(named, everywhere)
        self.assertEqual(self.against(":main", "--registry", self.base).stdout.split("### Images that changed")[1], everywhere)
        self.assertIn("names one image, and the report has 3", self.against(f"{self.base}/service-one:main", code=2).stderr)
        self.kiln("bake", "service", "--profile", "one")
        self.assertRegex(self.against(f"{self.base}/service-one:main").stdout, r"\| service one \| 51\d kB \| 66\d kB \|")

    def test_what_the_registry_does_not_have_is_new_and_where_it_has_nothing_nothing_grew(self):
        self.write("images/added/image.json", '{"kind": "base"}')
        self.write("images/added/Dockerfile", "FROM scratch\nCOPY data /data\n")
        self.write("images/added/data", os.urandom(9_000))
        self.kiln("bake")
        self.assertRegex(self.against(":main").stdout, r"\| added \| none \| 9\.\d+ kB \|")
        result = self.against(":never", "--fail-over", "growth=0%")
        self.assertIn("There is nothing to compare with: no images in ':never'", result.stdout)

    def test_layers_beyond_what_is_fetched_are_compared_without_their_packages(self):
        for profile in ("one", "two"):
            url = f"http://{self.server.address}/v2/acme/service-{profile}/manifests/main"
            manifest = self.pushed_image(f"{self.base}/service-{profile}:main").manifest
            max(manifest["layers"], key=lambda layer: layer["size"])["size"] = (1 << 30) + 1
            headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
            urllib.request.urlopen(urllib.request.Request(url, json.dumps(manifest).encode(), headers, method="PUT"), timeout=30).close()
        self.change()
        self.kiln("bake")
        markdown = self.against(":main").stdout
        self.assertIn("service one, two", markdown)
        self.assertNotIn("numpy", markdown)

    def test_what_is_neither_a_file_nor_an_image_is_refused_with_the_forms(self):
        self.kiln("bake")
        for word in ("main", "before.json", f"{self.base}/before.json", ":a b"):
            with self.subTest(word):
                self.assertIn(f"--against '{word}':", self.against(word, code=2).stderr)
        self.assertIn("HOST/NAMESPACE/{image}:TAG", self.against("main", code=2).stderr)
        self.assertIn("unknown placeholder", self.against(f"{self.base}/{{imag}}:main", code=2).stderr)
        self.assertIn("--brief is the comparison alone", self.kiln("report", "--brief", code=2).stderr)


if __name__ == "__main__":
    harness.main()
