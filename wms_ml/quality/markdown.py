"""The report as Markdown: short for a pull request, with pictures for a check in the Dagster UI.

File names come from strangers: nothing in them may become a link, a mention, a formula or another table cell, and
however many there are, the text stays below what GitHub takes for one comment (65,536 characters).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from wms_ml.quality import wording
from wms_ml.quality.figures import Figure, Gallery
from wms_ml.quality.report import Finding, Report, Severity
from wms_ml.quality.wording import Group, count

_EACH: Final = 5
"""Findings of one rule in a pull request: thirty times the same fault would hide the others."""
_ROWS: Final = 30
_FILES: Final = 4
_CELL: Final = 300
"""Characters of a name or sentence that are shown."""
_COUNT_BYTES: Final = 10_000
_TABLE_BYTES: Final = 30_000
"""With the counts, this leaves room in a comment for what its writer wants to add."""
_PICTURES: Final = 4
_PICTURE_EDGE: Final = 200
_DETAILS_BYTES: Final = 200_000
_TABLE_HEAD: Final = 8_000
"""For the names above the pictures, at most."""
_MARKS: Final = {Severity.ERROR: "🔴", Severity.WARNING: "🟡", Severity.NOTE: "🔵"}


def markdown(report: Report) -> str:
    """The verdict, the number of findings of each rule, then the first findings, errors first."""
    lines = [f"**{wording.verdict(report)}** ({wording.tally(report)})"]
    groups = wording.groups(report)
    if groups:
        first = [finding for group in groups for finding in group.findings[:_EACH]]
        goes_on = report.ok
        lines += ["", *_counts(groups, goes_on), "", *_table(first, len(report.findings), goes_on)]
    return "\n".join(lines) + "\n"


def check_details(report: Report, rule: str, folder: Path | None = None) -> str:
    """What one rule found, for its check in the UI: a table, then the pictures of the first findings.

    At most 200 kB. Pictures are read from the drop's `folder`; without one there are none. Empty when nothing was
    found.
    """
    found = [finding for finding in report.findings if finding.rule == rule]
    if not found:
        return ""
    table = "\n".join(_table(found, len(found), report.ok))
    if folder is None:
        return table + "\n"
    gallery = Gallery(report, folder, _PICTURE_EDGE)
    figures = islice((figure for finding in found[:_ROWS] for figure in gallery.of_finding(finding)), _PICTURES)
    return table + "\n" + _pictures(list(figures), _DETAILS_BYTES - len(table.encode()))


def _pictures(figures: Sequence[Figure], room: int) -> str:
    """A table of pictures below their names. Only for the UI: pull requests show no `data:` pictures."""
    while figures and sum(len(figure.uri) for figure in figures) > room - _TABLE_HEAD:
        figures = figures[:-1]
    if not figures:
        return ""
    names = " | ".join(f"{_code(figure.name)}<br>{figure.shows}" for figure in figures)
    pictures = " | ".join(f"![{figure.shows}]({figure.uri})" for figure in figures)
    return f"\n| {names} |\n|{'---|' * len(figures)}\n| {pictures} |\n"


def _counts(groups: Sequence[Group], goes_on: bool) -> list[str]:
    lines = (
        f"| {_badge(group.severity, goes_on)} | {_text(group.title)} | {len(group.findings):,} |" for group in groups
    )
    rows = list(_fitting(lines, _COUNT_BYTES))
    if len(groups) > len(rows):
        rows.append(f"| | and {count(len(groups) - len(rows), 'other rule')} | |")
    return ["| | Rule | Findings |", "|---|---|---:|", *rows]


def _table(findings: Sequence[Finding], total: int, goes_on: bool) -> list[str]:
    rows = list(_fitting((_row(finding, goes_on) for finding in findings[:_ROWS]), _TABLE_BYTES))
    rest = ["", f"… and {total - len(rows):,} more, in the full report."] if total > len(rows) else []
    return ["| | Files | What is wrong | How to mend it |", "|---|---|---|---|", *rows, *rest]


def _row(finding: Finding, goes_on: bool) -> str:
    paths, more = wording.listed(finding.files, _FILES)
    names = "<br>".join(_code(path) for path in paths) or "the drop as a whole"
    if more:
        names += f"<br>and {more:,} more"
    badge = _badge(finding.severity, goes_on)
    return f"| {badge} | {names} | {_text(finding.message)} | {_text(finding.remedy)} |"


def _badge(severity: Severity, goes_on: bool) -> str:
    aside = ", set aside" if severity is Severity.ERROR and goes_on else ""
    return f"{_MARKS[severity]} {severity.value}{aside}"


def _fitting(parts: Iterable[str], room: int) -> Iterator[str]:
    """The first parts, as long as their UTF-8 fits into `room` bytes."""
    for part in parts:
        room -= len(part.encode()) + 1
        if room < 0:
            return
        yield part


def _code(text: str) -> str:
    """A code span in a table: fenced by more backticks than `text` has in a row, pipes escaped."""
    text = _short(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return fence + space + text.replace("|", "\\|") + space + fence


def _text(text: str) -> str:
    """Words in a table, with nothing in them that Markdown takes for more than words."""
    escaped = re.sub(r"([\\`*_\[\]<>|~#&!$()])", r"\\\1", _short(text))
    # A zero-width space keeps a name from calling somebody in, from citing an issue, and from becoming a link.
    return re.sub(r"(@|#|(?i:www|ftp|http|https))(?=[\w.:])", "\\1\u200b", escaped)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _CELL else words[:_CELL] + " …"
