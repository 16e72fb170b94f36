"""The service's interface: a recording at once, or a stream over a WebSocket."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, WebSocket, WebSocketDisconnect

from .detector import SpeechDetector
from .segments import Segment
from .settings import Settings

Rate = Annotated[int, Query(ge=8000, le=96000)]
MOST_BYTES = 64 << 20


def answer(segments: list[Segment]) -> list[dict[str, int]]:
    return [vars(segment) for segment in segments]


def create_app(settings: Settings) -> FastAPI:
    application = FastAPI(title="real-time-audio-pipeline")
    streams: set[WebSocket] = set()

    @application.get("/health")
    async def health() -> dict[str, object]:
        return {"status": "ok", "machine": settings.machine, "streams": len(streams)}

    @application.post("/segments")
    async def segments(request: Request, rate: Rate = 16000) -> list[dict[str, int]]:
        """16-bit PCM of one channel in, stretches of speech out."""
        detector = SpeechDetector(rate, settings.margin_db)
        found: list[Segment] = []
        size = 0
        async for piece in request.stream():
            size += len(piece)
            if size > MOST_BYTES:
                raise HTTPException(status_code=413, detail=f"more than {MOST_BYTES} bytes; use /stream")
            found += detector.add(piece)
        return answer(found + detector.finish())

    @application.websocket("/stream")
    async def stream(socket: WebSocket, rate: Rate = 16000) -> None:
        """PCM comes in pieces of any size; each stretch of speech is told as soon as it is over."""
        await socket.accept()
        streams.add(socket)
        detector = SpeechDetector(rate, settings.margin_db)
        try:
            while True:
                for segment in detector.add(await socket.receive_bytes()):
                    await socket.send_json(vars(segment))
        except WebSocketDisconnect:
            pass
        finally:
            streams.discard(socket)

    return application
