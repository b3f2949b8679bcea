"""What the service refuses, over real HTTP: with a status, a code and a sentence, and without harm to anybody else."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat, takewhile
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.serving_process import Service, serving
from tests.uploads import big_photo, encoded, photo, png_header


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("serving"), WMS_SERVING_QUEUE="100") as started:
        yield started


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


REFUSED = [
    pytest.param({"files": {"image": b""}}, 400, "empty", id="empty"),
    pytest.param({"files": {"image": photo(kind="JPEG")[:-40]}}, 400, "truncated", id="truncated"),
    pytest.param({"files": {"image": photo().replace(b"IDAT", b"IDAT\0")}}, 400, "undecodable", id="damaged"),
    pytest.param({"files": {"image": b"a text"}}, 415, "format", id="text"),
    pytest.param({"files": {"image": encoded(Image.new("L", (8, 8)), "GIF")}}, 415, "format", id="GIF"),
    pytest.param({"files": {"image": png_header(10_000, 10_000)}}, 413, "too-large", id="pixels"),
    pytest.param({"files": {"image": bytes(20 * 2**20 + 1)}}, 413, "too-large", id="bytes"),
    pytest.param({"files": {"image": bytes(21 * 2**20)}}, 413, "too-large", id="bytes of the form"),
    pytest.param({}, 400, "no-picture", id="nothing"),
    pytest.param({"data": {"image": "a name"}}, 400, "no-picture", id="a form of texts"),
    pytest.param({"files": {"other": photo()}}, 400, "no-picture", id="another field"),
    pytest.param({"files": {"image": (None, b"text")}}, 400, "no-picture", id="a text field"),
    pytest.param({"files": {"image": photo(), "file": photo()}}, 400, "several-pictures", id="two pictures"),
    pytest.param({"json": {"image": ""}}, 415, "format", id="JSON"),
    pytest.param({"files": {"image": photo()}, "params": {"crop": "perhaps"}}, 422, "parameter", id="a parameter"),
]


@pytest.mark.parametrize(("request_parts", "status", "code"), REFUSED)
def test_what_cannot_be_used_is_refused_with_its_reason_as_documented(
    http: httpx.Client, request_parts: dict[str, Any], status: int, code: str
) -> None:
    answer = http.post("/predict", **request_parts)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert len(answer.json()["message"]) > 10
    documented = http.get("/openapi.json").json()["paths"]["/predict"]["post"]["responses"][str(status)]
    assert code in documented["content"]["application/json"]["examples"]


@pytest.mark.parametrize(
    "code", ["empty", "truncated", "undecodable", "several-pictures", "no-picture", "format", "too-large"]
)
def test_a_documented_refusal_is_word_for_word_what_the_service_says(http: httpx.Client, code: str) -> None:
    responses = http.get("/openapi.json").json()["paths"]["/predict"]["post"]["responses"].values()
    examples = [answer["content"]["application/json"].get("examples", {}) for answer in responses]
    said = [http.post("/predict", **case.values[0]).json() for case in REFUSED if case.values[2] == code]
    assert any(shown[code]["value"] in said for shown in examples if code in shown)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=b; charset=undefined",
    ],
)
def test_a_malformed_form_is_refused(http: httpx.Client, kind: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--b--\r\n'
    answer = http.post("/predict", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "message"}


def first_line(service: Service, *pieces: bytes) -> bytes:
    """First line of the answer to a request of which only `pieces` are ever sent."""
    address = httpx.URL(service.url)
    with socket.create_connection((address.host, address.port or 80), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return connection.makefile("rb").readline()


def test_too_many_bytes_are_refused_when_they_are_announced(service: Service) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 99999999999\r\n\r\n"
    assert b" 413 " in first_line(service, head)


def test_too_many_bytes_are_refused_before_the_body_ends_when_nothing_was_announced(service: Service) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    assert b" 413 " in first_line(service, head, *[chunk] * 21)


def test_a_caller_who_hangs_up_is_no_error_of_ours(service: Service, http: httpx.Client) -> None:
    address = httpx.URL(service.url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nx"
        )
    assert http.get("/health").status_code == 200
    assert "Traceback" not in service.errors.read_text()


def test_bad_requests_among_good_ones_harm_none(http: httpx.Client) -> None:
    pictures = [photo() if index % 3 else b"not a picture" for index in range(24)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda picture: http.post("/predict", files={"image": picture}), pictures))
    assert [answer.status_code for answer in answers] == [200 if index % 3 else 415 for index in range(24)]
    assert len({answer.json()["mask"] for answer in answers if answer.status_code == 200}) == 1


def test_health_answers_while_every_inference_is_busy(http: httpx.Client) -> None:
    picture = big_photo()
    with ThreadPoolExecutor() as pool:
        busy = [pool.submit(http.post, "/predict", files={"image": picture}) for _ in range((os.cpu_count() or 1) + 1)]
        meanwhile = list(takewhile(lambda _: not any(map(Future.done, busy)), (http.get("/health") for _ in repeat(0))))
        assert all(future.result().status_code == 200 for future in busy)
    # The event loop would otherwise answer a few before the work begins, and the next only after it.
    assert len(meanwhile) > 20


def test_what_does_not_exist_is_told_in_the_same_shape(http: httpx.Client) -> None:
    assert http.get("/nothing").json() == {"error": "not-found", "message": "Not Found"}
    wrong = http.get("/predict")
    assert (wrong.status_code, wrong.json()["error"], wrong.headers["allow"]) == (405, "method-not-allowed", "POST")
