"""Reading every file of a drop and decoding only what is new.

Every file is opened and hashed each time, so that nothing vouches for a file that is gone or changed. What was read
from the same bytes before, for an accepted pair or by an earlier check, is not read again.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Protocol

from wms_ml.errors import DropError
from wms_ml.pairs import Pair
from wms_ml.quality.inspection import (
    Content,
    Damage,
    Header,
    ImageReading,
    Inspected,
    MaskReading,
    Measuring,
    Reading,
    Role,
    placed,
    role_of,
)
from wms_ml.quality.ledger import Ledger
from wms_ml.quality.listing import File
from wms_ml.quality.thresholds import Thresholds
from wms_ml.quality.worker import LIMITS, Job, Limits, Outcome, read_apart

_NOTED_AT_ONCE: Final = 500
"""Readings that are lost at most when a check is killed."""


class Holding(Protocol):
    """Accepted pairs that can be asked for by content."""

    def holding(self, sha256s: Collection[str]) -> list[Pair]:
        """Pairs whose image or mask has one of these contents."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What reading found.

    Attributes:
        inspected: by path, in the order of the files.
        decoded: number of contents that had to be decoded for it.
    """

    inspected: dict[str, Inspected]
    decoded: int


def survey(
    pictures: Sequence[File],
    accepted: Holding,
    thresholds: Thresholds,
    ledger: Ledger | None = None,
    limits: Limits = LIMITS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Read these files; `on_progress` is told (files done, files in all) after each, on the calling thread.

    Raises:
        DropError: a file cannot be read, or changes meanwhile.
        DataError: the ledger cannot be used.
    """
    measuring = Measuring.of(thresholds)
    contents = {file.path: _content(file, thresholds.max_bytes) for file in pictures}
    known = _known([each for each in contents.values() if isinstance(each, Content)], accepted, measuring, ledger)
    jobs = _jobs(pictures, contents, known)
    inspected: dict[str, Inspected] = {}
    fresh: dict[Content, Reading] = {}
    with closing(read_apart(jobs, measuring, limits)) as outcomes:
        for file in pictures:
            content = contents[file.path]
            if isinstance(content, Content) and content not in known:
                outcome = next(outcomes)
                known[content] = outcome.reading
                _note(outcome, fresh, measuring, ledger)
            reading = content if isinstance(content, Damage) else known[content]
            inspected[file.path] = placed(file, reading)
            if on_progress:
                on_progress(len(inspected), len(pictures))
    if ledger and fresh:
        ledger.add(fresh, measuring)
    return Survey(inspected, len(jobs))


def _content(file: File, max_bytes: int) -> Content | Damage:
    try:
        if file.source.stat().st_size > max_bytes:
            megabytes = max_bytes / 1e6
            return Damage(code="too-large", message=f"the file has more than {megabytes:.0f} MB and was not opened")
        with file.source.open("rb") as opened:
            return Content(hashlib.file_digest(opened, "sha256").hexdigest(), role_of(file))
    except OSError as error:
        reason = error.strerror or error
        raise DropError(f"{file.path} cannot be read ({reason}): make it readable and inspect again") from error


def _known(
    contents: Collection[Content], accepted: Holding, measuring: Measuring, ledger: Ledger | None
) -> dict[Content, Reading]:
    wanted = set(contents)
    known: dict[Content, Reading] = {}
    for pair in accepted.holding({content.sha256 for content in wanted}):
        if pair.measured == measuring.measured and pair.width * pair.height <= measuring.max_pixels:
            known.update(_of_pair(pair))
    if ledger:
        known.update(ledger.find(wanted - known.keys(), measuring))
    return known


def _of_pair(pair: Pair) -> dict[Content, Reading]:
    """The readings that an accepted pair was made of; its mask has the size of its image."""
    size = (pair.width, pair.height)
    image = ImageReading(
        header=Header(pair.image_sha256, pair.image_format, *size, pair.orientation),
        brightness=pair.brightness,
        contrast=pair.contrast,
        sharpness=pair.sharpness,
        phash=pair.phash,
    )
    mask = MaskReading(
        header=Header(pair.mask_sha256, pair.mask_format, *size, 1),
        mask_pixels=pair.mask_pixels,
        coverage=pair.coverage,
        grey_share=pair.grey_share,
        peak=pair.mask_peak,
        pieces=pair.pieces,
    )
    return {Content(pair.image_sha256, Role.IMAGE): image, Content(pair.mask_sha256, Role.MASK): mask}


def _jobs(
    pictures: Sequence[File], contents: Mapping[str, Content | Damage], known: Mapping[Content, Reading]
) -> list[Job]:
    """The first file of every content that is not known, in the order of the files."""
    jobs: dict[Content, Job] = {}
    for file in pictures:
        content = contents[file.path]
        if isinstance(content, Content) and content not in known:
            jobs.setdefault(content, Job(file.path, file.source, content))
    return list(jobs.values())


def _note(outcome: Outcome, fresh: dict[Content, Reading], measuring: Measuring, ledger: Ledger | None) -> None:
    if ledger and outcome.repeatable:
        fresh[outcome.content] = outcome.reading
        if len(fresh) >= _NOTED_AT_ONCE:
            ledger.add(fresh, measuring)
            fresh.clear()
