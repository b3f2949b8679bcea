"""What the gate found, for people: tables, a plot of intervals, the pictures that changed most."""

import io
from collections.abc import Callable, Sequence
from typing import Any, Final

from PIL import Image

from wms_ml.arrays import BoolMask
from wms_ml.gate import Verdict
from wms_ml.paired import Comparison, PictureChange
from wms_ml.render import PREDICTED, TRUTH, close_up, contact_sheet
from wms_ml.score_report import Cells, markdown_table

SHOWN: Final = 6
"""Pictures on a sheet, each with both models."""
_EDGE: Final = 240
_LEGEND: Final = (("drawn by people", TRUTH), ("found by the model", PREDICTED))
_TITLES: Final = {"dice": "Dice", "iou": "IoU"}
_BETTER, _WORSE, _OPEN = "#0072b2", "#d55e00", "#666666"
"""Colours of intervals above, below and around 0; told apart with any colour vision."""

Opened = tuple[Image.Image, BoolMask, BoolMask, BoolMask]
"""Picture (upright RGB), true mask, the champion's and the challenger's, of one size, bool (height, width)."""


def slice_cells(verdict: Verdict) -> Cells:
    """Dice of both models by kind of picture, with the interval of the difference and the floor where one is set."""
    cells: Cells = [("slice", "pictures", "challenger", "production", "difference", "95 % interval", "floor")]
    for each in verdict.slices:
        floor = verdict.rule.slice_floors.get(each.label)
        figures = each.dice.cells[:-1] if each.dice else ("", "", "", "")  # slices have no p-value
        cells.append((each.label, str(each.pictures), *figures, "" if floor is None else f"{floor:g}"))
    return cells


def markdown(verdict: Verdict) -> str:
    """Verdict, comparison, warnings and slices."""
    return f"{verdict.table()}\n\n{markdown_table(slice_cells(verdict))}\n"


def draw_intervals(verdict: Verdict) -> Image.Image:
    """Differences of Dice and IoU, and of Dice by slice, with their 95 % intervals; 0 and the minimum gain marked.

    Slices without pictures are left out. Without a champion there is nothing to draw but the frame.
    """
    from matplotlib.figure import Figure  # no pyplot: it keeps global state and looks for a display

    rows = _bars(verdict)
    figure = Figure(figsize=(8, 1.3 + 0.28 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=1)
    if verdict.rule.minimum_gain:
        gain = verdict.rule.minimum_gain
        axes.axvline(gain, color="black", linestyle="--", linewidth=1, label=f"minimum gain {gain:g}")
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1))
    for place, (_, each) in enumerate(rows):
        _bar(axes, place, each)
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="challenger less production, 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    return Image.open(buffer).convert("RGB")


def _bars(verdict: Verdict) -> list[tuple[str, Comparison]]:
    if verdict.champion is None:
        return []
    whole = [(f"{_TITLES[name]}, all {verdict.pictures} pictures", each) for name, each in verdict.metrics.items()]
    return whole + [
        (f"Dice, {each.label}, {each.pictures} pictures", each.dice) for each in verdict.slices if each.dice
    ]


def _bar(axes: Any, place: int, compared: Comparison) -> None:
    """One difference: a dot, and its interval where there are pictures enough for one."""
    low, high = compared.interval or (compared.difference, compared.difference)
    colour = _OPEN if compared.interval is None or low <= 0 <= high else (_BETTER if low > 0 else _WORSE)
    axes.plot([low, high], [place, place], color=colour, linewidth=2.5)
    hollow = {"markerfacecolor": "white"} if compared.interval is None else {}
    axes.plot(compared.difference, place, "o", color=colour, markersize=5, **hollow)


def changed_most(verdict: Verdict, count: int = SHOWN) -> dict[str, list[PictureChange]]:
    """At most `count` pictures whose Dice rose most (`better`) and fell most (`worse`), the largest change first."""
    rising = sorted(verdict.changes, key=lambda each: (-each.difference, each.pair_id))
    return {
        "better": [each for each in rising if each.difference > 0][:count],
        "worse": [each for each in reversed(rising) if each.difference < 0][:count],
    }


def draw_changes(changes: Sequence[PictureChange], opened: Callable[[PictureChange], Opened]) -> Image.Image:
    """A sheet of pictures side by side: production's outline on the left, the challenger's on the right."""
    cells = []
    for change in changes:
        image, truth, before, after = opened(change)
        everything = truth | before | after  # both models are shown on the same part of the picture
        for who, dice, mask in (("production", change.champion, before), ("challenger", change.challenger, after)):
            cells.append((f"{who} {dice:.3f}  {change.name}", close_up(image, truth, mask, _EDGE, everything)))
    return contact_sheet(cells, cell=_EDGE + 10, legend=_LEGEND)
