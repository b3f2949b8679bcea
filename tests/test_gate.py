"""The gate: better in Dice AND IoU on the same pictures, or no."""

import math
from dataclasses import replace

import pytest

from tests.builders import table
from wms_ml.errors import GateError
from wms_ml.gate import judge
from wms_ml.scoring import ScoreTable


def with_iou(scores: ScoreTable, *iou: float) -> ScoreTable:
    return replace(scores, rows=tuple(replace(row, iou=value) for row, value in zip(scores.rows, iou, strict=True)))


def test_better_in_both_is_promoted() -> None:
    assert judge(table(0.8, 0.9), table(0.7, 0.9)).improved


def test_equal_is_refused() -> None:
    verdict = judge(table(0.8, 0.9), table(0.8, 0.9))
    assert not verdict.improved
    assert "not better" in verdict.reason


def test_better_in_dice_alone_is_refused_and_says_which_metric_failed() -> None:
    verdict = judge(with_iou(table(0.8, 0.9), 0.5, 0.5), with_iou(table(0.7, 0.7), 0.6, 0.6))
    assert not verdict.improved
    assert "iou" in verdict.reason
    assert "dice" not in verdict.reason


def test_without_a_champion_the_baseline_is_zero() -> None:
    assert judge(table(0.1, 0.0), None).improved
    assert not judge(table(0.0, 0.0), None).improved


def test_other_pictures_are_refused() -> None:
    with pytest.raises(GateError, match="same pictures"):
        judge(table(0.8, 0.9), table(0.1))


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1, None])
def test_what_is_no_score_is_refused(value: float) -> None:
    challenger = table(0.9, 0.9)
    broken = replace(challenger, rows=(replace(challenger.rows[0], dice=value), challenger.rows[1]))
    with pytest.raises(GateError, match="not a score"):
        judge(broken, table(0.1, 0.1))
    with pytest.raises(GateError, match="not a score"):
        judge(challenger, broken)


def test_empty_tables_are_refused() -> None:
    with pytest.raises(GateError, match="nothing to judge"):
        judge(table(), None)


def test_the_table_shows_both_models_and_the_decision() -> None:
    text = judge(table(0.8, 0.6), table(0.7, 0.9)).table()
    assert "| dice | 0.7000 | 0.8000 | -0.1000 |" in text
    assert "better: 1 | worse: 1" in text
    assert "**refuse**" in text
