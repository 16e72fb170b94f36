#!/usr/bin/env python3
"""Where credentials come from, end to end, each against a registry that wants them; and that they stand nowhere to be seen."""

import base64
import json
import os

import harness
from tests.support.token_server import TokenServer

CANARY = "canary-5d20aa"

# A credential helper: keeps logins in a file beside it, and writes down how it was called and what everybody's command lines were.
HELPER = """\
#!/usr/bin/env python3
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
kept = folder / "kept.json"
logins = json.loads(kept.read_text()) if kept.exists() else {}
with open(folder / "calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
with open(folder / "seen", "a") as seen:
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            seen.write(f"{(process / 'cmdline').read_text(errors='replace')}\\n")
        except OSError:
            pass
verb, text = sys.argv[1], sys.stdin.read()
if verb == "get":
    if text.strip() not in logins:
        print("credentials not found in native keychain")
        sys.exit(1)
    print(json.dumps(logins[text.strip()]))
elif verb == "store":
    login = json.loads(text)
    logins[login["ServerURL"]] = login
elif verb == "erase":
    logins.pop(text.strip(), None)
kept.write_text(json.dumps(logins))
"""


class Sources(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.server = self.registry(user=("kiln", CANARY))
        self.name = f"{self.server.address}/acme/app:1"
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /a\n")
        self.write("app/a", "first" * 1000)
        self.kiln("build", "-t", self.name, "app")

    def kiln(self, *args, **options):
        result = super().kiln(*args, **options)
        for secret in (CANARY, self.basic()):
            self.assertNotIn(secret, result.output)
        return result

    def basic(self):
        return base64.b64encode(f"kiln:{CANARY}".encode()).decode()

    def auths(self):
        return json.dumps({"auths": {self.server.address: {"auth": self.basic()}}})

    def push(self, **env):
        self.kiln("push", self.name, env=env)
        self.assertEqual(self.pushed_image(self.name, user=("kiln", CANARY)).digest, self.stored_image(self.name).digest)

    def test_without_any_nothing_is_pushed(self):
        self.assertIn("kiln login", self.kiln("push", self.name, code=3).stderr)

    def test_the_environment(self):
        self.push(DOCKER_AUTH_CONFIG=self.auths())

    def test_the_config_folder_of_docker(self):
        self.write("elsewhere/config.json", self.auths())
        self.push(DOCKER_CONFIG=self.folder / "elsewhere")

    def test_the_auth_file_of_podman_and_its_friends(self):
        self.write("run/containers/auth.json", self.auths())
        self.push(XDG_RUNTIME_DIR=self.folder / "run")

    def test_what_skopeo_logged_in_with(self):
        self.need_programs("skopeo")
        file = self.folder / "auth.json"
        self.run_program("skopeo", "login", "--tls-verify=false", "--authfile", file, "-u", "kiln", "--password-stdin", self.server.address, stdin=CANARY)
        self.push(REGISTRY_AUTH_FILE=file)

    def test_the_token_of_a_workflow_goes_to_no_other_registry(self):
        self.kiln("push", self.name, env={"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "kiln", "GITHUB_TOKEN": CANARY}, code=3)

    def helper(self, config):
        self.write("bin/docker-credential-cellar", HELPER, mode=0o755)
        self.write(".docker/config.json", json.dumps(config))
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def seen_by_helper(self):
        return (self.folder / "bin/seen").read_text()

    def check_helper(self, config):
        path = self.helper(config)
        self.kiln("push", self.name, env=path, code=3)
        self.kiln("login", self.server.address, "-u", "kiln", "--password-stdin", stdin=CANARY, env=path)
        self.assertNotIn(self.basic(), (self.folder / ".docker/config.json").read_text())
        self.assertNotIn(CANARY, (self.folder / ".docker/config.json").read_text())
        self.push(**path)
        self.kiln("logout", self.server.address, env=path)
        self.kiln("push", self.name, env=path, code=3)
        calls = (self.folder / "bin/calls").read_text().split()
        self.assertEqual({"get", "store", "erase"}, set(calls))
        self.assertIn("kiln\0push", self.seen_by_helper())
        self.assertNotIn(CANARY, self.seen_by_helper())

    def test_a_helper_for_all_registries(self):
        self.check_helper({"credsStore": "cellar"})

    def test_a_helper_for_this_registry(self):
        self.check_helper({"credsStore": "missing", "credHelpers": {self.server.address: "cellar"}})

    def test_a_helper_that_is_not_there_is_named(self):
        self.write(".docker/config.json", json.dumps({"credsStore": "missing"}))
        self.assertIn("docker-credential-missing", self.kiln("push", self.name, code=4).stderr)


class IdentityTokens(harness.KilnTest):
    def test_an_identity_token_is_exchanged_at_the_token_server(self):
        self.need_programs("openssl")
        tokens = TokenServer(self.folder, "kiln", "another word")
        tokens.identity = CANARY
        tokens.start()
        self.addCleanup(tokens.stop)
        server = self.registry(token=tokens)
        name = f"{server.address}/acme/app:1"
        self.write("app/Dockerfile", "FROM scratch\nCOPY a /a\n")
        self.write("app/a", "first" * 1000)
        self.kiln("build", "-t", name, "app")
        config = self.folder / ".docker/config.json"
        for login in ({"identitytoken": CANARY}, {"auth": base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode(), "identitytoken": CANARY}):
            self.write(".docker/config.json", json.dumps({"auths": {server.address: login}}))
            result = self.kiln("push", name)
            self.assertEqual(self.kiln("digest", name).stdout.strip(), self.stored_image(name).digest)
            self.assertNotIn(CANARY, result.output)
        self.assertIn("repository:acme/app:pull,push", tokens.scopes)
        config.write_text(json.dumps({"auths": {server.address: {"identitytoken": CANARY + "x"}}}))
        refused = self.kiln("push", name, code=3)
        self.assertNotIn(CANARY, refused.output)


if __name__ == "__main__":
    harness.main()
