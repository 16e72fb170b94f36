"""Starts the real-time audio pipeline."""

import os

import uvicorn

from real_time_audio_pipeline.api import create_app
from real_time_audio_pipeline.settings import Settings


def main() -> None:
    settings = Settings.from_environment(os.environ)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False)


if __name__ == "__main__":
    main()
