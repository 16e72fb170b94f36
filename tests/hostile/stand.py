"""Where hostile inputs are given to the real kiln: a machine's root of its own, with canaries on it, and bounds.

The root is an overlay over the machine's, in a mount namespace of this process, so that whatever is written beside the folder of
the case shows in its upper layer and is gone afterwards; kiln runs in it by chroot, as root. The case's folder is a tmpfs of 256 MiB
at the same path, so that a bomb fills that and no disk. A run passes where

- the exit code is one of README's, and no signal,
- it took no more than MAX_SECONDS and no process of it more than MAX_MEMORY,
- what is refused is said, in a line that begins with "error: ", and no line of that has more than MAX_LINE characters,
- no canary was changed, read into an output, a message or KILN_HOME, and
- nothing was written beside KILN_HOME, the outputs of the case, nor left in /tmp."""

import bz2
import ctypes
import gzip
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.answer_server import AnswerServer
from tests.support.registry import die_with_parent

TOKEN = "canary-of-the-host-7719"
CANARY = "/hostile-canary"  # a folder of the host, with a file `secret`
MAX_SECONDS = 60
MAX_MEMORY = 1 << 30
MAX_LINE = 8 << 10
WRITTEN_AT = 1_700_000_000
TMPFS_BYTES = 256 << 20
CODES = {0, 1, 2, 3, 4}
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE, _MS_BIND = 0x20000, 0x4000, 0x40000, 0x1000


def _check(code):
    if code != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(source, target, kind=None, flags=0, data=None):
    encode = lambda text: text if text is None else str(text).encode()
    _check(_LIBC.mount(encode(source), encode(target), encode(kind), flags, encode(data)))


@dataclass
class Run:
    """One way in. `args`: kiln's words. `says`: a text that the message has where it is refused. `lands`: path below out -> text of a
    file, None for nothing there, "dir", where it is accepted."""

    way: str
    args: list
    says: str = ""
    lands: dict = field(default_factory=dict)
    stdin: bytes = b""
    env: dict = field(default_factory=dict)
    reach: str = ""  # "read" or "write": what of the host the words may reach by what docs/security.md says


@dataclass
class Case:
    """`runs` writes the input into a stand's folder and returns the ways in; expected.txt says what each comes to."""

    kind: str
    name: str
    runs: Callable
    is_quick: bool = True  # False: it takes seconds, since kiln tries again and waits


@dataclass
class Outcome:
    code: int
    output: str
    seconds: float
    memory: int
    problems: list


class Stand:
    """Use as a context manager, once in a process: the process stays in the mount namespace."""

    def __init__(self, binary):
        self.binary = Path(binary)
        self.server = AnswerServer()

    def __enter__(self):
        _check(_LIBC.unshare(_CLONE_NEWNS))
        _mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
        self._top = Path(tempfile.mkdtemp(prefix="hostile-"))
        _mount("tmpfs", self._top, "tmpfs", data="size=1g,mode=755")
        self._upper, work, self.root = (self._top / name for name in ("upper", "work", "root"))
        self.folder = self._top / "case"
        for path in (self._upper, work, self.root, self.folder):
            path.mkdir()
        _mount("overlay", self.root, "overlay", data=f"lowerdir=/,upperdir={self._upper},workdir={work}")
        for name in ("proc", "sys", "dev"):
            _mount(f"/{name}", self.root / name, flags=_MS_BIND | _MS_REC)
        inside = self.root / str(self.folder)[1:]
        inside.mkdir(parents=True, exist_ok=True)
        _mount("tmpfs", self.folder, "tmpfs", data=f"size={TMPFS_BYTES},mode=755")
        _mount(self.folder, inside, flags=_MS_BIND)
        shutil.copy(self.binary, self.root / "kiln-under-test")
        self._plant()
        return self

    def _plant(self):
        """Canaries, whole again."""
        canary = self.root / CANARY[1:]
        shutil.rmtree(canary, ignore_errors=True)
        canary.mkdir()
        for path in (canary / "secret", self.root / "tmp/hostile-canary", self.root / "root/.hostile-canary"):
            path.write_text(TOKEN)
            os.utime(path, (1, 1))
        self._written = self._listing(self._upper)

    def __exit__(self, *_):
        self.server.stop()
        for path in (self.root / str(self.folder)[1:], self.folder, *(self.root / name for name in ("proc", "sys", "dev")), self.root, self._top):
            _LIBC.umount2(str(path).encode(), 2)
        self._top.rmdir()

    def clear(self):
        """An empty folder of the case: home, out and the input are its."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        (self.folder / "canary").write_text(TOKEN)

    def write(self, path, data):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())
        # What is made of it has the same digests each time: a flipped bit of one spoils it, or only names another.
        os.utime(target, (WRITTEN_AT, WRITTEN_AT))
        return target

    def prepare(self, args):
        """A run that makes what a case then spoils."""
        outcome = self.run(Run("prepare", args))
        assert outcome.code == 0, outcome.output
        shutil.rmtree(self.folder / "out", ignore_errors=True)

    def run(self, run):
        """Runs kiln; Outcome, whose problems are what must not be."""
        if self._listing(self._upper) != self._written:
            self._plant()
        before = self._listing(self.folder)
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "user"), "KILN_HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8",
               "HOSTILE_SECRET": TOKEN, "no_proxy": "*", **run.env}

        def prepare():
            die_with_parent()
            os.setsid()
            os.chroot(self.root)
            os.chdir(self.folder)
            resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        start = time.monotonic()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
            given.write(run.stdin)
            given.seek(0)
            process = subprocess.Popen(["/kiln-under-test", *map(str, run.args)], env=env, stdin=given, stdout=output, stderr=output, preexec_fn=prepare)
            pid = 0
            while pid == 0:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid == 0 and time.monotonic() - start > MAX_SECONDS:
                    os.killpg(process.pid, signal.SIGKILL)
                    _, status, usage = os.wait4(process.pid, 0)
                    break
                if pid == 0:
                    time.sleep(0.002)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read(1 << 22).decode(errors="replace")
        outcome = Outcome(process.returncode, text, time.monotonic() - start, usage.ru_maxrss * 1024, [])
        outcome.problems = [*self._problems_of_end(run, outcome), *self._problems_of_files(before, run.reach), *(self._problems_of_landing(run) if outcome.code == 0 else [])]
        return outcome

    @staticmethod
    def _problems_of_end(run, outcome):
        is_accepted = outcome.code == 0
        if outcome.code not in CODES:
            yield f"exit code {outcome.code}"
        if outcome.seconds > MAX_SECONDS:
            yield f"it took {outcome.seconds:.0f} s"
        if outcome.memory > MAX_MEMORY:
            yield f"it took {outcome.memory >> 20} MiB of memory"
        if not is_accepted and "error: " not in outcome.output:
            yield "nothing says what is wrong"
        if max(map(len, outcome.output.splitlines()), default=0) > MAX_LINE and not is_accepted:
            yield "a line of the message is too long to be read"
        if "internal" in outcome.output:
            yield "it is called an internal error"
        if not is_accepted and run.says not in outcome.output:
            yield f"it does not say '{run.says}'"
        if TOKEN in outcome.output and run.reach != "read":
            yield "a canary is in what was printed"

    def _problems_of_files(self, before, reach):
        if reach == "write":
            return
        for path, state in sorted(set(self._listing(self._upper).items()) ^ set(self._written.items())):
            yield f"written to the host: {path} {state}"
        canary = self.root / CANARY[1:] / "secret"
        if not canary.is_file() or canary.read_text() != TOKEN or canary.stat().st_nlink != 1:
            yield "the host's canary was touched"
        after = self._listing(self.folder)
        for path in sorted(set(before) | set(after)):
            if path.split("/")[0] not in ("home", "out", "out2", "out3", "user") and before.get(path) != after.get(path):
                yield f"written beside KILN_HOME and the output: {path}"
        for name in ("home", "out", "out2", "out3"):
            for path in (self.folder / name).rglob("*"):
                if reach != "read" and path.is_file() and not path.is_symlink() and path.stat().st_size < 64 << 20 and TOKEN.encode() in self._plain(path):
                    yield f"a canary got into {path.relative_to(self.folder)}"

    @staticmethod
    def _plain(path):
        """A file, unpacked where it is compressed: layers are."""
        data = path.read_bytes()
        try:
            if data[:2] == b"\x1f\x8b":
                return gzip.decompress(data)
            if data[:3] == b"BZh":
                return bz2.decompress(data)
            if data[:4] == b"\x28\xb5\x2f\xfd":
                return subprocess.run(["zstd", "-dc", "-M256MB"], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        except (OSError, EOFError, ValueError, zlib.error):
            pass
        return data

    def _problems_of_landing(self, run):
        for name, wanted in run.lands.items():
            path = self.folder / "out" / name
            if wanted is None:
                if os.path.lexists(path):
                    yield f"out/{name} is there"
            elif wanted == "dir":
                if path.is_symlink() or not path.is_dir():
                    yield f"out/{name} is no folder"
            elif path.is_symlink() or not path.is_file() or path.read_text() != wanted:
                yield f"out/{name} is not '{wanted}'"

    @staticmethod
    def _listing(folder):
        """path -> what a write would change. Folders by being there alone: opening a file in one may change its times."""
        found = {}
        for place, folders, files in os.walk(folder):
            for name in folders + files:
                path = os.path.join(place, name)
                info = os.lstat(path)
                is_folder = name in folders
                found[os.path.relpath(path, folder)] = (info.st_mode, 0 if is_folder else info.st_size, 0 if is_folder else info.st_mtime_ns)
        return found
