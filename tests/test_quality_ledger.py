"""The ledger's file: damaged, locked, shared and killed while it is written."""

import logging
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from wms_ml.errors import DataError
from wms_ml.quality.inspection import Content, Damage, Measuring, Role
from wms_ml.quality.ledger import Ledger
from wms_ml.quality.thresholds import Thresholds

MEASURING = Measuring.of(Thresholds())


def readings(count: int, start: int = 0) -> dict[Content, Damage]:
    return {
        Content(f"{number:064x}", Role.IMAGE): Damage(code="empty", message="x" * 500)
        for number in range(start, start + count)
    }


@pytest.mark.parametrize("spoil", ["text", "cut", "middle", "row"])
def test_a_damaged_ledger_is_replaced_by_an_empty_one(
    tmp_path: Path, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "readings.sqlite"
    ledger = Ledger(path)
    ledger.add(readings(200), MEASURING)
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(
        {
            "text": b"no database at all" * 100,
            "cut": whole[:half],
            "middle": whole[:4096] + bytes(half) + whole[4096 + half :],
            "row": whole.replace(b'"code"', b'"cod_"'),
        }[spoil]
    )
    with caplog.at_level(logging.WARNING):
        assert ledger.find(readings(200), MEASURING) == {}
    assert "readings.sqlite is damaged" in caplog.text
    ledger.add(readings(10), MEASURING)
    assert ledger.find(readings(200), MEASURING) == readings(10)


def test_an_unusable_place_is_an_error_that_names_it_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "readings.sqlite").mkdir()
    with pytest.raises(DataError, match=r"readings\.sqlite cannot be used .* delete it: it is only a cache"):
        Ledger(tmp_path / "readings.sqlite").find(readings(1), MEASURING)


def test_a_ledger_that_another_process_keeps_locked_is_an_error_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "readings.sqlite"
    Ledger(path).add(readings(5), MEASURING)
    monkeypatch.setattr("wms_ml.quality.ledger._PATIENCE", 0.1)
    with closing(sqlite3.connect(path)) as other:
        other.execute("begin exclusive")
        with pytest.raises(DataError, match="database is locked"):
            Ledger(path).add(readings(1, 5), MEASURING)
    assert len(Ledger(path).find(readings(9), MEASURING)) == 5


WRITER = """
import sys
from pathlib import Path
from tests.test_quality_ledger import MEASURING, readings
from wms_ml.quality.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for round in range(int(sys.argv[3])):
    ledger.add(readings(100, int(sys.argv[2]) + 100 * round), MEASURING)
    print(round, flush=True)
"""


def writer(path: Path, start: int, rounds: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), str(start), str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_writer_that_is_killed_leaves_whole_batches(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "readings.sqlite"
    for attempt in range(4):
        with writer(path, attempt * 1_000_000, 10_000) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.01 * attempt)
            process.send_signal(signal.SIGKILL)
            done = 1 + len(process.stdout.readlines())
        asked = readings(100 * (done + 2), attempt * 1_000_000)
        found = Ledger(path).find(asked, MEASURING)
        assert len(found) in (100 * done, 100 * (done + 1))
    assert caplog.text == ""


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    several = [writer(path, start, 5) for start in (0, 1000, 2000)]
    for process in several:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(Ledger(path).find(readings(3000), MEASURING)) == 1500
