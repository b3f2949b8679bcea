"""Who is let in: a few pictures at work, a few that wait for their turn, everybody else is told at once to come back.

A service that accepts all it is sent answers everybody later and later. Here a request is refused before its body is
read when no place is left, so that whoever is let in waits for little more than the pictures at work. In a rush there
are places only for those whose turn is near (`serving/rush.py`), unless the settings say how many may wait.

A body that is still arriving holds no place, or a slow sender would keep others out. It holds what it has sent so far,
of a room that all bodies share until their requests are answered, and it has a time limit.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

from anyio import CancelScope, CapacityLimiter, WouldBlock, create_task_group, move_on_after
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.problems import come_back, refusal
from serving.rush import Rush

Take = Callable[[int], None]
"""Takes so many bytes of the room for bodies; raises HTTPException, 503 `overloaded`, when it is full."""


class Admission:
    """The places of one service, used on its event loop only.

    Attributes:
        at_work: pictures at work at once.
    """

    def __init__(
        self,
        at_work: int,
        waiting: int,
        room: int,
        seconds: float,
        told: Callable[[int], None] = lambda _: None,
        rush: Rush | None = None,
    ) -> None:
        """Open the service.

        Args:
            at_work: pictures at work at once.
            waiting: pictures that may wait for their turn.
            room: bytes of all bodies together, arriving, waiting or at work.
            seconds: how long a body may take to arrive, and as long a turn to come.
            told: hears how many wait, whenever that changes.
            rush: says whether one more may wait where there is a place; None: everybody may.
        """
        self.at_work = at_work
        self._most_waiting = waiting
        self._taken = 0
        self._began: list[float] = []
        self._rush = rush
        self._room = room
        self._seconds = seconds
        self._told = told
        self._turns = CapacityLimiter(at_work)
        self._waiting = 0

    @property
    def has_place(self) -> bool:
        """Whether a place is left."""
        waiting = self._taken - self.at_work
        if waiting < 0:
            return True
        if waiting >= self._most_waiting:
            return False
        return self._rush is None or self._rush.lets_wait(time.monotonic(), waiting, self._began)

    def come(self) -> None:
        """Somebody comes, who is refused when every place is taken.

        Raises:
            HTTPException: 503 `overloaded`.
        """
        if self._rush:
            self._rush.came(time.monotonic())
        self._require_place()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place: the right to wait for turns.

        Raises:
            HTTPException: 503 `overloaded`.
        """
        self._require_place()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    @contextmanager
    def room(self) -> Iterator[Take]:
        """Room for a request's body, taken as it arrives and given back at the end of the block."""
        held = 0

        def take(count: int) -> None:
            nonlocal held
            if count > self._room:
                raise _overloaded("too many pictures are on their way")
            self._room -= count
            held += count

        try:
            yield take
        finally:
            self._room += held

    @asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        """The time that a body has to arrive.

        Raises:
            HTTPException: 408 `timeout`; it also ends the connection, for what is left may never come.
        """
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            message = f"the request did not arrive within {self._seconds:g} s: send it again, or less"
            raise refusal(HTTPStatus.REQUEST_TIMEOUT, "timeout", message, {"Connection": "close"}) from error

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """A turn at work, first come, first served. The request's body has been read.

        Raises:
            HTTPException: 503 `overloaded`: it did not come in time.
            ClientDisconnect: the caller went away while waiting.
        """
        try:
            self._turns.acquire_nowait()
        except WouldBlock:
            with self._counted():
                await self._wait(request)
        began = time.monotonic()
        self._began.append(began)
        try:
            yield
        finally:
            self._began.remove(began)
            self._turns.release()
            if self._rush:
                self._rush.worked(time.monotonic() - began)

    async def _wait(self, request: Request) -> None:
        has_turn = False
        async with create_task_group() as group:
            group.start_soon(cancel_when_gone, request, group.cancel_scope)
            with move_on_after(self._seconds) as patience:
                await self._turns.acquire()
                has_turn = True
            group.cancel_scope.cancel()
        if patience.cancelled_caught:
            raise _overloaded("the turn did not come in time")
        if not has_turn:
            raise ClientDisconnect

    def _require_place(self) -> None:
        if not self.has_place:
            raise _overloaded("every place is taken")

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._waiting += 1
        self._told(self._waiting)
        try:
            yield
        finally:
            self._waiting -= 1
            self._told(self._waiting)


async def cancel_when_gone(request: Request, scope: CancelScope) -> None:
    """End `scope` when the caller of a request, whose body has been read, goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _overloaded(why: str) -> HTTPException:
    return come_back("overloaded", f"{why}: send the picture again in a moment")
