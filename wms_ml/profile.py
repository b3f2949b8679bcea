"""How the measures of many pairs are distributed, in a form that can be added up.

Counts over fixed bins: the profile of several manifests is the sum of theirs, so nobody reads a row again to know it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

BINS: Final = 64

Counts = NDArray[np.int64]
"""int64 array of shape (number of measures, BINS)."""


class Measured(Protocol):
    """What is counted of a pair, as in `Measures`."""

    @property
    def brightness(self) -> float: ...
    @property
    def contrast(self) -> float: ...
    @property
    def sharpness(self) -> float: ...
    @property
    def coverage(self) -> float: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure and its bins; values beyond the ends count in the first or the last bin.

    Attributes:
        title: what it is called in front of people.
        of: takes the value from a pair.
        low: lower end of the first bin.
        high: upper end of the last bin.
        logarithmic: whether bins are equally wide in the logarithm.
    """

    title: str
    of: Callable[[Measured], float]
    low: float
    high: float
    logarithmic: bool = False

    @property
    def edges(self) -> NDArray[np.float64]:
        """The BINS + 1 ends of the bins, ascending."""
        return (np.geomspace if self.logarithmic else np.linspace)(self.low, self.high, BINS + 1)


def megapixels(pair: Measured) -> float:
    """Size of the image in millions of pixels."""
    return pair.width * pair.height / 1e6


MEASURES: Final[Mapping[str, Measure]] = {
    "brightness": Measure("brightness", lambda pair: pair.brightness, 0, 255),
    "contrast": Measure("contrast", lambda pair: pair.contrast, 0, 127.5),
    "sharpness": Measure("sharpness", lambda pair: pair.sharpness, 1, 50_000, logarithmic=True),
    "coverage": Measure("share that is marked", lambda pair: pair.coverage, 1e-4, 1, logarithmic=True),
    "megapixels": Measure("megapixels", megapixels, 0.01, 64, logarithmic=True),
}
"""What a profile knows, by name."""

_ROW: Final = {name: row for row, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Distribution of every measure over some pairs.

    Attributes:
        counts: int64 (number of `MEASURES`, BINS), pairs in each bin.
    """

    counts: Counts

    @classmethod
    def of(cls, pairs: Iterable[Measured]) -> "Profile":
        """Count some pairs; of none, all counts are 0."""
        rows = list(pairs)
        return cls(np.stack([_histogram(measure, rows) for measure in MEASURES.values()]))

    @classmethod
    def from_bytes(cls, parts: Iterable[bytes]) -> "Profile":
        """The sum of profiles that `to_bytes` wrote."""
        whole = b"".join(parts)
        return cls(np.frombuffer(whole, "<i4").reshape(-1, len(MEASURES), BINS).sum(axis=0, dtype=np.int64))

    def to_bytes(self) -> bytes:
        """The counts as bytes, 4 each."""
        return self.counts.astype("<i4").tobytes()

    @property
    def pairs(self) -> int:
        """Number of pairs that were counted."""
        return int(self.counts[0].sum())

    def median(self, name: str) -> float:
        """Median of a measure, right to within half a bin; NaN without pairs."""
        row = self.counts[_ROW[name]].cumsum()
        if not row[-1]:
            return float("nan")
        measure = MEASURES[name]
        at = int(np.searchsorted(row, row[-1] / 2))
        low, high = measure.edges[at : at + 2]
        return float(np.sqrt(low * high) if measure.logarithmic else (low + high) / 2)

    def distance(self, other: "Profile", name: str) -> float:
        """How far two distributions of a measure lie apart, 0 (alike) to 1 (no overlap): the two-sample
        Kolmogorov-Smirnov statistic, the largest difference of the two cumulative shares, read at the ends of bins.

        Source: N. Smirnov, Table for Estimating the Goodness of Fit of Empirical Distributions, 1948.

        Both must have counted a pair at least.
        """
        one, two = (each.counts[_ROW[name]].cumsum() for each in (self, other))
        return float(np.abs(one / one[-1] - two / two[-1]).max())


def _histogram(measure: Measure, pairs: list[Measured]) -> NDArray[np.int64]:
    values = np.array([measure.of(pair) for pair in pairs], dtype=np.float64)
    bins = np.searchsorted(measure.edges[1:-1], values, side="right")
    return np.bincount(bins, minlength=BINS)
