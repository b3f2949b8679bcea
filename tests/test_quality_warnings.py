"""What people should look at: warnings are found where they are due, and stop nothing."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tests import builders
from tests.quality_folder import SIZE, Folder, encoded, making, mask, photo, putting, window
from wms_ml.catalogue import Accepted
from wms_ml.quality.report import Report
from wms_ml.quality.rules import RULES


def scene(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Soft shapes and fine grain, as pictures have; each seed looks different from afar."""
    random = np.random.default_rng(seed)
    shapes = Image.fromarray(random.integers(0, 255, (8, 6, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(shapes, photo(seed, size), 0.3)


def jpeg(picture: Image.Image, quality: int = 95) -> bytes:
    return encoded(picture, "JPEG", quality=quality)


def pair(name: str, image: Image.Image, drawn: Image.Image | None = None) -> Callable[[Folder], None]:
    def make(drop: Folder) -> None:
        drop.put(f"images/{name}.jpg", jpeg(image))
        drop.put(f"masks/{name}.png", drawn or mask(size=image.size))

    return make


def flat(brightness: int, spread: int) -> Image.Image:
    noise = np.random.default_rng(1).integers(-spread, spread + 1, (SIZE[1], SIZE[0]))
    return Image.fromarray((brightness + noise).clip(0, 255).astype(np.uint8))


TWO_AREAS = Image.fromarray(np.maximum(np.asarray(mask()), np.asarray(mask((20, 100, 69, 119)))))
LOOK = {
    "a lens cap": (pair("a", flat(8, 5)), "too_dark", "brightness is 8 of 255"),
    "a picture into the sun": (pair("a", flat(240, 15)), "too_bright", "of 255"),
    "fog": (pair("a", flat(120, 10)), "low_contrast", "spread by"),
    "a shaken picture": (pair("a", scene(9).filter(ImageFilter.GaussianBlur(6))), "blur", "sharpness"),
    "a thumbnail": (pair("a", scene(9, (120, 160))), "unusual_resolution", "thumbnail"),
    "a panorama": (pair("a", scene(9, (1000, 300))), "unusual_resolution", "3.3 times"),
    "a window of 110 pixels": (pair("a", scene(9), mask((0, 0, 10, 9))), "unusual_coverage", "14 times less"),
    "the whole dial": (pair("a", scene(9), mask((20, 30, 199, 199))), "unusual_coverage", "20 times as much"),
    "a second meter": (pair("a", scene(9), TWO_AREAS), "several_pieces", "2 separate areas"),
    "the mask of another image": (putting("masks/a.png", window(1)), "same_mask", "2 images"),
    "another folder": (making("labels"), "outside", "nothing in this folder"),
    "an image beside images/": (putting("z.jpg", b"x"), "outside", "not looked at"),
    "the archive it came in": (putting("all.zip", b"x"), "outside", "not opened"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "rule", "words"), LOOK.values(), ids=LOOK.keys())
def test_odd_input_is_one_warning_and_goes_on(
    folder: Folder, make: Callable[[Folder], None], rule: str, words: str
) -> None:
    make(folder)
    report = folder.check()
    assert [(finding.rule, finding.severity.value) for finding in report.findings] == [(rule, "warning")]
    assert words in report.findings[0].message
    assert report.findings[0].remedy
    assert report.ok
    assert len(report.usable) == 3


def test_every_warning_has_an_odd_input() -> None:
    in_company = {"near_duplicate", "drift"}
    warnings = {rule.name for rule in RULES if rule.severity.value == "warning"}
    assert {rule for _, rule, _ in LOOK.values()} | in_company == warnings


# Near-duplicates

ALIKE = {
    "saved again": lambda picture: Image.open(stored(jpeg(picture, 40))),
    "at half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "a little brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.05),
    "without colours": lambda picture: picture.convert("L"),
}


def stored(data: bytes) -> io.BytesIO:
    return io.BytesIO(data)


@pytest.mark.parametrize("change", ALIKE.values(), ids=ALIKE.keys())
def test_a_picture_saved_in_another_way_is_a_near_duplicate(
    folder: Folder, change: Callable[[Image.Image], Image.Image]
) -> None:
    picture = scene(50, (480, 640))
    pair("x", picture)(folder)
    pair("y", change(picture))(folder)
    assert found(folder.check(), "near_duplicate") == [("images/x.jpg", "images/y.jpg")]


def test_three_alike_are_one_finding_until_they_are_accepted(folder: Folder) -> None:
    for seed, quality in enumerate((95, 70, 40)):
        folder.put(f"images/n{quality}.jpg", jpeg(scene(50), quality))
        folder.put(f"masks/n{quality}.png", window(seed + 9))
    report = folder.check()
    assert found(report, "near_duplicate") == [("images/n40.jpg", "images/n70.jpg", "images/n95.jpg")]
    assert folder.check(Accepted.of(report.manifest_rows("earlier", Accepted()))).findings == ()


def test_a_picture_that_is_accepted_in_another_way_is_a_near_duplicate(folder: Folder) -> None:
    pair("x", scene(50), window(60))(folder)
    accepted = Accepted.of(folder.check().manifest_rows("earlier", Accepted()))
    folder.remove("images/x.jpg")
    folder.remove("masks/x.png")
    folder.put("images/y.jpg", jpeg(scene(50), 60))
    folder.put("masks/y.png", window(30))
    (finding,) = folder.check(accepted).findings
    assert (finding.rule, finding.files) == ("near_duplicate", ("images/y.jpg",))
    assert "accepted pair x" in finding.message


def test_the_mask_of_an_accepted_image_is_told_too(folder: Folder) -> None:
    accepted = Accepted.of(folder.check().manifest_rows("earlier", Accepted()))
    pair("x", scene(50), window(1))(folder)
    (finding,) = folder.check(accepted).findings
    assert (finding.rule, finding.files) == ("same_mask", ("masks/b.png", "masks/x.png"))
    folder.remove("images/b.jpg")
    folder.remove("masks/b.png")
    assert folder.check(accepted).findings[0].message == "the accepted pair b has the very same mask"


def test_a_picture_saved_again_under_its_own_name_is_a_conflict_and_nothing_else(folder: Folder) -> None:
    pair("x", scene(50), window(60))(folder)
    accepted = Accepted.of(folder.check().manifest_rows("earlier", Accepted()))
    folder.put("images/x.jpg", jpeg(scene(50), 60))
    folder.put("masks/x.png", window(61))
    assert [finding.rule for finding in folder.check(accepted).findings] == ["name_taken"]


def test_accepted_pairs_that_share_a_mask_are_not_told_again(folder: Folder) -> None:
    folder.put("masks/a.png", window(1))
    accepted = Accepted.of(folder.check().manifest_rows("earlier", Accepted()))
    assert folder.check(accepted).findings == ()


def test_what_is_accepted_already_is_no_near_duplicate_of_itself(folder: Folder) -> None:
    accepted = Accepted.of(folder.check().manifest_rows("earlier", Accepted()))
    assert folder.check(accepted).findings == ()


def test_a_hash_that_is_alike_by_chance_is_no_near_duplicate_in_another_light(folder: Folder) -> None:
    (measured,) = (each for each in folder.check().pairs if each.name == "a")
    other = builders.pair("old", mask="1" * 64)
    for brightness, expected in ((measured.brightness, 1), (measured.brightness - 30, 0)):
        row = replace(other, phash=measured.phash, brightness=brightness, contrast=measured.contrast)
        assert len(folder.check(Accepted.of([row])).warnings) == expected


def found(report: Report, rule: str) -> list[tuple[str, ...]]:
    return [finding.files for finding in report.findings if finding.rule == rule]
