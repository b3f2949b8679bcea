"""How a measure is distributed over a drop, as a small drawing (SVG) with the accepted data behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from wms_ml.measures import Measures
from wms_ml.profile import MEASURES, Counts, Profile

_WIDTH: Final = 320
_HEIGHT: Final = 64
_FORMS: Final[Mapping[str, str]] = {
    "brightness": "{:.0f}",
    "sharpness": "{:,.0f}",
    "coverage": "{:.1%}",
    "megapixels": "{:.2g}",
}
"""The measures that are drawn, and how their values are written."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A histogram ready to be drawn in a box of `width` x `height` units.

    Attributes:
        title: what is measured.
        low: where it begins, written out.
        middle: the drop's median, written out.
        high: where it ends, written out.
        bars: an SVG path, the drop.
        behind: an SVG path, the accepted data; empty without any.
    """

    title: str
    low: str
    middle: str
    high: str
    bars: str
    behind: str
    width: int = _WIDTH
    height: int = _HEIGHT


def strips(pairs: Sequence[Measures], accepted: Profile | None = None) -> list[Strip]:
    """A strip for each measure that is drawn; none for a drop without pairs."""
    if not pairs:
        return []
    drop, behind = Profile.of(pairs), accepted or Profile.of([])
    rows = list(MEASURES)
    return [_strip(name, pairs, drop.counts[rows.index(name)], behind.counts[rows.index(name)]) for name in _FORMS]


def _strip(name: str, pairs: Sequence[Measures], drop: Counts, behind: Counts) -> Strip:
    measure, form = MEASURES[name], _FORMS[name]
    # Bins are the same for all data of the world; only the part where there is any is drawn.
    filled = np.flatnonzero(drop + behind)
    first, last = max(0, filled[0] - 1), min(len(drop), filled[-1] + 2)
    return Strip(
        measure.title,
        low=form.format(measure.edges[first]),
        middle=form.format(np.median([measure.of(pair) for pair in pairs])),
        high=form.format(measure.edges[last]),
        bars=_path(drop[first:last], gap=0.15),
        behind=_path(behind[first:last], gap=0),
    )


def _path(counts: Counts, gap: float) -> str:
    """Bars as one path; the tallest fills the height, and no bar with anything in it is too low to be seen."""
    step = _WIDTH / len(counts)
    heights = np.where(counts > 0, np.maximum(counts / max(1, counts.max()) * _HEIGHT, 2), 0)
    return "".join(
        f"M{(index + gap / 2) * step:.1f} {_HEIGHT}v-{height:.1f}h{(1 - gap) * step:.1f}v{height:.1f}z"
        for index, height in enumerate(heights)
        if height
    )
