"""Data quality of a drop: what people and their tools really write, and what becomes of it."""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.quality_folder import (
    JPEG,
    SIZE,
    SOFT,
    Folder,
    again,
    bomb,
    both,
    encoded,
    frames,
    heic_image,
    link,
    making,
    mask,
    outlined,
    photo,
    putting,
    removing,
    renamed,
    tagged,
    tinted,
    without_mask,
)
from wms_ml.catalogue import Accepted
from wms_ml.quality.rules import RULES


class Row(NamedTuple):
    """One kind of input: what is done to the drop, and the one finding it makes with words of message and remedy."""

    spoil: Callable[[Folder], None]
    rule: str = ""
    words: str = ""
    remedy: str = ""


A_IMAGE, A_MASK = "images/a.jpg", "masks/a.png"
ERRORS = {
    # Pairs and their names
    "an image without mask": Row(removing(A_MASK), "image_without_mask", "no a in masks/", "as masks/a.png"),
    "a mask without image": Row(removing(A_IMAGE), "mask_without_image", "no a in images/", "as images/a.jpg"),
    "partners that differ in capitals": Row(renamed(A_MASK, "masks/A.png"), "image_without_mask", "masks/A.png looks"),
    "a mask called x_mask": Row(renamed(A_MASK, "masks/a_mask.png"), "image_without_mask", "looks", "to masks/a.png"),
    "a mask called x.jpg.png": Row(renamed(A_MASK, "masks/a.jpg.png"), "image_without_mask", "looks", "masks/a.png"),
    "a mask called x (1)": Row(renamed(A_MASK, "masks/a (1).png"), "image_without_mask", "looks", "masks/a.png"),
    "a mask called x - Copy": Row(renamed(A_MASK, "masks/a - Copy.png"), "image_without_mask", "looks", "masks/a.png"),
    "a Roboflow mask": Row(renamed(A_MASK, "masks/a_jpg.rf.0a1b2c3d_mask.png"), "image_without_mask", "looks"),
    "a copied mask beside its original": Row(
        putting("masks/a (1).png", mask((9, 9, 58, 28))), "mask_without_image", "a has a mask already", "copy"
    ),
    "Labelme's JSON in place of the mask": Row(
        both(removing(A_MASK), putting("images/a.json", b"{}")), "image_without_mask", "only images/a.json", "export it"
    ),
    "a brush export of Label Studio": Row(
        without_mask("task-1-annotation-2-by-1-tag-window-0.png"), "mask_without_image", "no task-1-annotation-2"
    ),
    "two images of one name": Row(putting("images/a.png", photo(9)), "name_twice", "2 files"),
    "x.jpg beside x.JPEG": Row(putting("images/a.JPEG", JPEG), "name_twice", "2 files"),
    "names that differ in capitals": Row(lambda drop: drop.pair("A", 9), "name_alike", "A and a"),
    "the same picture under two names": Row(again, "same_content", "2 names"),
    # Files that are no usable picture
    "an empty file": Row(putting(A_IMAGE, b""), "undecodable", "empty", "copy it again"),
    "a truncated image": Row(putting(A_IMAGE, JPEG[: len(JPEG) // 2]), "undecodable", "truncated"),
    "a truncated mask": Row(putting(A_MASK, encoded(mask())[:-40]), "undecodable", "does not decode"),
    "a web page named .jpg": Row(putting(A_IMAGE, b"<html>not found</html>"), "undecodable", "known format"),
    "HEIC named .jpg": Row(putting(A_IMAGE, b"\0\0\0\x18ftypheic" + bytes(99)), "undecodable", "known format", "HEIC"),
    "a GIF named .png": Row(putting(A_MASK, encoded(mask(), "GIF")), "undecodable", "known format"),
    "a PNG named .jpg": Row(putting(A_IMAGE, photo(9)), "misnamed", "PNG"),
    "a JPEG mask named .png": Row(putting(A_MASK, encoded(mask(), "JPEG")), "misnamed", "content is JPEG"),
    "a picture of 81 megapixels": Row(putting(A_MASK, bomb(9_000)), "too_large", "81 megapixels"),
    "a bomb": Row(putting(A_MASK, bomb(90_000)), "too_large", "limit"),
    # Files that are something else
    "an iPhone picture": Row(heic_image, "unexpected_file", ".heic", "Most Compatible"),
    "a browser's .jfif": Row(renamed(A_IMAGE, "images/a.jfif"), "unexpected_file", "another name", "to images/a.jpg"),
    "a camera's .mpo": Row(renamed(A_IMAGE, "images/a.mpo"), "unexpected_file", "another name", "to images/a.jpg"),
    "a raw picture alone": Row(renamed(A_IMAGE, "images/a.dng"), "unexpected_file", ".dng are not read", "convert"),
    "a Photoshop mask": Row(renamed(A_MASK, "masks/a.psd"), "unexpected_file", ".psd are not read", "convert"),
    "a GIMP mask": Row(renamed(A_MASK, "masks/a.xcf"), "unexpected_file", ".xcf are not read", "convert"),
    "a zip among the images": Row(putting("images/all.zip", b"PK"), "unexpected_file", "not opened", "unpack"),
    "an unfinished download": Row(putting("images/z.crdownload", b"x"), "unexpected_file", ".crdownload", "remove"),
    "a file without ending": Row(putting("masks/labels", b"{}"), "unexpected_file", "(none)"),
    "a folder among the images": Row(making("images/2024"), "unexpected_file", "folder", "directly into images/"),
    "a pipe": Row(lambda drop: os.mkfifo(drop.path / "images/a.png"), "unexpected_file", "pipe"),
    "a link": Row(link, "link", "not followed"),
    "a hidden picture": Row(putting("images/.a.jpg", JPEG), "unsafe_name", "dot"),
    "a line break in a name": Row(putting("images/b\nc.jpg", JPEG), "unsafe_name", "invisible"),
    "a name that reads backwards": Row(putting("images/a\u202egpj.jpg", JPEG), "unsafe_name", "invisible"),
    "a name that is no UTF-8": Row(putting(os.fsdecode(b"images/\xff.jpg"), JPEG), "unsafe_name", "invisible"),
    "a backslash": Row(putting("images/b\\c.jpg", JPEG), "unsafe_name", "backslash"),
    "a space at the end of a name": Row(putting("images/z.jpg ", JPEG), "unsafe_name", "space"),
    # Masks
    "a mask of another size": Row(
        putting(A_MASK, mask(size=(120, 160))), "size_mismatch", "120 x 160", "full size"
    ),
    "a mask of a cropped image": Row(putting(A_MASK, mask(size=(240, 240))), "size_mismatch", "240 x 240", "exactly"),
    "a mask that ignores EXIF": Row(
        putting(A_IMAGE, encoded(photo(9), "JPEG", exif=tagged(6))), "size_mismatch", "(upright) 320 x 240", "turn"
    ),
    "a grey mask": Row(putting(A_MASK, mask(value=128)), "mask_not_binary", "100%"),
    "a mask of label numbers": Row(putting(A_MASK, mask(value=1)), "mask_not_binary", "label numbers", "as 255"),
    "a palette of label numbers": Row(putting(A_MASK, tinted((0, 0, 9))), "mask_not_binary", "label numbers"),
    "instance colours (VOC)": Row(putting(A_MASK, tinted((128, 0, 0))), "mask_not_binary", "coloured"),
    "a float TIFF of probabilities 0 to 1": Row(
        both(removing(A_MASK), putting("masks/a.tif", encoded(mask(value=1).convert("F"), "TIFF"))),
        "mask_not_binary",
        "label numbers",
    ),
    "a soft mask": Row(putting(A_MASK, SOFT), "mask_not_binary", "soft"),
    "a photograph as mask": Row(putting(A_MASK, photo(9)), "mask_not_binary", "neither black nor white"),
    "a black mask": Row(putting(A_MASK, Image.new("L", SIZE)), "mask_empty", "0 pixels"),
    "a 16-bit mask with 255 for white": Row(
        putting(A_MASK, Image.fromarray(np.asarray(mask(), dtype=np.uint16))), "mask_empty", "0 pixels", "65535"
    ),
    "a mask of 100 pixels": Row(putting(A_MASK, mask((0, 0, 9, 9))), "mask_empty", "100 pixels"),
    "an inverted mask": Row(putting(A_MASK, mask().point(lambda v: 255 - v)), "mask_covers_most", "99%", "invert"),
    "the mask again as image": Row(
        putting(A_IMAGE, encoded(mask(), "JPEG")), "image_black_white", "as masks are", "swap the two folders"
    ),
}  # fmt: skip

ACCEPTED = {
    "endings in capitals": renamed(A_IMAGE, "images/a.JPG"),
    ".jpeg": renamed(A_IMAGE, "images/a.jpeg"),
    "spaces and brackets in both names": both(renamed(A_IMAGE, "images/a (1).jpg"), renamed(A_MASK, "masks/a (1).png")),
    "a grey image": putting(A_IMAGE, encoded(photo(9).convert("L"), "JPEG")),
    "a CMYK image": putting(A_IMAGE, encoded(photo(9).convert("CMYK"), "JPEG")),
    "a progressive image": putting(A_IMAGE, encoded(photo(9), "JPEG", progressive=True)),
    "a phone's MPO named .jpg": putting(A_IMAGE, frames("MPO")),
    "an animated WebP": both(removing(A_IMAGE), putting("images/a.webp", frames("WEBP"))),
    "a TIFF of several pages": both(removing(A_IMAGE), putting("images/a.tif", frames("TIFF"))),
    "a screenshot with transparency": both(
        removing(A_IMAGE), putting("images/a.png", encoded(photo(9).convert("RGBA")))
    ),
    "an image stored turned": putting(
        A_IMAGE, encoded(photo(9).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=tagged(6))
    ),
    # No measure tells it from a sticker on the meter; the page shows every outline for that.
    "an image with the outline drawn in": putting(A_IMAGE, encoded(outlined(photo(9)), "JPEG")),
    **{
        f"a JPEG mask of quality {quality}": both(
            removing(A_MASK), putting("masks/a.jpg", encoded(mask(), "JPEG", quality=quality))
        )
        for quality in (100, 75, 40)
    },
    **{f"a mask of mode {mode}": putting(A_MASK, mask().convert(mode)) for mode in ("1", "P", "RGB", "RGBA", "LA")},
    "a mask that is transparent outside": putting(A_MASK, Image.merge("LA", (Image.new("L", SIZE, 255), mask()))),
    "a 16-bit mask": putting(A_MASK, Image.fromarray(np.asarray(mask(), dtype=np.uint16) * 257)),
    "a mask with a rim that is soft for a pixel": putting(A_MASK, mask((20, 30, 149, 79)).filter(ImageFilter.SMOOTH)),
    "what desktops leave behind": both(
        *(putting(f"images/{name}", b"x") for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._a.jpg")),
        making("masks/__MACOSX"),
    ),
}

NOTED = {
    "Labelme's JSON beside whole pairs": (putting("images/a.json", b"{}"), "1 file is passed over in images/: .json"),
    "CVAT's XML": (putting("masks/annotations.xml", b"<x/>"), ".xml"),
    "YOLO's labels": (both(*(putting(f"images/{name}.txt", b"0") for name in "abc")), "3 files are passed over"),
    "raw beside JPEG": (putting("images/a.dng", b"x"), ".dng"),
    "HEIC beside JPEG": (putting("images/a.heic", b"x"), ".heic"),
    "the layers of a mask": (putting("masks/a.psd", b"8BPS"), ".psd"),
    "the film of a live photo": (putting("images/a.MOV", b"x"), ".mov"),
    "an Android marker": (putting("images/.nomedia", b""), "hidden"),
}


@pytest.mark.parametrize("row", ERRORS.values(), ids=ERRORS.keys())
def test_bad_input_makes_one_finding_that_says_what_to_do(folder: Folder, row: Row) -> None:
    row.spoil(folder)
    report = folder.check()
    assert [finding.rule for finding in report.findings if finding.rule != "passed_over"] == [row.rule]
    (finding,) = report.errors
    assert row.words in finding.message
    assert row.remedy in finding.remedy
    assert finding.remedy
    assert finding.files
    assert not report.ok
    assert {"b", "c"} <= {pair.name for pair in report.new_pairs(Accepted())}


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_odd_input_that_is_fine_makes_no_finding(folder: Folder, make: Callable[[Folder], None]) -> None:
    make(folder)
    report = folder.check()
    assert report.findings == ()
    assert len(report.pairs) == 3
    assert {1000 <= pair.mask_pixels <= 7000 for pair in report.pairs} == {True}


@pytest.mark.parametrize(("make", "words"), NOTED.values(), ids=NOTED.keys())
def test_what_no_pair_is_lost_with_is_a_note(folder: Folder, make: Callable[[Folder], None], words: str) -> None:
    make(folder)
    report = folder.check()
    assert report.ok
    assert [(finding.rule, finding.severity.value) for finding in report.findings] == [("passed_over", "note")]
    assert words in report.findings[0].message
    assert len(report.usable) == 3


def test_every_error_has_a_bad_input() -> None:
    against_accepted = {"name_taken"}
    errors = {rule.name for rule in RULES if rule.severity.value == "error"}
    assert {row.rule for row in ERRORS.values()} | against_accepted == errors
