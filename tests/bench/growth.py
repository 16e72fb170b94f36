#!/usr/bin/env python3
"""How seconds grow with the workload: the fleet with 12, 52 and 102 images, a context of 1,000, 10,000 and 100,000 files, a RUN that
installs as many, cut along packages.

    tests/bench/growth.py [--runs 3] [--kiln build/kiln] [--work /dev/shm]

writes docs/growth-fleet.svg, docs/growth-files.svg and docs/growth-packages.svg

Each point is the median of the rounds of bench.py at that size; both are printed as a table too.
"""

import argparse
import html
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PLOTS = {
    "growth-fleet": ("images in the fleet", {"F": "built and pushed", "F-again": "again, nothing changed"}, {12: 0.1, 52: 0.5, 102: 1.0}),
    "growth-files": ("files in the context", {"W1": "built and pushed", "W1-again": "again, nothing changed"},
                     {1000: 1000 / 12800, 10_000: 10_000 / 12800, 100_000: 100_000 / 12800}),
    "growth-packages": ("files of packages that a RUN installs", {"P": "cut along packages, built and pushed"},
                        {1000: 1000 / 12800, 10_000: 10_000 / 12800, 100_000: 100_000 / 12800}),
}
COLOURS = {"kiln": "#c2410c", "uncut": "#a16207", "buildkit": "#1d4ed8", "buildah": "#15803d"}
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 420, 300, 62, 44, 24, 52


def measure(words, case, size):
    """{builder: median seconds}"""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([sys.executable, ROOT / "tests/bench/bench.py", "--case", case, "--size", str(size), "--runs", str(words.runs),
                        "--kiln", words.kiln, "--peer", words.peer or "none", "--json", file.name,
                        *(["--folder", words.work] if words.work else [])], check=True, stdout=subprocess.DEVNULL)
        row = json.load(open(file.name))["cases"][0]
    return {name: figures["wall_seconds"]["median"] for name, figures in row["builders"].items() if figures}


def ticks(largest):
    """Four round steps up to a number that is not smaller than the largest."""
    step = 1e-3
    while step * 4 < largest:
        step *= 2.5 if f"{step:e}".startswith("2") else 2
    return [step * number for number in range(5)]


def panel(x_name, title, points, left):
    """One chart: {builder: {count: seconds}} as SVG."""
    counts = sorted({count for series in points.values() for count in series})
    steps = ticks(max(seconds for series in points.values() for seconds in series.values()))
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(count):
        return left + LEFT + inner_width * count / counts[-1]

    def y(seconds):
        return TOP + inner_height * (1 - seconds / steps[-1])

    parts = [f'<text x="{left + LEFT}" y="24" class="title">{html.escape(title)}</text>']
    for step in steps:
        parts.append(f'<line x1="{left + LEFT}" y1="{y(step):.1f}" x2="{left + WIDTH - RIGHT}" y2="{y(step):.1f}" class="grid"/>')
        parts.append(f'<text x="{left + LEFT - 8}" y="{y(step) + 4:.1f}" class="y">{step:g} s</text>')
    free = float("inf")
    for count in reversed(counts):
        if free - x(count) < 44:
            continue  # its label would lie on its neighbour's
        free = x(count)
        parts.append(f'<text x="{x(count):.1f}" y="{HEIGHT - BOTTOM + 18}" class="x">{count:,}</text>')
    parts.append(f'<text x="{left + LEFT + inner_width / 2}" y="{HEIGHT - 12}" class="x">{html.escape(x_name)}</text>')
    for name, series in points.items():
        line = " ".join(f"{x(count):.1f},{y(seconds):.1f}" for count, seconds in sorted(series.items()))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.5"/>')
        for count, seconds in sorted(series.items()):
            parts.append(f'<circle cx="{x(count):.1f}" cy="{y(seconds):.1f}" r="4" fill="{COLOURS[name]}"/>')
        last = max(series)
        parts.append(f'<text x="{x(last) - 8:.1f}" y="{y(series[last]) - 9:.1f}" class="label" fill="{COLOURS[name]}">{name} {series[last]:.2f} s</text>')
    return "\n".join(parts)


def drawing(x_name, panels):
    """panels: [(title, {builder: {count: seconds}})]"""
    body = "\n".join(panel(x_name, title, points, number * WIDTH) for number, (title, points) in enumerate(panels))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" font-family="system-ui, sans-serif" font-size="12">
<style>.title {{ font-size: 14px; font-weight: 600; }} .grid {{ stroke: #d4d4d4; }} .x {{ text-anchor: middle; fill: #525252; }}
.y {{ text-anchor: end; fill: #525252; }} .label {{ text-anchor: end; font-weight: 600; }}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
{body}
</svg>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kiln", default=ROOT / "build/kiln", type=Path)
    parser.add_argument("--peer", choices=["buildkit", "buildah", "uncut"], help="a peer to draw beside kiln")
    parser.add_argument("--plot", action="append", choices=PLOTS)
    parser.add_argument("--work", help="where the bench works; a tmpfs such as /dev/shm keeps ext4's inodes of removed files out of it")
    parser.add_argument("--folder", default=ROOT / "docs", type=Path, help="where the drawings go")
    words = parser.parse_args()
    for name in words.plot or PLOTS:
        x_name, cases, sizes = PLOTS[name]
        panels = []
        for case, title in cases.items():
            points = {}
            for count, size in sizes.items():
                for builder, seconds in measure(words, case, size).items():
                    points.setdefault(builder, {})[count] = seconds
                    print(f"{case} {count} {builder}: {seconds:.3f} s", flush=True)
            panels.append((title, points))
        (words.folder / f"{name}.svg").write_text(drawing(x_name, panels))


if __name__ == "__main__":
    main()
