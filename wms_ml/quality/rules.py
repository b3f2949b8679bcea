"""The rules of data quality: what each is called, what it asks for, and the function that looks.

Their order is that of the report: what keeps a file from being looked at, its partner and name, then the mask.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from wms_ml.quality import rules_drop, rules_files, rules_masks, rules_names, rules_pictures
from wms_ml.quality.facts import Facts, Fault
from wms_ml.quality.report import Finding, Severity
from wms_ml.quality.thresholds import Thresholds

VERSION: Final = "2"
"""Raised when a rule comes, goes or judges differently."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: identifier in reports and of the asset check: lower case and underscores.
        title: what the fault is called in front of people.
        asks: what a drop has to keep, one sentence.
        look: yields the faults in a drop, in the order of its files.
        severity: what a fault leads to.
    """

    name: str
    title: str
    asks: str
    look: Callable[[Facts], Iterator[Fault]]
    severity: Severity = Severity.ERROR

    def findings(self, facts: Facts) -> list[Finding]:
        """What the rule finds in a drop."""
        return [
            Finding(self.name, self.severity, fault.files, fault.message, fault.remedy) for fault in self.look(facts)
        ]


def _warning(name: str, title: str, asks: str, look: Callable[[Facts], Iterator[Fault]]) -> Rule:
    return Rule(name, title, asks, look, Severity.WARNING)


RULES: Final = (
    Rule("unsafe_name", "Unsafe file name", "File names are plain.", rules_files.unsafe_names),
    Rule("link", "Link instead of a file", "A drop holds files, no links.", rules_files.links),
    Rule(
        "unexpected_file",
        "Not a picture",
        "Only pictures lie in images/ and masks/.",
        rules_files.unexpected_files,
    ),
    Rule(
        "undecodable",
        "Broken file",
        "Every file opens as a picture, to its last pixel.",
        rules_files.undecodable,
    ),
    Rule("misnamed", "Wrong ending", "A file is what its ending says.", rules_files.misnamed),
    Rule("too_large", "Too large", "No picture is larger than a camera makes it.", rules_files.too_large),
    Rule(
        "image_without_mask",
        "Image without a mask",
        "Every image has a mask of the same name.",
        rules_names.images_without_mask,
    ),
    Rule(
        "mask_without_image",
        "Mask without an image",
        "Every mask has an image of the same name.",
        rules_names.masks_without_image,
    ),
    Rule(
        "name_twice",
        "One name, several files",
        "A name stands for one image and one mask.",
        rules_names.names_twice,
    ),
    Rule(
        "name_alike",
        "Names differ only in spelling",
        "Names differ in more than capitals or accents.",
        rules_names.names_alike,
    ),
    Rule(
        "name_taken",
        "Name is taken",
        "A name that is accepted already comes with the same content.",
        rules_names.names_taken,
    ),
    Rule("same_content", "Same picture twice", "A picture comes under one name.", rules_names.same_contents),
    Rule(
        "image_black_white",
        "Image is all black and white",
        "An image is a photograph, no mask.",
        rules_pictures.images_black_and_white,
    ),
    Rule(
        "size_mismatch",
        "Image and mask differ in size",
        "A mask has the size of its image as people see it, EXIF orientation applied.",
        rules_masks.size_mismatches,
    ),
    Rule(
        "mask_not_binary",
        "Mask is not black and white",
        "A mask is black (0) and white (255), give or take what JPEG does to it.",
        rules_masks.masks_not_binary,
    ),
    Rule("mask_empty", "Mask marks nothing", "A mask marks more than a few pixels.", rules_masks.masks_empty),
    Rule(
        "mask_covers_most",
        "Mask covers most of the picture",
        "A mask marks the reading window, not its surroundings.",
        rules_masks.masks_covering_most,
    ),
    _warning("outside", "Beside images/ and masks/", "Pictures lie in images/ and masks/.", rules_files.outside),
    _warning("too_dark", "Too dark", "A picture shows the digits.", rules_pictures.too_dark),
    _warning("too_bright", "Too bright", "A picture is not washed out.", rules_pictures.too_bright),
    _warning("low_contrast", "Flat", "A picture has light and dark.", rules_pictures.low_contrast),
    _warning("blur", "Blurred", "A picture is sharp.", rules_pictures.blurred),
    _warning(
        "unusual_resolution",
        "Unusual size",
        "A picture has the size and shape that cameras give it.",
        rules_pictures.unusual_resolutions,
    ),
    _warning(
        "unusual_coverage",
        "Window of unusual size",
        "A window takes about as much of the picture as windows do.",
        rules_masks.unusual_coverages,
    ),
    _warning("several_pieces", "Mask in several pieces", "A mask marks one area.", rules_masks.several_pieces),
    _warning("same_mask", "Same mask twice", "Every image has a mask of its own.", rules_masks.same_masks),
    _warning(
        "near_duplicate",
        "Nearly the same picture",
        "Pictures show different meters or moments.",
        rules_drop.near_duplicates,
    ),
    _warning(
        "drift",
        "Unlike the accepted data",
        "A drop is distributed as the accepted data are.",
        rules_drop.drifts,
    ),
    Rule(
        "passed_over",
        "Passed over",
        "What is no picture is left where it is.",
        rules_files.passed_over,
        Severity.NOTE,
    ),
)
"""Every rule, in the order of the report."""


def rules_version(thresholds: Thresholds) -> str:
    """Version of the rules and 8 hex digits over their names, weights and thresholds, such as `2-0a1b2c3d`."""
    judged_by = [*((rule.name, rule.severity.value) for rule in RULES), thresholds]
    return f"{VERSION}-{hashlib.sha256(repr(judged_by).encode()).hexdigest()[:8]}"
