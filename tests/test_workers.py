"""Turns at work: taken by the threads themselves, and given up by whoever does not wait for them any more."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from serving.workers import LateError, Workers

_NAME: Final[ContextVar[str]] = ContextVar("name", default="")


class Picture:
    """Something that can be seen to be gone."""


class Bench:
    """One thread, held by a job that ends when `opened` is set, and callers who come after it."""

    def __init__(self, seconds: float = 30) -> None:
        self.told: list[int] = []
        self.workers = Workers(1, seconds, self.told.append)
        self.opened = threading.Event()
        self.left = asyncio.Event()
        self.done: list[str] = []

    def caller(self) -> Request:
        async def receive() -> Message:
            await self.left.wait()
            return {"type": "http.disconnect"}

        return Request({"type": "http"}, receive)

    async def held(self) -> "asyncio.Task[Any]":
        """The job that holds the thread, begun."""
        begun = threading.Event()

        def hold() -> None:
            begun.set()
            assert self.opened.wait(30)

        job = asyncio.ensure_future(self.workers.work(self.caller(), hold))
        await asyncio.to_thread(begun.wait)
        return job

    async def asked(self, name: str) -> "asyncio.Task[Any]":
        """A job that waits."""
        job = asyncio.ensure_future(self.workers.work(self.caller(), lambda: self.done.append(name)))
        await asyncio.sleep(0)
        return job


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def test_a_thread_takes_the_next_one_while_the_event_loop_has_other_things_to_do() -> None:
    async def test() -> None:
        bench, begun = Bench(), threading.Event()
        first = await bench.held()
        second = asyncio.ensure_future(bench.workers.work(bench.caller(), begun.set))
        await asyncio.sleep(0)
        bench.opened.set()
        assert begun.wait(30), "the event loop does nothing meanwhile"
        await asyncio.gather(first, second)

    run(test())


def test_first_come_first_served_and_it_is_told_how_many_wait() -> None:
    async def test() -> None:
        bench = Bench()
        jobs = [await bench.held(), *[await bench.asked(name) for name in "abc"]]
        assert len(bench.workers.began) == 1
        bench.opened.set()
        for job in jobs:
            await job
        assert bench.done == ["a", "b", "c"]
        assert (bench.told[:3], bench.told[-1], bench.workers.began) == ([1, 2, 3], 0, [])

    run(test())


@pytest.mark.parametrize("why", ["left", "late", "broken off"])
def test_a_turn_that_nobody_waits_for_is_not_taken(why: str) -> None:
    async def test() -> None:
        bench = Bench(seconds=0.05 if why == "late" else 30)
        first, waiting = await bench.held(), await bench.asked("nobody's")
        if why == "left":
            bench.left.set()
        if why == "broken off":
            waiting.cancel()
        expected = {"left": ClientDisconnect, "late": LateError, "broken off": asyncio.CancelledError}
        with pytest.raises(expected[why]):
            await waiting
        assert bench.told == [1, 0]
        bench.opened.set()
        await first
        await (await bench.asked("the next"))
        assert bench.done == ["the next"]

    run(test())


def test_a_picture_that_nobody_waits_for_is_let_go_before_its_turn() -> None:
    async def test() -> None:
        bench, picture = Bench(), Picture()
        known = weakref.ref(picture)
        first = await bench.held()
        waiting = asyncio.ensure_future(bench.workers.work(bench.caller(), partial(str, picture)))
        del picture
        await asyncio.sleep(0)
        assert known()
        bench.left.set()
        await asyncio.wait({waiting})
        assert isinstance(waiting.exception(), ClientDisconnect)
        del waiting
        gc.collect()
        assert known() is None, "who comes and goes often would fill the memory"
        bench.opened.set()
        await first

    run(test())


def test_a_job_knows_whose_it_is_and_what_went_wrong_is_told() -> None:
    async def test() -> None:
        workers = Workers(1, 30, lambda _: None)
        _NAME.set("mine")
        assert (await workers.work(Bench().caller(), _NAME.get)).result == "mine"
        with pytest.raises(ZeroDivisionError):
            await workers.work(Bench().caller(), lambda: 1 // 0)
        assert workers.began == []

    run(test())
