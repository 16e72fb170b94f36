#!/usr/bin/env python3
"""The report's page in a browser: what it shows, how one goes through it, and that it can be read at any width, in light and dark.

Screenshots are kept in the folder report-pages beside the kiln that is tested, or in $KILN_SCREENSHOTS."""

import json
import os
import unittest
from pathlib import Path

import browser
import harness

HOSTILE = "<img src=x onerror=document.title='hostile'>"


def write_distribution(test, folder, name, version, files):
    """What pip leaves of a distribution, for an image that copies it."""
    info = f"{folder}/{name}-{version}.dist-info"
    test.write(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for path, size in files.items():
        test.write(f"{folder}/{path}", os.urandom(size))
    record = [*files, f"{name}-{version}.dist-info/METADATA", f"{name}-{version}.dist-info/RECORD"]
    test.write(f"{info}/RECORD", "".join(f"{path},,\n" for path in record))


def write_fleet(test, services=3, files=4):
    """Services for two profiles, on one base with a package that one of the services has in another version."""
    test.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme"}')
    for name in ("one", "two"):
        test.write(f"profiles/{name}.json", json.dumps({"OMP_NUM_THREADS": "4"}))
    site = "site/usr/lib/python3/site-packages"
    write_distribution(test, f"images/base/{site}", "numpy", "1.26.4", {"numpy/core/a.so": 400_000, "numpy/__init__.py": 9000})
    write_distribution(test, f"images/base/{site}", "idna", "3.6", {"idna/data.py": 60_000})
    test.write(f"images/base/site/opt/{HOSTILE}", os.urandom(90_000))
    test.write("images/base/image.json", '{"kind": "base", "device": "cpu"}')
    test.write("images/base/Dockerfile", "FROM scratch\nCOPY site/ /\n")
    for i in range(services):
        folder = f"images/service{i}"
        test.write(f"{folder}/image.json", '{"kind": "service", "device": "cpu", "profiles": ["one", "two"]}')
        test.write(f"{folder}/Dockerfile", "FROM base\nCOPY app/ /app/\nCOPY notes /app/notes\n")
        for k in range(files):
            test.write(f"{folder}/app/part{k % 7}/file{k}.bin", os.urandom(20_000 + 1000 * (k % 50)) if files < 100 else b"%d %d" % (i, k))
        test.write(f"{folder}/notes", f"notes of {i}\n")
    write_distribution(test, f"images/service0/app/{site}", "numpy", "2.1.0", {"numpy/core/a.so": 300_000})


class ReportPage(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_programs(browser.PROGRAM)
        write_fleet(self)
        self.kiln("bake")
        self.browser = browser.Browser()
        self.addCleanup(self.browser.close)

    def open_page(self, *words):
        self.kiln("report", *words, "--format", "html", "-o", "report.html")
        self.browser.open(self.folder / "report.html")
        self.browser.wait_for("document.documentElement.dataset.ready === 'yes'")

    def cells(self):
        return self.browser.evaluate("[...document.querySelectorAll('#explorer-map > .cell')].map((cell) => cell.getAttribute('aria-label'))")

    def rows(self):
        return self.browser.evaluate("[...document.querySelectorAll('#explorer-list .entry')].map((entry) => entry.textContent)")

    def way(self):
        return self.browser.evaluate("[...document.querySelectorAll('#explorer-path li')].map((entry) => entry.textContent)")

    def choose(self, name):
        """A row of the list, by its text."""
        self.browser.evaluate(f"""[...document.querySelectorAll('#explorer-list button.entry')]
            .find((entry) => entry.textContent === {json.dumps(name)}).id = 'chosen'""")
        self.browser.click("#chosen")

    def test_one_goes_from_the_fleet_down_to_files_and_back(self):
        self.open_page()
        self.assertEqual(sorted(self.rows()), ["base", "service0", "service1", "service2"])
        self.assertEqual(len(self.cells()), 4)
        self.assertIn("base of 3 images", " ".join(self.cells()))
        self.browser.click("#explorer-map > .cell")  # the largest comes first: the base
        self.assertEqual(self.way(), ["Fleet", "base"])
        self.assertEqual(self.rows(), ["COPY site/ /"])
        self.browser.click("#explorer-map > .cell")
        self.assertEqual(self.rows(), ["numpy 1.26.4", "files of no package", "idna 3.6"])
        self.choose("numpy 1.26.4")
        self.choose("usr/lib/python3/site-packages/")
        self.assertEqual(self.rows()[0], "numpy/")
        self.choose("numpy/")
        self.choose("core/")
        self.assertEqual(self.rows(), ["a.so"])
        self.assertEqual(self.way()[-3:], ["usr/lib/python3/site-packages/", "numpy/", "core/"])
        self.browser.click("#explorer-path li:nth-child(2) button")
        self.assertEqual(self.way(), ["Fleet", "base"])
        self.assertEqual(self.browser.errors, [])

    def test_an_image_shows_all_its_layers_and_the_fleet_each_layer_once(self):
        self.open_page()
        stored = json.loads(self.kiln("report", "--json").stdout)["fleet"]["stored_bytes"]
        self.assertEqual(round(self.browser.evaluate("page.explorer.tree.children(page.explorer.tree.root).reduce((sum, e) => sum + e.bytes, 0)")), stored)
        self.choose("service1")
        self.assertIn("COPY site/ /", self.rows())
        self.assertEqual(len(self.rows()), 3)

    def test_the_keyboard_is_enough(self):
        self.open_page()
        self.browser.evaluate("document.querySelector('#explorer-map > .cell').focus()")
        self.browser.press("End")
        last = self.browser.evaluate("document.activeElement.getAttribute('aria-label')")
        self.assertEqual(last, self.cells()[-1])
        self.browser.press("Home")
        self.assertEqual(self.browser.evaluate("document.activeElement.getAttribute('aria-label')"), self.cells()[0])
        self.browser.press("ArrowRight")
        self.assertNotEqual(self.browser.evaluate("document.activeElement.getAttribute('aria-label')"), self.cells()[0])
        self.browser.press("ArrowLeft")
        self.browser.press("Enter")
        self.assertEqual(len(self.way()), 2)
        self.assertEqual(self.browser.evaluate("document.activeElement.getAttribute('aria-label')"), self.cells()[0])
        self.browser.press("Backspace")
        self.assertEqual(self.way(), ["Fleet"])
        self.assertEqual(self.browser.evaluate("document.activeElement.getAttribute('aria-label')"), self.cells()[0])
        # One box takes part in going by Tab, and where the focus is can be seen.
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#explorer-map > .cell[tabindex=\"0\"]').length"), 1)
        self.assertEqual(self.browser.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid")

    def test_words_sizes_and_profiles_filter(self):
        self.open_page()
        self.browser.evaluate("document.getElementById('explorer-search').focus()")
        self.browser.type("core/a.so")
        self.browser.wait_for("document.querySelectorAll('#explorer-list .entry').length === 2")
        self.assertIn("/usr/lib/python3/site-packages/numpy/core/a.so", self.rows())
        self.assertIn("2 matches", self.browser.evaluate("document.getElementById('explorer-status').textContent"))
        self.browser.evaluate("document.getElementById('explorer-search').value = ''")
        self.browser.evaluate("""(() => { const least = document.getElementById('explorer-least'); least.value = '1e5';
            least.dispatchEvent(new Event('change')); })()""")
        self.assertEqual(len(self.rows()), 2)  # the two a.so
        self.browser.evaluate("""(() => { const least = document.getElementById('explorer-least'); least.value = '0';
            least.dispatchEvent(new Event('change'));
            const profile = document.getElementById('explorer-profile'); profile.value = 'two'; profile.dispatchEvent(new Event('change'));
            const measure = document.getElementById('explorer-measure'); measure.value = 'unpacked'; measure.dispatchEvent(new Event('change')); })()""")
        self.assertEqual(sorted(self.rows()), ["base", "service0", "service1", "service2"])
        self.assertEqual(self.browser.errors, [])

    def test_what_images_share_is_told_for_the_cell_that_keys_go_to(self):
        self.open_page()
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#matrix .share-self').length"), 4)
        self.browser.evaluate("document.getElementById('matrix').focus()")
        text = "document.getElementById('matrix-text').textContent"
        self.assertRegex(self.browser.evaluate(text), r"^service\d has \d+ kB of the \d+ kB of base, 100.0 %$")
        self.browser.press("ArrowDown")
        self.browser.press("ArrowLeft")
        self.assertRegex(self.browser.evaluate(text), r"^base has \d+ kB of the \d+ kB of service\d, \d+\.\d %$")

    def test_packages_in_several_versions_are_named_with_their_images_and_found_among_the_bytes(self):
        self.open_page()
        versions = self.browser.evaluate("document.getElementById('versions-list').innerText")
        self.assertRegex(versions, r"numpy\s+pypi\s+1\.26\.4 \d+ kB in 4 images: base, service0 and 2 more\s+2\.1\.0 \d+ kB in service0")
        self.assertNotIn("idna", versions)
        self.browser.click("#versions-list li:nth-child(2) button")
        self.assertEqual(self.rows(), ["numpy 2.1.0"])

    def test_the_critical_path_goes_from_the_base_to_the_step_that_ended_last(self):
        self.open_page()
        report = json.loads(self.kiln("report", "--json").stdout)
        last = max(report["steps"], key=lambda step: step.get("ended", 0))
        way = self.browser.evaluate("page.timeline.way.map((link) => link.step.text)")
        self.assertEqual(way[-1], last["text"])
        # Times that do not depend on this machine: a base, a service that needs it, one that waited for a place, a failure.
        way = self.browser.evaluate("""(() => {
            const step = (name, started, ended) => ({ targets: [name], text: name, started, ended });
            const steps = [step('base', 0, 5), step('first', 5.01, 9), step('other', 2, 4), step('second', 9, 12), step('short', 5, 6)];
            return page.criticalPath(steps, (above, below) => above === below || below === 'base', 0.5)
              .map((link) => `${link.step.text} ${link.waited}`);
          })()""")
        self.assertEqual(way, ["base needed", "first needed", "second place"])

    def test_names_from_outside_are_text(self):
        self.open_page()
        self.browser.evaluate("document.getElementById('explorer-search').focus()")
        self.browser.type("onerror")
        self.browser.wait_for("document.querySelectorAll('#explorer-list .entry').length === 1")
        self.assertEqual(self.rows(), [f"/opt/{HOSTILE}"])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('img').length"), 0)
        self.assertNotEqual(self.browser.evaluate("document.title"), "hostile")
        # Nor could what became markup do anything: the policy of the page forbids it.
        self.browser.evaluate(f"document.body.insertAdjacentHTML('beforeend', {json.dumps(HOSTILE)})")
        self.browser.evaluate("new Promise((done) => setTimeout(() => done(true), 100))")
        self.assertNotEqual(self.browser.evaluate("document.title"), "hostile")

    def test_it_can_be_read_at_any_width_in_light_and_dark_and_on_paper(self):
        self.kiln("bake")
        self.open_page()
        kept = Path(os.environ.get("KILN_SCREENSHOTS") or Path(harness.kiln_binary()).parent / "report-pages")
        for width in (400, 800, 1280):
            for dark in (False, True):
                with self.subTest(width=width, dark=dark):
                    self.browser.show_as(width, dark=dark)
                    self.browser.screenshot(kept / f"fleet-{width}-{'dark' if dark else 'light'}.png")
                    self.assertEqual(self.browser.wider_than_the_window(), [])
                    self.assertEqual(self.browser.low_contrasts(), [])
        self.browser.show_as(800, media="print")
        self.assertEqual(self.browser.wider_than_the_window(), [])
        self.assertEqual(self.browser.evaluate("getComputedStyle(document.querySelector('.tools')).display"), "none")

    def test_what_is_pressed_or_filled_has_a_name_and_headings_are_in_order(self):
        self.open_page()
        nameless = self.browser.evaluate("""[...document.querySelectorAll('button, input, select, a, [role=region], nav, table')].filter((element) => {
            const label = element.getAttribute('aria-label') || element.textContent.trim() || (element.closest('label') || {}).textContent || '';
            return label.trim() === '';
          }).map((element) => element.outerHTML.slice(0, 100))""")
        self.assertEqual(nameless, [])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('h1').length"), 1)
        self.assertEqual(self.browser.evaluate("[...document.querySelectorAll('nav a')].filter((link) => !document.querySelector(link.getAttribute('href'))).length"), 0)
        self.assertEqual(self.browser.evaluate("document.documentElement.lang"), "en")

    def test_without_scripts_the_tables_are_there(self):
        self.kiln("report", "--format", "html", "-o", "report.html")
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        self.browser.open(self.folder / "report.html")
        text = self.browser.evaluate("document.body.innerText")
        for part in ("The largest layers", "COPY site/ /", "Images", "Steps that were not in the cache"):
            self.assertIn(part, text)
        # Links to what needs scripts are not there.
        self.assertNotIn("Sharing", text)
        self.assertFalse(self.browser.evaluate("document.getElementById('explorer').checkVisibility()"))


if __name__ == "__main__":
    harness.main()
