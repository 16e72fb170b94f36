"""What is measured: each case makes its workload, brings a builder into a state, and does one thing that is timed."""

import shutil
import time

import workloads
from measure import Cost, Failed
from traffic import Traffic, layers_of


class Case:
    """One row. prepare() is not timed, measure() is; both get the peer, which owns its machine."""

    name = ""
    what = ""
    needs_bake = False
    needs_cache = False
    needs_wheels = False
    needs_pull = False
    asks_what_cuts_cost = False
    is_cut = False           # along packages, by those who can

    def __init__(self, folder, server, size):
        self.folder = folder
        self.server = server             # tests.support.registry.Registry
        self.registry = server.address
        self.size = size             # 1.0: the workload whole
        self.round = 0

    def make(self):
        """Writes the workload once."""

    def image(self, peer):
        return f"{self.registry}/bench/{self.name.lower()}/{peer.name}-{self.round}"

    def context(self, peer):
        return self.folder / "contexts" / f"{peer.name}-{self.round}"

    def copy_context(self, peer):
        """A checkout of the peer's own, so that one peer's edit is not another's."""
        target = self.context(peer)
        shutil.copytree(self.folder / "workload", target, symlinks=True)
        # A file that was written less than two seconds ago may still change unseen; a developer's checkout is older.
        time.sleep(2.1)

    def build(self, peer, cache=None):
        return peer.build(self.context(peer), self.image(peer) + ":latest", cache=cache, contexts=self.contexts(), cut=self.is_cut)

    def contexts(self):
        return None

    def prepare(self, peer):
        peer.forget()
        self.copy_context(peer)

    def measure(self, peer):
        return self.build(peer)


class _W1(Case):
    def make(self):
        workloads.w1(self.folder / "workload", self.registry, max(10, int(12800 * self.size)), max(1000, int(120_000_000 * self.size)))


class W1Cold(_W1):
    name = "W1"
    what = "12,800 files, cold: pull, build, push"


class W1Again(_W1):
    name = "W1-again"
    what = "W1 again, nothing changed, pushed"

    def prepare(self, peer):
        super().prepare(peer)
        self.build(peer)


class _Fresh(Case):
    """A fresh machine that shares only the registry with one that has built before."""

    needs_cache = True

    def prepare(self, peer):
        super().prepare(peer)
        self.build(peer, self.cache(peer))
        self.change(self.context(peer))
        peer.forget()

    def measure(self, peer):
        return self.build(peer, self.cache(peer))

    def cache(self, peer):
        return f"{self.registry}/bench/{self.name.lower()}/cache-{peer.name}-{self.round}"

    def change(self, context):
        raise NotImplementedError


class W1Fresh(_Fresh, _W1):
    name = "W1-fresh"
    what = "W1 on a fresh machine with the remote cache, one file changed"

    def change(self, context):
        workloads.change_w1(context)


class _W2(Case):
    def make(self):
        workloads.w2(self.folder / "workload", self.registry, max(1_000_000, int(1_250_000_000 * self.size)))


class W2Cold(_W2):
    name = "W2"
    what = "a RUN that writes 1.25 GB, cold: pull, build, push"


class W2Fresh(_Fresh, _W2):
    name = "W2-fresh"
    what = "W2 on a fresh machine with the remote cache, last RUN changed"

    def change(self, context):
        workloads.change_w2(context)


class _Fleet(Case):
    needs_bake = True

    @property
    def images(self):
        return 2 + 2 * max(1, round(50 * self.size))

    def copy_context(self, peer):
        target = self.context(peer)
        workloads.fleet(target, self.registry, self.image(peer), self.images)
        time.sleep(2.1)

    def build(self, peer, cache=None):
        return peer.bake(self.context(peer), cache=cache)


class FleetCold(_Fleet):
    name = "F"
    what = "a fleet of 102 images, cold: build and push"


class FleetAgain(_Fleet):
    name = "F-again"
    what = "the fleet again, nothing changed, pushed"

    def prepare(self, peer):
        super().prepare(peer)
        self.build(peer)


class FleetOne(FleetAgain):
    name = "F-one"
    what = "the fleet, one file of one service changed"

    def prepare(self, peer):
        super().prepare(peer)
        workloads.change_fleet(self.context(peer))


class _Gpu(Case):
    needs_wheels = True

    def make(self):
        workloads.gpu(self.folder / "workload", self.registry)

    def contexts(self):
        return {"wheels": self.folder / "wheels"}


class GpuCold(_Gpu):
    name = "G"
    what = "CUDA 12.1 and torch 2.3.1, cold: build, push, export the cache"
    needs_cache = True

    def measure(self, peer):
        return self.build(peer, f"{self.registry}/bench/g/cache-{peer.name}-{self.round}")


class GpuFresh(_Fresh, _Gpu):
    name = "G-fresh"
    what = "G on a fresh machine with the remote cache, one file changed"

    def change(self, context):
        workloads.change_gpu(context)


class _Counted(Case):
    """Counts what its build moved."""

    is_cut = True

    def measure(self, peer):
        traffic = Traffic(self.server)
        cost = self.build(peer)
        cost.moved = traffic.so_far()
        return cost


class _Family(_Counted, _Gpu):
    def make(self):
        workloads.family(self.folder / "workload", self.registry)


class GpuWheel(_Family):
    name = "G-wheel"
    what = "CUDA and torch built and pushed, then one small wheel changes: what is pushed, and pulled by a machine that has the old image"
    needs_pull = True

    def prepare(self, peer):
        super().prepare(peer)
        self.build(peer)
        self.puller = type(peer)(peer.folder / "puller", self.registry)
        self.puller.forget()
        self.puller.pull(f"{self.image(peer)}:latest")
        workloads.family(self.context(peer), self.registry, workloads.SMALL_WHEEL[2])
        time.sleep(2.1)

    def measure(self, peer):
        try:
            cost = super().measure(peer)
            traffic = Traffic(self.server)
            self.puller.pull(f"{self.image(peer)}:latest")
            cost.moved += traffic.so_far()
        finally:
            self.puller.stop()
        # As people read a layer of its own in the history.
        own = f" # {workloads.SMALL_WHEEL[0]} {workloads.SMALL_WHEEL[2]}"
        for made_by, size in layers_of(self.server, self.image(peer).partition("/")[2]):
            if made_by.endswith(own):
                cost.allowed = size * 11 // 10 + 50_000
        return cost


class GpuTwo(_Family):
    name = "G-two"
    what = "CUDA and torch are at the registry; a second family, on another base, has them and one more library: what is added"

    def prepare(self, peer):
        super().prepare(peer)
        self.build(peer)
        workloads.family(self.context(peer), self.registry, more=workloads.MORE_WHEELS)
        time.sleep(2.1)


class GpuCut(_Counted, _Gpu):
    name = "G-cut"
    what = "G cold, its layers cut along packages, and not"
    asks_what_cuts_cost = True


class Imports(_Gpu):
    name = "import"
    what = f"python -X importtime of {workloads.IMPORTED} from the image, its layers cut along packages, and not"
    is_cut = True
    asks_what_cuts_cost = True
    _TIMES = 5

    def make(self):
        workloads.importing(self.folder / "workload", self.registry)

    def prepare(self, peer):
        super().prepare(peer)
        self.build(peer)

    def measure(self, peer):
        """The wall clock is what Python says the import took, the least of several in one container."""
        command = f"python3 -X importtime -c 'import {workloads.IMPORTED}'"
        said = peer.output_of(f"{self.image(peer)}:latest", f"for i in $(seq {self._TIMES}); do {command}; done")
        taken = [int(line.split("|")[1]) for line in said.splitlines() if line.split("|")[-1].strip() == workloads.IMPORTED]
        if len(taken) != self._TIMES:
            raise Failed(f"expected {self._TIMES} lines of {workloads.IMPORTED}, got {len(taken)}:\n{said[-2000:]}")
        return Cost(wall=min(taken) / 1e6)


class Packages(_Counted):
    name = "P"
    what = "a RUN that installs 12,800 files of 160 packages, cold, cut along them, and not"
    asks_what_cuts_cost = True

    def make(self):
        workloads.packages(self.folder / "workload", self.registry, max(80, int(12800 * self.size)))


CASES = {case.name: case for case in (W1Cold, W1Again, W1Fresh, W2Cold, W2Fresh, FleetCold, FleetAgain, FleetOne, GpuCold, GpuFresh, GpuWheel, GpuTwo,
                                      GpuCut, Packages, Imports)}
