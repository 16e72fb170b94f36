#!/usr/bin/env python3
"""What files of a context and of archives bring along into an image, beside what BuildKit 0.34.2 makes of the same input."""

import io
import os
import socket
import tarfile

import harness
from tests.support.layout_writer import busybox_layer, link_to, tar_of, write_layout
from tests.support.tiny_base import write_tiny_base

NAMES = (b"new\nline", b"\xff\xfe", b"sp ace", b"back\\slash", "ünï".encode(), b"star*", b"[br]", b"-dash", b"$VAR", b"#hash", b"x" * 255)


class ContextFiles(harness.KilnTest):
    def build(self, dockerfile, *words, **options):
        self.write("app/Dockerfile", dockerfile)
        result = self.kiln("build", "--no-cache", "-o", "type=oci,tar=false,dest=out", *words, "app", **options)
        if result.code != 0:
            return result, None
        files = self.layout_image(self.folder / "out").files()
        self.run_program("rm", "-rf", self.folder / "out")
        return result, files

    def test_names_of_any_bytes_are_copied(self):
        folder = os.fsencode(self.folder / "app")
        os.mkdir(folder)
        for name in NAMES:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"x")
        files = self.build("FROM scratch\nCOPY . /c/\n")[1]
        found = {os.fsencode(path.removeprefix("c/")) for path in files if path.startswith("c/")}
        self.assertEqual(found, {*NAMES, b"Dockerfile"})
        for word, copied in (("star*", "star*"), ("[[]br]", "[br]"), ("./-dash", "-dash"), ("\\$VAR", "$VAR")):
            with self.subTest(word):
                self.assertIn(f"x/{copied}", self.build(f"FROM scratch\nCOPY {word} /x/\n")[1])

    def test_links_that_lead_in_a_circle_or_nowhere_are_copied_with_their_folder_alone(self):
        self.write("app/Dockerfile")
        for name, target in (("loop", "loop"), ("a", "b"), ("b", "a"), ("dangling", "nowhere"), ("out", "/etc/passwd")):
            (self.folder / "app" / name).symlink_to(target)
        files = self.build("FROM scratch\nCOPY . /c/\n")[1]
        self.assertEqual((files["c/loop"].link, files["c/out"].link), ("loop", "/etc/passwd"))
        for name, reason in (("loop", "more than 40 symbolic links"), ("a", "more than 40 symbolic links"),
                             ("dangling", "leads by a link to '/nowhere'"), ("out", "leads by a link to '/etc/passwd'")):
            with self.subTest(name):
                result = self.build(f"FROM scratch\nCOPY {name} /x\n", code=1)[0]
                self.assertIn("app/Dockerfile:2: ", result.stderr)
                self.assertIn(reason, result.stderr)

    def test_attributes_of_users_stay_where_they_are_and_capabilities_come_along(self):
        path = self.write("app/f", "x")
        try:
            os.setxattr(path, "user.xdg.origin.url", b"https://example.com/private")
        except OSError:
            self.skipTest("no extended attributes here")
        member = tarfile.TarInfo("t")
        member.pax_headers = {"SCHILY.xattr.user.a": "b", "SCHILY.xattr.security.capability": "\1\0\0\2" + "\0" * 16}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar.addfile(member)
        self.write("app/t.tar", archive.getvalue())
        files = self.build("FROM scratch\nCOPY f /f\nADD t.tar /\n")[1]
        self.assertEqual(files["f"].xattrs, {})
        self.assertEqual(list(files["t"].xattrs), ["security.capability"])

    def test_links_of_archives_have_the_mode_that_links_have(self):
        link = link_to("f")
        link.mode = 0o644
        self.write("app/t.tar", tar_of(("f", "x"), ("s", link)))
        self.assertEqual(self.build("FROM scratch\nADD t.tar /\n")[1]["s"].mode, 0o777)

    def test_names_of_an_archive_that_lead_up_stay_below_the_target(self):
        self.write("app/t.tar", tar_of(("x/../y", "1"), ("../z", "2"), ("a/../../../b/c", "3")))
        files = self.build("FROM scratch\nADD t.tar /to/here/\n")[1]
        self.assertEqual({name: entry.text for name, entry in files.items() if entry.type == "file"},
                         {"to/here/y": "1", "to/here/z": "2", "to/here/b/c": "3"})

    def test_a_second_name_of_a_link_in_an_archive_is_a_link_to_the_same(self):
        hard = tarfile.TarInfo()
        hard.type, hard.linkname = tarfile.LNKTYPE, "s"
        self.write("app/t.tar", tar_of(("s", link_to("f")), ("h", hard)))
        files = self.build("FROM scratch\nADD t.tar /\n")[1]
        self.assertEqual([(files[name].type, files[name].link) for name in ("s", "h")], [("link", "f")] * 2)

    def tiny_base(self):
        """The words that make `FROM base` a root with a shell."""
        self.need_containers()
        self.need_programs("busybox")
        write_tiny_base(self.folder / "base")
        return ["--build-context", f"base=oci-layout://{self.folder}/base"]

    def test_the_word_of_a_runs_heredoc_may_stand_apart_from_its_sign(self):
        files = self.build("FROM base\nRUN cat <<- EOF > /x\n\ttext\n\tEOF\n", *self.tiny_base())[1]
        self.assertEqual(files["x"].text, "text\n")

    def test_a_secret_that_no_variable_can_hold_is_refused_unseen(self):
        self.write("value", b"canary\0-5519")
        result = self.build("FROM base\nRUN --mount=type=secret,id=value,env=V true\n", *self.tiny_base(),
                            "--secret", "id=value,src=value", code=1)[0]
        self.assertIn("app/Dockerfile:2: secret 'value' holds a NUL byte", result.stderr)
        self.assertNotIn("canary", result.output)

    def test_what_an_archive_has_below_a_link_of_its_own_goes_where_it_leads(self):
        hard = tarfile.TarInfo()
        hard.type, hard.linkname = tarfile.LNKTYPE, "s/f"
        self.write("app/t.tar", tar_of(("d", None), ("d/f", "x"), ("s", link_to("d")), ("s/g", "y"), ("s/h", hard)))
        files = self.build("FROM scratch\nADD t.tar /\n")[1]
        self.assertEqual(sorted(files), ["d", "d/f", "d/g", "d/h", "s"])
        self.assertEqual((files["d/h"].text, files["d/g"].text), ("x", "y"))

    def test_a_mounted_context_shows_pipes_and_times(self):
        self.need_containers()
        self.need_programs("busybox")
        layout = write_layout(self.folder / "layout", [busybox_layer()])
        self.write("app/f", "x")
        os.utime(self.folder / "app/f", (1234567890, 1234567890))
        os.mkfifo(self.folder / "app/pipe")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.folder / "app/socket"))
        self.write("app/Dockerfile", "FROM base\nRUN --mount=target=/m /bin/busybox stat -c '%n %F %Y' /m/f /m/pipe /m/socket\n")
        result = self.kiln("build", "--progress", "plain", "--build-context", f"base=oci-layout://{layout}:base", "app")
        self.assertIn("/m/f regular file 1234567890", result.stderr)
        self.assertIn("/m/pipe fifo", result.stderr)
        self.assertIn("/m/socket regular empty file", result.stderr)

    def test_an_owner_that_the_image_does_not_know_is_told(self):
        self.need_programs("busybox")
        write_tiny_base(self.folder / "base")
        self.write("app/f", "x")
        result, files = self.build("FROM base\nCOPY --chown=nosuch:nor f /a\nCOPY --chown=app: f /b\n", "--build-context",
                                   f"base=oci-layout://{self.folder / 'base'}:base")
        self.assertIn("Dockerfile:2: --chown: user 'nosuch' is not in the image's /etc/passwd, so it is 0", result.stderr)
        self.assertIn("Dockerfile:2: --chown: group 'nor' is not in the image's /etc/group, so it is 0", result.stderr)
        self.assertEqual([(files[name].uid, files[name].gid) for name in "ab"], [(0, 0), (1000, 1001)])

    def test_a_user_that_no_runtime_takes_is_an_error_of_the_build(self):
        self.need_containers()
        self.need_programs("busybox")
        write_tiny_base(self.folder / "base")
        for user in ("4294967295", "2147483648", "0:4294967296"):
            with self.subTest(user):
                result = self.build(f"FROM base\nUSER {user}\nRUN true\n", "--build-context",
                                    f"base=oci-layout://{self.folder / 'base'}:base", code=1)[0]
                self.assertIn("app/Dockerfile:3: ", result.stderr)
                self.assertIn("expected a number up to 2147483647", result.stderr)
                self.assertNotIn("doctor", result.stderr)


if __name__ == "__main__":
    harness.main()
