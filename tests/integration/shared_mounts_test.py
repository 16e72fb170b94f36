#!/usr/bin/env python3
"""Cache mounts that travel: a fresh machine's pip downloads no wheel that another machine has downloaded before."""

import json
import os
import sys
import shutil

import harness
from shared_cache_test import Machines

from tests.support.ci_runner import CiRunner
from tests.support.http_cache import BazelRemote
from tests.support.wheel_index import WheelIndex, make_wheel

SECRET = "s3cr3t-of-the-registry"


class SharedMounts(Machines):
    """Machines whose RUN downloads wheels into a cache mount, as pip does: what is there is not downloaded again."""

    def setUp(self):
        super().setUp()
        wheels = self.folder / "wheels"
        wheels.mkdir()
        for number in range(3):
            make_wheel(wheels, f"part-{number}", "1.0", {"part.py": os.urandom(200_000).hex()})
        self.index = WheelIndex(wheels)
        self.index.__enter__()
        self.addCleanup(self.index.__exit__)
        self.write("repo/images/wheels/image.json", '{"kind": "base", "profiles": []}')
        self.write("secret", SECRET)

    def use_mounts(self, reference, share=True, **more):
        self.settings["cache_mounts"] = "share" if share else "local"
        self.use_cache(reference, **more)

    def wheels(self, *names, extra="", mount="target=/var/cache/wheels"):
        """The RUN that has these wheels; its text changes with them."""
        host = f"http://127.0.0.1:{self.index.port}/wheels"
        fetch = " && ".join(f"{{ [ -e /var/cache/wheels/{name} ] || wget -q -O /var/cache/wheels/{name} {host}/{name}; }}" for name in names)
        self.write("repo/images/wheels/Dockerfile", f"FROM base\nRUN --mount=type=cache,{mount} {extra} {fetch} && touch -d @1000000000 /done /\n")

    def bake_wheels(self, machine, ports=(), **more):
        self.index.fetched.clear()
        with CiRunner([int(self.images.address.split(":")[1]), self.index.port, *ports]) as runner:
            _, report, output = self.bake(machine, targets=("wheels",), push=False, runner=runner, **more)
        return report, output, list(self.index.fetched)

    NAMES = [f"part_{number}-1.0-py3-none-any.whl" for number in range(3)]

    def check_travels(self, reference, ports=()):
        self.use_mounts(reference)
        self.wheels(*self.NAMES[:2])
        _, _, fetched = self.bake_wheels("first", ports)
        self.assertEqual(sorted(fetched), self.NAMES[:2])
        # Another step, another machine: only the wheel that is new is downloaded.
        self.wheels(*self.NAMES)
        report, output, fetched = self.bake_wheels("second", ports)
        self.assertEqual(fetched, self.NAMES[2:], output)
        self.assertIn("cache mount", {item["what"] for item in report["fetched"]})
        # And what it added is there for a third.
        self.wheels(*reversed(self.NAMES))
        _, output, fetched = self.bake_wheels("third", ports)
        self.assertEqual(fetched, [], output)

    def test_through_a_registry(self):
        self.check_travels(f"type=registry,ref={self.images.address}/acme/cache")

    def test_through_an_http_cache(self):
        with BazelRemote() as server:
            self.check_travels(f"type=http,url={server.url}", [int(server.address.split(":")[1])])

    def test_through_a_folder(self):
        self.check_travels(f"type=local,dest={self.folder}/cache")

    def test_mounts_stay_where_they_are_unless_the_fleet_says_so(self):
        self.use_mounts(f"type=local,dest={self.folder}/cache", share=False)
        self.wheels(*self.NAMES[:1])
        self.bake_wheels("first")
        self.wheels(*self.NAMES[:1], extra="true &&")
        _, _, fetched = self.bake_wheels("second")
        self.assertEqual(fetched, self.NAMES[:1])

    def test_a_machine_that_only_reads_saves_nothing(self):
        self.use_mounts(f"type=local,dest={self.folder}/cache")
        self.wheels(*self.NAMES[:1])
        self.bake_wheels("first", env={"KILN_CACHE_MODE": "read"})
        self.assertFalse((self.folder / "cache").exists())

    def test_secrets_are_not_in_it(self):
        self.use_mounts(f"type=local,dest={self.folder}/cache")
        self.wheels(*self.NAMES[:1], extra="test -s /var/cache/wheels/token &&",
                    mount="target=/var/cache/wheels --mount=type=secret,id=t,target=/var/cache/wheels/token")
        self.write("repo/images/wheels/image.json",
                   json.dumps({"kind": "base", "profiles": [], "secrets": [{"id": "t", "file": str(self.folder / "secret")}]}))
        self.bake_wheels("first")
        saved = [path for path in (self.folder / "cache").rglob("*") if path.is_file()]
        self.assertTrue(any(b"vnd.kiln.mount" in path.read_bytes() for path in saved))
        for path in saved:
            self.assertNotIn(SECRET.encode(), path.read_bytes(), path)

    def test_a_corrupt_chunk_costs_a_download_and_is_said(self):
        self.use_mounts(f"type=local,dest={self.folder}/cache")
        self.wheels(*self.NAMES[:2])
        self.bake_wheels("first")
        entry = next(path.read_text() for path in (self.folder / "cache/entries").glob("*/*") if "vnd.kiln.mount" in path.read_text())
        for line in entry.splitlines():
            if line.endswith("application/vnd.kiln.chunk.v1"):
                path = self.folder / "cache/blobs/sha256" / line.split()[0].removeprefix("sha256:")
                path.write_bytes(b"\0" * path.stat().st_size)
        self.wheels(*self.NAMES[:2], extra="true &&")
        _, output, fetched = self.bake_wheels("second")
        self.assertEqual(sorted(fetched), self.NAMES[:2])
        self.assertIn("cache mount '/var/cache/wheels' begins empty", output)
        # It is whole again.
        self.wheels(*self.NAMES[:2], extra="true && true &&")
        _, output, fetched = self.bake_wheels("third")
        self.assertEqual(fetched, [], output)


class Pip(Machines):
    """The same with pip itself, in an image of Debian's Python, where the packages can be had."""

    def test_a_fresh_machine_downloads_no_wheel_again(self):
        python = next((path for path in ("/usr/lib/python3.11", "/usr/lib/python3") if os.path.isdir(path + "/ensurepip")), None)
        if sys.version_info[:2] != (3, 11) or python is None:
            self.skipTest("needs Debian's python3.11 with python3-venv")
        self.need_programs("openssl")
        wheels = self.folder / "wheels"
        wheels.mkdir()
        make_wheel(wheels, "part", "1.0", {"part.py": os.urandom(200_000).hex()})
        root = self.folder / "repo/images/python/root"
        self.run_program("/usr/bin/python3", "-m", "venv", "--copies", self.folder / "venv")
        # The interpreter, its libraries and pip as they are on this machine.
        for path in ("/usr/bin/python3.11", *self.libraries("/usr/bin/python3.11")):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        shutil.copytree("/usr/lib/python3.11", root / "usr/lib/python3.11", symlinks=False, ignore_dangling_symlinks=True,
                        ignore=shutil.ignore_patterns("test", "__pycache__", "config-*", "idlelib", "dist-packages"))
        shutil.copytree(self.folder / "venv/lib/python3.11/site-packages", root / "usr/lib/python3.11/site", ignore=shutil.ignore_patterns("__pycache__"))
        self.write("repo/images/python/image.json", '{"kind": "base", "profiles": []}')
        self.settings["cache_mounts"] = "share"
        self.use_cache(f"type=registry,ref={self.images.address}/acme/cache")
        fetched = {}
        self.run_program("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=index", "-addext",
                         "subjectAltName=IP:127.0.0.1", "-keyout", self.folder / "key.pem", "-out", root / "cert.pem")
        with WheelIndex(wheels, tls=(root / "cert.pem", self.folder / "key.pem")) as index:
            for machine in ("first", "second"):
                self.write("repo/images/python/Dockerfile",
                           "FROM base\nCOPY root /\nENV PYTHONPATH=/usr/lib/python3.11/site\nRUN --mount=type=cache,target=/root/.cache/pip "
                           f"unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE PIP_CERT; HOME=/root /usr/bin/python3.11 -m pip install --cert /cert.pem --index-url {index.url} --target /opt/{machine} part\n")
                with CiRunner([int(self.images.address.split(":")[1]), index.port]) as runner:
                    _, report, output = self.bake(machine, targets=("python",), push=False, runner=runner)
                fetched[machine] = list(index.fetched)
                index.fetched.clear()
        self.assertEqual(fetched["first"], ["part-1.0-py3-none-any.whl"])
        self.assertEqual(fetched["second"], [], output)
        self.assertIn("cache mount", {item["what"] for item in report["fetched"]})

    def libraries(self, program):
        """What a program and Python's own modules are linked with."""
        modules = [str(path) for path in harness.Path("/usr/lib/python3.11/lib-dynload").glob("*.so")]
        found = set()
        for line in self.run_program("ldd", program, *modules).stdout.splitlines():
            words = line.split()
            path = words[2] if "=>" in words and len(words) > 2 else words[0] if words and words[0].startswith("/lib") else ""
            if path.startswith("/") and not path.endswith(":"):
                found.add(path)
        return sorted(found)


if __name__ == "__main__":
    harness.main()
