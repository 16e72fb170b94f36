"""Exchanges each NAME with the NAME.link beside it, in turn, until it is ended: swapper.py FOLDER NAME...

SIGTERM ends it; it prints how often it exchanged a pair. An exchange is one step for whoever looks (renameat2).
"""

import ctypes
import os
import random
import signal
import subprocess
import sys
import time

AT_FDCWD, RENAME_EXCHANGE = -100, 2
PAUSE_SECONDS = 0.002
PASSES_PER_REST = 20


class Swapper:
    """The program in a process of its own. stop() returns the number of exchanges."""

    def __init__(self, folder, names):
        self.process = subprocess.Popen([sys.executable, "-B", __file__, str(folder), *names], stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()  # it has begun
        self.count = 0

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.count = int(self.process.communicate()[0])
        return self.count


def main(folder, *names):
    is_ended = []
    signal.signal(signal.SIGTERM, lambda *_: is_ended.append(True))
    os.chdir(folder)
    rename = ctypes.CDLL(None, use_errno=True).renameat2
    pairs = [(name.encode(), f"{name}.link".encode()) for name in names]
    count = 0
    print("begun", flush=True)
    while not is_ended:
        # Back and forth, with a pause: most builds are to come through, and each to meet links somewhere. The rest between is for
        # readers that have but the processor that this runs on.
        for way in range(2):
            for one, other in pairs:
                # A name may be below a folder that is a link just now, and gone with what a build removes.
                if rename(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0:
                    count += 1
            if way == 0 and random.randrange(PASSES_PER_REST) == 0:
                time.sleep(0)
        time.sleep(random.random() * PAUSE_SECONDS)
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
