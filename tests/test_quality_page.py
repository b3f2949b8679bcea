"""The report as a page: findings first, safe whatever it shows, never too big, and no file opened that failed."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from tests.quality_folder import JPEG, Folder, encoded, mask, photo
from wms_ml.profile import Profile
from wms_ml.quality.figures import Gallery
from wms_ml.quality.page import page
from wms_ml.quality.report import Finding, Severity, quarantine

HOSTILE = "<img src=x onerror=alert(1)>&\"'`|`` **@team**"
PICTURE = "data:image/jpeg;base64,"


class Seen(HTMLParser):
    """What a browser would make of a page: tags with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def finding(rule: str, *files: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(rule, severity, files, "it is odd", "mend it")


def test_the_page_shows_a_finding_with_its_pictures_and_the_good_pairs(folder: Folder) -> None:
    folder.put("masks/b.png", mask().point(lambda v: 255 - v))
    html = page(folder.check(), folder.path)
    assert "1 of 3 pairs cannot be used" in html
    assert "Mask covers most of the picture" in html
    assert "invert it" in html
    outlined_and_mask, good = 2, 2
    assert html.count(PICTURE) == outlined_and_mask + good


def test_findings_come_before_the_good_pairs_and_errors_first(folder: Folder) -> None:
    folder.remove("masks/b.png")
    report = folder.check()
    html = page(replace(report, findings=(finding("odd", "images/a.jpg"), *report.findings)), folder.path)
    assert html.index("<span>Good pairs</span> <span") > html.index("odd</span> <span")
    assert html.index("odd</span> <span") > html.index("Image without a mask</span> <span")


def test_near_duplicates_are_shown_side_by_side_with_their_names(folder: Folder) -> None:
    report = replace(folder.check(), findings=(finding("near", "images/a.jpg", "images/b.jpg"),))
    card = page(report, folder.path).split('<li class="card')[1].split("</li>")[0]
    assert card.count(PICTURE) == 2
    assert card.count("image, window outlined</figcaption>") == 2
    assert [name in card for name in ("a.jpg", "b.jpg")] == [True, True]


def test_every_finding_has_its_card(folder: Folder) -> None:
    report = replace(folder.check(), findings=tuple(finding("blur", f"images/{name}.jpg") for name in "abc"))
    assert page(report, folder.path).count('<li class="card') == 3


def test_every_severity_and_rule_that_found_something_has_its_filter(folder: Folder) -> None:
    folder.remove("masks/b.png")
    report = folder.check()
    html = page(replace(report, findings=(*report.findings, finding("odd", "images/a.jpg"))), folder.path)
    radios = [each["id"] for each in Seen(html).of("input")]
    assert radios == ["view-all", "view-error", "view-rule-1", "view-warning", "view-rule-2", "view-good"]
    assert all(f"#{radio}:checked" in html for radio in radios[1:])
    labels = {each["for"] for each in Seen(html).of("label") if "for" in each}
    assert labels <= set(radios)


def test_good_pairs_with_a_warning_are_counted_once(folder: Folder) -> None:
    faults = (finding("odd", "images/a.jpg"), finding("strange", "masks/a.png", "images/b.jpg"))
    html = page(replace(folder.check(), findings=faults), folder.path)
    assert "<b>2</b> of them to look at" in html
    assert "of them to look at" not in page(folder.check(), folder.path)


def test_a_clean_drop_needs_no_filter(folder: Folder) -> None:
    assert Seen(page(folder.check(), folder.path)).of("form") == []


def test_what_is_set_aside_is_marked_and_still_an_error(folder: Folder) -> None:
    folder.remove("masks/b.png")
    report = folder.check()
    mark = '<span class="badge">set aside</span>'
    assert mark not in page(report, folder.path)
    html = page(quarantine(report), folder.path)
    assert mark in html
    assert "1 pair set aside, 2 go on" in html
    assert 'class="rule error"' in html


def test_a_finding_about_the_whole_drop_says_so(folder: Folder) -> None:
    report = replace(folder.check(), findings=(finding("drift"),))
    assert "The drop as a whole" in page(report, folder.path)


# Hostile drops


def test_hostile_names_are_only_text_in_the_page(folder: Folder) -> None:
    folder.pair(HOSTILE, 9)
    folder.put(f"images/{HOSTILE}2.jpg", JPEG)
    report = replace(folder.check(), drop="</title><script>alert(1)</script>")
    html = page(replace(report, findings=(*report.findings, finding("</style><b>", "images/a.jpg"))), folder.path)
    seen = Seen(html)
    assert "<img src=x onerror=alert(1)>" in seen.text
    assert "</title><script>alert(1)</script>" in seen.text
    assert seen.of("script") == []


def test_the_page_refers_to_nothing_outside_and_allows_no_script(folder: Folder) -> None:
    folder.remove("masks/b.png")
    seen = Seen(page(folder.check(), folder.path))
    attributes = [each for _, tag in seen.tags for each in tag.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("action", "srcset", "background")]
    references = [value or "" for name, value in attributes if name in ("src", "href")]
    assert references
    assert all(each.startswith(("data:image/jpeg;", "#")) for each in references)
    policy = next(each["content"] for each in seen.of("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert policy
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert "url(" not in page(folder.check(), folder.path)


def test_the_page_is_made_of_broken_files_too(folder: Folder) -> None:
    folder.put("images/a.jpg", JPEG[: len(JPEG) // 2])
    folder.remove("masks/a.png")
    (folder.path / "masks/a.png").symlink_to(folder.path / "masks/b.png")
    html = page(folder.check(), folder.path)
    assert "truncated" in html
    assert html.count(PICTURE) == 2


# Size


def test_a_page_of_many_findings_stays_below_10_megabytes(folder: Folder) -> None:
    for seed, name in enumerate("xyz"):
        folder.put(f"images/{name}.jpg", encoded(photo(seed + 50, (280, 280)), "JPEG"))
        folder.put(f"masks/{name}.png", mask(size=(280, 280)))
    pictures = ("images/x.jpg", "images/y.jpg", "images/z.jpg")
    faults = tuple(finding(f"rule {index % 10}", *pictures) for index in range(20_000))
    report = replace(folder.check(), findings=faults)
    html = page(report, folder.path)
    assert len(html.encode()) < 10_000_000
    assert "more, in the JSON report" in html
    assert html.count("<li>") < 5_000
    pictured = [section for section in html.split("<section")[1:11] if PICTURE in section]
    assert len(pictured) == 10


def test_one_finding_shows_at_most_4_pictures_and_8_names(folder: Folder) -> None:
    for index in range(10):
        folder.pair(f"n{index}", 20 + index)
    fault = finding("odd", *(f"images/n{index}.jpg" for index in range(10)))
    report = replace(folder.check(), findings=(fault,))
    assert len(Gallery(report, folder.path).of_finding(fault)) == 4
    mixed = finding("odd", "images/a.jpg", "images/b.jpg", "images/c.jpg", "masks/n0.png")
    assert len(Gallery(report, folder.path).of_finding(mixed)) == 4
    card = page(report, folder.path).split('<li class="card')[1].split("</li>")[0]
    assert card.count("<code>") == 8
    assert "and 2 more" in card


def test_a_drop_without_a_whole_pair_has_a_page_without_strips(tmp_path: Path) -> None:
    drop = Folder(tmp_path / "drop")
    drop.put("images/notes.docx", b"x")
    html = page(drop.check(), drop.path)
    assert "There is no pair in it" in html
    assert "How the pairs are spread" not in html


def test_the_page_names_the_thresholds(folder: Folder) -> None:
    html = page(folder.check(), folder.path)
    assert "max coverage" in html
    assert "64,000,000" in html


def test_pictures_that_are_gone_leave_the_words(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    report = folder.check()
    html = page(report, folder.path.parent / "nowhere")
    assert PICTURE not in html
    assert "masks/b.png" in html


def test_the_accepted_data_are_named_with_their_number(folder: Folder) -> None:
    report = folder.check()
    assert "accepted data, 3 pairs" in page(report, folder.path, Profile.of(report.pairs))
    assert "accepted data" not in page(report, folder.path)
