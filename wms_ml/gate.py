"""The gate: is this model better than the one in production? A pure function of two score tables and a rule.

It fails closed: tables that are empty, of other pictures or not numbers are refused, never waved through. Without
settings the rule is that Dice AND IoU are strictly better than production's, and than 0 when nothing is there.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from wms_ml.errors import GateError, SettingsError
from wms_ml.paired import (
    METRICS,
    Comparison,
    PictureChange,
    SliceComparison,
    compare_metrics,
    compare_slices,
    picture_changes,
)
from wms_ml.score_report import Cells, markdown_table
from wms_ml.scoring import ScoreTable
from wms_ml.slices import LABELS

SMALL: Final = 50
"""Test pictures below which a verdict warns of itself: docs/metrics.md says what intervals are worth there."""


def _require(holds: bool, name: str, value: object, otherwise: str) -> None:
    if not holds:
        raise SettingsError(f"WMS_GATE_{name} is {value!r}: {otherwise} (docs/gate.md)")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a challenger must show; every part is a setting WMS_GATE_….

    Attributes:
        minimum_gain: both means must exceed the champion's by more than this, 0 to below 1.
        confidence: how sure the gain should be, 0.5 to below 1: its p-value is at most 1 - confidence.
        confidence_policy: `warn` says so when it is not; `block` refuses.
        slice_floors: lowest mean Dice of a slice, 0 to 1, by the slice's label, `brightness: dark (below 60)`.

    Raises:
        SettingsError: a part is out of its range, or there is no such slice.
    """

    minimum_gain: float = 0.0
    confidence: float = 0.95
    confidence_policy: str = "warn"
    slice_floors: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(0 <= self.minimum_gain < 1, "MINIMUM_GAIN", self.minimum_gain, "it must be from 0 to below 1")
        _require(0.5 <= self.confidence < 1, "CONFIDENCE", self.confidence, "it must be from 0.5 to below 1")
        known = self.confidence_policy in ("warn", "block")
        _require(known, "CONFIDENCE_POLICY", self.confidence_policy, "it must be warn or block")
        for label, floor in self.slice_floors.items():
            _require(label in LABELS, "SLICE_FLOORS", label, f"there is no such slice; there are {'; '.join(LABELS)}")
            _require(0 <= floor <= 1, "SLICE_FLOORS", floor, f"the floor of '{label}' must be from 0 to 1")

    def is_gain(self, difference: float) -> bool:
        """Whether a difference of means is more than the minimum gain."""
        # 0.8 - 0.7 is a hair more than 0.1; at a minimum of 0 this is a plain `>`
        return difference > self.minimum_gain and not math.isclose(difference, self.minimum_gain, rel_tol=1e-9)

    def is_sure(self, p_value: float) -> bool:
        """Whether a gain with this p-value is as sure as the rule asks."""
        return p_value <= 1 - self.confidence


PLAIN: Final = Rule()
"""Dice AND IoU strictly better, and no more: the rule without settings."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says.

    Attributes:
        rule: what was asked.
        metrics: `dice` and `iou`.
        slices: Dice of every slice, those without pictures too.
        pictures: how many pictures both were scored on.
        nothing_found: on how many of them the challenger marked nothing, and the champion (None when there is none).
        changes: Dice picture by picture, in the tables' order; empty when there is no champion.
        refusals: every reason to refuse; empty when improved.
        warnings: what people should know besides.
    """

    rule: Rule
    metrics: dict[str, Comparison]
    slices: tuple[SliceComparison, ...]
    pictures: int
    nothing_found: tuple[int, int | None]
    changes: tuple[PictureChange, ...]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def improved(self) -> bool:
        """The challenger may go into production."""
        return not self.refusals

    @property
    def challenger(self) -> dict[str, float]:
        """Mean of each metric, 0 to 1."""
        return {name: each.challenger for name, each in self.metrics.items()}

    @property
    def champion(self) -> dict[str, float] | None:
        """The same for the model in production; None when there is none."""
        means = {name: each.champion for name, each in self.metrics.items() if each.champion is not None}
        return means or None

    @property
    def better(self) -> int:
        """Pictures whose Dice rose."""
        return sum(change.difference > 0 for change in self.changes)

    @property
    def worse(self) -> int:
        """Pictures whose Dice fell."""
        return sum(change.difference < 0 for change in self.changes)

    @property
    def reason(self) -> str:
        """The verdict as one sentence."""
        if self.refusals:
            return "; ".join(self.refusals)
        if self.champion is None:
            return "first model: it finds reading windows, and nothing is in production yet"
        more = f" by more than {self.rule.minimum_gain:g}" if self.rule.minimum_gain else ""
        return f"Dice and IoU are both better than production's{more} on the same pictures"

    def table(self) -> str:
        """The comparison as a Markdown table."""
        rows: Cells = [("metric", "challenger", "production", "difference", "95 % interval", "p")]
        rows += [(name, *each.cells) for name, each in self.metrics.items()]
        rows.append(("pictures", str(self.pictures), f"better: {self.better}", f"worse: {self.worse}", "", ""))
        word = "**promote**" if self.improved else "**refuse**"
        said = [f"{word}: {self.reason}", *(f"\n- warning: {each}" for each in self.warnings)]
        return "\n".join([markdown_table(rows), "", *said])

    def as_json(self) -> dict[str, Any]:
        """All of it but the pictures one by one, as JSON values."""
        values = asdict(self)
        del values["changes"]
        said = {"improved": self.improved, "reason": self.reason, "better": self.better, "worse": self.worse}
        whole: dict[str, Any] = json.loads(json.dumps({**said, **values}))  # tuples become lists, as a file has them
        return whole


def judge(challenger: ScoreTable, champion: ScoreTable | None, rule: Rule = PLAIN) -> Verdict:
    """Compare a challenger with the champion on the same pictures.

    Raises:
        GateError: the tables are empty, of different pictures, or hold values that are no scores.
    """
    for table in (challenger, champion):
        if table is not None:
            _check(table)
    if champion is not None and _ids(challenger) != _ids(champion):
        raise GateError("challenger and champion were not scored on the same pictures: run train_and_gate again")
    metrics, slices = compare_metrics(challenger, champion), compare_slices(challenger, champion)
    nothing_found = (_empty(challenger), None if champion is None else _empty(champion))
    unsure = _unsure(rule, metrics)
    blocks = rule.confidence_policy == "block"
    return Verdict(
        rule=rule,
        metrics=metrics,
        slices=slices,
        pictures=len(challenger.rows),
        nothing_found=nothing_found,
        changes=() if champion is None else picture_changes(challenger, champion),
        refusals=(*_not_better(rule, metrics), *(unsure if blocks else ()), *_below_floor(rule, slices)),
        warnings=(*(() if blocks else unsure), *_doubts(len(challenger.rows), nothing_found, slices)),
    )


def _ids(table: ScoreTable) -> list[str]:
    return [row.pair_id for row in table.rows]


def _empty(table: ScoreTable) -> int:
    return sum(not row.found for row in table.rows)


def _not_better(rule: Rule, metrics: Mapping[str, Comparison]) -> tuple[str, ...]:
    failing = {name: each for name, each in metrics.items() if not rule.is_gain(each.difference)}
    if not failing:
        return ()
    more = f" by more than {rule.minimum_gain:g}" if rule.minimum_gain else ""
    if any(each.champion is None for each in failing.values()):
        return (
            "the model found nothing at all: Dice or IoU is 0" if not more else f"Dice or IoU is not above 0{more}",
        )
    said = ", ".join(f"{name} {each.challenger:.4f} against {each.champion:.4f}" for name, each in failing.items())
    return (f"not better{more} than the model in production: {said}",)


def _unsure(rule: Rule, metrics: Mapping[str, Comparison]) -> tuple[str, ...]:
    """Gains that may be luck. A metric that did not gain is refused for that; a first model gains on nobody."""
    asked = f"WMS_GATE_CONFIDENCE={rule.confidence:g} asks for {1 - rule.confidence:.4g} or less"
    return tuple(
        f"the gain in {name} may be luck: p = {each.p_value:.4f}, {asked}"
        for name, each in metrics.items()
        if each.p_value is not None and each.difference > 0 and not rule.is_sure(each.p_value)
    )


def _below_floor(rule: Rule, slices: Sequence[SliceComparison]) -> Iterator[str]:
    for each in slices:
        floor = rule.slice_floors.get(each.label)
        if floor is None:
            continue
        if each.dice is None:
            said = f"no test picture is of the slice '{each.label}', so its floor of {floor:g} cannot be shown"
            yield f"{said}: drop such pictures, or take it out of WMS_GATE_SLICE_FLOORS"
        elif each.dice.challenger < floor:
            yield f"Dice {each.dice.challenger:.4f} on '{each.label}' is below its floor of {floor:g}"


def _doubts(pictures: int, nothing_found: tuple[int, int | None], slices: Sequence[SliceComparison]) -> Iterator[str]:
    if pictures < SMALL:
        yield f"few test pictures ({pictures}): with fewer than {SMALL}, intervals are too narrow"
    ours, theirs = nothing_found
    if ours > (theirs or 0):
        yield f"it finds nothing on {ours} pictures" + (f", the champion on {theirs}" if theirs is not None else "")
    for each in slices:
        if each.dice is not None and each.dice.interval is not None and each.dice.interval[1] < 0:
            yield f"worse on '{each.label}': Dice {each.dice.difference:+.4f} on {each.pictures} pictures"


def _check(table: ScoreTable) -> None:
    if not table.rows:
        raise GateError(f"no scores of model {table.model}: there is nothing to judge")
    if len(set(_ids(table))) < len(table.rows):
        raise GateError(f"a picture stands twice in the scores of model {table.model}: evaluate the model again")
    for row in table.rows:
        for name in METRICS:
            value = getattr(row, name)
            if not (isinstance(value, float | int) and math.isfinite(value) and 0 <= value <= 1):
                raise GateError(f"{name} of {row.name} is {value!r}, not a score: evaluate the model again")
