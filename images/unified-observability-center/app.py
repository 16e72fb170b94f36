"""Starts the unified observability center: one process, which remembers what it was told."""

import os

import uvicorn

from unified_observability_center.api import create_app
from unified_observability_center.settings import Settings


def main() -> None:
    settings = Settings.from_environment(os.environ)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False)


if __name__ == "__main__":
    main()
