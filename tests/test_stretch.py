"""Masks at own size: worked out around what was found only, and the same as if everything were stretched."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wms_ml.predictor import prediction_of
from wms_ml.stretch import stretched_mask

CELLS = 64


def plainly(probabilities: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(probabilities).resize(size, Image.Resampling.BILINEAR))


def found(seed: int, kind: str) -> NDArray[np.float32]:
    """Random probabilities below one half, and more in the place of that kind."""
    rng = np.random.default_rng(seed)
    probabilities = rng.random((CELLS, CELLS), dtype=np.float32) * np.float32(0.499)
    places = {"nothing": (0, 0, 0, 0), "corner": (0, 9, 55, 64), "middle": (20, 31, 12, 40), "all": (0, 64, 0, 64)}
    top, bottom, left, right = places[kind]
    probabilities[top:bottom, left:right] += np.float32(0.5)
    return probabilities


@pytest.mark.parametrize("kind", ["nothing", "corner", "middle", "all"])
@pytest.mark.parametrize("size", [(333, 1000), (1000, 750), (64, 64), (65, 100), (40, 200), (1, 64), (1300, 1733)])
def test_a_mask_is_the_same_to_the_bit_as_if_everything_were_stretched(kind: str, size: tuple[int, int]) -> None:
    probabilities = found(sum(size), kind)
    expected = plainly(probabilities, size)
    mask, inside = stretched_mask(probabilities, size, 0.5)
    assert np.array_equal(mask, expected >= 0.5)
    assert np.array_equal(inside, expected[expected >= 0.5])


@pytest.mark.parametrize("size", [(200, 40), (30, 20), (1, 1)])
def test_of_a_picture_lower_than_the_network_it_differs_by_rounding_alone(size: tuple[int, int]) -> None:
    probabilities = found(3, "middle")
    expected = plainly(probabilities, size)
    mask, inside = stretched_mask(probabilities, size, 0.5)
    assert np.array_equal(mask, expected >= 0.5)
    assert np.allclose(inside, expected[mask], rtol=0, atol=1e-6)


def test_a_single_cell_at_the_threshold_counts() -> None:
    probabilities = np.zeros((3, 3), np.float32)
    probabilities[1, 1] = 0.5
    mask, inside = stretched_mask(probabilities, (3, 3), 0.5)
    assert mask.tolist() == [[False] * 3, [False, True, False], [False] * 3]
    assert inside.tolist() == [0.5]


def test_confidence_and_coverage_are_those_of_the_whole_picture() -> None:
    probabilities = found(9, "middle")
    expected = plainly(probabilities, (480, 640))
    prediction = prediction_of(probabilities, (480, 640))
    assert prediction.confidence == float(expected[expected >= 0.5].mean())
    assert prediction.coverage == float((expected >= 0.5).mean())
    assert prediction.probabilities is probabilities


def test_where_nothing_was_found_confidence_and_coverage_are_nothing() -> None:
    prediction = prediction_of(found(1, "nothing"), (30, 20))
    assert (prediction.confidence, prediction.coverage, prediction.mask.shape) == (0.0, 0.0, (20, 30))
