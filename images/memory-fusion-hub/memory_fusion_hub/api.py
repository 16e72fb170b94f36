"""The service's HTTP interface."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel, Field

from .settings import Settings
from .store import Memory, MemoryStore


class NewMemory(BaseModel):
    subject: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=20_000)
    source: str = Field(min_length=1, max_length=200, pattern=r"^[^\n\r]+$")


class MemoryAnswer(BaseModel):
    id: int
    subject: str
    text: str
    sources: list[str]
    times_seen: int
    updated_at: float
    fused: bool = False


def answer(memory: Memory, fused: bool = False) -> MemoryAnswer:
    return MemoryAnswer(**vars(memory), fused=fused)


def create_app(settings: Settings) -> FastAPI:
    store = MemoryStore(settings.database, settings.fuse_above)
    application = FastAPI(title="memory-fusion-hub")

    @application.get("/health")
    def health() -> dict[str, object]:
        return {
            "status": "ok",
            "machine": settings.machine,
            "profile": settings.profile,
            "memories": store.count(),
        }

    @application.post("/memories", status_code=201)
    def remember(memory: NewMemory) -> MemoryAnswer:
        return answer(*store.remember(memory.subject, memory.text, memory.source))

    @application.get("/memories")
    def recall(
        subject: Annotated[str, Query(min_length=1)], limit: Annotated[int, Query(ge=1, le=1000)] = 50
    ) -> list[MemoryAnswer]:
        return [answer(memory) for memory in store.recall(subject, limit)]

    @application.delete("/memories/{identifier}", status_code=204)
    def forget(identifier: int) -> None:
        if not store.forget(identifier):
            raise HTTPException(status_code=404, detail=f"there is no memory {identifier}")

    return application


def __getattr__(name: str) -> FastAPI:
    # uvicorn asks for `app` in each worker; nothing is opened by importing this module alone.
    if name == "app":
        return create_app(Settings.from_environment())
    raise AttributeError(name)
