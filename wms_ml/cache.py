"""The decoded cache: each pair as the network sees it, decoded once for all epochs, runs and models.

One file a pair, named by its content, the size and the version of the preprocessing. It is written whole or not
at all, so any number of processes may fill it at once and a killed one leaves nothing that is ever read.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wms_ml.arrays import PREPROCESSING, decode_upright, network_input, network_mask, to_grey, to_rgb
from wms_ml.errors import DataError
from wms_ml.files import whole
from wms_ml.pairs import Pair


class DecodedCache:
    """Decoded pairs below `folder`, for pictures found below `data`."""

    def __init__(self, folder: Path, data: Path, size: int) -> None:
        self._folder = folder / f"{size}-{PREPROCESSING}"
        self._data = data
        self._size = size

    def fill(self, pairs: Sequence[Pair], on_progress: Callable[[int], None] | None = None) -> None:
        """Decode what is missing, two at a time (the decoder releases the interpreter's lock).

        Raises:
            DataError: a file is missing or is not the content the manifest names.
        """
        missing = [pair for pair in pairs if not self._path(pair).exists()]
        with ThreadPoolExecutor(2) as pool:
            for done, _ in enumerate(pool.map(self._decode, missing), 1):
                if on_progress:
                    on_progress(done)

    def load(self, pairs: Sequence[Pair]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Pictures uint8 (N, S, S, 3) and masks uint8 (N, S, S) of 0/1, in the order of `pairs`."""
        stacked = np.empty((len(pairs), self._size, self._size, 4), np.uint8)
        for index, pair in enumerate(pairs):
            stacked[index] = np.load(self._path(pair))
        return stacked[..., :3], stacked[..., 3]

    def _path(self, pair: Pair) -> Path:
        return self._folder / pair.pair_id[:2] / f"{pair.pair_id}.npy"

    def _decode(self, pair: Pair) -> None:
        image = to_rgb(decode_upright(self._content(pair.image, pair.image_sha256)))
        mask = to_grey(decode_upright(self._content(pair.mask, pair.mask_sha256))) >= 128
        together = np.dstack([network_input(image, self._size), network_mask(mask, self._size)])
        path = self._path(pair)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part, part.open("wb") as file:
            np.save(file, together)

    def _content(self, relative: str, sha256: str) -> bytes:
        path = self._data / relative
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise DataError(
                f"{path} is in the manifest but not in the data set: check the version out again"
            ) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(f"{path} is not the content its manifest names: check the version out again")
        return content
