"""Decoding: upright, complete, and only what is on the list."""

import io

import numpy as np
import pytest
from PIL import Image

from wms_ml.arrays import decode_upright, network_mask, open_header, to_grey, to_rgb
from wms_ml.errors import PictureError

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture(width: int = 40, height: int = 24) -> Image.Image:
    ramp = np.linspace(0, 255, width * height, dtype=np.uint8).reshape(height, width)
    return Image.fromarray(np.dstack([ramp, 255 - ramp, ramp // 2]))


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8))


@pytest.mark.parametrize("tag", sorted(TURNS))
def test_every_orientation_comes_out_upright(tag: int) -> None:
    upright = picture()
    turn = TURNS[tag]
    stored = upright.transpose(turn) if turn is not None else upright
    exif = Image.Exif()
    exif[0x0112] = tag
    assert np.array_equal(np.asarray(decode_upright(saved(stored, exif=exif))), np.asarray(upright))


def test_an_orientation_out_of_range_counts_as_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 0
    assert decode_upright(saved(picture(), exif=exif)).size == (40, 24)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"hello, I am no picture", "format"),
        (saved(picture(), "GIF"), "format"),
        (saved(picture(), "JPEG")[:-40], "truncated"),
        (saved(noise)[:-4000], "truncated"),
    ],
)
def test_what_is_no_whole_picture_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(PictureError) as caught:
        decode_upright(data)
    assert caught.value.code == code


def test_too_many_pixels_are_refused_from_the_header_alone() -> None:
    header_only = saved(Image.new("L", (20_000, 20_000)))[:200]
    with pytest.raises(PictureError) as caught:
        open_header(header_only)
    assert caught.value.code == "too-large"


@pytest.mark.parametrize("size", [(7, 65_536), (70_000, 3)])
def test_a_side_longer_than_any_camera_makes_is_refused_from_the_header_alone(size: tuple[int, int]) -> None:
    with pytest.raises(PictureError) as caught:
        open_header(saved(Image.new("L", size))[:200])
    assert caught.value.code == "too-large"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white_alike_in_every_row(mode: str) -> None:
    clear = np.random.default_rng(0).integers(0, 256, (700, 9, 4), dtype=np.uint8)
    image = Image.fromarray(clear).convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    rgba = image.convert("RGBA")
    white = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    assert to_rgb(image).tobytes() == white.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_pictures_and_masks_of_any_mode_are_understood(mode: str) -> None:
    white = Image.new("I;16", (8, 6), 65535) if mode == "I;16" else Image.new("RGB", (8, 6), "white").convert(mode)
    kind = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    decoded = decode_upright(saved(white, kind))
    assert to_grey(decoded).min() == 255
    assert to_rgb(decoded).mode == "RGB"


def test_transparency_is_white_in_a_picture_and_outside_in_a_mask() -> None:
    clear = Image.new("RGBA", (8, 6), (255, 255, 255, 0))
    assert np.asarray(to_rgb(clear)).min() == 255
    assert to_grey(clear).max() == 0


def test_a_mask_cell_is_inside_when_half_of_it_is() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:, :4] = True
    assert network_mask(mask, 4).tolist() == [[1, 1, 0, 0]] * 4
