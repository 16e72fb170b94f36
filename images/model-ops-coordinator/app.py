"""Starts the model ops coordinator: one process, since one process has to know what is in the GPU's memory."""

import os

import uvicorn

from model_ops_coordinator.api import create_app
from model_ops_coordinator.coordinator import Coordinator
from model_ops_coordinator.device import find_device
from model_ops_coordinator.settings import Settings


def main() -> None:
    settings = Settings.from_environment(os.environ)
    device = find_device(settings.memory_when_no_gpu)
    coordinator = Coordinator(device.memory_bytes, settings.evict_threshold_pct, on_evict=device.release)
    uvicorn.run(create_app(settings, device, coordinator), host=settings.host, port=settings.port, access_log=False)


if __name__ == "__main__":
    main()
