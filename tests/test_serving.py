"""The service over real HTTP: right windows for good pictures, in every form they can be sent and asked for."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from serving.examples import WINDOW
from tests.serving_process import Service, serving
from tests.uploads import RED_BOX, STORED_AS, UPRIGHT, encoded, photo, with_odd_exif


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("serving")) as started:
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


def meter(orientation: int = 1) -> bytes:
    """A photo of 600 x 1200 pixels with a red window of 300 x 60 in it, turned clockwise by 20 degrees."""
    window = Image.new("L", (600, 1200))
    window.paste(255, (150, 570, 450, 630))
    turned = window.rotate(-20, Image.Resampling.BICUBIC)
    image = Image.composite(Image.new("RGB", turned.size, "red"), Image.new("RGB", turned.size), turned)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = STORED_AS[orientation]
    return encoded(image.transpose(turn) if turn is not None else image, "JPEG", quality=95, exif=exif)


@pytest.mark.parametrize("orientation", STORED_AS)
def test_polygon_and_box_lie_in_the_upright_picture_at_its_full_size(http: httpx.Client, orientation: int) -> None:
    answer = http.post("/predict", files={"image": meter(orientation)}).raise_for_status().json()
    assert (answer["width"], answer["height"]) == (600, 1200)
    box = answer["box"]
    assert box["center"] == pytest.approx([300, 600], abs=10)
    assert [box["width"], box["height"], box["angle"]] == pytest.approx([300, 60, 20], abs=15)
    rim = np.array(answer["polygon"])
    assert rim.min(0) == pytest.approx(np.min(box["corners"], 0), abs=15)
    assert rim.max(0) == pytest.approx(np.max(box["corners"], 0), abs=15)


@pytest.mark.parametrize("orientation", STORED_AS)
def test_the_crop_is_the_straightened_window_at_full_resolution(http: httpx.Client, orientation: int) -> None:
    answer = http.post("/predict?crop=true", files={"image": meter(orientation)}).raise_for_status().json()
    crop = Image.open(io.BytesIO(base64.b64decode(answer["crop"])))
    assert crop.format == "JPEG"
    assert crop.size == (round(answer["box"]["width"]), round(answer["box"]["height"]))
    inside = np.asarray(crop.crop((20, 12, crop.width - 20, crop.height - 12)))
    assert (inside[..., 0] > 200).mean() > 0.97


def test_no_crop_comes_unasked(http: httpx.Client) -> None:
    assert http.post("/predict", files={"image": meter()}).json()["crop"] is None


def test_the_answer_says_how_sure_which_part_and_which_model(http: httpx.Client) -> None:
    answer = http.post("/predict", files={"image": photo()}).json()
    assert answer["found"] is True
    assert 0.9 < answer["confidence"] <= 1
    assert answer["coverage"] == pytest.approx(24 * 24 / (48 * 96), abs=0.03)
    assert answer["model_version"] == "7"


def test_the_answer_says_where_the_time_went(http: httpx.Client) -> None:
    timings = http.post("/predict", files={"image": photo()}).json()["timings"]
    total = timings.pop("total")
    assert timings.keys() == {"waited", "decoded", "inferred", "drawn"}
    assert min(timings.values()) >= 0
    assert total == pytest.approx(sum(timings.values()), abs=0.05)


def test_a_picture_without_a_window_is_an_answer_and_no_error(http: httpx.Client) -> None:
    black = encoded(Image.new("RGB", (30, 20)))
    answer = http.post("/predict?crop=true", files={"image": black}).raise_for_status().json()
    assert (answer["found"], answer["confidence"], answer["coverage"]) == (False, 0, 0)
    assert (answer["polygon"], answer["box"], answer["crop"]) == ([], None, None)
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


def test_exif_data_that_pillow_cannot_write_back_does_not_matter(http: httpx.Client) -> None:
    assert http.post("/predict", files={"image": with_odd_exif()}).status_code == 200


def test_the_service_says_what_it_serves(http: httpx.Client) -> None:
    stated = http.get("/version").json()
    assert stated.pop("digest").startswith("sha256:")
    assert stated.pop("precision") in ("float32", "bfloat16")  # what this processor has
    assert stated == {
        "model_name": "reading-window",
        "model_version": "7",
        "data_version": "d0d0cafe",
        "tag": "0123456789ab",
        "metrics": {"dice": 0.91, "iou": 0.84},
    }
    assert http.get("/ready").json() == {"status": "ready", "model_version": "7", "share": 0}
    assert http.get("/health").json() == {"status": "alive"}


def test_a_picture_is_counted_under_its_models_version(http: httpx.Client) -> None:
    http.post("/predict", files={"image": photo()})
    figures = http.get("/metrics").text
    assert 'wms_model_loaded{model_version="7"} 1.0' in figures
    assert 'wms_predictions_total{model_version="7"}' in figures


def test_every_answer_has_the_callers_request_id(http: httpx.Client) -> None:
    for path in ("/health", "/nothing"):
        assert http.get(path, headers={"X-Request-ID": "meter-7"}).headers["x-request-id"] == "meter-7"


def test_the_page_brings_everything_it_needs(http: httpx.Client) -> None:
    page = http.get("/").raise_for_status()
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("style.css", "page.js", "icon.svg"):
        assert f"page/{name}" in page.text
        assert http.get(f"/page/{name}").status_code == 200


def documented(http: httpx.Client, path: str) -> dict[str, Any]:
    described: dict[str, Any] = http.get("/openapi.json").json()["paths"][path]["post"]
    return described


def test_the_documentation_shows_where_pictures_go(http: httpx.Client) -> None:
    assert http.get("/docs").status_code == 200
    one, several = (documented(http, path)["requestBody"]["content"] for path in ("/predict", "/predict/batch"))
    assert one["multipart/form-data"]["schema"]["properties"]["image"]["format"] == "binary"
    assert "image/*" in one
    assert several["multipart/form-data"]["schema"]["properties"]["image"]["maxItems"] == 16


def test_the_documented_window_is_what_the_service_answers(http: httpx.Client) -> None:
    shown = documented(http, "/predict")["responses"]["200"]["content"]["application/json"]["example"]
    assert shown == WINDOW
    answer = http.post("/predict", files={"image": photo()}).json()
    assert answer.keys() == shown.keys()
    assert (mask_in(base64.b64decode(shown["mask"])) == mask_in(base64.b64decode(answer["mask"]))).all()
    for figure in ("polygon", "confidence", "coverage"):
        assert np.array(answer[figure]) == pytest.approx(np.array(shown[figure]), abs=0.2)
    for figure in ("center", "width", "height", "angle", "corners"):
        assert np.array(answer["box"][figure]) == pytest.approx(np.array(shown["box"][figure]), abs=0.2)
    assert answer["timings"].keys() == shown["timings"].keys()
