"""A drop against all that is accepted: has it drifted, and where are the lines drawn."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.quality_folder import Folder, window
from wms_ml.catalogue import Accepted
from wms_ml.errors import SettingsError
from wms_ml.measures import Measures
from wms_ml.quality.report import Finding, row_of
from wms_ml.quality.rules import RULES, rules_version
from wms_ml.quality.thresholds import Thresholds


def accepted_like(pairs: Iterable[Measures], count: int, share: float = 1.0, **changes: float) -> Accepted:
    """`count` pairs with these measures and other contents, a `share` of them changed."""
    rows = [row_of(pair, "earlier", "train") for pair in pairs]
    like = [replace(rows[index % len(rows)], **(changes if index < share * count else {})) for index in range(count)]
    return Accepted.of(
        replace(row, name=f"old{index}", image_sha256=f"{index:064x}", mask_sha256=f"{index:064x}")
        for index, row in enumerate(like)
    )


def many(tmp_path: Path, count: int) -> Folder:
    drop = Folder(tmp_path / "many")
    for seed in range(count):
        drop.pair(f"n{seed}", 100 + seed)
    return drop


def found(drop: Folder, accepted: Accepted, rule: str = "drift") -> list[Finding]:
    return [each for each in drop.check(accepted).findings if each.rule == rule]


def test_a_drop_far_from_the_accepted_data_is_told_by_measure(tmp_path: Path) -> None:
    drop = many(tmp_path, 20)
    pairs = drop.check().pairs
    (finding,) = found(drop, accepted_like(pairs, 100, brightness=30.0))
    assert finding.message.startswith("brightness: the drop lies far from the accepted data (median 12")
    assert "against 29.9, distance 1.00" in finding.message
    assert finding.files == ()
    assert found(drop, accepted_like(pairs, 100)) == []


def test_too_few_pairs_on_either_side_say_nothing_about_drift(tmp_path: Path) -> None:
    drop = many(tmp_path, 20)
    pairs = drop.check().pairs
    assert found(drop, accepted_like(pairs, 99, brightness=30.0)) == []
    drop.remove("images/n0.jpg")
    drop.remove("masks/n0.png")
    assert found(drop, accepted_like(pairs, 100, brightness=30.0)) == []


def test_a_drop_that_differs_a_little_has_not_drifted(tmp_path: Path) -> None:
    drop = many(tmp_path, 20)
    pairs = drop.check().pairs
    for share, expected in ((0.4, 0), (0.8, 1)):
        assert len(found(drop, accepted_like(pairs, 100, share, brightness=30.0))) == expected


def test_masks_with_an_error_do_not_count_for_drift(tmp_path: Path) -> None:
    drop = many(tmp_path, 44)
    accepted = accepted_like(drop.check().pairs, 100)
    for seed in range(24):
        drop.put(f"masks/n{seed}.png", window(100 + seed).point(lambda value: 255 - value))
    assert found(drop, accepted) == []
    assert len(drop.check(accepted).errors) == 24


def test_what_is_usual_for_a_window_is_learnt_from_the_accepted_data(tmp_path: Path) -> None:
    drop = many(tmp_path, 3)
    pairs = drop.check().pairs
    for count, warned in ((99, 0), (100, 3)):
        accepted = accepted_like(pairs, count, coverage=0.3)
        assert len(found(drop, accepted, "unusual_coverage")) == warned


# Thresholds


@pytest.mark.parametrize(
    ("name", "value"), [("max_coverage", 1.5), ("near_bits", -1), ("min_sharpness", float("nan")), ("min_side", 0)]
)
def test_a_threshold_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{name} is .*: it must lie between"):
        Thresholds(**{name: value})


def test_brightness_needs_room_between_its_lines() -> None:
    with pytest.raises(SettingsError, match="must lie below max_brightness"):
        Thresholds(min_brightness=200, max_brightness=100)


def test_the_rules_version_says_which_rules_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rules_version(Thresholds())
    monkeypatch.setattr("wms_ml.quality.rules.RULES", RULES[:-1])
    assert rules_version(Thresholds()) != before
