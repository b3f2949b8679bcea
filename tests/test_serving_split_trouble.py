"""A canary that fails, hangs, refuses or is no service at all: no caller notices, and nothing of a request is lost."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from PIL import Image

from tests.canary_stub import (
    Answering,
    CanaryStub,
    answers,
    breaks_off,
    canary_stub,
    hangs,
    hears,
    outcomes,
    wait_until,
)
from tests.onnx_model import write_release
from tests.serving_process import Service, running
from tests.uploads import encoded, photo

KEY: Final = {"X-API-Key": "a-long-random-text"}
ELSEWHERE: Final = "https://meters.example"
SETTINGS: Final = {
    "WMS_SERVING_API_KEY": KEY["X-API-Key"],
    "WMS_SERVING_CORS_ORIGINS": json.dumps([ELSEWHERE]),
    "WMS_SERVING_QUEUE": "100",
    "WMS_SERVING_CANARY_SECONDS": "2",
    "WMS_SERVING_REQUEST_SECONDS": "3",
}
PICTURE: Final[dict[str, Any]] = {"files": {"image": photo()}}
BIG: Final = encoded(Image.new("RGB", (3000, 2000), "red"), "BMP")  # 17 MiB
BODIES: Final = [
    pytest.param("/predict", PICTURE, id="form"),
    pytest.param("/predict?crop=true", {"files": {"file": photo(6)}}, id="query"),
    pytest.param("/predict", {"content": photo(), "headers": {"Content-Type": "image/png"}}, id="raw"),
    pytest.param(
        "/predict", {"content": [photo()[:50], photo()[50:]], "headers": {"Content-Type": "image/png"}}, id="chunks"
    ),
    pytest.param("/predict/batch", {"files": [("image", photo(6)), ("image", b"no picture")]}, id="batch"),
    pytest.param("/predict", {"files": {"image": BIG}}, id="big"),
    pytest.param("/predict", {}, id="nothing"),
]


@pytest.fixture(scope="module")
def stub_of_all() -> Iterator[CanaryStub]:
    with canary_stub() as stub:
        yield stub


@pytest.fixture(scope="module")
def service(stub_of_all: CanaryStub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Version 7, all of whose requests are the stub's."""
    folder = tmp_path_factory.mktemp("trouble")
    write_release(folder / "release")
    with running(folder / "release", folder / "7.log", WMS_SERVING_CANARY=stub_of_all.url, **SETTINGS) as service:
        hears(service)
        yield service


@pytest.fixture
def stub(stub_of_all: CanaryStub) -> CanaryStub:
    stub_of_all.received.clear()
    stub_of_all.answering = answers(200)
    return stub_of_all


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=KEY, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    ("answering", "outcome"),
    [
        pytest.param(answers(500), "failed", id="500"),
        pytest.param(answers(503, '{"error":"not-ready","message":"it is about to end"}'), "failed", id="not ready"),
        pytest.param(answers(503, "overloaded"), "failed", id="503 of somebody else"),
        pytest.param(answers(401), "failed", id="another key"),
        pytest.param(answers(404), "failed", id="another service"),
        pytest.param(answers(307, Location="https://elsewhere.example/"), "failed", id="elsewhere"),
        pytest.param(breaks_off, "failed", id="breaks off"),
        pytest.param(hangs, "failed", id="hangs"),
        pytest.param(answers(200, "x" * (65 * 2**20)), "failed", id="endless"),
        pytest.param(answers(503, '{"error":"overloaded","message":"later"}'), "busy", id="overloaded"),
    ],
)
def test_where_the_canary_has_no_answer_the_service_answers_itself(
    http: httpx.Client, stub: CanaryStub, answering: Answering, outcome: str
) -> None:
    stub.answering = answering
    with outcomes(http) as sent_on:
        assert http.post("/predict", **PICTURE).raise_for_status().json()["model_version"] == "7"
    assert (len(stub.received), sent_on) == (1, {outcome: 1})


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refusal_is_the_canarys_answer_as_it_came(http: httpx.Client, stub: CanaryStub, status: int) -> None:
    stub.answering = answers(status, '{"error":"new-code", "message":"of the next version"}', **{"X-New": "1"})
    with outcomes(http) as sent_on:
        answer = http.post("/predict", **PICTURE)
    assert (answer.status_code, answer.headers["x-new"]) == (status, "1")
    assert answer.text == '{"error":"new-code", "message":"of the next version"}'
    assert sent_on == {"answered": 1}


@pytest.mark.parametrize(("path", "parts"), BODIES)
def test_a_request_comes_to_the_canary_as_it_was_sent(
    http: httpx.Client, stub: CanaryStub, path: str, parts: dict[str, Any]
) -> None:
    request = http.build_request("POST", path, **parts)
    request.read()
    assert http.send(request).json() == {"model_version": "stub"}
    (received,) = stub.received
    assert (received.target, received.body) == (path, request.content)
    for name in ("content-type", "accept", "user-agent", "x-api-key"):
        assert received.header(name) == request.headers.get_list(name)


@pytest.mark.parametrize(("path", "parts"), BODIES)
def test_what_the_canary_fails_on_is_answered_as_if_there_were_none(
    http: httpx.Client, stub: CanaryStub, path: str, parts: dict[str, Any]
) -> None:
    stub.answering = answers(500)
    request = http.build_request("POST", path, **parts)
    request.read()
    answer = http.send(request)
    assert len(stub.received) == 1
    expected = http.send(marked(request))  # a request that was sent on is answered where it arrives
    assert len(stub.received) == 1
    assert (answer.status_code, untimed(answer)) == (expected.status_code, untimed(expected))


def marked(request: httpx.Request) -> httpx.Request:
    headers = {name: value for name, value in request.headers.items() if name != "transfer-encoding"}
    return httpx.Request("POST", request.url, headers=headers | {"X-WMS-Forwarded": "1"}, content=request.content)


def untimed(answer: httpx.Response) -> str:
    return re.sub(r'"timings":{.*?}', "", answer.text)


def test_a_header_that_the_servers_add_comes_once(http: httpx.Client, stub: CanaryStub) -> None:
    answer = http.post("/predict", **PICTURE, headers={"Origin": ELSEWHERE, "X-Request-ID": "mine"})
    names = [name for name, _ in answer.headers.multi_items()]
    assert sorted(names) == sorted(set(names))
    assert answer.headers["access-control-allow-origin"] == ELSEWHERE
    (received,) = stub.received
    assert received.header("x-request-id") == ["mine"] == answer.headers.get_list("x-request-id")
    assert received.header("origin") == []  # or it might allow that origin by rules of its own


def test_a_header_with_a_blank_at_its_end_is_no_trouble(service: Service, stub: CanaryStub) -> None:
    with asking(service, "X-Note: mine ", "Content-Length: 0") as caller:
        assert caller.recv(2**16).startswith(b"HTTP/1.1 200")
    (received,) = stub.received
    assert received.header("x-note") == ["mine"]


def asking(service: Service, *headers: str, body: str = "") -> "closing[socket.socket]":
    """A connection over which a picture was asked about, or the beginning of one."""
    address = httpx.URL(service.url)
    connection = socket.create_connection((address.host, address.port or 80), timeout=60)
    lines = ("POST /predict HTTP/1.1", "Host: here", f"X-API-Key: {KEY['X-API-Key']}", *headers, "", body)
    connection.sendall("\r\n".join(lines).encode())
    return closing(connection)


def test_nobody_without_the_key_reaches_the_canary(service: Service, stub: CanaryStub) -> None:
    assert httpx.post(f"{service.url}/predict", **PICTURE).status_code == 401
    assert stub.received == []


def test_a_body_over_the_limit_is_refused_here(http: httpx.Client, stub: CanaryStub) -> None:
    answer = http.post("/predict", files={"image": bytes(21 * 2**20)})
    assert (answer.status_code, answer.json()["error"]) == (413, "too-large")
    assert stub.received == []


def test_a_body_that_does_not_arrive_in_time_is_refused_here(service: Service, stub: CanaryStub) -> None:
    with asking(service, "Content-Type: image/png", "Content-Length: 1000", body="some") as slow:
        assert slow.recv(2**16).startswith(b"HTTP/1.1 408")
    assert stub.received == []


def test_a_canary_that_hangs_has_eight_requests_at_most(http: httpx.Client, stub: CanaryStub) -> None:
    stub.answering, stub.most_at_once = hangs, 0
    with outcomes(http) as sent_on, ThreadPoolExecutor(20) as callers:
        answered = list(callers.map(lambda _: http.post("/predict", **PICTURE).raise_for_status().json(), range(20)))
    assert [answer["model_version"] for answer in answered] == ["7"] * 20
    assert stub.most_at_once == 8
    assert sent_on == {"failed": len(stub.received)}
    stub.answering = answers(200)
    assert http.post("/predict", **PICTURE).json()["model_version"] == "stub"


def test_whoever_hangs_up_leaves_the_canary_too(service: Service, http: httpx.Client, stub: CanaryStub) -> None:
    stub.answering, left = hangs, stub.left
    with outcomes(http) as sent_on:
        with asking(service, "Content-Type: image/png", "Content-Length: 4", body="some"):
            wait_until(lambda: len(stub.received) == 1)
        wait_until(lambda: stub.left > left)
    assert sent_on == {}


@pytest.mark.parametrize(
    ("says", "heard"),
    [
        pytest.param({"status": "ready", "model_version": "8", "share": 0}, "version 8 takes 0 of", id="share 0"),
        pytest.param({"status": "ready", "model_version": "8"}, "version 8 takes 0 of", id="no share"),
        pytest.param({"status": "ready", "model_version": "8", "share": 2}, "nothing is sent", id="share 2"),
        pytest.param("<html>", "nothing is sent", id="no service of ours"),
    ],
)
def test_a_canary_that_takes_nothing_gets_nothing(
    service: Service, http: httpx.Client, stub: CanaryStub, says: Any, heard: str
) -> None:
    usual, seen = stub.says, service.errors.read_text()
    stub.says = says
    hears(service, heard, seen.count(heard) + 1)
    assert [http.post("/predict", **PICTURE).json()["model_version"] for _ in range(20)] == ["7"] * 20
    assert stub.received == []
    stub.says = usual
    hears(service, "stub takes 1 ", seen.count("stub takes 1 ") + 1)


def test_a_service_that_ends_finishes_what_is_at_the_canary(tmp_path: Path, stub: CanaryStub) -> None:
    write_release(tmp_path / "release")
    settings = SETTINGS | {"WMS_SERVING_CANARY": stub.url}
    with running(tmp_path / "release", tmp_path / "7.log", **settings) as service, ThreadPoolExecutor(1) as caller:
        hears(service)
        stub.answering = hangs
        asked = caller.submit(httpx.post, f"{service.url}/predict", **PICTURE, headers=KEY, timeout=60)
        wait_until(lambda: len(stub.received) == 1)
        service.process.send_signal(signal.SIGTERM)
        assert asked.result().raise_for_status().json()["model_version"] == "7"
        assert service.process.wait(30) == 0
