#!/usr/bin/env python3
"""kiln where it is allowed little: no namespaces, one id, files that may not grow."""

import sys
import tarfile

import harness
from tests.support import user_namespace
from tests.support.layout_writer import busybox_layer, write_layout


class NarrowMachine(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_root()

    def run_in_base(self):
        """The words of a build of one RUN."""
        self.need_containers()
        self.need_programs("busybox")
        layout = write_layout(self.folder / "layout", [busybox_layer()])
        self.write("context/Dockerfile", 'FROM base\nRUN /bin/busybox id -u\n')
        return [harness.kiln_binary(), "build", "--progress", "plain", "--build-context", f"base=oci-layout://{layout}:base",
                self.folder / "context"]

    def in_user_namespace(self, ids, *words, code):
        result = self.run_program(sys.executable, user_namespace.__file__, ids, *words, code=None)
        if result.code == 125:
            self.skipTest("no user namespaces here")
        self.assertEqual(result.code, code, result)
        return result

    def test_where_no_user_namespace_may_be_made_the_setting_is_named(self):
        self.need_programs("setpriv", "newuidmap")
        words = self.run_in_base()
        self.folder.chmod(0o777)
        ids = self.write("ids", "1000:100000:65536\n")
        script = ('mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && '
                  "echo 0 > /proc/sys/user/max_user_namespaces && shift && exec setpriv --reuid=1000 --regid=1000 --clear-groups \"$@\"")
        result = self.in_user_namespace(200000, "sh", "-c", script, "sh", ids, *words, code=4)
        self.assertIn("no more user namespaces are allowed here", result.stderr)
        self.assertIn("run 'sudo sysctl -w user.max_user_namespaces=15000', or kiln as root", result.stderr)

    def test_root_that_may_make_no_namespaces_is_told_of_privileges(self):
        self.need_programs("setpriv")
        result = self.run_program("setpriv", "--bounding-set=-sys_admin", *self.run_in_base(), code=4)
        self.assertIn("kiln is root without CAP_SYS_ADMIN: start the container that it runs in with --privileged", result.stderr)

    def test_one_id_is_enough_for_a_run(self):
        result = self.in_user_namespace(1, *self.run_in_base(), code=0)
        self.assertRegex(result.stderr, r"(?m)^#1 [0-9.]+ 0$")

    def test_an_owner_that_the_user_namespace_does_not_have_is_named(self):
        self.need_programs("busybox")
        member = tarfile.TarInfo()
        member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, 0o755, 0, 8
        layout = write_layout(self.folder / "other", [busybox_layer(("mail", member))])
        self.write("context/Dockerfile", 'FROM base\nRUN /bin/busybox id -u\n')
        result = self.in_user_namespace(1, harness.kiln_binary(), "build", "--build-context", f"base=oci-layout://{layout}:base",
                                        self.folder / "context", code=4)
        self.assertIn("to 0:8: this user namespace has no such ID", result.stderr)

    def test_a_file_that_may_not_grow_costs_that_run_alone(self):
        self.need_programs("prlimit")
        self.write("context/Dockerfile", "FROM scratch\nCOPY big /\n")
        with open(self.folder / "context/big", "wb") as file:
            file.truncate(1 << 20)
        build = [harness.kiln_binary(), "build", "-o", "type=tar,dest=out.tar", self.folder / "context"]
        for size in (1 << 10, 64 << 10, 1 << 20):
            with self.subTest(size=size):
                result = self.run_program("prlimit", f"--fsize={size}", *build, cwd=self.folder, code=4)
                self.assertIn("file too large", result.stderr)
                self.assertFalse((self.folder / "out.tar").exists())
                self.kiln("cache", "verify")
        self.run_program(*build, cwd=self.folder, code=0)
        with tarfile.open(self.folder / "out.tar") as archive:
            self.assertEqual(archive.getmember("big").size, 1 << 20)
        self.kiln("cache", "verify")


if __name__ == "__main__":
    harness.main()
