"""An image as text that can be compared and committed: one line per path that a build added, changed or took away, and
the parts of its config that a Dockerfile decides. Works on tests.support.image_check.Image, no matter what built it.

    dir   0755 0:0 /app
    file  0644 1000:1001 /app/a 5 sha256:2cf24dba5fb0
    link  0777 0:0 /app/l -> a
    hard  /app/h = /app/a
    gone  /data/old
"""

import hashlib

XATTR = "  xattr {}={}"
# What depends on the clock, the machine or the builder's name.
FROM_CONFIG = ("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "Labels", "ExposedPorts", "Volumes", "StopSignal", "Shell",
               "Healthcheck", "OnBuild", "ArgsEscaped")


def line_of(path, entry):
    line = f"{entry.type:5} {entry.mode & 0o7777:04o} {entry.uid}:{entry.gid} /{path}"
    if entry.type == "file":
        line += f" {entry.size} sha256:{hashlib.sha256(entry.data).hexdigest()[:12]}"
    elif entry.type == "link":
        line += f" -> {entry.link}"
    for name, value in sorted(entry.xattrs.items()):
        line += XATTR.format(name, value.hex())
    return line


def lines_of(files):
    """path -> line, for all paths; hard links point at the first name in the alphabet."""
    first, lines = {}, {}
    for path in sorted(files):
        entry = files[path]
        name = first.setdefault(id(entry), path)
        lines[path] = line_of(path, entry) if name == path else f"hard  /{path} = /{name}"
    return lines


def listing(image, base):
    """The lines in which `image` differs from the image it was built on (None: from nothing)."""
    before = lines_of(base.files()) if base else {}
    after = lines_of(image.files())
    lines = [line for path, line in after.items() if before.get(path) != line]
    lines += [f"gone  /{path}" for path in before if path not in after]
    return sorted(lines, key=lambda line: (next(word for word in line.split(" ") if word.startswith("/")), line))


def config_of(image, base):
    """The config as a Dockerfile decides it, and the history that the build added."""
    given = image.config.get("config") or {}
    config = {key: given[key] for key in FROM_CONFIG if given.get(key) not in (None, "", [], {}, False)}
    inherited = len(base.config.get("history") or []) if base else 0
    history = [{"created_by": entry.get("created_by", ""), "empty_layer": bool(entry.get("empty_layer"))}
               for entry in (image.config.get("history") or [])[inherited:]]
    return {"config": config, "author": image.config.get("author", ""), "history": history}
