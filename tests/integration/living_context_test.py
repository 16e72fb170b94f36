#!/usr/bin/env python3
"""A build context is somebody's living folder: files that grow, change and vanish while a build runs, folders that may not be
read, pipes and sockets."""

import os
import socket
import subprocess
import tarfile
import threading

import harness
from tests.support.tiny_base import write_tiny_base


class LivingContext(harness.KilnTest):
    def build(self, *words, code=0, **options):
        return self.kiln("build", "--no-cache", "-o", "type=oci,tar=false,dest=out", *words, "app", code=code, **options)

    def files(self):
        files = self.layout_image(self.folder / "out").files()
        self.run_program("rm", "-rf", self.folder / "out")
        return files

    def while_it_runs(self, change):
        """Calls change() again and again until the test ends."""
        stop = threading.Event()

        def work():
            while not stop.is_set():
                change()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)

    def fill(self, count=300):
        for number in range(count):
            self.write(f"app/many/{number}", f"{number}\n" * 2000)

    # What is written to meanwhile

    def test_a_file_that_grows_all_the_time_is_cut_where_it_ended(self):
        self.fill()
        self.write("app/Dockerfile", "FROM scratch\nCOPY . /c/\n")
        log = self.write("app/log", "begin\n")

        def append():
            with open(log, "a") as file:
                file.write("x\n")

        self.while_it_runs(append)
        for _ in range(4):
            self.build()
            text = self.files()["c/log"].text
            self.assertEqual(text, "begin\n" + "x\n" * ((len(text) - 6) // 2))

    def test_files_that_are_rewritten_and_vanish_all_the_time_fail_no_build(self):
        self.fill()
        self.write("app/Dockerfile", "FROM scratch\nCOPY . /c/\n")
        rewritten = self.write("app/state", "a")
        length = iter(range(10**9))

        def change():
            rewritten.write_text("b" * (next(length) * 37 % 100000))
            temporary = self.folder / f"app/many/tmp{next(length)}"
            temporary.write_text("soon gone")
            folder = self.folder / "app/tmp-folder"
            folder.mkdir()
            (folder / "f").write_text("soon gone")
            temporary.unlink()
            (folder / "f").unlink()
            folder.rmdir()

        self.while_it_runs(change)
        for _ in range(4):
            self.build()
            self.assertEqual(self.files()["c/many/7"].size, 4000)

    def test_a_fresh_file_that_is_edited_while_a_run_runs_is_the_one_that_was_read(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        self.write("app/f", "before")
        self.write("app/Dockerfile", "FROM base\nCOPY f /first\nRUN echo run''ning; sleep 3\nCOPY f /second\n")
        words = [harness.kiln_binary(), "build", "--no-cache", "--progress=plain", "-o", "type=oci,tar=false,dest=out",
                 "--build-context", "base=oci-layout://base", "app"]
        with subprocess.Popen(words, env=self.environment(), cwd=self.folder, stderr=subprocess.PIPE, text=True) as process:
            printed = []
            for line in process.stderr:
                printed.append(line)
                if "running" in line:
                    self.write("app/f", "after, and longer")
        self.assertEqual(process.returncode, 0, printed)
        self.assertTrue(any("running" in line for line in printed), printed)
        files = self.files()
        self.assertEqual((files["first"].text, files["second"].text), ("before", "before"))

    # What no user may read

    def as_nobody(self, *words, code=0):
        """Builds as a user who is not root; the folder is that user's."""
        self.need_root()
        self.run_program("chown", "-R", "65534:65534", self.folder)
        self.folder.chmod(0o755)
        environment = self.environment(KILN_HOME=str(self.folder / "home"))
        result = harness.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", harness.kiln_binary(), "build",
                              "-o", "type=oci,tar=false,dest=out", *words, "app"], env=environment, cwd=self.folder)
        self.assertEqual(result.code, code, result)
        return result

    def test_a_folder_that_may_not_be_read_matters_where_something_in_it_is_asked_for(self):
        self.write("app/pub/a", "a")
        self.write("app/secret/b", "b")
        for mode in (0o000, 0o400):
            for line, expected in (("COPY pub/a /c/", None), ("COPY pub /c/", None), ("COPY p*/a /c/", None),
                                   ("COPY --exclude=secret . /c/", None), ("ADD pub /c/", None),
                                   ("COPY . /c/", "folder '/secret' of the build context cannot be read: permission denied"),
                                   ("COPY secret /c/", "folder '/secret'"), ("COPY secret/b /c/", "folder '/secret'"),
                                   ("COPY */b /c/", "folder '/secret'")):
                with self.subTest(line, mode=mode):
                    self.write("app/Dockerfile", f"FROM scratch\n{line}\n")
                    (self.folder / "app/secret").chmod(mode)
                    result = self.as_nobody(code=1 if expected else 0)
                    if expected:
                        self.assertIn(expected, result.stderr)
                        self.assertNotIn("doctor", result.stderr)
                    self.run_program("rm", "-rf", self.folder / "out")

    def test_a_file_that_may_not_be_read_is_an_error_of_the_build(self):
        self.write("app/secret", "b", mode=0o000)
        self.write("app/other", "b")
        self.write("app/Dockerfile", "FROM scratch\nCOPY secret /c/\n")
        self.assertIn("cannot be read: permission denied", self.as_nobody(code=1).stderr)
        self.write("app/Dockerfile", "FROM scratch\nCOPY other /c/\n")
        self.as_nobody()

    # What is no file

    def test_pipes_and_sockets_hold_nothing_up(self):
        (self.folder / "app").mkdir()
        os.mkfifo(self.folder / "app/pipe")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.folder / "app/socket"))
        self.write("app/Dockerfile", "FROM scratch\nCOPY . /c/\nADD pipe socket /d/\n")
        self.build(timeout=20)
        files = self.files()
        self.assertEqual(files["c/pipe"].type, "fifo")
        self.assertEqual((files["c/socket"].type, files["c/socket"].size), ("file", 0))

    def test_a_dockerfile_or_ignore_file_that_is_a_pipe_is_refused_at_once(self):
        for name, text in (("Dockerfile", None), (".dockerignore", "FROM scratch\nCOPY . /\n"),
                           ("Dockerfile.dockerignore", "FROM scratch\nCOPY . /\n")):
            with self.subTest(name):
                self.run_program("rm", "-rf", self.folder / "app")
                (self.folder / "app").mkdir()
                if text:
                    self.write("app/Dockerfile", text)
                os.mkfifo(self.folder / "app" / name)
                self.assertIn("is a pipe or a device, expected a file", self.build(code=2, timeout=20).stderr)

    def test_a_file_of_an_unpacked_context_is_named_as_it_is_called_there(self):
        with tarfile.open(self.folder / "context.tar", "w") as tar:
            link = tarfile.TarInfo("Dockerfile")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
        told = self.kiln("build", "context.tar", code=2).stderr
        self.assertIn("error: 'Dockerfile' is a link that leads out of its source", told)
        self.assertIn("there is no Dockerfile 'other'", self.kiln("build", "-f", "other", "context.tar", code=2).stderr)

    def test_an_ignore_file_that_is_a_folder_is_passed_over(self):
        self.write("app/.dockerignore/a", "a")
        self.write("app/Dockerfile", "FROM scratch\nCOPY . /c/\n")
        self.build()
        self.assertIn("c/.dockerignore/a", self.files())

    def test_a_bad_pattern_is_told_with_the_place_of_the_ignore_file(self):
        self.write("app/.dockerignore", "# comment\n\n!\n")
        self.write("app/Dockerfile", "FROM scratch\nCOPY . /c/\n")
        error = self.build(code=2).stderr
        self.assertIn("app/.dockerignore:3: malformed pattern '!'", error)
        self.assertNotIn("Dockerfile:2", error)


class Layers(harness.KilnTest):
    """What holds for an image holds for no stage that is only read."""

    def build(self, dockerfile, *words, code=0):
        self.write("app/Dockerfile", dockerfile)
        return self.kiln("build", *words, "app", code=code, timeout=300)

    def test_names_like_whiteouts_are_ordinary_where_no_image_has_them(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        self.write("app/fix/.wh.foo", "x\n")
        self.run_program("tar", "-C", self.folder / "app", "-cf", self.folder / "app/layer.tar", "fix")
        stages = """
            FROM base AS build
            COPY fix /src/fix
            ADD layer.tar /l/
            RUN touch /data/.wh.old /data/.wh..wh..opq && mkdir /l/.wh.dir && touch /l/.wh.dir/f && ln /src/fix/.wh.foo /l/.wh.bar
            RUN mkdir /r && touch /r/.wh.gone /r/.wh.moved
            RUN rm /r/.wh.gone && mv /r/.wh.moved /r/moved && test "$(ls -A /r)" = moved
            RUN test "$(ls -A /r)" = moved
            RUN ls -a /src/fix /l/fix /data /l /l/.wh.dir > /out && cat /l/.wh.bar >> /out
            """
        words = ("--build-context", "base=oci-layout://base")
        for _ in range(2):  # made, and from the cache
            self.build(stages + "FROM scratch\nCOPY --from=build /out /out\nCOPY --from=build /src /src\n", *words, "-o", "files")
            out = (self.folder / "files/out").read_text().split()
            for name in (".wh.foo", ".wh.old", ".wh..wh..opq", "old", ".wh.dir", "f", ".wh.bar", "x"):
                self.assertIn(name, out)
            self.assertEqual((self.folder / "files/src/fix/.wh.foo").read_text(), "x\n")
        failed = self.build(stages, *words, "-o", "type=oci,dest=out.tar", code=1).stderr
        self.assertIn("'src/fix/.wh.foo' cannot be in an image", failed)
        self.assertIn("Dockerfile:2: ", failed)

    def test_a_stage_of_many_layers_is_read_and_not_exported(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        self.write("app/f", "x")
        words = ("--build-context", "base=oci-layout://base")
        lines = "".join(f"COPY f /c/{number}\n" for number in range(500))
        many = f"FROM base AS many\nCOPY f /data/new\nRUN rm /data/old\n{lines}RUN ls /c | wc -l > /count && ls /data >> /count && rm /c/7\n"
        self.build(f"{many}FROM base\nRUN --mount=from=many,target=/m cat /m/count > /out && ls /m/c | wc -l >> /out\n", *words, "-o",
                   "files")
        self.assertEqual((self.folder / "files/out").read_text().split(), ["500", "new", "sub", "499"])
        failed = self.build(many, *words, "-o", "type=oci,dest=out.tar", code=1).stderr
        self.assertIn("app/Dockerfile:128: ", failed)
        self.assertIn("expected at most 127", failed)
        self.build("FROM base\n" + "COPY f /g\n" * 126, *words, "-o", "type=oci,dest=out.tar")

    def folders_below_folders(self, top, number):
        """As deep as no path reaches."""
        self.addCleanup(self.run_program, "rm", "-rf", self.folder / top)
        (self.folder / top).mkdir(parents=True)
        folder = os.open(self.folder / top, os.O_RDONLY)
        for _ in range(number):
            os.mkdir("d", dir_fd=folder)
            below = os.open("d", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.close(folder)

    def test_folders_that_lie_too_deep_keep_only_what_needs_them_from_being_built(self):
        self.folders_below_folders("app/deep", 3000)
        self.write("app/f", "x")
        self.build("FROM scratch\nCOPY f /\n")
        failed = self.build("FROM scratch\nCOPY deep /deep\n", code=1)
        self.assertIn("cannot be read: file name too long; keep it out by the ignore file", failed.stderr)
        self.write("app/.dockerignore", "deep\n")
        self.build("FROM scratch\nCOPY . /\n")

    def test_two_thousand_folders_below_one_another_are_built(self):
        self.folders_below_folders("app/deep", 2000)
        depth = "/".join(["d"] * 2000)
        with tarfile.open(self.folder / "app/deep.tar", "w", format=tarfile.PAX_FORMAT) as archive:
            for number in range(1, 2001):
                folder = tarfile.TarInfo("/".join(["d"] * number))
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(folder)
            archive.addfile(tarfile.TarInfo(f"{depth}/leaf"))
        self.write("app/.dockerignore", "deep.tar\n")
        self.build("FROM scratch\nCOPY deep /deep\n", "-o", "type=tar,dest=copied.tar")
        self.write("app/.dockerignore", "deep\n")
        self.build("FROM scratch\nADD deep.tar /deep/\n", "-o", "type=tar,dest=added.tar")
        for name in ("copied.tar", "added.tar"):
            with tarfile.open(self.folder / name) as archive:
                self.assertIn(f"deep/{depth}/leaf", archive.getnames(), name)

    def test_a_file_of_three_terabytes_of_nothing_is_refused_where_it_is_asked_for(self):
        self.write("app/f", "x")
        with open(self.folder / "app/holes", "wb") as holes:
            holes.truncate(3 << 40)
        self.build("FROM scratch\nCOPY f /\n")
        for wanted in ("COPY . /", "COPY holes /", "ADD holes /"):
            with self.subTest(wanted=wanted):
                failed = self.build(f"FROM scratch\n{wanted}\n", code=1)
                self.assertIn("app/Dockerfile:2: '/holes' has 3.30 TB, with which the files of its layer come to more than 256 GiB; "
                              "leave it out, or mount it", failed.stderr)

    def test_files_of_nothing_that_are_too_much_together_are_refused_before_one_is_read(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        for number in range(3):
            self.write(f"app/holes/{number}", "")
            os.truncate(self.folder / f"app/holes/{number}", 100 << 30)
        for lines, words in (
                ("FROM scratch\nCOPY holes /", "'/2' has 107 GB, with which the files of its layer come to more than 256 GiB"),
                ("FROM scratch\nADD holes /", "'/2' has 107 GB, with which the files of its layer come to more than 256 GiB"),
                ("FROM base\nRUN --mount=target=/c true", "'/holes/2' has 107 GB, with which the files of the mount come to more than 256 GiB; "
                 "mount a smaller folder, or leave it out by the ignore file"),
                ("FROM base\nRUN --mount=type=cache,target=/c,from=ctx true",
                 "'/holes/2' has 107 GB, with which the files of the mount come to more than 256 GiB"),
                ("FROM base\nRUN for n in 0 1 2; do truncate -s 107374182400 /holes$n; done",
                 "'/holes2' has 107 GB, with which the files that the command left come to more than 256 GiB; remove it in the same RUN, or "
                 "write it to a cache mount")):
            with self.subTest(lines):
                failed = self.build(lines + "\n", "--build-context", "ctx=app", "--build-context", "base=oci-layout://base", code=1)
                self.assertIn(f"app/Dockerfile:2: {words}", failed.stderr)

    def test_a_device_that_stands_for_a_removed_file_is_refused(self):
        self.need_root()
        self.write("app/a", "a")
        os.mknod(self.folder / "app/device", 0o020644, os.makedev(0, 0))
        self.assertIn("a character device 0:0 means a removed file",
                      self.build("FROM scratch\nCOPY . /c/\n", "-o", "type=oci,dest=out.tar", code=1).stderr)


if __name__ == "__main__":
    harness.main()
