#!/usr/bin/env python3
"""Every flag of docker buildx build, as docs/buildx-flags.md promises it, and the forms that a context may have."""

import io
import re
import tarfile

import harness

# A value for each flag that takes one; None where it takes none.
VALUES = {
    "--add-host": "a:1.2.3.4", "--allow": "network.host", "--annotation": "a=b", "--attest": "type=sbom", "--build-arg": "a=b",
    "--build-context": "other=app", "--builder": "x", "--cache-from": "type=local,src=cache", "--cache-to": "type=local,dest=cache", "--call": "build",
    "--cgroup-parent": "x", "--check": None, "--compress": None, "--cpu-period": "1", "--cpu-quota": "1", "--cpu-shares": "1",
    "--cpuset-cpus": "1", "--cpuset-mems": "1", "--debug": None, "--file": "app/Dockerfile", "--force-rm": None, "--iidfile": "iid",
    "--isolation": "x", "--label": "a=b", "--memory": "1g", "--memory-swap": "1g", "--metadata-file": "metadata.json",
    "--network": "none", "--no-cache": None, "--no-cache-filter": "build", "--output": "type=oci,dest=out.tar",
    "--platform": "linux/amd64", "--policy": "x", "--progress": "plain", "--provenance": "false", "--pull": None, "--quiet": None,
    "--rm": None, "--sbom": "false", "--secret": "id=a,src=app/Dockerfile", "--security-opt": "x", "--shm-size": "64m",
    "--squash": None, "--ssh": "default", "--tag": "a:1", "--target": "build", "--ulimit": "nofile=100",
}
# They need an engine and a registry.
TRIED_ELSEWHERE = {"--load", "--push"}

DOCKERFILE = "FROM scratch AS build\nCOPY Dockerfile /\n"


class Flags(harness.KilnTest):
    def documented(self):
        table = (harness.ROOT / "docs/buildx-flags.md").read_text()
        return dict(re.findall(r"^\| `(--[a-z-]+)` \| (honoured|refused)", table, re.M))

    def test_each_flag_is_honoured_or_refused_as_documented(self):
        self.write("app/Dockerfile", DOCKERFILE)
        documented = self.documented()
        self.assertEqual(set(documented), set(VALUES) | TRIED_ELSEWHERE)
        for flag, value in VALUES.items():
            with self.subTest(flag=flag):
                words = [flag] if value is None else [flag, value]
                if documented[flag] == "honoured":
                    self.kiln("build", *words, "app")
                else:
                    self.assertIn("cannot be honoured: ", self.kiln("build", *words, "app", code=2).stderr)

    def test_attestations_other_entitlements_and_other_calls_are_refused(self):
        self.write("app/Dockerfile", DOCKERFILE)
        for word in ("--provenance=mode=max", "--sbom=true", "--allow=device", "--call=outline"):
            with self.subTest(word=word):
                self.kiln("build", word, "app", code=2)

    def test_several_platforms_give_an_index(self):
        self.write("app/Dockerfile", DOCKERFILE)
        self.kiln("build", "--platform", "linux/amd64,linux/arm64", "-o", "type=local,dest=files", "app")
        for folder in ("linux_amd64", "linux_arm64"):
            self.assertEqual(((self.folder / "files") / folder / "Dockerfile").read_text(), DOCKERFILE)
        self.kiln("build", "--platform", "linux/amd64,linux/arm64", "-o", "type=docker,dest=x.tar", "app", code=2)


class Contexts(harness.KilnTest):
    def tar(self):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            info = tarfile.TarInfo("Dockerfile")
            info.size = len(DOCKERFILE)
            tar.addfile(info, io.BytesIO(DOCKERFILE.encode()))
        return data.getvalue()

    def test_a_tar_file_is_a_context(self):
        (self.folder / "context.tgz").write_bytes(self.tar())
        self.kiln("build", "-o", "type=local,dest=files", "context.tgz")
        self.assertEqual(((self.folder / "files") / "Dockerfile").read_text(), DOCKERFILE)

    def test_standard_input_is_a_tar_or_a_dockerfile(self):
        self.kiln("build", "-o", "type=local,dest=files", "-", stdin=self.tar())
        self.assertEqual(((self.folder / "files") / "Dockerfile").read_text(), DOCKERFILE)
        self.kiln("build", "-", stdin=b"FROM scratch\nLABEL a=b\n")
        self.kiln("build", "-f", "-", "-", stdin=b"FROM scratch\n", code=2)

    def test_a_url_that_is_no_repository_is_refused_with_the_alternative(self):
        self.assertIn("curl", self.kiln("build", "https://example.com/context.tar", code=2).stderr)


if __name__ == "__main__":
    harness.main()
