"""What a score table says, in words and tables: for people, their spreadsheets and their scripts."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from wms_ml.confidence import Estimate, estimate
from wms_ml.scoring import PictureScore, ScoreTable
from wms_ml.slices import SLICED, SliceScore, sliced


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is shown.

    Attributes:
        name: the figure of `PictureScore`.
        title: what it is called in front of people.
        digits: after the decimal point.
    """

    name: str
    title: str
    digits: int


METRICS: Final = (
    Metric("dice", "Dice", 4),
    Metric("iou", "IoU", 4),
    Metric("pixel_accuracy", "pixel accuracy", 4),
    Metric("hausdorff95", "Hausdorff 95 %, pixels", 1),
    Metric("hausdorff", "Hausdorff maximum, pixels", 1),
    Metric("hausdorff95_share", "Hausdorff 95 %, share of the diagonal", 4),
)
_BY_NAME: Final = {metric.name: metric for metric in METRICS}
_TOO_FEW: Final = "too few"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t")
"""How a cell begins that spreadsheets would run; file names come from strangers."""

Cells = list[tuple[str, ...]]
"""Rows of a table, the head first."""


def metric_cells(table: ScoreTable) -> Cells:
    """Metric, mean and 95 % interval of a model."""
    rows = [(each.title, *_shown(each, estimate(table.column(each.name)))) for each in METRICS]
    return [("metric", "mean", "95 % interval"), *rows]


def slice_cells(slices: Sequence[SliceScore]) -> Cells:
    """Slicing, slice, number of pictures, mean Dice with its interval, and the means of the other metrics."""
    others = [_BY_NAME[name] for name in SLICED if name != "dice"]
    cells: Cells = [("by", "slice", "pictures", "Dice", "95 % interval", *(each.title for each in others))]
    for each in slices:
        dice = _shown(_BY_NAME["dice"], each.metrics["dice"]) if each.pictures else ("", "")
        means = (_shown(metric, each.metrics[metric.name])[0] if each.pictures else "" for metric in others)
        cells.append((each.measure, each.name, str(each.pictures), *dice, *means))
    return cells


def sentence(table: ScoreTable) -> str:
    """Dice and IoU of a model, with their intervals, in one line."""
    said = []
    for metric in METRICS[:2]:
        value = estimate(table.column(metric.name))
        mean, interval = _shown(metric, value)
        said.append(f"{metric.title} {mean}" + (f" ({interval})" if value.interval else ""))
    return f"{', '.join(said)} on {counts(table)}"


def counts(table: ScoreTable) -> str:
    """How many pictures were scored, and on how many of them nothing was found."""
    empty = sum(not row.found for row in table.rows)
    pictures = "1 picture" if len(table.rows) == 1 else f"{len(table.rows)} pictures"
    return pictures + (f", nothing found on {empty}" if empty else "")


def markdown_table(cells: Cells) -> str:
    """A Markdown table, numbers to the right."""
    head, *rows = cells
    align = ["---" if name in ("metric", "by", "slice") else "---:" for name in head]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, align, *rows))


def markdown(tables: Sequence[ScoreTable]) -> str:
    """The report about some models on the same pictures."""
    lines = ["# Scores", "", f"Data set {tables[0].data_version}, side: {tables[0].split}."]
    for number, table in enumerate(tables):
        lines += ["", f"## Model {number}: {table.model}", "", f"{counts(table)}.", ""]
        lines += [markdown_table(metric_cells(table)), "", markdown_table(slice_cells(sliced(table.rows)))]
    return "\n".join(lines) + "\n"


def csv_text(table: ScoreTable) -> str:
    """One line a picture, one column a figure, as spreadsheets read it."""
    out = io.StringIO()
    names = [each.name for each in fields(PictureScore)]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, "hausdorff95_share"])
    for row in table.rows:
        writer.writerow([_harmless(getattr(row, name)) for name in (*names, "hausdorff95_share")])
    return "\ufeff" + out.getvalue()  # without this mark, Excel takes names for Latin-1


def as_json(table: ScoreTable) -> dict[str, Any]:
    """Means and intervals by metric, and the slices, as JSON values."""
    return {
        "metrics": {each.name: _values(estimate(table.column(each.name))) for each in METRICS},
        "slices": [
            {
                "by": each.measure,
                "slice": each.name,
                "pictures": each.pictures,
                "metrics": {name: _values(value) for name, value in each.metrics.items()},
            }
            for each in sliced(table.rows)
        ],
    }


def _values(value: Estimate) -> dict[str, Any]:
    return {"mean": value.mean, "interval": value.interval}


def _shown(metric: Metric, value: Estimate) -> tuple[str, str]:
    """Mean and interval as people read them."""
    mean = f"{value.mean:.{metric.digits}f}"
    if value.interval is None:
        return mean, _TOO_FEW
    low, high = value.interval
    return mean, f"{low:.{metric.digits}f}–{high:.{metric.digits}f}"


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
