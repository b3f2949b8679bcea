"""A canary that does what a test wants: it says it is ready, and answers, fails or hangs on what it is sent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from prometheus_client.parser import text_string_to_metric_families

from tests.live_app import live
from tests.serving_process import Service

Answering = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Received:
    """A request as it came to the stub."""

    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class CanaryStub:
    """What it says at `/ready`, how it answers, and what it has received; any thread may change or read it.

    `asked_over` has the caller's port of each question at `/ready`: one for each connection.
    """

    def __init__(self) -> None:
        self.url = ""
        self.says: dict[str, Any] | str = {"status": "ready", "model_version": "stub", "share": 1}
        self.received: list[Received] = []
        self.asked_over: list[int] = []
        self.answering: Answering = answers(200)
        self.at_once = 0
        self.most_at_once = 0
        self.left = 0

    async def ready(self, request: Request) -> Any:
        assert request.client is not None
        self.asked_over.append(request.client.port)
        return Response(self.says) if isinstance(self.says, str) else self.says

    async def answer(self, request: Request) -> Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            target = request.scope["raw_path"].decode() + "?" * bool(request.url.query) + request.url.query
            self.received.append(Received(target, request.headers.items(), await request.body()))
            return await self.answering(request)
        finally:
            self.at_once -= 1
            self.left += await request.is_disconnected()


@contextmanager
def canary_stub() -> Iterator[CanaryStub]:
    """A stub on a free port until the end of the block."""
    stub, app = CanaryStub(), FastAPI()
    app.get("/ready")(stub.ready)
    app.post("/{path:path}")(stub.answer)
    with live(app) as http:
        stub.url = str(http.base_url).rstrip("/")
        yield stub


def answers(status: int, body: str = '{"model_version":"stub"}', **headers: str) -> Answering:
    async def answering(_: Request) -> Response:
        return Response(body, status, headers={"Content-Type": "application/json"} | headers)

    return answering


async def hangs(request: Request) -> Response:
    """Until whoever asks has gone."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    return Response()


async def breaks_off(_: Request) -> Response:
    """States more than it sends, and the connection ends."""
    return Response(b"x", headers={"Content-Length": "1000"})


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hears(service: Service, what: str = " takes ", times: int = 1) -> None:
    """Wait until `service` has said so often what it has heard of its canary."""
    wait_until(lambda: service.errors.read_text().count(what) >= times)


@contextmanager
def outcomes(http: httpx.Client) -> Iterator[dict[str, float]]:
    """Of the requests that this service sent on to its canary during the block; filled at its end."""
    before = _counted(http)
    sent_on: dict[str, float] = {}
    yield sent_on
    sent_on |= {name: value - before[name] for name, value in _counted(http).items() if value != before[name]}


def _counted(http: httpx.Client) -> dict[str, float]:
    families = {family.name: family for family in text_string_to_metric_families(http.get("/metrics").text)}
    samples = families["wms_canary_requests"].samples
    return {each.labels["outcome"]: each.value for each in samples if each.name.endswith("_total")}
