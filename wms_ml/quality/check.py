"""Inspecting a drop: list it, read every file once, let every rule look."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wms_ml.catalogue import Accepted
from wms_ml.measures import Measures
from wms_ml.quality.facts import Facts
from wms_ml.quality.inspection import ImageFacts, MaskFacts, Measuring
from wms_ml.quality.ledger import Ledger
from wms_ml.quality.listing import Kind, list_drop
from wms_ml.quality.report import Report
from wms_ml.quality.rules import RULES, rules_version
from wms_ml.quality.survey import survey
from wms_ml.quality.thresholds import Thresholds
from wms_ml.quality.worker import LIMITS, Limits

_log = logging.getLogger(__name__)

DEFAULT: Final = Thresholds()


def check_folder(
    folder: Path,
    drop: str,
    accepted: Accepted,
    thresholds: Thresholds = DEFAULT,
    on_progress: Callable[[int, int], None] | None = None,
    ledger: Ledger | None = None,
    limits: Limits = LIMITS,
) -> Report:
    """Inspect the drop in `folder`, against what is `accepted` already; nothing is changed or deleted.

    `on_progress` is told (files done, files in all) after each file, on the calling thread. `ledger` remembers what
    was read before. `limits` hold for the decoding of each file; their number of processes does not change the
    report. A script that calls this needs the usual `if __name__ == "__main__":`, because processes are started.

    Raises:
        DropError: the folder has not the form of a drop, or a file cannot be read.
        EmptyDropError: images/ and masks/ are both empty.
        DataError: the ledger cannot be used.
    """
    files = list_drop(folder)
    pictures = [file for file in files if file.kind is Kind.PICTURE]
    found = survey(pictures, accepted, thresholds, ledger, limits, on_progress)
    _log.info("%s: %d pictures, %d of them new and decoded", drop, len(pictures), found.decoded)
    return _judge(drop, Facts(files, found.inspected, accepted, thresholds))


def _judge(drop: str, facts: Facts) -> Report:
    measured = Measuring.of(facts.thresholds).measured
    return Report(
        drop=drop,
        pairs=tuple(_measures(image, mask, measured) for image, mask in facts.pairs),
        findings=tuple(finding for rule in RULES for finding in rule.findings(facts)),
        files=sum(file.kind is not Kind.OUTSIDE for file in facts.files),
        rules_version=rules_version(facts.thresholds),
        thresholds=facts.thresholds,
    )


def _measures(image: ImageFacts, mask: MaskFacts, measured: str) -> Measures:
    return Measures(
        name=image.file.name,
        image=image.file.path,
        mask=mask.file.path,
        image_sha256=image.header.sha256,
        mask_sha256=mask.header.sha256,
        width=image.header.width,
        height=image.header.height,
        orientation=image.header.orientation,
        image_format=image.header.format,
        mask_format=mask.header.format,
        brightness=image.brightness,
        contrast=image.contrast,
        sharpness=image.sharpness,
        phash=image.phash,
        mask_pixels=mask.mask_pixels,
        coverage=mask.coverage,
        grey_share=mask.grey_share,
        mask_peak=mask.peak,
        pieces=mask.pieces,
        measured=measured,
    )
