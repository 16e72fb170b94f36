"""The service's HTTP interface."""

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from .coordinator import Coordinator, NoRoom
from .device import ComputeDevice
from .settings import Settings


class WantedModel(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    bytes: int = Field(gt=0)


def create_app(settings: Settings, device: ComputeDevice, coordinator: Coordinator) -> FastAPI:
    application = FastAPI(title="model-ops-coordinator")

    @application.get("/health")
    def health() -> dict[str, object]:
        return {
            "status": "ok",
            "machine": settings.machine,
            "device": device.name,
            "cuda": device.cuda_version,
            "cuda_available": device.has_cuda,
            "limit_bytes": coordinator.limit_bytes,
            "used_bytes": coordinator.used_bytes,
            "evictions": coordinator.evictions,
        }

    @application.post("/models", status_code=201)
    def acquire(model: WantedModel) -> dict[str, object]:
        try:
            return {"name": model.name, "evicted": coordinator.acquire(model.name, model.bytes)}
        except NoRoom as error:
            raise HTTPException(status_code=507, detail=str(error)) from error

    @application.post("/models/{name}/release", status_code=204)
    def release(name: str) -> None:
        try:
            coordinator.release(name)
        except KeyError as error:
            raise HTTPException(status_code=404, detail=f"nothing holds the model '{name}'") from error

    @application.get("/models")
    def models() -> list[dict[str, object]]:
        return [vars(model) for model in coordinator.models()]

    return application
