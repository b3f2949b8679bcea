"""A report in words: the one sentence that says where a drop stands, and findings gathered by their rule.

The page, the table for pull requests and the terminal all say it with these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wms_ml.quality.report import Finding, Report, Severity
from wms_ml.quality.rules import RULES

_WEIGHT: Final = {severity: weight for weight, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one rule: what people call it, what it asks for, how much it weighs."""

    rule: str
    title: str
    asks: str
    severity: Severity
    findings: tuple[Finding, ...]

    @property
    def remedy(self) -> str | None:
        """What to do, where there are several and it is the same for all of them."""
        remedies = {finding.remedy for finding in self.findings}
        return remedies.pop() if len(remedies) == 1 < len(self.findings) else None


def groups(report: Report) -> list[Group]:
    """Findings by rule, errors first, otherwise in the order of the report."""
    gathered: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in report.findings:
        gathered.setdefault((finding.severity, finding.rule), []).append(finding)
    rules = {rule.name: rule for rule in RULES}
    made = []
    for (severity, name), found in sorted(gathered.items(), key=lambda item: _WEIGHT[item[0][0]]):
        # A report from another version may name a rule that this one does not have.
        rule = rules.get(name)
        title, asks = (rule.title, rule.asks) if rule else (name, "")
        made.append(Group(name, title, asks, severity, tuple(found)))
    return made


def verdict(report: Report) -> str:
    """One sentence that says where the drop stands, such as `3 of 52 pairs cannot be used`."""
    bad, total = len(report.bad_names), len(report.names)
    if report.errors and report.ok:
        return _aside(report)
    if any(not finding.files for finding in report.errors):
        return "The drop as a whole cannot be used"
    if not total:
        return "There is no pair in it"
    if bad:
        return f"{bad:,} of {count(total, 'pair')} cannot be used"
    if report.errors:
        return f"{count(len(report.errors), 'entry', 'entries')} must be removed, then all pairs can be used"
    return "The one pair can be used" if total == 1 else f"All {total:,} pairs can be used"


def _aside(report: Report) -> str:
    pairs, strays, good = len(report.set_aside), len(report.set_aside_strays), len(report.usable)
    what = [count(pairs, "pair")] if pairs else []
    if strays:
        what.append(count(strays, "other entry", "other entries"))
    rest = f"{good:,}" if pairs else count(good, "pair")
    return f"{' and '.join(what)} set aside, {rest} {'goes' if good == 1 else 'go'} on"


def tally(report: Report) -> str:
    """How much was looked at and found: `104 files, 3 errors, 1 warning`, notes when there are any."""
    summary = report.summary
    parts = [count(report.files, "file"), count(summary.errors, "error"), count(summary.warnings, "warning")]
    return ", ".join([*parts, *([count(summary.notes, "note")] if summary.notes else [])])


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 pair`, `1,200 pairs`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(words: str) -> str:
    """A message or remedy with its capital and its full stop."""
    words = words.strip()
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def listed(paths: Sequence[str], most: int) -> tuple[Sequence[str], int]:
    """The first `most` of them and how many are left out."""
    return paths[:most], max(0, len(paths) - most)
