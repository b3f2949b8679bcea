"""Contact sheets of a model's best, middling and worst pictures: what a score means is seen, not read."""

from collections.abc import Callable, Sequence
from typing import Final

from PIL import Image

from wms_ml.arrays import BoolMask
from wms_ml.render import PREDICTED, TRUTH, close_up, contact_sheet
from wms_ml.scoring import PictureScore

SHOWN: Final = 8
"""Pictures on a sheet."""
_EDGE: Final = 290
_LEGEND: Final = (("drawn by people", TRUTH), ("found by the model", PREDICTED))

Opened = tuple[Image.Image, BoolMask, BoolMask]
"""Picture (upright RGB), true mask and predicted mask of one size, bool (height, width)."""


def draw_sheets(
    rows: Sequence[PictureScore], opened: Callable[[PictureScore], Opened], count: int = SHOWN
) -> dict[str, Image.Image]:
    """Sheets `best`, `median` and `worst` of at most `count` pictures by Dice; the first is the best, the worst on
    the last one. Only pictures that are shown are opened."""
    return {name: _sheet(chosen, opened) for name, chosen in ranked(rows, count).items()}


def ranked(rows: Sequence[PictureScore], count: int) -> dict[str, list[PictureScore]]:
    """The `count` best rows by Dice, best first; those around the median; the worst, worst first."""
    falling = sorted(rows, key=lambda row: row.dice, reverse=True)
    middle = max(0, (len(falling) - count) // 2)
    return {"best": falling[:count], "median": falling[middle : middle + count], "worst": falling[::-1][:count]}


def _sheet(rows: Sequence[PictureScore], opened: Callable[[PictureScore], Opened]) -> Image.Image:
    cells = [(f"Dice {row.dice:.3f}  {row.name}", close_up(*opened(row), _EDGE)) for row in rows]
    return contact_sheet(cells, cell=_EDGE + 10, legend=_LEGEND)
