"""The report as a page that stands by itself: findings first, with pictures, to be sent around as one file.

File names come from strangers and end up in HTML: everything is escaped, the page allows no script and no outside
reference, and its filters are CSS alone. Its size is bounded, whatever comes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined

from wms_ml.measures import Measures
from wms_ml.profile import Profile
from wms_ml.quality import wording
from wms_ml.quality.figures import Figure, Gallery
from wms_ml.quality.histogram import strips
from wms_ml.quality.report import Finding, Report, Severity
from wms_ml.quality.wording import Group

_FIGURED: Final = 24
"""Findings of one rule that get pictures; the others are listed in words."""
_FIGURE_BYTES: Final = 5_000_000
"""For the pictures of all findings, in equal shares for the rules: the page opens quickly and fits into a mail."""
_ROWS: Final = 400
"""Findings of one rule that are listed; a hundred thousand make a page that nobody can open."""
_GOOD: Final = 24


@dataclass(frozen=True, slots=True)
class Section:
    """A rule's findings as the page shows them: cards with pictures, rows in words, and how many are left out."""

    number: int
    group: Group
    cards: list[tuple[Finding, list[Figure]]]
    rows: Sequence[Finding]
    more: int


def page(report: Report, folder: Path, accepted: Profile | None = None) -> str:
    """The report as one HTML file of less than 10 MB.

    Pictures are read from the drop's `folder`; `accepted` is how the data set is spread, to
    compare with.
    """
    source = files("wms_ml.quality")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["sentence"] = wording.sentence
    template = environment.from_string(source.joinpath("page.html").read_text(encoding="utf-8"))
    gallery = Gallery(report, folder)
    return template.render(
        style=source.joinpath("page.css").read_text(encoding="utf-8"),
        report=report,
        summary=report.summary,
        warned=_warned(report),
        verdict=wording.verdict(report),
        tally=wording.tally(report),
        sections=_sections(report, gallery),
        severities=[(severity.value, len(report.of(severity))) for severity in Severity],
        strips=strips(report.usable, accepted),
        compared=accepted.pairs if accepted else 0,
        good=[(pair, figure) for pair in _spread(report.usable, _GOOD) for figure in gallery.of_pair(pair)],
        thresholds=asdict(report.thresholds),
    )


def _warned(report: Report) -> int:
    """Usable pairs that a warning names."""
    named = {path for finding in report.warnings for path in finding.files}
    return sum(1 for pair in report.usable if pair.image in named or pair.mask in named)


def _sections(report: Report, gallery: Gallery) -> list[Section]:
    groups = wording.groups(report)
    return [_section(number, group, gallery, _FIGURE_BYTES // len(groups)) for number, group in enumerate(groups, 1)]


def _section(number: int, group: Group, gallery: Gallery, budget: int) -> Section:
    cards = []
    for finding in group.findings[:_FIGURED]:
        figures = gallery.of_finding(finding) if budget > 0 else []
        budget -= sum(len(figure.uri) for figure in figures)
        if figures:
            cards.append((finding, figures))
    shown = {id(finding) for finding, _ in cards}
    rows = [finding for finding in group.findings if id(finding) not in shown]
    listed = rows[:_ROWS]
    return Section(number, group, cards, listed, len(rows) - len(listed))


def _spread(pairs: Sequence[Measures], most: int) -> Sequence[Measures]:
    """At most `most`, evenly over the whole sequence."""
    return pairs[:: max(1, -(-len(pairs) // most))]
