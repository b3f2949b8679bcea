"""The split into train, validation and test: a function of the picture's content alone.

A seed, the order of drops or the size of the data set cannot move a picture: what was once in the test set can never
reach training through a later drop, also not with a corrected mask or under another name.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Final

from wms_ml.errors import DataError
from wms_ml.pairs import SPLITS, Pair

SHARES: Final = (80, 10, 10)
"""Percent of train, validation and test. Changing them moves pictures: it makes a new, incomparable split."""

VERSION: Final = "1"
"""Version of the rule; scores are comparable only within one."""


def side(image_sha256: str) -> str:
    """Side of a picture, from its content's hash (hex SHA-256)."""
    salted = hashlib.sha256(f"split-{VERSION}:{image_sha256}".encode()).digest()
    bucket = int.from_bytes(salted[:8], "big") % sum(SHARES)
    if bucket < SHARES[0]:
        return SPLITS[0]
    return SPLITS[1] if bucket < SHARES[0] + SHARES[1] else SPLITS[2]


def counts(pairs: Iterable[Pair]) -> dict[str, int]:
    """Pairs on each side, every side named."""
    found = Counter(pair.split for pair in pairs)
    return {name: found[name] for name in SPLITS}


def require_every_side(pairs: Iterable[Pair]) -> None:
    """Refuse a data set that cannot be trained on and judged.

    Raises:
        DataError: a side is empty.
    """
    found = counts(pairs)
    empty = [name for name, count in found.items() if count == 0]
    if empty:
        raise DataError(
            f"{sum(found.values())} pairs leave nothing for {' and '.join(empty)} (the split is 80/10/10 by "
            "content): drop more pairs, 50 or more as a rule"
        )
