#!/usr/bin/env python3
"""The policy of a fleet: each rule denied and satisfied, nothing pushed after a denial, findings as SARIF and annotations."""

import json
import re
import shutil

import harness


KEEPS = "USER 1000\nHEALTHCHECK CMD true\n"
OLD = "1577836800"  # 2020-01-01


class Policy(harness.KilnTest):
    """One service, app, on a base at a registry."""

    counts_what_is_pushed = True

    def setUp(self):
        super().setUp()
        self.server = self.registry(delete=True)
        self.at = self.server.address
        self.base = f"{self.at}/bases/base:1"
        self.write("base/file", "base\n")
        self.write("base/Dockerfile", "FROM scratch\nCOPY file /\n")
        self.write("images/app/image.json", '{"kind": "service"}')
        self.write("images/app/app.txt", "app\n")
        self.publish()
        self.dockerfile(f"FROM {self.base}\nCOPY app.txt /\n" + KEEPS)

    def publish(self, name=None, created=None):
        """The base, by another machine; its digest."""
        name = name or self.base
        env = {"KILN_HOME": str(self.folder / "publisher"), "SOURCE_DATE_EPOCH": created}
        self.kiln("build", "-q", "-t", name, "--push", "--fleet-policy", "none", "base", env=env)
        return self.kiln("digest", name).stdout.strip()

    def dockerfile(self, text):
        self.write("images/app/Dockerfile", text)

    def policy(self, **rules):
        self.write("images/fleet.json", json.dumps({"registry": self.at, "namespace": "acme", "tags": ["latest"], "policy": rules}, indent=1))

    def tags(self, repository="acme/app"):
        status, _, body = self.server.get(f"/v2/{repository}/tags/list")
        return set(json.loads(body)["tags"] or []) if status == 200 else set()

    def assert_denied(self, rule, place, what, **options):
        """The bake fails and pushes nothing; what it said."""
        result = self.kiln("bake", "--push", code=1, **options)
        self.assertIn("denied by the policy", result.stderr)
        self.assertRegex(result.stderr, rf"(?m){re.escape(place)}: {rule}: .*{what}")
        self.assertEqual(self.tags(), set())
        self.assertNotIn(f"{self.at}/acme/app", self.kiln("images").stdout)
        return result

    def assert_kept(self):
        result = self.kiln("bake", "--push")
        self.assertNotIn("policy", result.stderr)
        self.assertEqual(self.tags(), {"latest"})
        return result

    def check(self, *words, code=0):
        return json.loads(self.kiln("policy", "check", "--format", "json", *words, code=code).stdout)

    def rules(self, *words, code=0):
        return [finding["rule"] for finding in self.check(*words, code=code)["findings"]]


class BaseRules(Policy):
    def test_bases_come_from_listed_places(self):
        self.policy(base_source={"level": "deny", "allow": ["ghcr.io", "docker.io/library/*"]})
        denied = self.assert_denied("base_source", "images/app/Dockerfile:1", "is of none of the places that are listed")
        self.assertIn(f"list '{self.at}/bases/base' in \"allow\" (images/fleet.json:", denied.stderr)
        self.policy(base_source={"level": "deny", "allow": [f"{self.at}/bases/*"]})
        self.assert_kept()

    def test_images_of_copy_and_named_contexts_are_bases_too(self):
        self.policy(base_source={"level": "deny", "allow": ["ghcr.io"]})
        self.dockerfile(f"FROM scratch\nCOPY --from={self.base} /file /a\nCOPY --from=other /file /b\n" + KEEPS)
        self.write("images/app/image.json", json.dumps({"kind": "service", "contexts": {"other": f"docker-image://{self.base}"}}))
        result = self.kiln("bake", "--push", code=1)
        self.assertIn("images/app/Dockerfile:2: base_source", result.stderr)
        self.assertEqual(self.tags(), set())

    def test_what_a_trigger_copies_from_is_a_base_of_the_target_that_executes_it(self):
        other = f"{self.at}/other/base:1"
        self.publish(other)
        self.dockerfile(f"FROM {self.base} AS p\nONBUILD COPY --from={other} /file /x\nFROM p\n" + KEEPS)
        for images in (["app"], ["a*"], None):
            rule = {"level": "deny", "allow": [f"{self.at}/bases/*"], **({"images": images} if images else {})}
            self.policy(base_source=rule)
            result = self.kiln("bake", "--push", code=1)
            self.assertIn(f"base_source: base image '{other}' is of none of the places", result.stderr)
            self.assertEqual(self.tags(), set())
        self.policy(base_source={"level": "deny", "allow": [f"{self.at}/bases/*"], "images": ["svc-*"]})
        self.assert_kept()

    def test_bases_are_named_by_digest_or_locked(self):
        self.policy(base_digest={"level": "deny"})
        denied = self.assert_denied("base_digest", "images/app/Dockerfile:1", "is named by a tag")
        digest = self.kiln("digest", self.base).stdout.strip()
        self.assertIn(f"write '{self.base}@{digest}'", denied.stderr)
        self.kiln("lock")
        self.assert_kept()
        (self.folder / "images/kiln.lock").unlink()
        self.dockerfile(f"FROM {self.base}@{digest}\nCOPY app.txt /\n" + KEEPS)
        self.kiln("bake", "--push")

    def test_what_a_build_locks_by_itself_is_not_locked_before_it(self):
        self.policy(base_digest={"level": "deny"})
        for _ in range(2):
            self.assert_denied("base_digest", "images/app/Dockerfile:1", "is named by a tag")
        self.assertFalse((self.folder / "images/kiln.lock").exists())

    def test_bases_are_signed_by_a_listed_key(self):
        self.need_programs("openssl")
        for name in ("key", "other"):
            self.run_program("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.folder / f"{name}.pem")
            self.run_program("openssl", "pkey", "-in", self.folder / f"{name}.pem", "-pubout", "-out", self.folder / f"{name}.pub")
        self.policy(base_signature={"level": "deny", "keys": ["../key.pub"]})
        self.assert_denied("base_signature", "images/app/Dockerfile:1", "has no signature")
        self.kiln("sign", self.base, "--key", "other.pem")
        self.assert_denied("base_signature", "images/app/Dockerfile:1", "none is by one of them")
        offline = self.kiln("policy", "check", "--offline", code=1).stdout
        self.assertIn("its signatures cannot be looked at: --offline", offline)
        self.kiln("sign", self.base, "--key", "key.pem")
        self.assert_kept()
        self.policy(base_signature={"level": "deny", "keys": ["../missing.pub"]})
        self.assertIn("missing.pub", self.kiln("bake", code=2).stderr)

    def test_bases_are_not_older_than_so_many_days(self):
        self.policy(base_age={"level": "deny", "days": 30})
        self.publish(created=OLD)
        self.assert_denied("base_age", "images/app/Dockerfile:1", r"\d+ days old \(of 2020-01-01\), and 30 are allowed")
        self.publish(created="315532800")
        self.assert_denied("base_age", "images/app/Dockerfile:1", "how old .* cannot be told: it states 1980-01-01")
        self.publish()
        self.assert_kept()

    def test_a_base_that_cannot_be_had_is_a_finding_that_says_why(self):
        self.policy(base_digest={"level": "warn"})
        self.dockerfile(f"FROM {self.at}/bases/none:1\n" + KEEPS)
        finding = self.check()["findings"][0]
        self.assertEqual((finding["rule"], finding["level"], finding["file"], finding["line"]), ("base_digest", "warn", "images/app/Dockerfile", 1))
        self.assertIn("cannot be looked at", finding["message"])


class LineRules(Policy):
    def test_lines_with_a_network_are_listed(self):
        self.policy(run_network={"level": "deny", "allow": [{"image": "other"}]})
        self.dockerfile(f"FROM {self.base}\nRUN --network=none make\nRUN wget \\\n http://x\n" + KEEPS)
        self.assert_denied("run_network", "images/app/Dockerfile:3", "has a network and is not listed")
        for listed in ({"image": "app"}, {"command": "wget *"}):
            self.policy(run_network={"level": "deny", "allow": [listed]})
            self.assertEqual(self.rules(), [])

    def test_lines_of_a_stage_that_only_a_trigger_needs_are_looked_at_before_anything_leaves(self):
        self.need_programs("busybox")
        shutil.copy(shutil.which("busybox"), self.folder / "images/app/sh")
        helper = f"FROM {self.base} AS below\nCOPY sh /bin/\nRUN --network=none echo >/a\nRUN echo fetched >/b\nFROM below AS helper\n"
        self.dockerfile(helper + f"FROM {self.base} AS p\nONBUILD COPY --from=helper /b /x\nFROM p\n" + KEEPS)
        self.policy(run_network={"level": "deny"})
        result = self.assert_denied("run_network", "images/app/Dockerfile:4", "has a network and is not listed")
        self.assertNotIn("Dockerfile:3: run_network", result.stderr)
        self.policy(run_network={"level": "deny", "allow": [{"command": "echo fetched*"}]})
        self.assert_kept()

    def test_an_image_whose_config_is_called_something_else_is_not_passed_over(self):
        self.policy(user={"level": "deny", "images": ["*"]}, size={"level": "deny", "max": "1GB"})
        digest = self.kiln("digest", self.base).stdout.strip()
        _, _, body = self.server.get(f"/v2/bases/base/manifests/{digest}", {"Accept": "application/vnd.oci.image.manifest.v1+json"})
        manifest = json.loads(body)
        manifest["config"]["mediaType"] = "application/octet-stream"
        self.server.put_manifest("bases/base", "odd", json.dumps(manifest), manifest["mediaType"])
        findings = self.check(f"{self.at}/bases/base:odd", code=1)["findings"]
        self.assertEqual([finding["rule"] for finding in findings], ["user", "size"])
        self.assertIn("is of the kind 'application/octet-stream', which is no image's", findings[0]["message"])

    def test_programs_do_not_run_as_root(self):
        self.policy(user={"level": "deny"})
        self.dockerfile(f"FROM {self.base}\nCOPY app.txt /\nUSER 0\n")
        self.assert_denied("user", "images/app/Dockerfile:3", "runs as root")
        self.dockerfile(f"FROM {self.base}\nARG WHO=root\nCOPY app.txt /\nUSER $WHO\n")
        self.assert_denied("user", "images/app/Dockerfile:4", "runs as root")
        self.dockerfile(f"FROM {self.base}\nUSER 1000\nCOPY app.txt /\n")
        self.assert_kept()

    def test_another_name_of_root_is_root(self):
        self.write("images/app/passwd", "app:x:1001:1001::/:/bin/sh\n0toor:x:0:0::/:/bin/sh\n")
        self.dockerfile(f"FROM {self.base}\nCOPY passwd /etc/passwd\nUSER 0toor\n")
        self.policy()
        self.kiln("build", "-t", f"{self.at}/bases/toor:1", "--push", "images/app", code=0)
        self.policy(user={"level": "deny"})
        self.assert_denied("user", "images/app/Dockerfile:3", "runs as root")
        findings = self.check(f"{self.at}/bases/toor:1", code=1)["findings"]
        self.assertEqual([(finding["rule"], finding["message"]) for finding in findings], [("user", "the image's program runs as root")])
        self.dockerfile(f"FROM {self.base}\nCOPY passwd /etc/passwd\nUSER app\n")
        self.assert_kept()
        self.dockerfile(f"FROM {self.base}\nCOPY passwd /etc/passwd\nUSER nowhere\n")
        self.assert_kept()

    def test_images_have_a_healthcheck(self):
        self.policy(healthcheck={"level": "deny"})
        self.dockerfile(f"FROM {self.base}\nUSER 1000\nHEALTHCHECK NONE\n")
        self.assert_denied("healthcheck", "images/app/Dockerfile:3", "has no HEALTHCHECK")
        self.dockerfile(f"FROM {self.base}\n" + KEEPS)
        self.assert_kept()

    def test_rules_about_programs_are_about_services_unless_they_name_images(self):
        self.write("images/app/image.json", '{"kind": "base"}')
        self.dockerfile(f"FROM {self.base}\nCOPY app.txt /\n")
        self.policy(user={"level": "deny"})
        self.assert_kept()
        self.policy(user={"level": "deny", "images": ["ap*"]})
        self.kiln("bake", code=1)


class ImageRules(Policy):
    def install(self, version, licence="MIT"):
        self.write("images/app/site/thing/__init__.py", "x\n")
        info = f"images/app/site/thing-{version}.dist-info"
        self.write(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\nLicense-Expression: {licence}\n")
        self.write(f"{info}/RECORD", f"thing/__init__.py,,\nthing-{version}.dist-info/METADATA,,\nthing-{version}.dist-info/RECORD,,\n")
        self.dockerfile(f"FROM {self.base}\nCOPY app.txt /\nCOPY site /usr/local/lib/python3/site-packages\n" + KEEPS)

    def test_forbidden_packages_keep_an_image_from_being_pushed(self):
        self.policy(packages={"level": "deny", "forbid": [{"purl": "pkg:pypi/thing", "versions": "<2.0", "reason": "CVE-1"}]})
        self.install("1.9")
        denied = self.assert_denied("packages", "images/app/Dockerfile:3", "thing 1.9 .pypi. may not be in an image: CVE-1")
        self.assertIn("install thing of 2.0 or newer, or leave it out", denied.stderr)
        status, _, _ = self.server.get("/v2/acme/app/tags/list")
        self.assertEqual(status, 404, "a blob went ahead")
        self.write_again("2.0")
        self.assert_kept()

    def write_again(self, version, licence="MIT"):
        for path in sorted((self.folder / "images/app/site").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.install(version, licence)

    def test_forbidden_licences_keep_an_image_from_being_pushed(self):
        self.policy(licences={"level": "deny", "forbid": ["AGPL-3.0-*"]})
        self.install("1.0", "AGPL-3.0-only")
        self.assert_denied("licences", "images/app/Dockerfile:3", "is licensed under AGPL-3.0-only")
        self.write_again("1.0", "AGPL-3.0-only OR MIT")
        self.assert_kept()

    def test_images_are_not_larger_than_they_may_be(self):
        self.policy(size={"level": "deny", "max": "100B"})
        self.assertRegex(self.kiln("bake", "--push", code=1).stderr, r"images/app/Dockerfile:\d: size: the image weighs .*, and 100B are allowed")
        self.assertEqual(self.tags(), set())
        self.policy(size={"level": "deny", "max": "1MB"})
        self.assert_kept()

    def test_warnings_are_told_and_stand_in_the_report(self):
        self.policy(packages={"level": "warn", "forbid": [{"purl": "pkg:pypi/thing"}]}, user={"level": "warn"})
        self.install("1.0")
        result = self.kiln("bake", "--push", "--report", "report.json")
        self.assertIn("images/app/Dockerfile:3: packages: thing 1.0 (pypi) may not be in an image", result.stderr)
        self.assertEqual(self.tags(), {"latest"})
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual([(finding["rule"], finding["level"], finding["line"]) for finding in report["policy"]], [("packages", "warn", 3)])
        self.assertIn("Policy", self.kiln("report").stdout)
        self.assertIn("### Policy", self.kiln("report", "--format", "markdown").stdout)
        self.kiln("report", "--format", "html", "--output", "report.html")
        self.assertIn('<section id="policy"', (self.folder / "report.html").read_text())

    def test_pushes_of_finished_images_are_checked_too(self):
        self.install("1.9")
        self.policy()
        self.kiln("bake")
        self.policy(packages={"level": "deny", "forbid": [{"purl": "pkg:pypi/thing"}]}, base_digest={"level": "deny"})
        name = f"{self.at}/acme/app:latest"
        denied = self.kiln("push", name, code=1).stderr
        self.assertIn("packages: thing 1.9 (pypi) may not be in an image", denied)
        self.assertIn("'kiln policy check TARGET' check these", denied)
        self.assertEqual(self.tags(), set())
        passed = self.kiln("push", name, "--fleet-policy", "none").stderr
        self.assertIn("--fleet-policy none: the policy of", passed)
        self.assertEqual(self.tags(), {"latest"})
        self.kiln("copy", name, f"{self.at}/acme/copy:1", code=1)
        self.kiln("index", "create", f"{self.at}/acme/copy:1", name, code=1)
        self.assertEqual(self.tags("acme/copy"), set())
        self.policy(packages={"level": "deny", "forbid": [{"purl": "pkg:pypi/thing", "versions": "<1.9"}]})
        self.kiln("copy", name, f"{self.at}/acme/copy:1")
        self.kiln("index", "create", f"{self.at}/acme/copy:2", name)
        self.assertEqual(self.tags("acme/copy"), {"1", "2"})

    def test_a_build_of_one_dockerfile_heeds_the_policy_here(self):
        self.policy(user={"level": "deny"})
        name = f"{self.at}/acme/one:1"
        self.assertIn("user: the image's program runs as root", self.kiln("build", "-t", name, "--push", "base", code=1).stderr)
        self.assertEqual(self.tags("acme/one"), set())
        self.kiln("build", "-t", name, "--push", "--fleet-policy", "none", "base")
        self.assertEqual(self.tags("acme/one"), {"1"})
        self.write("elsewhere/fleet.json", '{"registry": "ghcr.io", "policy": {"user": {"level": "warn"}}}')
        told = self.kiln("build", "-t", name, "--fleet-policy", "elsewhere", "base").stderr
        self.assertIn("user: the image's program runs as root", told)
        self.assertIn("there is no such fleet.json", self.kiln("build", "--fleet-policy", "nowhere", "base", code=2).stderr)


class PolicyCheck(Policy):
    ALL = {"base_digest": {"level": "deny"}, "user": {"level": "warn"},
           "packages": {"level": "deny", "forbid": [{"purl": "pkg:pypi/thing", "versions": "<2"}]}}

    def setUp(self):
        super().setUp()
        self.write("images/app/site/thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        self.write("images/app/site/thing-1.0.dist-info/RECORD", "thing-1.0.dist-info/METADATA,,\n")
        self.dockerfile(f"FROM {self.base}\nCOPY site /usr/lib/python3/site-packages\n")

    def test_it_tells_all_of_definitions_and_of_the_image_in_the_store(self):
        self.policy(**self.ALL)
        told = self.check(code=1)
        self.assertEqual([(finding["rule"], finding["line"]) for finding in told["findings"]], [("base_digest", 1), ("user", 1)])
        self.assertTrue(told["denied"])
        self.assertIn("the store has no image of 'app'", told["notes"][0])
        self.policy()
        self.kiln("bake")
        self.policy(**self.ALL)
        (self.folder / "images/kiln.lock").unlink()
        told = self.check("app", code=1)
        self.assertEqual(sorted(finding["rule"] for finding in told["findings"]), ["base_digest", "packages", "user"])
        self.assertEqual(told["notes"], [])

    def test_it_tells_of_an_image_at_a_registry_without_a_build(self):
        self.policy()
        self.kiln("bake", "--push")
        self.policy(**self.ALL)
        name = f"{self.at}/acme/app:latest"
        self.assertEqual(sorted(self.rules(name, code=1)), ["packages", "user"])
        home = {"KILN_HOME": str(self.folder / "empty")}
        told = json.loads(self.kiln("policy", "check", "--format", "json", name, env=home, code=1).stdout)
        self.assertEqual(sorted(finding["rule"] for finding in told["findings"]), ["packages", "user"])
        self.assertIn("'kiln policy check TARGET' check these", told["notes"][0])
        self.assertEqual(sorted(self.rules("--local", name, code=1)), ["packages", "user"])
        self.policy(user={"level": "warn"})
        self.assertEqual(self.rules(name), ["user"])

    def test_a_layer_that_is_gone_is_a_finding_that_says_why(self):
        self.policy()
        self.kiln("bake", "--push")
        self.policy(**self.ALL)
        name = f"{self.at}/acme/app:latest"
        for layer in json.loads(self.kiln("inspect", "--raw", name).stdout)["layers"]:
            digest = layer["digest"].partition(":")[2]
            for path in self.server.data.rglob(digest):
                (path / "data").unlink(missing_ok=True)
        told = self.kiln("policy", "check", "--format", "json", name, env={"KILN_HOME": str(self.folder / "empty")}, code=1)
        messages = [finding["message"] for finding in json.loads(told.stdout)["findings"] if finding["rule"] == "packages"]
        self.assertIn("could be looked at", messages[0])

    def test_text_begins_with_what_denies_and_says_what_would_satisfy_it(self):
        self.policy(**self.ALL)
        text = self.kiln("policy", "check", code=1).stdout
        self.assertRegex(text, r"^deny base_digest images/app/Dockerfile:1: .*\n  to satisfy it: write '")
        self.assertTrue(text.endswith("2 findings, of which 1 deny\n"))
        self.policy()
        nothing = self.kiln("policy", "check")
        self.assertEqual(nothing.stdout, "nothing breaks the policy\n")
        self.assertIn("has no policy", nothing.stderr)

    def assert_code_scanning_takes(self, text):
        """What GitHub's upload of SARIF asks for; the results."""
        log = json.loads(text)
        self.assertEqual((log["version"], log["$schema"]), ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json"))
        self.assertEqual(len(log["runs"]), 1)
        driver = log["runs"][0]["tool"]["driver"]
        self.assertEqual(driver["name"], "kiln")
        for rule in driver["rules"]:
            for member in ("shortDescription", "fullDescription", "help"):
                self.assertTrue(rule[member]["text"])
        for result in log["runs"][0]["results"]:
            self.assertEqual(driver["rules"][result["ruleIndex"]]["id"], result["ruleId"])
            self.assertIn(result["level"], ("error", "warning"))
            self.assertTrue(result["message"]["text"])
            place = result["locations"][0]["physicalLocation"]
            self.assertNotRegex(place["artifactLocation"]["uri"], r"^/|^\.\.")
            self.assertGreaterEqual(place["region"]["startLine"], 1)
        return log["runs"][0]["results"]

    def test_sarif_of_both_commands_is_relative_to_the_repository(self):
        (self.folder / ".git").mkdir()
        self.policy(**self.ALL)
        results = self.assert_code_scanning_takes(self.kiln("policy", "check", "--format", "sarif", cwd=self.folder / "images", code=1).stdout)
        self.assertEqual([(result["ruleId"], result["level"]) for result in results], [("base_digest", "error"), ("user", "warning")])
        places = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
        self.assertEqual(set(places), {"images/app/Dockerfile"})
        results = self.assert_code_scanning_takes(self.kiln("check", "--format", "sarif", ".", cwd=self.folder / "images/app").stdout)
        self.assertEqual({result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results} - {"images/app/Dockerfile"}, set())

    def test_annotations_are_for_github(self):
        self.policy(**self.ALL)
        text = self.kiln("policy", "check", "--format", "github", code=1).stdout
        self.assertRegex(text, r"^::error file=images/app/Dockerfile,line=1,title=kiln policy base_digest::base image .*\n::warning file=images/app/Dockerfile,line=1,")
        bake = self.kiln("bake", code=1, env={"GITHUB_ACTIONS": "true"}).stderr
        self.assertIn("::error file=images/app/Dockerfile,line=1,title=kiln policy base_digest::", bake)
        self.assertNotIn("::error", self.kiln("bake", code=1).stderr)

    def test_words_that_mean_nothing_are_refused(self):
        self.policy(**self.ALL)
        self.assertIn("did you mean 'sarif'?", self.kiln("policy", "check", "--format", "sarf", code=2).stderr)
        self.assertIn("did you mean 'app'?", self.kiln("policy", "check", "apq", code=2).stderr)
        self.policy(base_digst={"level": "deny"})
        self.assertIn("unknown key 'base_digst'; did you mean 'base_digest'?", self.kiln("policy", "check", code=2).stderr)


if __name__ == "__main__":
    harness.main()
