"""Plays what the workflows of workflows/ do on a runner: the action's script, with a runner's environment and a sudo that
only takes that away."""

import json
import shutil
from pathlib import Path

import harness

# As sudo is set up on runners (env_reset): a home of root's own, and of the environment what --preserve-env names alone.
SUDO = """#!/usr/bin/python3
import os, sys
words, kept = sys.argv[1:], []
if words[0].startswith("--preserve-env="):
    kept = words.pop(0).split("=", 1)[1].split(",")
environment = {{name: os.environ[name] for name in kept if name in os.environ}}
environment.update(PATH=os.environ["PATH"], HOME="{home}")
os.execvpe(words[0], words, environment)
"""
SCRIPT = harness.ROOT / "workflows/action/kiln.sh"


class Runner:
    """One job: an empty home and store of its own, its own checkout, kiln and sudo on its PATH."""

    def __init__(self, test, name, checkout):
        self.test = test
        self.folder = test.folder / "jobs" / name
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "temp").mkdir()
        self.checkout = self.folder / "checkout"
        shutil.copytree(checkout, self.checkout)
        (self.folder / "bin/kiln").symlink_to(harness.kiln_binary())
        sudo = self.folder / "bin/sudo"
        sudo.write_text(SUDO.format(home=self.folder / "root"))
        sudo.chmod(0o755)
        self.outputs = {}

    @property
    def temp(self):
        return self.folder / "temp"

    def run(self, code=0, **inputs):
        """A step that uses the action; its result."""
        values = {"COMMAND": "bake", "TARGETS": "", "PLATFORM": "", "PARENTS": "", "PUSH": "false", "CACHE": "", "AGAINST": "", "GROWTH": "", "RUNNER": "ubuntu-24.04", **inputs}
        output, summary = self.folder / "output", self.folder / "summary"
        output.write_text("")
        env = self.test.environment(**values, GITHUB_OUTPUT=output, GITHUB_STEP_SUMMARY=summary, RUNNER_TEMP=self.temp,
                                    HOME=self.folder, KILN_HOME=self.folder / "home")
        env["PATH"] = f"{self.folder / 'bin'}:{env['PATH']}"
        result = harness.run(["bash", SCRIPT, "run"], env=env, cwd=self.checkout, timeout=300)
        if result.code != code:
            self.test.fail(f"expected exit code {code}\n{result}")
        self.outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return result

    def report(self):
        return json.loads((self.temp / "kiln-report.json").read_text())


def rows(outputs, wave):
    return json.loads(outputs[f"wave{wave}"])["include"]


def small_fleet(test, folder, registry, platforms=None):
    """base <- family <- two services for two profiles each, for these platforms. Each RUN writes what no second execution would write again."""
    images = Path(folder) / "images"
    stamp = "RUN sh -c 'read id < /proc/sys/kernel/random/uuid; echo $id > /{0}'\n"
    test.write(images / "fleet.json", json.dumps({
        "registry": registry, "namespace": "acme", "platform": "linux/amd64", "compression": "gzip",
        "repository": "{image}-{profile}", "tags": ["latest"], "profiles": ["large", "small"], "profiles_folder": "../profiles"}))
    for name, threads in (("large", "8"), ("small", "2")):
        test.write(Path(folder) / f"profiles/{name}.json", json.dumps({"OMP_NUM_THREADS": threads}))
    definitions = {"base": ("base", "FROM scratch\nCOPY busybox /bin/sh\n" + stamp.format("base")),
                   "family": ("family", "FROM base\n" + stamp.format("family")),
                   "one": ("service", "FROM family\n" + stamp.format("one") + "COPY app /app\n"),
                   "two": ("service", "FROM family\nARG OMP_NUM_THREADS\n" + stamp.format("two") + "COPY app /app\n")}
    for name, (kind, dockerfile) in definitions.items():
        several = {"platforms": platforms, "annotations": ["index,manifest,manifest-descriptor:acme.team=tools"]} if platforms else {}
        test.write(images / name / "image.json", json.dumps({"kind": kind, **several}))
        test.write(images / name / "Dockerfile", dockerfile)
        test.write(images / name / "app", name)
    shutil.copy(shutil.which("busybox"), images / "base/busybox")
    return images.parent
