"""What scores look like to people: tables, a spreadsheet, pictures."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFont

from tests.builders import table
from wms_ml.mask_spool import MaskSpool
from wms_ml.render import PREDICTED, TRUTH, close_up, contact_sheet
from wms_ml.score_report import csv_text, markdown_table, metric_cells, sentence, slice_cells
from wms_ml.score_sheets import ranked
from wms_ml.slices import sliced


def test_a_metric_is_shown_with_its_interval() -> None:
    cells = metric_cells(table(*[0.9] * 20))
    assert cells[:2] == [("metric", "mean", "95 % interval"), ("Dice", "0.9000", "0.9000–0.9000")]
    assert ("Hausdorff 95 %, pixels", "10.0", "10.0–10.0") in cells


def test_an_interval_of_too_few_pictures_is_not_made_up() -> None:
    assert metric_cells(table(0.5, 0.9))[1] == ("Dice", "0.7000", "too few")


def test_pictures_on_which_nothing_was_found_are_counted() -> None:
    assert sentence(table(0.0, 1.0)).endswith("on 2 pictures, nothing found on 1")
    assert sentence(table(1.0)) == "Dice 1.0000, IoU 1.0000 on 1 picture"


def test_every_slice_has_its_line() -> None:
    text = markdown_table(slice_cells(sliced(table(0.9).rows)))
    assert "| brightness | medium (60 to 120) | 1 | 0.9000 | too few |" in text
    assert "| brightness | dark (below 60) | 0 |  |  |  |  |" in text


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx"])
def test_a_file_name_is_no_formula_in_a_spreadsheet(name: str) -> None:
    scores = table(0.5)
    scores = replace(scores, rows=(replace(scores.rows[0], name=name),))
    _, line = csv.reader(io.StringIO(csv_text(scores).removeprefix("\ufeff")))
    assert line[1] == f"'{name}"


def test_sheets_show_the_ends_and_the_middle() -> None:
    chosen = ranked(table(*[number / 10 for number in range(11)]).rows, 3)
    dice = {name: [row.dice for row in rows] for name, rows in chosen.items()}
    assert dice == {"best": [1.0, 0.9, 0.8], "median": [0.6, 0.5, 0.4], "worst": [0.0, 0.1, 0.2]}


def test_fewer_pictures_than_a_sheet_holds_are_all_shown() -> None:
    assert {len(rows) for rows in ranked(table(0.1, 0.2).rows, 8).values()} == {2}


def window(left: int) -> np.ndarray:
    mask = np.zeros((600, 800), np.bool_)
    mask[300:340, left : left + 120] = True
    return mask


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.asarray(picture).reshape(-1, 3).tolist()}


def test_a_close_up_shows_both_outlines_even_where_they_agree() -> None:
    shown = close_up(Image.new("RGB", (800, 600)), window(400), window(400))
    assert {TRUTH, PREDICTED} <= colours(shown)
    assert max(shown.size) == 280


def test_a_close_up_holds_all_that_either_mask_marks() -> None:
    far = window(20)
    near = close_up(Image.new("RGB", (800, 600)), far, far)
    both = close_up(Image.new("RGB", (800, 600)), far, window(660))
    cyan = [(np.asarray(shown) == PREDICTED).all(2).any(0) for shown in (near, both)]
    assert np.flatnonzero(cyan[1])[0] > 200  # the prediction on the right, with the truth on the left in the picture
    assert np.flatnonzero(cyan[0])[0] < 100


def test_a_close_up_without_any_mask_is_the_whole_picture() -> None:
    nothing = np.zeros((600, 800), np.bool_)
    assert colours(close_up(Image.new("RGB", (800, 600), "white"), nothing, nothing)) == {(255, 255, 255)}


def test_a_long_name_stays_below_its_own_picture() -> None:
    black = Image.new("RGB", (10, 10))
    sheet = np.asarray(contact_sheet([("W" * 90, black), ("", black)], columns=2, cell=200))
    assert ImageFont.load_default(13).getlength("W" * 90) > 400
    assert (sheet[200:, :200] < 128).any()
    assert (sheet[200:, 200:] == 255).all()


def test_masks_come_back_from_the_spool_as_they_were() -> None:
    spool = MaskSpool(io.BytesIO())
    masks = {str(seed): np.random.default_rng(seed).random((7 + seed, 13)) > 0.5 for seed in range(5)}
    for key, mask in masks.items():
        spool.put(key, mask)
    for key in reversed(masks):
        np.testing.assert_array_equal(spool.get(key), masks[key])
