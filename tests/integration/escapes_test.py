#!/usr/bin/env python3
"""Ways out of a RUN that were open once: links in mounts, descriptors that outlive a step, devices where no cgroup can be had."""

import os
import re
import shutil
import subprocess

import harness

SYSCTL = "/proc/sys/kernel/printk_ratelimit"


class Escapes(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.tiny_base()
        self.words = ["build", "--no-cache", "--progress=plain", "--build-context", "base=oci-layout://base"]

    def build(self, dockerfile, *, code=0, flags=(), before=()):
        self.write("ctx/Dockerfile", dockerfile)
        result = harness.run([*before, harness.kiln_binary(), *self.words, *flags, "ctx"], env=self.environment(), cwd=self.folder)
        self.assertEqual(result.code, code, result)
        return result

    def said(self, result):
        """The lines that RUN steps have printed."""
        return re.findall(r"^#\d+ \d+\.\d+ (.*)$", result.stderr, re.M)

    def link(self, path, target):
        path = self.folder / "ctx" / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def test_a_mount_in_a_mount_stands_on_no_place_of_the_runtime(self):
        """runc opens /dev/null of the container for reading and writing before /proc/sys is read-only."""
        before = open(SYSCTL).read()
        self.link("dev/null", SYSCTL)
        for name, target in (("device-folder", "/dev"), ("null", "/dev/null"), ("kernel", "/proc"), ("sys", "/sys"), ("root", "/"), ("up", "../../..")):
            self.link(f"links/{name}", target)
        outers = {"a bind": "RUN --mount=type=bind,source=links,target=/c",
                  "a cache": "RUN --mount=type=bind,source=links,target=/b --mount=type=cache,target=/c rm -rf /c/* && cp -a /b/. /c/\nRUN --mount=type=cache,target=/c"}
        for outer, lines in outers.items():
            for inner, place in (("type=bind,source=dev,rw,target=/c/device-folder", "/dev"), ("type=bind,source=Dockerfile,target=/c/null", "/dev/null"),
                                 ("type=tmpfs,target=/c/kernel/sys", "/proc/sys"), ("type=cache,target=/c/sys", "/sys"), ("type=tmpfs,target=/c/root", "/"),
                                 ("type=cache,id=up,target=/c/up", "/"), ("type=cache,target=/c/up/dev/shm", "/dev/shm")):
                with self.subTest(outer=outer, inner=inner):
                    result = self.build(f"FROM base\n{lines} --mount={inner} echo 7\n", code=1)
                    self.assertRegex(result.stderr, rf"mount target '/c/[a-z/-]+'(?: leads to '{place}', the container's own place|: )")
                    self.assertNotIn("7", self.said(result))
        self.assertEqual(open(SYSCTL).read(), before)

    def test_below_dev_and_sys_mounts_do_not_lie_in_one_another(self):
        result = self.build("FROM base\nRUN --mount=type=cache,target=/dev/a --mount=type=tmpfs,target=/dev/a/b true\n", code=1)
        self.assertIn("mount target '/dev/a/b' lies in the mount at '/dev/a'", result.stderr)
        self.build("FROM base\nRUN --mount=type=cache,target=/dev/a --mount=type=tmpfs,target=/dev/b touch /dev/a/x /dev/b/x\n")

    def test_a_command_begins_in_no_list_of_processes_that_a_mount_leads_to(self):
        self.link("links/one", "/proc/1")
        result = self.build("FROM base\nWORKDIR /c/one\nRUN --mount=type=bind,source=links,target=/c pwd\n", code=1)
        self.assertIn("working folder '/c/one' is '/proc/1'", result.stderr)

    def test_mounts_in_mounts_are_made_where_they_belong(self):
        self.write("ctx/files/inner/below", "of the context")
        self.write("ctx/files/file", "of the context")
        self.link("files/link", "inner")
        secret = self.write("secret", "of the caller")
        result = self.build("""
            FROM base
            RUN --mount=type=bind,source=files,target=/c --mount=type=tmpfs,target=/c/inner,size=1m --mount=type=secret,id=s,target=/c/file \\
                touch /c/inner/new && ls /c/inner && cat /c/file && ! touch /c/x 2>/dev/null && echo and read-only
            RUN --mount=type=bind,source=files,target=/c --mount=type=cache,target=/c/link echo by the link >/c/inner/x && cat /c/link/x
            RUN --mount=type=cache,target=/k --mount=type=cache,id=deep,target=/k/made/for/it --mount=type=bind,source=files/file,target=/k/made/file \\
                echo kept >/k/made/for/it/x && cat /k/made/file
            RUN --mount=type=cache,id=deep,target=/d --mount=type=cache,target=/k cat /d/x && ls /k/made
            RUN --mount=type=tmpfs,target=/t --mount=type=tmpfs,target=/t/a/b stat -c %a /t /t/a/b
            RUN test ! -e /c && test ! -e /k && test ! -e /t && echo no trace
        """, flags=("--secret", f"id=s,src={secret}"))
        self.assertEqual(self.said(result), ["new", "of the callerand read-only", "by the link", "of the context", "kept", "file", "for", "1777", "1777", "no trace"])
        self.assertIn("cannot create 'missing' there: read-only file system",
                      self.build("FROM base\nRUN --mount=type=bind,source=files,target=/c --mount=type=tmpfs,target=/c/missing true\n", code=1).stderr)

    def test_files_of_an_image_lend_nobody_the_rights_of_who_exported_them(self):
        self.write("ctx/su", "program")
        dockerfile = """
            FROM base
            COPY --chown=1000:1000 su /su
            RUN chmod 6755 /su && mkdir /d && chmod 2755 /d && mknod /disk b 8 0 && mknod /d/kmem c 1 1 && mkfifo /fifo
        """
        result = self.build(dockerfile, flags=("-o", "type=local,dest=out"))
        modes = {path: (self.folder / "out" / path).lstat().st_mode for path in ("su", "d", "fifo")}
        self.assertEqual({path: oct(mode) for path, mode in modes.items()}, {"su": "0o100755", "d": "0o42755", "fifo": "0o10644"})
        self.assertFalse((self.folder / "out/disk").exists() or (self.folder / "out/d/kmem").exists())
        self.assertIn("'out' is without 2 devices of the image", result.stderr)
        self.assertIn("'out' has 1 program without set-user-ID and set-group-ID bits", result.stderr)
        self.build(dockerfile, flags=("-o", "type=tar,dest=out.tar"))
        listed = self.run_program("tar", "-tvf", self.folder / "out.tar").stdout
        self.assertRegex(listed, r"-rwsr-sr-x 1000/1000 .* su\n")
        self.assertRegex(listed, r"brw-r--r-- .* disk\n")

    def test_a_descriptor_that_outlives_its_step_changes_no_layer(self):
        """A layer is found by its bytes: who could write to its unpacked files would write to those of other builds."""
        self.need_programs("cc")
        self.run_program("cc", "-static", "-O1", "-o", self.write("ctx/passing"),
                         harness.ROOT / "tests/support/descriptor_passing.c")
        (self.folder / "ctx/passing").chmod(0o755)
        stages = """
            FROM base AS made
            COPY passing /bin/
            RUN mkdir /d && echo good >/d/f
            FROM made AS sends
            RUN passing send {path} && touch -d @1000000000 /d /d/f
            FROM made AS receives
            RUN passing receive 2
            FROM sends
            COPY --from=receives /bin/passing /x
        """
        result = self.build(stages.format(path="/d/f"), code=1)
        self.assertIn("a process outside of its container had a file of it open for writing; what it wrote is not kept", result.stderr)
        result = self.build(stages.format(path="/d"))
        self.assertEqual(sorted(self.said(result)), ["afterwards: Read-only file system", "sent"])
        self.assertEqual(self.kiln("cache", "verify").code, 0)

    def test_without_a_cgroup_devices_are_not_opened(self):
        self.need_programs("losetup", "unshare")
        disk = self.write("disk", b"of the disk".ljust(1 << 20, b"\0"))
        device = subprocess.run(["losetup", "--show", "-f", disk], capture_output=True, text=True)
        if device.returncode != 0:
            self.skipTest("no loop devices")
        device = device.stdout.strip()
        self.addCleanup(subprocess.run, ["losetup", "-d", device])
        number = os.stat(device).st_rdev
        make = f"mknod {{path}} b {os.major(number)} {os.minor(number)}"
        # A layer and a cache with such a device, made where a cgroup keeps it shut.
        self.build(f"FROM base\nRUN --mount=type=cache,target=/c {make.format(path='/c/disk')} && {make.format(path='/disk')}\n",
                   flags=("-o", "type=oci,dest=made,tar=false"))
        closed = ["unshare", "-m", "--propagation", "private", "sh", "-c",
                  "for place in $(grep -w cgroup2* /proc/mounts | cut -d' ' -f2); do mount -o remount,bind,ro $place; done; exec \"$@\"", "sh"]
        look = f"head -c 11 /disk; head -c 11 /c/disk; {make.format(path='/new')} && head -c 11 /new; {make.format(path='/dev/new')} && head -c 11 /dev/new; echo end"
        shutil.rmtree(self.home / "runtime")  # what it knows of the machine
        result = self.build(f"FROM made\nRUN --mount=type=cache,target=/c {look}\n", flags=("--build-context", "made=oci-layout://made"), before=closed)
        said = " ".join(self.said(result))
        self.assertIn("end", said)
        self.assertNotIn("of the disk", said)


if __name__ == "__main__":
    harness.main()
