"""What the environment says about how the service runs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    machine: str
    margin_db: float

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> "Settings":
        return Settings(
            host=environment.get("AUDIO_HOST", "0.0.0.0"),
            port=int(environment.get("AUDIO_PORT", "7401")),
            machine=environment.get("MACHINE", ""),
            margin_db=float(environment.get("AUDIO_MARGIN_DB", "12")),
        )
