"""The PNG of a mask, as Pillow reads it; tests/test_page_browser.py has Chromium do so."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from serving.mask_png import mask_png
from wms_ml.arrays import BoolMask


def window(height: int, width: int) -> BoolMask:
    """A mask with a window that is askew, and some single pixels."""
    random = np.random.default_rng(height * width)
    rows, columns = np.ogrid[:height, :width]
    inside = (abs(rows - height / 3 + columns / 9) < height / 6) & (abs(columns - width / 2) < width / 4)
    return np.asarray(inside | (random.random((height, width)) < 0.01))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (481, 640), (1333, 1000)])
def test_it_is_read_as_it_was_by_others(size: tuple[int, int]) -> None:
    mask = window(*size)
    content = mask_png(mask)
    with Image.open(io.BytesIO(content)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", size[::-1])
        assert np.array_equal(np.asarray(picture), np.where(mask, 255, 0))
    with Image.open(io.BytesIO(content)) as picture:
        picture.verify()
    length, data = int.from_bytes(content[33:37]), content[41:-16]
    assert content[37:41] == b"IDAT" and len(data) == length
    assert len(zlib.decompress(data)) == size[0] * (1 + size[1])  # strict readers want neither less nor more


@pytest.mark.parametrize("full", [False, True])
def test_masks_without_any_edge_are_masks(full: bool) -> None:
    content = mask_png(np.full((1000, 1333), full))
    assert len(content) < 8192
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.getextrema() == (255 * full, 255 * full)


def test_a_mask_that_lies_otherwise_in_memory_is_the_same() -> None:
    mask = window(90, 120)
    assert mask_png(np.asfortranarray(mask)) == mask_png(mask)
    assert mask_png(mask[::-1, ::2]) == mask_png(mask[::-1, ::2].copy())
