#!/usr/bin/env python3
"""Base images, archives and stores of any shape: what RUN, COPY --from and the exporters make of them, that nothing
outside of an image is touched, and that each bound is a message and no wait."""

import gzip
import hashlib
import io
import json
import lzma
import os
import random
import shutil
import tarfile
from pathlib import Path

import harness
from tests.support.layout_writer import busybox_layer, link_to, special, tar_of, write_layout
from tests.support.web_server import WebServer


class OddImages(harness.KilnTest):
    def base_layer(self, *more):
        self.need_programs("busybox")
        return busybox_layer(("old", "below"), *more)

    def build(self, dockerfile, *args, **options):
        self.write("context/Dockerfile", dockerfile)
        return self.kiln("build", *args, self.folder / "context", **options)

    def from_layout(self, layers, dockerfile, *args, **options):
        layout = write_layout(self.folder / "layout", layers)
        return self.build(dockerfile, "--build-context", f"base=oci-layout://{layout}:base", *args, **options)

    def test_a_base_whose_dev_is_a_link_writes_nothing_to_the_host(self):
        self.need_containers()
        canary = self.folder / "canary"
        canary.mkdir()
        (canary / "ptmx").write_text("precious")
        result = self.from_layout([self.base_layer(("dev", link_to(str(canary))))], "FROM base\nRUN /bin/busybox true\n",
                                  code=1)
        self.assertIn("Dockerfile:2: '/dev' is a symbolic link in the image", result.stderr)
        self.assertNotIn("kiln doctor", result.stderr)
        self.assertEqual([path.name for path in canary.iterdir()], ["ptmx"])
        self.assertEqual((canary / "ptmx").read_text(), "precious")

    def test_no_link_in_the_place_of_what_a_run_mounts_or_writes_leads_to_the_host(self):
        self.need_containers()
        canary = self.folder / "canary"
        canary.mkdir()
        names = ("f", "hosts", "resolv.conf", "null", "pts", "s")
        for name in names:
            (canary / name).write_text(f"precious {name}")
        out = "../" * 12 + str(canary)[1:]
        run = ('FROM base\nRUN --mount=type=secret,id=s,target=/run/secrets/s --mount=type=cache,target=/var/c '
               '/bin/busybox touch /var/c/f /tmp/f; /bin/busybox echo >/dev/null; /bin/busybox true\n')
        self.write("s", "a secret")
        for place in ("proc", "sys", "etc", "run", "tmp", "var", "etc/hosts", "etc/resolv.conf", "etc/passwd", "dev/null",
                      "dev/shm", "run/secrets", "run/secrets/s", "var/c"):
            for target in (str(canary), f"{out}/f"):
                with self.subTest(place=place, target=target):
                    above = [(str(Path(*Path(place).parts[:i])), None) for i in range(1, len(Path(place).parts))]
                    layer = self.base_layer(*above, (place, link_to(target)))
                    result = self.from_layout([layer], run, "--secret", f"id=s,src={self.folder / 's'}", code=None)
                    self.assertIn(result.code, (0, 1), result)
                    self.assertNotIn("kiln doctor", result.stderr)
                    self.assertEqual({path.name: path.read_text() for path in canary.iterdir()},
                                     {name: f"precious {name}" for name in names})

    def test_users_behind_a_fifo_are_refused_instead_of_waited_for(self):
        self.need_containers()
        result = self.from_layout([self.base_layer(("etc", None), ("etc/passwd", special(tarfile.FIFOTYPE)))],
                                  "FROM base\nRUN /bin/busybox true\n", code=1, timeout=60)
        self.assertIn("'/etc/passwd' of the image is a FIFO, expected a file", result.stderr)

    def test_an_opaque_root_hides_the_layers_below_in_every_reader(self):
        self.need_containers()
        upper = self.base_layer((".wh..wh..opq", ""), ("new", "above"))
        dockerfile = """
            FROM base AS ran
            RUN ["/bin/busybox", "sh", "-c", "/bin/busybox ls / > /listed; /bin/busybox cat /new >> /listed"]
            FROM scratch
            COPY --from=ran /listed /
            COPY --from=base / /copied/
        """
        lower = tar_of(("below", None), ("below/hidden", "1"), ("gone", "2"))
        self.from_layout([lower, upper], dockerfile, "-o", f"type=local,dest={self.folder / 'out'}")
        listed = (self.folder / "out/listed").read_text().split()
        self.assertNotIn("gone", listed)
        self.assertNotIn("below", listed)
        self.assertIn("above", listed)
        copied = sorted(path.name for path in (self.folder / "out/copied").iterdir())
        self.assertEqual(copied, ["bin", "new", "old"])

    def test_layers_of_nothing_but_marks_are_layers(self):
        self.need_containers()
        dockerfile = """
            FROM base
            RUN ["/bin/busybox", "mkdir", "/a", "/b"]
            RUN ["/bin/busybox", "rm", "-r", "/a", "/b"]
            RUN ["/bin/busybox", "touch", "/c"]
        """
        self.from_layout([self.base_layer(), tar_of((".wh.old", ""))], dockerfile, "-o",
                         f"type=local,dest={self.folder / 'out'}")
        names = {path.name for path in (self.folder / "out").iterdir()}
        self.assertIn("c", names)
        self.assertFalse(names & {"a", "b", "old"})
        self.kiln("cache", "verify")

    def test_a_foreign_layer_of_a_base_is_pushed_as_one_like_others(self):
        layer = gzip.compress(tar_of(("etc", None), ("etc/foreign", "from elsewhere")), mtime=0)
        web = WebServer()
        digest = lambda data: "sha256:" + hashlib.sha256(data).hexdigest()
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "history": [{"created_by": "a layer"}],
                             "rootfs": {"type": "layers", "diff_ids": [digest(gzip.decompress(layer))]}}).encode()
        image = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                 "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest(config), "size": len(config)},
                 "layers": [{"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": digest(layer),
                             "size": len(layer), "urls": [f"{web.url}/layer.tgz"]}]}
        manifest, kind = json.dumps(image).encode(), {"Content-Type": image["mediaType"]}
        web.pages = {"/v2/": (200, {}, b""), "/layer.tgz": (200, {}, layer),
                     "/v2/acme/base/manifests/1": (200, kind, manifest),
                     f"/v2/acme/base/manifests/{digest(manifest)}": (200, kind, manifest),
                     f"/v2/acme/base/blobs/{digest(config)}": (200, {}, config)}
        web.start()
        self.addCleanup(web.stop)
        registry = self.registry()
        # Where a step has to read the layer, and where none does.
        for number, line in enumerate(["COPY Dockerfile /etc/", "LABEL a=b"]):
            with self.subTest(line=line):
                self.home = self.folder / f"home-{number}"
                name = f"{registry.address}/acme/built:{number}"
                self.build(f"FROM {web.address}/acme/base:1\n{line}\n", "--push", "-t", name)
                pushed = self.pushed_image(name)
                self.assertEqual(pushed.manifest["layers"][0]["digest"], digest(layer))
                self.assertEqual(pushed.manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip")
                self.assertNotIn("urls", pushed.manifest["layers"][0])

    def test_a_layer_that_is_not_what_its_config_says_is_not_passed_on(self):
        lie = "sha256:" + hashlib.sha256(b"something else").hexdigest()
        layout = write_layout(self.folder / "layout", [tar_of(("a", "1"))], diff_ids=[lie])
        for kind in ("oci", "docker"):
            result = self.build("FROM base\nLABEL a=b\n", "--build-context", f"base=oci-layout://{layout}:base", "-o",
                                f"type={kind},dest={self.folder / 'out.tar'}", code=3)
            self.assertIn(f"expected diff ID '{lie}'", result.stderr)
            self.assertFalse((self.folder / "out.tar").exists())
        registry = self.registry()
        result = self.build("FROM base\nLABEL a=b\n", "--build-context", f"base=oci-layout://{layout}:base", "-t",
                            f"{registry.address}/acme/app:1", "--push", code=3)
        self.assertIn(f"expected diff ID '{lie}'", result.stderr)

    def test_a_diff_id_borrowed_from_another_image_gets_no_files_of_its_own(self):
        self.need_containers()
        honest = self.base_layer(("who", "honest"))
        write_layout(self.folder / "layout", [honest])
        digest = "sha256:" + hashlib.sha256(honest).hexdigest()
        liar = write_layout(self.folder / "liar", [self.base_layer(("who", "liar"))], diff_ids=[digest])
        run = 'FROM base\nRUN ["/bin/busybox", "cat", "/who"]\n'
        borrowed = f"base=oci-layout://{liar}:base"
        result = self.build(run, "--build-context", borrowed, code=3)
        self.assertIn(f"expected diff ID '{digest}'", result.stderr)
        result = self.build(run, "--build-context", f"base=oci-layout://{self.folder / 'layout'}:base")
        self.assertIn("honest", result.output)
        # Once the layer of this diff ID is there its files are the honest ones, and the lie is no part of an image.
        result = self.build(run, "--build-context", borrowed, "--no-cache")
        self.assertIn("honest", result.output)
        result = self.build(run, "--build-context", borrowed, "-o", f"type=oci,dest={self.folder / 'out.tar'}", code=3)
        self.assertIn(f"expected diff ID '{digest}'", result.stderr)

    def test_a_damaged_folder_of_a_layer_does_not_get_into_files(self):
        self.need_containers()
        dockerfile = 'FROM base\nRUN ["/bin/busybox", "true"]\n'
        self.from_layout([self.base_layer()], dockerfile)
        damaged = [path for path in (self.home / "snapshots").glob("*/fs/old")]
        self.assertEqual(len(damaged), 1)
        for text in ("beloW", "below and more", "be"):
            damaged[0].write_text(text)
            for kind in ("local", "tar"):
                result = self.from_layout([self.base_layer()], dockerfile, "-o",
                                          f"type={kind},dest={self.folder / ('out-' + kind)}", code=4)
                self.assertIn("'/old' of the image has other bytes in the store than its layer says", result.stderr)
        self.kiln("cache", "verify", "--repair")
        self.from_layout([self.base_layer()], dockerfile, "-o", f"type=local,dest={self.folder / 'whole'}")
        self.assertEqual((self.folder / "whole/old").read_text(), "below")


class Archives(harness.KilnTest):
    """ADD of archives that are cut, damaged or longer than they should be."""

    DATA = random.Random(1).randbytes(3_000_000)  # more than a block of any of them

    def packed(self, mode):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=f"w:{mode}") as archive:
            member = tarfile.TarInfo("inside")
            member.size = len(self.DATA)
            archive.addfile(member, io.BytesIO(self.DATA))
        return buffer.getvalue()

    def add(self, data, code=0):
        self.write("context/a.bin", data)
        self.write("context/Dockerfile", "FROM scratch\nADD a.bin /d/\n")
        return self.kiln("build", "-o", f"type=local,dest={self.folder / 'out'}", self.folder / "context", code=code)

    def test_a_cut_archive_fails_the_step(self):
        for mode in ("gz", "xz", "bz2"):
            with self.subTest(mode=mode):
                whole = self.packed(mode)
                result = self.add(whole[: len(whole) // 2], code=1)
                self.assertIn("Dockerfile:2: ", result.stderr)
                self.assertIn("'a.bin'", result.stderr)

    def test_what_stands_behind_an_archive_does_not_matter(self):
        for mode in ("gz", "xz", "bz2"):
            for behind in (b"\0" * 5000, b"something else", b"\xfd7"):
                with self.subTest(mode=mode, behind=behind[:5]):
                    self.add(self.packed(mode) + behind)
                    self.assertEqual((self.folder / "out/d/inside").read_bytes(), self.DATA)

    def test_a_wrong_checksum_behind_the_tar_does_not_matter(self):
        data = bytearray(self.packed("gz"))
        data[-5] ^= 1
        self.add(bytes(data))
        self.assertEqual((self.folder / "out/d/inside").read_bytes(), self.DATA)

    def test_what_is_no_tar_inside_stays_as_it_is(self):
        for data in (gzip.compress(b"text"), lzma.compress(b"text"), b"\x1f\x8b garbage", gzip.compress(self.DATA)[:999]):
            self.add(data)
            self.assertEqual((self.folder / "out/d/a.bin").read_bytes(), data)

    def test_a_bz2_archive_is_one_when_its_first_block_can_be_read(self):
        whole = self.packed("bz2")
        for at in (6, 5000):  # in the first block, before anything of it can be unpacked
            damaged = bytearray(whole)
            damaged[at] ^= 0xFF
            self.add(bytes(damaged))
            self.assertEqual((self.folder / "out/d/a.bin").read_bytes(), damaged)
        for at in (11, len(whole) // 2):  # the first block's checksum; a later block
            damaged = bytearray(whole)
            damaged[at] ^= 0xFF
            result = self.add(bytes(damaged), code=1)
            self.assertIn("Dockerfile:2: ", result.stderr)
            self.assertIn("'a.bin'", result.stderr)


class Stores(harness.KilnTest):
    def test_a_store_that_may_not_be_written_to_can_be_looked_at(self):
        self.need_root()
        self.need_programs("unshare")
        self.write("app/f", "x")
        self.write("app/Dockerfile", "FROM scratch\nCOPY f /\n")
        self.kiln("build", "-t", "acme/app:1", "app")
        if shutil.which("busybox") and shutil.which("runc"):  # so that layers are unpacked too
            layout = write_layout(self.folder / "layout", [busybox_layer()])
            self.write("run/Dockerfile", 'FROM base\nRUN ["/bin/busybox", "true"]\n')
            self.kiln("build", "--build-context", f"base=oci-layout://{layout}:base", "run")
        read_only = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
        for words in ("images", "inspect --local acme/app:1", "history --local acme/app:1", "cache du", "cache verify", "report"):
            with self.subTest(words):
                self.run_program("unshare", "--mount", "sh", "-c", read_only, "sh", self.home, harness.kiln_binary(), *words.split())
        for words in (["build", "--no-cache", self.folder / "app"], ["cache", "prune"], ["cache", "prune", "--all"]):
            with self.subTest(words):
                failed = self.run_program("unshare", "--mount", "sh", "-c", read_only, "sh", self.home, harness.kiln_binary(), *words, code=4)
                self.assertIn("read-only file system", failed.stderr)

    def test_words_of_any_length_are_no_fault_of_the_machine(self):
        self.write("app/Dockerfile", "FROM scratch\n")
        for words in (["a" * 5000], ["http://127.0.0.1:1/good.git#" + "a" * 5000], ["-f", "a" * 5000, "app"],
                      ["--build-context", "x=" + "a" * 5000, "app"], ["-o", "type=local,dest=" + "a" * 5000, "app"],
                      ["--secret", "id=x,src=" + "a" * 5000, "app"]):
            failed = self.kiln("build", *words, code=None)
            self.assertIn(failed.code, (2, 3))
            self.assertNotIn("internal", failed.stderr)


class Bounds(harness.KilnTest):
    def test_of_a_layout_no_more_is_read_than_what_its_descriptors_say(self):
        for part in ("manifest", "config", "layer"):
            for spoilt in ("device", "larger", "smaller"):
                with self.subTest(part=part, spoilt=spoilt):
                    layout = write_layout(self.folder / f"{part}-{spoilt}", [tar_of(("a", "1"))])
                    root = json.loads((layout / "index.json").read_text())["manifests"][0]
                    manifest = json.loads((layout / "blobs" / root["digest"].replace(":", "/")).read_text())
                    blob = {"manifest": root, "config": manifest["config"], "layer": manifest["layers"][0]}[part]
                    path = layout / "blobs" / blob["digest"].replace(":", "/")
                    if spoilt == "device":
                        path.unlink()
                        path.symlink_to("/dev/zero")
                    else:
                        os.truncate(path, 1 << 40 if spoilt == "larger" else 3)
                    self.write("context/Dockerfile", "FROM base\nCOPY --from=base /a /b\n")
                    result = self.kiln("build", "--build-context", f"base=oci-layout://{layout}:base", self.folder / "context",
                                       code=3, timeout=60)
                    got = "3" if spoilt == "smaller" else "more"
                    self.assertIn(f"blob '{blob['digest']}': expected {blob['size']} bytes, got {got}", result.stderr)

    def test_indexes_of_a_layout_that_have_one_child_many_times_are_read_once_and_to_a_bound(self):
        self.write("context/Dockerfile", "FROM base\nCOPY --from=base /a /b\n")
        for name, depth, wide, told in (("whole", 4, 50, None), ("deep", 5, 1, "indexes are nested more than 4 deep"),
                                        ("wide", 1, 1000, "more than 1000 manifests in one image")):
            with self.subTest(name):
                layout = write_layout(self.folder / name, [tar_of(("a", "1"))])
                index = json.loads((layout / "index.json").read_text())
                entry = index["manifests"][0]

                def document(**more):
                    data = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", **more}).encode()
                    digest = hashlib.sha256(data).hexdigest()
                    (layout / "blobs/sha256" / digest).write_bytes(data)
                    return {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": f"sha256:{digest}", "size": len(data)}

                child = {key: value for key, value in entry.items() if key != "annotations"}
                others = [document(manifests=[], annotations={"n": str(i)}) for i in range(wide - 1)] if wide == 1000 else []
                for level in range(depth):
                    # The level below as often as it takes never to end.
                    child = document(manifests=[child] * (wide if depth == 4 else 1) + others)
                index["manifests"] = [{**child, "annotations": entry["annotations"]}]
                (layout / "index.json").write_text(json.dumps(index))
                result = self.kiln("build", "--build-context", f"base=oci-layout://{layout}:base", self.folder / "context",
                                   code=3 if told else 0, timeout=60)
                self.assertIn(told or "", result.stderr)

    def test_a_context_of_more_than_64_gib_on_standard_input_is_refused_at_once(self):
        context = self.write("context.tar")
        os.truncate(context, (64 << 30) + 1)
        result = self.run_program("sh", "-c", 'exec "$0" build - < "$1"', harness.kiln_binary(), context, code=1, timeout=60)
        self.assertIn("'standard input' is larger than 68719476736 bytes", result.stderr)

    def test_a_sparse_file_of_half_a_terabyte_is_refused_at_once(self):
        member = tarfile.TarInfo("sparse")
        member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(512 << 30), "GNU.sparse.name": "sparse"}
        member.size = 1
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(member, io.BytesIO(b"x"))
        self.write("context/a.tar", buffer.getvalue())
        self.write("context/Dockerfile", "FROM scratch\nADD a.tar /\n")
        result = self.kiln("build", self.folder / "context", code=1, timeout=60)
        self.assertIn("sparse files with holes of more than 68719476736 bytes", result.stderr)


if __name__ == "__main__":
    harness.main()
