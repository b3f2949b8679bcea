"""Reading pictures for a network: how small they may be decoded, and how many large ones at a time."""

import io
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError

import pytest
from PIL import Image

from wms_ml.reduced import Turns, decode, enough_for


def jpeg(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "decoded"), [((960, 1280), (960, 1280)), ((1000, 1333), (500, 667)), ((3000, 4000), (750, 1000))]
)
def test_a_jpeg_is_decoded_smaller_only_while_enough_pixels_stay_for_each_cell(
    size: tuple[int, int], decoded: tuple[int, int]
) -> None:
    read = decode(jpeg(*size), at_least=enough_for(256))
    assert (read.image.size, read.size) == (decoded, size)


def test_large_pictures_wait_for_each_other_and_small_ones_for_nobody() -> None:
    turns, large, small = Turns(), jpeg(4001, 4001), jpeg(4000, 4000)

    def taken(data: bytes) -> bool:
        with turns.of(data):
            return True

    with ThreadPoolExecutor(2) as pool:
        with turns.of(large):
            waiting = pool.submit(taken, large)
            assert pool.submit(taken, small).result(20)
            with pytest.raises(NotYetError):
                waiting.result(0.2)
        assert waiting.result(20)
