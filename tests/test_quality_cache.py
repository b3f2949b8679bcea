"""What was read once is not decoded again, and what is remembered vouches for nothing but the same bytes."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.quality_folder import JPEG, SIZE, Folder, encoded, mask, photo
from wms_ml.pairs import Pair
from wms_ml.quality.inspection import Broken
from wms_ml.quality.ledger import Ledger
from wms_ml.quality.listing import Kind, list_drop
from wms_ml.quality.report import row_of
from wms_ml.quality.survey import Survey, survey
from wms_ml.quality.thresholds import Thresholds
from wms_ml.quality.worker import Limits


class Pairs:
    """Accepted pairs that can be asked for by content."""

    def __init__(self, *pairs: Pair) -> None:
        self.pairs = pairs

    def holding(self, sha256s: Iterable[str]) -> list[Pair]:
        wanted = set(sha256s)
        return [pair for pair in self.pairs if {pair.image_sha256, pair.mask_sha256} & wanted]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Three good pairs: a, b, c."""
    drop = Folder(tmp_path / "drop")
    for seed, name in enumerate("abc"):
        drop.pair(name, seed)
        drop.put(f"masks/{name}.png", mask((10, 10, 50, 40 + seed)))
    return drop


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "home" / "readings.sqlite")


def look(folder: Folder, ledger: Ledger | None = None, accepted: Pairs | None = None, **options: object) -> Survey:
    pictures = [file for file in list_drop(folder.path) if file.kind is Kind.PICTURE]
    thresholds = Thresholds(**options)  # type: ignore[arg-type]
    return survey(pictures, accepted or Pairs(), thresholds, ledger)


def test_nothing_is_decoded_the_second_time(folder: Folder, ledger: Ledger) -> None:
    first, second = look(folder, ledger), look(folder, ledger)
    assert (first.decoded, second.decoded) == (6, 0)
    assert second.inspected == first.inspected


def test_the_report_is_the_same_from_what_is_remembered(folder: Folder, ledger: Ledger) -> None:
    folder.put("images/a.jpg", JPEG[:400])
    folder.put("masks/b.png", mask(value=128))
    assert folder.check().to_json() == folder.check(ledger=ledger).to_json() == folder.check(ledger=ledger).to_json()


def test_one_changed_file_costs_one_decoding(folder: Folder, ledger: Ledger) -> None:
    look(folder, ledger)
    folder.put("images/b.jpg", encoded(photo(9), "JPEG"))
    assert look(folder, ledger).decoded == 1


def test_a_file_under_another_name_is_known(folder: Folder, ledger: Ledger) -> None:
    look(folder, ledger)
    (folder.path / "images/a.jpg").rename(folder.path / "images/z.jpg")
    found = look(folder, ledger)
    assert found.decoded == 0
    assert found.inspected["images/z.jpg"].file.name == "z"


def test_the_ending_is_judged_anew(folder: Folder, ledger: Ledger) -> None:
    look(folder, ledger)
    (folder.path / "images/a.jpg").rename(folder.path / "images/a.png")
    found = look(folder, ledger)
    broken = found.inspected["images/a.png"]
    assert found.decoded == 0
    assert isinstance(broken, Broken)
    assert broken.code == "misnamed"


def test_the_same_content_twice_is_decoded_once(folder: Folder) -> None:
    folder.put("images/z.jpg", (folder.path / "images/a.jpg").read_bytes())
    assert look(folder).decoded == 6


def test_an_image_that_comes_as_a_mask_is_read_as_one(folder: Folder, ledger: Ledger) -> None:
    look(folder, ledger)
    folder.put("masks/z.jpg", (folder.path / "images/a.jpg").read_bytes())
    assert look(folder, ledger).decoded == 1


def test_a_file_that_is_gone_is_not_vouched_for(folder: Folder, ledger: Ledger) -> None:
    look(folder, ledger)
    folder.remove("masks/a.png")
    assert "masks/a.png" not in look(folder, ledger).inspected
    assert [finding.rule for finding in folder.check(ledger=ledger).errors] == ["image_without_mask"]


def test_broken_files_are_remembered_as_broken(folder: Folder, ledger: Ledger) -> None:
    folder.put("images/a.jpg", JPEG[:400])
    first, second = look(folder, ledger), look(folder, ledger)
    assert second.decoded == 0
    assert isinstance(first.inspected["images/a.jpg"], Broken)
    assert second.inspected == first.inspected


def test_what_was_too_costly_is_tried_again(folder: Folder, ledger: Ledger) -> None:
    folder.put("images/a.png", Image.new("RGB", (5000, 5000)))
    small = Limits(memory_bytes=60_000_000)
    pictures = [file for file in list_drop(folder.path) if file.kind is Kind.PICTURE]
    refused = survey(pictures, Pairs(), Thresholds(), ledger, small).inspected["images/a.png"]
    again = survey(pictures, Pairs(), Thresholds(), ledger)
    assert isinstance(refused, Broken)
    assert refused.code == "too-costly"
    assert again.decoded == 1
    assert not isinstance(again.inspected["images/a.png"], Broken)


@pytest.mark.parametrize("option", [{"grey_tolerance": 40}, {"max_pixels": 50_000_000}], ids=str)
def test_a_threshold_that_measuring_depends_on_decodes_again(
    folder: Folder, ledger: Ledger, option: dict[str, int]
) -> None:
    look(folder, ledger)
    assert look(folder, ledger, **option).decoded == 6


def test_a_threshold_that_only_judges_decodes_nothing(folder: Folder, ledger: Ledger) -> None:
    look(folder, ledger)
    assert look(folder, ledger, max_coverage=0.01, min_mask_pixels=7, max_grey_share=0.5).decoded == 0


def test_another_version_of_the_measuring_decodes_again(
    folder: Folder, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(folder, ledger)
    monkeypatch.setattr("wms_ml.quality.inspection.VERSION", "next")
    assert look(folder, ledger).decoded == 6


# Accepted pairs


def accepted(folder: Folder, **changes: object) -> Pairs:
    return Pairs(*(replace(row_of(pair, "earlier", "train"), **changes) for pair in folder.check().pairs))


def test_accepted_pairs_are_not_decoded_again(folder: Folder) -> None:
    known = accepted(folder)
    folder.pair("d", 7)
    found = look(folder, accepted=known)
    assert found.decoded == 2
    assert found.inspected == look(folder).inspected


def test_pairs_that_were_measured_otherwise_are_decoded_again(folder: Folder) -> None:
    assert look(folder, accepted=accepted(folder, measured="0-48")).decoded == 6
    assert look(folder, accepted=accepted(folder), grey_tolerance=40).decoded == 6


def test_an_accepted_pair_above_the_limit_of_today_is_decoded_again(folder: Folder) -> None:
    found = look(folder, accepted=accepted(folder), max_pixels=SIZE[0] * SIZE[1] - 1)
    assert {each.code for each in found.inspected.values() if isinstance(each, Broken)} == {"too-large"}
    assert len(found.inspected) == found.decoded == 6
