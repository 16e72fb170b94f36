#!/usr/bin/env python3
"""kiln test and kiln doctor: containers that really start, findings that are true."""

import json
import shutil

import harness


class TestCommand(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.need_containers()
        self.need_programs("busybox")
        self.write("app/index", "fine")
        shutil.copy(shutil.which("busybox"), self.folder / "app/busybox")

    def build(self, name, check, command='"httpd", "-f", "-p", "8080", "-h", "/"'):
        check = f'HEALTHCHECK --timeout=1s CMD ["/bin/busybox", {check}]' if check else ""
        self.write("app/Dockerfile", f"""
            FROM scratch
            COPY busybox /bin/busybox
            COPY index /index
            USER 1000
            {check}
            CMD ["/bin/busybox", {command}]
            """)
        self.kiln("build", "-t", name, "app")

    def test_a_service_that_answers_is_healthy_and_leaves_nothing_behind(self):
        self.build("acme/app:1", '"wget", "-qO-", "http://127.0.0.1:8080/index"')
        self.assertIn("healthy after", self.kiln("test", "--local", "acme/app:1").stdout)
        verdict = json.loads(self.kiln("test", "--json", "acme/app:1").stdout)
        self.assertEqual((verdict["health"], verdict["check_output"], verdict["exit_code"]), ("healthy", "fine\n", None))
        self.assertNotIn(str(self.home), open("/proc/self/mounts").read())

    def test_a_service_that_never_answers_is_shown_with_its_last_check(self):
        self.build("acme/app:1", '"wget", "-qO-", "http://127.0.0.1:8081/"')
        result = self.kiln("test", "--local", "--timeout", "2", "acme/app:1", code=1)
        self.assertIn("unhealthy", result.stdout)
        self.assertIn("Connection refused", result.stdout)

    def test_a_service_that_ends_is_shown_with_its_exit_code_and_output(self):
        self.build("acme/app:1", '"false"', '"sh", "-c", "echo goodbye; exit 7"')
        result = self.kiln("test", "--local", "acme/app:1", code=1)
        self.assertIn("exited with exit code 7", result.stdout)
        self.assertIn("goodbye", result.stdout)

    def test_an_image_is_tested_as_the_registry_has_it(self):
        server = self.registry()
        name = f"{server.address}/acme/app:1"
        self.build(name, '"wget", "-qO-", "http://127.0.0.1:8080/index"')
        self.kiln("push", name)
        self.home = self.folder / "other-home"
        verdict = json.loads(self.kiln("test", "--json", name).stdout)
        self.assertEqual((verdict["health"], verdict["from"]), ("healthy", f"{server.address}/acme/app"))
        self.kiln("test", "--local", "acme/none:1", code=2)


class Doctor(harness.KilnTest):
    def checks(self, *args, code=None):
        report = json.loads(self.kiln("doctor", "--json", *args, code=code).stdout)
        return report, {check["name"]: check for check in report["checks"]}

    def test_a_container_is_really_started_and_a_registry_really_asked(self):
        self.need_containers()
        server = self.registry()
        report, checks = self.checks("--registry", f"{server.address}/acme", code=0)
        self.assertTrue(report["ok"])
        self.assertIn("started a container", checks["runtime"]["finding"])
        self.assertEqual({checks[name]["state"] for name in ("disk", "registry", "clock", "authorities", "definitions")}, {"ok"})
        self.assertEqual(json.loads(server.get("/v2/_catalog")[2]), {"repositories": []})

    def test_a_home_that_others_can_enter_is_told(self):
        self.assertEqual(self.checks()[1]["home"]["state"], "ok")
        self.assertEqual(self.home.stat().st_mode & 0o777, 0o700)
        self.folder.chmod(0o755)
        self.assertEqual(self.checks()[1]["home"]["state"], "ok")
        self.home.chmod(0o755)
        check = self.checks()[1]["home"]
        self.assertEqual(check["state"], "warn")
        self.assertIn("chmod 700", check["help"])

    def test_a_registry_that_is_not_there_fails_with_what_to_do(self):
        server = self.registry()
        server.pause()
        report, checks = self.checks("--registry", f"{server.address}/acme", code=4)
        self.assertFalse(report["ok"])
        self.assertEqual((checks["registry"]["state"], checks["clock"]["state"]), ("fail", "warn"))
        self.assertIn("kiln login", checks["registry"]["help"])

    def test_a_registry_that_wants_a_password_fails(self):
        server = self.registry(user=("kiln", "Canary-77"))
        self.assertEqual(self.checks("--registry", f"{server.address}/acme", code=4)[1]["registry"]["state"], "fail")

    def test_definitions_that_do_not_load_are_named_with_their_line(self):
        self.write("images/fleet.json", '{\n  "registry": "ghcr.io",\n  "namespcae": "acme"\n}\n')
        checks = self.checks(code=4)[1]
        self.assertEqual(checks["definitions"]["state"], "fail")
        self.assertRegex(checks["definitions"]["finding"], "fleet.json:3: .*namespace")


if __name__ == "__main__":
    harness.main()
