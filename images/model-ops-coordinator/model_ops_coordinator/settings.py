"""What the environment says about how the service runs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    machine: str
    cuda_arch: str
    evict_threshold_pct: int
    memory_when_no_gpu: int  # bytes

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> "Settings":
        threshold = int(environment.get("MODEL_EVICT_THRESHOLD_PCT", "80"))
        if not 1 <= threshold <= 100:
            raise ValueError(f"MODEL_EVICT_THRESHOLD_PCT is {threshold}; expected 1 to 100")
        return Settings(
            host=environment.get("MODEL_OPS_HOST", "0.0.0.0"),
            port=int(environment.get("MODEL_OPS_PORT", "7211")),
            machine=environment.get("MACHINE", ""),
            cuda_arch=environment.get("CUDA_ARCH", ""),
            evict_threshold_pct=threshold,
            memory_when_no_gpu=int(environment.get("MODEL_OPS_MEMORY_BYTES", str(4 << 30))),
        )
