"""Dockerfiles and ignore files: what makes a parser deep, long or slow, and what would read the host."""

from tests.hostile.stand import CANARY, Case, Run

UP = "../" * 12
HEAD = "FROM scratch\nCOPY Dockerfile /\n"
# name -> text. Built with a context of the Dockerfile and a file `a`.
ROWS = {
    "nothing": "", "a line feed": "\n", "NUL bytes": "\0" * 1000, "a NUL in an instruction": "FROM scratch\nCO\0PY a /\n", "no UTF-8": b"FROM scratch\nLABEL a=\xff\xfe\n",
    "UTF-16": "FROM scratch\n".encode("utf-16"), "an ELF": b"\x7fELF" + bytes(2000), "17 MiB": "#" * (17 << 20), "a line of 70,000 bytes": HEAD + "LABEL a=" + "b" * 70000,
    "a line of a million continuations": HEAD + "LABEL a=b" + " \\\n" * 1000000, "1,001 stages": "FROM scratch\n" * 1001, "100,000 stages": "FROM scratch AS s\n" * 100000,
    "10,001 instructions": HEAD + "ENV a=b\n" * 10001, "a heredoc without an end": HEAD + "COPY <<EOF /x\nnever\n", "a heredoc of no name": HEAD + "COPY << /x\n",
    "a thousand heredocs without an end": HEAD + "COPY " + " ".join(f"<<E{i}" for i in range(1000)) + " /x\n", "a heredoc to a path of dots": HEAD + f"COPY <<E {UP}{CANARY}/loot\nloot\nE\n",
    "stages in a ring": "FROM b AS a\nFROM a AS b\n", "a stage of itself": "FROM a AS a\n", "COPY from itself": "FROM scratch AS a\nCOPY --from=a /x /y\n", "COPY from a later stage": "FROM scratch AS a\nCOPY --from=b /x /\nFROM scratch AS b\n",
    "COPY of dots": f"FROM scratch\nCOPY {UP}{CANARY}/secret /x\n", "COPY of an absolute path": f"FROM scratch\nCOPY {CANARY}/secret /x\n", "COPY of a glob of dots": "FROM scratch\nCOPY ../*/secret /x\n",
    "COPY to dots": f"FROM scratch\nCOPY a {UP}{CANARY}/\n", "COPY from a number beyond": "FROM scratch\nCOPY --from=99999999999999999999 /x /\n", "COPY --from=-1": "FROM scratch\nCOPY --from=-1 /x /\n",
    "ADD of file://": f"FROM scratch\nADD file://{CANARY}/secret /x\n", "ADD of a socket": "FROM scratch\nADD unix:///run/x /x\n", "ADD of ssh with an option": "FROM scratch\nADD git@-oProxyCommand=touch:x.git /x\n",
    "ADD of git with an option": "FROM scratch\nADD git://-x/y.git /x\n", "ADD of ext::": "FROM scratch\nADD ext::sh.git /x\n",
    "WORKDIR of dots": f"FROM scratch\nWORKDIR {UP}{CANARY}\nCOPY a b\n", "USER of nonsense": HEAD + "USER \x01:\x02\n", "VOLUME of dots": HEAD + f"VOLUME {UP}x\n",
    "a variable of itself": "FROM scratch\nARG a=$a$a\nENV a=$a$a\nCOPY a /\n", "variables that double 40 times": "FROM scratch\nENV a0=xxxxxxxxxxxxxxxx\n" + "".join(f"ENV a{i + 1}=$a{i}$a{i}\n" for i in range(40)) + "COPY a /\n",
    "variables nested 1,000 deep": "FROM scratch\nENV a=" + "${x:-" * 1000 + "y" + "}" * 1000 + "\n", "variables nested 30,000 deep in FROM": "FROM " + "${x:-" * 10000 + "y" + "}" * 10000 + "\n",
    "a pattern that backtracks": "FROM scratch\nENV a=" + "a" * 5000 + "\nENV b=${a/" + "*a" * 30 + "*b/x}\n", "the caller's environment": "FROM scratch\nENV a=$HOSTILE_SECRET\nLABEL b=${HOSTILE_SECRET}\nCOPY a /\n",
    "an ARG of the caller's environment": "FROM scratch\nARG HOSTILE_SECRET\nENV a=$HOSTILE_SECRET\nCOPY a /\n", "a name of escapes": "FROM scratch AS \x1b[2J\n", "FROM an option": "FROM --platform=$(touch /x) scratch\n",
    "FROM a name of dots": "FROM ../../x\n", "FROM a name of 100 KB": "FROM " + "a" * 60000 + "\n", "a platform of nonsense": "FROM --platform=a/b/c/d/e scratch\n",
    "a syntax directive to nowhere": "# syntax=127.0.0.1:1/acme/frontend:1\n" + HEAD, "a syntax directive of the host": f"# syntax={CANARY}/secret\n" + HEAD, "an escape directive of nonsense": "# escape=xx\n" + HEAD,
    "an escape directive twice": "# escape=`\n# escape=\\\n" + HEAD, "a check directive of nonsense": "# check=skip=\x00;error=maybe\n" + HEAD,
    "ONBUILD in ONBUILD": "FROM scratch\nONBUILD ONBUILD ENV a=b\n", "JSON that is deep": HEAD + "CMD " + "[" * 20000 + "\n", "JSON of a NUL": HEAD + 'CMD ["a\\u0000b"]\n', "JSON of half a surrogate": HEAD + 'CMD ["\\ud800"]\n',
    "RUN with a mount of the host": f"FROM scratch\nRUN --mount=type=bind,source={CANARY},target=/x true\n", "RUN with a mount of dots": f"FROM scratch\nRUN --mount=type=bind,source={UP}{CANARY},target=/x true\n",
    "RUN with a mount of a type that is none": "FROM scratch\nRUN --mount=type=host true\n", "RUN with a cache id of dots": f"FROM scratch\nRUN --mount=type=cache,id={UP}x,target=/x true\n",
    "RUN with a secret that is not given": "FROM scratch\nRUN --mount=type=secret,id=x,required=true true\n", "RUN with a mount over /": "FROM scratch\nRUN --mount=type=tmpfs,target=/ true\n",
    "RUN that is insecure": "FROM scratch\nRUN --security=insecure true\n", "RUN with a tmpfs of 2^70": "FROM scratch\nRUN --mount=type=tmpfs,target=/x,size=1180591620717411303424 true\n",
    "RUN without a program": "FROM scratch\nRUN [\"/nothing\"]\n", "EXPOSE of a million ports": HEAD + "EXPOSE 1-99999999\n", "HEALTHCHECK of nonsense": HEAD + "HEALTHCHECK --interval=-1h CMD x\n",
    "STOPSIGNAL of nonsense": HEAD + "STOPSIGNAL 99999999999\n", "SHELL of nothing": HEAD + "SHELL []\n", "COPY --chmod of nonsense": HEAD + "COPY --chmod=99999 a /\n", "COPY --chown out of bounds": HEAD + "COPY --chown=99999999999:1 a /\n",
    "COPY --exclude without an end": HEAD + "COPY --exclude=[ a /\n", "INCLUDE of the host": f"INCLUDE {CANARY}/secret\n" + HEAD, "an instruction of 60,000 letters": "F" * 60000 + "\n",
}
IGNORES = {"nothing": "", "everything": "**\n", "100,001 patterns": "a\n" * 100001, "a NUL": "a\0b\n", "patterns that backtrack": ("*a" * 200 + "b\n") * 50, "stars": "**/" * 5000 + "x\n", "an open bracket": "[\n", "dots": f"{UP}{CANARY}\n",
           "an exclamation mark": "!\n", "a class of everything": "[\x00-\xff]\n", "no UTF-8": b"\xff\xfe\n", "17 MiB": "#" * (17 << 20), "the Dockerfile": "Dockerfile\n", "a backslash at the end": "a\\\n"}


def dockerfile(text):
    def runs(stand):
        stand.write("context/Dockerfile", text)
        stand.write("context/a", "a" * 500)
        yield Run("build", ["build", "-o", "type=local,dest=out", "context"])
        yield Run("check", ["check", "context"])
        yield Run("standard input", ["build", "-o", "type=local,dest=out2", "-f", "-", "context"], stdin=text if isinstance(text, bytes) else text.encode())
    return runs


def ignore(text):
    def runs(stand):
        stand.write("context/Dockerfile", "FROM scratch\nCOPY . /\n")
        stand.write("context/.dockerignore", text)
        stand.write("context/" + "a" * 200, "a")
        stand.write("context/b/c/d", "a")
        yield Run("build", ["build", "-o", "type=local,dest=out", "context"])
    return runs


def context(make, dockerfile="FROM scratch\nCOPY . /d/\n"):
    """A context that the author of a pull request may make: links, devices, odd names."""
    def runs(stand):
        stand.write("context/Dockerfile", dockerfile)
        make(stand.folder / "context")
        yield Run("build", ["build", "-o", "type=local,dest=out", "context"])
    return runs


def cases():
    import os
    import socket
    for name, text in ROWS.items():
        yield Case("Dockerfiles", name, dockerfile(text))
    for name, text in IGNORES.items():
        yield Case("ignore files", name, ignore(text))
    link = lambda name, target: lambda folder: os.symlink(target, folder / name)

    def replaced(name, target):
        def make(folder):
            (folder / name).unlink(missing_ok=True)
            os.symlink(target, folder / name)
        return make

    def is_socket(folder):
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(folder / "s"))

    for name, make in (("a link to the host's file", link("l", f"{CANARY}/secret")), ("a link to the host's folder", link("l", CANARY)), ("a link of dots", link("l", f"{UP}{CANARY}/secret")), ("a link to itself", link("l", "l")),
                       ("a FIFO", lambda folder: os.mkfifo(folder / "f")), ("a device", lambda folder: os.mknod(folder / "n", 0o20644, os.makedev(1, 5))), ("a socket", is_socket),
                       ("a Dockerfile that is a link to the host", replaced("Dockerfile", f"{CANARY}/secret")), ("a Dockerfile that is a device", replaced("Dockerfile", "/dev/zero")),
                       ("an ignore file that is a link to the host", link(".dockerignore", f"{CANARY}/secret")), ("an ignore file that is a device", link(".dockerignore", "/dev/zero")),
                       ("an ignore file that is a FIFO", lambda folder: os.mkfifo(folder / ".dockerignore")), ("a sparse file of 1 TiB", lambda folder: (folder / "s").touch() or os.truncate(folder / "s", 1 << 40)),
                       ("names of bytes", lambda folder: (folder / "\udcff\udcfe").touch())):
        yield Case("contexts", name, context(make))
    for line in (f"COPY l/secret /x", "COPY l /x", "COPY l/ /x/", "ADD l /x"):
        yield Case("contexts", f"a link to the host's folder and {line}", context(link("l", CANARY), f"FROM scratch\n{line}\n"))
    for line in ("COPY l /x", "ADD l /x", "COPY l* /x/"):
        yield Case("contexts", f"a link to the host's file and {line}", context(link("l", f"{CANARY}/secret"), f"FROM scratch\n{line}\n"))
