"""What the environment says about how the service runs."""

from collections.abc import Mapping
from dataclasses import dataclass


def parse_services(text: str) -> dict[str, str]:
    """"name=url name=url ..." ValueError for anything else, and for a name twice."""
    services: dict[str, str] = {}
    for word in text.split():
        name, separator, url = word.partition("=")
        if not name or not separator or not url.startswith(("http://", "https://")):
            raise ValueError(f"'{word}' is no service; expected NAME=http://HOST:PORT/health")
        if name in services:
            raise ValueError(f"the service '{name}' stands there twice")
        services[name] = url
    return services


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    machine: str
    services: dict[str, str]
    interval_s: float
    timeout_s: float

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> "Settings":
        return Settings(
            host=environment.get("OBSERVABILITY_HOST", "0.0.0.0"),
            port=int(environment.get("OBSERVABILITY_PORT", "7501")),
            machine=environment.get("MACHINE", ""),
            services=parse_services(environment.get("OBSERVABILITY_SERVICES", "")),
            interval_s=float(environment.get("OBSERVABILITY_INTERVAL_S", "10")),
            timeout_s=float(environment.get("OBSERVABILITY_TIMEOUT_S", "3")),
        )
