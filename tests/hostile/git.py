"""Git repositories: submodules, links, hooks, names and configuration that would make git run or read something."""

import os
import shutil
import subprocess

from tests.hostile.stand import CANARY, Case, Run

UP = "../" * 12


def git(folder, *words, stdin=None):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
    return subprocess.run(["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", "-c", "core.protectHFS=false", "-c", "core.protectNTFS=false", *words], cwd=folder, env=env, input=stdin, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode().strip()


def tree_of(folder, entries):
    """Commits entries of (mode, name, content) by plumbing: git itself would refuse to add some of them."""
    git(folder, "init", "-q")
    lines = b""
    for mode, name, content in entries:
        kind = "commit" if mode == "160000" else "tree" if mode == "040000" else "blob"
        number = content if mode in ("160000", "040000") else git(folder, "hash-object", "-w", "--stdin", stdin=content.encode())
        lines += f"{mode} {kind} {number}\t".encode() + name.encode() + b"\0"
    tree = git(folder, "mktree", "-z", stdin=lines)
    commit = git(folder, "commit-tree", tree, "-m", "x")
    git(folder, "update-ref", "refs/heads/main", commit)
    return commit


FILES = [("100644", "Dockerfile", "FROM scratch\nCOPY . /d/\n"), ("100644", "file", "text")]
ONE = "1" * 40


def modules(text, *more):
    return [*FILES, ("100644", ".gitmodules", text), *more]


def module(path="sub", url="file://" + CANARY, **more):
    return f'[submodule "sub"]\n\tpath = {path}\n\turl = {url}\n' + "".join(f"\t{key} = {value}\n" for key, value in more.items())


# name -> entries of its tree
TREES = {
    "a submodule of file://": modules(module(), ("160000", "sub", ONE)), "a submodule of a path of the host": modules(module(url=CANARY), ("160000", "sub", ONE)), "a submodule of dots": modules(module(url="../../x"), ("160000", "sub", ONE)),
    "a submodule of ext::": modules(module(url="ext::sh -c touch% /x"), ("160000", "sub", ONE)), "a submodule of an option": modules(module(url="-u./x"), ("160000", "sub", ONE)), "a submodule of ssh with an option": modules(module(url="ssh://-oProxyCommand=touch/x"), ("160000", "sub", ONE)),
    "a submodule at dots": modules(module(path="../x"), ("160000", "sub", ONE)), "a submodule at .git": modules(module(path=".git/hooks"), ("160000", "sub", ONE)), "a submodule at an option": modules(module(path="-x"), ("160000", "-x", ONE)),
    "a submodule with a command": modules(module(update="!touch /x"), ("160000", "sub", ONE)), "a submodule named dots": modules('[submodule "../../x"]\n\tpath = sub\n\turl = ./x\n', ("160000", "sub", ONE)), "a submodule that git does not know": [*FILES, ("160000", "sub", ONE)],
    "a .gitmodules that is a link": [*FILES, ("120000", ".gitmodules", f"{CANARY}/secret")], "a .gitmodules of nonsense": modules("[[[\0"), "a .gitmodules of 2 MiB": modules("#" * (2 << 20)),
    "a link to the host's file": [*FILES, ("120000", "l", f"{CANARY}/secret")], "a link of dots": [*FILES, ("120000", "l", f"{UP}{CANARY}/secret")], "a link and a file through it": [*FILES, ("120000", "l", CANARY), ("100644", "l ", "x")],
    "a Dockerfile that is a link to the host": [("120000", "Dockerfile", f"{CANARY}/secret")], "attributes with a filter": [*FILES, ("100644", ".gitattributes", "* filter=evil diff=evil merge=evil\n")], "attributes with LFS": [*FILES, ("100644", ".gitattributes", "file filter=lfs\n")],
    "a file of a name with a newline": [*FILES, ("100644", "a\nb", "x")], "a file named like an option": [*FILES, ("100644", "--upload-pack=x", "x")], "a file of HFS's .git": [*FILES, ("100644", ".g\u200cit", "x")], "a file of NTFS's .git": [*FILES, ("100644", "git~1", "x")],
    "an executable named like a hook": [*FILES, ("100755", "post-checkout", "#!/bin/sh\ntouch /hostile-canary/loot\n")], "alternates in the tree": [*FILES, ("100644", "objects", "/etc\n")],
}
# What stands behind '#', and names of repositories.
FRAGMENTS = ["--upload-pack=touch /hostile-canary/loot", "-x", "main:../..", f"main:{UP}{CANARY}", f":{CANARY}", "main:l", "refs/heads/main^{/x}", "main:.git", "main\n", "HEAD~99999999", "0" * 40, "a" * 3000, "main:" + "a/" * 900, "$(touch /x)", ":", "::", "main:Dockerfile"]
URLS = [f"file://{CANARY}/x.git", "ext::sh -c 'touch /hostile-canary/loot'.git", "git://-oProxyCommand=x/y.git", "ssh://-oProxyCommand=touch/x.git", "git@-oProxyCommand=touch:x.git", "http://127.0.0.1:1/\x01.git", "http://[::1/x.git", "https://user:pass word@127.0.0.1:1/x.git", "git://127.0.0.1:1/../../x.git"]


def dumb(stand, folder):
    """Serves a repository's files over http as they lie there (git's dumb protocol)."""
    git(folder, "repack", "-q", "-a", "-d")
    git(folder, "update-server-info")
    for path in (folder / ".git").rglob("*"):
        if path.is_file():
            stand.server.answers[f"/repo.git/{path.relative_to(folder / '.git')}"] = (200, {"Content-Type": "application/octet-stream"}, path.read_bytes())
    return f"{stand.server.url}/repo.git"


def ways(stand, url):
    stand.write("context/Dockerfile", f"FROM scratch\nADD {url} /d/\n")
    yield Run("ADD", ["build", "-o", "type=local,dest=out", "context"])
    stand.write("kept/Dockerfile", f"FROM scratch\nADD --keep-git-dir=true {url} /d/\n")
    yield Run("ADD --keep-git-dir", ["build", "-o", "type=local,dest=out2", "kept"])
    yield Run("context", ["build", "-o", "type=local,dest=out3", url])


def repository(entries, change=None, fragment=""):
    def runs(stand):
        stand.server.answers = {}
        folder = stand.folder / "repository"
        folder.mkdir()
        tree_of(folder, entries)
        url = dumb(stand, folder)
        if change:
            change(stand.server.answers)
        shutil.rmtree(folder)
        return ways(stand, url + ("#" + fragment if fragment else ""))
    return runs


def answered(name, data):
    return lambda answers: answers.update({f"/repo.git/{name}": (200, {"Content-Type": "text/plain"}, data)})


CHANGES = {
    "a HEAD of nonsense": answered("HEAD", b"\0" * 100), "a HEAD of dots": answered("HEAD", b"ref: ../../../etc/passwd\n"), "references of nonsense": answered("info/refs", b"\xff" * 500), "a reference named like an option": answered("info/refs", ONE.encode() + b"\t--upload-pack=x\n"),
    "a reference of dots": answered("info/refs", ONE.encode() + b"\trefs/heads/../../../x\n"), "alternates to the host": answered("objects/info/alternates", f"{CANARY}\n".encode()), "alternates to file://": answered("objects/info/http-alternates", f"file://{CANARY}/\n".encode()),
    "packs of nonsense": answered("objects/info/packs", b"P ../../../x.pack\nP pack-" + b"1" * 40 + b".pack\n"), "references redirected to file://": lambda answers: answers.update({"/repo.git/info/refs": (302, {"Location": f"file://{CANARY}/secret"}, b"")}),
    "references redirected to itself": lambda answers: answers.update({"/repo.git/info/refs": (302, {"Location": "/repo.git/info/refs"}, b"")}), "a smart answer of nonsense": lambda answers: answers.update({"/repo.git/info/refs": (200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, b"001e# service=git-upload-pack\n0000ffff")}),
}


def cases():
    yield Case("git", "a sound one", repository(FILES))
    for name, entries in TREES.items():
        yield Case("git", name, repository(entries))
    for name, change in CHANGES.items():
        yield Case("git", name, repository(FILES, change))
    for fragment in FRAGMENTS:
        yield Case("git", f"#{fragment[:40]}", repository([*FILES, ("120000", "l", CANARY)], None, fragment))
    for url in URLS:
        yield Case("git", f"the URL {url[:50]}", lambda stand, url=url: ways(stand, url))
