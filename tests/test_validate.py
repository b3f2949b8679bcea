"""`wms validate`: reports to files or standard output, and an exit code that scripts can trust."""

import json
import os
import threading
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from tests.quality_folder import SIZE, Folder, encoded
from wms.cli import app
from wms.report_files import write
from wms_ml.quality.report import Report


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Three good pairs: a, b, c; the platform's home is empty."""
    monkeypatch.setenv("WMS_HOME", str(tmp_path / "home"))
    drop = Folder(tmp_path / "drop")
    for seed, name in enumerate("abc"):
        drop.pair(name, seed)
    return drop


def validate(folder: Folder, *options: object) -> Result:
    return CliRunner().invoke(app, ["validate", str(folder.path), *map(str, options)])


def test_all_reports_are_written_at_once(folder: Folder, tmp_path: Path) -> None:
    paths = {kind: tmp_path / f"report.{kind}" for kind in ("json", "html", "markdown")}
    done = validate(folder, *(part for kind, path in paths.items() for part in (f"--{kind}", path)))
    assert done.exit_code == 0
    assert Report.from_json(paths["json"].read_text()).drop == "drop"
    assert "All 3 pairs can be used" in paths["html"].read_text()
    assert paths["markdown"].read_text().startswith("**All 3 pairs can be used**")


def test_json_on_standard_output_stands_there_alone(folder: Folder) -> None:
    folder.remove("masks/a.png")
    done = validate(folder, "--json", "-")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["summary"]["errors"] == 1
    assert "1 of 3 pairs cannot be used" in done.stderr


def test_quarantine_lets_the_good_pairs_go_on(folder: Folder) -> None:
    folder.remove("masks/a.png")
    done = validate(folder, "--quarantine", "--json", "-")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["summary"]["set_aside"] == ["a"]
    assert "1 pair set aside, 2 go on" in done.stderr


def test_warnings_count_only_when_asked_to(folder: Folder) -> None:
    folder.put("images/a.jpg", encoded(Image.new("RGB", SIZE, (3, 3, 3)), "JPEG"))
    done = validate(folder)
    assert done.exit_code == 0
    assert "All 3 pairs can be used" in done.stderr
    assert "Too dark  1 warning" in done.stderr
    assert validate(folder, "--strict").exit_code == 1


@pytest.mark.parametrize(
    ("target", "said"), [("nowhere/report.json", "there is no folder"), ("drop", "it is a folder")]
)
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    folder: Folder, tmp_path: Path, target: str, said: str
) -> None:
    done = validate(folder, "--json", tmp_path / target)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "pairs" not in done.stderr


def test_two_reports_in_one_place_are_refused(folder: Folder, tmp_path: Path) -> None:
    assert validate(folder, "--json", "-", "--html", "-").exit_code == 2
    assert validate(folder, "--json", tmp_path / "x", "--html", tmp_path / "x").exit_code == 2


def test_a_folder_that_is_none_is_wrong_usage(tmp_path: Path, folder: Folder) -> None:
    done = CliRunner().invoke(app, ["validate", str(tmp_path / "nothing")])
    assert done.exit_code == 2
    assert "no folder" in done.stderr


def test_the_folder_one_stands_in_has_a_name(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.path)
    done = CliRunner().invoke(app, ["validate", ".", "--json", "-"])
    assert json.loads(done.stdout)["drop"] == "drop"


def test_a_report_goes_through_a_pipe_and_leaves_it_in_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write(pipe, lambda: "a report")
    reader.join(10)
    assert read == ["a report"]
    assert pipe.is_fifo()


def test_a_report_takes_the_place_of_an_older_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("before")
    write(target, lambda: "after\n")
    assert target.read_text() == "after\n"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_report_that_fails_to_be_written_in_the_end_is_no_success(folder: Folder, tmp_path: Path) -> None:
    done = validate(folder, "--markdown", tmp_path / ("x" * 250))
    assert done.exit_code == 2
    assert "could not be written" in " ".join(done.stderr.replace("│", " ").split())
