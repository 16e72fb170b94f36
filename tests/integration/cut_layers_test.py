#!/usr/bin/env python3
"""RUN steps whose layers are cut along packages: the image is the one that it would be without the cut, equal packages are equal
layers, and a changed one moves only its own bytes."""

import json
import os
import random
import re
import stat
from pathlib import Path

import harness

from tests.support.cut_steps import LARGE, SITE, install_python
from tests.support.image_listing import lines_of

EPOCH = 315532800
SEEDS = 4
# A file capability as the kernel keeps it: version 2, effective, cap_net_raw.
CAPABILITY = "0100000200200000000000000000000000000000"
SETXATTR = r"""
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
/* setxattr PATH NAME HEX */
int main(int count, char** words) {
  unsigned char value[256];
  size_t size = count == 4 ? strlen(words[3]) / 2 : 0;
  if (size == 0 || size > sizeof value) return 2;
  for (size_t i = 0; i < size; ++i) sscanf(words[3] + 2 * i, "%2hhx", &value[i]);
  if (lsetxattr(words[1], words[2], value, size, 0) == 0) return 0;
  perror(words[1]);
  return 1;
}
"""


class Writer:
    """Shell scripts, by a seed: packages of several ecosystems, links and devices of all kinds, and what of them a second one removes,
    replaces and upgrades."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = []
        self.status = ""

    def size(self):
        return LARGE if self.random.random() < 0.1 else self.random.randrange(5000)

    def add(self, line):
        self.lines.append(line)

    def attribute(self, path):
        if self.random.random() < 0.4:
            name, value = self.random.choice([("security.capability", CAPABILITY), ("user.note", bytes(self.random.choices(range(256), k=9)).hex())])
            self.add(f"/setxattr {path} {name} {value}")

    def script(self):
        lines, self.lines = self.lines, []
        return "set -e\n" + "\n".join(lines) + "\n"

    def python(self, number, version):
        name = f"p{number}"
        self.add(install_python(name, version, self.size(), self.random.choice(["", "shared/s.py,,\\n", "../../../bin/tool,,\\n"])))
        self.add(f"mkdir -p {SITE}/shared /usr/bin; echo s >{SITE}/shared/s.py; echo t >/usr/bin/tool; chmod {self.random.choice([755, 4755, 700])} /usr/bin/tool")
        self.attribute("/usr/bin/tool")
        self.attribute(f"{SITE}/{name}/__init__.py")
        self.attribute(f"{SITE}/shared")
        if self.random.random() < 0.3:
            self.add(f"ln -f {SITE}/{name}/__init__.py {SITE}/{name}/again.py")
        if self.random.random() < 0.3:
            self.add(f"mkdir -p /cache; ln -f {SITE}/{name}/__init__.py /cache/{name}")

    def debian(self, number):
        name = f"d{number}"
        self.status += f"Package: {name}\\nStatus: install ok installed\\nArchitecture: all\\nVersion: 1:{number}\\n\\n"
        self.add(f"mkdir -p /usr/lib/{name} /var/lib/dpkg/info; head -c {self.size()} /dev/zero >/usr/lib/{name}/so; ln -sf so /usr/lib/{name}/so.1; "
                 f"printf '/.\\n/lib\\n/lib/{name}/so\\n/lib/{name}/so.1\\n' >/var/lib/dpkg/info/{name}.list; chown {self.random.choice(['0:0', '7:8'])} /usr/lib/{name}/so")
        self.add(f"printf '{self.status}' >/var/lib/dpkg/status")
        self.attribute(f"/usr/lib/{name}/so")

    def npm(self, number):
        folder = f"/srv/node_modules/{self.random.choice(['', '@acme/'])}n{number}"
        self.add(f"mkdir -p {folder}/node_modules/inner; echo '{{\"name\":\"n{number}\",\"version\":\"1.0.{number}\"}}' >{folder}/package.json; "
                 f"echo x >{folder}/node_modules/inner/x.js; head -c {self.size()} /dev/zero >{folder}/index.js; mkdir -p /srv/node_modules/.bin; "
                 f"ln -sf ../n{number}/index.js /srv/node_modules/.bin/n{number}")

    def conda(self, number):
        """As conda does it: unpacked in its cache, linked into the prefix, with a record."""
        name, cache = f"c{number}", f"/opt/conda/pkgs/c{number}-1.{number}-0"
        record = json.dumps({"name": name, "version": f"1.{number}", "build": "0", "files": [f"lib/lib{name}.so", f"share/{name}/data", "bin/activate"]})
        self.add(f"mkdir -p {cache}/lib {cache}/share /opt/conda/lib /opt/conda/bin /opt/conda/share/{name} /opt/conda/conda-meta; head -c {self.size()} /dev/zero >{cache}/lib/lib{name}.so; "
                 f"echo {number} >{cache}/share/data; ln -f {cache}/lib/lib{name}.so /opt/conda/lib/lib{name}.so; ln -f {cache}/share/data /opt/conda/share/{name}/data; "
                 f"echo activate >/opt/conda/bin/activate; echo '{record}' >/opt/conda/conda-meta/{name}-1.{number}-0.json")
        self.attribute(f"{cache}/lib/lib{name}.so")

    def own(self, number):
        folder = f"/own/f{self.random.randrange(4)}/g{number % 3}"
        self.add(f"mkdir -p {folder}; echo {number} >{folder}/file{number}; chmod {self.random.choice([600, 644, 755])} {folder}/file{number}; "
                 f"chmod {self.random.choice([700, 755, 1777, 2755])} {folder}")
        self.add(self.random.choice([f"mkfifo -m 640 {folder}/pipe{number}", f"mknod {folder}/null{number} c 1 3", f"ln -s nowhere {folder}/link{number}",
                                     f"mkdir -p /own/empty/e{number}"]))
        self.attribute(f"{folder}/file{number}")
        self.attribute(folder)

    def first(self):
        self.add("mkdir -p /usr/lib; ln -sfn usr/lib /lib; mkdir -p /old/a /old/b/c /old/d; echo 1 >/old/a/1; echo 2 >/old/b/2; echo 3 >/old/b/c/3; echo 4 >/old/4; echo 5 >/old/d/5")
        for number in range(self.random.randrange(3, 9)):
            self.python(number, "1")
        for number in range(self.random.randrange(1, 5)):
            self.debian(number)
        for number in range(self.random.randrange(1, 5)):
            self.npm(number)
        for number in range(self.random.randrange(1, 4)):
            self.conda(number)
        for number in range(self.random.randrange(1, 8)):
            self.own(number)
        return self.script()

    def second(self):
        for number in range(3):
            if self.random.random() < 0.7:
                self.add(f"rm -rf {SITE}/p{number} {SITE}/p{number}-1.dist-info")
            if self.random.random() < 0.7:
                self.python(number, "2")
        self.debian(20)
        self.conda(0)
        self.own(30)
        self.add("rm /old/4; rm -rf /old/b; mkdir /old/b; echo new >/old/b/new")
        self.attribute("/usr/lib/d1/so")  # of the first script: copied up for its attribute alone
        self.add(self.random.choice(["rm -rf /old/a; echo file >/old/a", "rm -rf /old/a; ln -s d /old/a", "rm -rf /own/f0", "chmod 700 /old/d; chown 5:6 /old/d",
                                     "rm /old/d/5; mkdir /old/d/5; echo below >/old/d/5/below"]))
        return self.script()


class CutLayers(harness.KilnTest):
    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.tiny_base()
        (self.folder / "app").mkdir()

    def build(self, name, dockerfile, *flags):
        self.write("app/Dockerfile", dockerfile)
        name = name if "/" in name else f"ghcr.io/acme/{name}:1"
        return self.kiln("build", "--progress", "plain", "--build-context", f"base=oci-layout://{self.folder / 'base'}:base", "-t", name, *flags, "app")

    def image(self, name):
        return self.stored_image(f"ghcr.io/acme/{name}:1")

    def history(self, image):
        return [entry["created_by"] for entry in image.config["history"] if not entry.get("empty_layer")]

    def tree(self, root):
        """path -> what is there; times left out."""
        files, first = {}, {}
        for path in sorted(root.rglob("*")):
            status = path.lstat()
            shown = str(path.relative_to(root))
            same = first.setdefault((status.st_ino, status.st_dev), shown) if not path.is_dir() or path.is_symlink() else shown
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else os.readlink(path) if path.is_symlink() else b""
            attributes = {attribute: os.getxattr(path, attribute, follow_symlinks=False) for attribute in os.listxattr(path, follow_symlinks=False)}
            files[shown] = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev, same, content, attributes)
        return files

    def unpacked_by_umoci(self, name):
        folder = self.folder / f"bundle-{name}"
        self.run_program("umoci", "unpack", "--image", f"{self.home / 'oci'}:ghcr.io/acme/{name}:1", folder)
        return self.tree(folder / "rootfs")

    def unpacked_by_podman(self, name):
        podman = ["podman", "--root", self.folder / "podman", "--runroot", self.folder / "run", "--storage-driver", "vfs"]
        image = self.run_program(*podman, "pull", "-q", f"oci:{self.home / 'oci'}:ghcr.io/acme/{name}:1").stdout.split()[-1]
        try:
            return self.tree(Path(self.run_program(*podman, "image", "mount", image).stdout.strip()))
        finally:
            self.run_program(*podman, "image", "unmount", image)

    def compile_setxattr(self):
        source = self.write("setxattr.c", SETXATTR)
        self.run_program("cc", "-static", "-o", self.folder / "app/setxattr", source)

    def build_both(self, seed):
        """The names of an image with a layer a step and of the same one cut."""
        writer = Writer(seed)
        self.write("app/first", writer.first())
        self.write("app/second", writer.second())
        mount = "--mount=type=bind,source=setxattr,target=/setxattr"
        dockerfile = f"""\
            FROM base
            RUN {mount} --mount=type=bind,source=first,target=/script sh /script
            RUN {mount} --mount=type=bind,source=second,target=/script sh /script
            """
        self.build(f"whole{seed}", dockerfile)
        self.build(f"cut{seed}", dockerfile, "--layers", "package")
        return f"whole{seed}", f"cut{seed}"

    def ecosystems(self, name):
        """Of the packages that have a layer to themselves or with others of their kind."""
        shown = json.loads(self.kiln("layers", "--local", "--json", f"ghcr.io/acme/{name}:1").stdout)["images"][0]
        return {re.match(r"pkg:(\w+)/", package["purl"])[1] for package in shown["packages"]}

    def test_the_image_is_the_one_that_it_would_be_without_the_cut(self):
        self.need_programs("umoci", "podman", "cc")
        self.compile_setxattr()
        attributes = set()
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                whole_name, cut_name = self.build_both(seed)
                whole, cut = self.image(whole_name), self.image(cut_name)
                self.assertEqual(len(whole.layers), 3)
                self.assertGreater(len(cut.layers), 8)
                self.assertEqual(self.ecosystems(cut_name), {"pypi", "deb", "npm", "conda"})
                self.assertEqual(lines_of(cut.files()), lines_of(whole.files()))
                base = whole.layers[0].names()
                late = [path for path, entry in cut.files().items() if entry.mtime != EPOCH and path not in base]
                self.assertEqual(late, [])
                self.assertEqual(self.unpacked_by_umoci(cut_name), self.unpacked_by_umoci(whole_name))
                seen = self.unpacked_by_podman(cut_name)
                self.assertEqual(seen, self.unpacked_by_podman(whole_name))
                attributes.update(name for file in seen.values() for name in file[-1])
        self.assertEqual(attributes, {"security.capability", "user.note"})
        self.assert_store_is_sound()

    def test_a_line_of_history_for_each_layer(self):
        self.build("app", f"FROM base\nRUN {install_python('torch', '2.3.1', LARGE)}; {install_python('idna', '3.6')}; echo o >/own\n", "--layers", "package")
        history = self.history(self.image("app"))
        self.assertEqual([line.rpartition(" # ")[2] for line in history[1:]], ["torch 2.3.1", "idna 3.6", "the rest"])
        shown = self.kiln("history", "--local", "ghcr.io/acme/app:1").stdout
        self.assertIn("torch 2.3.1", shown)

    def test_a_changed_package_moves_only_its_own_bytes(self):
        server = self.registry()
        name = f"{server.address}/shop/app:1"
        torch = install_python("torch", "2.3.1", LARGE)

        def push(idna):
            self.build(name, f"FROM base\nRUN {torch}; {install_python('idna', idna)}\n", "--layers", "package", "--push")

        push("3.6")
        before = {layer["digest"] for layer in self.pushed_image(name).manifest["layers"]}
        push("3.7")
        after = self.pushed_image(name).manifest["layers"]
        moved = [layer["size"] for layer in after if layer["digest"] not in before]
        self.assertEqual(len(moved), 1)
        self.assertLess(moved[0], 2000)
        puts = re.findall(r'"PUT /v2/shop/app/blobs/uploads/\S*digest=sha256(?::|%3A)([0-9a-f]{64})', server.log())
        self.assertEqual(len(puts), len(set(puts)), "a layer was sent twice")

    def test_children_inherit_the_cut_and_may_refuse_it(self):
        self.write("images/fleet.json", json.dumps({"registry": "ghcr.io", "namespace": "acme"}))
        run = f"RUN {install_python('torch', '1', LARGE)}; {install_python('idna', '3.6')}\n"
        contexts = {"tiny": f"oci-layout://{self.folder / 'base'}:base"}
        for name, dockerfile, definition in (
                ("parent", f"FROM tiny\n{run}", {"kind": "base", "layers": {"by": "package"}, "contexts": contexts}),
                ("child", f"FROM parent\nRUN {install_python('more', '1', LARGE)}; {install_python('less', '1')}\n", {"kind": "service"}),
                ("other", f"FROM parent\nRUN {install_python('more', '1', LARGE)}; {install_python('less', '1')}\n",
                 {"kind": "service", "layers": {"by": "step"}})):
            self.write(f"images/{name}/Dockerfile", dockerfile)
            self.write(f"images/{name}/image.json", json.dumps(definition))
        self.kiln("bake", "--progress", "plain")
        parts = {name: [line.rpartition(" # ")[2] for line in self.history(self.stored_image(f"ghcr.io/acme/{name}:latest"))[1:]] for name in ("parent", "child", "other")}
        self.assertEqual(parts["parent"], ["torch 1", "idna 3.6"])
        self.assertEqual(parts["child"], ["torch 1", "idna 3.6", "more 1", "less 1"])
        self.assertEqual(parts["other"], ["torch 1", "idna 3.6", "buildkit"])

    def test_a_limit_of_layers_is_kept_and_said(self):
        run = "; ".join(install_python(f"large{number}", "1", LARGE) for number in range(5))
        self.write("images/fleet.json", json.dumps({"registry": "ghcr.io", "namespace": "acme", "layers": {"by": "package", "limit": 5}}))
        self.write("images/app/Dockerfile", f"FROM tiny\nRUN {run}\n")
        self.write("images/app/image.json", json.dumps({"kind": "service", "contexts": {"tiny": f"oci-layout://{self.folder / 'base'}:base"}}))
        said = self.kiln("bake", "--progress", "plain").output
        self.assertLessEqual(len(self.stored_image("ghcr.io/acme/app:latest").layers), 5)
        self.assertIn("the image may have 4 more layers", said)

    def test_a_cut_step_passes_through_cache_pull_verify_and_prune(self):
        server = self.registry()
        name = f"{server.address}/shop/app:1"
        cache = f"type=registry,ref={server.address}/shop/cache"
        dockerfile = f"FROM base\nRUN {install_python('torch', '1', LARGE)}; {install_python('idna', '3.6')}; echo o >/own\nRUN cat {SITE}/idna/__init__.py /own >/seen\n"
        self.build(name, dockerfile, "--layers", "package", "--push", "--cache-to", cache)
        first = self.pushed_image(name)
        self.home = self.folder / "other"
        said = self.build(name, dockerfile, "--layers", "package", "--cache-from", cache).output
        self.assertNotIn("not cached", said)
        self.assertEqual(self.stored_image(name).manifest["layers"], first.manifest["layers"])
        self.home = self.folder / "third"
        self.kiln("pull", name)
        shown = self.kiln("layers", "--local", "--json", name).stdout
        packages = {package["name"]: package["layer"] for package in json.loads(shown)["images"][0]["packages"]}
        self.assertEqual(packages, {"torch": 1, "idna": 2})
        self.kiln("cache", "verify")
        self.kiln("cache", "prune", "--all")
        self.kiln("cache", "verify")

    def test_what_two_images_do_not_share_is_told(self):
        torch = install_python("torch", "1", LARGE)
        for name, more in (("one", "echo 1 >/own"), ("two", f"echo 2 >/own; echo >{SITE}/torch-1.dist-info/REQUESTED; printf 'torch/__init__.py,,\\ntorch-1.dist-info/REQUESTED,,\\n' >{SITE}/torch-1.dist-info/RECORD")):
            self.build(name, f"FROM base\nRUN {torch}; {install_python('idna', '3.6')}; {more}\n", "--layers", "package")
        words = ("layers", "--local", "--compare", "ghcr.io/acme/one:1", "ghcr.io/acme/two:1")
        said = self.kiln(*words).stdout
        self.assertIn("2 layers are the same", said)
        self.assertIn("/usr/lib/python3/site-packages/torch-1.dist-info/REQUESTED: only in the second", said)
        self.assertIn("/usr/lib/python3/site-packages/torch-1.dist-info/RECORD: content", said)
        compared = json.loads(self.kiln(*words, "--json").stdout)
        self.assertEqual([difference["packages"] for difference in compared["differences"]], [["torch 1"]])
        self.assertEqual((len(compared["only_in_first"]), len(compared["only_in_second"])), (1, 1))
        self.assertIn("needs two images, got 1", self.kiln("layers", "--compare", "a", code=2).output)

    def test_a_word_that_is_none(self):
        self.write("app/Dockerfile", "FROM scratch\n")
        self.assertIn("--layers 'packages': expected 'step' or 'package'", self.kiln("build", "--layers", "packages", "app", code=2).output)


if __name__ == "__main__":
    harness.main()
