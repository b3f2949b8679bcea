"""A queue evens out a burst; in a rush only those wait whose turn is near."""

import asyncio
import threading
from typing import Final, cast

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException

from serving.admission import Admission
from serving.rush import Rush

USUAL: Final = 0.06
NOBODY: Final = cast("Request", None)


def rush_of(at_work: int, rate: float, seconds: float) -> Rush:
    """What is known after pictures came so often, evenly, until now: second 0."""
    rush = Rush(at_work)
    rush.worked(USUAL)
    count = int(rate * seconds)
    for number in range(count):
        rush.came((number + 1 - count) / rate)
    return rush


@pytest.mark.parametrize("at_work", [1, 2, 8])
def test_twice_as_many_as_can_be_answered_are_a_rush_and_half_as_many_are_none(at_work: int) -> None:
    sustainable = at_work / USUAL
    just_begun = [0.0] * at_work
    assert rush_of(at_work, 0.5 * sustainable, 2).lets_wait(0, 0, just_begun)
    assert not rush_of(at_work, 2 * sustainable, 2).lets_wait(0, 0, just_begun)


def test_in_a_rush_whoever_waits_has_a_turn_that_is_near() -> None:
    rush = rush_of(2, 100, 1)
    began = [-0.7 * USUAL, -0.1 * USUAL]
    assert rush.lets_wait(0, 0, began), (
        "the first in the queue takes the place of the one that has been at work longest"
    )
    assert not rush.lets_wait(0, 1, began), "the second in the queue would wait for the other"
    assert not rush.lets_wait(0, 2, began)


def test_a_burst_at_a_quiet_time_is_no_rush() -> None:
    rush = rush_of(2, 1, 10)
    for _ in range(4):
        rush.came(0)
    assert rush.lets_wait(0, 1, [0, 0])


def test_a_rush_ends() -> None:
    rush = rush_of(2, 100, 1)
    assert not rush.lets_wait(0, 0, [0, 0])
    assert rush.lets_wait(1, 0, [1, 1])


def test_before_the_first_answer_nothing_is_a_rush() -> None:
    rush = Rush(1)
    for _ in range(100):
        rush.came(0)
    assert rush.lets_wait(0, 0, [0])


def test_the_usual_time_follows_what_is_seen() -> None:
    rush = rush_of(1, 10, 1)  # 10 a second are few where one takes 0.06 s
    assert rush.lets_wait(0, 0, [0])
    for _ in range(30):
        rush.worked(0.5)
    rush.came(0)
    assert not rush.lets_wait(0, 0, [0])


@pytest.mark.parametrize("heeded", [True, False])
def test_who_would_wait_in_a_rush_is_refused_though_there_is_a_place(heeded: bool) -> None:
    async def comes() -> None:
        rush = Rush(1)
        rush.worked(60)
        admission = Admission(1, 1, 0, 30, rush=rush if heeded else None)
        for _ in range(7):
            admission.come()
        begun, opened = threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            assert opened.wait(30)

        with admission.place():
            at_work = asyncio.ensure_future(admission.work(NOBODY, work))
            await asyncio.to_thread(begun.wait)
            try:
                admission.come()
            finally:
                opened.set()
                await at_work

    if not heeded:
        asyncio.run(comes())
        return
    with pytest.raises(HTTPException) as refused:
        asyncio.run(comes())
    assert refused.value.status_code == 503
