"""Scores on a terminal: two tables a person can read, plain text where there is no terminal."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wms_ml.score_report import Cells, counts, metric_cells, slice_cells
from wms_ml.scoring import ScoreTable
from wms_ml.slices import sliced


def show(model: str, scores: ScoreTable, console: Console) -> None:
    """Write what was scored, the metrics with their intervals, and the slices."""
    console.print(Text(f"{model} on {counts(scores)} of data set {scores.data_version}", "bold"))
    console.print(table(metric_cells(scores)))
    console.print(table(grouped(slice_cells(sliced(scores.rows)))))


def grouped(cells: Cells) -> Cells:
    """The same rows without their first cell, which becomes a heading over those that share it."""
    (_, *head), *rows = cells
    grouped: Cells = [tuple(head)]
    above = ""
    for measure, *row in rows:
        if measure != above:
            grouped.append((measure, *([""] * len(row[1:]))))
        above = measure
        grouped.append((f"  {row[0]}", *row[1:]))
    return grouped


def table(content: Cells) -> Table:
    """A table, the head first, numbers to the right; a row whose second cell is empty is a heading."""
    (first, *others), *rows = content
    made = Table(box=box.SIMPLE, pad_edge=False, padding=(0, 0, 0, 1))
    made.add_column(Text(first), no_wrap=True)
    for name, *cells in zip(others, *(row[1:] for row in rows), strict=True):
        made.add_column(Text(name), justify="right", min_width=max(map(len, cells)))  # heads may wrap, numbers not
    for row in rows:
        made.add_row(*map(Text, row), style="bold" if not row[1] else None)
    return made
