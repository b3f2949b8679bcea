"""Rules about masks: do they fit their image, and do they mark a reading window."""

from collections.abc import Iterator
from typing import Final

from wms_ml.pairs import Pair
from wms_ml.quality.facts import Couple, Facts, Fault
from wms_ml.quality.inspection import Header, MaskFacts
from wms_ml.quality.thresholds import Thresholds

USUAL_COVERAGE: Final = 0.02
"""Median share of the picture that is marked in 1,000 pairs of the field; used until enough pairs are accepted."""


def size_mismatches(facts: Facts) -> Iterator[Fault]:
    """Pairs whose image and mask differ in size, both upright."""
    for image, mask in facts.pairs:
        shown, drawn = image.header, mask.header
        if (shown.width, shown.height) == (drawn.width, drawn.height):
            continue
        yield Fault(
            (mask.file.path, image.file.path),
            f"the mask is {drawn.width} x {drawn.height}, the image (upright) {shown.width} x {shown.height}",
            _size_remedy(shown, drawn),
        )


def _size_remedy(image: Header, mask: Header) -> str:
    if (image.width, image.height) == (mask.height, mask.width):
        how = f" (EXIF orientation {image.orientation})" if image.orientation != 1 else ""
        return f"turn the mask by 90 degrees, so that it lies as the image is shown in a viewer{how}"
    if image.width * mask.height == image.height * mask.width:
        return "export the mask at the image's full size, without smoothing"
    return "export the mask again from exactly this image, not from a cropped or other one"


def masks_not_binary(facts: Facts) -> Iterator[Fault]:
    """Masks with grey, colour, soft edges or label numbers instead of black and white."""
    for mask in facts.masks:
        fault = _not_binary(mask, facts.thresholds)
        if fault:
            yield Fault((mask.file.path,), *fault)


def _not_binary(mask: MaskFacts, thresholds: Thresholds) -> tuple[str, str] | None:
    if 0 < mask.peak <= thresholds.grey_tolerance:
        return (
            f"its brightest value is {mask.peak} of 255, as if it held label numbers",
            "save the reading window as 255 and everything else as 0",
        )
    if mask.grey_share > thresholds.max_grey_share:
        return (
            f"{mask.grey_share:.0%} of what it marks is neither black nor white (grey, coloured or soft)",
            "save it as plain black and white (PNG, no smoothing, no colours): window 255, the rest 0",
        )
    return None


def masks_empty(facts: Facts) -> Iterator[Fault]:
    """Masks that mark nothing, or no more than a slip of the brush."""
    for mask in _binary(facts):
        if mask.mask_pixels <= facts.thresholds.min_mask_pixels:
            yield Fault(
                (mask.file.path,),
                f"it marks {mask.mask_pixels} pixels, not more than {facts.thresholds.min_mask_pixels}",
                "mark the reading window in white (255; in 16 bits 65535), or leave out the pair if there is none",
            )


def masks_covering_most(facts: Facts) -> Iterator[Fault]:
    """Masks that mark most of the picture; as a rule black and white are exchanged."""
    for mask in _binary(facts):
        if mask.coverage > facts.thresholds.max_coverage:
            yield Fault(
                (mask.file.path,),
                f"it marks {mask.coverage:.0%} of the picture, more than {facts.thresholds.max_coverage:.0%}",
                "invert it if black and white are exchanged: the window is white; else mark the window alone",
            )


def unusual_coverages(facts: Facts) -> Iterator[Fault]:
    """Masks that mark many times more or less than masks usually do."""
    usual, factor = _usual_coverage(facts), facts.thresholds.coverage_factor
    for mask in good_masks(facts):
        times = mask.coverage / usual
        if times > factor or times * factor < 1:
            more = f"{times:.0f} times as much" if times > 1 else f"{1 / times:.0f} times less"
            yield Fault(
                (mask.file.path,),
                f"it marks {mask.coverage:.2%} of the picture, {more} than usual ({usual:.1%})",
                "look whether it marks the whole reading window and nothing else",
            )


def _usual_coverage(facts: Facts) -> float:
    profile = facts.accepted.profile()
    return profile.median("coverage") if profile.pairs >= facts.thresholds.min_drift_accepted else USUAL_COVERAGE


def several_pieces(facts: Facts) -> Iterator[Fault]:
    """Masks that mark more than one area: a stray stroke, a second meter, a window cut in two."""
    for mask in good_masks(facts):
        if mask.pieces > 1:
            yield Fault(
                (mask.file.path,),
                f"it marks {mask.pieces} separate areas",
                "remove stray strokes; a window that something crosses is marked as one area",
            )


def same_masks(facts: Facts) -> Iterator[Fault]:
    """One mask for several images, by content. A camera that never moves may have that; a hand never draws it."""
    by_content: dict[str, list[Couple]] = {}
    for pair in facts.pairs:
        by_content.setdefault(pair.mask.header.sha256, []).append(pair)
    new = {pair.mask.header.sha256 for pair in facts.new_pairs}
    accepted: dict[str, list[Pair]] = {}
    for row in facts.accepted.holding(new):
        accepted.setdefault(row.mask_sha256, []).append(row)
    for content, pairs in by_content.items():
        here = {pair.image.header.sha256 for pair in pairs}
        before = [row for row in accepted.get(content, ()) if row.image_sha256 not in here]
        if content in new and (before or len(here) > 1):
            several = f"{len(here)} images have" if len(here) > 1 else f"the accepted pair {before[0].name} has"
            files = tuple(pair.mask.file.path for pair in pairs)
            yield Fault(files, f"{several} the very same mask", "look whether each mask was drawn for its image")


def good_masks(facts: Facts) -> list[MaskFacts]:
    """Masks that no error of this module touches."""
    lines = facts.thresholds
    return [
        mask
        for mask in _binary(facts)
        if mask.mask_pixels > lines.min_mask_pixels and mask.coverage <= lines.max_coverage
    ]


def _binary(facts: Facts) -> list[MaskFacts]:
    # How much a grey mask marks is anybody's guess: its one finding says enough.
    return [mask for mask in facts.masks if _not_binary(mask, facts.thresholds) is None]
