"""Seconds of wall clock, seconds of processor and peak memory of a command, and of the daemon that works for it."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from traffic import Bytes

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A command of a case failed; the message holds the end of what it printed."""


@dataclass
class Cost:
    wall: float = 0.0    # seconds
    cpu: float = 0.0     # seconds of user and system time, the daemon's included
    memory: int = 0      # bytes: the largest process of the command's, or the daemon's if that is larger
    moved: Bytes = field(default_factory=Bytes)   # where a case counts them
    allowed: int = 0     # bytes that may be sent, and received, where the case has a bound

    def __add__(self, other):
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.memory, other.memory), self.moved + other.moved,
                    max(self.allowed, other.allowed))


def _tree(root):
    """The processes below and including `root`."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def _cpu_seconds(root):
    """Of a running process: its own, those of its live descendants, and those of the dead ones that were waited for."""
    ticks = 0
    for pid in _tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def _peak_memory(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def run(command, *, daemon=None, timeout=1800, **options):
    """Runs the command to its end; Cost. `daemon` is the process id of the daemon that does its work."""
    daemon_cpu = 0.0
    if daemon:
        daemon_cpu = _cpu_seconds(daemon)
        Path(f"/proc/{daemon}/clear_refs").write_text("5")   # the peak starts again (proc(5))
    log = options.pop("log")
    with open(log, "wb") as out:
        begin = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   start_new_session=True, **options)
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.alarm(timeout)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            signal.alarm(0)
        wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = "\n".join(Path(log).read_text(errors="replace").splitlines()[-25:])
        raise Failed(f"'{' '.join(map(str, command))[:300]}' ended with {process.returncode}:\n{tail}")
    cost = Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
    if daemon:
        cost.cpu += _cpu_seconds(daemon) - daemon_cpu
        cost.memory = max(cost.memory, _peak_memory(daemon))
    return cost
