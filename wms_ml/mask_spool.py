"""Masks put aside on disk, so that looking at the worst pictures afterwards costs neither memory nor predicting twice.

Which pictures are best, worst and in the middle is known only after the last one. A mask takes about a kilobyte here.
"""

import zlib
from typing import BinaryIO

import numpy as np

from wms_ml.arrays import BoolMask


class MaskSpool:
    """Masks by key, in a file that is open for reading and writing; a temporary one vanishes with its process."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[str, tuple[int, int, tuple[int, int]]] = {}

    def put(self, key: str, mask: BoolMask) -> None:
        """Put a mask aside, bool (height, width)."""
        content = zlib.compress(np.packbits(mask).tobytes(), level=1)
        height, width = mask.shape
        self._places[key] = (self._file.seek(0, 2), len(content), (height, width))
        self._file.write(content)

    def get(self, key: str) -> BoolMask:
        """The mask that was put aside under this key."""
        start, length, (height, width) = self._places[key]
        self._file.seek(start)
        bits = np.frombuffer(zlib.decompress(self._file.read(length)), np.uint8)
        return np.unpackbits(bits, count=height * width).reshape(height, width).astype(np.bool_)
