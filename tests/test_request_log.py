"""Request ids and the log: every answer has an id, every request one line of JSON, whatever callers write."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from serving.request_log import RequestLog, configure_logging
from tests.live_app import live


def an_app() -> FastAPI:
    app = FastAPI()

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        return {"id": request.state.request_id, "bytes": len(await request.body())}

    @app.get("/health")
    @app.get("/ready")
    @app.get("/metrics")
    async def probe(fail: bool = False) -> Response:
        return Response(status_code=503 if fail else 200)

    @app.get("/broken")
    async def broken() -> None:
        logging.getLogger("wms.serving").warning("about\nto break")
        raise ZeroDivisionError

    @app.get("/refused")
    async def refused() -> None:
        raise HTTPException(418)

    @app.get("/pieces")
    async def pieces() -> StreamingResponse:
        return StreamingResponse(iter(["a", "b"]))

    return app


class Logged:
    """A service whose lines can be read once it has ended: a line comes after the answer that it is about."""

    def __init__(self, http: httpx.Client, text: io.StringIO, end: Callable[[], None]) -> None:
        self.http = http
        self.text = text
        self._end = end

    def lines(self) -> list[dict[str, Any]]:
        self._end()
        assert self.text.getvalue().isascii()
        return [json.loads(line) for line in self.text.getvalue().splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["logger"] == "wms.serving.requests"]


@contextmanager
def configured(text: io.StringIO) -> Iterator[None]:
    """Logging as the service configures it, into `text`."""
    root, ours = logging.getLogger(), logging.getLogger("wms")
    before = (root.handlers[:], root.level, ours.level)
    root.handlers[:] = []  # configuring closes the handlers it finds, and these are pytest's
    with redirect_stderr(text):
        configure_logging()
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.fixture
def service() -> Iterator[Logged]:
    text = io.StringIO()
    with configured(text), ExitStack() as stack:
        yield Logged(stack.enter_context(live(RequestLog(an_app(), lambda: "7"))), text, stack.close)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with live(RequestLog(an_app())) as client:
        yield client


def test_a_request_is_one_line_with_what_is_needed_to_find_it(service: Logged) -> None:
    answer = service.http.post("/predict?secret=1", content=b"x" * 1000)
    (line,) = service.lines()
    assert line.pop("time").endswith("+00:00")
    assert line.pop("ms") >= 0
    assert line == {
        "level": "info",
        "logger": "wms.serving.requests",
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "path": "/predict",
        "status": 200,
        "bytes": 1000,
        "model_version": "7",
        "client": "127.0.0.1",
    }


def test_a_route_knows_the_id_that_its_caller_is_told(http: httpx.Client) -> None:
    answer = http.post("/predict")
    assert answer.json()["id"] == answer.headers["x-request-id"]
    assert answer.json()["id"] != http.post("/predict").json()["id"]


@pytest.mark.parametrize("stated", ["a", "A-z_0.9", "x" * 64])
def test_an_orderly_id_of_the_caller_is_kept(http: httpx.Client, stated: str) -> None:
    assert http.post("/predict", headers={"X-Request-ID": stated}).headers.get_list("x-request-id") == [stated]


@pytest.mark.parametrize(
    "stated",
    [b"", b"x" * 65, b"two words", b"../up", b'quote"', b"tab\there", b"\xc5\xbc", b"{}", b"a,b", b"%0a"],
)
def test_any_other_id_of_the_caller_is_replaced(http: httpx.Client, stated: bytes) -> None:
    answer = http.post("/predict", headers=[(b"X-Request-ID", stated)])
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"].isalnum()


def test_two_ids_in_one_request_are_none(http: httpx.Client) -> None:
    answer = http.post("/predict", headers=[("X-Request-ID", "one"), ("X-Request-ID", "two")])
    assert answer.headers["x-request-id"] not in ("one", "two", "one, two")


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/refused", 418), ("/broken", 500)])
def test_refusals_and_our_own_failures_have_their_id_and_line_too(service: Logged, path: str, status: int) -> None:
    answer = service.http.get(path)
    assert answer.status_code == status
    (line,) = service.requests()
    assert (line["status"], line["request_id"]) == (status, answer.headers["x-request-id"])
    assert line["level"] == ("warning" if status == 500 else "info")


def test_everything_that_is_logged_on_the_way_names_the_request(service: Logged) -> None:
    request_id = service.http.get("/broken").headers["x-request-id"]
    by_logger = {line["logger"]: line for line in service.lines()}
    assert by_logger["wms.serving"]["message"] == "about\nto break"
    assert "ZeroDivisionError" in by_logger["uvicorn.error"]["exception"]
    assert {line["request_id"] for line in by_logger.values()} == {request_id}


@pytest.mark.parametrize(
    "path",
    ['/a%0A{"status":200}', "/%0D%0A%00%1b[31m", "/%E2%80%A8%C2%85", "/%ff%fe", '/"},{"', "/" + "long" * 5000],
    ids=["line", "control", "unicode", "no text", "quotes", "long"],
)
def test_a_line_stays_one_line_whatever_a_path_holds(service: Logged, path: str) -> None:
    service.http.get(path)
    (line,) = service.lines()
    assert line["status"] == 404
    assert len(line["path"]) <= 200


def test_probes_have_a_line_only_when_they_fail(service: Logged) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert "x-request-id" in service.http.get(path).headers
        service.http.get(path, params={"fail": True})
    assert [(line["path"], line["status"]) for line in service.lines()] == [
        ("/health", 503),
        ("/ready", 503),
        ("/metrics", 503),
    ]


def test_an_answer_in_pieces_is_one_line(service: Logged) -> None:
    assert service.http.get("/pieces").text == "ab"
    assert len(service.lines()) == 1


def test_configuring_twice_logs_once() -> None:
    text = io.StringIO()
    with configured(text), redirect_stderr(text):
        configure_logging()
        logging.getLogger("wms.serving").info("once")
    assert text.getvalue().count("once") == 1
