"""The gate: better in Dice AND IoU on the same pictures, and what else a team's rule asks, or no."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from tests.builders import table
from wms.settings import load_settings
from wms_ml.errors import GateError, SettingsError
from wms_ml.gate import Rule, judge
from wms_ml.scoring import ScoreTable

DARK, MEDIUM = "brightness: dark (below 60)", "brightness: medium (60 to 120)"
BLOCK = Rule(confidence_policy="block")
SURE = (table(*[0.8] * 60), table(*[0.7] * 60))
"""Challenger and champion: a gain on every picture."""
LUCKY = (table(*[0.8] * 31, *[0.7] * 29), table(*[0.7] * 31, *[0.8] * 29))
"""A gain on 31 pictures, and as much lost on 29."""


def with_iou(scores: ScoreTable, *iou: float) -> ScoreTable:
    return replace(scores, rows=tuple(replace(row, iou=value) for row, value in zip(scores.rows, iou, strict=True)))


def darkened(scores: ScoreTable, count: int) -> ScoreTable:
    """The same, its first `count` pictures dark."""
    dark = [replace(row, brightness=10.0) for row in scores.rows[:count]]
    return replace(scores, rows=(*dark, *scores.rows[count:]))


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


def test_better_in_iou_alone_is_refused_and_says_which_metric_failed() -> None:
    verdict = judge(with_iou(table(0.7, 0.7), 0.6, 0.6), with_iou(table(0.8, 0.9), 0.5, 0.5))
    assert not verdict.improved
    assert "dice" in verdict.reason
    assert "iou" not in verdict.reason


def test_the_smallest_gain_there_is_passes_the_rule_without_settings() -> None:
    more = math.nextafter(0.5, 1)
    assert judge(with_iou(table(more), math.nextafter(0.4, 1)), with_iou(table(0.5), 0.4)).improved


def test_without_a_champion_the_baseline_is_zero() -> None:
    assert judge(table(0.1, 0.0), None).improved
    assert not judge(table(0.0, 0.0), None).improved


def test_a_minimum_gain_must_be_exceeded_and_not_only_reached() -> None:
    iou = [0.5, 0.5]
    challenger, champion = with_iou(table(0.8, 0.8), 0.9, 0.9), with_iou(table(0.7, 0.7), *iou)
    assert judge(challenger, champion, Rule(minimum_gain=0.099)).improved
    refused = judge(challenger, champion, Rule(minimum_gain=0.1))  # 0.8 - 0.7 is 0.10000000000000009
    assert refused.refusals == ("not better by more than 0.1 than the model in production: dice 0.8000 against 0.7000",)


def test_a_gain_that_may_be_luck_is_promoted_with_a_warning_or_refused_as_the_team_wants_it() -> None:
    warned, refused = judge(*LUCKY), judge(*LUCKY, BLOCK)
    assert warned.improved
    assert not refused.improved
    assert [each.partition(":")[0] for each in refused.refusals] == [
        "the gain in dice may be luck",
        "the gain in iou may be luck",
    ]
    assert set(refused.refusals) <= set(warned.warnings)


def test_a_sure_gain_passes_the_blocking_rule_without_a_warning() -> None:
    verdict = judge(*SURE, BLOCK)
    assert verdict.improved
    assert not verdict.warnings


def test_a_metric_that_fell_is_refused_once_and_not_called_luck_as_well() -> None:
    assert len(judge(*reversed(SURE), BLOCK).refusals) == 1


def test_a_first_model_is_not_asked_how_sure_its_gain_is() -> None:
    assert judge(table(0.5), None, BLOCK).improved


@pytest.mark.parametrize(("floor", "improved"), [(0.8, True), (0.81, False)])
def test_a_slice_below_its_floor_is_refused_however_good_the_mean(floor: float, improved: bool) -> None:
    challenger, champion = (darkened(each, 20) for each in SURE)
    verdict = judge(challenger, champion, Rule(slice_floors={DARK: floor}))
    assert verdict.improved is improved
    if not improved:
        assert verdict.reason == f"Dice 0.8000 on '{DARK}' is below its floor of 0.81"


def test_a_floor_on_a_slice_without_test_pictures_is_refused_for_it_cannot_be_shown() -> None:
    verdict = judge(*SURE, Rule(slice_floors={DARK: 0.0}))
    assert not verdict.improved
    assert f"no test picture is of the slice '{DARK}'" in verdict.reason


def test_a_first_model_must_reach_the_floors_too() -> None:
    assert not judge(table(0.5), None, Rule(slice_floors={MEDIUM: 0.6})).improved


def test_a_refusal_gives_every_reason() -> None:
    rule = Rule(minimum_gain=0.05, confidence_policy="block", slice_floors={DARK: 0.9, MEDIUM: 0.9})
    assert len(judge(*LUCKY, rule).refusals) == 5


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"minimum_gain": -0.01}, "WMS_GATE_MINIMUM_GAIN"),
        ({"minimum_gain": math.nan}, "WMS_GATE_MINIMUM_GAIN"),
        ({"confidence": 1.0}, "WMS_GATE_CONFIDENCE"),
        ({"confidence": 0.05}, "WMS_GATE_CONFIDENCE"),
        ({"confidence_policy": "ignore"}, "WMS_GATE_CONFIDENCE_POLICY"),
        ({"slice_floors": {DARK: 85}}, "WMS_GATE_SLICE_FLOORS"),
        ({"slice_floors": {"dark": 0.8}}, f"no such slice; there are .*{MEDIUM[:18]}"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_its_settings_name(part: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Rule(**part)


def test_the_same_tables_give_the_same_verdict() -> None:
    assert judge(*LUCKY).as_json() == judge(*LUCKY).as_json()


def test_a_small_test_side_is_warned_of() -> None:
    assert "few test pictures (49)" in judge(table(*[0.8] * 49), None).warnings[0]
    assert not judge(table(*[0.8] * 50), None).warnings


def test_finding_nothing_more_often_than_the_champion_is_warned_of() -> None:
    verdict = judge(table(0.0, 0.0, *[0.9] * 60), table(0.0, 0.5, *[0.7] * 60))
    assert verdict.nothing_found == (2, 1)
    assert "it finds nothing on 2 pictures, the champion on 1" in verdict.warnings
    assert not judge(table(0.0, *[0.9] * 60), table(0.0, *[0.7] * 60)).warnings


def test_a_slice_that_got_worse_for_sure_is_warned_of_though_the_mean_rose() -> None:
    challenger, champion = table(*[0.5] * 10, *[0.9] * 60), table(*[0.6] * 10, *[0.7] * 60)
    verdict = judge(darkened(challenger, 10), darkened(champion, 10))
    assert verdict.improved
    assert verdict.warnings == (f"worse on '{DARK}': Dice -0.1000 on 10 pictures",)


def test_a_slice_that_may_have_got_worse_by_chance_is_not_warned_of() -> None:
    mixed = [0.7, 0.5] * 5  # on the champion's 0.65
    verdict = judge(
        *(darkened(table(*dark, *rest), 10) for dark, rest in ((mixed, [0.9] * 60), ([0.65] * 10, [0.7] * 60)))
    )
    assert not verdict.warnings


def test_other_pictures_are_refused() -> None:
    with pytest.raises(GateError, match="same pictures"):
        judge(table(0.8, 0.9), table(0.1))


def test_a_picture_that_counts_twice_is_refused() -> None:
    twice = replace(table(0.9), rows=table(0.9).rows * 2)
    with pytest.raises(GateError, match="stands twice"):
        judge(twice, twice)


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


def test_a_verdict_is_written_down_as_json() -> None:
    values = judge(*LUCKY, Rule(slice_floors={MEDIUM: 0.5})).as_json()
    assert json.loads(json.dumps(values)) == values
    assert values["improved"] is True
    assert values["metrics"]["dice"]["champion"] == pytest.approx(0.7483, abs=1e-4)
    assert values["rule"]["slice_floors"] == {MEDIUM: 0.5}
    assert (values["better"], values["worse"]) == (31, 29)


def test_the_rule_comes_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().gate_rule() == Rule()
    monkeypatch.setenv("WMS_GATE_MINIMUM_GAIN", "0.01")
    monkeypatch.setenv("WMS_GATE_CONFIDENCE", "0.9")
    monkeypatch.setenv("WMS_GATE_CONFIDENCE_POLICY", "block")
    monkeypatch.setenv("WMS_GATE_SLICE_FLOORS", json.dumps({DARK: 0.85}))
    assert load_settings().gate_rule() == Rule(0.01, 0.9, "block", {DARK: 0.85})


@pytest.mark.parametrize("floors", ["dark=0.8", '{"dark": 0.8}', json.dumps({DARK: "high"}), json.dumps({DARK: 85})])
def test_floors_that_cannot_be_meant_are_refused_when_settings_are_read(
    floors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WMS_GATE_SLICE_FLOORS", floors)
    with pytest.raises(SettingsError, match="WMS_GATE_SLICE_FLOORS"):
        load_settings()
