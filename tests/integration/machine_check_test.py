#!/usr/bin/env python3
"""Programs for another machine are found before an image is published."""

import struct

import harness

AMD64 = 62
ARM64 = 183


def program(machine):
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return ident + struct.pack("<HHI", 2, machine, 1) + bytes(40)


class MachineCheck(harness.KilnTest):
    def context(self, dockerfile, **programs):
        for name, content in programs.items():
            self.write(f"app/{name}", content, mode=0o755)
        self.write("app/Dockerfile", dockerfile)

    def refusal(self, *words):
        return self.kiln("build", "--platform", "linux/amd64", *words, "app", code=1).stderr

    def test_an_entry_point_for_another_machine_is_refused_each_time(self):
        self.context('FROM scratch\nCOPY tool /usr/bin/tool\nENV PATH=/bin:/usr/bin\nENTRYPOINT ["tool"]\n', tool=program(ARM64))
        for words in (["-t", "a:1"], ["-t", "a:1"], ["-o", "type=oci,dest=a.tar"], ["-o", "type=docker,dest=a.tar"]):
            with self.subTest(words=words):
                self.assertIn("'/usr/bin/tool': expected a program for linux/amd64, the image's platform, got one for arm64 "
                              "(base image: scratch)", self.refusal(*words))
        self.assertFalse((self.folder / "a.tar").exists())
        self.kiln("build", "--platform", "linux/arm64", "-t", "a:1", "app")

    def test_files_alone_may_be_for_any_machine(self):
        self.context('FROM scratch\nCOPY tool /tool\nENTRYPOINT ["/tool"]\n', tool=program(ARM64))
        self.kiln("build", "--platform", "linux/amd64", "-o", "type=local,dest=files", "app")
        self.refusal("-t", "a:1")

    def test_the_interpreter_of_a_script_and_the_shell_are_looked_at(self):
        self.context('FROM scratch\nCOPY tool /opt/python3\nCOPY start /start\nENV PATH=/opt\nENTRYPOINT ["/start"]\n',
                     tool=program(ARM64), start=b"#!/usr/bin/env python3\n")
        self.assertIn("'/opt/python3'", self.refusal("-t", "a:1"))
        self.context("FROM scratch\nCOPY --link tool /bin/sh\n", tool=program(ARM64))
        self.assertIn("'/bin/sh'", self.refusal("-t", "a:1"))

    def test_programs_for_the_platform_and_files_that_are_none_pass(self):
        self.context('FROM scratch\nCOPY tool /tool\nCOPY other /data/other\nENTRYPOINT ["/tool"]\n', tool=program(AMD64),
                     other=program(ARM64))
        self.kiln("build", "--platform", "linux/amd64", "-t", "a:1", "app")
        self.context('FROM scratch\nCOPY tool /bin\nENTRYPOINT ["/missing"]\n', tool=b"text")
        self.kiln("build", "--platform", "linux/amd64", "-t", "a:1", "app")

    def test_the_base_image_is_named_with_digest_and_platform(self):
        self.context("FROM scratch\nCOPY tool /tool\n", tool=program(ARM64))
        self.kiln("build", "--platform", "linux/amd64", "-t", "base:1", "app")
        self.context('FROM base:1\nENTRYPOINT ["/tool"]\n')
        self.assertRegex(self.refusal("-t", "a:1"), r"\(base image: 'base:1@sha256:[0-9a-f]{64}' for linux/amd64\)")


if __name__ == "__main__":
    harness.main()
