"""A machine that is not this one: network and mount namespaces of its own, from which a few ports of this machine's loopback
can be reached and nothing else, with every byte counted."""

import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def _raise_loopback():
    import fcntl
    import struct
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _pump(left, right, count):
    """Copies both ways until one side ends; count(bytes) is told what comes from `right`."""
    ends = {left: right, right: left}
    try:
        while True:
            for source in select.select(list(ends), [], [])[0]:
                data = source.recv(1 << 16)
                if not data:
                    return
                if source is right:
                    count(len(data))
                ends[source].sendall(data)
    except OSError:
        pass
    finally:
        left.close()
        right.close()


def _serve(listener, connect, count):
    while True:
        try:
            inner, _ = listener.accept()
            outer = connect()
        except OSError:
            return
        threading.Thread(target=_pump, args=(inner, outer, count), daemon=True).start()


def _inside(folder, ports):
    """Runs in the new namespaces: listens on the ports and hands each connection out through a socket in the folder."""
    _raise_loopback()
    for port in ports:
        listener = socket.create_server(("127.0.0.1", port), backlog=64)

        def connect(port=port):
            outer = socket.socket(socket.AF_UNIX)
            outer.connect(str(Path(folder) / str(port)))
            return outer

        threading.Thread(target=_serve, args=(listener, connect, lambda _: None), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()  # until the parent ends


class CiRunner:
    """Use as a context manager; needs root. `ports` of 127.0.0.1 can be reached from inside under the same address.

    command(args) is what to execute instead of args, in the folder cwd; received_bytes counts what came from the ports.
    """

    def __init__(self, ports):
        self._folder = tempfile.TemporaryDirectory(prefix="kiln-runner-")
        self._lock = threading.Lock()
        self._listeners = []
        self.received_bytes = 0
        self.connections = 0
        for port in ports:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(Path(self._folder.name) / str(port)))
            listener.listen(64)
            self._listeners.append(listener)

            def connect(port=port):
                with self._lock:
                    self.connections += 1
                return socket.create_connection(("127.0.0.1", port))

            threading.Thread(target=_serve, args=(listener, connect, self._count), daemon=True).start()
        self._process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, __file__, self._folder.name,
             *map(str, ports)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._process.stdout.readline() != b"ready\n":
            raise RuntimeError("the namespaces of a CI runner could not be made")

    def _count(self, size):
        with self._lock:
            self.received_bytes += size

    def command(self, args, cwd=None):
        return ["nsenter", f"--net=/proc/{self._process.pid}/ns/net", f"--mount=/proc/{self._process.pid}/ns/mnt",
                f"--wd={cwd or os.getcwd()}", *map(str, args)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        for listener in self._listeners:
            listener.close()
        self._folder.cleanup()


if __name__ == "__main__":
    _inside(sys.argv[1], [int(port) for port in sys.argv[2:]])
