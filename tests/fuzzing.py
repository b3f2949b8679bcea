"""Mutated pictures sent to a real service from several connections, and what must hold of every answer."""

import base64
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.mutations import Mutation, mutation
from tests.uploads import photo

_REFUSALS = (400, 413, 415)
_PATHS = ("/predict", "/predict", "/predict?crop=true")


@dataclass
class Outcome:
    """What came of a run; every thread adds to it.

    Attributes:
        answers: how often each status was given, with its code when it is a refusal.
        trouble: mutations whose answer must not be, by number.
        slowest: the ten slowest answers: seconds, number, name.
        retried: answers that said the service is overloaded.
        canaries: sound pictures answered alike in between.
        canary_trouble: what else they were answered.
    """

    answers: Counter[str] = field(default_factory=Counter)
    trouble: dict[int, str] = field(default_factory=dict)
    slowest: list[tuple[float, int, str]] = field(default_factory=list)
    retried: int = 0
    canaries: int = 0
    canary_trouble: list[str] = field(default_factory=list)

    def add(self, number: int, name: str, answer: httpx.Response, seconds: float) -> None:
        """Count one answer, and judge it."""
        self.answers[said(answer)] += 1
        if fault := fault_of(answer):
            self.trouble[number] = f"{name}: {fault}"
        self.slowest = sorted([*self.slowest, (seconds, number, name)], reverse=True)[:10]


def said(answer: httpx.Response) -> str:
    """Status and code of an answer, in a word or two."""
    if answer.status_code == 200 or not answer.headers.get("content-type", "").startswith("application/json"):
        return str(answer.status_code)
    return f"{answer.status_code} {answer.json().get('error')}"


def fault_of(answer: httpx.Response) -> str:
    """What is wrong with an answer to an arbitrary picture; empty when nothing is."""
    if answer.status_code == 200:
        return _fault_of_mask(answer)
    if answer.status_code not in _REFUSALS:
        return f"answered {answer.status_code}: {answer.text[:300]}"
    problem = answer.json()
    if problem.keys() != {"error", "message"} or len(problem["message"]) < 10:
        return f"no reason is given: {problem}"
    told = problem["message"]
    return f"it tells what is nobody's business: {told}" if " at 0x" in told or "Traceback" in told else ""


def _fault_of_mask(answer: httpx.Response) -> str:
    if answer.headers["content-type"] == "image/png":
        return "" if answer.content.startswith(b"\x89PNG") else "the mask is no PNG"
    told = answer.json()
    if "pictures" not in told:
        return _fault_of_window(told)
    sound, mutated = told["pictures"]
    if sound["window"] is None or (mutated["window"] is None) == (mutated["problem"] is None):
        return f"a batch with a sound picture is answered {answer.text[:300]}"
    return _fault_of_window(mutated["window"]) if mutated["window"] else ""


def _fault_of_window(window: dict[str, Any]) -> str:
    size = struct.unpack_from(">II", base64.b64decode(window["mask"]), 16)
    return (
        ""
        if size == (window["width"], window["height"])
        else f"a mask of {size} for {window['width']}x{window['height']}"
    )


def fuzz(url: str, seed: int, numbers: Iterable[int], connections: int) -> Outcome:
    """Send the mutations of these numbers, as many at once as there are connections."""
    outcome, source, lock = Outcome(), iter(numbers), threading.Lock()
    threads = [threading.Thread(target=_sender, args=(url, seed, source, lock, outcome)) for _ in range(connections)]
    with _canary(url, outcome):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return outcome


def _client(url: str) -> httpx.Client:
    """A caller that drops connections it has not used for a while before the service does (uvicorn: after 5 s)."""
    return httpx.Client(base_url=url, timeout=300, limits=httpx.Limits(keepalive_expiry=2))


def _sender(url: str, seed: int, source: Iterator[int], lock: threading.Lock, outcome: Outcome) -> None:
    with _client(url) as http:
        while True:
            with lock:
                number = next(source, None)
            if number is None:
                return
            sent = mutation(seed, number)
            try:
                answer, seconds, retried = _answered(http, sent, number)
            except httpx.HTTPError as error:
                with lock:
                    outcome.trouble[number] = f"{sent.name}: no answer ({error!r})"
                continue
            with lock:
                outcome.retried += retried
                outcome.add(number, sent.name, answer, seconds)


def _answered(http: httpx.Client, sent: Mutation, number: int) -> tuple[httpx.Response, float, int]:
    """The answer, how long it took, and how often the service had said before that it is overloaded."""
    retried = 0
    while True:
        began = time.perf_counter()
        answer = _posted(http, sent, number)
        if said(answer) != "503 overloaded":
            return answer, time.perf_counter() - began, retried
        retried += 1
        time.sleep(0.02)


def _posted(http: httpx.Client, sent: Mutation, number: int) -> httpx.Response:
    """Sent in one of the ways there are, which follows from the number."""
    if number % 11 == 0:
        both = (("sound.jpg", photo(), "image/jpeg"), ("odd.jpg", sent.content, sent.content_type))
        return http.post("/predict/batch", files=[("image", part) for part in both])
    path, headers = _PATHS[number % 3], {"Accept": "image/png"} if number % 5 == 0 else {}
    if number % 4 == 0 and sent.content_type.startswith("image/"):
        return http.post(path, content=sent.content, headers={**headers, "Content-Type": sent.content_type})
    part = (f"{number}.jpg", sent.content, sent.content_type)
    return http.post(path, files={"file" if number % 7 == 0 else "image": part}, headers=headers)


@contextmanager
def _canary(url: str, outcome: Outcome) -> Iterator[None]:
    """A caller with a sound picture, all along."""
    ended = threading.Event()

    def sing() -> None:
        with _client(url) as http:
            expected = _song(http)
            while not ended.wait(0.05):
                try:
                    found = _song(http)
                except httpx.HTTPError as error:
                    outcome.canary_trouble.append(repr(error))
                    continue
                if found == expected:
                    outcome.canaries += 1
                else:
                    outcome.canary_trouble.append(str(found)[:300])

    thread = threading.Thread(target=sing)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _song(http: httpx.Client) -> dict[str, object]:
    """Everything in the answer that depends on the picture alone."""
    sound = Mutation("sound", photo(6, "JPEG"), "image/jpeg")
    answer = _answered(http, sound, 1)[0].raise_for_status().json()
    return {name: value for name, value in answer.items() if name not in ("timings", "milliseconds")}
