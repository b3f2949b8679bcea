"""Figures of pixels: how sharp a picture is, what it looks like from afar, how many areas a mask marks."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wms_ml.arrays import ORIENTATION_TAG, to_rgb, turn_upright

EDGE: Final = 512
"""Longer side, in pixels, at which pictures are measured: sharpness depends on scale, and pictures come in many."""

_SPECK: Final = 8
"""Fewer pixels (at that scale) are a speck, no marked area."""
_COSINES: Final = np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(32) + 1) / 64)
"""The 8 lowest frequencies of the cosine transform (DCT-II) over 32 values, rows not normalized."""


def reduction(width: int, height: int) -> int:
    """The power of two, 8 at most, by which a picture may be divided first and still be larger than `EDGE`.

    JPEG decoders divide by these for next to nothing; dividing everything else alike keeps the figures comparable.
    """
    return next((step for step in (8, 4, 2) if max(width, height) >= step * EDGE), 1)


def at_edge(grey: Image.Image) -> Image.Image:
    """A grey picture (mode L), divided by `reduction` already, with at most `EDGE` pixels on its longer side."""
    shrink = EDGE / max(grey.size)
    if shrink >= 1:
        return grey
    width, height = (max(1, round(side * shrink)) for side in grey.size)
    return grey.resize((width, height), Image.Resampling.BOX)


def grey_at_edge(upright: Image.Image) -> Image.Image:
    """A decoded picture of any mode as the grey one (mode L) whose brightness, contrast and sharpness are measured.

    A picture that its decoder divided before, by a power of two, gives nearly the same.
    """
    return at_edge(to_rgb(upright).convert("L").reduce(reduction(*upright.size)))


def brightness_and_contrast(grey: Image.Image) -> tuple[float, float]:
    """Mean (0 to 255) and standard deviation (0 to 127.5) of a grey picture (mode L)."""
    counts, values = np.array(grey.histogram(), dtype=np.float64), np.arange(256)
    mean = counts @ values / counts.sum()
    return float(mean), float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over the four neighbours of grey values (height, width), 0 to 255.

    Rims have no four neighbours and are left out; a picture without an inside has 0.
    """
    if min(grey.shape) < 3:
        return 0.0
    values = grey.astype(np.int16)
    around = values[:-2, 1:-1] + values[2:, 1:-1]
    around += values[1:-1, :-2]
    around += values[1:-1, 2:]
    around -= 4 * values[1:-1, 1:-1]
    return float(around.var(dtype=np.float64))


def perceptual_hash(grey: Image.Image, tag: int = 1) -> str:
    """64 bits as 16 hex digits: which of the 8 x 8 lowest frequencies (cosine transform of the picture at
    32 x 32 pixels, the mean left out) lie above their median. Near-duplicates differ in few bits.

    `tag` is the EXIF orientation by which `grey` (mode L) has to be turned first.

    Source: C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.
    """
    small = grey.resize((32, 32), Image.Resampling.BOX)
    # What the file says of itself was read where damage in it is judged.
    small.info.clear()
    small.getexif()[ORIENTATION_TAG] = tag
    values = np.asarray(turn_upright(small), dtype=np.float64)
    low = (_COSINES @ values @ _COSINES.T).ravel()
    bits = low > np.median(low[1:])
    return np.packbits(bits).tobytes().hex()


def pieces(marked: NDArray[np.bool_]) -> int:
    """Separate areas of a mask (height, width), looked at on a grid of about `EDGE` cells, specks not counted."""
    step = max(1, max(marked.shape) // EDGE)
    cells = marked[::step, ::step]
    # A column of nothing between rows: a run of cells is then one stretch of the flattened mask, and never two rows.
    stride = cells.shape[1] + 1
    flat = np.zeros(cells.shape[0] * stride + 1, dtype=np.bool_)
    flat[1:].reshape(-1, stride)[:, :-1] = cells
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = edges[::2], np.append(edges[1::2], [flat.size - 1] * (edges.size % 2))
    # Runs of the row above that share a column with a run are neighbours in the order of runs.
    first, last = np.searchsorted(ends, starts - stride, "right"), np.searchsorted(starts, ends - stride, "left")
    roots = _joined(first.tolist(), last.tolist())
    sizes = np.bincount(roots, weights=ends - starts) if roots else np.zeros(0)
    return int((sizes >= _SPECK).sum())


def _joined(first: list[int], last: list[int]) -> list[int]:
    """For every run the first run of its area, where run i touches the runs `first[i]` to `last[i]` - 1."""
    parents = list(range(len(first)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    for run, (begin, end) in enumerate(zip(first, last, strict=True)):
        for above in range(begin, end):
            one, other = sorted((root(above), root(run)))
            parents[other] = one
    return [root(run) for run in range(len(parents))]
