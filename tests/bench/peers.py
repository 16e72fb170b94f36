"""The builders that are measured. Each has the same verbs, so that a case is written once.

A peer owns one "machine": everything it remembers lies in a folder, and forget() takes a new one. build() and bake() push what they built. None leaves a process behind.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import measure
from tests.support.registry import die_with_parent


class Peer:
    name = ""
    programs = ()
    bakes = False            # builds a docker-bake.json in one call
    shares_cache = False     # exports its cache to a registry and imports it
    pulls = False            # brings an image here by itself
    is_for_cuts = False      # another way of kiln's, for the cases that ask what cutting layers costs
    LEAST_FREE = 40 << 30    # bytes of the disk, when a machine begins: CUDA and torch take 10 GB, and there are two of them

    def __init__(self, folder, registry):
        self.folder = Path(folder)
        self.registry = registry     # HOST:PORT
        self.log = self.folder / "log"
        self.state = None            # of the machine that it is now
        self._machines = 0
        self._removed = 0            # the oldest of them, by number

    def start(self):
        """Whatever must run before the first build; not measured."""

    def stop(self):
        """Ends what start() began."""

    def forget(self):
        """A machine that never built anything. The old state stays until clear(), or until the disk gets full: ext4 is slow to
        hand out the inodes of files that were removed a moment ago, and would charge the next build for it."""
        self.stop()
        for old in range(self._removed + 1, self._machines + 1):
            if shutil.disk_usage(self.folder).free >= self.LEAST_FREE:
                break
            shutil.rmtree(self.folder / f"machine-{old}", ignore_errors=True)
            self._removed = old
        self._machines += 1
        self.state = self.folder / f"machine-{self._machines}"
        self.state.mkdir(parents=True)
        self.start()

    def clear(self):
        """Ends the peer and removes all it wrote."""
        self.stop()
        # What a builder mounted ends with it, but a killed one may have left something.
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if line.split()[1].startswith(str(self.folder) + "/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def build(self, context, image, *, cache=None, contexts=None, cut=False):
        """Builds the folder's Dockerfile and pushes it; Cost. cache: a reference to read from and write to. cut: along packages,
        where the peer can."""
        raise NotImplementedError

    def pull(self, image):
        """Brings an image here; Cost."""
        raise NotImplementedError

    def bake(self, folder, *, cache=None):
        raise NotImplementedError

    def run(self, command, **options):
        return measure.run(command, log=self.log, **options)


class Kiln(Peer):
    name = "kiln"
    bakes = True
    shares_cache = True
    pulls = True
    binary = None
    cuts = True

    def _environment(self):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("KILN_", "BUILDKIT_", "SOURCE_DATE"))}
        return dict(kept, KILN_HOME=str(self.state))

    def _cache(self, cache):
        if not cache:
            return []
        return ["--cache-from", f"type=registry,ref={cache}", "--cache-to", f"type=registry,ref={cache},mode=max"]

    def build(self, context, image, *, cache=None, contexts=None, cut=False):
        words = [word for name, path in (contexts or {}).items() for word in ("--build-context", f"{name}={path}")]
        if cut and self.cuts:
            words += ["--layers", "package"]
        return self.run([self.binary, "build", "--progress", "plain", "-t", image, "--push", *self._cache(cache), *words, context],
                        env=self._environment())

    def pull(self, image):
        return self.run([self.binary, "pull", "--quiet", image], env=self._environment())

    def output_of(self, image, command):
        """What a command says in a container of an image, which is here."""
        context = self.folder / "run"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(f"FROM {image}\nRUN {command}\n")
        self.run([self.binary, "build", "--progress", "plain", "--no-cache", context], env=self._environment())
        return self.log.read_text(errors="replace")

    def bake(self, folder, *, cache=None):
        return self.run([self.binary, "bake", "--progress", "plain", "-f", "docker-bake.json", "--push", *self._cache(cache)],
                        env=self._environment(), cwd=folder)


class KilnUncut(Kiln):
    """kiln with a layer for each step."""

    name = "uncut"
    pulls = False
    cuts = False
    is_for_cuts = True


class BuildKit(Peer):
    name = "buildkit"
    programs = ("buildkitd", "buildctl", "runc")
    shares_cache = True
    pulls = True

    daemon = None

    @property
    def bakes(self):
        return shutil.which("buildx") is not None

    @property
    def _address(self):
        return f"unix://{self.folder}/buildkitd.sock"

    def start(self):
        config = self.folder / "buildkitd.toml"
        config.write_text(f'[registry."{self.registry}"]\n  http = true\n  insecure = true\n')
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "JAEGER_", "BUILDKIT_"))}
        with open(self.folder / "buildkitd.log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["buildkitd", "--oci-worker-binary", "runc", "--root", str(self.state), "--addr", self._address, "--config", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=kept, preexec_fn=die_with_parent)
        for _ in range(300):
            answer = subprocess.run(["buildctl", "--addr", self._address, "debug", "workers"], capture_output=True, check=False)
            if answer.returncode == 0:
                return
            if self.daemon.poll() is not None:
                break
            time.sleep(0.1)
        raise measure.Failed("buildkitd did not start:\n" + (self.folder / "buildkitd.log").read_text(errors="replace")[-2000:])

    def stop(self):
        if self.daemon is not None:
            self.daemon.terminate()
            try:
                self.daemon.wait(20)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
            self.daemon = None

    def build(self, context, image, *, cache=None, contexts=None, cut=False):
        command = ["buildctl", "--addr", self._address, "build", "--progress", "plain", "--frontend", "dockerfile.v0",
                   "--local", f"context={context}", "--local", f"dockerfile={context}",
                   "--output", f"type=image,name={image},push=true,registry.insecure=true"]
        for name, path in (contexts or {}).items():
            command += ["--opt", f"context:{name}=local:{name}", "--local", f"{name}={path}"]
        if cache:
            command += ["--import-cache", f"type=registry,ref={cache},registry.insecure=true",
                        "--export-cache", f"type=registry,ref={cache},mode=max,registry.insecure=true"]
        return self.run(command, daemon=self.daemon.pid)

    def pull(self, image):
        context = self.folder / "pull"
        context.mkdir(exist_ok=True)
        # FROM alone fetches nothing but the config.
        (context / "Dockerfile").write_text(f"FROM {image}\nRUN true\n")
        return self.run(["buildctl", "--addr", self._address, "build", "--progress", "plain", "--frontend", "dockerfile.v0", "--no-cache",
                         "--local", f"context={context}", "--local", f"dockerfile={context}"], daemon=self.daemon.pid)

    def bake(self, folder, *, cache=None):
        config = self.folder / "buildx"
        env = dict(os.environ, BUILDX_CONFIG=str(config), BUILDX_NO_DEFAULT_ATTESTATIONS="1")
        if not config.exists():
            subprocess.run(["buildx", "create", "--name", "bench", "--driver", "remote", self._address], env=env, check=True,
                           capture_output=True)
        words = ["--set", f"*.cache-from=type=registry,ref={cache}", "--set", f"*.cache-to=type=registry,ref={cache},mode=max"] if cache else []
        return self.run(["buildx", "--builder", "bench", "bake", "--progress", "plain", "-f", "docker-bake.json", "--push", *words],
                        env=env, cwd=folder, daemon=self.daemon.pid)


class Buildah(Peer):
    name = "buildah"
    programs = ("buildah", "runc")

    def _command(self, *words):
        return ["buildah", "--root", self.state / "root", "--runroot", self.state / "run", "--storage-driver", "overlay", *words]

    def build(self, context, image, *, cache=None, contexts=None, cut=False):
        local = "localhost/" + image.partition("/")[2]
        words = [word for name, path in (contexts or {}).items() for word in ("--build-context", f"{name}={path}")]
        built = self.run(self._command("build", "--runtime", "runc", "--network", "host", "--ulimit", "nofile=1024:1024",
                                       "--ulimit", "nproc=1024:1024", "--layers", "--tls-verify=false", *words, "-t", local, context))
        return built + self.run(self._command("push", "--tls-verify=false", local, f"docker://{image}"))


class Docker(Peer):
    """Debian's docker.io: a daemon with a data root of its own, and its classic builder."""

    name = "docker"
    programs = ("dockerd", "docker")
    daemon = None

    def start(self):
        config = self.folder / "daemon.json"
        config.write_text(json.dumps({"insecure-registries": [self.registry]}))
        with open(self.folder / "dockerd.log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", "--config-file", str(config), "--data-root", str(self.state / "data"), "--exec-root", str(self.state / "exec"),
                 "--pidfile", str(self.folder / "dockerd.pid"), "--host", f"unix://{self.folder}/docker.sock", "--iptables=false",
                 "--bridge=none"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        for _ in range(300):
            if subprocess.run(self._command("version"), capture_output=True, check=False).returncode == 0:
                return
            if self.daemon.poll() is not None:
                break
            time.sleep(0.1)
        raise measure.Failed("dockerd did not start:\n" + (self.folder / "dockerd.log").read_text(errors="replace")[-2000:])

    def stop(self):
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait(30)
            self.daemon = None

    def _command(self, *words):
        return ["docker", "--host", f"unix://{self.folder}/docker.sock", *words]

    def build(self, context, image, *, cache=None, contexts=None, cut=False):
        env = dict(os.environ, DOCKER_BUILDKIT="0")
        built = self.run(self._command("build", "--network", "host", "-t", image, context), daemon=self.daemon.pid, env=env)
        return built + self.run(self._command("push", image), daemon=self.daemon.pid)


PEERS = {peer.name: peer for peer in (KilnUncut, BuildKit, Buildah, Docker)}
