"""Moving images that are built already: kiln beside skopeo and crane, and how long kiln takes to start."""

import os
import random
import shutil
from pathlib import Path

import measure
from tests.support.registry import Registry

LAYERS = 4
NAMES = 102


def make_image(kiln, folder, total_bytes):
    """An OCI layout with four layers of `total_bytes` together, half of which does not compress."""
    context = folder / "context"
    context.mkdir(parents=True)
    source = random.Random(11)
    lines = ["FROM scratch"]
    for number in range(LAYERS):
        with open(context / f"part{number}", "wb") as out:
            for _ in range(max(1, total_bytes // LAYERS >> 20)):
                out.write(source.randbytes(1 << 19) + bytes(1 << 19))
        lines.append(f"COPY part{number} /part{number}")
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    measure.run([kiln, "build", "-o", f"type=oci,dest={folder / 'layout'},tar=false", context], log=folder / "log",
                env=dict(os.environ, KILN_HOME=str(folder / "home")))
    shutil.rmtree(context)
    shutil.rmtree(folder / "home")


class Client:
    """A program that moves images; it keeps what it has in `folder`."""

    name = ""

    def __init__(self, folder, layout, registry):
        self.folder = Path(folder)
        self.layout = layout
        self.registry = registry
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, *command, **options):
        return measure.run(command, log=self.folder / "log", **options)

    def forget(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)


class Kiln(Client):
    name = "kiln"
    binary = None

    def _run(self, *words):
        return self.run(self.binary, *words, env=dict(os.environ, KILN_HOME=str(self.folder / "home")))

    def _take(self, name):
        """The layout's image in the store, under `name`; not measured."""
        context = self.folder / "empty"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text("FROM image\n")
        self._run("build", "-t", name, "--build-context", f"image=oci-layout://{self.layout}:latest", context)

    def prepare_push(self, names):
        self._take(names[0])

    def push(self, names):
        return self._run("push", "--quiet", names[0], *names[1:])

    def pull(self, name):
        return self._run("pull", "--quiet", name)


class Skopeo(Client):
    name = "skopeo"
    program = "skopeo"

    def prepare_push(self, names):
        pass

    def push(self, names):
        cost = measure.Cost()
        for name in names:
            cost += self.run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{self.layout}",
                             f"docker://{name}")
        return cost

    def pull(self, name):
        return self.run("skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", f"docker://{name}",
                        f"oci:{self.folder / 'pulled'}:image")


class Crane(Client):
    name = "crane"
    program = "crane"

    def prepare_push(self, names):
        pass

    def push(self, names):
        cost = measure.Cost()
        for name in names:
            cost += self.run("crane", "push", "--insecure", self.layout, name)
        return cost

    def pull(self, name):
        return self.run("crane", "pull", "--insecure", "--format", "oci", name, self.folder / "pulled")


CLIENTS = {client.name: client for client in (Skopeo, Crane)}


class Transfer:
    """One row, for whichever clients are here."""

    def __init__(self, folder, registry, kiln, size):
        self.folder = Path(folder)
        self.registry = registry
        self.kiln = kiln
        self.total_bytes = int(1_200_000_000 * size)
        self.layout = self.folder / "image" / "layout"

    def make(self):
        make_image(self.kiln, self.folder / "image", self.total_bytes)

    def clients(self, chosen):
        return [client(self.folder / client.name, self.layout, self.registry) for client in (Kiln, *chosen)]


class Push(Transfer):
    name = "push"
    what = "1.2 GB in four layers, to a registry that has none of it"

    def round(self, client, number):
        client.forget()
        # skopeo remembers, outside of any folder of ours, which registry has which layer; a new registry it cannot know.
        with Registry() as registry:
            names = [f"{registry.address}/transfer/push:latest"]
            client.prepare_push(names)
            return client.push(names)


class Pull(Transfer):
    name = "pull"
    what = "1.2 GB in four layers"

    def round(self, client, number):
        name = f"{self.registry}/transfer/pull-{client.name}:latest"
        if number == 0:
            client.prepare_push([name])
            client.push([name])
        client.forget()
        return client.pull(name)


class Present(Transfer):
    name = "present"
    what = "102 names of an image that are at the registry already, pushed again"

    def __init__(self, *words):
        super().__init__(*words)
        self.total_bytes = min(self.total_bytes, 40_000_000)

    def round(self, client, number):
        names = [f"{self.registry}/transfer/present-{client.name}/image-{index:03d}:latest" for index in range(NAMES)]
        if number == 0:
            client.prepare_push(names)
            client.push(names)
        return client.push(names)


class Start(Transfer):
    """kiln alone: what starting it costs, a hundred times `kiln version`, then a cached build of a small image."""

    name = "start"
    what = "kiln version, mean of 100"

    def make(self):
        pass

    def clients(self, chosen):
        return [Kiln(self.folder / "kiln", None, self.registry)]

    def round(self, client, number):
        cost = measure.Cost()
        for _ in range(100):
            cost += client.run(self.kiln, "version")
        return measure.Cost(cost.wall / 100, cost.cpu / 100, cost.memory)


class Cached(Start):
    name = "cached"
    what = "a cached kiln build of a small image, mean of 20"

    def round(self, client, number):
        context = self.folder / "small"
        context.mkdir(parents=True, exist_ok=True)
        (context / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
        (context / "file").write_text("small\n")
        env = dict(os.environ, KILN_HOME=str(client.folder / "home"))
        client.run(self.kiln, "build", "-t", "small", context, env=env)
        cost = measure.Cost()
        for _ in range(20):
            cost += client.run(self.kiln, "build", "-t", "small", context, env=env)
        return measure.Cost(cost.wall / 20, cost.cpu / 20, cost.memory)


TRANSFERS = {transfer.name: transfer for transfer in (Push, Pull, Present, Start, Cached)}
