"""The service's HTTP interface: its own health, everybody's, and the same for Prometheus."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from .settings import Settings
from .status import ServiceStatus, overall
from .watch import watch


class StatusCollector:
    """The services' state at the time Prometheus asks."""

    def __init__(self, services: dict[str, ServiceStatus]) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("service_up", "1 where the service is not down.", labels=["service"])
        latency = GaugeMetricFamily("service_latency_seconds", "Time of a health check.", labels=["service", "quantile"])
        for service in self._services.values():
            up.add_metric([service.name], float(service.state in ("up", "shaky")))
            for percentile in (50, 95):
                latency.add_metric([service.name, str(percentile / 100)], service.latency_s(percentile))
        yield up
        yield latency


def create_app(settings: Settings) -> FastAPI:
    services = {name: ServiceStatus(name, url) for name, url in settings.services.items()}
    registry = CollectorRegistry()
    registry.register(StatusCollector(services))

    @asynccontextmanager
    async def watching(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(watch(list(services.values()), settings.interval_s, settings.timeout_s))
        yield
        task.cancel()

    application = FastAPI(title="unified-observability-center", lifespan=watching)

    def describe(service: ServiceStatus) -> dict[str, object]:
        return {
            "name": service.name,
            "url": service.url,
            "state": service.state,
            "available_pct": round(service.available_pct, 2),
            "p95_seconds": round(service.latency_s(95), 4),
            "detail": service.answers[-1].detail if service.answers else "",
        }

    @application.get("/health")
    async def health() -> dict[str, object]:
        return {"status": "ok", "machine": settings.machine, "services": len(services)}

    @application.get("/services")
    async def all_services() -> dict[str, object]:
        return {
            "overall": overall([service.state for service in services.values()]),
            "services": [describe(service) for service in services.values()],
        }

    @application.get("/services/{name}")
    async def one_service(name: str) -> dict[str, object]:
        if name not in services:
            raise HTTPException(status_code=404, detail=f"there is no service '{name}'")
        return describe(services[name])

    @application.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return application
