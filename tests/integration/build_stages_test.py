#!/usr/bin/env python3
"""Stages that take files from one another, foreign platforms, and what --metadata-file says of several of them."""

import json
import os
import tarfile

import harness
from tests.support.tiny_base import BUSYBOX, write_tiny_base

OTHER = ("arm64", 183) if os.uname().machine == "x86_64" else ("amd64", 62)  # a platform, its ELF machine


class Stages(harness.KilnTest):
    def build(self, dockerfile, *args, **options):
        self.write("app/Dockerfile", dockerfile)
        return self.kiln("build", "--progress=plain", *args, "app", **options)

    def test_a_stage_takes_nothing_from_itself_or_from_one_below(self):
        self.assertIn("circular dependency detected on stage: a", self.build("FROM scratch AS a\nCOPY --from=a / /\n", code=2).stderr)
        stderr = self.build("FROM scratch AS a\nCOPY --from=b / /\nFROM a AS b\n", code=2).stderr
        self.assertIn("cannot copy from stage 'b', it needs to be defined before current stage 'a'", stderr)

    def test_a_base_name_with_an_unset_variable_is_told_as_it_is_written(self):
        stderr = self.build("ARG UNSET\nFROM golang:${UNSET}\n", code=2).stderr
        self.assertIn("golang:${UNSET}", stderr)
        self.assertIn("invalid reference format", stderr)

    def test_metadata_of_several_platforms_is_that_of_their_index(self):
        self.build("FROM scratch\nCOPY Dockerfile /\n", "--platform=linux/amd64,linux/arm64", "--metadata-file=meta.json",
                   "-t", "ghcr.io/acme/a:1", "-o", "type=oci,dest=out.tar,name=ghcr.io/acme/b:2")
        metadata = json.loads((self.folder / "meta.json").read_text())
        with tarfile.open(self.folder / "out.tar") as archive:
            entries = json.load(archive.extractfile("index.json"))["manifests"]
            index = json.load(archive.extractfile("blobs/" + entries[0]["digest"].replace(":", "/")))
        self.assertEqual({entry["digest"] for entry in entries}, {metadata["containerimage.digest"]})
        self.assertEqual(metadata["containerimage.descriptor"]["mediaType"], "application/vnd.oci.image.index.v1+json")
        self.assertNotIn("containerimage.config.digest", metadata)
        self.assertEqual(metadata["image.name"], "ghcr.io/acme/a:1,ghcr.io/acme/b:2")
        self.assertEqual([entry["platform"]["architecture"] for entry in index["manifests"]], ["amd64", "arm64"])

    def test_a_cache_mount_that_begins_as_a_stages_folder_keeps_its_owners_and_modes(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        output = self.build("""
            FROM base AS source
            RUN mkdir -m 700 /dir && echo > /dir/f && chmod 604 /dir/f && chown 12:34 /dir/f && chown 5:6 /dir
            FROM base
            RUN --mount=type=cache,from=source,source=/dir,target=/c stat -c '%n=%a=%u=%g' /c /c/f
            """, "--build-context", "base=oci-layout://base:base").stderr
        self.assertIn("/c=700=5=6", output)
        self.assertIn("/c/f=604=12=34", output)

    def test_a_cache_that_one_run_locks_twice_is_one_folder(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        for sharing in ("locked", "private", "shared"):
            cache = f"--mount=type=cache,id=x,sharing={sharing},target="
            self.build(f"FROM base\nRUN {cache}/a {cache}/b echo {sharing} > /a/f && grep {sharing} /b/f\n",
                       "--build-context", "base=oci-layout://base:base", "--no-cache")

    def test_a_mount_without_a_target_is_at_the_working_directory(self):
        self.need_containers()
        write_tiny_base(self.folder / "base")
        self.build("""
            FROM base
            WORKDIR /opt/w
            RUN --mount=type=bind test -e /opt/w/Dockerfile
            RUN --mount=type=tmpfs,ro sh -c 'stat -f -c %T /opt/w | grep tmpfs && ! touch /opt/w/x'
            RUN --mount=type=cache touch /opt/w/kept
            RUN --mount=type=cache,id=. test -e /opt/w/kept
            RUN test ! -e /opt/w/kept
            """, "--build-context", "base=oci-layout://base:base", "--no-cache")
        told = self.build("FROM base\nRUN --mount=type=bind true\n", "--build-context", "base=oci-layout://base:base", code=1).stderr
        self.assertIn("mount target '/' is the root folder", told)

    def test_the_working_directory_of_a_windows_image_has_its_separators(self):
        self.build("FROM scratch\nWORKDIR a\nWORKDIR C:/b\nWORKDIR c\nCOPY Dockerfile .\n", "--platform=windows/amd64", "-o", "type=oci,tar=false,dest=out")
        image = self.layout_image(self.folder / "out")
        self.assertEqual(image.config["config"]["WorkingDir"], "\\b\\c")
        self.assertIn("b/c/Dockerfile", image.files())

    def test_a_folder_that_is_no_layout_is_an_error_of_the_words(self):
        for place in ("nowhere", "app"):
            told = self.build("FROM base\n", "--build-context", f"base=oci-layout://{place}", code=2).stderr
            self.assertIn("there is no index.json in it", told)
        for text, reason in (('{"manifests": 5}', "expected an object with a list 'manifests'"), ("{", "unexpected end of input"),
                             (b" " * ((64 << 20) + 1), "is larger than the 67108864 bytes allowed")):
            self.write("layout/index.json", text)
            told = self.build("FROM base\n", "--build-context", "base=oci-layout://layout", code=2).stderr
            self.assertIn(reason, told)
            self.assertNotIn("kiln doctor", told)

    def test_a_platform_without_a_handler_names_the_packages(self):
        self.need_containers()
        if any("qemu" in name for name in os.listdir("/proc/sys/fs/binfmt_misc")):
            self.skipTest("programs of other machines run here")
        program = bytearray(BUSYBOX.read_bytes())
        program[18:20] = OTHER[1].to_bytes(2, "little")
        self.write("app/sh", bytes(program), 0o755)
        stderr = self.build("FROM scratch\nCOPY sh /bin/sh\nRUN true\n", f"--platform=linux/{OTHER[0]}", code=1).stderr
        self.assertIn("apt-get install qemu-user-static binfmt-support", stderr)


if __name__ == "__main__":
    harness.main()
