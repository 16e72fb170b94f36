#!/usr/bin/env python3
"""What a RUN may do, see and reach: the rows of the table in docs/security.md."""

import ctypes
import os
import shutil
import socket
import subprocess

import harness
from tests.support.plain_user import need_user_namespaces, words_for_nobody

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
say users "$(tr -s ' \n' ' ' < /proc/self/uid_map)"
say networks "$(ls /sys/class/net | tr '\n' ' ')"
say machine "$(hostname)"
say descriptors "$(ls /proc/self/fd | tr '\n' ' ')"
say canary "$CANARY"
for process in /proc/[0-9]*; do tr '\0' ' ' < $process/cmdline; echo; done > /tmp/processes
say strangers "$(grep -c 'canary-of-the-host' /tmp/processes)"
say processes "$(ls /proc | grep -c '^[0-9]')"
say cgroups "$(cut -d: -f3 /proc/self/cgroup | sort -u | tr '\n' ' ')"
say cgroup-files "$(ls -A /sys/fs/cgroup | wc -l)"
try cgroup-folder mkdir /sys/fs/cgroup/kiln-canary
say power "$(ls -A /sys/devices/virtual/powercap 2>/dev/null | wc -l)"
say heat "$(ls -A /sys/devices/system/cpu/cpu*/thermal_throttle 2>/dev/null | grep -vc : )"
say environment "$(env | cut -d= -f1 | sort | tr '\n' ' ')"
say root "$(ls -A / | tr '\n' ' ')"
say run "$(find /run -type f | tr '\n' ' ')"
/bin/probe $REACH
"""
CANARY_KEY = b"kiln-canary"
# What the kernel or the filter refuses, by the names of sandbox_probe.c.
REFUSED_CALLS = {name: {"EPERM"} for name in (
    "keyctl", "add-key", "request-key", "crypto-socket", "vsock", "obsolete-socket", "bpf", "perf", "userfaultfd", "io-uring",
    "open-by-handle", "pivot-root", "open-tree", "setns", "swap", "module", "kexec", "reboot", "set-clock", "raise-limit")}
REFUSED_CALLS |= {"raise-priority": {"EACCES"}, "terminal": {"ENXIO"}}
REFUSED_CALLS |= {f"type-into-{number}": {"ENOTTY"} for number in range(3)}
# What docker leaves to root: CAP_CHOWN to CAP_SETFCAP, without CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYS_MODULE and others.
DOCKERS_CAPABILITIES = 0xA80425FB


class Sandbox(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_root()
        self.need_containers()
        self.need_programs("busybox", "cc")
        shutil.copy(shutil.which("busybox"), self.write("busybox"))
        self.write("probes", PROBES)
        self.run_program("cc", "-static", "-O1", "-o", self.folder / "probe", harness.ROOT / "tests/support/sandbox_probe.c")

    def probe(self, *flags, run="RUN", code=0, before=(), reach=()):
        """What each probe says in a RUN; `before` stands before kiln's words, `reach` is what is connected to."""
        self.write("Dockerfile", f"""
            FROM scratch AS base
            COPY busybox probe /bin/
            COPY probes /probes
            RUN ["/bin/busybox", "mkdir", "-p", "/tmp", "/mnt"]
            RUN ["/bin/busybox", "--install", "-s", "/bin"]
            FROM base AS probed
            {run} REACH='{' '.join(map(str, reach))}' sh /probes > /said 2>/dev/null; true
            FROM scratch
            COPY --from=probed /said /
        """)
        self.run_program("chmod", "755", "busybox", "probe", cwd=self.folder)
        result = harness.run([*before, harness.kiln_binary(), "build", "-o", "out", *flags, "."],
                             env=self.environment(CANARY="of the caller"), cwd=self.folder)
        self.assertEqual(result.code, code, result)
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

    def assert_refused_calls(self, said):
        for name, reasons in REFUSED_CALLS.items():
            with self.subTest(name):
                self.assertIn(said[name], reasons)

    def test_calls_that_lead_out_are_refused(self):
        said = self.probe()
        self.assert_refused_calls(said)
        # What docker lets through as well.
        self.assertEqual((said["packet-socket"], said["unix-socket"]), ("allowed", "allowed"))
        self.assertIn(said["socketcall"], ("allowed", "none"))

    def test_cgroups_of_the_machine_have_no_names_and_no_files(self):
        said = self.probe()
        self.assertEqual((said["cgroups"].split(), said["cgroup-files"]), (["/"], "0"))
        self.assertNotEqual(said["cgroup-folder"], "allowed")

    def test_power_and_heat_of_the_machine_are_hidden(self):
        said = self.probe()
        self.assertEqual((said["power"], said["heat"]), ("0", "0"))

    def test_files_are_the_images(self):
        said = self.probe("--ca-bundle", "none")
        self.assertEqual(set(said["root"].split()), {"bin", "dev", "etc", "mnt", "probes", "proc", "said", "sys", "tmp"})
        self.assertEqual(said["run"], "")

    def test_the_environment_is_the_dockerfiles(self):
        said = self.probe("--ca-bundle", "none")
        self.assertEqual(set(said["environment"].split()) - {"PWD", "SHLVL", "OLDPWD", "REACH"}, {"HOME", "PATH"})

    def test_the_keys_of_the_callers_session_are_out_of_reach(self):
        """Even where no filter is in the way: the runtime makes a session keyring for each container."""
        library = ctypes.CDLL(None, use_errno=True)
        join, add, request = (1, 248, 249) if os.uname().machine == "x86_64" else (1, 217, 218)
        keyctl = 250 if os.uname().machine == "x86_64" else 219
        with_key = (f"import ctypes,os,sys; c = ctypes.CDLL(None); assert c.syscall({keyctl}, {join}, None) > 0; "
                    f"assert c.syscall({add}, b'user', {CANARY_KEY!r}, b'secret', 6, -3) > 0; os.execvp(sys.argv[1], sys.argv[1:])")
        self.assertLess(library.syscall(request, b"user", CANARY_KEY, None, 0), 0)
        before = [shutil.which("python3"), "-c", with_key]
        asks = "import ctypes; print(ctypes.CDLL(None).syscall(%d, b'user', %r, None, 0) > 0)" % (request, CANARY_KEY)
        self.assertEqual(self.run_program(*before, shutil.which("python3"), "-c", asks).stdout.strip(), "True")
        self.assertEqual(self.probe(before=before)["request-key"], "EPERM")
        said = self.probe("--allow", "security.insecure", run="RUN --security=insecure", before=before)
        self.assertEqual(said["request-key"], "ENOKEY")

    def listeners(self):
        """A service on loopback, one at an abstract address and one at a path of /run: what they are reached by."""
        places = []
        for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, f"\0{self.folder.name}"),
                                (socket.AF_UNIX, f"/run/{self.folder.name}")):
            listener = socket.socket(family)
            self.addCleanup(listener.close)
            listener.bind(address)
            listener.listen()
            places.append(str(listener.getsockname()[1]) if family == socket.AF_INET else address.lstrip("\0"))
        self.addCleanup(os.unlink, f"/run/{self.folder.name}")
        return places

    def test_the_machines_services_are_reached_where_its_network_is(self):
        """As with BuildKit's host network: loopback and abstract sockets belong to the network, sockets in folders do not."""
        port, abstract, path = places = self.listeners()
        said = self.probe(reach=places)
        self.assertEqual((said[port], said[abstract], said[path]), ("allowed", "allowed", "ENOENT"))
        for flags, run in ((("--network", "none"), "RUN"), ((), "RUN --network=none"), (("--network", "recorded"), "RUN")):
            with self.subTest(flags=flags, run=run):
                said = self.probe(*flags, run=run, reach=places)
                self.assertNotIn("allowed", (said[port], said[abstract], said[path]))

    def test_without_root_the_sandbox_is_as_tight(self):
        need_user_namespaces(self)
        self.run_program("chown", "-R", "65534:65534", self.folder)
        self.folder.chmod(0o755)
        said = self.probe(before=words_for_nobody(self.folder))
        self.assert_refused_calls(said)
        self.assertEqual((said["filter"], said["inheritable"], said["effective"]), ("2", "0" * 16, f"{DOCKERS_CAPABILITIES:016x}"))
        self.assertEqual((said["cgroups"].split(), said["cgroup-files"], said["strangers"]), (["/"], "0", "0"))
        for row in ("mount", "mount-namespace", "user-namespace", "domain-name", "sysfs", "host-name", "kernel-log", "disk",
                    "read-kernel-memory", "cgroup-folder"):
            with self.subTest(row):
                self.assertNotEqual(said[row], "allowed")

    def test_no_network_is_there_where_none_is_asked_for(self):
        self.assertEqual(self.probe("--network", "none")["networks"].split(), ["lo"])
        self.assertEqual(self.probe(run="RUN --network=none")["networks"].split(), ["lo"])
        self.assertEqual(set(self.probe()["networks"].split()), set(os.listdir("/sys/class/net")))

    def test_no_command_begins_in_what_the_runtime_has_open(self):
        """CVE-2024-21626. By the image's words kiln refuses it; behind a mount the runtime does."""
        self.tiny_base()
        words = ("build", "--no-cache", "--progress=plain", "--build-context", "base=oci-layout://base", "-o", "type=oci,dest=out.tar", ".")
        look = 'ls -d ../../../etc/machine-id ../../../../etc/machine-id; cat ../../../../../etc/shadow; echo be""gun'
        self.write("Dockerfile", "FROM base\nRUN ln -s /proc/self /p\nWORKDIR /p/fd/8\nRUN true\n")
        self.assertIn("Dockerfile:4: working folder '/p/fd/8' is '/proc/self/fd/8', the kernel's list of open files and processes",
                      self.kiln(*words, code=1).stderr)
        for number in range(3, 12):
            with self.subTest(number=number):
                self.write("Dockerfile", f"""
                    FROM base
                    RUN --mount=type=cache,target=/c ln -sfn /proc/self/fd/{number} /c/link
                    WORKDIR /c/link
                    RUN --mount=type=cache,target=/c {look}
                """)
                said = self.kiln(*words, code=None).stderr
                self.assertNotIn(" begun", said)
                self.assertNotIn("root:", said)

    def test_hardened_gains_no_privileges(self):
        said = self.probe("--security", "hardened")
        self.assertEqual((said["new-privileges"], said["filter"]), ("1", "2"))
        self.assertIn(said["socketcall"], ("ENOSYS", "none"))
        self.assert_refused_calls(said)

    def test_insecure_needs_a_permission_and_has_all(self):
        self.write("Dockerfile", "FROM scratch\nRUN --security=insecure [\"/x\"]\n")
        self.assertIn("security.insecure", self.kiln("build", ".", code=2).stderr)
        said = self.probe("--allow", "security.insecure", run="RUN --security=insecure")
        self.assertEqual(int(said["effective"], 16), self.own_capabilities())
        self.assertEqual((said["filter"], said["mount"]), ("0", "allowed"))


if __name__ == "__main__":
    harness.main()
