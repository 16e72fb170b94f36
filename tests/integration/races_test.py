#!/usr/bin/env python3
"""Nothing outside is read, written or mounted over, however somebody swaps folders, files and links in what a build reads and
mounts. KILN_STRESS=1: 10,000 races of each kind instead of 500; KILN_STRESS_SEED decides the order."""

import os
import random
import tarfile
import time

import harness
from tests.support.swapper import Swapper

RACES = 10_000 if os.environ.get("KILN_STRESS") else 500
CANARY = "what only the host may read"
SECRET = "a secret that is mounted into a race"


class Races(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(int(os.environ.get("KILN_STRESS_SEED", "1")))
        self.outside = self.folder / "outside"
        for name in ("sub/deep", "file", "folder/0", "folder/1", "folder/deep/0"):
            self.write(f"outside/{name}", CANARY)
        with tarfile.open(self.folder / "outside/archive.tar", "w") as archive:
            archive.add(self.folder / "outside/file", "from-archive")
        self.before = self.seen_outside()

    def seen_outside(self):
        """All names outside, with what they hold and when they changed."""
        seen = {}
        for path in sorted(self.outside.rglob("*")):
            status = path.lstat()
            seen[str(path)] = (status.st_mode, status.st_ino, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        return seen

    def swap(self, folder, names):
        swapper = Swapper(folder, names)
        self.addCleanup(swapper.stop)
        return swapper

    def assert_can_be_lost(self, path):
        """Who opens the path as it is called reads outside, sooner or later."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if CANARY in path.read_text():
                    return
            except OSError:
                continue
        self.fail(f"'{path}' never led outside")

    def assert_nothing_came_out(self, *texts):
        self.assertEqual(self.seen_outside(), self.before)
        for text in texts:
            self.assertNotIn(CANARY, text)

    def outside_as_link(self, name, kind):
        """The text of a link to something outside, from within a mount or a context."""
        path = self.outside / name
        return str(path) if kind == "absolute" else "../" * 40 + str(path).lstrip("/")

    # Mounts, and who writes to what they lie in

    def test_mounts_whose_places_are_swapped_with_links_stay_in_the_container(self):
        """A cache that others may write to holds the targets of mounts and the sources of others."""
        self.tiny_base()
        self.write("secret", SECRET)
        words = ("build", "--no-cache", "--progress=plain", "--build-context", f"base=oci-layout://{self.folder}/base",
                 "--secret", "id=s,src=secret")
        kinds = ("type=tmpfs", "type=bind,from=base,source=data", "type=cache,id=other")
        folders = [f"folder{number}" for number in range(15)]
        files = [f"file{number}" for number in range(4)]
        mounts = [f"{kinds[number % 3]},target=/c/{name}{('/sub', '')[number % 5 == 0]}" for number, name in enumerate(folders)]
        mounts += [f"type=secret,id=s,target=/c/{name}" for name in files]
        self.write("first/Dockerfile", f"""
            FROM base
            RUN --mount=type=cache,id=raced,target=/c cd /c && mkdir -p {' '.join(f"{name}/sub" for name in folders)} && touch {' '.join(files)}
        """)
        self.kiln(*words, "-o", "type=oci,dest=first.tar", "first")
        cache = next(path.parent for path in self.home.rglob(folders[0]))
        for number, name in enumerate([*folders, *files]):
            (cache / f"{name}.link").symlink_to(self.outside_as_link("" if name in folders else "file", ("absolute", "relative")[number % 2]))
        swapper = self.swap(cache, [*folders, *files])
        self.assert_can_be_lost(cache / "file0")
        raced = built = refused = 0
        while raced < RACES:
            self.random.shuffle(mounts)
            flags = " ".join(f"--mount={mount}" for mount in ["type=cache,id=raced,target=/c", *mounts])
            self.write("app/Dockerfile", f"""
                FROM base
                RUN {flags} \\
                    for d in /c/* /c/*/sub; do echo written > $d/written; mkdir $d/made; done 2>/dev/null; \\
                    find /c -type f | xargs cat 2>/dev/null; cat /c/file* 2>/dev/null; rm -rf /c/*/sub/* /c/*/written /c/*/made; true
            """)
            result = self.kiln(*words, "-o", "type=oci,dest=out.tar", "app", code=None)
            self.assertIn(result.code, (0, 1, 4), result)  # 4: the runtime found another place than it had made
            self.assert_nothing_came_out(result.output)
            self.assertNotIn(SECRET, self.run_program("grep", "-rs", SECRET, self.home, code=None).stdout)
            if result.code == 0:
                raced, built = raced + len(mounts), built + 1
            else:
                raced, refused = raced + 1, refused + 1
        swaps = swapper.stop()
        print(f"{raced} mounts in {built} builds, {refused} more that were refused; {swaps} swaps meanwhile")
        self.assertGreater(built, 0)
        self.assertGreater(swaps, raced)

    def test_what_a_run_leaves_running_is_gone_before_the_next_step(self):
        self.tiny_base()
        self.write("app/Dockerfile", """
            FROM base
            RUN --mount=type=cache,id=left,target=/c setsid sh -c 'while :; do echo x >> /c/alive; done' & sleep 0.3
            RUN --mount=type=cache,id=left,target=/c wc -c < /c/alive > /first; sleep 0.3; wc -c < /c/alive > /second
            RUN test -s /first && cmp /first /second
        """)
        self.kiln("build", "--no-cache", "--build-context", f"base=oci-layout://{self.folder}/base", "-o", "type=oci,dest=out.tar", "app")

    # A context, and who writes to it

    def test_files_and_folders_of_a_context_that_are_swapped_with_links_are_read_inside(self):
        names = []
        for number in range(60):
            self.write(f"app/files/{number}", f"{number} of the context\n")
            (self.folder / f"app/files/{number}.link").symlink_to(self.outside_as_link("file", ("absolute", "relative")[number % 2]))
            names.append(f"files/{number}")
        for number in range(10):
            for name in ("0", "1", "deep/0"):
                self.write(f"app/folders/{number}/{name}", "of the context\n")
            (self.folder / f"app/folders/{number}.link").symlink_to(self.outside_as_link("folder", ("absolute", "relative")[number % 2]))
            names.append(f"folders/{number}")
        with tarfile.open(self.folder / "app/archive.tar", "w") as archive:
            archive.add(self.folder / "app/files/0", "from-archive")
        (self.folder / "app/archive.tar.link").symlink_to(self.outside_as_link("archive.tar", "absolute"))
        lines = ["COPY . /all/", "COPY files /files/", "COPY folders /folders/", "COPY folders/*/1 files/1* /matched/", "ADD archive.tar /added/",
                 "COPY folders/0/deep/0 folders/1/0 /some/", "COPY --exclude=files folders/2 files /some/"]
        swapper = self.swap(self.folder / "app", [*names, "archive.tar"])
        self.assert_can_be_lost(self.folder / "app/files/0")
        self.assert_can_be_lost(self.folder / "app/folders/0/deep/0")
        raced = built = refused = 0
        while raced < RACES:
            self.write("context/Dockerfile", f"FROM scratch\n{self.random.choice(lines)}\n")
            result = self.kiln("build", "--no-cache", "-f", "context/Dockerfile", "-o", "type=tar,dest=out.tar", "app", code=None)
            self.assertIn(result.code, (0, 1), result)
            self.assert_nothing_came_out(result.output)
            if result.code == 0:
                out = (self.folder / "out.tar").read_bytes()
                self.assertNotIn(CANARY.encode(), out)
                with tarfile.open(self.folder / "out.tar") as archive:
                    raced += sum(not member.isdir() for member in archive)
                built += 1
            else:
                raced, refused = raced + 1, refused + 1
        swaps = swapper.stop()
        print(f"{raced} files read in {built} builds, {refused} more that were refused; {swaps} swaps meanwhile")
        self.assertGreater(swaps, raced)
        self.assertGreater(built, 0)


if __name__ == "__main__":
    harness.main()
