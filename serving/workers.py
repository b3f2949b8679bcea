"""Threads that work on pictures, first come, first served, and callers who wait for their turn.

A thread that is done takes the next picture itself. Were pictures handed out on the event loop, a core would have
nothing to do until that loop has its turn, too, between any two of them: 6 % of its time as measured under load.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

Result = TypeVar("Result")


class LateError(Exception):
    """A turn did not come in time."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """Work that was done.

    Attributes:
        result: what came of it.
        waited: seconds until its turn.
        worked: seconds that it took.
    """

    result: Result
    waited: float
    worked: float


class Workers:
    """The threads of one service, asked on its event loop only."""

    def __init__(self, at_work: int, seconds: float, told: Callable[[int], None]) -> None:
        """So many at work at once.

        Args:
            at_work: how many threads.
            seconds: how long a turn may take to come.
            told: hears how many wait, whenever that changes.
        """
        self._threads = ThreadPoolExecutor(at_work, thread_name_prefix="prediction")
        self._at_work = at_work
        self._seconds = seconds
        self._told = told
        self._asked = 0
        self._began: list[float] = []

    @property
    def began(self) -> list[float]:
        """When the work began that is not done yet, oldest first; seconds of `time.monotonic`."""
        return self._began.copy()

    async def work(self, request: Request, job: Callable[[], Result]) -> Done[Result]:
        """Have a job done in a thread when its turn has come, for a request whose body has been read.

        Raises:
            LateError: the turn did not come in time.
            ClientDisconnect: the caller went away while waiting.
        """
        held = [job]  # which holds the picture: work that was called off stays queued until its turn
        work = self._threads.submit(copy_context().run, self._run, held, time.monotonic())
        del job
        outcome = asyncio.wrap_future(work)
        self._count(1)
        try:
            if self._asked > self._at_work:
                left = await self._left_while_waiting(request, outcome)
                if not outcome.done() and work.cancel():
                    raise ClientDisconnect if left else LateError
            return await outcome
        finally:
            if work.cancel():  # of a request that is broken off itself; work that has begun goes on
                held.clear()
            self._count(-1)

    async def _left_while_waiting(self, request: Request, outcome: "asyncio.Future[Done[Result]]") -> bool:
        """Wait until there is an outcome, or no patience left, or no caller; whether it was that."""
        leaving = asyncio.ensure_future(gone(request))
        both: set[asyncio.Future[Any]] = {outcome, leaving}
        try:
            await asyncio.wait(both, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            return leaving.done()
        finally:
            leaving.cancel()

    def _run(self, held: list[Callable[[], Result]], came: float) -> Done[Result]:
        began = time.monotonic()
        self._began.append(began)
        try:
            result = held.pop()()
        finally:
            self._began.remove(began)
        return Done(result, began - came, time.monotonic() - began)

    def _count(self, change: int) -> None:
        before, self._asked = self._asked, self._asked + change
        waiting = max(0, self._asked - self._at_work)
        if waiting != max(0, before - self._at_work):
            self._told(waiting)


async def gone(request: Request) -> None:
    """Wait until the caller of a request, whose body has been read, goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
