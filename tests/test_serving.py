"""The service over real HTTP: right masks for good pictures, and a reason for bad ones."""

import base64
import io
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat, takewhile

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.onnx_model import write_release
from tests.serving_process import Service, running
from tests.uploads import RED_BOX, STORED_AS, UPRIGHT, big_photo, encoded, photo, png_header, with_odd_exif


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("serving")
    write_release(folder / "release")
    with running(folder / "release", folder / "errors.log") as started:
        yield started


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        yield client


def mask_in(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)


def assert_marks_the_box(mask: np.ndarray) -> None:
    """Right to within the 2 pixels that the network's 64 x 64 input leaves open."""
    left, top, right, bottom = RED_BOX
    assert mask.shape == UPRIGHT[::-1]
    assert set(np.unique(mask)) == {0, 255}
    assert (mask[top + 2 : bottom - 2, left + 2 : right - 2] == 255).all()
    around = np.ones_like(mask, dtype=bool)
    around[top - 2 : bottom + 2, left - 2 : right + 2] = False
    assert (mask[around] == 0).all()


@pytest.mark.parametrize("orientation", STORED_AS)
def test_the_mask_has_the_upright_pictures_size_and_lies_where_people_see_the_window(
    http: httpx.Client, orientation: int
) -> None:
    answer = http.post("/predict", files={"image": photo(orientation, "JPEG")}).raise_for_status().json()
    assert (answer["width"], answer["height"]) == UPRIGHT
    assert_marks_the_box(mask_in(base64.b64decode(answer["mask"])))


def test_the_answer_says_how_sure_which_part_and_which_model(http: httpx.Client) -> None:
    answer = http.post("/predict", files={"image": photo()}).json()
    assert answer["found"] is True
    assert 0.9 < answer["confidence"] <= 1
    assert answer["coverage"] == pytest.approx(24 * 24 / (48 * 96), abs=0.03)
    assert answer["model_version"] == "7"
    assert answer["milliseconds"] > 0


def test_a_picture_without_a_window_is_an_answer_and_no_error(http: httpx.Client) -> None:
    answer = http.post("/predict", files={"image": encoded(Image.new("RGB", (30, 20)))}).raise_for_status().json()
    assert (answer["found"], answer["confidence"], answer["coverage"]) == (False, 0, 0)
    assert not mask_in(base64.b64decode(answer["mask"])).any()


def test_the_legacy_field_and_the_raw_body_get_the_same_mask(http: httpx.Client) -> None:
    usual = http.post("/predict", files={"image": photo()}).json()["mask"]
    assert http.post("/predict", files={"file": photo()}).json()["mask"] == usual
    assert http.post("/predict", content=photo(), headers={"Content-Type": "image/png"}).json()["mask"] == usual


def test_who_accepts_a_png_gets_the_mask_itself(http: httpx.Client) -> None:
    answer = http.post("/predict", files={"image": photo()}, headers={"Accept": "image/png"})
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-model-version"] == "7"
    assert 0.9 < float(answer.headers["x-confidence"]) <= 1
    assert_marks_the_box(mask_in(answer.content))


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b"", 400, "empty", id="empty"),
        pytest.param(photo(kind="JPEG")[:-40], 400, "truncated", id="truncated"),
        pytest.param(photo().replace(b"IDAT", b"IDAT\0"), 400, "undecodable", id="damaged"),
        pytest.param(b"a text", 415, "format", id="text"),
        pytest.param(encoded(Image.new("L", (8, 8)), "GIF"), 415, "format", id="a format of no camera"),
        pytest.param(png_header(10_000, 10_000), 413, "too-large", id="pixels"),
        pytest.param(bytes(20 * 2**20 + 1), 413, "too-large", id="bytes"),
        pytest.param(bytes(21 * 2**20), 413, "too-large", id="bytes of the whole form"),
    ],
)
def test_an_unusable_picture_is_refused_with_its_reason(
    http: httpx.Client, content: bytes, status: int, code: str
) -> None:
    answer = http.post("/predict", files={"image": content})
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert len(answer.json()["message"]) > 10


def test_exif_data_that_pillow_cannot_write_back_does_not_matter(http: httpx.Client) -> None:
    assert http.post("/predict", files={"image": with_odd_exif()}).status_code == 200


@pytest.mark.parametrize(
    ("request_parts", "status", "code"),
    [
        pytest.param({}, 400, "no-picture", id="nothing"),
        pytest.param({"data": {"image": "a name"}}, 400, "no-picture", id="a form of texts"),
        pytest.param({"files": {"other": photo()}}, 400, "no-picture", id="another field"),
        pytest.param({"files": {"image": (None, b"text")}}, 400, "no-picture", id="a text field"),
        pytest.param({"files": {"image": photo(), "file": photo()}}, 400, "several-pictures", id="two pictures"),
        pytest.param({"json": {"image": ""}}, 415, "format", id="JSON"),
    ],
)
def test_a_request_without_exactly_one_picture_is_refused_with_its_reason(
    http: httpx.Client, request_parts: dict, status: int, code: str
) -> None:
    answer = http.post("/predict", **request_parts)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


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


def test_the_service_says_what_it_serves(http: httpx.Client) -> None:
    stated = http.get("/version").json()
    assert stated.pop("digest").startswith("sha256:")
    assert stated == {
        "model_name": "reading-window",
        "model_version": "7",
        "data_version": "d0d0cafe",
        "tag": "0123456789ab",
        "metrics": {"dice": 0.91, "iou": 0.84},
    }
    assert http.get("/ready").json()["model_version"] == "7"


def test_the_page_brings_everything_it_needs(http: httpx.Client) -> None:
    page = http.get("/").raise_for_status()
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("style.css", "page.js", "icon.svg"):
        assert f"page/{name}" in page.text
        assert http.get(f"/page/{name}").status_code == 200


def test_the_documentation_shows_where_the_picture_goes(http: httpx.Client) -> None:
    assert http.get("/docs").status_code == 200
    body = http.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    assert "image" in body["content"]["multipart/form-data"]["schema"]["properties"]


def test_what_does_not_exist_is_told_in_the_same_shape(http: httpx.Client) -> None:
    assert http.get("/nothing").json() == {"error": "not-found", "message": "Not Found"}
    wrong = http.get("/predict")
    assert (wrong.status_code, wrong.json()["error"], wrong.headers["allow"]) == (
        405,
        "method-not-allowed",
        "POST",
    )
