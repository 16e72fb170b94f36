#!/usr/bin/env python3
"""Where a build's result goes: folders, archives, registries, podman; for one platform and for several."""

import io
import json
import os
import subprocess
import tarfile

import harness
from tests.support.image_check import sha256
from tests.support.tiny_base import BUSYBOX, write_tiny_base

PLATFORMS = ("linux/amd64", "linux/arm64")
PODMAN_RUN = ("run", "--rm", "--pull=never", "--runtime", "runc", "--network", "host", "--ulimit", "nofile=1024:1024",
              "--ulimit", "nproc=1024:1024")


class Outputs(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("app/a", "a file\n", mode=0o640)
        self.write("app/Dockerfile", """
            FROM scratch AS work
            COPY --chown=7:8 a /out/a
            COPY a /gone/b
            FROM scratch AS export
            COPY --from=work /out /
            FROM scratch
            ARG TARGETARCH
            COPY a /$TARGETARCH
            """)

    def tar(self, data):
        return tarfile.open(fileobj=io.BytesIO(data))

    def build(self, *words, **options):
        return self.kiln("build", *words, "app", **options)

    def build_to_stdout(self, *words):
        with open(self.folder / "stdout", "wb") as out:
            process = subprocess.run([harness.kiln_binary(), "build", *words, "app"], cwd=self.folder, env=self.environment(),
                                             stdout=out, stderr=subprocess.PIPE, timeout=120, check=False)
        self.assertEqual(process.returncode, 0, process.stderr)
        return (self.folder / "stdout").read_bytes()

    # Files

    def test_a_folder_gets_the_stages_files_as_the_callers_and_keeps_its_own(self):
        self.write("files/mine", "mine")
        self.build("--target", "export", "-o", "files")
        self.assertEqual(sorted(os.listdir(self.folder / "files")), ["a", "mine"])
        status = (self.folder / "files/a").stat()
        self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777), (os.geteuid(), os.getegid(), 0o640))

    def test_an_archive_goes_into_a_pipe_which_stays_one(self):
        """As any device: an output named /dev/null is no reason to make a file of it."""
        os.mkfifo(self.folder / "pipe")
        for words in (("-o", "type=tar,dest=pipe"), ("-o", "type=oci,dest=out.tar", "--metadata-file", "pipe"),
                      ("-o", "type=oci,dest=out.tar", "--iidfile", "pipe"), ("-o", "type=oci,dest=out.tar", "--trace", "pipe")):
            with self.subTest(words), subprocess.Popen(["cat", self.folder / "pipe"], stdout=subprocess.PIPE) as reader:
                self.build(*words)
                self.assertTrue((self.folder / "pipe").is_fifo())
                self.assertGreater(len(reader.communicate(timeout=20)[0]), 0)

    def test_what_an_image_deleted_is_not_deleted_in_the_folder(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        self.write("app/Dockerfile", "FROM base\nRUN rm -rf /data && mkdir /data && touch /data/new && rm /lnk\n")
        self.write("files/data/mine", "mine")
        self.write("files/lnk", "mine")
        self.write("outside/here", "mine")
        (self.folder / "files/etc").symlink_to(self.folder / "outside")
        self.build("--build-context", "base=oci-layout://base", "-o", "files")
        self.assertEqual(sorted(os.listdir(self.folder / "files/data")), ["mine", "new"])
        self.assertEqual((self.folder / "files/lnk").read_text(), "mine")
        self.assertTrue((self.folder / "files/etc/passwd").is_file())
        self.assertEqual(os.listdir(self.folder / "outside"), ["here"], "written through a link of the folder")

    def test_a_tar_goes_to_standard_output_with_owners_and_hard_links(self):
        self.write("app/in/a", "one file")
        (self.folder / "app/in/b").hardlink_to(self.folder / "app/in/a")
        self.write("app/Dockerfile", "FROM scratch\nCOPY --chown=7:8 in /\n")
        for word in ("-", "type=tar,dest=-", "type=tar"):
            with self.subTest(word=word), self.tar(self.build_to_stdout("-o", word)) as tar:
                self.assertEqual([(item.name, item.uid, item.gid, item.islnk(), item.linkname) for item in tar],
                                 [("a", 7, 8, False, ""), ("b", 7, 8, True, "a")])

    def test_several_platforms_have_a_folder_each(self):
        self.build("--platform", ",".join(PLATFORMS), "-o", "type=local,dest=files", "-o", "type=tar,dest=files.tar")
        expected = ["linux_amd64", "linux_amd64/amd64", "linux_arm64", "linux_arm64/arm64"]
        found = sorted(str(path.relative_to(self.folder / "files")) for path in (self.folder / "files").rglob("*"))
        self.assertEqual(found, expected)
        with tarfile.open(self.folder / "files.tar") as tar:
            self.assertEqual(tar.getnames(), expected)
        self.build("--platform", ",".join(PLATFORMS), "-o", "type=local,dest=one,platform-split=false")
        self.assertEqual(sorted(os.listdir(self.folder / "one")), ["amd64", "arm64"])
        self.build("--platform", PLATFORMS[1], "-o", "type=local,dest=apart,platform-split=true")
        self.assertEqual(os.listdir(self.folder / "apart"), ["linux_arm64"])
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /\n")
        self.assertIn("'/a' is in the images of several platforms", self.build(
            "--platform", ",".join(PLATFORMS), "-o", "type=tar,dest=x.tar,platform-split=false", code=1).stderr)
        self.assertFalse((self.folder / "x.tar").exists())

    def test_source_date_epoch_is_the_time_of_exported_files(self):
        self.build("-o", "files", "-o", "type=tar,dest=files.tar", "--build-arg", "SOURCE_DATE_EPOCH=1000")
        self.assertEqual({path.stat().st_mtime for path in (self.folder / "files").iterdir()}, {1000})
        with tarfile.open(self.folder / "files.tar") as tar:
            self.assertEqual({item.mtime for item in tar}, {1000})

    def test_a_build_for_the_cache_alone_writes_nothing(self):
        self.build("-o", "type=cacheonly", "-t", "x:1")
        self.assertEqual(json.loads((self.home / "oci/index.json").read_text())["manifests"], [])

    # Archives

    def test_archives_name_images_as_docker_does(self):
        self.build("-t", "x:1", "-t", "acme/y", "-t", "ghcr.io/acme/z:2", "-o", "type=docker,dest=image.tar")
        with tarfile.open(self.folder / "image.tar") as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
            index = json.load(tar.extractfile("index.json"))
        self.assertEqual(manifest[0]["RepoTags"], ["x:1", "acme/y:latest", "ghcr.io/acme/z:2"])
        self.assertEqual([item["annotations"]["io.containerd.image.name"] for item in index["manifests"]],
                         ["docker.io/library/x:1", "docker.io/acme/y:latest", "ghcr.io/acme/z:2"])

    def test_an_archive_on_standard_output_is_one_that_skopeo_reads(self):
        self.need_programs("skopeo")
        for kind, transport in (("oci", "oci-archive"), ("docker", "docker-archive")):
            with self.subTest(kind=kind):
                (self.folder / "image.tar").write_bytes(self.build_to_stdout("-o", f"type={kind},dest=-"))
                self.run_program("skopeo", "inspect", f"{transport}:{self.folder / 'image.tar'}")

    # Annotations

    def test_annotations_go_where_they_are_meant(self):
        self.build("--platform", ",".join(PLATFORMS), "-o", "type=oci,tar=false,dest=out,annotation-index-descriptor.e=5",
                   "--annotation", "a=1", "--annotation", "index:b=2", "--annotation", "manifest[linux/arm64]:c=3",
                   "--annotation", "manifest-descriptor:d=4")

        def blob(descriptor):
            return json.loads((self.folder / "out/blobs/sha256" / descriptor["digest"].removeprefix("sha256:")).read_text())

        root = json.loads((self.folder / "out/index.json").read_text())["manifests"][0]
        index = blob(root)
        self.assertEqual((root["annotations"], index["annotations"]), ({"e": "5"}, {"b": "2"}))
        self.assertEqual([entry["annotations"] for entry in index["manifests"]], [{"d": "4"}] * 2)
        self.assertEqual([blob(entry)["annotations"] for entry in index["manifests"]], [{"a": "1"}, {"a": "1", "c": "3"}])
        self.assertIn("one platform has no index", self.build("--annotation", "index:a=b", code=2).stderr)

    # Registries

    def test_an_index_is_pushed_under_each_name_and_each_platform_pulled(self):
        self.need_programs("skopeo")
        server = self.registry()
        names = [f"{server.address}/acme/{name}" for name in ("one:1", "one:2", "two:1")]
        self.build("--platform", ",".join(PLATFORMS), "-t", names[0], "-o", f'type=image,"name={names[1]},{names[2]}",push=true',
                   "--metadata-file", "metadata.json")
        metadata = json.loads((self.folder / "metadata.json").read_text())
        self.assertEqual(metadata["image.name"], ",".join(names))
        self.assertEqual(metadata["containerimage.descriptor"]["digest"], metadata["containerimage.digest"])
        for name in names:
            raw = self.run_program("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}").stdout
            self.assertEqual(sha256(raw.encode()), metadata["containerimage.digest"])
            for platform in PLATFORMS:
                image = self.pushed_image(name, platform=platform)
                self.assertEqual(list(image.files()), [platform.removeprefix("linux/")])

    def test_a_push_by_digest_makes_no_tag(self):
        server = self.registry()
        name = f"{server.address}/acme/app"
        self.build("-o", f"type=image,name={name},push-by-digest=true,name-canonical=true,push=true", "--metadata-file", "metadata.json")
        metadata = json.loads((self.folder / "metadata.json").read_text())
        self.assertEqual(metadata["image.name"], name)
        self.assertEqual(len(self.pushed_image(f"{name}@{metadata['containerimage.digest']}").files()), 1)
        # The registry has no referrers API: a tag of the digest lists what is attached.
        tags = json.loads(server.get("/v2/acme/app/tags/list")[2])["tags"]
        self.assertEqual(tags, [metadata["containerimage.digest"].replace(":", "-")], "a tag was made")
        self.assertIn("leave it out", self.build("-o", f"type=image,name={name}:1,push-by-digest=true,push=true", code=2).stderr)
        self.build("-o", f"type=image,name={name},push-by-digest=true", code=2)

    # Bakes

    def test_a_bake_writes_what_its_targets_outputs_say(self):
        server = self.registry()
        name = f"{server.address}/acme/app:1"
        self.write("app/docker-bake.json", json.dumps({"target": {
            "default": {"target": "export", "output": ["type=local,dest=files", "type=oci,dest=image.tar"]},
            "pushed": {"tags": [name], "output": ["type=registry"]},
            "left": {"output": ["type=cacheonly"]}}}))
        self.kiln("bake", "default", "pushed", "left", cwd=self.folder / "app")
        self.assertEqual(os.listdir(self.folder / "app/files"), ["a"])
        self.assertTrue((self.folder / "app/image.tar").is_file())
        self.assertEqual(len(self.pushed_image(name).files()), 1)
        for output, words in (("-", "standard output"), ("type=registry", "needs a name")):
            self.assertIn(words, self.kiln("bake", "--set", f"default.output={output}", cwd=self.folder / "app", code=2).stderr)

    # Engines

    def test_an_image_is_loaded_into_podman_and_runs_under_each_of_its_names(self):
        self.need_containers()
        self.need_programs("podman")
        if not BUSYBOX.exists():
            self.skipTest(f"not installed: busybox-static ({BUSYBOX})")
        # A store of the test's own, and a docker whose daemon does not answer.
        storage = self.write("storage.conf", f'''
            [storage]
            driver = "overlay"
            runroot = "{self.folder}/runroot"
            graphroot = "{self.folder}/graphroot"
            ''')
        self.write("bin/docker", "#!/bin/sh\nexit 1\n", mode=0o755)
        env = {"CONTAINERS_STORAGE_CONF": storage, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        podman = lambda *words: harness.run(["podman", *words], env=self.environment(**env))  # noqa: E731
        if podman("info").code != 0:
            self.skipTest("podman does not work here")
        self.addCleanup(podman, "system", "reset", "--force")
        write_tiny_base(self.folder / "base")
        self.write("app/Dockerfile", 'FROM base\nCOPY a /\nENTRYPOINT ["cat", "/a"]\n')
        words = ["--build-context", "base=oci-layout://base", "-t", "loaded:1", "-t", "acme/other:2", "-t", "ghcr.io/acme/third:3"]
        for load in (["--load"], ["-o", "type=docker"]):
            with self.subTest(load=load):
                self.assertIn("loading into podman", self.build(*words, *load, "--iidfile", "iid", env=env).stderr)
                listed = podman("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.Id}}").stdout.splitlines()
                iid = (self.folder / "iid").read_text()
                names = ["docker.io/acme/other:2", "docker.io/library/loaded:1", "ghcr.io/acme/third:3"]
                self.assertEqual(sorted(listed), [f"{name} {iid.removeprefix('sha256:')}" for name in names])
                for name in ("loaded:1", "acme/other:2", "ghcr.io/acme/third:3"):
                    ran = podman(*PODMAN_RUN, name)
                    self.assertEqual((ran.code, ran.stdout), (0, "a file\n"), ran)
                podman("rmi", "--all", "--force")


if __name__ == "__main__":
    harness.main()
