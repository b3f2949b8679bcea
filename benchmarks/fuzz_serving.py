"""Mutated pictures by the ten thousand, sent to one real service: no 5xx, no growth, nobody else harmed.

    python -m benchmarks.fuzz_serving [--pictures N] [--seed S] [--connections N] [--only K]

Every picture is known by the seed and its number: `--seed S --only K` sends that one again and shows the answer. Exits
with 1 when an answer is one that must not be, a sound picture sent in between is answered differently, or memory grows
by more than `--growth` megabytes after the first third.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import psutil

from tests.fuzzing import Outcome, fuzz, said
from tests.mutations import mutation
from tests.serving_process import Service, serving

Sample = tuple[float, float]
"""Share of the run that is done, and resident memory of the service, MiB."""


@contextmanager
def watched(pid: int, done: Iterator[float]) -> Iterator[list[Sample]]:
    """Memory of a process and its children, twice a second, for as long as the block lasts."""
    samples: list[Sample] = []
    ended = threading.Event()
    process = psutil.Process(pid)

    def watch() -> None:
        while not ended.wait(0.5):
            family = (process, *process.children(recursive=True))
            samples.append((next(done), sum(each.memory_info().rss for each in family) / 2**20))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def growth(samples: list[Sample]) -> float:
    """Median memory of the last third, less that of the second: what stays after warming up, MiB."""
    thirds = [[memory for done, memory in samples if int(min(done, 0.999) * 3) == third] for third in range(3)]
    return median(thirds[2]) - median(thirds[1]) if all(thirds) else 0.0


class Counted:
    """Numbers that remember how many of them were drawn."""

    def __init__(self, count: int) -> None:
        self.count, self.drawn = count, 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.drawn = number
            yield number

    def share(self) -> Iterator[float]:
        while True:
            yield self.drawn / self.count


def show(outcome: Outcome, samples: list[Sample], seconds: float) -> None:
    """Counts, memory, the slowest, and whatever must not be."""
    total = sum(outcome.answers.values())
    print(f"{total} pictures in {seconds:.0f} s, {outcome.retried} times told to come back\n")
    print("| answer | pictures |\n|---|---:|")
    for answer, count in outcome.answers.most_common():
        print(f"| {answer} | {count} |")
    print("\n| share sent | memory, MiB |\n|---:|---:|")
    for done, memory in samples[:: max(1, len(samples) // 12)]:
        print(f"| {done:.0%} | {memory:.0f} |")
    print(f"\nmemory of the last third less that of the second: {growth(samples):+.1f} MiB")
    print(f"sound pictures in between: {outcome.canaries} answered alike, {len(outcome.canary_trouble)} otherwise")
    print("slowest:", ", ".join(f"{took:.1f} s ({number}: {name})" for took, number, name in outcome.slowest[:5]))
    for number, fault in sorted(outcome.trouble.items()):
        print(f"TROUBLE {number}: {fault}")
    for fault in outcome.canary_trouble[:10]:
        print(f"TROUBLE with a sound picture: {fault}")


def send_one(service: Service, seed: int, number: int) -> None:
    """Send one mutation and show what it is, what it is answered and what the service says of it."""
    sent = mutation(seed, number)
    kept = Path(tempfile.gettempdir()) / f"mutation-{seed}-{number}"
    kept.write_bytes(sent.content)
    print(f"{sent.name}: {len(sent.content)} bytes as {sent.content_type}, kept as {kept}")
    answer = httpx.post(f"{service.url}/predict", files={"image": ("a", sent.content, sent.content_type)}, timeout=300)
    print(said(answer), answer.text[:1000], service.errors.read_text()[-3000:], sep="\n")


def main() -> None:
    """Send and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--connections", type=int, default=6)
    parser.add_argument("--only", type=int, metavar="K", help="send number K alone, and show the answer")
    parser.add_argument(
        "--growth", type=float, default=32, metavar="MIB", help="how much memory may grow (%(default)s)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as service:
        if asked.only is not None:
            send_one(service, asked.seed, asked.only)
            return
        numbers, began = Counted(asked.pictures), time.monotonic()
        with watched(service.process.pid, numbers.share()) as samples:
            outcome = fuzz(service.url, asked.seed, numbers, asked.connections)
        show(outcome, samples, time.monotonic() - began)
        told = len(service.errors.read_text())
        print(f"the service wrote {told / 1024:.0f} KiB to its standard error")
        died = service.process.poll() is not None
    if died or outcome.trouble or outcome.canary_trouble or growth(samples) > asked.growth:
        sys.exit("the service did not come through" + (": it died" if died else ""))


if __name__ == "__main__":
    main()
