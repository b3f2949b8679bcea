"""The split is a function of content alone."""

import hashlib

import pytest

from tests.builders import pair
from wms_ml.errors import DataError
from wms_ml.split import counts, require_every_side, side


def digests(count: int) -> list[str]:
    return [hashlib.sha256(str(index).encode()).hexdigest() for index in range(count)]


def test_shares_are_80_10_10() -> None:
    found = [side(digest) for digest in digests(20_000)]
    shares = {name: found.count(name) / len(found) for name in ("train", "validation", "test")}
    assert shares == pytest.approx({"train": 0.8, "validation": 0.1, "test": 0.1}, abs=0.01)


def test_a_side_is_fixed_for_ever() -> None:
    # Golden on purpose: if this fails, pictures moved between sides and every stored score became incomparable.
    joined = "".join(side(digest)[1] for digest in digests(40))
    assert joined == EXPECTED


def test_a_corrected_mask_keeps_its_picture_on_its_side() -> None:
    image = digests(1)[0]
    assert pair("a", image=image, mask="1" * 64).split == pair("b", image=image, mask="2" * 64).split


def test_too_few_pairs_to_judge_are_refused() -> None:
    few = [pair(str(index), image=digest) for index, digest in enumerate(digests(3))]
    with pytest.raises(DataError, match="drop more pairs"):
        require_every_side(few)
    assert sum(counts(few).values()) == 3


EXPECTED = "rrrrrrrrrrrrarrrerrrrrrrrrrrrarrrrrrrarr"
