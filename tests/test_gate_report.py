"""What the gate found, shown to people."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.builders import table
from wms_ml.gate import Rule, judge
from wms_ml.gate_report import Opened, changed_most, draw_changes, draw_intervals, markdown, slice_cells
from wms_ml.paired import PictureChange
from wms_ml.render import PREDICTED, TRUTH
from wms_ml.scoring import ScoreTable

MEDIUM = "brightness: medium (60 to 120)"
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


def mixed(new: float, old: float) -> tuple[ScoreTable, ScoreTable]:
    """Twelve pictures each of dark and medium brightness; only the dark ones changed."""
    challenger, champion = table(*[new] * 12, *[0.7] * 12), table(*[old] * 12, *[0.7] * 12)
    dark = [
        replace(each, rows=(*(replace(row, brightness=9.0) for row in each.rows[:12]), *each.rows[12:]))
        for each in (challenger, champion)
    ]
    return dark[0], dark[1]


def has_colour(image: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(np.asarray(image, int) - colour).max(-1) <= 2).any())


def test_slices_are_listed_with_difference_interval_and_floor() -> None:
    cells = slice_cells(judge(*mixed(0.8, 0.7), Rule(slice_floors={MEDIUM: 0.6})))
    rows = {row[0]: row[1:] for row in cells}
    assert rows["brightness: dark (below 60)"] == ("12", "0.8000", "0.7000", "+0.1000", "+0.1000 to +0.1000", "")
    assert rows[MEDIUM][3:] == ("+0.0000", "+0.0000 to +0.0000", "0.6")
    assert rows["brightness: bright (from 120)"] == ("0", "", "", "", "", "")


def test_a_slice_of_few_pictures_gets_no_interval() -> None:
    (row,) = [row for row in slice_cells(judge(table(0.8), table(0.7))) if row[0] == MEDIUM]
    assert row[5] == "too few"


def test_the_report_holds_decision_warnings_and_slices() -> None:
    text = markdown(judge(table(0.8), table(0.7)))
    assert "**promote**: Dice and IoU are both better" in text
    assert "- warning: few test pictures (1)" in text
    assert f"| {MEDIUM} | 1 | 0.8000 | 0.7000 |" in text


def test_the_plot_tells_gains_from_losses_by_colour() -> None:
    gain, loss = draw_intervals(judge(*mixed(0.8, 0.7))), draw_intervals(judge(*mixed(0.6, 0.7)))
    assert [has_colour(gain, colour) for colour in (BLUE, ORANGE)] == [True, False]
    assert [has_colour(loss, colour) for colour in (BLUE, ORANGE)] == [False, True]


def test_the_plot_has_a_line_for_every_slice_with_pictures_and_room_for_each() -> None:
    one, two = draw_intervals(judge(table(0.8), table(0.7))), draw_intervals(judge(*mixed(0.8, 0.7)))
    assert two.height > one.height


def test_the_pictures_that_changed_most_come_first() -> None:
    changes = changed_most(judge(table(0.5, 0.9, 0.7, 0.2), table(0.5, 0.5, 0.5, 0.9)), count=2)
    assert [each.name for each in changes["better"]] == ["picture 1", "picture 2"]
    assert [each.name for each in changes["worse"]] == ["picture 3"]


def test_a_first_model_changed_no_picture() -> None:
    assert changed_most(judge(table(0.5), None)) == {"better": [], "worse": []}


def square(left: int) -> np.ndarray:
    mask = np.zeros((100, 200), np.bool_)
    mask[40:60, left : left + 20] = True
    return mask


def halves(before: np.ndarray, after: np.ndarray) -> tuple[Image.Image, Image.Image]:
    """The two cells of a sheet about one picture, whose true mask is the square at 90."""
    image = Image.new("RGB", (200, 100), "white")
    sheet = draw_changes([PictureChange("id", "name", 0.0, 1.0)], lambda _: (image, square(90), before, after))
    cell, below_legend = sheet.width // 4, 30
    left, right = (sheet.crop((start, below_legend, start + cell, sheet.height)) for start in (0, cell))
    return left, right


def test_a_sheet_shows_production_on_the_left_and_the_challenger_on_the_right() -> None:
    left, right = halves(np.zeros((100, 200), np.bool_), square(90))
    assert [has_colour(each, PREDICTED) for each in (left, right)] == [False, True]


def test_both_models_are_shown_on_the_same_part_of_the_picture() -> None:
    rims = [np.argwhere((np.asarray(each) == TRUTH).all(-1)).mean(0) for each in halves(square(0), square(90))]
    assert rims[0] == pytest.approx(rims[1], abs=1)


def test_only_pictures_that_are_shown_are_opened() -> None:
    seen: list[str] = []

    def opened(change: PictureChange) -> Opened:
        seen.append(change.pair_id)
        return Image.new("RGB", (200, 100)), square(0), square(10), square(20)

    verdict = judge(table(*[0.9] * 30), table(*[0.5] * 30))
    draw_changes(changed_most(verdict, count=3)["better"], opened)
    assert len(seen) == 3
