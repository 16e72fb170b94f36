"""Which models are loaded, and which one goes when another needs its room."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field


class NoRoom(Exception):
    """A model does not fit, whatever is evicted."""


@dataclass
class Model:
    name: str
    bytes: int
    uses: int = 0  # requests that hold it now; it is not evicted meanwhile
    times_used: int = 0
    last_used: float = field(default_factory=time.time)


class Coordinator:
    """Keeps the sum of the loaded models below a share of the memory. For any thread."""

    def __init__(self, memory_bytes: int, threshold_pct: int, on_evict: Callable[[str], None] = lambda name: None) -> None:
        self.limit_bytes = memory_bytes * threshold_pct // 100
        self.evictions = 0
        self._on_evict = on_evict
        self._models: OrderedDict[str, Model] = OrderedDict()  # the one not used for longest first
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        return sum(model.bytes for model in self._models.values())

    def acquire(self, name: str, size_bytes: int) -> list[str]:
        """Loads a model if it is not there and holds it for a request; the names of those that had to go for it.

        NoRoom where it is larger than the limit, or those in the way are in use; nothing is evicted then."""
        if size_bytes < 1:
            raise ValueError(f"model '{name}' of {size_bytes} bytes")
        with self._lock:
            evicted = []
            if name not in self._models:
                evicted = self._victims(name, size_bytes)
                for victim in evicted:
                    del self._models[victim]
                    self.evictions += 1
                    self._on_evict(victim)
                self._models[name] = Model(name, size_bytes)
            model = self._models[name]
            model.uses += 1
            model.times_used += 1
            model.last_used = time.time()
            self._models.move_to_end(name)
            return evicted

    def _victims(self, name: str, size_bytes: int) -> list[str]:
        if size_bytes > self.limit_bytes:
            raise NoRoom(f"'{name}' needs {size_bytes} bytes, the limit is {self.limit_bytes}")
        missing = self.used_bytes + size_bytes - self.limit_bytes
        victims = []
        for model in self._models.values():
            if missing <= 0:
                break
            if model.uses == 0:
                victims.append(model.name)
                missing -= model.bytes
        if missing > 0:
            raise NoRoom(f"'{name}' needs {size_bytes} bytes, and models in use leave {size_bytes - missing}")
        return victims

    def release(self, name: str) -> None:
        """Ends a request's hold on a model. KeyError where none holds it."""
        with self._lock:
            model = self._models[name]
            if model.uses == 0:
                raise KeyError(name)
            model.uses -= 1

    def models(self) -> list[Model]:
        with self._lock:
            return [Model(**vars(model)) for model in reversed(self._models.values())]
