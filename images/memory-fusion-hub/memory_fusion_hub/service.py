"""The HTTP face of the memory store."""

import os

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import ORJSONResponse
from pydantic import BaseModel, Field

from memory_fusion_hub.store import Memory, MemoryStore

app = FastAPI(title="memory-fusion-hub", default_response_class=ORJSONResponse)
store = MemoryStore(os.environ.get("MEMORY_DATABASE", ":memory:"))


class NewMemory(BaseModel):
    agent: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=20_000)


def shown(memory: Memory) -> dict:
    return {"id": memory.id, "agent": memory.agent, "text": memory.text, "times_seen": memory.times_seen}


@app.get("/health")
def health() -> dict:
    return {"status": "ok", "memories": store.count()}


@app.post("/memories", status_code=201)
def remember(memory: NewMemory) -> dict:
    return shown(store.remember(memory.agent, memory.text))


@app.get("/memories")
def recall(question: str = Query(min_length=1, max_length=2000), limit: int = Query(default=5, ge=1, le=100)) -> dict:
    return {"memories": [{"score": round(score, 4), **shown(memory)} for score, memory in store.recall(question, limit)]}


@app.delete("/memories/{number}", status_code=204)
def forget(number: int) -> None:
    if not store.forget(number):
        raise HTTPException(status_code=404, detail=f"there is no memory {number}")
