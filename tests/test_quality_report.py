"""The report of a drop: it survives the journey, and what strangers named is only text in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.quality_folder import JPEG, SIZE, Folder, encoded, mask, photo
from wms_ml.errors import DataError
from wms_ml.quality.inspection import sharpness
from wms_ml.quality.page import markdown, page, verdict
from wms_ml.quality.report import Finding, Report, Severity
from wms_ml.quality.rules import rules_version
from wms_ml.quality.thresholds import Thresholds


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Three good pairs: a, b, c."""
    drop = Folder(tmp_path / "drop")
    for seed, name in enumerate("abc"):
        drop.pair(name, seed)
    return drop


# The report


def test_a_report_survives_json(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    report = folder.check()
    assert Report.from_json(report.to_json()) == report


def test_a_report_of_another_format_is_refused(folder: Folder) -> None:
    text = folder.check().to_json()
    with pytest.raises(DataError, match="format 2"):
        Report.from_json(text.replace('"format": 1', '"format": 2'))


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}'])
def test_other_text_is_refused_as_a_report(text: str) -> None:
    with pytest.raises(DataError, match="not a quality report of format 1"):
        Report.from_json(text)


def test_other_thresholds_make_another_rules_version() -> None:
    assert rules_version(Thresholds()) == rules_version(Thresholds())
    assert rules_version(Thresholds()) != rules_version(Thresholds(max_coverage=0.5))


def test_a_warning_does_not_stop_a_drop(folder: Folder) -> None:
    warning = Finding("blur", Severity.WARNING, ("images/a.jpg",), "it is blurred", "take it again")
    report = replace(folder.check(), findings=(warning,))
    assert report.ok
    assert report.bad_names == frozenset()
    assert report.warnings == (warning,)
    assert "<h2>blur" in page(report, folder.path)


def test_sharpness_falls_with_blur() -> None:
    picture = photo(1).convert("L")
    values = [
        sharpness(np.asarray(each, dtype=np.float32))
        for each in (picture, picture.filter(ImageFilter.GaussianBlur(1)), Image.new("L", SIZE, 90))
    ]
    assert values[0] > 10 * values[1] > values[2] == 0


# For people


def test_the_verdict_counts_pairs_and_not_stray_files(folder: Folder) -> None:
    assert verdict(folder.check()) == "All 3 pairs can be used"
    folder.put("images/notes.txt", b"x")
    assert verdict(folder.check()) == "1 entry must be removed, then all pairs can be used"
    folder.remove("masks/a.png")
    assert verdict(folder.check()) == "1 of 3 pairs cannot be used"


def test_the_page_shows_a_finding_with_its_pictures_and_the_good_pairs(folder: Folder) -> None:
    folder.put("masks/b.png", mask().point(lambda v: 255 - v))
    html = page(folder.check(), folder.path)
    assert "1 of 3 pairs cannot be used" in html
    assert "Mask covers most of the picture" in html
    assert "invert it" in html
    outlined_and_mask, good = 2, 2
    assert html.count("data:image/jpeg;base64,") == outlined_and_mask + good


def test_the_page_is_made_of_broken_files_too(folder: Folder) -> None:
    folder.put("images/a.jpg", JPEG[: len(JPEG) // 2])
    folder.remove("masks/a.png")
    (folder.path / "masks/a.png").symlink_to(folder.path / "masks/b.png")
    html = page(folder.check(), folder.path)
    assert "truncated" in html
    assert html.count("data:image/jpeg;base64,") == 2


HOSTILE = "<img src=x onerror=alert(1)>&\"'`|`` **@team**"


def test_hostile_names_are_only_text_in_the_page(folder: Folder) -> None:
    folder.pair(HOSTILE, 9)
    folder.put(f"images/{HOSTILE}2.jpg", JPEG)
    html = page(folder.check(), folder.path)
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_hostile_names_are_only_text_in_the_table(folder: Folder) -> None:
    folder.put(f"images/{HOSTILE}.jpg", JPEG)
    row = markdown(folder.check()).splitlines()[-1]
    bare = row.replace("\\|", "")
    assert bare.count("|") == 5
    assert f"``` images/{HOSTILE.replace('|', chr(92) + '|')}.jpg ```" in row
    assert "\\<img" in row
    assert "@team" not in row.split("```")[2]


def test_the_table_of_a_clean_drop_is_its_verdict(folder: Folder) -> None:
    assert markdown(folder.check()) == "**All 3 pairs can be used** (6 files, 0 errors, 0 warnings)\n"


def test_the_table_stays_short(folder: Folder) -> None:
    for index in range(40):
        folder.put(f"images/n{index}.jpg", encoded(photo(100 + index), "JPEG"))
    text = markdown(folder.check())
    assert text.count("| error |") == 30
    assert "… and 10 more" in text
