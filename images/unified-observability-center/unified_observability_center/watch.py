"""Asks every service at once, again and again."""

import asyncio
import logging
import time

import httpx

from .status import Answer, ServiceStatus

log = logging.getLogger("unified_observability_center")


async def ask(client: httpx.AsyncClient, url: str) -> Answer:
    begin = time.monotonic()
    try:
        response = await client.get(url)
        detail = "" if response.status_code == 200 else f"status {response.status_code}"
    except httpx.HTTPError as error:
        detail = type(error).__name__
    return Answer(time.time(), detail == "", time.monotonic() - begin, detail)


async def ask_all(client: httpx.AsyncClient, services: list[ServiceStatus]) -> None:
    answers = await asyncio.gather(*(ask(client, service.url) for service in services))
    for service, answer in zip(services, answers, strict=True):
        if service.add(answer):
            log.warning("%s is %s %s", service.name, service.state, answer.detail)


async def watch(services: list[ServiceStatus], interval_s: float, timeout_s: float) -> None:
    async with httpx.AsyncClient(timeout=timeout_s) as client:
        while True:
            await ask_all(client, services)
            await asyncio.sleep(interval_s)
