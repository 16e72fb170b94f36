#!/usr/bin/env python3
"""kiln advise: what it says that a change saves is what doing it saves, measured by the blobs of the images."""

import json
import random
import re

import harness


SITE = "/usr/lib/python3/site-packages"

# What pip does, of files that lie beside it: install [--to FOLDER] NAME==VERSION..., remove NAME==VERSION. Each time files get other
# times, as those of a real installation do that runs a second later.
PIP = f"""\
set -e
site={SITE}
command=$1; shift
if [ "$1" = --to ]; then site=$2; shift 2; fi
for word; do
  name=${{word%%==*}}; info=$site/$name-${{word##*==}}.dist-info
  rm -rf $site/$name $site/$name-*.dist-info
  if [ $command = remove ]; then continue; fi
  mkdir -p $site/$name $info
  cp /wheels/$name-${{word##*==}} $site/$name/__init__.py
  printf "Name: $name\\nVersion: ${{word##*==}}\\n" >$info/METADATA
  printf "$name/__init__.py,,\\n" >$info/RECORD
  touch -d @$((0x$(head -c 3 /dev/urandom | od -An -tx1 | tr -d ' '))) $site/$name/__init__.py $info/* $site/$name $info
done
"""

# What apt does: NAME=VERSION.
APT = """\
set -e
mkdir -p /var/lib/dpkg/info /usr/lib
for word; do
  name=${word%%=*}
  cp /wheels/$name-${word##*=} /usr/lib/$name.so
  printf "/.\\n/usr\\n/usr/lib\\n/usr/lib/$name.so\\n" >/var/lib/dpkg/info/$name.list
  printf "Package: $name\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: ${word##*=}\\n\\n" >>/var/lib/dpkg/status
done
"""

# A share is wrong by at most the unpacked bytes of the layer that are not the package's (docs/advise.md). Here these are folders, another
# small package and the end of the tar; a layer of other times is a few bytes longer or shorter, besides.
SHARE_BOUND = 12_000


class Advise(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.tiny_base()
        self.write("wheels/pip", PIP)
        self.write("wheels/apt", APT)
        self.images = []

    def wheel(self, name, version, size):
        self.write(f"wheels/{name}-{version}", random.Random(f"{name} {version}").randbytes(size))

    def fleet(self, layers="step", **images):
        """Image definitions of Dockerfiles in which PIP and APT are how packages are installed."""
        self.write("images/fleet.json", json.dumps({"registry": "ghcr.io", "namespace": "acme", "layers": {"by": layers}}))
        for name, dockerfile in images.items():
            contexts = {"tiny": f"oci-layout://{self.folder / 'base'}:base", "wheels": str(self.folder / "wheels")}
            self.write(f"images/{name}/image.json", json.dumps({"kind": "service" if "FROM root" in dockerfile else "base", "contexts": contexts}))
            self.write(f"images/{name}/Dockerfile", re.sub("PIP|APT", lambda program: f"--mount=type=bind,from=wheels,target=/wheels sh /wheels/{program[0].lower()}", dockerfile))
        self.images = sorted(images)

    def bake(self):
        """What each image's layers are: name -> {digest: size}."""
        self.kiln("bake", "--progress", "plain", *self.images)
        return {name: {layer["digest"]: layer["size"] for layer in self.stored_image(f"ghcr.io/acme/{name}:latest").manifest["layers"]} for name in self.images}

    @staticmethod
    def blobs(images):
        return {digest: size for layers in images.values() for digest, size in layers.items()}

    def fleet_bytes(self, images):
        """Each blob once, as a registry has them."""
        return sum(self.blobs(images).values())

    def moved_bytes(self, before, after):
        """What a machine that has all images pulls."""
        known = self.blobs(before)
        return sum(size for digest, size in self.blobs(after).items() if digest not in known)

    def advise(self, *words, kind=None):
        found = json.loads(self.kiln("advise", "--json", *words).stdout)
        return [advice for advice in found["advice"] if kind in (None, advice["kind"])]

    def replace_line(self, change, line):
        path = self.folder / change["file"]
        lines = path.read_text().splitlines()
        lines[change["line"] - 1] = line(lines[change["line"] - 1])
        path.write_text("\n".join(lines) + "\n")

    def do(self, advice):
        """Changes the named lines as they are told to be."""
        for change in advice["changes"]:
            name, before, after = change["package"], change.get("from"), change.get("to")
            if before and after:
                self.replace_line(change, lambda line: re.sub(rf"\b{name}(==?){re.escape(before)}(?![\w.-])", rf"{name}\g<1>{after}", line))
            elif before:
                self.replace_line(change, lambda line: line.replace(f" {name}=={before}", ""))
            else:
                self.replace_line(change, lambda line: f"{line} {name}=={after}")
        if advice["needs_cut"]:
            settings = json.loads((self.folder / "images/fleet.json").read_text())
            self.write("images/fleet.json", json.dumps({**settings, "layers": {"by": "package"}}))

    def assert_done_as_said(self, before, advice, bound):
        self.do(advice)
        after = self.bake()
        self.assertAlmostEqual(self.fleet_bytes(before) - self.fleet_bytes(after), advice["fleet_bytes"], delta=bound)
        for name in self.images:
            saved = sum(before[name].values()) - sum(after[name].values())
            self.assertAlmostEqual(saved, advice["image_bytes"].get(name, 0), delta=bound, msg=name)
        return after

    def bump(self, name, words):
        """Writes other words into an image's Dockerfile, and bakes."""
        path = self.folder / f"images/{name}/Dockerfile"
        text = path.read_text()
        for before, after in words.items():
            self.assertIn(before, text)
            text = text.replace(before, after)
        path.write_text(text)

    def test_versions_that_are_aligned_save_a_layer_to_the_byte(self):
        for version in ("1.0", "1.1", "1.0.5", "1.1.5"):
            self.wheel("torch", version, 9_000_000)
        self.wheel("idna", "3.6", 1000)
        self.fleet("package", root="FROM tiny\nRUN PIP install idna==3.6\n", a="FROM root\nRUN PIP install torch==1.0\n",
                   b="FROM root\nRUN PIP install torch==1.1\n", c="FROM root\nRUN PIP install torch==1.1\n")
        before = self.bake()
        said = self.kiln("advise").stdout
        [advice] = self.advise()
        self.assertEqual((advice["kind"], advice["packages"], advice["needs_cut"]), ("align", ["torch"], False))
        self.assertIn("torch is there in 2 versions in 3 images: 1.0, 1.1", said)
        self.assertRegex(said, r"(?m)^ *images/a/Dockerfile:2: write torch==1\.1 for torch==1\.0$")
        # What an update of torch moves while there are two versions.
        self.bump("a", {"torch==1.0": "torch==1.0.5"})
        self.bump("b", {"torch==1.1": "torch==1.1.5"})
        self.bump("c", {"torch==1.1": "torch==1.1.5"})
        apart = self.moved_bytes(before, self.bake())
        self.bump("a", {"torch==1.0.5": "torch==1.0"})
        self.bump("b", {"torch==1.1.5": "torch==1.1"})
        self.bump("c", {"torch==1.1.5": "torch==1.1"})
        self.assertEqual(self.bake(), before)
        aligned = self.assert_done_as_said(before, advice, 0)
        for name in ("a", "b", "c"):
            self.bump(name, {"torch==1.1": "torch==1.1.5"})
        together = self.moved_bytes(aligned, self.bake())
        # The layers of 1.0.5 and 1.0 differ by what their version's two more letters come to.
        self.assertAlmostEqual(apart - together, advice["update_bytes"], delta=100)
        self.assertIn("nothing to advise", self.kiln("advise").stdout)

    def test_versions_of_layers_that_are_not_cut_are_told_with_the_cut(self):
        for version in ("1.0", "1.1"):
            self.wheel("torch", version, 9_000_000)
        self.wheel("six", "1", 50_000)
        self.fleet(root="FROM tiny\nRUN echo root >/root-was-here\n", a="FROM root\nRUN PIP install torch==1.0 six==1\n",
                   b="FROM root\nRUN PIP install torch==1.1; echo b >/own\n")
        before = self.bake()
        [advice] = self.advise()
        self.assertTrue(advice["needs_cut"])
        self.assertIn('"layers": {"by": "package"}', self.kiln("advise").stdout)
        self.assert_done_as_said(before, advice, SHARE_BOUND)

    def test_a_requirements_file_is_the_line_to_change(self):
        for version in ("1.0", "1.1"):
            self.wheel("torch", version, 9_000_000)
        pip = "RUN PIP install $(cat /requirements.txt); : pip install -r /requirements.txt\n"
        self.fleet("package", a=f"FROM tiny\nCOPY requirements.txt /\n{pip}", b=f"FROM tiny\nCOPY requirements.txt /\n{pip}")
        self.write("images/a/requirements.txt", "torch==1.0\n")
        self.write("images/b/requirements.txt", "torch==1.1\n")
        before = self.bake()
        [advice] = self.advise()
        self.assertEqual([(change["file"], change["line"]) for change in advice["changes"]], [("images/a/requirements.txt", 1)])
        # The two files of requirements are one layer, too, now.
        self.assert_done_as_said(before, advice, 300)

    def test_debian_packages_are_aligned(self):
        for version in ("1.0-1", "1.0-2"):
            self.wheel("libcuda", version, 9_000_000)
        self.fleet("package", a="FROM tiny\nRUN APT libcuda=1.0-2\n", b="FROM tiny\nRUN APT libcuda=1.0-1\n")
        before = self.bake()
        [advice] = self.advise()
        self.assertIn("write libcuda=1.0-2 for libcuda=1.0-1", [change["action"] for change in advice["changes"]])
        # The layers of the rest are equal then, too: dpkg's status.
        self.assert_done_as_said(before, advice, 500)

    def test_what_children_bring_is_hoisted(self):
        for version in ("1", "2"):
            self.wheel("idna", version, 1000)
        self.wheel("numpy", "1", 3_000_000)
        self.fleet(root="FROM tiny\nRUN PIP install idna==1\n", a="FROM root\nRUN PIP install six==1 numpy==1\n",
                   b="FROM root\nRUN echo b >/own\nRUN PIP install numpy==1 six==1\n", c="FROM root\nRUN PIP install six==1\n")
        self.wheel("six", "1", 1000)
        self.wheel("six", "2", 1000)
        before = self.bake()
        [advice] = self.advise()
        self.assertEqual((advice["kind"], advice["packages"]), ("hoist", ["numpy"]))
        self.assertIn("numpy 1: 2 of the 3 images on root bring it, and it does not", self.kiln("advise").stdout)
        for name in ("a", "b"):
            self.bump(name, {"six==1": "six==2"})
        apart = self.moved_bytes(before, self.bake())
        for name in ("a", "b"):
            self.bump(name, {"six==2": "six==1"})
        before = self.bake()
        hoisted = self.assert_done_as_said(before, advice, SHARE_BOUND)
        for name in ("a", "b"):
            self.bump(name, {"six==1": "six==2"})
        # Shares of two layers.
        self.assertAlmostEqual(apart - self.moved_bytes(hoisted, self.bake()), advice["update_bytes"], delta=2 * SHARE_BOUND)

    def test_what_a_child_upgrades_is_upgraded_below(self):
        for version, size in (("1", 3_000_000), ("2", 2_000_000)):
            self.wheel("numpy", version, size)
        self.wheel("six", "1", 1000)
        self.fleet(root="FROM tiny\nRUN PIP install numpy==1\n", a="FROM root\nRUN PIP install six==1 numpy==2\n")
        before = self.bake()
        [advice] = self.advise()
        self.assertEqual((advice["kind"], advice["packages"]), ("twice", ["numpy"]))
        self.assertIn("numpy 1 of images/root/Dockerfile:2 is hidden by 2 of images/a/Dockerfile:2", self.kiln("advise").stdout)
        self.assert_done_as_said(before, advice, SHARE_BOUND)

    def test_what_a_line_removes_again_is_not_installed(self):
        self.wheel("gcc", "1", 2_000_000)
        self.wheel("six", "1", 1000)
        self.fleet("package", a="FROM tiny\nRUN PIP install gcc==1 six==1\nRUN PIP remove gcc==1\n")
        before = self.bake()
        [advice] = self.advise()
        self.assertIn("gcc 1 of images/a/Dockerfile:2 is removed by images/a/Dockerfile:3", advice["title"])
        self.assert_done_as_said(before, advice, SHARE_BOUND)

    def test_a_distribution_in_two_folders_is_left_out_of_one(self):
        self.wheel("numpy", "1", 2_000_000)
        self.wheel("six", "1", 1000)
        self.fleet(a="FROM tiny\nRUN PIP install numpy==1\nRUN PIP install --to /venv/lib/site-packages six==1 numpy==1\n")
        before = self.bake()
        [advice] = self.advise()
        self.assertEqual(advice["kind"], "twice")
        self.assertEqual(advice["changes"][0]["line"], 3)
        self.assert_done_as_said(before, advice, SHARE_BOUND)

    def test_lines_in_another_order_move_less(self):
        self.wheel("torch", "1", 2_000_000)
        self.fleet(app="FROM tiny\nCOPY src /app\nRUN PIP install torch==1\n")
        builds = []
        for number in range(3):
            self.write("images/app/src/main.py", f"print({number})\n")
            builds.append(self.bake())
        [advice] = self.advise()
        self.assertEqual((advice["kind"], advice["image_bytes"]), ("reorder", {}))
        self.assertRegex(advice["title"], r"^COPY src /app \(images/app/Dockerfile:2\) changed in 2 of 2 updates of app")
        apart = self.moved_bytes(builds[1], builds[2])
        torch = [size for build in builds[1:] for digest, size in build["app"].items() if size > 1_000_000 and digest not in builds[0]["app"]]
        self.assertEqual((advice["fleet_bytes"], advice["update_bytes"]), (sum(torch), sum(torch) // 2))
        self.assertEqual([change["line"] for change in advice["changes"]], [2, 3])
        path = self.folder / "images/app/Dockerfile"
        lines = path.read_text().splitlines()
        lines[1], lines[2] = lines[2], lines[1]
        path.write_text("\n".join(lines) + "\n")
        moved = self.bake()
        self.write("images/app/src/main.py", "print(3)\n")
        self.assertAlmostEqual(apart - self.moved_bytes(moved, self.bake()), advice["update_bytes"], delta=200)
        self.assertEqual(self.advise(kind="reorder"), [])

    def test_images_are_named_as_elsewhere_and_what_was_never_built_is_refused(self):
        self.assertIn("there is no record of any build here yet", self.kiln("advise", code=2).output)
        self.wheel("torch", "1.0", 9_000_000)
        self.wheel("torch", "1.1", 9_000_000)
        self.fleet("package", app="FROM tiny\nRUN PIP install torch==1.0\n", b="FROM tiny\nRUN PIP install torch==1.1\n")
        self.bake()
        self.assertEqual(len(self.advise("app", "ghcr.io/acme/b:latest")), 1)
        self.assertEqual(self.advise("app"), [])
        self.assertIn("1 image, ", self.kiln("advise", "app").stdout)
        self.assertIn("did you mean 'app'?", self.kiln("advise", "aap", code=2).output)
        manifest = self.stored_image("ghcr.io/acme/app:latest").digest
        (self.home / "oci/blobs/sha256" / manifest.removeprefix("sha256:")).unlink()
        self.assertIn("is not wholly in the store; build it again", self.kiln("advise", "app").stderr)


if __name__ == "__main__":
    harness.main()
