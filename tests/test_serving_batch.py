"""Several pictures in one request: each with its own window or its own problem, in the order sent."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import jsonschema
import pytest
from PIL import Image

from tests.serving_process import Service, serving
from tests.uploads import encoded, photo

Parts = list[tuple[str, tuple[str, bytes]]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"WMS_SERVING_MAX_MEGABYTES": "0.5", "WMS_SERVING_QUEUE": "100"}
    with serving(tmp_path_factory.mktemp("batch"), **settings) as started:
        yield started


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def parts(*pictures: bytes, field: str = "image") -> Parts:
    return [(field, (f"{index}.png", picture)) for index, picture in enumerate(pictures)]


def sizes(answer: httpx.Response) -> list[tuple[int, int] | str]:
    """Of each picture its window's size, or its problem's code."""
    told: list[dict[str, Any]] = answer.raise_for_status().json()["pictures"]
    assert [picture["name"] for picture in told] == [f"{index}.png" for index in range(len(told))]
    return [
        (each["window"]["width"], each["window"]["height"]) if each["window"] else each["problem"]["error"]
        for each in told
    ]


def test_windows_come_in_the_order_sent(http: httpx.Client) -> None:
    widths = [(10 + index, 20) for index in range(16)]
    answer = http.post("/predict/batch", files=parts(*[encoded(Image.new("RGB", size)) for size in widths]))
    assert sizes(answer) == widths
    assert answer.json()["model_version"] == "7"


def test_a_picture_of_a_batch_gets_the_window_that_it_gets_alone(http: httpx.Client) -> None:
    alone = http.post("/predict?crop=true", files={"image": photo()}).json()
    among = http.post("/predict/batch?crop=true", files=parts(photo(3), photo())).json()["pictures"][1]["window"]
    del alone["timings"], among["timings"]
    assert among == alone
    assert base64.b64decode(among["crop"]).startswith(b"\xff\xd8")


def test_a_bad_picture_has_a_problem_and_the_others_their_windows(http: httpx.Client) -> None:
    answer = http.post("/predict/batch", files=parts(photo(), b"text", b"", bytes(2**19 + 1), photo()))
    assert sizes(answer) == [(48, 96), "format", "empty", "too-large", (48, 96)]
    assert all((each["window"] is None) != (each["problem"] is None) for each in answer.json()["pictures"])


def test_problems_of_a_batch_are_counted(http: httpx.Client) -> None:
    def count() -> str:
        figures = http.get("/metrics").text.splitlines()
        return next(line for line in figures if line.startswith("wms_predict_errors_total") and '"truncated"' in line)

    before = float(count().split()[-1])
    http.post("/predict/batch", files=parts(photo(kind="JPEG")[:-40], photo()))
    assert float(count().split()[-1]) == before + 1


def test_the_legacy_field_may_stand_among_the_others(http: httpx.Client) -> None:
    mixed = [*parts(photo()), ("file", ("1.png", photo()))]
    assert sizes(http.post("/predict/batch", files=mixed)) == [(48, 96), (48, 96)]


@pytest.mark.parametrize(
    ("request_parts", "status", "code"),
    [
        ({"files": parts(*[b"x"] * 17)}, 400, "too-many-pictures"),
        ({"files": parts(photo(), field="other")}, 400, "no-picture"),
        ({}, 400, "no-picture"),
        ({"content": photo(), "headers": {"Content-Type": "image/png"}}, 415, "format"),
        ({"files": parts(*[bytes(2**20)] * 16)}, 413, "too-large"),
    ],
    ids=["too many", "another field", "nothing", "a raw body", "too large together"],
)
def test_a_batch_that_cannot_be_used_is_refused_as_a_whole(
    http: httpx.Client, request_parts: dict[str, Any], status: int, code: str
) -> None:
    answer = http.post("/predict/batch", **request_parts)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


def test_batches_and_single_pictures_at_a_time_get_what_they_asked_for(http: httpx.Client) -> None:
    def ask(index: int) -> object:
        if index % 2:
            return sizes(http.post("/predict/batch", files=parts(photo(), b"text", photo())))
        return http.post("/predict", files={"image": photo()}).status_code

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(ask, range(16)))
    assert told == [[(48, 96), "format", (48, 96)] if index % 2 else 200 for index in range(16)]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_the_documented_example_and_a_real_answer_are_as_the_schema_says(http: httpx.Client, path: str) -> None:
    document = http.get("/openapi.json").json()
    content = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
    sent = {"image": photo()} if path == "/predict" else parts(photo(), b"text")
    for answer in (content["example"], http.post(path, files=sent).json()):
        jsonschema.validate(answer, {**content["schema"], "components": document["components"]})
