"""What the integration tests are written with: kiln as a program, a home of its own per test, registries, other
people's clients, and images checked without any of kiln's code.

A test file is called TOPIC_test.py and ends with

    if __name__ == "__main__":
        harness.main()

ctest runs it with the build's kiln; by hand, `tests/integration/TOPIC_test.py [Class.test]` takes build/kiln or
$KILN_BINARY. A test that cannot run here is skipped by name with the reason (the need_... methods), never silently.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.image_check import Layout  # noqa: E402
from tests.support.registry import Registry, die_with_parent  # noqa: E402
from tests.support.tiny_base import BUSYBOX, write_tiny_base  # noqa: E402

ALL_SKIPPED = 77

# What the caller's environment must not decide.
FOREIGN_VARIABLES = ("KILN_", "DOCKER_", "BUILDKIT_", "BUILDX_", "GITHUB_", "GITLAB_", "TF_BUILD", "OTEL_", "TRACEPARENT", "REGISTRY_", "SOURCE_DATE_EPOCH", "NO_COLOR",
                     "XDG_", "TERM", "LANG", "LC_", "PYTHON")


def kiln_binary():
    path = Path(os.environ.get("KILN_BINARY") or ROOT / "build/kiln")
    if not path.is_file():
        raise RuntimeError(f"there is no '{path}'; run script/bootstrap, or set KILN_BINARY")
    return path


@dataclass
class Result:
    args: list
    code: int
    stdout: str
    stderr: str

    @property
    def output(self):
        return self.stdout + self.stderr

    def __str__(self):
        return (f"$ {' '.join(map(str, self.args))}\nexit code {self.code}\n--- stdout\n{self.stdout}"
                f"--- stderr\n{self.stderr}---")


def run(args, *, env=None, cwd=None, stdin=None, timeout=120):
    """Runs a program in a process group of its own, all of which ends with it; Result. AssertionError on timeout."""
    process = subprocess.Popen(
        [str(arg) for arg in args], env=env, cwd=cwd, start_new_session=True, preexec_fn=die_with_parent,
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    data = stdin.encode() if isinstance(stdin, str) else stdin
    timed_out = False
    try:
        out, err = process.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    result = Result(list(args), process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    if timed_out:
        raise AssertionError(f"no end after {timeout} s\n{result}")
    return result


class KilnTest(unittest.TestCase):
    """A test with a folder of its own: self.folder, and in it self.home (KILN_HOME) and whatever write() puts there."""

    longMessage = True
    # True where blobs, tags or requests of a registry are counted: then nothing comes beside images that nobody asked for.
    counts_what_is_pushed = False

    def setUp(self):
        # Of letters and digits alone: the path becomes a part of image names, and mkdtemp's names may end in an underscore.
        self.folder = Path(tempfile.gettempdir()) / f"kiln-test-{secrets.token_hex(6)}"
        self.folder.mkdir(mode=0o700)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.home = self.folder / "home"

    # Running things

    def environment(self, **changes):
        """The caller's environment without what would decide a test; None takes a variable away."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_VARIABLES)}
        env.update(HOME=str(self.folder), KILN_HOME=str(self.home), LC_ALL="C.UTF-8")
        if self.counts_what_is_pushed:
            env["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
        for key, value in changes.items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    def kiln(self, *args, code=0, env=None, cwd=None, stdin=None, timeout=120):
        """Runs kiln and expects an exit code (None: any). `env` holds changes to environment()."""
        result = run([kiln_binary(), *args], env=self.environment(**(env or {})), cwd=cwd or self.folder, stdin=stdin,
                     timeout=timeout)
        if code is not None and result.code != code:
            self.fail(f"expected exit code {code}\n{result}")
        return result

    def run_program(self, *args, code=0, **options):
        """Runs somebody else's program; it must succeed unless `code` says otherwise."""
        result = run(args, env=self.environment(), **options)
        if code is not None and result.code != code:
            self.fail(f"expected exit code {code}\n{result}")
        return result

    def write(self, path, text="", mode=None):
        """Writes a file below self.folder (text is dedented), with the folders above it; its path."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            target.write_bytes(text)
        else:
            target.write_text(textwrap.dedent(text).lstrip("\n"))
        if mode is not None:
            target.chmod(mode)
        return target

    def registry(self, **options):
        """A running docker-registry that ends with the test (see tests/support/registry.py)."""
        self.need_programs("docker-registry", *(["htpasswd"] if options.get("user") else []))
        registry = Registry(**options)
        registry.start()
        self.addCleanup(registry.stop)
        return registry

    # What a test needs, else it is skipped by name

    def need_programs(self, *names):
        missing = [name for name in names if shutil.which(name) is None]
        if missing:
            self.skipTest(f"not installed: {', '.join(missing)}")

    def need_emulation(self):
        """For tests that start kiln itself by qemu-user, which has no room for AddressSanitizer's shadow memory and hangs."""
        self.need_programs("qemu-x86_64-static")
        if "ASAN_OPTIONS" in os.environ:
            self.skipTest("AddressSanitizer does not run under qemu-user")

    def need_root(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")

    def need_containers(self):
        """For tests with a RUN that has to run."""
        self.need_root()
        self.need_programs("runc")

    def tiny_base(self):
        """Writes a base image with busybox into self.folder/base, an OCI layout, for tests with a RUN that has to run."""
        self.need_containers()
        if not BUSYBOX.exists():
            self.skipTest(f"not installed: busybox-static ({BUSYBOX})")
        write_tiny_base(self.folder / "base")

    # Images, checked without kiln

    def stored_image(self, name=None, platform=None):
        """An image of kiln's store by its name in index.json, validated; skopeo must read it in place too."""
        layout = Layout(self.home / "oci")
        image = layout.image(name, platform)
        self.need_programs("skopeo")
        tag = name or layout.descriptor()["annotations"]["org.opencontainers.image.ref.name"]
        self.run_program("skopeo", "inspect", "--raw", f"oci:{self.home / 'oci'}:{tag}")
        return image

    def layout_image(self, folder, name=None, platform=None):
        """An image of an OCI layout in a folder, validated."""
        return Layout(folder).image(name, platform)

    def pushed_image(self, reference, *, user=None, platform=None):
        """An image in a loopback registry, fetched by skopeo and validated."""
        self.need_programs("skopeo")
        target = Path(tempfile.mkdtemp(dir=self.folder, prefix="pulled-"))
        credentials = ["--src-creds", ":".join(user)] if user else []
        self.run_program("skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
                         *credentials, f"docker://{reference}", f"oci:{target}:image", timeout=300)
        return Layout(target).image("image", platform)

    def assert_store_is_sound(self):
        """Every blob has the digest it is called by, everything index.json names is there, nothing is left in tmp/."""
        layout = Layout(self.home / "oci")
        for path in (self.home / "oci/blobs/sha256").iterdir():
            layout.blob({"digest": f"sha256:{path.name}", "size": path.stat().st_size})
        for name in layout.names():
            layout.image(name)
        self.assertEqual([path.name for path in (self.home / "tmp").iterdir()], [], "left in tmp/")


class _Result(unittest.TextTestResult):
    """Says on a line of its own what was skipped and why."""

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln(f"skipped: {test.id().removeprefix('__main__.')}: {reason}")


def main():
    """Runs the file's tests; exit code 77 where all of them were skipped."""
    runner = unittest.TextTestRunner(resultclass=_Result, verbosity=1)
    program = unittest.main(module="__main__", testRunner=runner, exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(ALL_SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)
