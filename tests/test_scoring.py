"""Score tables on disk: what is read is what was measured, or nothing is."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import table
from wms_ml.errors import DataError
from wms_ml.scoring import FORM, ScoreTable


def written(scores: ScoreTable, tmp_path: Path) -> dict[str, Any]:
    scores.save(tmp_path / "scores.json")
    values: dict[str, Any] = json.loads((tmp_path / "scores.json").read_text())
    return values


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    scores = table(0.5, 0.75)
    assert ScoreTable.parse(json.dumps(written(scores, tmp_path))) == scores


def test_a_table_of_an_earlier_release_is_refused_and_never_filled_up(tmp_path: Path) -> None:
    values = written(table(0.5), tmp_path)
    del values["form"]
    old = {"pair_id", "name", "dice", "iou", "pixel_accuracy", "found"}
    values["rows"] = [{name: row[name] for name in old} for row in values["rows"]]
    with pytest.raises(DataError, match=r"form 1, this release reads form 2: score the model again"):
        ScoreTable.parse(json.dumps(values))


def test_a_table_of_a_later_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="form 3"):
        ScoreTable.parse(json.dumps({**written(table(0.5), tmp_path), "form": FORM + 1}))


@pytest.mark.parametrize(
    "change",
    [{"hausdorff95": None}, {"dice": "0.9"}, {"found": 1}, {"orientation": True}, {"iou": float("nan")}, {"more": 1}],
    ids=str,
)
def test_a_row_with_anything_but_its_figures_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    values = written(table(0.5), tmp_path)
    values["rows"][0].update(change)
    with pytest.raises(DataError, match=f"not a score table.*{next(iter(change))}"):
        ScoreTable.parse(json.dumps(values))


def test_a_row_that_lacks_a_figure_is_refused(tmp_path: Path) -> None:
    values = written(table(0.5), tmp_path)
    del values["rows"][0]["diagonal"]
    with pytest.raises(DataError, match=r"not a score table.*diagonal"):
        ScoreTable.parse(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "3", '{"form": 2}', '{"form": 2, "rows": [1]}'])
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a score table"):
        ScoreTable.parse(text)


def test_a_mean_of_no_pictures_is_an_error() -> None:
    with pytest.raises(DataError, match="no pictures were scored on the test side"):
        table().mean("dice")


def test_distances_can_be_compared_between_pictures_of_different_sizes() -> None:
    assert table(0.4).mean("hausdorff95_share") == pytest.approx(60 / 120)
