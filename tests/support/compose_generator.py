"""Compose projects made by a seed: several files and documents, merges, `extends`, `include`, variables and env_file, as
`docker buildx bake` and `kiln bake` take them alike. The texts are JSON, which is YAML as well."""

import json
import random

NAMES = ["api", "job.worker", "web"]
KEYS = ["A", "B", "C", "OUTER"]
SECRETS = {"one": {"environment": "OUTER"}, "two": {"file": "compose.yaml"}}


class ComposeGenerator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def chance(self, part):
        return self.random.random() < part

    def some(self, values):
        return [self.pick(values) for _ in range(self.random.randint(1, 3))]

    def value(self):
        return self.pick([1, True, 1.5, "", "x", "a b", "yes", "0x1", "$$x", "${OUTER}", "${NONE:-d}", "${NONE-${OUTER}}"])

    def pairs(self):
        keys = self.random.sample(KEYS, self.random.randint(1, 3))
        if self.chance(0.5):
            return {key: None if self.chance(0.25) else self.value() for key in keys}
        return [key if self.chance(0.25) else f"{key}={self.value()}" for key in keys]

    def extension(self):
        choices = {"tags": ["x/1 x/2", ["x/3", "acme/a"]], "platforms": [["linux/s390x"]], "cache-from": ["r.io/c", "type=gha"],
                   "output": [["type=docker"]], "pull": [True], "no-cache": [False], "no-cache-filter": [["s"]],
                   "contexts": [{"lib": "target:api", "other": "../z"}]}
        return {key: self.pick(values) for key, values in choices.items() if self.chance(0.3)}

    def build(self):
        if self.chance(0.15):
            return self.pick([".", "./x", "../y", "https://example.com/x.git", "/abs/z/"])
        choices = {
            "context": (0.7, lambda: self.pick([".", "x/", "../q", "./a/../b", "${OUTER}/c"])),
            "dockerfile": (0.3, lambda: self.pick(["D", "d/D", "../D"])),
            "args": (0.6, self.pairs), "labels": (0.3, self.pairs),
            "tags": (0.3, lambda: self.some(["acme/a", "acme/b", "${OUTER}:1"])),
            "platforms": (0.2, lambda: self.some(["linux/amd64", "linux/arm64"])),
            "cache_from": (0.25, lambda: self.some(["r.io/c", "type=gha", "type=registry,ref=r.io/d"])),
            "cache_to": (0.2, lambda: self.some(["type=inline", "type=local,dest=x"])),
            "target": (0.3, lambda: self.pick(["one", "two"])),
            "network": (0.2, lambda: self.pick(["none", "host", "default"])),
            "extra_hosts": (0.25, lambda: self.pick([["h:1.2.3.4", "i=5.6.7.8"], {"h": "9.9.9.9", "j": ["1.1.1.1", "2.2.2.2"]}])),
            "additional_contexts": (0.25, lambda: self.pick([{"lib": "./p", "image": "docker-image://acme/q"},
                                                             ["lib=service:job.worker", "up=../u"]])),
            "no_cache": (0.15, lambda: self.pick([True, False, "true"])), "pull": (0.15, lambda: self.pick([True, False])),
            "shm_size": (0.15, lambda: self.pick(["64m", "1gb", 1024])),
            "ulimits": (0.15, lambda: {"nofile": {"soft": self.random.randint(1, 5), "hard": 9}}),
            "secrets": (0.15, lambda: [self.pick(list(SECRETS))]),
            "provenance": (0.1, lambda: self.pick([True, False, "mode=max"])), "sbom": (0.1, lambda: self.pick([True, False])),
            "x-bake": (0.3, self.extension),
        }
        return {key: make() for key, (part, make) in choices.items() if self.chance(part)}

    def service(self, others):
        service = {"build": self.build()} if self.chance(0.8) else {}
        if not service or self.chance(0.5):
            service["image"] = self.pick(["acme/i", "acme/i:${OUTER}", "acme/i:${NONE-1}"])
        if self.chance(0.3):
            service["environment"] = self.pairs()
        if self.chance(0.25):
            service["env_file"] = self.pick(["one.env", ["one.env", "two.env"], [{"path": "none.env", "required": False}]])
        if others and self.chance(0.4):
            other = self.pick(others)
            service["extends"] = self.pick([other, {"service": other}, {"service": "base", "file": "base.yaml"},
                                            {"service": "base", "file": "sub/base.yaml"}])
        return service

    def document(self):
        services = {}
        for name in NAMES:
            if self.chance(0.75) or not services:
                services[name] = self.service(list(services))
        return {"services": services, "secrets": SECRETS}

    def files(self):
        """The files, and the words of -f."""
        documents = [self.document() for _ in range(self.pick([1, 1, 2]))]
        if self.chance(0.3):
            documents[0]["include"] = self.pick([["inc/compose.yaml"], [{"path": "inc/compose.yaml", "env_file": "one.env"}],
                                                 [{"path": ["inc/compose.yaml"], "project_directory": "sub"}]])
        files = {
            "compose.yaml": "\n---\n".join(json.dumps(document) for document in documents),
            "base.yaml": json.dumps({"services": {"base": self.service([])}}),
            "sub/base.yaml": json.dumps({"services": {"base": self.service([])}}),
            "inc/compose.yaml": json.dumps({"services": {self.pick(["api", "inc"]): self.service([])}, "secrets": SECRETS}),
            "inc/.env": "NONE=of the include\n",
            "one.env": "A=one\nB=${OUTER}\nC=x # said\n", "two.env": "A=two\nexport OUTER=file\nC='q'\n",
            "sub/one.env": "A=sub\n", "sub/two.env": "B=\"${A}\\n\"\n", "inc/one.env": "A=inc\n", "inc/two.env": "",
        }
        if not self.chance(0.6):
            return files, []
        files["over.yaml"] = json.dumps(self.document())
        return files, ["-f", "compose.yaml", "-f", "over.yaml"]
