#!/usr/bin/env python3
"""What a RUN may do, see and reach: the rows of the table in docs/security.md."""

import os
import shutil
import subprocess

import harness

# One line for each probe: its name, and "allowed" or the reason why it is not.
PROBES = r"""
say() { printf '%s=%s\n' "$1" "$2"; }
try() { name=$1; shift; if "$@" >/dev/null 2>/tmp/error; then say "$name" allowed; else say "$name" "$(tail -n1 /tmp/error)"; fi; }
status() { grep "^$1:" /proc/self/status | cut -f2; }
say effective "$(status CapEff)"
say bounding "$(status CapBnd)"
say inheritable "$(status CapInh)"
say new-privileges "$(status NoNewPrivs)"
say filter "$(status Seccomp)"
try mount mount -t tmpfs none /mnt
try mount-namespace unshare -m true
try user-namespace unshare -U true
try domain-name sh -c 'echo x > /proc/sys/kernel/domainname'
try sysfs sh -c 'echo 1 > /sys/kernel/mm/ksm/run'
try host-name hostname other
try kernel-log dmesg
mknod /tmp/disk b 8 0
mknod /tmp/zero c 1 5
try disk head -c1 /tmp/disk
try kernel-memory mknod /tmp/mem c 1 1
try read-kernel-memory head -c1 /tmp/mem
say kcore "$(head -c1 /proc/kcore | wc -c)"
say keys "$(wc -l < /proc/keys)"
say devices "$(ls /dev | tr '\n' ' ')"
say shared-memory "$(ls -A /dev/shm | wc -l)"
say queues "$(ls -A /dev/mqueue | wc -l)"
say users "$(tr -s ' ' < /proc/self/uid_map)"
say networks "$(ls /sys/class/net | tr '\n' ' ')"
say machine "$(hostname)"
say descriptors "$(ls /proc/self/fd | tr '\n' ' ')"
say canary "$CANARY"
for process in /proc/[0-9]*; do tr '\0' ' ' < $process/cmdline; echo; done > /tmp/processes
say strangers "$(grep -c 'canary-of-the-host' /tmp/processes)"
say processes "$(ls /proc | grep -c '^[0-9]')"
"""
# What docker leaves to root: CAP_CHOWN to CAP_SETFCAP, without CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYS_MODULE and others.
DOCKERS_CAPABILITIES = 0xA80425FB


class Sandbox(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_root()
        self.need_containers()
        self.need_programs("busybox")
        shutil.copy(shutil.which("busybox"), self.write("busybox"))
        self.write("probes", PROBES)

    def probe(self, *flags, run="RUN", code=0):
        """What each probe says in a RUN."""
        self.write("Dockerfile", f"""
            FROM scratch AS base
            COPY busybox /bin/busybox
            COPY probes /probes
            RUN ["/bin/busybox", "mkdir", "-p", "/tmp", "/mnt"]
            RUN ["/bin/busybox", "--install", "-s", "/bin"]
            FROM base AS probed
            {run} sh /probes > /said 2>/dev/null; true
            FROM scratch
            COPY --from=probed /said /
        """)
        self.run_program("chmod", "755", "busybox", cwd=self.folder)
        self.kiln("build", "-o", "out", *flags, ".", env={"CANARY": "of the caller"}, code=code)
        lines = (self.folder / "out/said").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def own_capabilities(self):
        for line in open("/proc/self/status"):
            if line.startswith("CapPrm:"):
                return int(line.split()[1], 16)

    def test_a_sandbox(self):
        stranger = subprocess.Popen(["bash", "-c", "exec -a canary-of-the-host sleep 100"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        said = self.probe()
        with self.subTest("capabilities"):
            for kind in ("effective", "bounding"):
                self.assertEqual(int(said[kind], 16), DOCKERS_CAPABILITIES & self.own_capabilities())
            self.assertEqual(int(said["inheritable"], 16), 0)
        with self.subTest("seccomp"):
            self.assertEqual((said["filter"], said["new-privileges"]), ("2", "0"))
        for row in ("mount", "mount-namespace", "user-namespace", "domain-name", "sysfs", "host-name", "kernel-log", "disk", "read-kernel-memory"):
            with self.subTest(row):
                self.assertNotEqual(said[row], "allowed")
        with self.subTest("masked"):
            self.assertEqual((said["kcore"], said["keys"]), ("0", "0"))
        with self.subTest("devices"):
            self.assertEqual(set(said["devices"].split()) - {"console"},
                             {"fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"})
        with self.subTest("what others have"):
            self.assertEqual((said["shared-memory"], said["queues"], said["strangers"], said["canary"]), ("0", "0", "0", ""))
            self.assertEqual(said["machine"], "buildkitsandbox")
            self.assertLess(int(said["processes"]), 10)
        with self.subTest("descriptors"):  # the fourth is that of `ls`
            self.assertEqual(said["descriptors"].split(), ["0", "1", "2", "3"])

    def test_no_network_is_there_where_none_is_asked_for(self):
        self.assertEqual(self.probe("--network", "none")["networks"].split(), ["lo"])
        self.assertEqual(self.probe(run="RUN --network=none")["networks"].split(), ["lo"])
        self.assertEqual(set(self.probe()["networks"].split()), set(os.listdir("/sys/class/net")))

    def test_hardened_gains_no_privileges(self):
        self.assertEqual(self.probe("--security", "hardened")["new-privileges"], "1")

    def test_insecure_needs_a_permission_and_has_all(self):
        self.write("Dockerfile", "FROM scratch\nRUN --security=insecure [\"/x\"]\n")
        self.assertIn("security.insecure", self.kiln("build", ".", code=2).stderr)
        said = self.probe("--allow", "security.insecure", run="RUN --security=insecure")
        self.assertEqual(int(said["effective"], 16), self.own_capabilities())
        self.assertEqual((said["filter"], said["mount"]), ("0", "allowed"))


if __name__ == "__main__":
    harness.main()
