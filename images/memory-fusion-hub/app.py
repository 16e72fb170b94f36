"""Starts the memory fusion hub."""

import uvicorn

from memory_fusion_hub.settings import Settings
from memory_fusion_hub.store import MemoryStore


def main() -> None:
    settings = Settings.from_environment()
    # Once, before the workers open it all at the same time.
    MemoryStore(settings.database, settings.fuse_above)
    uvicorn.run(
        "memory_fusion_hub.api:app",
        host=settings.host,
        port=settings.port,
        workers=settings.workers if settings.workers > 1 else None,
        access_log=False,
    )


if __name__ == "__main__":
    main()
