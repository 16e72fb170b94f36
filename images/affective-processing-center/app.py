"""Starts the affective processing center: one process, which keeps everybody's mood."""

import os

import uvicorn

from affective_processing_center.api import create_app
from affective_processing_center.settings import Settings


def main() -> None:
    settings = Settings.from_environment(os.environ)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False)


if __name__ == "__main__":
    main()
