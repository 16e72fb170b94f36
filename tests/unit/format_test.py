#!/usr/bin/env python3
"""Every source is as clang-format leaves it, by .clang-format and version 14, which Debian 12 has; other versions break lines elsewhere.

`clang-format -i FILE...` puts a file right.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = 14


def clang_format():
    """The program of the version that decides, or None."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        path = shutil.which(name)
        if path:
            said = subprocess.run([path, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
            if re.search(rf"version {VERSION}\.", said):
                return path
    return None


def sources():
    for top in ("base", "registry", "builder", "tests"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".cpp", ".hpp"):
                yield path.relative_to(ROOT)


def main():
    program = clang_format()
    if program is None:
        print(f"skipped: format: clang-format {VERSION} is not here")
        return 77
    files = list(sources())
    assert len(files) > 300, "the sources were not found"
    done = subprocess.run([program, "--dry-run", "-Werror", *files], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    wrong = sorted(set(re.findall(r"^(\S+):\d+:\d+: error:", done.stderr, re.MULTILINE)))
    for name in wrong:
        print(f"{name}: is not as 'clang-format -i {name}' leaves it", file=sys.stderr)
    if done.returncode != 0 and not wrong:
        print(done.stderr, file=sys.stderr)
    return 1 if done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
