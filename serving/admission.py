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

from fastapi import Request
from starlette.exceptions import HTTPException

from serving.problems import come_back, refusal
from serving.rush import Rush
from serving.workers import Done, LateError, Result, Workers

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
        self._rush = rush
        self._room = room
        self._seconds = seconds
        self._workers = Workers(at_work, seconds, told)

    @property
    def has_place(self) -> bool:
        """Whether a place is left."""
        waiting = self._taken - self.at_work
        if waiting < 0:
            return True
        if waiting >= self._most_waiting:
            return False
        return self._rush is None or self._rush.lets_wait(time.monotonic(), waiting, self._workers.began)

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

    async def work(self, request: Request, job: Callable[[], Result]) -> Done[Result]:
        """Have a job done in a thread, first come, first served. The request's body has been read.

        Raises:
            HTTPException: 503 `overloaded`: its turn did not come in time.
            ClientDisconnect: the caller went away while waiting.
        """
        try:
            done = await self._workers.work(request, job)
        except LateError as error:
            raise _overloaded("the turn did not come in time") from error
        if self._rush:
            self._rush.worked(done.worked)
        return done

    def _require_place(self) -> None:
        if not self.has_place:
            raise _overloaded("every place is taken")


def _overloaded(why: str) -> HTTPException:
    return come_back("overloaded", f"{why}: send the picture again in a moment")
