"""The model card: what a model is for, what it was made of, how well it does and where it is weak, as Markdown.

The headings are those of the Hugging Face model card. Every figure is a fact that was recorded; what was not recorded
is said to be unknown. The same facts give the same card, whenever and wherever it is written.
"""

from importlib.resources import files
from typing import Final

from jinja2 import Environment, StrictUndefined

from wms_ml import card_words
from wms_ml.card_facts import CardFacts
from wms_ml.score_report import METRICS, counts, markdown_table, metric_cells, slice_cells

HEAD_END: Final = "\n---\n"
"""What ends the YAML head of a card."""


def card(facts: CardFacts) -> str:
    """The card as Markdown with a YAML head, as the Hugging Face hub reads it; sheets are linked as `<name>.jpg`."""
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"duration": card_words.duration, "cell": _cell}
    template = environment.from_string(files("wms_ml").joinpath("model_card.md").read_text(encoding="utf-8"))
    scores = facts.scores
    return template.render(
        facts=facts,
        words=card_words,
        metrics=METRICS,
        counts=counts(scores) if scores else "",
        metric_table=markdown_table(metric_cells(scores)) if scores else "",
        slice_table=markdown_table(slice_cells(facts.slices)) if scores else "",
    )


def _cell(value: str) -> str:
    """A value that breaks no table: a pipe or a line break in it would."""
    return " ".join(value.split()).replace("|", "\\|")
