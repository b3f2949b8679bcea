"""Reading one picture: the same figures by either decoder, and Pillow's word on what is accepted."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.quality_folder import SIZE, encoded, mask, tagged
from wms_ml.arrays import decode_upright, to_grey, to_rgb
from wms_ml.errors import PictureError
from wms_ml.quality import reading
from wms_ml.quality.inspection import Content, Damage, ImageReading, MaskReading, Measuring, Role
from wms_ml.quality.measuring import pieces
from wms_ml.quality.reading import read

MEASURING = Measuring(max_pixels=64_000_000, grey_tolerance=48)


def scene(width: int = 1100, height: int = 1400, seed: int = 0) -> Image.Image:
    """Something with edges, gradients and texture, as photographs have."""
    noise = np.random.default_rng(seed).integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    ImageDraw.Draw(picture).rectangle((width // 5, height // 3, width // 2, height // 2), fill="white", outline="black")
    return picture


def image_of(data: bytes) -> ImageReading:
    found = read(data, Content("0" * 64, Role.IMAGE), MEASURING)
    assert isinstance(found, ImageReading), found
    return found


def mask_of(data: bytes) -> MaskReading:
    found = read(data, Content("0" * 64, Role.MASK), MEASURING)
    assert isinstance(found, MaskReading), found
    return found


@pytest.fixture
def pillow_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Switches the fast decoder off."""
    return lambda: monkeypatch.setattr(reading, "_PLAIN_FRAMES", ())


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


# The figures


@pytest.mark.parametrize("tag", [1, 3, 5, 6, 8])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
def test_images_measure_the_same_by_either_decoder(
    tag: int, options: dict[str, object], pillow_only: Callable[[], None]
) -> None:
    data = encoded(scene(), "JPEG", exif=tagged(tag), quality=85, **options)
    fast = image_of(data)
    pillow_only()
    slow = image_of(data)
    assert fast != slow
    assert fast.header == slow.header
    assert fast.brightness == pytest.approx(slow.brightness, abs=0.5)
    assert fast.contrast == pytest.approx(slow.contrast, abs=0.5)
    assert fast.sharpness == pytest.approx(slow.sharpness, rel=0.05)
    assert bits_apart(fast.phash, slow.phash) <= 2


def test_an_image_measures_nearly_the_same_in_every_format() -> None:
    jpeg = image_of(encoded(scene(), "JPEG", quality=95))
    for kind in ("PNG", "TIFF", "WEBP", "BMP"):
        other = image_of(encoded(scene(), kind))
        assert other.brightness == pytest.approx(jpeg.brightness, abs=1)
        assert other.sharpness == pytest.approx(jpeg.sharpness, rel=0.1)
        assert bits_apart(other.phash, jpeg.phash) <= 4


def test_the_hash_is_that_of_the_picture_as_people_see_it() -> None:
    upright = image_of(encoded(scene(), "JPEG"))
    stored = image_of(encoded(scene().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=tagged(6)))
    ignored = image_of(encoded(scene().transpose(Image.Transpose.ROTATE_90), "JPEG"))
    assert (stored.header.width, stored.header.height) == (upright.header.width, upright.header.height)
    assert bits_apart(stored.phash, upright.phash) <= 4
    assert bits_apart(ignored.phash, upright.phash) > 16


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_masks_measure_the_same_by_either_decoder(mode: str, pillow_only: Callable[[], None]) -> None:
    data = encoded(mask().convert(mode), "JPEG", exif=tagged(6))
    fast = mask_of(data)
    pillow_only()
    assert mask_of(data) == fast
    assert (fast.header.width, fast.header.height) == SIZE[::-1]


def test_a_coloured_jpeg_mask_is_not_taken_for_black_and_white() -> None:
    blue = Image.merge("RGB", (Image.new("L", SIZE), Image.new("L", SIZE), mask()))
    found = mask_of(encoded(blue, "JPEG", quality=95))
    assert found.peak > 200
    assert found.grey_share > 0.9


@pytest.mark.parametrize("mode", ["CMYK", "RGB"])
def test_a_cmyk_image_has_the_brightness_that_is_seen(mode: str) -> None:
    assert image_of(encoded(Image.new("RGB", (64, 64), (0, 0, 255)).convert(mode), "JPEG")).brightness == pytest.approx(
        29, abs=2
    )


def test_the_first_frame_of_several_counts() -> None:
    first, other = scene(200, 300), Image.new("RGB", (200, 300))
    found = image_of(encoded(first, "MPO", save_all=True, append_images=[other]))
    assert found.brightness == pytest.approx(image_of(encoded(first, "JPEG")).brightness, abs=1)


def test_pieces_are_areas_that_touch_along_an_edge_and_specks_are_none() -> None:
    drawn = np.zeros((40, 40), bool)
    drawn[2:10, 2:10] = drawn[10:20, 9:12] = drawn[12:20, 2:5] = True
    drawn[17:20, 2:12] = True
    drawn[30:34, 30:34] = drawn[34:38, 34:38] = True
    drawn[30:34, 12:16] = drawn[34:38, 8:12] = True
    drawn[25, 5] = True
    assert pieces(drawn) == 5
    assert pieces(np.zeros((5, 5), bool)) == 0
    assert pieces(np.ones((5, 5), bool)) == 1


# What is accepted


def accepted_by_pillow(data: bytes) -> bool:
    try:
        picture = decode_upright(data)
    except PictureError:
        return False
    to_rgb(picture), to_grey(picture)
    return True


def samples() -> dict[str, bytes]:
    small = scene(70, 90).filter(ImageFilter.GaussianBlur(1))
    return {
        "plain": encoded(small, "JPEG", quality=60),
        "turned": encoded(small, "JPEG", quality=60, exif=tagged(6)),
        "progressive": encoded(small, "JPEG", quality=60, progressive=True),
        "divided": encoded(scene(1100, 60), "JPEG", quality=20),
        "mask": encoded(mask(), "JPEG"),
        "coloured mask": encoded(mask().convert("RGB"), "JPEG"),
        "png": encoded(mask()),
    }


def agrees(name: str, data: bytes) -> bool:
    role = Role.MASK if "mask" in name else Role.IMAGE
    found = read(data, Content("0" * 64, role), MEASURING)
    return accepted_by_pillow(data) == (not isinstance(found, Damage))


@pytest.mark.parametrize("name", samples())
def test_a_file_cut_short_anywhere_is_judged_as_training_would(name: str) -> None:
    data = samples()[name]
    assert [cut for cut in range(len(data)) if not agrees(name, data[:cut])] == []


@pytest.mark.parametrize("name", samples())
def test_a_damaged_file_is_judged_as_training_would(name: str) -> None:
    dice = random.Random(name)
    for _ in range(150):
        data = bytearray(samples()[name])
        for _ in range(dice.choice((1, 2, 5))):
            data[dice.randrange(len(data))] = dice.randrange(256)
        assert agrees(name, bytes(data)), bytes(data).hex()


def test_a_jpeg_with_codes_that_are_not_huffmans_is_left_to_pillow() -> None:
    data = encoded(scene(64, 64), "JPEG")
    at = data.index(b"\xff\xc0")
    assert reading._frame(data) == 0xC0
    assert reading._frame(data[: at + 1] + b"\xc9" + data[at + 2 :]) == 0xC9
    assert reading._frame(data[:2] + b"\0" + data[2:]) == 0
