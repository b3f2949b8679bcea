"""What inspecting a drop found: measured pairs and findings, as one value that travels as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

from wms_ml.arrays import SUFFIXES
from wms_ml.errors import DataError
from wms_ml.measures import Measures
from wms_ml.pairs import Pair, pair_id
from wms_ml.split import side

FORMAT: Final = 1
"""Version of the JSON form."""

Contents: TypeAlias = Mapping[str, tuple[str, str]]
"""Pairs of a data set: name -> (image_sha256, mask_sha256)."""


class Severity(StrEnum):
    """How much a finding weighs; only an ERROR stops a drop."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes:
        rule: name of the rule that found it.
        severity: what follows from it.
        files: paths below the drop's folder, such as `images/x.jpg`; the file to blame first.
        message: what is wrong, a sentence without its full stop.
        remedy: what to do about it, likewise.
    """

    rule: str
    severity: Severity
    files: tuple[str, ...]
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Report:
    """All about one drop.

    Attributes:
        drop: id of the drop.
        pairs: pairs of which both files decode, by name.
        findings: faults, in the order of the rules.
        files: number of files looked at.
        rules_version: which rules and thresholds this was made with.
    """

    drop: str
    pairs: tuple[Measures, ...]
    findings: tuple[Finding, ...]
    files: int
    rules_version: str

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that stop the drop."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that people should look at."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def ok(self) -> bool:
        """Whether the drop may go on as it is."""
        return not self.errors

    @property
    def bad_names(self) -> frozenset[str]:
        """Names of pairs (also of half ones) that an error touches."""
        paths = (PurePosixPath(path) for finding in self.errors for path in finding.files)
        return frozenset(path.stem for path in paths if path.suffix.lower() in SUFFIXES)

    def new_pairs(self, accepted: Contents) -> tuple[Measures, ...]:
        """Pairs without errors that are not accepted already under the same name with the same content."""
        bad = self.bad_names
        return tuple(
            pair
            for pair in self.pairs
            if pair.name not in bad and accepted.get(pair.name) != (pair.image_sha256, pair.mask_sha256)
        )

    def manifest_rows(self, drop: str, accepted: Contents) -> list[Pair]:
        """Rows of the manifest for the new pairs, each with its side of the split, brought by `drop`."""
        return [row_of(pair, drop) for pair in self.new_pairs(accepted)]

    def to_json(self) -> str:
        """The report as JSON text; the same report gives the same text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report that `to_json` wrote.

        Raises:
            DataError: the text is something else, or of another version.
        """
        try:
            return _report(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"not a quality report of format {FORMAT}: {error!r}; inspect the drop again") from error


def _report(value: dict[str, Any]) -> Report:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']}")
    return Report(
        drop=value["drop"],
        pairs=tuple(Measures(**row) for row in value["pairs"]),
        findings=tuple(_finding(**row) for row in value["findings"]),
        files=value["files"],
        rules_version=value["rules_version"],
    )


def _finding(rule: str, severity: str, files: list[str], message: str, remedy: str) -> Finding:
    return Finding(rule, Severity(severity), tuple(files), message, remedy)


def row_of(pair: Measures, drop: str) -> Pair:
    """The manifest's row of a measured pair that `drop` brought, on its side of the split."""
    return Pair(
        **asdict(pair),
        pair_id=pair_id(pair.image_sha256, pair.mask_sha256),
        split=side(pair.image_sha256),
        drop=drop,
    )
