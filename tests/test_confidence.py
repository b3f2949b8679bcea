"""A mean says how sure it is."""

import math
import tracemalloc

import numpy as np
import pytest
import scipy.stats

from wms_ml.confidence import FEWEST, RESAMPLES, estimate, resampled_means
from wms_ml.errors import DataError

VALUES = np.random.default_rng(3).beta(9, 1.5, 60).tolist()


def test_the_interval_is_that_of_scipys_percentile_bootstrap() -> None:
    known = scipy.stats.bootstrap((VALUES,), np.mean, n_resamples=20_000, method="percentile", rng=1)
    assert estimate(VALUES).interval == pytest.approx(tuple(known.confidence_interval), abs=1e-3)


def test_the_same_values_give_the_same_interval() -> None:
    assert estimate(VALUES) == estimate(VALUES)


def test_the_interval_of_differences_is_narrower_than_that_of_scores_that_go_together() -> None:
    better = [value + 0.01 * (index % 3) for index, value in enumerate(VALUES)]
    low, high = estimate([new - old for new, old in zip(better, VALUES, strict=True)]).interval or (0, 0)
    assert 0 < low < 0.01 < high


def test_too_few_values_have_a_mean_and_no_interval() -> None:
    few = estimate([0.5] * (FEWEST - 1))
    assert (few.count, few.mean, few.interval) == (FEWEST - 1, 0.5, None)
    assert estimate([0.5] * FEWEST).interval == (0.5, 0.5)


@pytest.mark.parametrize("values", [[], [0.5, math.nan], [math.inf]])
def test_what_has_no_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(DataError, match="no interval of"):
        estimate(values)


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    tracemalloc.start()
    assert len(resampled_means([0.5] * 3_000)) == RESAMPLES
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6  # drawing all at once takes 480 MB
