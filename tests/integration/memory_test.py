#!/usr/bin/env python3
"""kiln's buffers are bounded whatever is built: --debug-memory."""

import os
import re

import harness

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


class Memory(harness.KilnTest):
    def marks(self, *words):
        """{owner: bytes}, and "memory" for the whole process."""
        lines = self.kiln("--debug-memory", *words).stderr.splitlines()
        begin = next(number for number, line in enumerate(lines) if line.startswith("memory: "))
        found = {}
        for line in lines[begin:]:
            name, number, unit = re.match(r"\s*(\D+?):?\s+([0-9.]+) (\w+)\b", line).groups()
            found[name] = float(number) * UNITS[unit]
        return found

    def build(self, megabytes):
        folder = self.folder / f"context-{megabytes}"
        folder.mkdir()
        with open(folder / "large", "wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(1 << 20))
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY large /\n")
        return self.marks("build", "--progress", "plain", "-t", f"acme/large:{megabytes}", folder)

    def test_a_large_layer_takes_no_more_memory_than_a_small_one(self):
        cores = os.cpu_count()
        blocks = 2 * (4 << 20) * (2 * cores + 4)
        small = self.build(4)
        self.assertEqual(set(small), {"memory", "compression", "decompression", "read-ahead", "unpacking", "file indexes", "transfers"})
        self.assertGreater(small["compression"], 4 << 20)
        large = self.build(300)
        self.assertGreater(large["compression"], small["compression"])
        self.assertLess(large["compression"], blocks)
        self.assertLess(large["memory"] - small["memory"], blocks + (32 << 20))


if __name__ == "__main__":
    harness.main()
