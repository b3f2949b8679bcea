"""Data quality of a drop: every kind of bad input is found by its rule, good input by none."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.quality_folder import (
    JPEG,
    SIZE,
    SOFT,
    Folder,
    again,
    bomb,
    encoded,
    heic_image,
    link,
    mask,
    photo,
    putting,
    removing,
    renamed,
    tagged,
)
from wms_ml.errors import DropError, EmptyDropError
from wms_ml.quality.check import Accepted, check_folder
from wms_ml.quality.report import Report
from wms_ml.quality.rules import RULES
from wms_ml.quality.thresholds import Thresholds
from wms_ml.split import side


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Three good pairs: a, b, c."""
    drop = Folder(tmp_path / "drop")
    for seed, name in enumerate("abc"):
        drop.pair(name, seed)
    return drop


BAD = {
    "an image without mask": (removing("masks/a.png"), "image_without_mask", "no a in masks/"),
    "a mask without image": (removing("images/a.jpg"), "mask_without_image", "no a in images/"),
    "partners that differ in capitals": (renamed("masks/a.png", "masks/A.png"), "image_without_mask", "capitals"),
    "an empty file": (putting("images/a.jpg", b""), "undecodable", "empty"),
    "a truncated image": (putting("images/a.jpg", JPEG[: len(JPEG) // 2]), "undecodable", "truncated"),
    "a truncated mask": (putting("masks/a.png", encoded(mask())[:-40]), "undecodable", "does not decode"),
    "a text named .jpg": (putting("images/a.jpg", b"<html>not found</html>"), "undecodable", "known format"),
    "a PNG named .jpg": (putting("images/a.jpg", photo(9)), "misnamed", "PNG"),
    "a picture of 81 megapixels": (putting("masks/a.png", bomb(9_000)), "too_large", "81 megapixels"),
    "a bomb": (putting("masks/a.png", bomb(90_000)), "too_large", "limit"),
    "a mask of another size": (putting("masks/a.png", mask(size=(45, 60))), "size_mismatch", "45 x 60"),
    "a mask that ignores EXIF": (
        putting("images/a.jpg", encoded(photo(9), "JPEG", exif=tagged(6))),
        "size_mismatch",
        "(upright) 120 x 90",
    ),
    "a grey mask": (putting("masks/a.png", mask(value=128)), "mask_not_binary", "100%"),
    "a mask of label numbers": (putting("masks/a.png", mask(value=1)), "mask_not_binary", "label numbers"),
    "a soft mask": (putting("masks/a.png", SOFT), "mask_not_binary", "soft"),
    "a blue mask": (
        putting("masks/a.png", Image.merge("RGB", (Image.new("L", SIZE), Image.new("L", SIZE), mask()))),
        "mask_not_binary",
        "coloured",
    ),
    "a black mask": (putting("masks/a.png", Image.new("L", SIZE)), "mask_empty", "0 pixels"),
    "a mask of 100 pixels": (putting("masks/a.png", mask((0, 0, 9, 9))), "mask_empty", "100 pixels"),
    "an inverted mask": (putting("masks/a.png", mask().point(lambda v: 255 - v)), "mask_covers_most", "91%"),
    "the same picture under two names": (again, "same_content", "2 names"),
    "two images of one name": (putting("images/a.png", photo(9)), "name_twice", "2 files"),
    "names that differ in capitals": (lambda drop: drop.pair("A", 9), "name_alike", "A and a"),
    "an iPhone picture": (heic_image, "unexpected_file", ".heic"),
    "a note": (putting("images/notes.txt", b"hello"), "unexpected_file", ".txt"),
    "a file without ending": (putting("masks/labels", b"{}"), "unexpected_file", "(none)"),
    "a folder": (lambda drop: (drop.path / "images/2024").mkdir(), "unexpected_file", "folder"),
    "a pipe": (lambda drop: os.mkfifo(drop.path / "images/a.png"), "unexpected_file", "pipe"),
    "a link": (link, "link", "not followed"),
    "a hidden file": (putting("images/.a.jpg", JPEG), "unsafe_name", "dot"),
    "a line break in a name": (renamed("images/a.jpg", "images/a\n.jpg"), "unsafe_name", "invisible"),
    "a name that reads backwards": (putting("images/a\u202egpj.jpg", JPEG), "unsafe_name", "invisible"),
    "a name that is no UTF-8": (putting(os.fsdecode(b"images/\xff.jpg"), JPEG), "unsafe_name", "invisible"),
    "a backslash": (putting("images/b\\c.jpg", JPEG), "unsafe_name", "backslash"),
}


@pytest.mark.parametrize(("spoil", "rule", "word"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_found_by_its_rule(folder: Folder, spoil: Callable[[Folder], None], rule: str, word: str) -> None:
    spoil(folder)
    report = folder.check()
    assert not report.ok
    assert any(word in finding.message for finding in report.errors if finding.rule == rule), report.findings
    assert all(finding.remedy and finding.files for finding in report.findings)
    assert {"b", "c"} <= {pair.name for pair in report.new_pairs(Accepted())}


ONE_FAULT = sorted(BAD.keys() - {"partners that differ in capitals", "a line break in a name"})


@pytest.mark.parametrize("kind", ONE_FAULT)
def test_one_fault_makes_one_finding(folder: Folder, kind: str) -> None:
    spoil, rule, _ = BAD[kind]
    spoil(folder)
    rules = [finding.rule for finding in folder.check().findings]
    assert rules == [rule]


def test_every_rule_has_a_bad_input() -> None:
    against_accepted = {"name_taken"}
    assert {rule for _, rule, _ in BAD.values()} | against_accepted == {rule.name for rule in RULES}


def test_a_clean_drop_has_no_findings(folder: Folder) -> None:
    report = folder.check()
    assert report.findings == ()
    assert report.ok
    assert report.files == 6
    assert [pair.name for pair in report.pairs] == ["a", "b", "c"]


def test_measures_say_what_the_files_hold(folder: Folder) -> None:
    pair = folder.check().pairs[0]
    assert (pair.width, pair.height, pair.orientation) == (90, 120, 1)
    assert (pair.image, pair.image_format, pair.mask, pair.mask_format) == (
        "images/a.jpg",
        "JPEG",
        "masks/a.png",
        "PNG",
    )
    assert pair.mask_pixels == 1000
    assert pair.coverage == pytest.approx(1000 / (90 * 120))
    assert pair.grey_share == 0
    assert 110 < pair.brightness < 145
    assert pair.sharpness > 1000


def test_an_image_stored_turned_fits_its_upright_mask(folder: Folder) -> None:
    stored = photo(9).transpose(Image.Transpose.ROTATE_90)
    folder.put("images/a.jpg", encoded(stored, "JPEG", exif=tagged(6)))
    report = folder.check()
    assert report.ok
    assert (report.pairs[0].width, report.pairs[0].height, report.pairs[0].orientation) == (90, 120, 6)


@pytest.mark.parametrize("quality", [100, 75, 40])
def test_a_jpeg_mask_counts_as_binary(folder: Folder, quality: int) -> None:
    folder.remove("masks/a.png")
    folder.put("masks/a.jpg", encoded(mask(), "JPEG", quality=quality))
    assert folder.check().ok


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA", "LA"])
def test_a_black_and_white_mask_may_come_in_any_mode(folder: Folder, mode: str) -> None:
    folder.put("masks/a.png", mask().convert(mode))
    report = folder.check()
    assert report.ok
    assert report.pairs[0].mask_pixels == 1000


def test_a_16_bit_mask_is_read_at_its_own_scale(folder: Folder) -> None:
    folder.put("masks/a.png", Image.fromarray(np.asarray(mask(), dtype=np.uint16) * 257))
    report = folder.check()
    assert report.ok
    assert report.pairs[0].mask_pixels == 1000


def test_a_mask_of_101_pixels_is_enough(folder: Folder) -> None:
    drawn = mask((0, 0, 9, 9))
    drawn.putpixel((50, 50), 255)
    folder.put("masks/a.png", drawn)
    assert folder.check().ok


def test_endings_in_capitals_are_fine(folder: Folder) -> None:
    renamed("images/a.jpg", "images/a.JPG")(folder)
    assert folder.check().ok


def test_what_desktops_leave_behind_is_passed_over(folder: Folder) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._a.jpg"):
        folder.put(f"images/{name}", b"x")
    (folder.path / "masks/__MACOSX").mkdir()
    report = folder.check()
    assert report.ok
    assert report.files == 6


def test_accents_stored_in_two_ways_are_one_name(folder: Folder) -> None:
    folder.pair("caf\u00e9", 8)
    folder.pair("cafe\u0301", 9)
    assert {finding.rule for finding in folder.check().errors} == {"name_alike"}


def test_a_file_above_the_byte_limit_is_not_opened(folder: Folder) -> None:
    report = folder.check(thresholds=Thresholds(max_bytes=2000))
    assert {finding.rule for finding in report.errors} == {"too_large"}
    assert "was not opened" in report.errors[0].message


def test_a_name_with_two_images_makes_no_pair(folder: Folder) -> None:
    folder.put("images/a.png", photo(9))
    assert [pair.name for pair in folder.check().pairs] == ["b", "c"]


def test_a_mask_whose_image_must_be_converted_is_bad_with_it(folder: Folder) -> None:
    heic_image(folder)
    report = folder.check()
    assert report.errors[0].files == ("images/a.heic", "masks/a.png")
    assert report.bad_names == {"a"}


def test_a_stray_file_beside_a_whole_pair_leaves_it_usable(folder: Folder) -> None:
    folder.put("images/a.heic", b"x")
    report = folder.check()
    assert not report.ok
    assert report.bad_names == frozenset()


# Against what is accepted


def accepted_as(report: Report, **renames: str) -> Accepted:
    rows = report.manifest_rows("earlier", Accepted())
    return Accepted.of(replace(row, name=renames.get(row.name, row.name)) for row in rows)


def test_the_same_pair_again_is_neither_a_fault_nor_new(folder: Folder) -> None:
    accepted = accepted_as(folder.check())
    folder.pair("d", 7)
    report = folder.check(accepted)
    assert report.ok
    assert [pair.name for pair in report.new_pairs(accepted)] == ["d"]


def test_an_accepted_name_with_another_picture_is_a_conflict(folder: Folder) -> None:
    accepted = accepted_as(folder.check())
    folder.pair("a", 7)
    report = folder.check(accepted)
    assert [(finding.rule, finding.files[0]) for finding in report.errors] == [("name_taken", "images/a.jpg")]
    assert report.new_pairs(accepted) == ()


def test_an_accepted_name_with_another_mask_is_a_conflict(folder: Folder) -> None:
    accepted = accepted_as(folder.check())
    folder.put("masks/a.png", mask((10, 10, 50, 40)))
    report = folder.check(accepted)
    assert [(finding.rule, finding.files[0]) for finding in report.errors] == [("name_taken", "masks/a.png")]


def test_an_accepted_picture_under_a_new_name_is_a_duplicate(folder: Folder) -> None:
    accepted = accepted_as(folder.check(), a="old")
    report = folder.check(accepted)
    assert [(finding.rule, finding.files) for finding in report.errors] == [("same_content", ("images/a.jpg",))]
    assert "old" in report.errors[0].message


def test_a_name_that_differs_from_an_accepted_one_in_capitals_is_a_conflict(folder: Folder) -> None:
    accepted = Accepted({"B": ("0" * 64, "1" * 64)})
    report = folder.check(accepted)
    assert [(finding.rule, finding.files) for finding in report.errors] == [("name_alike", ("images/b.jpg",))]


def test_manifest_rows_leave_out_bad_pairs_and_carry_the_side_of_their_content(folder: Folder) -> None:
    for seed in range(10, 20):
        folder.pair(f"n{seed}", seed)
    folder.put("masks/b.png", Image.new("L", SIZE))
    report = folder.check()
    rows = report.manifest_rows("20260101-120000", Accepted())
    assert report.bad_names == {"b"}
    assert [row.name for row in rows] == ["a", "c", *(f"n{seed}" for seed in range(10, 20))]
    assert len({row.split for row in rows}) > 1
    assert {row.drop for row in rows} == {"20260101-120000"}
    assert all(row.split == side(row.image_sha256) for row in rows)


# The folder itself


def test_a_missing_folder_says_what_a_drop_looks_like(tmp_path: Path) -> None:
    with pytest.raises(DropError, match=r"no folder .*nowhere: a drop is a folder with images/"):
        check_folder(tmp_path / "nowhere", "a-drop", Accepted())


@pytest.mark.parametrize("missing", ["images", "masks"])
def test_a_folder_without_its_two_parts_is_refused(tmp_path: Path, missing: str) -> None:
    Folder(tmp_path / "drop")
    (tmp_path / "drop" / missing).rmdir()
    with pytest.raises(DropError, match=f"has no folder {missing}/"):
        check_folder(tmp_path / "drop", "a-drop", Accepted())


def test_an_empty_drop_is_refused(tmp_path: Path) -> None:
    drop = Folder(tmp_path / "drop")
    drop.put("images/.DS_Store", b"x")
    with pytest.raises(EmptyDropError, match="both empty"):
        drop.check()


def test_a_linked_images_folder_is_refused(folder: Folder) -> None:
    (folder.path / "images").rename(folder.path.parent / "elsewhere")
    (folder.path / "images").symlink_to(folder.path.parent / "elsewhere")
    with pytest.raises(DropError, match="images is a link"):
        folder.check()


def test_progress_counts_every_picture_to_the_end(folder: Folder) -> None:
    told: list[tuple[int, int]] = []
    folder.check(on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_the_report_does_not_depend_on_the_number_of_threads(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    assert folder.check(workers=1).to_json() == folder.check(workers=4).to_json()
