"""Rules about images: are they photographs, and can a reading be seen in them.

A picture with several faults of light has one finding, the first that holds: a dark picture is flat and soft as well.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final

from wms_ml.quality.facts import Facts, Fault
from wms_ml.quality.inspection import ImageFacts
from wms_ml.quality.thresholds import Thresholds

_TAKE_AGAIN: Final = "take it again if that is possible; keep it only if a person can read all digits"
_ALL_OR_NOTHING: Final = 0.95
"""Contrast, as a share of the most that is possible at a picture's brightness, which only black and white without
anything between reaches: photographs of the field have 0.85 and less, their masks 0.98 and more."""


def images_black_and_white(facts: Facts) -> Iterator[Fault]:
    """Images that hold nothing but black and white: masks in the wrong folder."""
    for image in facts.images:
        if _black_and_white(image):
            yield Fault(
                (image.file.path,),
                "it is all black and white, as masks are, and no photograph",
                "put the photograph here; if images/ and masks/ are exchanged, swap the two folders",
            )


def _black_and_white(image: ImageFacts) -> bool:
    most = math.sqrt(image.brightness * (255 - image.brightness))
    return most > 1 and image.contrast >= _ALL_OR_NOTHING * most


def too_dark(facts: Facts) -> Iterator[Fault]:
    """Images with hardly any light."""
    for image in _with(facts, _is_dark):
        yield Fault((image.file.path,), f"its mean brightness is {image.brightness:.0f} of 255", _TAKE_AGAIN)


def too_bright(facts: Facts) -> Iterator[Fault]:
    """Images with far too much light."""
    for image in _with(facts, _is_bright):
        yield Fault((image.file.path,), f"its mean brightness is {image.brightness:.0f} of 255", _TAKE_AGAIN)


def low_contrast(facts: Facts) -> Iterator[Fault]:
    """Images in which everything has nearly the same brightness."""
    for image in _with(facts, _is_flat):
        yield Fault(
            (image.file.path,),
            f"its grey values spread by {image.contrast:.0f} only; pictures of meters have 20 and more",
            _TAKE_AGAIN,
        )


def blurred(facts: Facts) -> Iterator[Fault]:
    """Images without sharp edges: shaken, out of focus, or enlarged."""
    for image in _with(facts, _is_blurred):
        relative = image.sharpness / image.contrast**2 / facts.thresholds.min_sharpness
        yield Fault((image.file.path,), f"its edges have {relative:.0%} of the least sharpness", _TAKE_AGAIN)


_Looks = Callable[[ImageFacts, Thresholds], bool]


def _with(facts: Facts, fault: _Looks) -> Iterator[ImageFacts]:
    for image in facts.images:
        first = next((each for each in _FAULTS if each(image, facts.thresholds)), None)
        if first is fault and not _black_and_white(image):
            yield image


def _is_dark(image: ImageFacts, lines: Thresholds) -> bool:
    return image.brightness < lines.min_brightness


def _is_bright(image: ImageFacts, lines: Thresholds) -> bool:
    return image.brightness > lines.max_brightness


def _is_flat(image: ImageFacts, lines: Thresholds) -> bool:
    return image.contrast < lines.min_contrast


def _is_blurred(image: ImageFacts, lines: Thresholds) -> bool:
    return image.sharpness <= lines.min_sharpness * image.contrast**2


_FAULTS: Final[tuple[_Looks, ...]] = (_is_dark, _is_bright, _is_flat, _is_blurred)


def unusual_resolutions(facts: Facts) -> Iterator[Fault]:
    """Images that are far smaller, or far longer, than cameras make them."""
    lines = facts.thresholds
    for image in facts.images:
        short, long = sorted((image.header.width, image.header.height))
        size = f"it is {image.header.width} x {image.header.height}"
        if short < lines.min_side:
            yield Fault((image.file.path,), f"{size}: small as a thumbnail", "use the picture as the camera saved it")
        elif long > lines.max_aspect * short:
            remedy = "use the picture as the camera saved it, not a panorama, a strip or a screenshot"
            yield Fault((image.file.path,), f"{size}: {long / short:.1f} times as long as wide", remedy)
