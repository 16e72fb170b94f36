"""What the environment says about how the service runs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    machine: str
    half_life_s: float
    most_people: int

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> "Settings":
        half_life_s = float(environment.get("AFFECTIVE_HALF_LIFE_S", "900"))
        if half_life_s <= 0:
            raise ValueError(f"AFFECTIVE_HALF_LIFE_S is {half_life_s}; expected more than 0")
        return Settings(
            host=environment.get("AFFECTIVE_HOST", "0.0.0.0"),
            port=int(environment.get("AFFECTIVE_PORT", "7301")),
            machine=environment.get("MACHINE", ""),
            half_life_s=half_life_s,
            most_people=int(environment.get("AFFECTIVE_MOST_PEOPLE", "10000")),
        )
