"""Inspecting a drop: list it, read every file once, let every rule look.

Decoding takes nearly all the time, and Pillow lets go of Python's lock for it: threads do. Their number does not
change the report.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from wms_ml.measures import Measures
from wms_ml.pairs import Pair
from wms_ml.quality.facts import Facts
from wms_ml.quality.inspection import ImageFacts, Inspected, MaskFacts, inspect
from wms_ml.quality.listing import Kind, list_drop
from wms_ml.quality.report import Report
from wms_ml.quality.rules import RULES, rules_version
from wms_ml.quality.thresholds import Thresholds

DEFAULT: Final = Thresholds()


class Accepted(dict[str, tuple[str, str]]):
    """What the data set holds already: name -> (image_sha256, mask_sha256)."""

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> "Accepted":
        """From the rows of its manifests."""
        return cls({pair.name: (pair.image_sha256, pair.mask_sha256) for pair in pairs})


def check_folder(
    folder: Path,
    drop: str,
    accepted: Accepted,
    thresholds: Thresholds = DEFAULT,
    on_progress: Callable[[int, int], None] | None = None,
    workers: int = 2,
) -> Report:
    """Inspect the drop in `folder`, against what is `accepted` already; nothing is changed or deleted.

    `on_progress` is told (files done, files in all) after each file, on the calling thread; `workers` is the
    number of threads that read and decode.

    Raises:
        DropError: the folder has not the form of a drop, or a file cannot be read.
        EmptyDropError: images/ and masks/ are both empty.
    """
    files = list_drop(folder)
    pictures = [file for file in files if file.kind is Kind.PICTURE]
    inspected: dict[str, Inspected] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="inspect") as pool:
        for found in pool.map(partial(inspect, thresholds=thresholds), pictures):
            inspected[found.file.path] = found
            if on_progress:
                on_progress(len(inspected), len(pictures))
    return _judge(drop, Facts(files, inspected, accepted, thresholds))


def _judge(drop: str, facts: Facts) -> Report:
    return Report(
        drop=drop,
        pairs=tuple(_measures(image, mask) for image, mask in facts.pairs()),
        findings=tuple(finding for rule in RULES for finding in rule.findings(facts)),
        files=len(facts.files),
        rules_version=rules_version(facts.thresholds),
    )


def _measures(image: ImageFacts, mask: MaskFacts) -> Measures:
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
    )
