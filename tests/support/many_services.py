"""A fleet as an owner of many services has it: base -> families -> services for two profiles each, from nothing but busybox.

By hand: tests/support/many_services.py FOLDER [SERVICES [FAMILIES]] writes one, by default of 115 targets."""

import json
import shutil
import sys
from pathlib import Path

PROFILES = {"large": "8", "small": "2"}

# What a package manager prints.
INSTALL = "RUN for i in $(seq 1 {lines}); do echo \"installing package $i of {name}\"; done; echo {name} > /installed-{name}\n"


def write_fleet(folder, services=50, families=13, lines=30):
    """Writes images/ and profiles/ below `folder`; the number of its targets. `lines`: what each RUN that installs prints."""
    folder = Path(folder)

    def write(path, text):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)

    write("images/fleet.json", json.dumps({
        "registry": "ghcr.io", "namespace": "acme", "platform": "linux/amd64", "compression": "gzip",
        "repository": "{image}-{profile}", "tags": ["latest"], "profiles": list(PROFILES), "profiles_folder": "../profiles"}))
    for profile, threads in PROFILES.items():
        write(f"profiles/{profile}.json", json.dumps({"OMP_NUM_THREADS": threads}))

    def image(name, kind, dockerfile):
        write(f"images/{name}/image.json", json.dumps({"kind": kind}))
        write(f"images/{name}/Dockerfile", dockerfile)
        write(f"images/{name}/app/main.py", f"print('{name}')\n")
        write(f"images/{name}/requirements.txt", f"{name}==1\n")

    install = lambda name: INSTALL.format(lines=lines, name=name)  # noqa: E731
    image("base-os", "base", "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"/bin\"]\n")
    shutil.copy(shutil.which("busybox"), folder / "images/base-os/busybox")
    image("base-app", "base", "FROM base-os\n" + install("base-app") + "COPY app /opt/base\n")
    for number in range(families):
        name = f"family-{number:02}"
        image(name, "family", "FROM base-app\n" + install(name))
    for number in range(services):
        name = f"service-{number:02}"
        image(name, "service", f"FROM family-{number % families:02}\nCOPY requirements.txt .\n" + install(name) + "COPY app /app\n"
              "ARG OMP_NUM_THREADS\nRUN echo \"tuned for $OMP_NUM_THREADS threads\"; echo $OMP_NUM_THREADS > /threads\n")
    return 2 + families + services * len(PROFILES)


if __name__ == "__main__":
    print(write_fleet(sys.argv[1], *map(int, sys.argv[2:])), "targets")
