"""What the environment says about how the service runs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROFILE_KEYS = (
    "CUDA_ARCH",
    "GPU_VISIBLE_DEVICES",
    "MODEL_EVICT_THRESHOLD_PCT",
    "OMP_NUM_THREADS",
    "TORCH_CUDA_ALLOC_CONF",
    "UVICORN_WORKERS",
)


def usable_cpus() -> int:
    return len(os.sched_getaffinity(0))


def worker_count(wanted: str, cpus: int) -> int:
    """A profile says how many workers its machine can take at most. More than there are processors here would only
    cost memory and time to start."""
    try:
        number = int(wanted)
    except ValueError:
        return 1
    return max(1, min(number, cpus))


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    workers: int
    database: Path
    fuse_above: float
    machine: str
    profile: dict[str, str]

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Settings":
        return Settings(
            host=environment.get("MEMORY_FUSION_HOST", "0.0.0.0"),
            port=int(environment.get("MEMORY_FUSION_PORT", "6713")),
            workers=worker_count(environment.get("UVICORN_WORKERS", "1"), usable_cpus()),
            database=Path(environment.get("MEMORY_FUSION_DATABASE", "/var/lib/memory-fusion-hub/memories.db")),
            fuse_above=float(environment.get("MEMORY_FUSION_FUSE_ABOVE", "90")),
            machine=environment.get("MACHINE", ""),
            profile={key: environment[key] for key in PROFILE_KEYS if key in environment},
        )
