"""kiln as a user who is not root, in a mount namespace of the test's own: Debian's nobody, with the further ids a test gives."""

import os
from pathlib import Path

import harness

NOBODY = 65534
FURTHER_IDS = "nobody:100000:65536\n"
PROGRAMS = ("unshare", "setpriv", "newuidmap", "newgidmap")
# newuidmap reads /etc/subuid by that name.
_SCRIPT = """mount --make-rprivate / && mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift &&
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
"""


def words_for_nobody(folder, further_ids=FURTHER_IDS):
    """What stands before a program's words. `folder` is a folder of the test's; what the program reads must be readable."""
    ids = Path(folder) / "further-ids"
    ids.write_text(further_ids, encoding="ascii")
    ids.chmod(0o644)
    return ["unshare", "--mount", "sh", "-c", _SCRIPT, "sh", str(ids)]


def need_user_namespaces(test):
    """Skips the test where this machine lets only root make user namespaces."""
    test.need_root()
    test.need_programs(*PROGRAMS)
    tried = test.run_program("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "unshare", "--user", "true", cwd="/", code=None)
    if tried.code != 0:
        test.skipTest(f"users may make no user namespaces here: {tried.stderr.strip()}")


class AsNobody:
    """Beside a KilnTest: kiln() runs as nobody, who owns all below self.folder that is not kiln's own already.

    outer_words stand before the words that make the process nobody's, inner_words behind them."""

    further_ids = FURTHER_IDS
    outer_words = ()
    inner_words = ()

    def setUp(self):
        super().setUp()
        need_user_namespaces(self)

    def give_away(self):
        self.folder.chmod(0o755)
        os.chown(self.folder, NOBODY, NOBODY)
        for path in self.folder.iterdir():
            if path != self.home:
                self.run_program("chown", "-R", "--no-dereference", f"{NOBODY}:{NOBODY}", path)

    def kiln(self, *args, code=0, env=None, cwd=None, stdin=None, timeout=300):
        before = [*self.outer_words, *words_for_nobody(self.folder, self.further_ids), *self.inner_words]
        self.give_away()
        result = harness.run([*before, harness.kiln_binary(), *args], env=self.environment(**(env or {})), cwd=cwd or self.folder,
                             stdin=stdin, timeout=timeout)
        if code is not None and result.code != code:
            self.fail(f"expected exit code {code}\n{result}")
        return result
