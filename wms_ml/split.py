"""The split into train, validation and test: decided when a picture is accepted, from what it shows, for ever.

A seed, a name, a corrected mask, the order of drops or the size of the data set cannot move a picture: what was once in
the test set can never reach training. Nor can something that looks the same: a picture saved again or shrunk is no
proof of what a model has learned when the original trained it. So look-alikes are kept on one side, and no training
picture ever lies within `RADIUS` of a test picture.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from wms_ml.catalogue import Accepted
from wms_ml.errors import DataError
from wms_ml.grouping import lookalikes
from wms_ml.measures import Measures
from wms_ml.pairs import SPLITS, Pair

TRAIN, VALIDATION, TEST = SPLITS

SHARES: Final = (80, 10, 10)
"""Percent of train, validation and test. Changing them moves pictures: it makes a new, incomparable split."""

RADIUS: Final = 6
"""Bits of the perceptual hash within which two pictures look the same.

Saving again, shrinking, greying and cutting off 1 % change at most 6 bits of a picture of the field, and no two
different meters there come closer than 8. Of 100,000 pictures one in twelve will be as close to another by chance, and
only follows a stranger; past a million, chains of strangers would join everything, and a longer hash is needed.
Light is not asked as in the quality checks: a brightened copy is a copy. Not a setting: it would be another split.
"""

VERSION: Final = "2"
"""Version of the rule; scores are comparable only within one. Version 1 knew no look-alikes."""

_SALT: Final = "split-1"
"""Version 1's: pictures that nothing looks like stand where they always stood."""


def side(image_sha256: str) -> str:
    """Side of a picture that nothing looks like, from its content's hash (hex SHA-256)."""
    salted = hashlib.sha256(f"{_SALT}:{image_sha256}".encode()).digest()
    bucket = int.from_bytes(salted[:8], "big") % sum(SHARES)
    if bucket < SHARES[0]:
        return TRAIN
    return VALIDATION if bucket < SHARES[0] + SHARES[1] else TEST


def assign(new: Iterable[Measures], accepted: Accepted) -> dict[str, str]:
    """Side of the picture of each new pair, by its content's hash; the order of the pairs does not matter.

    A picture that is accepted already, under whatever name, stays where it is. The others go in groups of look-alikes:

    * a group that looks like nothing accepted goes where its smallest hash alone would go;
    * one whose accepted look-alikes stand on one side goes there;
    * one that lies between look-alikes on several sides goes to validation, where it neither trains beside a test
      picture nor tests beside a training picture. What is accepted is not moved to reunite them.

    Costs what is new: see `wms_ml.hamming`.
    """
    hashes = {pair.image_sha256: pair.phash for pair in new}
    kept = {pair.image_sha256: pair.split for pair in accepted.holding(hashes) if pair.image_sha256 in hashes}
    near = accepted.near(hashes.values(), RADIUS)
    sides: dict[str, str] = {}
    for group in lookalikes(hashes, RADIUS):
        found = {pair.split for image in group for _, pair in near.get(hashes[image], ())}
        found.update(kept[image] for image in group if image in kept)
        sides.update(dict.fromkeys(group, _common(group, found)))
    return sides | kept


def _common(group: Collection[str], accepted: Collection[str]) -> str:
    """Side of a group, given the sides of the accepted pictures that look like it."""
    if not accepted:
        return side(min(group))
    return VALIDATION if len(accepted) > 1 else next(iter(accepted))


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
