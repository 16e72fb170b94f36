"""What is built: seeded, so that two runs build the same bytes, and of any size.

W1  a context of source files on a Python image: COPY of many small files.
W2  a RUN that writes machine-code-like files, as a torch wheel does: one big layer.
F   a fleet: base-python -> base-utils -> services x profiles, three stages each, as one docker-bake.json.
G   Debian with python3, NVIDIA's CUDA 12.1 wheels, torch on top, a web framework, a service of 60 files.
P   a RUN that installs many Python packages of 80 files each, one in sixteen of them large.

Each function writes into an empty folder and returns nothing; `change` edits what one developer would have edited.
"""

import json
import random
import textwrap

PYTHON_IMAGE = "python:3.11-slim"


def _lines(seed, count=4096):
    """Lines with the look, and the compressibility, of source code."""
    source = random.Random(seed)
    names = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz_", k=source.randint(3, 14))) for _ in range(3000)]
    shapes = ["    {0} = self.{1}({2}, {3}={4})", "def {0}({1}, {2}=None):", "    if {0}.{1} is not {2}:", "        return {0}[{1}] + {2}({3})",
              "# {0} {1} {2} {3} {4}", "    for {0} in {1}.{2}({3}):", "from {0}.{1} import {2}, {3}"]
    return [source.choice(shapes).format(*source.choices(names, k=5)) for _ in range(count)]


def source_tree(folder, files, total_bytes, seed=1):
    """`files` text files in folders of 50, `total_bytes` together, give or take a line per file."""
    lines = _lines(seed)
    source = random.Random(seed)
    each = max(1, total_bytes // files)
    for number in range(files):
        if number % 50 == 0:
            package = folder / f"pkg{number // 2500:02d}" / f"mod{number // 50:04d}"
            package.mkdir(parents=True)
        text, size = [], 0
        # Real files differ in size: a quarter to seven quarters of the mean.
        wanted = each * source.uniform(0.25, 1.75)
        while size < wanted:
            line = source.choice(lines)
            text.append(line)
            size += len(line) + 1
        (package / f"f{number:05d}.py").write_text("\n".join(text) + "\n")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"))


def w1(folder, registry, files=12800, total_bytes=120_000_000):
    source_tree(folder / "app", files, total_bytes)
    write(folder / "entry.sh", "#!/bin/sh\nexec python -m app\n")
    write(folder / "Dockerfile", f"""
        FROM {registry}/bench/{PYTHON_IMAGE}
        WORKDIR /app
        COPY app/ /app/
        RUN python -c 'print("checked")' > /checked
        COPY entry.sh /entry.sh
        """)


def change_w1(folder):
    with open(folder / "entry.sh", "a") as entry:
        entry.write("# one more line\n")


_WRITE_BINARIES = """
import glob, os, random, sys
total, seed = int(sys.argv[1]), int(sys.argv[2])
pool = bytearray()
for path in sorted(glob.glob("/usr/lib/**/*.so*", recursive=True)):
    if os.path.isfile(path) and not os.path.islink(path):
        pool += open(path, "rb").read()
source = random.Random(seed)
os.makedirs("/opt/wheel")
written = number = 0
while written < total:
    size = min(len(pool), 64 << 20, total - written)
    start = source.randrange(len(pool))
    part = (pool[start:start + size] + pool)[:size]
    part[::512] = source.randbytes(len(part[::512]))   # no two files are alike, however far apart they stand
    with open(f"/opt/wheel/lib{number:03d}.so", "wb") as out:
        out.write(part)
    written += size
    number += 1
"""


def w2(folder, registry, total_bytes=1_250_000_000):
    write(folder / "write_binaries.py", _WRITE_BINARIES)
    write(folder / "Dockerfile", f"""
        FROM {registry}/bench/{PYTHON_IMAGE}
        COPY write_binaries.py /
        RUN python3 /write_binaries.py {total_bytes} 7
        RUN echo first > /last
        """)


def change_w2(folder):
    path = folder / "Dockerfile"
    path.write_text(path.read_text().replace("echo first", "echo second"))


def fleet(folder, registry, repository, images=102):
    """`images` images: two bases, and services for two profiles each. Pushed as REPOSITORY/NAME."""
    services = (images - 2) // 2
    write(folder / "base-python" / "Dockerfile", f"""
        FROM {registry}/bench/{PYTHON_IMAGE}
        ENV PYTHONDONTWRITEBYTECODE=1
        RUN mkdir -p /opt/base
        """)
    write(folder / "base-utils" / "Dockerfile", """
        FROM base-python
        COPY tools/ /opt/base/tools/
        RUN useradd --uid 10001 --no-create-home app
        """)
    source_tree(folder / "base-utils" / "tools", 20, 100_000, seed=2)
    targets = {
        "base-python": {"context": "base-python", "tags": [f"{repository}/base-python:latest"]},
        "base-utils": {"context": "base-utils", "contexts": {"base-python": "target:base-python"},
                       "tags": [f"{repository}/base-utils:latest"]},
    }
    for number in range(services):
        name = f"service-{number:03d}"
        write(folder / name / "Dockerfile", f"""
            FROM base-utils AS build
            ARG MACHINE_PROFILE
            WORKDIR /src
            COPY requirements.txt ./
            RUN mkdir -p /out && cp requirements.txt /out/{name}.lock && echo "$MACHINE_PROFILE" > /out/profile

            FROM build AS assets
            COPY static/ /out/static/

            FROM base-utils
            ARG MACHINE_PROFILE
            ENV MACHINE_PROFILE=$MACHINE_PROFILE
            COPY --from=assets /out/ /opt/service/
            COPY app/ /app/
            USER app
            CMD ["python", "-m", "app"]
            """)
        write(folder / name / "requirements.txt", f"fastapi==0.111.0\nservice-number=={number}\n")
        source_tree(folder / name / "app", 80, 400_000, seed=100 + number)
        source_tree(folder / name / "static", 18, 90_000, seed=1000 + number)
        for profile in ("mainpc", "pc2"):
            targets[f"{name}-{profile}"] = {
                "context": name,
                "contexts": {"base-utils": "target:base-utils"},
                "args": {"MACHINE_PROFILE": profile},
                "tags": [f"{repository}/{name}-{profile}:latest"],
            }
    bake = {"group": {"default": {"targets": sorted(targets)}}, "target": targets}
    (folder / "docker-bake.json").write_text(json.dumps(bake, indent=1) + "\n")


def change_fleet(folder):
    path = next((folder / "service-003" / "app").rglob("*.py"))
    path.write_text(path.read_text() + "# one more line\n")


CUDA_WHEELS = {
    "nvidia-cuda-nvrtc-cu12": "12.1.105", "nvidia-cuda-runtime-cu12": "12.1.105", "nvidia-cuda-cupti-cu12": "12.1.105",
    "nvidia-cudnn-cu12": "8.9.2.26", "nvidia-cublas-cu12": "12.1.3.1", "nvidia-cufft-cu12": "11.0.2.54",
    "nvidia-curand-cu12": "10.3.2.106", "nvidia-cusolver-cu12": "11.4.5.107", "nvidia-cusparse-cu12": "12.1.0.106",
    "nvidia-nccl-cu12": "2.20.5", "nvidia-nvtx-cu12": "12.1.105", "nvidia-nvjitlink-cu12": "12.1.105",
}


# The wheels of the family that another version of one comes for, and the library that a second family adds.
SMALL_WHEEL = ("sympy", "1.12", "1.12.1")
# What it needs, for the two versions accept different ones: one wheel changes, not two.
OF_SMALL_WHEEL = "mpmath==1.3.0"
TORCH = "torch==2.3.1"
MORE_WHEELS = ("scipy==1.13.1", "numpy==1.26.4")
INSTALL = "--mount=type=bind,from=wheels,target=/wheels pip install --no-cache-dir --no-compile --no-index --find-links /wheels"


def cuda_wheels():
    return [f"{name}=={version}" for name, version in CUDA_WHEELS.items()]


def family(folder, registry, small_version=SMALL_WHEEL[1], more=()):
    """CUDA's wheels and torch, as an image that services build on. With `more` it is another family, on another base."""
    other_base = "COPY other/ /opt/other/\n        RUN useradd --uid 10001 --no-create-home app" if more else ""
    if more:
        source_tree(folder / "other", 20, 100_000, seed=4)
    write(folder / "Dockerfile", f"""
        FROM {registry}/bench/{PYTHON_IMAGE}
        {other_base}
        RUN {INSTALL} {" ".join(cuda_wheels())}
        RUN {INSTALL} {" ".join((TORCH, f"{SMALL_WHEEL[0]}=={small_version}", OF_SMALL_WHEEL, *more))}
        """)


_WRITE_PACKAGES = """
import glob, os, random, sys
files, each = int(sys.argv[1]), 80
pool = b"".join(open(path, "rb").read() for path in sorted(glob.glob("/usr/lib/python3*/**/*.py", recursive=True)))
source = random.Random(5)
site = "/usr/local/lib/python3.11/site-packages"
for package in range(max(1, files // each)):
    name, version = f"package{package:04d}", "1.0"
    info = f"{name}-{version}.dist-info"
    os.makedirs(f"{site}/{name}")
    os.makedirs(f"{site}/{info}")
    size = 160_000 if package % 16 == 0 else 6_000
    record = []
    for number in range(each):
        start = source.randrange(len(pool) - 200_000)
        path = f"{name}/f{number:03d}.py"
        with open(f"{site}/{path}", "wb") as out:
            out.write(b"# %d\\n" % number + pool[start:start + source.randrange(size // 4, size * 7 // 4)])
        record.append(f"{path},,")
    open(f"{site}/{info}/METADATA", "w").write(f"Name: {name}\\nVersion: {version}\\n")
    open(f"{site}/{info}/RECORD", "w").write("\\n".join([*record, f"{info}/METADATA,,", f"{info}/RECORD,,"]) + "\\n")
"""


def packages(folder, registry, files=12800):
    write(folder / "write_packages.py", _WRITE_PACKAGES)
    write(folder / "Dockerfile", f"""
        FROM {registry}/bench/{PYTHON_IMAGE}
        RUN --mount=type=bind,source=write_packages.py,target=/write_packages.py python3 /write_packages.py {files}
        """)


IMPORTED = "scipy.stats"


def importing(folder, registry):
    """What IMPORTED imports, some 500 modules, with bytecode."""
    write(folder / "Dockerfile", f"""
        FROM {registry}/bench/{PYTHON_IMAGE}
        RUN {INSTALL.replace("--no-compile ", "")} {" ".join(MORE_WHEELS)}
        """)


def gpu(folder, registry):
    """The wheels come from the named context "wheels", a folder that is filled once (see `bench.py wheels`)."""
    source_tree(folder / "app", 60, 600_000, seed=3)
    write(folder / "Dockerfile", f"""
        FROM {registry}/bench/{PYTHON_IMAGE}
        RUN {INSTALL} {" ".join(cuda_wheels())}
        RUN {INSTALL} {TORCH}
        RUN {INSTALL} fastapi uvicorn
        COPY app/ /app/
        """)


def change_gpu(folder):
    path = next((folder / "app").rglob("*.py"))
    path.write_text(path.read_text() + "# one more line\n")
