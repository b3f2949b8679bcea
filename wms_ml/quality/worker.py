"""Decoding where it can do no harm: in processes of its own, with a limit on memory and time for every file.

A file that goes beyond them, or takes its process down, is refused; the others go on in a new process. Nothing of
this is left behind when the caller stops early, is interrupted or killed: a process ends when its caller is gone,
and one that is busy then ends with the processor time that its file was given.
"""

import hashlib
import logging
import math
import multiprocessing
import os
import resource
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pebble import ProcessExpired, ProcessPool

from wms_ml.errors import DropError, WmsError
from wms_ml.quality.inspection import Content, Damage, Measuring, Reading
from wms_ml.quality.reading import read

_log = logging.getLogger(__name__)

_BATCH: Final = 8
"""Files handed over together: handing over costs nearly as much as reading one."""
_AHEAD: Final = 3
"""Batches handed out ahead, per process: enough to keep it busy, few enough for drops of any length."""
_WORTH_A_PROCESS: Final = 60
"""Files that take about as long as one more process needs to start."""
_ATTEMPTS: Final = 3
_PATIENCE: Final = 120.0
"""Seconds beyond what files may take after which the processes themselves must be at fault."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What decoding may take.

    Attributes:
        seconds: per file. Pictures of 12 megapixels take less than one.
        memory_bytes: that a process may take beyond what it starts with, on Linux; the most that a picture of 64
            megapixels needs, with transparency and turned, is 1.8 GB.
        workers: processes at a time.
    """

    seconds: float = 20.0
    memory_bytes: int = 2 * 1024**3
    workers: int = 2


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Job:
    """A file to decode.

    Attributes:
        path: what it is called in messages.
        source: where it lies.
        content: what it held when it was hashed.
    """

    path: str
    source: Path
    content: Content


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Attributes:
        content: the job's.
        reading: what was read, or why not.
        repeatable: whether another machine, or this one tomorrow, would say the same.
    """

    content: Content
    reading: Reading
    repeatable: bool


@dataclass(frozen=True, slots=True)
class _Batch:
    jobs: Sequence[Job]
    future: "Future[list[Reading]]"


def read_apart(jobs: Sequence[Job], measuring: Measuring, limits: Limits) -> Generator[Outcome, None, None]:
    """Decode files in other processes; outcomes come in the order of the jobs. Close it to stop early.

    Raises:
        DropError: a file vanished or changed since it was hashed, or no process can be started.
    """
    rest, idle = jobs, 0
    while rest:
        done = 0
        with closing(_in_one_pool(rest, measuring, limits)) as outcomes:
            for done, outcome in enumerate(outcomes, 1):  # noqa: B007 - counted for after the loop
                yield outcome
        rest, idle = rest[done:], 0 if done else idle + 1
        if idle > _ATTEMPTS:
            raise DropError("no process for decoding can be started: is memory left? Then inspect again")


def _in_one_pool(jobs: Sequence[Job], measuring: Measuring, limits: Limits) -> Generator[Outcome, None, None]:
    """Outcomes in order, maybe not of all jobs: a pool breaks when one of its processes is killed between two files."""
    # Processes branch off one that has the decoders loaded and nothing else of the caller's: it starts once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    workers = min(limits.workers, 1 + len(jobs) // _WORTH_A_PROCESS)
    pool = ProcessPool(workers, initializer=_confine, initargs=[limits.memory_bytes], context=context)
    hand_over = partial(_hand_over, pool, measuring, limits)
    running: deque[_Batch] = deque()
    try:
        for start in range(0, len(jobs), _BATCH):
            running.append(hand_over(jobs[start : start + _BATCH]))
            if len(running) > _AHEAD * workers:
                yield from _outcomes(running.popleft(), hand_over, limits)
        while running:
            yield from _outcomes(running.popleft(), hand_over, limits)
    except RuntimeError as error:
        # A broken pool refuses what it is given with a plain RuntimeError, and fails what it has with a kind of it.
        _log.warning("the processes that decode pictures broke down: %s", error)
    finally:
        pool.stop()
        pool.join()


def _confine(memory_bytes: int) -> None:
    """What a process gives up before it sees the first file."""
    # Told to end, it ends, be it deep inside a decoder.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # What decoders complain of is judged, not printed; some print past Python.
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # glibc hands memory back after every picture until it has seen one large block freed: a third of the time.
    bytearray(31 * 1024**2)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _hand_over(pool: ProcessPool, measuring: Measuring, limits: Limits, jobs: Sequence[Job]) -> _Batch:
    return _Batch(jobs, pool.schedule(_decode, [jobs, measuring, limits.seconds], timeout=limits.seconds))


def _decode(jobs: Sequence[Job], measuring: Measuring, seconds: float) -> list[Reading]:
    """Runs in the other process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(spent.ru_utime + spent.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    return [read(_bytes(job), job.content, measuring) for job in jobs]


def _bytes(job: Job) -> bytes:
    try:
        data = job.source.read_bytes()
    except OSError as error:
        raise DropError(f"{job.path} cannot be read any more ({error.strerror}): inspect again") from error
    if hashlib.sha256(data).hexdigest() != job.content.sha256:
        raise DropError(f"{job.path} changed while it was inspected: wait until nobody writes to it, inspect again")
    return data


def _outcomes(batch: _Batch, hand_over: Callable[[Sequence[Job]], _Batch], limits: Limits) -> Iterator[Outcome]:
    error = _error(batch, limits)
    if error is None:
        for job, reading in zip(batch.jobs, batch.future.result(), strict=True):
            yield Outcome(job.content, reading, True)
    elif len(batch.jobs) == 1:
        yield Outcome(batch.jobs[0].content, _refusal(error, limits), False)
    else:
        # One of them is to blame, and alone it has to show.
        for alone in [hand_over([job]) for job in batch.jobs]:
            yield from _outcomes(alone, hand_over, limits)


def _error(batch: _Batch, limits: Limits) -> BaseException | None:
    """What became of a batch, if it is no error of the drop's or of the whole pool's."""
    try:
        error = batch.future.exception(_PATIENCE + (_AHEAD + 2) * limits.seconds)
    except TimeoutError as stuck:
        path = batch.jobs[0].path
        raise DropError(f"{path}: the processes that decode pictures do not answer: inspect again") from stuck
    if isinstance(error, WmsError | BrokenProcessPool):
        raise error
    return error


def _refusal(error: BaseException, limits: Limits) -> Damage:
    if isinstance(error, TimeoutError):
        return Damage(code="too-costly", message=f"decoding it was stopped after {limits.seconds:g} seconds")
    if isinstance(error, MemoryError):
        megabytes = limits.memory_bytes / 1e6
        return Damage(code="too-costly", message=f"decoding it takes more than {megabytes:.0f} MB of memory")
    if isinstance(error, ProcessExpired):
        return Damage(code="too-costly", message=f"decoding it ended its process ({_ending(error.exitcode)})")
    return Damage(code="undecodable", message=f"the decoder gave up: {type(error).__name__}: {error}")


def _ending(exitcode: int) -> str:
    if exitcode >= 0:
        return f"exit code {exitcode}"
    return signal.strsignal(-exitcode) or f"signal {-exitcode}"
