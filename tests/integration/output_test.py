#!/usr/bin/env python3
"""What a build prints and writes, seen from outside: progress in its forms, zstd layers, a refused password."""

import base64
import json
import os
import pty
import re
import subprocess

import harness

COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


class Output(harness.KilnTest):
    def setUp(self):
        super().setUp()
        self.write("app/Dockerfile", """
            FROM scratch AS first
            COPY a /a
            FROM scratch
            COPY --from=first /a /b
            COPY a /c
            """)
        self.write("app/a", "text " * 1000)

    def test_verbose_progress_numbers_its_steps_and_ends_each(self):
        lines = self.kiln("build", "--progress", "verbose", "app").stderr.splitlines()
        started = {match[1]: match[2] for line in lines if (match := re.fullmatch(r"#(\d+) \[(\S+ \d+/\d+)\] .*", line))}
        self.assertEqual(sorted(started.values()), ["first 1/1", "stage-1 1/2", "stage-1 2/2"])
        for number in started:
            self.assertTrue(any(re.fullmatch(rf"#{number} DONE \d+\.\ds", line) for line in lines), lines)
        again = self.kiln("build", "--progress", "verbose", "app").stderr.splitlines()
        self.assertEqual(sum(bool(re.fullmatch(r"#\d+ CACHED( \(.*\))?", line)) for line in again), 3, again)

    def test_plain_progress_ends_each_step_that_is_executed_and_sums_up_the_others(self):
        lines = self.kiln("build", "--progress", "plain", "app").stderr.splitlines()
        ended = [match[1] for line in lines if (match := re.fullmatch(r"#\d+ DONE \d+\.\ds \[(\S+ \d+/\d+)\] .*", line))]
        self.assertEqual(sorted(ended), ["first 1/1", "stage-1 1/2", "stage-1 2/2"], lines)
        again = self.kiln("build", "--progress", "plain", "app").stderr.splitlines()
        self.assertIn("3 steps from the cache (3 local)", again)
        self.assertFalse([line for line in again if line.startswith("#")], again)

    def test_every_line_of_raw_progress_is_a_json_object(self):
        lines = self.kiln("build", "--progress", "rawjson", "app").stderr.splitlines()
        self.assertGreater(len(lines), 3)
        for line in lines:
            self.assertIsInstance(json.loads(line), dict, line)

    def on_a_terminal(self, **changes):
        """What kiln writes to a terminal as its standard error."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([harness.kiln_binary(), "build", "--no-cache", "app"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=theirs, env=self.environment(TERM="xterm", **changes))
        os.close(theirs)
        written = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            written += data
        os.close(ours)
        self.assertEqual(process.wait(60), 0, written)
        return written

    def test_no_color_is_obeyed_on_a_terminal(self):
        self.assertRegex(self.on_a_terminal(), COLOUR)
        self.assertNotRegex(self.on_a_terminal(NO_COLOR="1"), COLOUR)

    def test_zstd_layers_are_read_by_skopeo(self):
        self.need_programs("skopeo", "zstd")
        self.kiln("build", "--output", "type=oci,tar=false,compression=zstd,dest=out", "app")
        image = self.layout_image(self.folder / "out")
        self.assertEqual({layer.media_type for layer in image.layers}, {"application/vnd.oci.image.layer.v1.tar+zstd"})
        self.run_program("skopeo", "copy", "--insecure-policy", "--dest-decompress", f"oci:{self.folder / 'out'}", f"dir:{self.folder / 'plain'}")
        for layer in image.layers:
            name = layer.diff_id.removeprefix("sha256:")
            self.assertEqual((self.folder / "plain" / name).read_bytes(), layer.tar)

    def test_a_wrong_password_ends_a_push_with_3_and_is_not_printed(self):
        server = self.registry(user=("ada", "right-one"))
        secret = base64.b64encode(b"ada:wrong-one").decode()
        self.write("docker/config.json", json.dumps({"auths": {server.address: {"auth": secret}}}))
        self.kiln("build", "-t", f"{server.address}/acme/app:1", "app")
        result = self.kiln("push", f"{server.address}/acme/app:1", env={"DOCKER_CONFIG": self.folder / "docker"}, code=3)
        self.assertIn(server.address, result.stderr)
        self.assertRegex(result.stderr, r"(?i)401|unauthorized|credentials|kiln login")
        for word in ("wrong-one", secret):
            self.assertNotIn(word, result.output)


if __name__ == "__main__":
    harness.main()
