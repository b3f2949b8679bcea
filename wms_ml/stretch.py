"""The network's answer at a picture's own size, worked out only where something was found.

A reading window fills a few hundredths of a picture, so most of a stretched answer would be thrown away.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wms_ml.arrays import BoolMask

_BLOCK: Final = 1 << 18
"""Pixels that are worked on at a time: they stay in the processor's cache, and memory stays the same for any size."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """How a row of cells becomes a row of pixels, for the pixels from `start` on.

    Attributes:
        start: number of the first pixel.
        cells: (pixels, taps), the cells that each pixel is a mean of.
        weights: float64 (pixels, taps), how much each counts; they add up to 1.
    """

    start: int
    cells: NDArray[np.intp]
    weights: NDArray[np.float64]

    def part(self, begin: int, end: int) -> "_Axis":
        return _Axis(self.start + begin, self.cells[begin:end], self.weights[begin:end])


def stretched_mask(
    probabilities: NDArray[np.float32], size: tuple[int, int], threshold: float
) -> tuple[BoolMask, NDArray[np.float32]]:
    """Where probabilities, stretched to a picture's own size, reach `threshold`.

    Weighted means in float64, along rows first and then along columns, each kept as float32: `Image.resize` of Pillow
    with its bilinear filter, to the bit. Of a picture lower than S only to rounding: Pillow takes columns first there.

    Args:
        probabilities: float32 (S, S), 0 to 1.
        size: width and height of the upright picture, pixels.
        threshold: 0 to 1.

    Returns:
        bool (height, width), and the stretched probabilities of what is True in it, float32, row by row.
    """
    width, height = size
    mask: BoolMask = np.zeros((height, width), bool)
    reached: BoolMask = probabilities >= threshold
    if not reached.any():
        return mask, np.empty(0, np.float32)
    # A mean reaches the threshold only where one of its cells does.
    down = _near(_axis(probabilities.shape[0], height), np.flatnonzero(reached.any(1)))
    across = _near(_axis(probabilities.shape[1], width), np.flatnonzero(reached.any(0)))
    rows = _mean(probabilities, across, 1)
    inside = []
    step = max(1, _BLOCK // rows.shape[1])
    for begin in range(0, len(down.cells), step):
        block = down.part(begin, begin + step)
        values = _mean(rows, block, 0)
        marked = values >= threshold
        mask[block.start : block.start + len(marked), across.start : across.start + marked.shape[1]] = marked
        inside.append(values[marked])
    return mask, np.concatenate(inside)


def _axis(cells: int, pixels: int) -> _Axis:
    """Pillow's bilinear filter: a triangle, as wide as two cells or, shrinking, as two pixels."""
    scale = cells / pixels
    reach = max(scale, 1.0)
    centre = (np.arange(pixels) + 0.5) * scale
    first = np.maximum((centre - reach + 0.5).astype(np.intp), 0)
    last = np.minimum((centre + reach + 0.5).astype(np.intp), cells)
    places = first[:, None] + np.arange((last - first).max())
    weights = np.maximum(1.0 - np.abs((places - centre[:, None] + 0.5) * (1.0 / reach)), 0.0)
    weights[places >= last[:, None]] = 0.0
    total = np.cumsum(weights, 1)[:, -1:]  # one after the other, as Pillow adds them
    return _Axis(0, np.minimum(places, cells - 1), weights / total)


def _near(axis: _Axis, cells: NDArray[np.intp]) -> _Axis:
    """The run of pixels that have to do with these cells, the first to the last."""
    touching = np.flatnonzero((axis.cells[:, 0] <= cells[-1]) & (axis.cells[:, -1] >= cells[0]))
    return axis.part(touching[0], touching[-1] + 1)


def _mean(values: NDArray[np.float32], axis: _Axis, along: int) -> NDArray[np.float32]:
    """Values (rows, columns) stretched along one axis."""
    total = 0.0
    for cells, weights in zip(axis.cells.T, axis.weights.T, strict=True):
        total = total + values.take(cells, along) * (weights if along else weights[:, None])
    return np.asarray(total, np.float32)
