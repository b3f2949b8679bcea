"""Who is let in, and what becomes of everybody else: over real HTTP, with work that ends when a test says so."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select

import httpx
import pytest

from serving.app import create_app
from serving.inference import Found, Inference
from serving.service import Service
from serving.settings import ServingSettings
from tests.live_app import live
from tests.onnx_model import write_release
from tests.uploads import photo


class Gate:
    """The real work, which nobody passes until `opened` is set.

    Attributes:
        begun: pictures that work has begun on.
        most: most pictures at work at once.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = self.most = self._now = 0
        self.opened = threading.Event()
        self._counting = threading.Lock()
        find = Inference.find

        def gated(inference: Inference, data: bytes, crop: bool, shape: bool) -> Found:
            self._count(1)
            assert self.opened.wait(30)
            self._count(-1)
            return find(inference, data, crop, shape)

        monkeypatch.setattr(Inference, "find", gated)

    def _count(self, change: int) -> None:
        with self._counting:
            self._now += change
            self.begun += change > 0
            self.most = max(self.most, self._now)


class World:
    """A loaded service over HTTP, callers of it, and the gate before its work."""

    def __init__(self, http: httpx.Client, service: Service, gate: Gate, callers: ThreadPoolExecutor) -> None:
        self.http = http
        self.service = service
        self.gate = gate
        self._callers = callers

    def send(self, count: int = 1) -> list[Future[httpx.Response]]:
        """Send good pictures, each from a caller of its own, and see them all at work or waiting."""
        sent = []
        for _ in range(count):
            before = self.gate.begun + self.waiting()
            sent.append(self._callers.submit(self.http.post, "/predict", files={"image": photo()}))
            until(lambda before=before: self.gate.begun + self.waiting() > before)
        return sent

    def begin_batch(self, count: int) -> Future[httpx.Response]:
        """Send so many good pictures in one request."""
        files = [("image", (f"{index}.png", photo())) for index in range(count)]
        return self._callers.submit(self.http.post, "/predict/batch", files=files)

    def waiting(self) -> int:
        found = re.search(r"^wms_predict_waiting\{.*\} (\d+)", self.http.get("/metrics").text, re.MULTILINE)
        assert found
        return int(found[1])

    @contextmanager
    def sending(self, length: int, *pieces: bytes) -> Iterator[socket.socket]:
        """A caller who has announced a picture of `length` bytes, and sent only `pieces` of it so far."""
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
        address = self.http.base_url
        with socket.create_connection((address.host, address.port or 80), timeout=30) as connection:
            for piece in (head.encode(), *pieces):
                connection.sendall(piece)
            yield connection


def until(come: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def first_line(connection: socket.socket) -> bytes:
    return connection.makefile("rb").readline()


def codes(*answers: httpx.Response) -> list[str | int]:
    return [answer.status_code if answer.is_success else answer.json()["error"] for answer in answers]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[World]:
    """One of two places at work and one of two to wait at, unless the test sets something else."""
    settings = {"workers": 1, "threads": 1, "queue": 1} | getattr(request, "param", {})
    write_release(tmp_path / "release")
    service = Service(tmp_path / "release", ServingSettings(**settings))
    service.load()
    gate = Gate(monkeypatch)
    with live(create_app(service)) as http, ThreadPoolExecutor(16) as callers:
        yield World(http, service, gate, callers)
        gate.opened.set()


@pytest.mark.parametrize("world", [{"workers": 2, "queue": 4}], indirect=True)
def test_no_more_pictures_are_at_work_at_once_than_the_settings_say(world: World) -> None:
    sent = world.send(6)
    assert (world.gate.begun, world.waiting()) == (2, 4)
    world.gate.opened.set()
    assert codes(*[each.result() for each in sent]) == [200] * 6
    assert (world.gate.most, world.waiting()) == (2, 0)


def test_beyond_the_queue_a_caller_is_told_at_once_to_come_back(world: World) -> None:
    admitted = world.send(2)
    refused = world.http.post("/predict", files={"image": photo()})
    assert (refused.status_code, refused.json()["error"], refused.headers["retry-after"]) == (503, "overloaded", "1")
    world.gate.opened.set()
    assert codes(*[each.result() for each in admitted]) == [200, 200]
    assert codes(world.http.post("/predict", files={"image": photo()})) == [200]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_who_cannot_be_admitted_is_refused_before_anything_of_the_body_is_read(world: World, path: str) -> None:
    world.send(2)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n".encode()
    address = world.http.base_url
    with socket.create_connection((address.host, address.port or 80), timeout=30) as connection:
        connection.sendall(head)
        assert b" 503 " in first_line(connection)


def test_a_full_service_is_alive_and_ready(world: World) -> None:
    world.send(2)
    assert [world.http.get(path).status_code for path in ("/health", "/ready", "/version")] == [200] * 3


def test_the_time_spent_waiting_is_told(world: World) -> None:
    sent = world.send(2)
    time.sleep(0.05)
    world.gate.opened.set()
    waited = [each.result().json()["timings"]["waited"] for each in sent]
    assert waited[0] < waited[1]
    assert waited[1] > 50


def test_slow_uploads_keep_nobody_out(world: World) -> None:
    world.gate.opened.set()
    with world.sending(99, b"x"), world.sending(99, b"x"), world.sending(99, b"x"):
        assert codes(world.http.post("/predict", files={"image": photo()})) == [200]


@pytest.mark.parametrize("world", [{"request_seconds": 0.3}], indirect=True)
def test_an_upload_that_does_not_end_is_ended(world: World) -> None:
    with world.sending(99, b"x") as connection:
        answer = connection.makefile("rb").read()  # to the end of the connection
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"error":"timeout"' in answer


@pytest.mark.parametrize("world", [{"request_seconds": 0.3}], indirect=True)
def test_a_turn_that_does_not_come_in_time_is_given_up_with_its_place(world: World) -> None:
    at_work, waiting = world.send(2)
    assert codes(waiting.result()) == ["overloaded"]
    again = world.send()
    world.gate.opened.set()
    assert codes(at_work.result()) == [200]
    assert codes(again[0].result())[0] in (200, "overloaded")
    assert world.waiting() == 0


def test_who_hangs_up_while_waiting_gives_the_place_back(world: World) -> None:
    at_work = world.send()
    with world.sending(len(photo()), photo()):
        until(lambda: world.waiting() == 1)
    until(lambda: world.waiting() == 0)
    admitted = world.send()
    world.gate.opened.set()
    assert codes(at_work[0].result(), admitted[0].result()) == [200, 200]
    assert world.gate.begun == 2


def test_a_batch_whose_caller_hangs_up_is_given_up(world: World) -> None:
    form = httpx.Request("POST", "http://x/predict/batch", files=[("image", ("a.png", photo()))] * 3)
    head = f"POST /predict/batch HTTP/1.1\r\nHost: x\r\nContent-Type: {form.headers['content-type']}\r\n"
    address = world.http.base_url
    with socket.create_connection((address.host, address.port or 80), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: {form.headers['content-length']}\r\n\r\n".encode() + form.read())
        until(lambda: world.gate.begun == 1)
    world.gate.opened.set()
    until(lambda: codes(world.http.post("/predict", files={"image": photo()})) == [200])
    assert world.gate.begun == 2


@pytest.mark.parametrize("world", [{"workers": 2, "queue": 2}], indirect=True)
def test_a_batch_uses_every_worker_and_leaves_places_to_others(world: World) -> None:
    batch = world.begin_batch(8)
    until(lambda: world.gate.begun == 2)
    others = world.send(2)
    world.gate.opened.set()
    assert codes(batch.result(), *[each.result() for each in others]) == [200] * 3
    assert world.gate.most == 2


@pytest.mark.parametrize("world", [{"batch_pictures": 1, "max_megabytes": 1}], indirect=True)
def test_the_bodies_of_all_requests_share_one_room(world: World) -> None:
    world.gate.opened.set()
    with ExitStack() as callers:
        senders = [callers.enter_context(world.sending(2**20, bytes(2**20 - 1))) for _ in range(3)]
        (refused,), _, _ = select(senders, [], [], 20)
        assert b" 503 " in first_line(refused)
        assert not select([sender for sender in senders if sender is not refused], [], [], 0.1)[0]
    until(lambda: codes(world.http.post("/predict", files={"image": photo()})) == [200])


def test_a_refused_picture_gives_its_place_back(world: World) -> None:
    world.gate.opened.set()
    for _ in range(3):
        assert codes(world.http.post("/predict", files={"image": b"no picture"})) == ["format"]
    assert codes(world.http.post("/predict", files={"image": photo()})) == [200]


def test_a_service_about_to_end_is_not_ready_and_answers_all_the_same(world: World) -> None:
    world.gate.opened.set()
    world.service.leave()
    assert codes(world.http.get("/ready"), world.http.get("/health")) == ["not-ready", 200]
    assert codes(world.http.post("/predict", files={"image": photo()})) == [200]
