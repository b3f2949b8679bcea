"""What inspecting a drop found: measured pairs and findings, as one value that travels as JSON.

What follows from the findings (does the drop go on, which pairs are set aside) is always worked out from them and
never stored beside them, so a report cannot contradict itself.

Quarantine: where it is switched on, a drop with bad pairs goes on without them. Everything that an error names is
set aside: both files of a pair, a half pair, an entry that is no picture. When an error involves several pairs, such
as two names for the same picture, all of them are, because nobody can tell which is right; if one of the two is bad
for another reason as well, the other stays aside until people have settled it. An error that names no file is about
the drop as a whole, and a drop without one good pair has nothing to go on with: both stop it as ever. Nothing is
deleted, and errors stay errors in the report.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final

from wms_ml.arrays import SUFFIXES
from wms_ml.catalogue import Accepted
from wms_ml.errors import DataError, SettingsError
from wms_ml.measures import Measures
from wms_ml.pairs import Pair, pair_id
from wms_ml.quality import shape
from wms_ml.quality.thresholds import Thresholds
from wms_ml.split import assign

FORMAT: Final = 2
"""Version of the JSON form; `wms_ml.quality.schema` describes it."""


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
        files: paths below the drop's folder, such as `images/x.jpg`; the file to blame first; none when it is about
            the drop as a whole.
        message: what is wrong, a sentence without its full stop.
        remedy: what to do about it, likewise.
    """

    rule: str
    severity: Severity
    files: tuple[str, ...]
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a report comes to, for programs that want no more than that.

    Attributes:
        ok: whether the drop goes on.
        pairs: names of pairs in the drop, half pairs included.
        usable: pairs without an error.
        errors: findings that stop the drop, or that set pairs aside.
        warnings: findings that people should look at.
        notes: findings that people may want to know.
        rules: findings of each rule that found something, in the order of the report.
        set_aside: names of the pairs, whole or half, that a quarantine keeps back, sorted.
        set_aside_strays: paths of entries that belong to no pair and are kept back as well, sorted.
    """

    ok: bool
    pairs: int
    usable: int
    errors: int
    warnings: int
    notes: int
    rules: dict[str, int]
    set_aside: tuple[str, ...]
    set_aside_strays: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All about one drop; the same drop under the same rules gives the same report.

    Attributes:
        drop: id of the drop.
        files: number of files looked at.
        findings: faults, in the order of the rules.
        pairs: pairs of which both files decode, by name.
        rules_version: which rules and thresholds this was made with.
        thresholds: where the rules drew their lines.
        quarantine: whether bad pairs are set aside so that the others can go on.
    """

    drop: str
    files: int
    findings: tuple[Finding, ...]
    pairs: tuple[Measures, ...]
    rules_version: str
    thresholds: Thresholds
    quarantine: bool = False

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Findings of this severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that stop the drop, or set pairs aside."""
        return self.of(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that people should look at."""
        return self.of(Severity.WARNING)

    @property
    def bad_names(self) -> frozenset[str]:
        """Names of pairs (also of half ones) that an error touches."""
        names = (_name(path) for finding in self.errors for path in finding.files)
        return frozenset(name for name in names if name is not None)

    @property
    def names(self) -> frozenset[str]:
        """Names of all pairs, also of half ones."""
        return self.bad_names | {pair.name for pair in self.pairs}

    @property
    def usable(self) -> tuple[Measures, ...]:
        """Pairs that no error touches, by name."""
        bad = self.bad_names
        return tuple(pair for pair in self.pairs if pair.name not in bad)

    @property
    def stops(self) -> tuple[Finding, ...]:
        """Errors that keep the drop from going on: all of them, or in quarantine those about no file in particular.

        In quarantine all of them stop a drop that has not one usable pair.
        """
        if self.quarantine and self.usable:
            return tuple(finding for finding in self.errors if not finding.files)
        return self.errors

    @property
    def ok(self) -> bool:
        """Whether the drop goes on: as it is, or without what is set aside; never one without any pair."""
        return not self.stops and bool(self.names)

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Names of the pairs, whole or half, that are kept back while the others go on; none when nothing goes on."""
        return tuple(sorted(self.bad_names)) if self.ok else ()

    @property
    def set_aside_strays(self) -> tuple[str, ...]:
        """Paths in errors that belong to no pair and are kept back with them; none when nothing goes on."""
        if not self.ok:
            return ()
        bad = self.bad_names
        paths = {path for finding in self.errors for path in finding.files if _name(path) is None}
        return tuple(sorted(path for path in paths if PurePosixPath(path).stem not in bad))

    @property
    def summary(self) -> Summary:
        """What it comes to."""
        weights = Counter(finding.severity for finding in self.findings)
        return Summary(
            ok=self.ok,
            pairs=len(self.names),
            usable=len(self.usable),
            errors=weights[Severity.ERROR],
            warnings=weights[Severity.WARNING],
            notes=weights[Severity.NOTE],
            rules=dict(Counter(finding.rule for finding in self.findings)),
            set_aside=self.set_aside,
            set_aside_strays=self.set_aside_strays,
        )

    def new_pairs(self, accepted: Accepted) -> tuple[Measures, ...]:
        """Pairs without errors that are not accepted already under the same name with the same content."""
        known = accepted.named(pair.name for pair in self.usable)
        held = {(pair.name, pair.image_sha256, pair.mask_sha256) for pair in known.values()}
        return tuple(pair for pair in self.usable if (pair.name, pair.image_sha256, pair.mask_sha256) not in held)

    def manifest_rows(self, drop: str, accepted: Accepted) -> list[Pair]:
        """Rows of the manifest for the new pairs, each with its side of the split, brought by `drop`."""
        new = self.new_pairs(accepted)
        sides = assign(new, accepted)
        return [row_of(pair, drop, sides[pair.image_sha256]) for pair in new]

    def to_json(self) -> str:
        """The report as JSON text; the same report gives the same text."""
        value = {"format": FORMAT, "summary": asdict(self.summary), **asdict(self)}
        return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report that `to_json` wrote.

        Raises:
            DataError: the text is something else, of another version, or was changed by hand.
        """
        try:
            return _report(json.loads(text))
        except (ValueError, RecursionError, SettingsError) as error:
            raise DataError(f"not a quality report of format {FORMAT}: {error}; inspect the drop again") from error


def quarantine(report: Report) -> Report:
    """The same report where bad pairs are set aside, as the module's docstring says, instead of stopping the drop."""
    return replace(report, quarantine=True)


def _name(path: str) -> str | None:
    # By hand, not with PurePosixPath: a drop may have a hundred thousand faults, and each is asked several times.
    stem, _, suffix = path.rpartition("/")[2].rpartition(".")
    return stem if stem and f".{suffix.lower()}" in SUFFIXES else None


def _report(value: Any) -> Report:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError("it is of another format")
    body = {name: each for name, each in value.items() if name not in ("format", "summary")}
    report: Report = shape.read(Report, body, "report")
    if shape.read(Summary, value.get("summary"), "report.summary") != report.summary:
        raise ValueError("its summary is not that of its findings: it was changed by hand")
    return report


def row_of(pair: Measures, drop: str, side: str) -> Pair:
    """The manifest's row of a measured pair that `drop` brought, on its side of the split."""
    return Pair(**asdict(pair), pair_id=pair_id(pair.image_sha256, pair.mask_sha256), split=side, drop=drop)
