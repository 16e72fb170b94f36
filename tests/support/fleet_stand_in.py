"""The repository's own fleet without a network: its real definitions and Dockerfiles on a base-utils that is busybox, with a
pip that unpacks small wheels made here, called as the real ones are."""

import io
import json
import os
import random
import re
import shutil
import zipfile
from pathlib import Path

SITE = "usr/local/lib/python3.11/site-packages"
APPLETS = ("sh", "cat", "cp", "echo", "find", "grep", "ls", "mkdir", "rm", "sed", "tr", "unzip", "true", "chown")

PIP = """#!/bin/sh
# pip install ... [--prefix=FOLDER] -r FILE: unpacks /wheels, but nothing that /usr/local has.
set -e
prefix=/usr/local
while [ $# -gt 0 ]; do
  case "$1" in
    --prefix=*) prefix="${1#*=}" ;;
    -r) file="$2"; shift ;;
  esac
  shift
done
site=lib/python3.11/site-packages
mkdir -p "$prefix/$site"
for wheel in $(grep == "$file" | sed 's/ .*//; s/==/-/' ); do
  name="$(echo "${wheel%-*}" | tr - _)-${wheel##*-}"
  if [ -d "/usr/local/$site/$name.dist-info" ]; then echo "Requirement already satisfied: $name"; continue; fi
  unzip -q -o "/wheels/$name.whl" -d "$prefix/$site"
done
"""

# install -d -o USER -g GROUP FOLDER, which not every busybox has.
INSTALL = """#!/bin/sh
mkdir -p "$6" && chown "$3:$5" "$6"
"""

# What the wheels of torch and triton hold beside one file of their own name.
EXTRA = {
    "torch": ("torch/lib/libtorch_cuda.so", "torch/include/ATen/ATen.h", "torch/lib/libx.a", "torch/share/cmake/x.cmake",
              "torch/utils/x.h", "torch/_C/__init__.pyi", "torchgen/__init__.py", "functorch/__init__.py"),
    "triton": ("triton/_C/libtriton.so", "triton/third_party/cuda/bin/nvdisasm"),
}


def wheel_files(name):
    match = re.fullmatch(r"nvidia-(.+)-cu1[12]", name)
    if match:
        library = match.group(1).replace("-", "_")
        short = library.removeprefix("cuda_")
        return (f"nvidia/{library}/lib/lib{short}.so.12", f"nvidia/{library}/include/{short}.h")
    return EXTRA.get(name, (f"{name.replace('-', '_')}/__init__.py",))


def wheel(name, version):
    """The bytes of a wheel; the same for the same name and version."""
    content = random.Random(f"{name} {version}")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path in (*wheel_files(name), f"{name.replace('-', '_')}-{version}.dist-info/METADATA"):
            size = 200_000 if path.endswith((".so", ".so.12")) else 2_000
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), content.randbytes(size))
    return data.getvalue()


def requirements(folder):
    """(name, version) of every requirements.txt of the fleet."""
    found = set()
    for file in sorted(folder.glob("*/requirements.txt")):
        found.update(re.findall(r"^([a-z0-9-]+)==([^ ]+) \\$", file.read_text(), re.MULTILINE))
    return sorted(found)


def write_script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def write_fleet(source, target):
    """Copies images/ and profiles/ of the repository `source` to `target`, with base-utils replaced."""
    shutil.copytree(source / "images", target / "images", ignore=shutil.ignore_patterns("__pycache__", "base-python", "legacy-*"))
    shutil.copytree(source / "profiles", target / "profiles")
    images = target / "images"
    for file in images.glob("*/image.json"):
        definition = json.loads(file.read_text())
        definition.pop("baseline", None)
        file.write_text(json.dumps(definition))
    (images / "baselines.json").unlink(missing_ok=True)
    (images / "kiln.lock").unlink(missing_ok=True)

    base = images / "base-utils"
    shutil.rmtree(base)
    root = base / "rootfs"
    (root / "bin").mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    for applet in APPLETS:
        os.symlink("busybox", root / "bin" / applet)
    for name in ("python", "ldconfig", "apt-get", "strip"):
        write_script(root / "usr/bin" / name, "#!/bin/sh\nexit 0\n")
    write_script(root / "usr/bin/pip", PIP)
    write_script(root / "usr/bin/install", INSTALL)
    (root / SITE).mkdir(parents=True)
    for folder in ("tmp", "root", "etc/ld.so.conf.d", "var/lib/apt/lists", "wheels"):
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nappuser:x:10001:10001::/home/appuser:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nappuser:x:10001:\n")
    for name, version in requirements(images):
        (root / "wheels" / f"{name.replace('-', '_')}-{version}.whl").write_bytes(wheel(name, version))
    (base / "Dockerfile").write_text("FROM scratch\nCOPY rootfs/ /\nENV PATH=/usr/bin:/bin\n")
    (base / "image.json").write_text(json.dumps({"kind": "base"}))
    return images
