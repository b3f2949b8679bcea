"""A mask as a PNG file, for little time.

Pillow tries every filter on every row of a greyscale picture, for which a mask of runs has no use. Written here with
none, and compressed by ISA-L, one of 1.3 megapixels takes 0.4 ms for 3.5, and a few hundred bytes more.
"""

import struct
import zlib
from typing import Final

import numpy as np
from isal import isal_zlib

from wms_ml.arrays import BoolMask

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">IIBBBBB")
_GREYSCALE: Final = (8, 0, 0, 0, 0)
"""Bits a value, colour type, compression, filter method, and no interlacing."""
_LEVEL: Final = 1


def mask_png(mask: BoolMask) -> bytes:
    """PNG, 8 bits greyscale (https://www.w3.org/TR/png-3/): 255 where the mask is True, 0 elsewhere.

    Args:
        mask: bool (height, width), at least one pixel.
    """
    height, width = mask.shape
    rows = np.zeros((height, 1 + width), np.uint8)  # each begins with the number of its filter: 0, none
    np.negative(mask.view(np.uint8), out=rows[:, 1:])
    header = _HEADER.pack(width, height, *_GREYSCALE)
    parts = ((b"IHDR", header), (b"IDAT", isal_zlib.compress(rows, _LEVEL)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
