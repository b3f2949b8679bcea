"""What goes on and what is set aside, and the one sentence that says so."""

from dataclasses import replace
from pathlib import Path

from tests.quality_folder import Folder, again, heic_image, mask, photo
from wms_ml.catalogue import Accepted
from wms_ml.quality.report import Finding, Severity, quarantine
from wms_ml.quality.wording import verdict

WHOLE = Finding("drift", Severity.ERROR, (), "it is another world", "look at it")


def test_a_bad_pair_stops_a_drop_and_a_quarantine_lets_the_others_go_on(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    report = folder.check()
    assert not report.ok
    assert report.set_aside == ()
    aside = quarantine(report)
    assert aside.ok
    assert aside.set_aside == ("b",)
    assert aside.errors == report.errors
    assert [pair.name for pair in aside.new_pairs(Accepted())] == ["a", "c"]


def test_half_pairs_are_set_aside(folder: Folder) -> None:
    folder.remove("masks/a.png")
    folder.remove("images/b.jpg")
    assert quarantine(folder.check()).set_aside == ("a", "b")


def test_a_stray_file_is_set_aside_and_the_pair_beside_it_goes_on(folder: Folder) -> None:
    folder.put("images/notes.docx", b"x")
    folder.put("images/a.zip", b"x")
    report = quarantine(folder.check())
    assert report.ok
    assert report.set_aside == ()
    assert report.set_aside_strays == ("images/a.zip", "images/notes.docx")
    assert len(report.usable) == 3


def test_an_ending_alone_is_no_name_of_a_pair(folder: Folder) -> None:
    hidden = Finding("unsafe_name", Severity.ERROR, ("images/.jpg",), "it is hidden", "rename it")
    report = quarantine(replace(folder.check(), findings=(hidden,)))
    assert (report.set_aside, report.set_aside_strays) == ((), ("images/.jpg",))


def test_an_image_that_cannot_be_read_is_set_aside_with_its_mask_as_one_pair(folder: Folder) -> None:
    heic_image(folder)
    report = quarantine(folder.check())
    assert report.set_aside == ("a",)
    assert report.set_aside_strays == ()


def test_of_two_names_for_one_picture_both_are_set_aside(folder: Folder) -> None:
    again(folder)
    assert quarantine(folder.check()).set_aside == ("a", "z")


def test_a_name_with_two_files_is_set_aside_once(folder: Folder) -> None:
    folder.put("images/a.png", photo(9))
    assert quarantine(folder.check()).set_aside == ("a",)


def test_an_error_about_the_drop_as_a_whole_cannot_be_set_aside(folder: Folder) -> None:
    folder.remove("masks/a.png")
    checked = folder.check()
    report = quarantine(replace(checked, findings=(*checked.findings, WHOLE)))
    assert not report.ok
    assert report.stops == (WHOLE,)
    assert report.set_aside == ()
    assert verdict(report) == "The drop as a whole cannot be used"


def test_a_drop_without_one_good_pair_is_stopped_in_quarantine_too(folder: Folder) -> None:
    for name in "abc":
        folder.remove(f"masks/{name}.png")
    report = quarantine(folder.check())
    assert not report.ok
    assert report.set_aside == ()
    assert verdict(report) == "3 of 3 pairs cannot be used"


def test_a_clean_drop_is_the_same_in_quarantine(folder: Folder) -> None:
    report = quarantine(folder.check())
    assert report.ok
    assert report.set_aside == ()
    assert verdict(report) == "All 3 pairs can be used"


# The verdict


def test_the_verdict_counts_pairs_and_not_stray_files(folder: Folder) -> None:
    assert verdict(folder.check()) == "All 3 pairs can be used"
    folder.put("images/notes.docx", b"x")
    assert verdict(folder.check()) == "1 entry must be removed, then all pairs can be used"
    folder.remove("masks/a.png")
    assert verdict(folder.check()) == "1 of 3 pairs cannot be used"


def test_the_verdict_of_a_quarantine_says_what_goes_on(folder: Folder) -> None:
    folder.put("images/notes.docx", b"x")
    assert verdict(quarantine(folder.check())) == "1 other entry set aside, 3 pairs go on"
    folder.remove("masks/a.png")
    assert verdict(quarantine(folder.check())) == "1 pair and 1 other entry set aside, 2 go on"
    folder.remove("images/notes.docx")
    folder.remove("masks/b.png")
    assert verdict(quarantine(folder.check())) == "2 pairs set aside, 1 goes on"


def test_a_drop_of_stray_files_alone_has_no_pair(tmp_path: Path) -> None:
    drop = Folder(tmp_path / "drop")
    drop.put("images/notes.docx", b"x")
    report = replace(drop.check(), findings=())
    assert verdict(report) == "There is no pair in it"
    assert not report.ok
    assert not quarantine(report).ok
