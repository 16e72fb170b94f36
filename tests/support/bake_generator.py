"""Bake files of one's own, as people write them: the same seed gives the same files everywhere."""

import random

WORDS = ["api", "web", "worker", "lib", "base", "tools", "docs", "cli"]
VALUES = ["1.2.3", "dev", "3.11", "linux/amd64", "main", "a-b_c", "x y", "é"]


class BakeGenerator:
    """One file: variables, functions, groups and targets that name one another, and never in a circle."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.variables = {}
        self.functions = []
        self.targets = []

    def text(self):
        parts = [self.variable() for _ in range(self.random.randint(1, 4))]
        parts += [self.function() for _ in range(self.random.randint(0, 2))]
        parts += [self.target(number) for number in range(self.random.randint(1, 6))]
        parts.append(f'group "default" {{\n  targets = {self.list(self.some(self.targets))}\n}}\n')
        return "\n".join(parts)

    def some(self, values):
        return self.random.sample(values, self.random.randint(1, len(values)))

    def pick(self, values):
        return self.random.choice(values)

    def list(self, names):
        return "[" + ", ".join(f'"{name}"' for name in names) + "]"

    def variable(self):
        name = f"V{len(self.variables)}"
        kind = self.pick(["text", "number", "bool", "list", "map"])
        value = {"text": f'"{self.pick(VALUES)}"', "number": str(self.random.randint(0, 40)), "bool": self.pick(["true", "false"]),
                 "list": self.list(self.some(VALUES)), "map": '{ a = "x", b = "' + self.pick(VALUES) + '" }'}[kind]
        types = {"text": "string", "number": "number", "bool": "bool", "list": "list(string)", "map": "map(string)"}
        said = f"  type = {types[kind]}\n" if self.random.random() < 0.3 else ""
        self.variables[name] = kind
        return f'variable "{name}" {{\n{said}  default = {value}\n}}\n'

    def function(self):
        name = f"f{len(self.functions)}"
        result = self.pick(['"${a}-${b}"', 'join(".", [a, b])', 'upper("${b}${a}")', 'replace("${a}", ".", "${b}")',
                            'format("%s/%v", a, b)', 'a == b ? "same" : "${a}!"'])
        self.functions.append(name)
        return f'function "{name}" {{\n  params = [a, b]\n  result = {result}\n}}\n'

    def named(self, kind):
        return [name for name, known in self.variables.items() if known == kind]

    def expression(self, depth=0):
        """An expression whose value is a text, a number or a bool."""
        choices = [lambda: f'"{self.pick(VALUES)}"', lambda: str(self.random.randint(0, 99))]
        for kind in ("text", "number", "bool"):
            if self.named(kind):
                choices += [lambda kind=kind: self.pick(self.named(kind))] * 2
        if depth < 3:
            inner = lambda: self.expression(depth + 1)  # noqa: E731
            choices += [lambda: f'"{self.pick(VALUES)}-${{{inner()}}}"', lambda: f'equal({inner()}, {inner()}) ? "y" : "n"',
                        lambda: f'length({self.list(self.some(VALUES))}) * {self.random.randint(1, 9)} - 1',
                        lambda: f'upper("${{{inner()}}}")', lambda: f'regex_replace("${{{inner()}}}", "[^a-z0-9]+", "_")',
                        lambda: f'"%{{ if {self.pick(["true", "false"])} }}${{{inner()}}}%{{ else }}no%{{ endif }}"',
                        lambda: f'join(",", [for x in {self.list(self.some(VALUES))}: trimsuffix(x, "3") if x != "dev"])',
                        lambda: f'substr("${{{inner()}}}", 0, {self.random.randint(1, 5)})', lambda: f'try(nothing, {inner()})',
                        lambda: f'jsonencode({{ k = {inner()}, l = [{inner()}, null] }})']
            if self.functions:
                choices += [lambda: f"{self.pick(self.functions)}({inner()}, {inner()})"] * 2
            if self.named("list"):
                choices.append(lambda: f"element({self.pick(self.named('list'))}, {self.random.randint(0, 5)})")
            if self.named("map"):
                choices.append(lambda: f'lookup({self.pick(self.named("map"))}, "{self.pick("abc")}", "none")')
        return self.pick(choices)()

    def pairs(self):
        keys = self.some(["A", "B_C", "D", "E.F"])
        return "{\n" + "".join(f'    "{key}" = {self.expression()}\n' for key in keys) + "  }"

    def target(self, number):
        name = f"{self.pick(WORDS)}{number}"
        lines = []
        matrix = self.random.random() < 0.2
        if matrix:
            lines += [f"matrix = {{ m = {self.list(self.some(['1', '2', '3']))} }}", f'name = "{name}-${{m}}"']
        if self.targets and self.random.random() < 0.4:
            lines.append(f"inherits = {self.list(self.some(self.targets)[:2])}")
        attributes = {
            "tags": lambda: f'["acme/{name}:${{sanitize("${{{self.expression()}}}")}}", {self.pick(["", chr(34) * 2])}]',
            "args": self.pairs, "labels": self.pairs,
            "context": lambda: f'"./{self.pick(WORDS)}/../{self.pick(WORDS)}"',
            "dockerfile": lambda: f'"{self.pick(WORDS)}.Dockerfile"',
            "dockerfile-inline": lambda: f'<<-EOT\n      FROM scratch\n        COPY ${{{self.expression()}}} /\n\n      RUN $${{x}}\n    EOT',
            "platforms": lambda: self.list(self.some(["linux/amd64", "linux/arm64"])),
            "output": lambda: self.pick(['["type=docker"]', '[{ type = "local", dest = "out" }]', '["out"]', "[]"]),
            "cache-from": lambda: self.pick(['["type=gha"]', '["r.io/a", "type=registry,ref=r.io/b", "r.io/a"]', '[{ type = "gha" }]']),
            "cache-to": lambda: '["type=inline"]',
            "attest": lambda: self.pick(['["type=sbom"]', '["type=provenance,mode=max", "type=provenance,mode=min"]']),
            "secret": lambda: '["id=a,env=A", { id = "b", env = "B" }]',
            "no-cache": lambda: self.pick(["true", '"false"', "null"]), "pull": lambda: "true",
            "target": lambda: f'"{self.pick(WORDS)}"', "network": lambda: self.pick(['"host"', '"none"']),
            "description": self.expression, "no-cache-filter": lambda: '["a", "b", "a"]',
        }
        for attribute in self.some(list(attributes))[:7]:
            lines.append(f"{attribute} = {attributes[attribute]()}")
        if self.targets and self.random.random() < 0.2:
            lines.append(f'contexts = {{ base = "target:{self.pick(self.targets)}" }}')
        self.targets.append(name if not matrix else f"{name}-x")
        if matrix:
            self.targets.pop()
        return f'target "{name}" {{\n' + "".join(f"  {line}\n" for line in lines) + "}\n" + self.after(name, matrix)

    def after(self, name, matrix):
        # What others name has one name only.
        if not matrix:
            return ""
        self.targets.append(f"{name}-plain")
        return f'target "{name}-plain" {{}}\n'
