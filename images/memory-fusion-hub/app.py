"""Starts the memory fusion hub on port 6713."""

import os

import uvicorn

PORT = 6713


def worker_count() -> int:
    """UVICORN_WORKERS of the machine's profile, but never more than the machine has cores."""
    wanted = int(os.environ.get("UVICORN_WORKERS", "1"))
    return max(1, min(wanted, os.cpu_count() or 1))


if __name__ == "__main__":
    uvicorn.run(
        "memory_fusion_hub.service:app",
        host="0.0.0.0",
        port=PORT,
        workers=worker_count(),
        access_log=False,
    )
