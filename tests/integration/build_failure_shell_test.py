#!/usr/bin/env python3
"""--on-error=shell: a person's shell in what a failed RUN left, by a pseudoterminal, and nothing of it afterwards."""

import os
import pty
import select
import signal
import struct
import fcntl
import termios
import time

import harness
from tests.support.tiny_base import write_tiny_base

SECONDS = 60


class Terminal:
    """kiln with a terminal of its own for all three descriptors; `before` are the words of a program that becomes kiln."""

    def __init__(self, test, *args, before=()):
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(test.folder)
            words = [*before, str(harness.kiln_binary()), *map(str, args)]
            os.execvpe(words[0], words, test.environment(TERM="vt100"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 121, 0, 0))

    def read(self):
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def wait_for(self, text):
        end = time.monotonic() + SECONDS
        while text.encode() not in self.output:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready or not self.read():
                raise AssertionError(f"no '{text}' in\n{self.output.decode(errors='replace')}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class FailureShell(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        write_tiny_base(self.folder / "base")

    def build(self, dockerfile, *args):
        self.write("app/Dockerfile", dockerfile)
        return Terminal(self, "build", "--build-context", "base=oci-layout://base:base", "--on-error=shell", "--progress=plain",
                        *args, "app")

    def store(self):
        """What a build may leave in a home, apart from times and counters."""
        folders = ("snapshots", "tmp", "runtime/mnt", "oci/blobs/sha256")
        return {folder: sorted(path.name for path in (self.home / folder).iterdir() if path.name != "next") for folder in folders
                if (self.home / folder).is_dir()}

    def test_the_shell_sees_the_failed_steps_files_mounts_user_and_environment(self):
        self.write("secret", "opensesame")
        terminal = self.build("""
            FROM base
            ENV COLOUR=blue
            WORKDIR /data
            USER app
            RUN --mount=type=secret,id=word,mode=0444 --mount=type=cache,target=/cached,uid=1000 \\
                echo half > /tmp/done && touch /cached/kept && false
            """, "--secret", "id=word,src=secret")
        terminal.wait_for("nothing of this is kept")
        # What the shell echoes is not what it prints: the words are put together by it.
        terminal.type("echo =$COLOUR=$(pwd)=$(id -u)=$(cat /tmp/done)=$(cat /run/secrets/word)=$(ls /cached)=\n")
        terminal.wait_for("=blue=/data=1000=half=opensesame=kept=")
        terminal.type("tty; stty size\n")
        terminal.wait_for("33 121")
        self.assertIn(b"/dev/pts/", terminal.output)
        terminal.type("sleep 1000\n")
        time.sleep(0.3)
        terminal.type("\x03")
        terminal.type("echo after=$?=\n")
        terminal.wait_for("after=130=")
        terminal.type("exit 7\n")
        self.assertEqual(terminal.end(), 1)
        self.assertIn(b"ended with exit code 1", terminal.output)
        self.assertNotIn("opensesame", "".join(path.read_text(errors="replace") for path in self.home.rglob("*") if path.is_file()))

    def test_it_leaves_no_trace(self):
        dockerfile = "FROM base\nRUN echo first > /first\nRUN echo second > /second; exit 3\n"
        self.write("app/Dockerfile", dockerfile)
        self.kiln("build", "--build-context", "base=oci-layout://base:base", "app", code=1)
        before = self.store()
        terminal = self.build(dockerfile)
        terminal.wait_for("nothing of this is kept")
        terminal.type("cat /first /second; dd if=/dev/zero of=/big bs=1M count=3; echo written=$?=\n")
        terminal.wait_for("written=0=")
        terminal.type("exit\n")
        self.assertEqual(terminal.end(), 1)
        after = self.store()
        # The number of the failed step's folder is not used again.
        self.assertEqual(len(after["snapshots"]), len(before["snapshots"]))
        self.assertEqual({**after, "snapshots": None}, {**before, "snapshots": None})
        self.assertEqual([str(path) for path in self.home.rglob("big")], [])
        mounts = open("/proc/self/mountinfo").read()
        self.assertNotIn(str(self.home), mounts)

    def test_the_shell_is_that_of_the_stage(self):
        terminal = self.build('FROM base\nRUN ln -s busybox /bin/other\nSHELL ["/bin/ash", "-e", "-c"]\nRUN exit 4\n')
        terminal.wait_for("This is '/bin/ash'")
        terminal.type("false\necho still=$((40+2))=\n")
        terminal.wait_for("still=42=")
        terminal.type("exit\n")
        self.assertEqual(terminal.end(), 1)

    def test_a_signal_ends_the_shell_and_puts_the_terminal_back(self):
        terminal = self.build("FROM base\nRUN exit 4\n")
        before = termios.tcgetattr(terminal.fd)
        terminal.wait_for("nothing of this is kept")
        terminal.type("echo up=$((40+2))=\n")
        terminal.wait_for("up=42=")
        self.assertNotEqual(termios.tcgetattr(terminal.fd), before)
        os.kill(terminal.pid, signal.SIGTERM)
        terminal.wait_for("stopped by signal")
        try:
            self.assertEqual(termios.tcgetattr(terminal.fd), before)
        except termios.error:
            pass  # kiln has ended and the terminal with it
        self.assertEqual(terminal.end(), 128 + signal.SIGTERM)

    def test_it_opens_while_another_step_waits_for_a_cache_that_the_failed_one_holds(self):
        locked = "--mount=type=cache,target=/c,sharing=locked"
        terminal = self.build(f"""
            FROM base AS other
            RUN sleep 1
            RUN {locked} touch /c/other
            FROM base AS failing
            RUN {locked} touch /c/mine; sleep 2; false
            FROM base
            COPY --from=failing /etc /a
            COPY --from=other /etc /b
            """)
        terminal.wait_for("nothing of this is kept")
        terminal.type("ls /c\n")
        terminal.wait_for("mine")
        terminal.type("exit\n")
        self.assertEqual(terminal.end(), 1)
        self.assertIn(b"ended with exit code 1", terminal.output)

    def test_another_failure_opens_no_shell(self):
        terminal = self.build("FROM base\nCOPY missing /\n")
        self.assertEqual(terminal.end(), 1)
        self.assertIn(b"no shell is opened", terminal.output)

    def test_a_build_that_works_opens_none(self):
        terminal = self.build("FROM base\nRUN true\n")
        self.assertEqual(terminal.end(), 0)


class WithoutTerminal(harness.KilnTest):
    def test_it_is_refused_with_the_reason(self):
        self.write("app/Dockerfile", "FROM scratch\n")
        result = self.kiln("build", "--on-error=shell", "app", code=2)
        self.assertIn("no terminal", result.stderr)
        self.assertIn("expected shell", self.kiln("build", "--on-error=continue", "app", code=2).stderr)


if __name__ == "__main__":
    harness.main()
