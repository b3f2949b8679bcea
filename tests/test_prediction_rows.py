"""Reading predictions back: only rows that are ones, and every other line named."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from serving.prediction_log import PredictionLog
from tests.predicted import LONG_AGO, facts, noise, today
from wms_ml.errors import SettingsError
from wms_ml.prediction_rows import read_predictions


def test_only_rows_of_the_time_asked_for_are_read(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    times = ["2026-11-20T23:00:00.000+00:00", "2026-11-21T05:59:59.999+00:00", "2026-11-21T06:00:00.000+00:00"]
    for time in times:
        log.offer(facts(time=time), noise())
    log.close()
    (tmp_path / "predictions-2026-11-20.jsonl").open("ab").write(b"of a day that nobody asks for\n")
    since = datetime.fromisoformat("2026-11-21T07:00:00+01:00")
    found = read_predictions(tmp_path, since)
    assert [row["time"].isoformat(timespec="milliseconds") for row in found.rows] == times[2:]
    assert found.unreadable == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.pop("confidence"), "lacks confidence"),
        (lambda row: row.update(confidence="high"), "row.confidence is not a number"),
        (lambda row: row.update(confidence=float("nan")), "row.confidence is not a number"),
        (lambda row: row.update(confidence=10**400), ""),
        (lambda row: row.update(width=True), "row.width is not an integer"),
        (lambda row: row.update(time="yesterday"), "isoformat"),
        (lambda row: row.update(time="2026-11-21T06:00:00"), "offset"),
        (lambda row: row.update(name="meter.jpg"), "unknown fields: 'name'"),
    ],
)
def test_a_line_that_is_no_row_is_named_with_its_reason(tmp_path: Path, change: Any, said: str) -> None:
    log = PredictionLog(tmp_path)
    log.offer(facts(), noise())
    log.close()
    row = json.loads(today(tmp_path).read_text())
    change(row)
    with today(tmp_path).open("a") as file:
        file.write(json.dumps(row) + "\n")
    found = read_predictions(tmp_path, LONG_AGO)
    assert len(found.rows) == 1
    assert f"{today(tmp_path).name}, line 2: " in found.unreadable[0]
    assert said in found.unreadable[0]


@pytest.mark.parametrize("garbage", [b"[]", b"\xff\xfe\0", b"{", b"null", b"[" * 100_000, b"1" * 10_000])
def test_garbage_between_rows_harms_none(tmp_path: Path, garbage: bytes) -> None:
    log = PredictionLog(tmp_path)
    log.offer(facts(), noise())
    log.close()
    line = today(tmp_path).read_bytes()
    today(tmp_path).write_bytes(line + b"\n" + garbage + b"\n" + line)
    found = read_predictions(tmp_path, LONG_AGO)
    assert (len(found.rows), len(found.unreadable)) == (2, 1)


def test_a_folder_that_is_not_there_is_an_error_and_not_an_empty_answer(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere cannot be read .*: WMS_SERVING_PREDICTION_LOG"):
        read_predictions(tmp_path / "nowhere", LONG_AGO)
