"""The load of the serving benchmark: one process of its own that sends pictures and notes how long answers took.

    python -m benchmarks.serving_load < ORDER.json > RESULT.json

It is made to cost little, because it shares the cores with the server it measures: requests are put together
before the clock starts, and answers are counted, not read. In open loop a request has a time at which it is due, from
a Poisson process; its latency counts from then, so that a server which stalls cannot hide it by keeping the load
waiting.
"""

import asyncio
import base64
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final

import httptools

_BOUNDARY: Final = "----benchmark"
_PATIENCE: Final = 60
"""Seconds after which an answer is not waited for any more."""


@dataclass(frozen=True)
class Order:
    """What to send, where, and how.

    Attributes:
        port: of the server, on the loopback address.
        path: what is posted to.
        pictures: picture files, sent in turn.
        form: the form field that carries a picture; empty for JSON.
        template: the JSON around a picture's base64, with `%s` in its place.
        accept: the Accept header.
        seconds: how long to send.
        connections: closed loop: as many clients, each with one request at a time.
        rate: open loop, requests a second, when it is not 0.
        seed: of the times in open loop.
    """

    port: int
    path: str
    pictures: list[str]
    form: str
    template: str
    accept: str
    seconds: float
    connections: int = 1
    rate: float = 0.0
    seed: int = 0


@dataclass
class Result:
    """What came of it.

    Attributes:
        seconds: from the first request to the last answer.
        answers: for each request its latency in milliseconds, and its status (0: the connection broke).
        client_cpu: processor time that the load itself took, seconds.
        server_cpu: processor time that the server took meanwhile, seconds; whoever gave the order adds it.
    """

    seconds: float = 0.0
    answers: list[tuple[float, int]] = field(default_factory=list)
    client_cpu: float = 0.0
    server_cpu: float = 0.0


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection; a request at a time."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None
        self.usable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status, self.usable = self._parser.get_status_code(), self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        self._finish(status)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        self._finish(0)

    def _finish(self, status: int) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result(status)

    async def ask(self, request: bytes) -> int:
        """The status of the answer; 0 when the connection broke, or nobody answers."""
        self.answer = asyncio.get_running_loop().create_future()
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(request)
        try:
            return await asyncio.wait_for(self.answer, _PATIENCE)
        except TimeoutError:
            self.usable = False
            return 0


class _Clients:
    """Connections that wait for their next request."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._idle: list[_Connection] = []
        self.result = Result()

    async def ask(self, request: bytes, since: float) -> int:
        """Send one request and note its latency, counted from `since`."""
        connection = self._kept() or await self._connected()
        status = await connection.ask(request) if connection else 0
        self.result.answers.append(((time.perf_counter() - since) * 1000, status))
        if connection and connection.usable:
            self._idle.append(connection)
        return status

    def _kept(self) -> _Connection | None:
        """An idle connection that the server has not closed meanwhile."""
        while self._idle:
            if (connection := self._idle.pop()).usable:
                return connection
        return None

    async def _connected(self) -> _Connection | None:
        loop = asyncio.get_running_loop()
        try:
            return (await loop.create_connection(_Connection, "127.0.0.1", self._order.port))[1]
        except OSError:
            return None  # counted as a broken connection by whoever asked


def requests(order: Order) -> list[bytes]:
    """Every picture as a whole HTTP request."""
    return [_request(order, Path(picture).read_bytes()) for picture in order.pictures]


def _request(order: Order, picture: bytes) -> bytes:
    if order.form:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{order.form}"; filename="a.jpg"\r\n'
        body = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
    else:
        body, kind = (order.template % base64.b64encode(picture).decode()).encode(), "application/json"
    lines = (
        f"POST {order.path} HTTP/1.1",
        f"Host: 127.0.0.1:{order.port}",
        f"Accept: {order.accept}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def closed_loop(order: Order, bodies: Iterator[bytes], clients: _Clients) -> None:
    """So many clients, each sending its next picture when it has the answer to the one before."""
    end = time.perf_counter() + order.seconds

    async def one() -> None:
        while (now := time.perf_counter()) < end:
            if await clients.ask(next(bodies), now) != 200:
                await asyncio.sleep(0.01)  # turned away: not at once again

    await asyncio.gather(*(one() for _ in range(order.connections)))


async def open_loop(order: Order, bodies: Iterator[bytes], clients: _Clients) -> None:
    """Requests at times of their own, whether the server keeps up or not."""
    rng, due, sent, began = random.Random(order.seed), 0.0, [], time.perf_counter()
    while (due := due + rng.expovariate(order.rate)) < order.seconds:
        await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
        sent.append(asyncio.create_task(clients.ask(next(bodies), began + due)))
    await asyncio.gather(*sent)


async def carried_out(order: Order) -> Result:
    """The result of an order."""
    clients, bodies = _Clients(order), cycle(requests(order))
    began, used = time.perf_counter(), _cpu()
    await (open_loop if order.rate else closed_loop)(order, bodies, clients)
    clients.result.seconds, clients.result.client_cpu = time.perf_counter() - began, _cpu() - used
    return clients.result


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    json.dump(asdict(asyncio.run(carried_out(Order(**json.load(sys.stdin))))), sys.stdout)
