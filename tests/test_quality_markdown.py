"""The report as Markdown and on a terminal: short, verdict first or last, and strangers' names are only text in it."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tests.quality_folder import JPEG, Folder, encoded, mask, photo
from wms_ml.quality.markdown import check_details, markdown
from wms_ml.quality.report import Finding, Report, Severity, quarantine
from wms_ml.quality.terminal import show

HOSTILE = "<img src=x onerror=alert(1)>&\"'`|`` **@team**"
GITHUB_LIMIT = 65_536


def halves(folder: Folder, number: int) -> Report:
    for index in range(number):
        folder.put(f"images/n{index:03}.jpg", encoded(photo(100 + index), "JPEG"))
    return folder.check()


# For pull requests


def test_the_table_of_a_clean_drop_is_its_verdict(folder: Folder) -> None:
    assert markdown(folder.check()) == "**All 3 pairs can be used** (6 files, 0 errors, 0 warnings)\n"


def test_the_verdict_stands_first_then_the_counts_then_the_findings(folder: Folder) -> None:
    folder.remove("masks/a.png")
    folder.put("masks/b.png", mask(value=128))
    lines = markdown(folder.check()).splitlines()
    assert lines[0].startswith("**2 of 3 pairs cannot be used**")
    assert lines[4:6] == ["| 🔴 error | Image without a mask | 1 |", "| 🔴 error | Mask is not black and white | 1 |"]
    assert "`images/a.jpg`" in lines[9]


def test_a_rule_fills_at_most_five_rows(folder: Folder) -> None:
    text = markdown(halves(folder, 40))
    assert text.count("| 🔴 error | `images/n") == 5
    assert "| 🔴 error | Image without a mask | 40 |" in text
    assert "… and 35 more, in the full report." in text


def test_what_is_set_aside_is_marked(folder: Folder) -> None:
    folder.remove("masks/a.png")
    text = markdown(quarantine(folder.check()))
    assert text.startswith("**1 pair set aside, 2 go on**")
    assert text.count("🔴 error, set aside") == 2


def test_hostile_names_are_only_text_in_the_table(folder: Folder) -> None:
    folder.put(f"images/{HOSTILE}.jpg", JPEG)
    row = markdown(folder.check()).splitlines()[-1]
    bare = row.replace("\\|", "")
    assert bare.count("|") == 5
    assert f"``` images/{HOSTILE.replace('|', chr(92) + '|')}.jpg ```" in row
    assert "\\<img" in row
    assert "@team" not in row.split("```")[2]


@pytest.mark.parametrize("name", ["#123", "www.evil.com", "@team", "http://evil.com", "GH www.a.b", "$x$"])
def test_words_call_nobody_in_and_link_nowhere(folder: Folder, name: str) -> None:
    fault = Finding("odd", Severity.ERROR, (), f"there is no {name} in masks/", f"leave out {name}")
    row = markdown(replace(folder.check(), findings=(fault,))).splitlines()[-1]
    assert name not in row
    assert name in row.replace("\u200b", "").replace("\\", "")


@pytest.mark.parametrize("character", ["x", "|", "`", "@", "水", "\U0001f4a7"])
def test_the_text_fits_into_a_comment_whatever_comes(folder: Folder, character: str) -> None:
    long = character * 5_000
    faults = tuple(
        Finding(f"{long}{index}", Severity.ERROR, (f"images/{long}.jpg",) * 10, long, long) for index in range(500)
    )
    text = markdown(replace(folder.check(), findings=faults))
    assert len(text.encode()) < GITHUB_LIMIT
    assert "500 errors" in text


# For a check in the UI


def test_the_details_of_a_check_are_a_table_and_pictures(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    report = folder.check()
    text = check_details(report, "mask_not_binary", folder.path)
    assert "`masks/b.png`" in text
    assert "| `images/b.jpg`<br>image, window outlined | `masks/b.png`<br>mask |\n|---|---|\n| ![" in text
    assert text.count("](data:image/jpeg;base64,") == 2
    assert "data:" not in check_details(report, "mask_not_binary")


def test_a_check_that_found_nothing_has_no_details(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    assert check_details(folder.check(), "mask_empty", folder.path) == ""


def test_the_details_stay_small_with_few_pictures(folder: Folder) -> None:
    for index in range(6):
        folder.put(f"images/n{index}.jpg", encoded(photo(index, (900, 1200)), "JPEG"))
    folder.put("images/a.png", photo(1))
    text = check_details(folder.check(), "image_without_mask", folder.path)
    assert text.count("](data:image/jpeg;base64,") == 4
    assert len(text.encode()) < 200_000


# On a terminal


def shown(report: Report, terminal: bool = False) -> str:
    buffer = io.StringIO()
    show(
        report, Console(file=buffer, force_terminal=terminal, width=80, color_system="standard" if terminal else "auto")
    )
    return buffer.getvalue()


def test_many_findings_of_a_rule_are_a_few_lines(folder: Folder) -> None:
    text = shown(halves(folder, 60))
    assert "Image without a mask  60 errors" in text
    assert "… and 55 more" in text
    assert len(text.splitlines()) < 20
    assert text.splitlines()[-1] == "60 of 63 pairs cannot be used (66 files, 60 errors, 0 warnings)"


def test_a_remedy_that_all_findings_share_is_said_once(folder: Folder) -> None:
    faults = tuple(Finding("odd", Severity.ERROR, (f"images/{name}.jpg",), "it is odd", "mend it") for name in "abc")
    assert shown(replace(folder.check(), findings=faults)).count("→ mend it") == 1


def test_colours_are_for_terminals(folder: Folder) -> None:
    report = halves(folder, 1)
    assert "\x1b[" in shown(report, terminal=True)
    assert "\x1b[" not in shown(report)


def test_a_log_keeps_one_sentence_in_one_line(folder: Folder) -> None:
    folder.put(f"images/{'long-' * 30}.jpg", JPEG)
    assert f"  images/{'long-' * 30}.jpg: there is no {'long-' * 30} in masks/" in shown(folder.check()).splitlines()


def test_names_cannot_command_the_terminal(folder: Folder) -> None:
    fault = Finding("odd", Severity.ERROR, ("images/[red]a\x1b[2J\u202e.jpg",), "it says \x1b]0;x\x07", "mend\rit")
    text = shown(replace(folder.check(), findings=(fault,)))
    assert "images/[red]a\ufffd[2J\ufffd.jpg" in text
    assert not set(text) & set("\x1b\x07\r\u202e")


def test_a_quarantine_says_what_goes_on(folder: Folder) -> None:
    text = shown(quarantine(halves(folder, 2)))
    assert "2 errors, set aside" in text
    assert text.splitlines()[-1].startswith("2 pairs set aside, 3 go on")
