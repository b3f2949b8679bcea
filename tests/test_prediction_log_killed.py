"""The prediction log under disks that fill, several processes and killed ones: whole rows, whatever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from serving.prediction_log import PredictionLog
from tests.predicted import LONG_AGO, facts, noise, rows, today
from tests.serving_process import ROOT
from wms_ml.prediction_rows import read_predictions


def test_a_row_of_which_the_disk_took_a_part_spoils_no_other(tmp_path: Path) -> None:
    """A limit on the size of files cuts the third row in two, as a full disk does; then it is lifted."""
    code = """
import resource, sys
from pathlib import Path
from serving.prediction_log import PredictionLog
from tests.predicted import facts, noise, today
folder = Path(sys.argv[1])
def write(*ids):
    log = PredictionLog(folder)
    for each in ids:
        log.offer(facts(request_id=each), noise())
    log.close()
    return log.dropped
write("1")
size = today(folder).stat().st_size
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(2.5 * size), unlimited[1]))
print(write("2", "3", "4"))
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
print(write("5"))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "0"]
    found = read_predictions(tmp_path, LONG_AGO)
    assert [row["request_id"] for row in found.rows] == ["1", "2", "5"]
    assert len(found.unreadable) == 1
    assert found.unreadable[0].startswith(f"{today(tmp_path).name}, line 3: ")


def test_half_a_row_of_a_killed_process_spoils_no_other(tmp_path: Path) -> None:
    today(tmp_path).write_bytes(b'{"time": "2026-1')
    log = PredictionLog(tmp_path)
    log.offer(facts(), noise())
    log.close()
    found = read_predictions(tmp_path, LONG_AGO)
    assert (len(found.rows), len(found.unreadable)) == (1, 1)


_WRITER = """
import sys
from pathlib import Path
from serving.prediction_log import PredictionLog
from tests.predicted import facts, noise
log, picture = PredictionLog(Path(sys.argv[1])), noise()
print("begun", flush=True)
for number in range(int(sys.argv[3])):
    while len(log._waiting) > 50:
        pass
    log.offer(facts(request_id=f"{sys.argv[2]}-{number}"), picture)
log.close()
"""


def writer(folder: Path, name: str, count: int) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", _WRITER, str(folder), name, str(count)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_several_processes_write_whole_rows_into_one_folder(tmp_path: Path) -> None:
    writers = [writer(tmp_path, str(number), 400) for number in range(3)]
    for each in writers:
        each.communicate(timeout=120)
        assert each.returncode == 0
    found = [row["request_id"] for row in rows(tmp_path)]
    assert sorted(found) == sorted(f"{name}-{number}" for name in range(3) for number in range(400))
    for name in range(3):
        own = [each for each in found if each.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(400)]


def test_a_killed_process_leaves_every_row_but_those_of_its_last_moment(tmp_path: Path) -> None:
    killed = writer(tmp_path, "killed", 10**9)
    while not today(tmp_path).exists() or today(tmp_path).stat().st_size < 50_000:
        assert killed.poll() is None
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=30)
    log = PredictionLog(tmp_path)
    log.offer(facts(request_id="next"), noise())
    log.close()
    found = read_predictions(tmp_path, LONG_AGO)
    ids = [row["request_id"] for row in found.rows]
    assert ids == [*(f"killed-{number}" for number in range(len(ids) - 1)), "next"]
    assert len(found.unreadable) <= 1
