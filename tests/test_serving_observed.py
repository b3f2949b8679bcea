"""What is seen of the real serving program from outside: its figures, its log, its rows, its key."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import CODES
from tests.onnx_model import write_release
from tests.serving_process import Service, refused, serving
from tests.uploads import photo
from wms_ml.prediction_rows import read_predictions

KEY = "a-long-random-text"
SENT = {"X-API-Key": KEY}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Seen:
    """A service that answered some requests and has ended, and what it left."""

    def __init__(self, folder: Path) -> None:
        self.rows = folder / "rows"
        settings = {
            "WMS_SERVING_API_KEY": KEY,
            "WMS_SERVING_PROFILE": "production",
            "WMS_SERVING_PREDICTION_LOG": str(self.rows),
            "WMS_SERVING_KEEP_PICTURES": "true",
        }
        with serving(folder, **settings) as service:
            self._ask(service)
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in service.errors.read_text().splitlines()]
        self.text = service.errors.read_text()

    def _ask(self, service: Service) -> None:
        with httpx.Client(base_url=service.url, timeout=60) as http:
            good = http.post("/predict", files={"image": photo(6, "JPEG")}, headers=SENT | {"X-Request-ID": "mine-1"})
            self.window = good.raise_for_status().json()
            self.answers = [
                good,
                http.post("/predict", files={"image": photo(kind="JPEG")[:-40]}, headers=SENT),
                http.post("/predict", files={"image": photo()}),
                http.get("/nothing%0A", headers=SENT),
            ]
            http.get("/ready").raise_for_status()
            self.docs = http.get("/docs").raise_for_status().text
            self.document = http.get("/openapi.json").raise_for_status().json()
            self.other_docs = http.get("/redoc").status_code
            self.metrics = http.get("/metrics").raise_for_status().text


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Seen(tmp_path_factory.mktemp("observed"))


def test_every_answer_has_a_request_id(seen: Seen) -> None:
    ids = [answer.headers["x-request-id"] for answer in seen.answers]
    assert ids[0] == "mine-1"
    assert len(set(ids)) == len(ids)


def test_the_log_is_a_line_of_json_for_each_request_that_is_no_probe(seen: Seen) -> None:
    told = [(line["status"], line["path"], line["model_version"]) for line in seen.lines]
    assert told == [
        (200, "/predict", "7"),
        (400, "/predict", "7"),
        (401, "/predict", "7"),
        (404, "/nothing\n", "7"),
        (200, "/docs", "7"),
        (200, "/openapi.json", "7"),
        (404, "/redoc", "7"),
    ]
    assert [line["request_id"] for line in seen.lines[:4]] == [each.headers["x-request-id"] for each in seen.answers]


def test_the_key_is_nowhere_in_the_log(seen: Seen) -> None:
    assert KEY not in seen.text


def test_the_figures_are_those_of_what_was_asked(seen: Seen) -> None:
    families = {family.name: family for family in text_string_to_metric_families(seen.metrics)}
    assert [(each.labels, each.value) for each in families["wms_model_loaded"].samples] == [({"model_version": "7"}, 1)]
    counted = {sample.name: sample.value for sample in families["wms_predictions"].samples}
    assert counted["wms_predictions_total"] == 1
    errors = {
        sample.labels["code"]: sample.value
        for sample in families["wms_predict_errors"].samples
        if sample.name == "wms_predict_errors_total"
    }
    assert errors == dict.fromkeys(CODES, 0) | {"truncated": 1, "unauthorized": 1}


def test_a_prediction_left_its_row_and_its_picture(seen: Seen) -> None:
    found = read_predictions(seen.rows, LONG_AGO)
    (row,) = found.rows
    assert found.unreadable == []
    assert (row["request_id"], row["model_version"], row["orientation"]) == ("mine-1", "7", 6)
    assert (row["width"], row["height"]) == (seen.window["width"], seen.window["height"])
    assert (row["confidence"], row["coverage"]) == (seen.window["confidence"], seen.window["coverage"])
    assert (seen.rows / row["picture"]).read_bytes().startswith(b"\xff\xd8")


def test_the_documentation_asks_for_the_key_and_names_no_other_host(seen: Seen) -> None:
    assert seen.document["paths"]["/predict"]["post"]["security"]
    assert "//" not in seen.docs.replace("<!--", "").partition("<body>")[0]
    assert "cdn." not in seen.docs + json.dumps(seen.document)
    assert seen.other_docs == 404


def test_a_prediction_log_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    (tmp_path / "file").touch()
    said = refused(tmp_path / "release", "--port", "0", WMS_SERVING_PREDICTION_LOG=str(tmp_path / "file" / "log"))
    assert said.startswith("error: WMS_SERVING_PREDICTION_LOG: ")
    assert said.count("\n") == 1
