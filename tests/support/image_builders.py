"""kiln, BuildKit and buildah behind one function each: the same context and options, an OCI layout as the result.

All of them read the base image from an OCI layout, as the named context `base`; nothing uses a network. What a
builder keeps stays in a folder of its own, and BuildKit's daemon ends with stop() or with this process.
"""

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.registry import die_with_parent


@dataclass
class Request:
    context: Path
    base: Path
    base_digest: str
    out: Path
    args: dict = field(default_factory=dict)
    target: str = ""
    secrets: dict = field(default_factory=dict)  # id -> file


class Kiln:
    name = "kiln"

    def __init__(self, binary, run):
        self._binary, self._run = binary, run

    def build(self, request):
        words = [f"--build-arg={key}={value}" for key, value in request.args.items()]
        words += [f"--secret=id={key},src={path}" for key, path in request.secrets.items()]
        words += ["--target", request.target] if request.target else []
        return self._run([self._binary, "build", "--progress", "plain", "--build-context", f"base=oci-layout://{request.base}",
                          "--output", f"type=oci,tar=false,dest={request.out}", *words, request.context])


class Buildah:
    name = "buildah"
    programs = ("buildah", "runc")

    def __init__(self, folder, base, run):
        self._run = run
        # In a mount namespace of its own: what buildah leaves mounted, as it does with its store, ends with each call.
        self._store = ["unshare", "--mount", "buildah", "--root", folder / "root", "--runroot", folder / "runroot", "--storage-driver", "overlay"]
        # buildah names what it pulls after the path as it is given, and not every folder's path makes a name.
        for words in (["pull", "-q", f"oci:{base.name}:base"], ["images", "-q"]):
            result = self._run([*self._store, *words], cwd=base.parent)
            if result.code != 0:
                raise RuntimeError(f"buildah cannot be used here\n{result}")
        self._run([*self._store, "tag", result.stdout.split()[0], "localhost/base"])

    def build(self, request):
        words = [f"--build-arg={key}={value}" for key, value in request.args.items()]
        words += [f"--secret=id={key},src={path}" for key, path in request.secrets.items()]
        words += [f"--target={request.target}"] if request.target else []
        built = self._run([*self._store, "bud", "--identity-label=false", "--runtime", shutil.which("runc"), "--pull-never", "--network", "host",
                           "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--no-cache", "-t", "built", *words,
                           request.context])
        if built.code != 0:
            return built
        return self._run([*self._store, "push", "-q", "built", f"oci:{request.out}:image"])


class BuildKit:
    name = "BuildKit"
    programs = ("buildkitd", "buildctl", "runc")

    def __init__(self, folder, run, deadline_seconds=60):
        self._run = run
        # A socket's path has room for about 100 bytes.
        self._address = f"unix://{folder}/socket"
        (folder / "buildkitd.toml").write_text("")
        self._log = open(folder / "log", "wb")
        self._daemon = subprocess.Popen(
            ["buildkitd", "--config", folder / "buildkitd.toml", "--root", folder / "root", "--addr", self._address,
             "--containerd-worker=false", "--oci-worker=true", "--oci-worker-binary", shutil.which("runc"),
             "--oci-worker-net=host"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, preexec_fn=die_with_parent)
        deadline = time.monotonic() + deadline_seconds
        while self._run(["buildctl", "--addr", self._address, "debug", "workers"]).code != 0:
            if time.monotonic() > deadline or self._daemon.poll() is not None:
                self.stop()
                raise RuntimeError("buildkitd did not start:\n" + (folder / "log").read_text(errors="replace"))
            time.sleep(0.1)

    def build(self, request):
        words = [f"--opt=build-arg:{key}={value}" for key, value in request.args.items()]
        words += [f"--secret=id={key},src={path}" for key, path in request.secrets.items()]
        words += [f"--opt=target={request.target}"] if request.target else []
        return self._run(["buildctl", "--addr", self._address, "build", "--progress", "plain", "--frontend", "dockerfile.v0",
                          "--local", f"context={request.context}", "--local", f"dockerfile={request.context}",
                          "--oci-layout", f"base={request.base}", f"--opt=context:base=oci-layout:base@{request.base_digest}",
                          "--no-cache", *words, "--output", f"type=oci,tar=false,dest={request.out}"])

    def stop(self):
        self._daemon.terminate()
        try:
            self._daemon.wait(20)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        self._log.close()
