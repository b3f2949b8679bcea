"""Two models on the same pictures: how much better one is, where, and whether that could be luck."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wms_ml.confidence import estimate
from wms_ml.scoring import PictureScore, ScoreTable
from wms_ml.slices import grouped

METRICS: Final = ("dice", "iou")
RESAMPLES: Final = 9_999
_SEED: Final = 19_351
_CHUNK: Final = 1_000_000
"""Values whose signs are drawn at a time: memory stays the same however many pictures there are."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric's means on the same pictures.

    Attributes:
        challenger: mean, 0 to 1.
        champion: the same of the model in production; None when there is none.
        interval: 95 % paired bootstrap interval of the difference; None for fewer than 10 pictures or no champion.
        p_value: one-sided, of there being no gain (`paired.gain_p_values`); None in slices and with no champion.
    """

    challenger: float
    champion: float | None
    interval: tuple[float, float] | None = None
    p_value: float | None = None

    @property
    def difference(self) -> float:
        """Challenger less champion, or less 0."""
        return self.challenger - (self.champion or 0.0)

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """As people read it: challenger, champion, difference, its interval, p-value; empty where there is none."""
        champion = "none (0)" if self.champion is None else f"{self.champion:.4f}"
        few = "" if self.champion is None else "too few"
        interval = "{:+.4f} to {:+.4f}".format(*self.interval) if self.interval else few
        p_value = "" if self.p_value is None else f"{self.p_value:.4f}"
        return f"{self.challenger:.4f}", champion, f"{self.difference:+.4f}", interval, p_value


@dataclass(frozen=True, slots=True)
class SliceComparison:
    """Dice of one kind of picture.

    Attributes:
        label: the slice, as in `slices.LABELS`.
        pictures: how many there are.
        dice: None without pictures.
    """

    label: str
    pictures: int
    dice: Comparison | None


@dataclass(frozen=True, slots=True)
class PictureChange:
    """One picture's Dice before and after, 0 to 1."""

    pair_id: str
    name: str
    champion: float
    challenger: float

    @property
    def difference(self) -> float:
        """Challenger less champion."""
        return self.challenger - self.champion


def compare_metrics(challenger: ScoreTable, champion: ScoreTable | None) -> dict[str, Comparison]:
    """Dice and IoU of two models on the same pictures, which are there and are scores."""
    if champion is None:
        return {name: Comparison(challenger.mean(name), None) for name in METRICS}
    differences = [_differences(challenger.rows, champion.rows, name) for name in METRICS]
    sure = gain_p_values(np.array(differences, dtype=np.float64))
    return {
        name: Comparison(challenger.mean(name), champion.mean(name), estimate(each).interval, float(p_value))
        for name, each, p_value in zip(METRICS, differences, sure, strict=True)
    }


def compare_slices(challenger: ScoreTable, champion: ScoreTable | None) -> tuple[SliceComparison, ...]:
    """Dice of two models by kind of picture."""
    compared = []
    for label, members in grouped(challenger.rows).items():
        ours = [challenger.rows[index] for index in members]
        theirs = [champion.rows[index] for index in members] if champion else None
        compared.append(SliceComparison(label, len(members), _dice(ours, theirs) if members else None))
    return tuple(compared)


def _dice(ours: Sequence[PictureScore], theirs: Sequence[PictureScore] | None) -> Comparison:
    mean = fmean(row.dice for row in ours)
    if theirs is None:
        return Comparison(mean, None)
    differences = _differences(ours, theirs, "dice")
    return Comparison(mean, fmean(row.dice for row in theirs), estimate(differences).interval)


def _differences(ours: Sequence[PictureScore], theirs: Sequence[PictureScore], metric: str) -> list[float]:
    return [getattr(new, metric) - getattr(old, metric) for new, old in zip(ours, theirs, strict=True)]


def picture_changes(challenger: ScoreTable, champion: ScoreTable) -> tuple[PictureChange, ...]:
    """Dice before and after, picture by picture, in the tables' order."""
    rows = zip(challenger.rows, champion.rows, strict=True)
    return tuple(PictureChange(new.pair_id, new.name, old.dice, new.dice) for new, old in rows)


def gain_p_values(differences: NDArray[np.float64], resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """How often differences as large in the mean come about when neither of two models is better, one-sided.

    Were the two alike, each picture's difference could as well have had the other sign. Signs are flipped at random
    (all the ways there are where they are few), and the share of means at least as high as the real one is counted,
    the real one among them: the smallest value is 1 / (resamples + 1). The same differences give the same share.

    Source: the sign-flip randomisation test of Fisher, The Design of Experiments, 1935; counting the real one: Phipson
    and Smyth, Permutation p-values should never be zero, 2010.

    Args:
        differences: new model less old, picture by picture, float64 (comparisons, pictures), finite.
        resamples: how often signs are drawn.

    Returns:
        float64 (comparisons,), above 0, at most 1.
    """
    if differences.shape[1] == 1:  # two ways to sign it, and scipy asks for two pictures
        return np.where(differences[:, 0] > 0, 0.5, 1.0)
    from scipy.stats import permutation_test  # half a second that programs without a gate are spared

    result = permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        alternative="greater",
        n_resamples=resamples,
        batch=max(1, _CHUNK // differences.size),
        axis=-1,
        rng=np.random.default_rng(_SEED),
    )
    return np.asarray(result.pvalue, dtype=np.float64)
