"""The report for people: a page that stands by itself, and a table for pull requests and the Dagster UI.

File names come from strangers and end up in HTML and Markdown: everything is escaped, and the page allows no script.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined

from wms_ml.measures import Measures
from wms_ml.quality import figures
from wms_ml.quality.figures import Figure
from wms_ml.quality.report import Finding, Report
from wms_ml.quality.rules import RULES

_FIGURED: Final = 8
"""Findings of one rule that get pictures; the others are listed in words, or a big drop makes a page of gigabytes."""
_GOOD: Final = 24
_ROWS: Final = 30
_FILES: Final = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding with its pictures."""

    finding: Finding
    figures: list[Figure]


@dataclass(frozen=True, slots=True)
class Group:
    """All findings of one rule: what people call it, what it asks for, the entries."""

    title: str
    asks: str
    entries: list[Entry]


def verdict(report: Report) -> str:
    """One sentence that says where the drop stands, such as `3 of 52 pairs cannot be used`."""
    bad, total = len(report.bad_names), len(_names(report))
    if bad:
        return f"{bad} of {_count(total, 'pair')} cannot be used"
    if report.errors:
        return f"{_count(len(report.errors), 'entry', 'entries')} must be removed, then all pairs can be used"
    return "The one pair can be used" if total == 1 else f"All {total} pairs can be used"


def page(report: Report, folder: Path) -> str:
    """The report as one HTML file without outside references; pictures are read from the drop's `folder`."""
    template = files("wms_ml.quality").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    good = [pair for pair in report.pairs if pair.name not in report.bad_names]
    return environment.from_string(template).render(
        report=report,
        verdict=verdict(report),
        usable=len(good),
        total=len(_names(report)),
        groups=_groups(report, folder),
        good=[(pair, figure) for pair in _spread(good, _GOOD) for figure in figures.of_pair(pair, folder)],
    )


def _names(report: Report) -> frozenset[str]:
    return report.bad_names | {pair.name for pair in report.pairs}


def _groups(report: Report, folder: Path) -> list[Group]:
    pairs = {pair.name: pair for pair in report.pairs}
    rules = {rule.name: rule for rule in RULES}
    groups = []
    for name, found in groupby(report.findings, key=lambda finding: finding.rule):
        entries = [
            Entry(finding, figures.of_finding(finding, pairs, folder) if index < _FIGURED else [])
            for index, finding in enumerate(found)
        ]
        # A report from another version may name a rule that this one does not have.
        rule = rules.get(name)
        groups.append(Group(rule.title if rule else name, rule.asks if rule else "", entries))
    return groups


def _spread(pairs: Sequence[Measures], count: int) -> list[Measures]:
    """At most `count`, evenly over the whole sequence."""
    step = max(1, -(-len(pairs) // count))
    return list(pairs[::step])


def markdown(report: Report) -> str:
    """A short table: the verdict, then a row for each of the first findings."""
    summary = (
        f"**{verdict(report)}** ({_count(report.files, 'file')}, {_count(len(report.errors), 'error')}, "
        f"{_count(len(report.warnings), 'warning')})"
    )
    if not report.findings:
        return summary + "\n"
    rows = [_row(finding) for finding in report.findings[:_ROWS]]
    more = len(report.findings) - len(rows)
    table = ["| | Files | What is wrong | How to mend it |", "|---|---|---|---|", *rows]
    rest = ["", f"… and {more} more, in the full report."] if more else []
    return "\n".join([summary, "", *table, *rest]) + "\n"


def _row(finding: Finding) -> str:
    names = "<br>".join(_code(path) for path in finding.files[:_FILES])
    if len(finding.files) > _FILES:
        names += f"<br>and {len(finding.files) - _FILES} more"
    return f"| {finding.severity.value} | {names} | {_text(finding.message)} | {_text(finding.remedy)} |"


def _code(text: str) -> str:
    """A code span in a table: fenced by more backticks than `text` has in a row, pipes escaped."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return fence + space + text.replace("|", "\\|") + space + fence


def _text(text: str) -> str:
    """Words in a table, with nothing in them that Markdown takes for more than words."""
    escaped = re.sub(r"([\\`*_\[\]<>|~#&!])", r"\\\1", " ".join(text.split()))
    # A zero-width space keeps a file name from calling somebody into a pull request.
    return escaped.replace("@", "@\u200b")


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
