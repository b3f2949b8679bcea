"""The pictures and drawings of the reports: upright, outlined, and only of files that the check got through."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.quality_folder import JPEG, Folder, encoded, mask, tagged
from wms_ml.measures import Measures
from wms_ml.profile import Profile
from wms_ml.quality.figures import Gallery
from wms_ml.quality.histogram import strips
from wms_ml.quality.report import Finding, Report, Severity


def finding(rule: str, *files: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(rule, severity, files, "it is odd", "mend it")


@pytest.mark.parametrize(("rule", "pictures"), [("image_without_mask", 1), ("undecodable", 0), ("another", 0)])
def test_a_file_that_the_check_did_not_get_through_is_never_opened(folder: Folder, rule: str, pictures: int) -> None:
    folder.remove("masks/a.png")
    fault = finding(rule, "images/a.jpg", severity=Severity.ERROR)
    report = replace(folder.check(), findings=(fault,))
    assert len(Gallery(report, folder.path).of_finding(fault)) == pictures


def test_a_link_that_took_the_place_of_a_file_is_not_followed(folder: Folder) -> None:
    report = folder.check()
    folder.remove("images/a.jpg")
    (folder.path / "images/a.jpg").symlink_to(folder.path / "images/b.jpg")
    assert Gallery(report, folder.path).of_pair(report.pairs[0]) == []


def test_paths_out_of_the_drop_lead_nowhere(folder: Folder) -> None:
    (folder.path.parent / "secret.jpg").write_bytes(JPEG)
    fault = finding("odd", "../secret.jpg", "images/../../secret.jpg", str(folder.path.parent / "secret.jpg"))
    assert Gallery(folder.check(), folder.path).of_finding(fault) == []


# Pictures


def test_a_picture_stored_turned_is_shown_upright_with_its_window_outlined(tmp_path: Path) -> None:
    drop = Folder(tmp_path / "drop")
    upright = Image.new("RGB", (900, 1200), (0, 0, 80))
    drop.put("images/a.jpg", encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=tagged(6)))
    drop.put("masks/a.jpg", encoded(mask((300, 300, 600, 400), size=(900, 1200)), "JPEG", quality=100))
    report = drop.check()
    assert report.ok
    figure = Gallery(report, drop.path).of_pair(report.pairs[0])[0]
    assert (figure.width, figure.height) == (210, 280)
    assert figure.shows == "image, window outlined"


def test_a_mask_of_another_size_is_shown_beside_its_image_and_not_drawn_on_it(folder: Folder) -> None:
    folder.put("masks/a.png", mask(size=(45, 60)))
    report = folder.check()
    figures = Gallery(report, folder.path).of_finding(report.errors[0])
    assert {figure.shows for figure in figures} == {"image", "mask"}


# Strips


def pairs(report: Report, *brightness: float) -> list[Measures]:
    return [replace(report.pairs[0], brightness=value) for value in brightness]


def test_a_strip_spans_the_drop_and_the_accepted_data(folder: Folder) -> None:
    report = folder.check()
    strip = strips(pairs(report, 100, 110, 120), Profile.of(pairs(report, 40, 200)))[0]
    assert (strip.title, strip.middle) == ("brightness", "110")
    assert 30 < float(strip.low) < 40 < 200 < float(strip.high) < 210
    assert strip.bars.count("M") == 3
    assert strip.behind.count("M") == 2


def test_pairs_that_are_all_alike_make_one_bar_of_full_height(folder: Folder) -> None:
    strip = strips(pairs(folder.check(), *[100.0] * 50))[0]
    assert strip.bars.count("M") == 1
    assert f"v-{strip.height}.0h" in strip.bars
    assert strip.behind == ""


@pytest.mark.parametrize("value", [0, 255])
def test_a_value_at_the_end_of_the_scale_is_drawn(folder: Folder, value: float) -> None:
    assert strips(pairs(folder.check(), value))[0].bars.count("M") == 1
