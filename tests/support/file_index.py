"""Reads kiln's file indexes (the grammar stands in builder/layer/file_index.hpp) and asks them what an image carries twice
or for nothing, without unpacking a layer. As a program:

    python3 -m tests.support.file_index KILN_HOME IMAGE FOLDER    FOLDER: where dead weight is looked for

It prints what it found, and leaves with 1 where a library of 100 kB or more is there twice, or dead weight takes over 1 MB."""

import posixpath
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.support.image_check import Layout, parse_json


@dataclass(frozen=True)
class IndexEntry:
    type: str  # f d l h c b p, w (whiteout), o (opaque)
    path: str
    size: int
    link: str
    content: str


class _Reader:
    def __init__(self, text):
        self._text = text
        self._at = 0

    def word(self):
        """Up to the next space or line end."""
        begin = self._at
        while self._text[self._at : self._at + 1] not in (b" ", b"\n"):
            self._at += 1
        self._at += 1
        return self._text[begin : self._at - 1].decode()

    def string(self):
        end = self._text.index(b":", self._at)
        length = int(self._text[self._at : end])
        self._at = end + 1 + length
        if self._text[self._at : self._at + 1] in (b" ", b"\n"):
            self._at += 1
        return self._text[end + 1 : end + 1 + length].decode(errors="surrogateescape")

    def expect(self, word):
        assert self.word() == word, f"expected '{word}' before byte {self._at} of the index"


def parse_index(text):
    """The entries of an index's text."""
    assert text.startswith(b"kiln file index 2\n")
    reader = _Reader(text)
    for word in ("kiln", "file", "index", "2", "diff"):
        reader.expect(word)
    reader.word(), reader.word()
    reader.expect("blobs")
    for _ in range(int(reader.word())):
        reader.word()
        for _ in range(int(reader.word())):
            reader.word(), reader.word()
    reader.expect("kept")
    for _ in range(int(reader.word())):
        reader.string(), reader.string()
    reader.expect("entries")
    entries = []
    for _ in range(int(reader.word())):
        kind, path = reader.word(), reader.string()
        for _ in range(3):
            reader.word()
        size = int(reader.word())
        reader.word()
        link, content = reader.string(), reader.word()
        reader.word(), reader.word()
        for _ in range(2 * int(reader.word())):
            reader.string()
        entries.append(IndexEntry(kind, path, size, link, content))
    return entries


def layer_entries(home, diff_id):
    """What a layer of the store holds, by its index."""
    name = (home / "indexes" / diff_id.removeprefix("sha256:")).read_text().split()[0]
    blob = (home / "oci/blobs/sha256" / name.removeprefix("sha256:")).read_bytes()
    return parse_index(subprocess.run(["zstd", "-dc"], input=blob, stdout=subprocess.PIPE, check=True).stdout)


def image_files(home, name):
    """The regular files of an image of the store with all its layers one over the other: path -> IndexEntry."""
    layout = Layout(home / "oci")
    manifest = parse_json(layout.blob(layout.descriptor(name)))
    diff_ids = parse_json(layout.blob(manifest["config"]))["rootfs"]["diff_ids"]
    files = {}
    for diff_id in diff_ids:
        entries = layer_entries(home, diff_id)
        gone = [entry.path for entry in entries if entry.type in "wo"]
        if gone:
            files = {path: file for path, file in files.items() if not any(path == p or path.startswith(p + "/") for p in gone)}
        for entry in entries:
            if entry.type == "f":
                files[entry.path] = entry
            elif entry.type not in "do":
                files.pop(entry.path, None)
    return files


_LIBRARY = re.compile(r"^(lib[A-Za-z][A-Za-z0-9_+-]*?)(?:-[0-9a-f]{8})?\.so(?:\.[0-9.]+)?$")


def libraries_twice(files, at_least_bytes=0):
    """Shared libraries of one name at two places, whatever their version: name -> paths, sorted."""
    places = defaultdict(list)
    for path, entry in files.items():
        match = _LIBRARY.match(posixpath.basename(path))
        if match and entry.size >= at_least_bytes:
            places[match.group(1)].append(path)
    return {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}


def same_content_twice(files, at_least_bytes):
    """Files above a size whose bytes are there twice: paths by content."""
    places = defaultdict(list)
    for path, entry in files.items():
        if entry.size >= at_least_bytes:
            places[entry.content].append(path)
    return [sorted(paths) for paths in places.values() if len(paths) > 1]


def dead_weight(files, below):
    """What only those who compile or debug would read, below a folder: headers, static libraries, CMake files, stubs."""
    return sorted(path for path in files
                  if path.startswith(below) and re.search(r"\.(a|h|hpp|cuh|cmake|pyi)$", path))


def main():
    home, name, folder = sys.argv[1:]
    files = image_files(Path(home), name)
    twice = libraries_twice(files, 100_000)
    same = [paths for paths in same_content_twice(files, 100_000) if paths[0].startswith(folder)]
    dead = dead_weight(files, folder)
    dead_bytes = sum(files[path].size for path in dead)
    print(f"{name}: {len(files)} files, {sum(file.size for file in files.values()) / 1e9:.2f} GB")
    print(f"libraries twice: {len(twice)}", *(f"  {paths}" for paths in twice.values()), sep="\n")
    print(f"files twice: {len(same)}, {sum(files[paths[0]].size for paths in same) / 1e6:.2f} MB", *(f"  {paths}" for paths in same), sep="\n")
    print(f"headers, static libraries, CMake files, stubs: {len(dead)}, {dead_bytes / 1e6:.2f} MB")
    return 1 if twice or dead_bytes > 1_000_000 else 0


if __name__ == "__main__":
    sys.exit(main())
