"""The gate: is this model better than the one in production? A pure function of two score tables.

It fails closed: tables that are empty, of other pictures or not numbers are refused, never waved through.
"""

import math
from dataclasses import dataclass
from typing import Final

from wms_ml.errors import GateError
from wms_ml.scoring import ScoreTable

METRICS: Final = ("dice", "iou")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says.

    Attributes:
        improved: Dice AND IoU are strictly better than the champion's (than 0 without a champion).
        challenger: mean of each metric, 0 to 1.
        champion: the same for the model in production; None when there is none.
        pictures: how many pictures both were scored on.
        better: pictures whose Dice rose.
        worse: pictures whose Dice fell.
    """

    improved: bool
    challenger: dict[str, float]
    champion: dict[str, float] | None
    pictures: int
    better: int
    worse: int

    @property
    def reason(self) -> str:
        """The verdict as one sentence."""
        if self.champion is None:
            if self.improved:
                return "first model: it finds reading windows, and nothing is in production yet"
            return "the model found nothing at all: Dice or IoU is 0"
        champion = self.champion
        failing = [name for name in METRICS if not self.challenger[name] > champion[name]]
        if not failing:
            return "Dice and IoU are both better than production's on the same pictures"
        said = ", ".join(f"{name} {self.challenger[name]:.4f} against {champion[name]:.4f}" for name in failing)
        return f"not better than the model in production: {said}"

    def table(self) -> str:
        """The comparison as a Markdown table."""
        champion = self.champion or dict.fromkeys(METRICS, 0.0)
        lines = ["| metric | challenger | production | difference |", "|---|---:|---:|---:|"]
        for name in METRICS:
            difference = self.challenger[name] - champion[name]
            before = f"{champion[name]:.4f}" if self.champion else "none (0)"
            lines.append(f"| {name} | {self.challenger[name]:.4f} | {before} | {difference:+.4f} |")
        lines.append(f"| pictures | {self.pictures} | better: {self.better} | worse: {self.worse} |")
        word = "**promote**" if self.improved else "**refuse**"
        return "\n".join([*lines, "", f"{word}: {self.reason}"])


def judge(challenger: ScoreTable, champion: ScoreTable | None) -> Verdict:
    """Compare a challenger with the champion on the same pictures.

    Raises:
        GateError: the tables are empty, of different pictures, or hold values that are no scores.
    """
    _check(challenger)
    if champion is None:
        improved = all(challenger.mean(name) > 0 for name in METRICS)
        count = len(challenger.rows)
        return Verdict(improved, _means(challenger), None, count, 0, 0)
    _check(champion)
    if [row.pair_id for row in challenger.rows] != [row.pair_id for row in champion.rows]:
        raise GateError("challenger and champion were not scored on the same pictures: run train_and_gate again")
    ours, theirs = _means(challenger), _means(champion)
    changes = [new.dice - old.dice for new, old in zip(challenger.rows, champion.rows, strict=True)]
    return Verdict(
        improved=all(ours[name] > theirs[name] for name in METRICS),
        challenger=ours,
        champion=theirs,
        pictures=len(challenger.rows),
        better=sum(change > 0 for change in changes),
        worse=sum(change < 0 for change in changes),
    )


def _means(table: ScoreTable) -> dict[str, float]:
    return {name: table.mean(name) for name in METRICS}


def _check(table: ScoreTable) -> None:
    if not table.rows:
        raise GateError(f"no scores of model {table.model}: there is nothing to judge")
    for row in table.rows:
        for name in METRICS:
            value = getattr(row, name)
            if not (isinstance(value, float | int) and math.isfinite(value) and 0 <= value <= 1):
                raise GateError(f"{name} of {row.name} is {value!r}, not a score: evaluate the model again")
