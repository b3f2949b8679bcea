"""Two models on the same pictures: intervals and p-values of their differences, and who uses them."""

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from tests.builders import table
from wms_ml.confidence import estimate
from wms_ml.gate import Rule, judge
from wms_ml.paired import Comparison, compare_slices, gain_p_values


def test_the_interval_is_that_of_the_differences_picture_by_picture() -> None:
    random = np.random.default_rng(1)
    old = random.uniform(0.4, 0.8, 60)
    new = old + random.normal(0.01, 0.02, 60)
    verdict = judge(table(*new), table(*old))
    assert verdict.metrics["dice"].interval == estimate((new - old).tolist()).interval
    assert verdict.metrics["dice"].difference == pytest.approx((new - old).mean())


def test_the_p_value_counts_every_way_to_sign_few_differences() -> None:
    # of the 8 ways to sign 1, 2, 4 two give a mean as high as that of -1, 2, 4, and one as high as their own
    assert gain_p_values(np.array([[1.0, 2, 4], [-1, 2, 4], [-1, -2, -4]])).tolist() == [1 / 8, 2 / 8, 1]


def test_the_p_value_agrees_with_the_t_test_where_that_one_holds() -> None:
    differences = np.random.default_rng(0).normal(0.002, 0.02, (4, 200))
    known = scipy.stats.ttest_1samp(differences, 0, axis=1, alternative="greater").pvalue
    assert gain_p_values(differences) == pytest.approx(known, abs=0.02)


def test_one_picture_is_no_proof() -> None:
    assert gain_p_values(np.array([[0.1], [0.0]])).tolist() == [0.5, 1]
    assert not judge(table(0.9), table(0.1), Rule(confidence_policy="block")).improved


def test_slices_hold_both_models_means_on_their_own_pictures() -> None:
    (dark, other), (_, champion_other) = table(0.5, 0.9).rows, table(0.6, 0.7).rows
    dark, before = replace(dark, brightness=10.0), replace(dark, brightness=10.0, dice=0.6)
    ours, theirs = replace(table(), rows=(dark, other)), replace(table(), rows=(before, champion_other))
    found = {each.label: (each.pictures, each.dice) for each in compare_slices(ours, theirs)}
    assert found["brightness: dark (below 60)"] == (1, Comparison(0.5, 0.6))
    assert found["brightness: medium (60 to 120)"] == (1, Comparison(0.9, 0.7))
    assert found["orientation: upside down (3)"] == (0, None)


@pytest.mark.parametrize("name", ["plain", "0.95 blocking"])
def test_the_benchmark_decides_as_the_gate_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = spec_from_file_location("benchmark", Path(__file__).parents[1] / "benchmarks" / "gate.py")
    assert found is not None
    assert found.loader is not None
    benchmark = module_from_spec(found)
    monkeypatch.setitem(sys.modules, "benchmark", benchmark)  # its dataclasses look themselves up
    found.loader.exec_module(benchmark)
    monkeypatch.setattr(benchmark, "FLIPS", 9_999)
    random = np.random.default_rng(2)
    dice = random.uniform(0.5, 0.9, (30, 2, 8))  # 8 pictures: every way to sign is counted, nothing is drawn
    dice[:, 1] += np.linspace(0, 0.1, 30)[:, None]
    rule = benchmark.RULES[name]
    verdicts = [judge(table(*attempt), table(*champion), rule).improved for champion, attempt in dice]
    assert benchmark.passes(rule, benchmark.differences(dice)[:, :, 0]).tolist() == verdicts
    assert 5 < sum(verdicts) < 25


def test_a_comparison_is_shown_with_what_there_is_to_show() -> None:
    sure = Comparison(0.8, 0.7, (0.05, 0.15), 0.001)
    assert sure.cells == ("0.8000", "0.7000", "+0.1000", "+0.0500 to +0.1500", "0.0010")
    assert Comparison(0.6, 0.7, None, 0.5).cells == ("0.6000", "0.7000", "-0.1000", "too few", "0.5000")
    assert Comparison(0.8, None).cells == ("0.8000", "none (0)", "+0.8000", "", "")
