"""Data quality of a drop as a whole: its folder, its measures, and what the data set holds already."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests import builders
from tests.quality_folder import SIZE, Folder, encoded, heic_image, mask, photo
from wms_ml.catalogue import Accepted
from wms_ml.errors import DropError, EmptyDropError
from wms_ml.quality.check import check_folder
from wms_ml.quality.report import Report
from wms_ml.quality.thresholds import Thresholds
from wms_ml.quality.worker import Limits
from wms_ml.split import side


def test_measures_say_what_the_files_hold(folder: Folder) -> None:
    pair = folder.check().pairs[0]
    assert (pair.width, pair.height, pair.orientation) == (*SIZE, 1)
    assert (pair.image, pair.image_format, pair.mask, pair.mask_format) == (
        "images/a.jpg",
        "JPEG",
        "masks/a.png",
        "PNG",
    )
    assert pair.mask_pixels == 1000
    assert pair.coverage == pytest.approx(1000 / (SIZE[0] * SIZE[1]))
    assert pair.grey_share == 0
    assert 110 < pair.brightness < 145
    assert pair.sharpness > 1000


def test_a_mask_of_101_pixels_is_enough(folder: Folder) -> None:
    drawn = mask((0, 0, 9, 9))
    drawn.putpixel((10, 0), 255)
    folder.put("masks/a.png", drawn)
    assert folder.check().ok


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


def test_a_mask_that_two_images_may_mean_is_given_to_neither(folder: Folder) -> None:
    for seed, name in enumerate(("n 1", "n_1")):
        folder.put(f"images/{name}.jpg", encoded(photo(20 + seed), "JPEG"))
    folder.put("masks/n-1.png", mask())
    assert [finding.rule for finding in folder.check().errors] == [*["image_without_mask"] * 2, "mask_without_image"]


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
    assert [(finding.rule, finding.files) for finding in report.findings] == [("same_content", ("images/a.jpg",))]
    assert "old" in report.errors[0].message


def test_a_name_that_differs_from_an_accepted_one_in_capitals_is_a_conflict(folder: Folder) -> None:
    accepted = Accepted.of([builders.pair("B")])
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


def test_the_report_does_not_depend_on_the_number_of_processes(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    assert folder.check(limits=Limits(workers=1)).to_json() == folder.check(limits=Limits(workers=4)).to_json()
