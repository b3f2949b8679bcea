"""Rules about pictures in company: near-duplicates, and a drop that is unlike everything accepted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from wms_ml.hamming import close_pairs
from wms_ml.pairs import Pair
from wms_ml.profile import MEASURES, Profile
from wms_ml.quality.facts import Couple, Facts, Fault
from wms_ml.quality.inspection import ImageFacts
from wms_ml.quality.rules_masks import good_masks
from wms_ml.quality.thresholds import Thresholds

_KEEP_ONE: Final = "keep one of them; near-duplicates teach the model nothing new"


def near_duplicates(facts: Facts) -> Iterator[Fault]:
    """Images that look the same but for how they were saved, within the drop or against accepted pairs."""
    images = [image for image, _ in facts.new_pairs]
    by_path = {image.file.path: image for image in images}
    hashes = {path: image.phash for path, image in by_path.items()}
    groups = _Groups()
    for one, other, _ in close_pairs(hashes, facts.thresholds.near_bits):
        if _same_light(by_path[one], by_path[other], facts.thresholds) and not _same(by_path[one], by_path[other]):
            groups.join(one, other)
    for paths in groups.all():
        yield Fault(tuple(paths), f"{len(paths)} images look the same", _KEEP_ONE)
    near = facts.accepted.near(hashes.values(), facts.thresholds.near_bits)
    for image in images:
        like = [pair for _, pair in near.get(image.phash, ()) if _counts(image, pair, facts.thresholds)]
        if like:
            yield Fault((image.file.path,), f"it looks the same as the accepted pair {like[0].name}", _LEAVE_OUT)


_LEAVE_OUT: Final = "leave it out if it is the same photograph, saved in another way"


def _counts(image: ImageFacts, pair: Pair, lines: Thresholds) -> bool:
    # The very same picture, or another under the same name, is an error of its own.
    other = pair.image_sha256 != image.header.sha256 and pair.name != image.file.name
    return other and _same_light(image, pair, lines)


def _same(one: ImageFacts, other: ImageFacts) -> bool:
    return one.header.sha256 == other.header.sha256


def _same_light(one: ImageFacts | Pair, other: ImageFacts | Pair, lines: Thresholds) -> bool:
    apart = (abs(one.brightness - other.brightness), abs(one.contrast - other.contrast))
    return max(apart) <= lines.near_light


class _Groups:
    """Things that belong together, directly or through others."""

    def __init__(self) -> None:
        self._of: dict[str, list[str]] = {}

    def join(self, one: str, other: str) -> None:
        """Put both into one group."""
        first, second = (self._of.setdefault(each, [each]) for each in (one, other))
        if first is not second:
            first.extend(second)
            self._of.update((each, first) for each in second)

    def all(self) -> list[list[str]]:
        """The groups, each sorted, in the order of their first."""
        return sorted({id(group): sorted(group) for group in self._of.values()}.values())


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a profile counts of a pair."""

    brightness: float
    contrast: float
    sharpness: float
    coverage: float
    width: int
    height: int


def drifts(facts: Facts) -> Iterator[Fault]:
    """Measures in which the drop as a whole lies far from what is accepted."""
    lines = facts.thresholds
    fit = {id(mask) for mask in good_masks(facts)}
    pairs = [pair for pair in facts.new_pairs if id(pair.mask) in fit]
    if len(pairs) < lines.min_drift_pairs or len(facts.accepted) < lines.min_drift_accepted:
        return
    measured = [_measured(pair) for pair in pairs]
    drop, accepted = Profile.of(measured), facts.accepted.profile()
    for name, measure in MEASURES.items():
        apart = drop.distance(accepted, name)
        if apart > lines.max_drift:
            here, there = float(np.median([measure.of(pair) for pair in measured])), accepted.median(name)
            message = (
                f"{measure.title}: the drop lies far from the accepted data (median {here:.3g} against {there:.3g}"
            )
            yield Fault((), f"{message}, distance {apart:.2f} of 1)", _IS_IT_MEANT)


_IS_IT_MEANT: Final = "look whether that is meant (another camera, other meters), or a mistake in how it was exported"


def _measured(pair: Couple) -> _Measured:
    image = pair.image
    size = (image.header.width, image.header.height)
    return _Measured(image.brightness, image.contrast, image.sharpness, pair.mask.coverage, *size)
