#!/usr/bin/env python3
"""kiln for who is not root, and in containers: the rows of the tables in docs/rootless.md."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import harness
from build_failure_shell_test import Terminal
from tests.support import user_namespace
from tests.support.layout_writer import busybox_layer, write_layout
from tests.support.plain_user import NOBODY, AsNobody, need_user_namespaces, words_for_nobody

HELP_FOR_IDS = "run 'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 nobody'"


class Rootless(AsNobody, harness.KilnTest):
    """Builds upon `base`, whose files are of several users, and `own`, whose files are all root's."""

    def setUp(self):
        super().setUp()
        self.tiny_base()
        write_layout(self.folder / "own", [busybox_layer()], name="own")

    def build(self, text, *words, **options):
        self.write("app/Dockerfile", text)
        self.write("app/f", "x\n")
        return self.kiln("build", "--no-cache", "--progress=plain", "--build-context", f"base=oci-layout://{self.folder}/base",
                         "--build-context", f"own=oci-layout://{self.folder}/own:own", *words, "app", **options)


class FurtherIds(Rootless):
    """/etc/subuid and /etc/subgid give this user 65536 ids."""

    def test_files_of_other_users_are_as_root_would_have_built_them(self):
        text = """
            FROM base
            RUN echo one > /one && chown app:staff /one && mkdir /home/app/d && chmod 4755 /one
            COPY --chown=1000:50 --chmod=640 f /f
            USER app
            RUN echo three > /home/app/three
        """
        self.build(text, "-o", "type=oci,tar=false,dest=mine")
        harness.KilnTest.kiln(self, "build", "--no-cache", "--build-context", f"base=oci-layout://{self.folder}/base", "-o",
                              "type=oci,tar=false,dest=roots", "app", env={"KILN_HOME": str(self.folder / "roots-home")})
        mine, roots = ({path: (file.type, file.mode, file.uid, file.gid) for path, file in self.layout_image(self.folder / name).files().items()}
                       for name in ("mine", "roots"))
        self.assertEqual(mine, roots)
        self.assertEqual(mine["one"][2:], (1000, 50))

    def test_mounts_secrets_networks_and_limits_work(self):
        self.write("secret", "text\n")
        self.build("""
            FROM base
            RUN --mount=type=cache,target=/c --mount=type=secret,id=s --mount=type=tmpfs,target=/t --mount=target=/ctx \\
                echo x > /c/x && test -s /run/secrets/s && touch /t/x && test -f /ctx/f
            RUN --network=none test "$(ls /sys/class/net)" = lo
            RUN test "$(ulimit -n)" = 77
        """, "--secret", "id=s,src=secret", "--ulimit", "nofile=77:77", "-o", "type=oci,dest=out.tar")

    def test_a_run_has_no_cgroup_of_its_own_and_doctor_says_so(self):
        self.assertRegex(self.kiln("doctor", code=None).stdout, "ok +cgroups +.*, not writable: containers run without a cgroup of their own")

    def test_an_insecure_run_has_what_its_user_namespace_has(self):
        said = self.build("FROM base\nRUN --security=insecure mount -t tmpfs none /opt && echo moun''ted; mknod /d b 8 0 || echo no''node\n",
                          "--allow", "security.insecure", "-o", "type=oci,dest=out.tar").stderr
        self.assertIn("mounted", said)
        self.assertIn("nonode", said)

    def test_the_examples_of_the_readme(self):
        """All but those that ask other machines; a registry on loopback stands for ghcr.io."""
        self.need_programs("git", "openssl")
        server = self.registry()
        namespace = f"{server.address}/acme"
        self.write("images/fleet.json", json.dumps({"registry": server.address, "namespace": "acme", "profiles": ["mainpc", "pc2"],
                                                    "profiles_folder": "../profiles", "repository": "{image}-{profile}"}))
        for profile, threads in (("mainpc", "8"), ("pc2", "2")):
            self.write(f"profiles/{profile}.json", json.dumps({"OMP_NUM_THREADS": threads}))
        for name, kind, text in (
                ("base-os", "base", 'FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "/bin"]\n'),
                ("memory-fusion-hub", "service", "FROM base-os\nARG OMP_NUM_THREADS\nRUN echo $OMP_NUM_THREADS > /threads\n"
                 'HEALTHCHECK --interval=1s CMD test -f /threads\nCMD ["sleep", "60"]\n')):
            self.write(f"images/{name}/Dockerfile", text)
            self.write(f"images/{name}/Dockerfile.legacy", "FROM scratch\nCOPY Dockerfile /\n")
            self.write(f"images/{name}/image.json", json.dumps({"kind": kind, "baseline": {"dockerfile": "Dockerfile.legacy"}}))
        shutil.copy(shutil.which("busybox"), self.folder / "images/base-os/busybox")
        self.write("shop/app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        self.write("app/Dockerfile", "FROM base\nRUN echo x > /x\nCOPY f /f\n")
        self.write("app/f", "x")
        image, service = f"{namespace}/app:1", f"{namespace}/memory-fusion-hub-mainpc:latest"
        self.run_program("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.folder / "key.pem")
        self.run_program("openssl", "ec", "-in", self.folder / "key.pem", "-pubout", "-out", self.folder / "key.pub")
        base = ("--build-context", f"base=oci-layout://{self.folder}/base")
        examples = (
            "bake --print", "plan", "bake --progress plain --trace trace.json", "bake memory-fusion-hub --profile pc2 --push", "bake --push",
            "bake --network-log", f"bake --cache-to type=registry,ref={namespace}/cache", f"bake --cache-from type=registry,ref={namespace}/cache",
            "ci init", "baseline", "report", "report --format markdown", "report --against :latest --format markdown",
            "profile diff mainpc pc2 memory-fusion-hub", "why memory-fusion-hub", "advise", "policy check",
            ("build", *base, "-t", image, "--push", "app"), ("build", *base, "-o", "type=oci,dest=app.tar", "app"),
            ("build", *base, "--layers", "package", "app"), ("build", *base, "--sbom=true", "-t", image, "--push", "app"),
            f"sbom {image}", f"layers {image}", f"sign {image} --key key.pem", f"verify {image} --key key.pub", "cache du", "cache verify",
            "cache prune --force", "prune --registry", f"test {service}", "release create v2026.11.20", "release verify v2026.11.20",
            "lock --update", "doctor")
        self.run_program("git", "-c", "init.defaultBranch=main", "init", "--quiet", self.folder)
        for example in examples:
            words = example.split() if isinstance(example, str) else example
            with self.subTest(" ".join(map(str, words))):
                self.kiln(*words)
        with self.subTest("init"):
            self.kiln("init", cwd=self.folder / "shop")


    def test_logins_releases_pins_and_rollbacks(self):
        server = self.registry(user=("kiln", "a word"))
        self.write("images/fleet.json", json.dumps({"registry": server.address, "namespace": "acme", "tags": ["latest"]}))
        self.write("images/app/Dockerfile", "FROM scratch\nCOPY f /f\n")
        self.write("images/app/image.json", json.dumps({"kind": "service", "dockerfile": "Dockerfile", "context": "."}))
        self.write("images/app/f", "one")
        name = f"{server.address}/acme/app"
        self.kiln("bake", "--push", code=3)
        self.kiln("login", server.address, "-u", "kiln", "--password-stdin", stdin="a word")
        self.assertEqual((self.folder / ".docker/config.json").stat().st_mode & 0o777, 0o600)
        self.kiln("bake", "--push")
        self.kiln("release", "create", "v1")
        first = self.kiln("digest", name + ":latest").stdout.strip()
        self.write("images/app/f", "two")
        self.kiln("bake", "--push")
        self.assertNotEqual(self.kiln("digest", name + ":latest").stdout.strip(), first)
        compose = self.write("compose.yaml", f"services:\n  app:\n    image: {name}:latest\n", mode=0o640)
        self.kiln("compose", "pin", "compose.yaml", "--release", "v1")
        self.assertIn(f"{name}:latest@{first}", compose.read_text())
        self.assertEqual((compose.stat().st_uid, compose.stat().st_mode & 0o777), (NOBODY, 0o640))
        self.kiln("rollback", "v1")
        self.assertEqual(self.kiln("digest", name + ":latest").stdout.strip(), first)
        self.kiln("logout", server.address)
        self.kiln("push", name + ":latest", code=3)

    def test_a_base_of_debian_packages_is_as_root_would_have_built_it(self):
        self.need_programs("mmdebstrap")
        try:
            socket.create_connection(("deb.debian.org", 80), timeout=10).close()
        except OSError:
            self.skipTest("Debian's packages cannot be reached from here")
        self.write("images/fleet.json", json.dumps({"registry": "ghcr.io", "namespace": "acme", "tags": ["latest"]}))
        self.write("images/os/image.json", json.dumps({"kind": "base", "debian": {"suite": "bookworm", "variant": "essential", "include": ["ca-certificates"]}}))
        self.assertIn("locked 'os'", self.kiln("lock", "--update").stderr)
        self.kiln("bake", "--set", "*.output=type=oci,tar=false,dest=mine")
        harness.KilnTest.kiln(self, "bake", "--set", "*.output=type=oci,tar=false,dest=roots", env={"KILN_HOME": str(self.folder / "roots-home")}, timeout=300)
        mine, roots = (self.layout_image(self.folder / name).digest for name in ("mine", "roots"))
        self.assertEqual(mine, roots)

    def test_a_shell_opens_where_a_run_failed(self):
        self.write("app/Dockerfile", "FROM base\nRUN echo left > /left && exit 3\n")
        self.give_away()
        terminal = Terminal(self, "build", "--no-cache", "--on-error=shell", "--build-context", f"base=oci-layout://{self.folder}/base", "app",
                            before=words_for_nobody(self.folder))
        terminal.wait_for("# ")
        terminal.type("echo it was $(cat /left) of $(id -u)\n")
        terminal.wait_for("it was left of 0")
        terminal.type("exit\n")
        self.assertEqual(terminal.end(), 1)


class OneId(Rootless):
    """/etc/subuid and /etc/subgid have no line for this user."""

    further_ids = ""

    def test_what_needs_no_container_is_built(self):
        self.build("FROM base\nWORKDIR /w\nCOPY --chown=1000:50 f /f\nENV A=1\n", "-o", "type=oci,tar=false,dest=out")
        file = self.layout_image(self.folder / "out").files()["f"]
        self.assertEqual((file.uid, file.gid), (1000, 50))

    def test_a_run_is_refused_with_the_line_that_helps(self):
        said = self.build("FROM base\nRUN true\n", "-o", "type=oci,dest=out.tar", code=4).stderr
        self.assertIn("Dockerfile:2: RUN is not possible on this machine (user namespace): /etc/subuid and /etc/subgid give user 'nobody' "
                      "fewer than 65535 further ids; " + HELP_FOR_IDS, said)
        self.assertIn(HELP_FOR_IDS, self.kiln("doctor", code=None).stdout)


class MappedRoot(OneId):
    """Who is not root calls kiln as root of a user namespace of one id: `unshare --user --map-root-user kiln`."""

    inner_words = ("unshare", "--user", "--map-root-user")

    def test_a_run_is_refused_with_the_line_that_helps(self):
        said = self.build("FROM base\nRUN true\n", "-o", "type=oci,dest=out.tar", code=4).stderr
        self.assertIn("to 1000:1001: this user namespace has no such ID; let it have more IDs", said)

    def test_a_run_upon_files_of_one_user_works(self):
        self.build("FROM own\nRUN /bin/busybox test $(/bin/busybox id -u) = 0\n", "-o", "type=oci,dest=out.tar")


class NoUserNamespaces(OneId):
    """user.max_user_namespaces is 0, in a namespace of the test's own."""

    further_ids = "nobody:100000:65536\n"
    outer_words = (sys.executable, user_namespace.__file__, "200000", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh")

    def test_a_run_is_refused_with_the_line_that_helps(self):
        said = self.build("FROM base\nRUN true\n", "-o", "type=oci,dest=out.tar", code=4).stderr
        self.assertIn("RUN is not possible on this machine (user namespace): no more user namespaces are allowed here (no space left on device); "
                      "run 'sudo sysctl -w user.max_user_namespaces=15000', or kiln as root", said)


class InContainers(harness.KilnTest):
    """kiln in a container: a RUN of kiln's own has docker's capabilities and filter, `--security=insecure` has what --privileged has."""

    def setUp(self):
        super().setUp()
        self.tiny_base()
        self.need_programs("runc", "newuidmap", "newgidmap", "ldd")
        if "ASAN_OPTIONS" in os.environ:
            self.skipTest("a kiln with sanitizers would not have its options in the container")
        root = self.folder / "container/root"
        for program in (harness.kiln_binary(), shutil.which("runc"), shutil.which("newuidmap"), shutil.which("newgidmap")):
            listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
            libraries = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
            name = "kiln" if program == harness.kiln_binary() else Path(program).name
            for path, target in [(program, f"usr/bin/{name}"), *((library, library.lstrip("/")) for library in libraries)]:
                (root / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(path).resolve(), root / target)
        shutil.copytree(self.folder / "base", root / "base")
        for name in ("subuid", "subgid"):
            self.write(f"container/root/etc/{name}", "app:100000:65536\n")
        self.write("container/root/run/Dockerfile", "FROM base\nRUN id && echo in''ner\n")
        self.write("container/root/copy/Dockerfile", "FROM base\nCOPY Dockerfile /f\n")

    def in_container(self, user, *, insecure=False, home="/of-all"):
        """What kiln says, as this user of a container, of `doctor`, a build with a RUN, and one without; and their exit codes."""
        build = "kiln build --no-cache --progress=plain --build-context base=oci-layout:///base -o type=oci,dest=/of-all/out.tar"
        self.write("container/Dockerfile", f"""
            FROM base
            COPY root /
            RUN chmod 4755 /usr/bin/newuidmap /usr/bin/newgidmap
            USER {user}
            RUN {'--security=insecure' if insecure else ''} --mount=type=tmpfs,target=/of-all \\
                export HOME=/of-all KILN_HOME={home}/kiln; kiln doctor; for each in run copy; do {build} /$each; echo "$each ended with $?"; done
        """)
        allowed = ("--allow", "security.insecure") if insecure else ()
        return self.kiln("build", "--progress=plain", "--ca-bundle=none", "--build-context", f"base=oci-layout://{self.folder}/base",
                         *allowed, "-o", "type=oci,dest=out.tar", "container", timeout=300).stderr

    def test_root_of_a_container_is_told_of_privileges(self):
        said = self.in_container("root")
        self.assertIn("kiln is root without CAP_SYS_ADMIN: start the container that it runs in with --privileged", said)
        self.assertNotIn("apt-get install runc", said)
        self.assertIn("run ended with 4", said)
        self.assertIn("copy ended with 0", said)

    def test_a_user_of_a_container_is_told_what_the_container_refuses(self):
        said = self.in_container("app")
        self.assertIn("the container that kiln runs in refuses user namespaces (operation not permitted); start it with '--security-opt "
                      "seccomp=unconfined --security-opt apparmor=unconfined'", said)
        self.assertIn("run ended with 4", said)
        self.assertIn("copy ended with 0", said)

    def test_a_privileged_container_runs_all_of_it_for_root_and_others(self):
        need_user_namespaces(self)
        for user in ("root", "app"):
            with self.subTest(user):
                said = self.in_container(user, insecure=True)
                self.assertRegex(said, r"(?m) inner$")
                self.assertIn("run ended with 0", said)
                self.assertIn("copy ended with 0", said)

    def test_a_home_on_the_containers_own_files_is_refused_by_name(self):
        said = self.in_container("root", insecure=True, home="/var")
        self.assertIn("let KILN_HOME (now '/var/kiln') be a folder on ext4, xfs, btrfs or tmpfs, such as a volume", said)
        self.assertIn("run ended with 4", said)
        self.assertIn("copy ended with 0", said)


if __name__ == "__main__":
    harness.main()
