"""The model card as a page that stands by itself: the figures first, pictures inside, to be sent around as one file.

Its text is the Markdown card's, so the two cannot say different things. It allows no script and no outside reference.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import Final

from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token

from wms_ml import card_words
from wms_ml.card_facts import CardFacts
from wms_ml.confidence import Estimate, estimate
from wms_ml.model_card import HEAD_END
from wms_ml.score_report import METRICS
from wms_ml.scoring import ScoreTable
from wms_ml.slices import SliceScore

_TENTHS: Final = 10


@dataclass(frozen=True, slots=True)
class Mark:
    """A mean with its interval on a scale.

    Attributes:
        group: what the slices are made by; empty for all pictures.
        label: the slice.
        pictures: how many.
        value: the mean as people read it.
        at: place of the mean, percent of the scale.
        start: where the interval starts, percent of the scale.
        width: how long it is, percent of the scale.
    """

    group: str
    label: str
    pictures: int
    value: str
    at: float
    start: float
    width: float


def card_page(facts: CardFacts, text: str) -> str:
    """The card as one HTML file.

    Args:
        text: the Markdown card of the same facts.
    """
    source = files("wms_ml")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(source.joinpath("card_page.html").read_text(encoding="utf-8"))
    looks = (files("wms_ml.quality").joinpath("page.css"), source.joinpath("card_page.css"))
    headings, body = _body(text, facts.sheets)
    lowest, marks = _marks(facts.scores, facts.slices) if facts.scores else (0.0, [])
    return template.render(
        style="\n".join(each.read_text(encoding="utf-8") for each in looks),
        title=card_words.title(facts),
        summary=card_words.summary(facts),
        tiles=[(each.title, estimate(facts.scores.column(each.name))) for each in METRICS[:2]] if facts.scores else [],
        lowest=lowest,
        marks=marks,
        middle=marks[0].at if marks else 0,
        headings=headings,
        body=body,
    )


def _body(text: str, sheets: Mapping[str, bytes]) -> tuple[list[tuple[str, str]], str]:
    """The card's chapters as (id, words), and its text below the title and summary as HTML."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text.partition(HEAD_END)[2])
    tokens = tokens[_first_chapter(tokens) :]
    headings = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            name = inline.content.lower().replace(" ", "-").replace(",", "")
            token.attrSet("id", name)
            headings.append((name, inline.content))
        _embed(token, sheets)
    return headings, _scrolling(reader.renderer.render(tokens, reader.options, {}))


def _first_chapter(tokens: Sequence[Token]) -> int:
    return next(number for number, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2")


def _embed(token: Token, sheets: Mapping[str, bytes]) -> None:
    """Put a sheet itself where the card links to it."""
    for child in token.children or ():
        if child.type == "image":
            content = sheets[str(child.attrs["src"]).removesuffix(".jpg")]
            child.attrs["src"] = f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _scrolling(html: str) -> str:
    """Tables scroll by themselves on a narrow screen; the page does not."""
    return html.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def _marks(scores: ScoreTable, slices: Sequence[SliceScore]) -> tuple[float, list[Mark]]:
    """Where the scale of the slices starts, and what is drawn on it."""
    drawn = [each for each in slices if each.pictures]
    low = _lowest([each.metrics["dice"] for each in drawn])
    whole = _mark("", "all pictures", estimate(scores.column("dice")), low)
    return low, [whole, *(_mark(each.measure, each.name, each.metrics["dice"], low) for each in drawn)]


def _lowest(drawn: Sequence[Estimate]) -> float:
    """The tenth below everything that is drawn."""
    lowest = min(min(each.mean, *(each.interval or ())) if each.interval else each.mean for each in drawn)
    return max(0.0, min(0.9, int(lowest * _TENTHS) / _TENTHS))


def _mark(group: str, label: str, value: Estimate, low: float) -> Mark:
    def place(score: float) -> float:
        return round(100 * (score - low) / (1 - low), 2)

    start, end = map(place, value.interval or (value.mean, value.mean))
    return Mark(group, label, value.count, f"{value.mean:.3f}", place(value.mean), start, round(end - start, 2))
