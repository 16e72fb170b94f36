#!/usr/bin/env python3
"""docs/grafana.json beside what kiln report --format prometheus writes: no panel asks for what is not there, no metric is on none."""

import json
import re

import harness

DASHBOARD = json.loads((harness.ROOT / "docs/grafana.json").read_text())
EXPRESSIONS = [(panel["title"], target["expr"], target["legendFormat"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
METRIC = re.compile(r"\bkiln_\w+")


class Dashboard(harness.KilnTest):
    def metrics(self):
        """The labels of each metric, of a build that has all of them: two profiles, and a baseline that is larger."""
        self.write("images/fleet.json", '{"registry": "ghcr.io", "namespace": "acme"}')
        self.write("profiles/one.json", '{"OMP_NUM_THREADS": "1"}')
        self.write("images/app/image.json", json.dumps({"kind": "service", "profiles": ["one"], "baseline": {"dockerfile": "Dockerfile.legacy"}}))
        self.write("images/app/Dockerfile", "FROM scratch\nCOPY app /app\n")
        self.write("images/app/Dockerfile.legacy", "FROM scratch\nCOPY app /app\nCOPY app /other\n")
        self.write("images/app/app", bytes(range(256)) * 1000)
        self.kiln("baseline")
        self.kiln("bake")
        text = self.kiln("report", "--format", "prometheus").stdout
        labels = {name: set() for name in re.findall(r"(?m)^# TYPE (\w+) gauge$", text)}
        for name, given in re.findall(r"(?m)^(\w+)\{([^}]*)\}", text):
            labels[name] |= set(re.findall(r'(\w+)="', given))
        return labels, text

    def test_its_expressions_are_of_metrics_and_labels_that_kiln_writes_and_each_metric_is_shown(self):
        metrics, text = self.metrics()
        for title, expression, legend in EXPRESSIONS:
            with self.subTest(title):
                names = METRIC.findall(expression)
                self.assertEqual(len(names), 1, expression)
                self.assertIn(names[0], metrics)
                self.assertRegex(text, rf"(?m)^{names[0]}[ {{]", "a sample of it")
                used = set(re.findall(r"(\w+)=~", expression)) | set(re.findall(r"\{\{(\w+)\}\}", legend))
                self.assertLessEqual(used, metrics[names[0]])
                # Series that are told apart in the data are told apart in the legend.
                self.assertEqual(set(re.findall(r"\{\{(\w+)\}\}", legend)), metrics[names[0]])
        self.assertEqual({name for _, expression, _ in EXPRESSIONS for name in METRIC.findall(expression)}, set(metrics))

    def test_variables_are_labels_and_each_is_used(self):
        metrics, _ = self.metrics()
        variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
        self.assertEqual(variables.pop("datasource")["type"], "datasource")
        for name, variable in variables.items():
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
            self.assertIn(label, metrics[metric])
            self.assertTrue(any(f"${name}" in expression for _, expression, _ in EXPRESSIONS), name)

    def test_panels_have_places_of_their_own_and_no_source_of_this_machine(self):
        taken = set()
        for panel in DASHBOARD["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells
            for holder in (panel, *panel["targets"]):
                self.assertEqual(holder["datasource"], {"type": "prometheus", "uid": "${datasource}"})
        self.assertEqual(len({panel["id"] for panel in DASHBOARD["panels"]}), len(DASHBOARD["panels"]))

    def test_prometheus_reads_the_expressions(self):
        self.need_programs("promtool")
        rules = [{"record": f"kiln:{number}", "expr": re.sub(r"\$(\w+)", ".*", expression)} for number, (_, expression, _) in enumerate(EXPRESSIONS)]
        # JSON is YAML.
        self.write("rules.yml", json.dumps({"groups": [{"name": "kiln", "rules": rules}]}))
        self.run_program("promtool", "check", "rules", "rules.yml", cwd=self.folder)
        result = self.run_program("promtool", "check", "metrics", cwd=self.folder, stdin=self.metrics()[1])
        self.assertEqual(result.stderr, "")


if __name__ == "__main__":
    harness.main()
