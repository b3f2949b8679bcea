"""How sure a mean over pictures is: would other pictures of the same kind have given another?

The percentile bootstrap draws pictures again, with replacement, as many as there are, and looks at how the mean moves.
For two models on the same pictures give it the differences picture by picture: that is the paired interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wms_ml.errors import DataError

RESAMPLES: Final = 10_000
LEVEL: Final = 0.95
FEWEST: Final = 10
"""Values below which no interval is given."""
_SEED: Final = 20_1979
_CHUNK: Final = 1_000_000
"""Values drawn at a time: memory stays the same however many pictures there are."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95 % interval.

    Attributes:
        count: how many values it is the mean of.
        mean: in the values' own unit.
        interval: lower and upper end; None for fewer than 10 values, which cannot tell how sure they are.
    """

    count: int
    mean: float
    interval: tuple[float, float] | None


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of some values with its 95 % percentile-bootstrap interval; the same values give the same interval.

    Source: Efron, Bootstrap Methods: Another Look at the Jackknife, 1979.

    Raises:
        DataError: there are no values, or one is not finite.
    """
    array = _checked(values)
    interval = None
    if len(array) >= FEWEST:
        low, high = np.quantile(resampled_means(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        interval = (float(low), float(high))
    return Estimate(len(array), float(array.mean()), interval)


def resampled_means(values: Sequence[float]) -> NDArray[np.float64]:
    """Means of `RESAMPLES` drawings with replacement, in the order drawn: float64 (10,000,).

    Raises:
        DataError: there are no values, or one is not finite.
    """
    array = _checked(values)
    random = np.random.default_rng(_SEED)
    rows = max(1, _CHUNK // len(array))
    means = [
        array[random.integers(len(array), size=(min(rows, RESAMPLES - start), len(array)))].mean(1)
        for start in range(0, RESAMPLES, rows)
    ]
    return np.concatenate(means)


def _checked(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if not array.size or not np.isfinite(array).all():
        raise DataError(f"no interval of {array.size} values" + (", not all of them numbers" if array.size else ""))
    return array
