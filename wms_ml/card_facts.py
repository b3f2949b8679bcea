"""What a model card is made of: facts that were recorded, and what a data set holds in a few figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from wms_ml.pairs import Pair
from wms_ml.scoring import ScoreTable
from wms_ml.slices import SliceScore, sliced
from wms_ml.split import counts

_UPRIGHT: Final = 1
_FIGURES: Final[tuple[tuple[str, Callable[[Pair], float], str], ...]] = (
    ("picture, megapixels", lambda pair: pair.width * pair.height / 1e6, ".1f"),
    ("brightness, 0 to 255", lambda pair: pair.brightness, ".0f"),
    ("sharpness", lambda pair: pair.sharpness, ".0f"),
    ("window's share of the picture, %", lambda pair: 100 * pair.coverage, ".1f"),
)


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a data set holds.

    Attributes:
        pairs: how many.
        sides: pairs on each side.
        drops: how many drops brought them.
        dropped: days of the first and the last drop, ISO 8601; None when nobody can tell.
        spread: title, 10th percentile, median and 90th percentile of a measure, as people read them.
        turned: share of pictures that are not stored upright, 0 to 1.
    """

    pairs: int
    sides: Mapping[str, int]
    drops: int
    dropped: tuple[str, str] | None
    spread: tuple[tuple[str, str, str, str], ...]
    turned: float


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """Everything a card says. What is empty or None is not known.

    Attributes:
        name: the registered model's name.
        version: its number.
        data_version: data set it was trained on, 12 hex digits.
        trained_at: when its training ended, ISO 8601 in UTC.
        started_from: weights that it started from.
        file_bytes: size of the ONNX file.
        lineage: from the drop to the image, title to value, in this order.
        recipe: the parts of the recipe by their names.
        measured: what the training reported, title to value.
        training_seconds: how long the attempt took.
        environment: the machine it was trained on: python, torch, os, cpu, gpu.
        attempts: seed, epochs, validation Dice, validation IoU and `chosen` of each, as people read them.
        data: what the data set holds.
        scores: on the test pictures.
        champion: version it was compared with; empty: nothing was in production; None: it was not compared.
        champion_scores: those of that version on the same pictures.
        sheets: contact sheets, name to JPEG.
        sheets_side: side of the data set that they show.
    """

    name: str
    version: str
    data_version: str
    trained_at: str = ""
    started_from: str = ""
    file_bytes: int
    lineage: Mapping[str, str]
    recipe: Mapping[str, str] = field(default_factory=dict)
    measured: Mapping[str, str] = field(default_factory=dict)
    training_seconds: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    attempts: tuple[tuple[str, ...], ...] = ()
    data: DataFacts | None = None
    scores: ScoreTable | None = None
    champion: str | None = None
    champion_scores: ScoreTable | None = None
    sheets: Mapping[str, bytes] = field(default_factory=dict)
    sheets_side: str = ""

    @cached_property
    def slices(self) -> list[SliceScore]:
        """The scores by kind of picture; empty without scores. Several chapters show them, estimating takes long."""
        return sliced(self.scores.rows) if self.scores else []


def data_facts(pairs: Sequence[Pair]) -> DataFacts:
    """A data set of at least one pair in a few figures."""
    days = sorted(pair.dropped_at[:10] for pair in pairs if pair.dropped_at)
    return DataFacts(
        pairs=len(pairs),
        sides=counts(pairs),
        drops=len({pair.drop for pair in pairs}),
        dropped=(days[0], days[-1]) if days else None,
        spread=tuple(_spread(title, [measure(pair) for pair in pairs], form) for title, measure, form in _FIGURES),
        turned=sum(pair.orientation != _UPRIGHT for pair in pairs) / len(pairs),
    )


def _spread(title: str, values: Sequence[float], form: str) -> tuple[str, str, str, str]:
    low, middle, high = (format(value, form) for value in np.quantile(values, [0.1, 0.5, 0.9]))
    return title, low, middle, high
