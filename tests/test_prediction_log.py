"""Rows of predictions: measured as training pictures are, whole whatever happens, and never in a request's way."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving import prediction_log
from serving.prediction_log import PredictionLog
from tests.predicted import LONG_AGO, facts, noise, rows, today
from tests.uploads import encoded
from wms_ml.arrays import image_of
from wms_ml.errors import SettingsError
from wms_ml.prediction_rows import read_predictions
from wms_ml.quality.inspection import Content, ImageReading, Measuring, Role
from wms_ml.quality.reading import read
from wms_ml.quality.thresholds import Thresholds

# The picture's figures


@pytest.mark.parametrize("size", [(60, 80), (700, 500), (1600, 1200), (2100, 300)], ids=str)
def test_pictures_are_measured_as_those_of_the_training_data_are(tmp_path: Path, size: tuple[int, int]) -> None:
    data = encoded(noise(*size))
    measured = read(data, Content("0" * 64, Role.IMAGE), Measuring.of(Thresholds()))
    assert isinstance(measured, ImageReading)
    log = PredictionLog(tmp_path)
    log.offer(facts(), image_of(data))
    log.close()
    (row,) = rows(tmp_path)
    names = ("brightness", "contrast", "sharpness")
    assert [row[name] for name in names] == [getattr(measured, name) for name in names]


def test_a_row_holds_what_the_request_knew_and_no_picture(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    log = PredictionLog(tmp_path / "new" / "folder")
    log.offer(facts(), noise())
    log.close()
    (row,) = rows(tmp_path / "new" / "folder")
    assert before <= row.pop("time") <= datetime.now(UTC)
    for name in ("brightness", "contrast", "sharpness"):
        assert row.pop(name) > 0
    assert row == {
        "request_id": "abc-1",
        "model_version": "7",
        "width": 60,
        "height": 80,
        "orientation": 6,
        "found": True,
        "confidence": 0.93,
        "coverage": 0.02,
        "milliseconds": 210.5,
        "picture": "",
    }
    assert list((tmp_path / "new" / "folder").iterdir()) == [today(tmp_path / "new" / "folder")]


def test_every_day_has_a_file_of_its_own(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    for day in ("2026-11-20", "2026-11-21"):
        log.offer(facts(time=f"{day}T23:59:59.999+00:00"), noise())
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "predictions-2026-11-20.jsonl",
        "predictions-2026-11-21.jsonl",
    ]


# Pictures, where they are kept


def test_pictures_are_kept_under_their_request_when_that_is_asked_for(tmp_path: Path) -> None:
    picture = Image.new("RGB", (60, 80), (200, 30, 30))
    picture.info["exif"] = b"Exif\0\0 where it was taken"
    log = PredictionLog(tmp_path, keep_pictures=True)
    log.offer(facts(time="2026-11-20T12:00:00+00:00"), picture)
    log.close()
    (row,) = rows(tmp_path)
    assert row["picture"] == "pictures/2026-11-20/abc-1.jpg"
    kept = Image.open(tmp_path / row["picture"])
    assert (kept.format, kept.size) == ("JPEG", (60, 80))
    assert np.abs(np.asarray(kept, dtype=int) - np.asarray(picture)).max() < 8
    assert not kept.getexif()
    assert "exif" not in kept.info


def test_the_same_request_id_twice_keeps_both_pictures(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, keep_pictures=True)
    log.offer(facts(), Image.new("RGB", (60, 80)))
    log.offer(facts(), Image.new("RGB", (80, 60)))
    log.close()
    assert [Image.open(tmp_path / row["picture"]).size for row in rows(tmp_path)] == [(60, 80), (80, 60)]


@pytest.mark.parametrize("request_id", ["..", ".", "-", "a" * 64])
def test_no_request_id_leads_out_of_the_folder(tmp_path: Path, request_id: str) -> None:
    log = PredictionLog(tmp_path / "log", keep_pictures=True)
    log.offer(facts(request_id=request_id), noise())
    log.close()
    (row,) = rows(tmp_path / "log")
    assert (tmp_path / "log" / row["picture"]).resolve().parent.parent == (tmp_path / "log" / "pictures").resolve()
    assert list(tmp_path.iterdir()) == [tmp_path / "log"]


# Trouble


def test_without_a_folder_nothing_is_kept_and_nothing_counted() -> None:
    threads = threading.active_count()
    log = PredictionLog(None)
    log.offer(facts(), noise())
    log.close()
    assert (log.dropped, threading.active_count()) == (0, threads)


@pytest.mark.parametrize("part", ["", "pictures"])
def test_a_folder_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path, part: str) -> None:
    (tmp_path / "log").mkdir()
    where = tmp_path / "log" / part if part else tmp_path / "file"
    where.write_text("not a folder")
    with pytest.raises(SettingsError, match="WMS_SERVING_PREDICTION_LOG") as caught:
        PredictionLog(tmp_path / "log" if part else tmp_path / "file" / "below", keep_pictures=True)
    assert str(where) in str(caught.value)


def test_a_disk_that_fills_costs_no_request_and_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    today(tmp_path).symlink_to("/dev/full")
    log = PredictionLog(tmp_path)
    for _ in range(20):
        log.offer(facts(), noise())
    assert log._writer is not None
    while log.dropped < 20 and log._writer.is_alive():
        log._writer.join(0.01)
    today(tmp_path).unlink()
    log.offer(facts(request_id="after"), noise())
    log.close()
    assert [row["request_id"] for row in rows(tmp_path)] == ["after"]
    (record,) = caplog.records
    assert "No space left on device" in record.getMessage()
    assert "WMS_SERVING_PREDICTION_LOG" in record.getMessage()


def blocked(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Have the writer stop at its first row until the event that is returned."""
    started, go_on = threading.Event(), threading.Event()
    measure = prediction_log.grey_at_edge

    def waits(picture: Image.Image) -> Image.Image:
        started.set()
        go_on.wait(30)
        return measure(picture)

    monkeypatch.setattr(prediction_log, "grey_at_edge", waits)
    log.offer(facts(request_id="first"), noise())
    started.wait(30)
    return go_on


def test_what_the_writer_cannot_keep_up_with_is_dropped_counted_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = PredictionLog(tmp_path)
    go_on = blocked(log, monkeypatch)
    for number in range(300):
        log.offer(facts(request_id=str(number)), noise())
    assert log.dropped == 300 - 256
    go_on.set()
    log.close()
    assert [row["request_id"] for row in rows(tmp_path)] == ["first", *map(str, range(256))]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_pictures_that_wait_take_no_more_memory_than_is_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = PredictionLog(tmp_path)
    go_on = blocked(log, monkeypatch)
    huge = Image.new("RGB", (8000, 6000))
    for _ in range(3):
        log.offer(facts(), huge)
    assert log.dropped == 2
    go_on.set()
    while len(read_predictions(tmp_path, LONG_AGO).rows) < 2:
        pass
    go_on.clear()  # what is written makes room again
    for _ in range(3):
        log.offer(facts(), noise())
    assert log.dropped == 2
    go_on.set()
    log.close()


def test_after_its_end_a_log_takes_nothing_and_a_second_end_is_no_error(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    log.close()
    log.offer(facts(), noise())
    log.close()
    assert (log.dropped, rows(tmp_path) if list(tmp_path.iterdir()) else []) == (1, [])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_fails_unforeseen_says_so_and_what_comes_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = PredictionLog(tmp_path)
    log.offer(facts(), BrokenPicture())  # type: ignore[arg-type]
    assert log._writer is not None
    log._writer.join(30)
    assert not log._writer.is_alive()
    log.offer(facts(), noise())
    log.close()
    assert log.dropped == 2
    assert "has stopped" in caplog.records[0].getMessage()


class BrokenPicture:
    width = height = 10
    size = (10, 10)
