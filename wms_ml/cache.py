"""The decoded cache: each pair as the network sees it, decoded once for all epochs, runs and models.

One file a pair, named by its content, the size and the version of the preprocessing. It is written whole or not at all,
so any number of processes may fill it at once and a killed one leaves nothing that is ever read. Files are mapped, not
read: what a training holds in memory is its batch, and what several trainings share lies in the page cache once.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wms_ml.arrays import PREPROCESSING, image_of, mask_of, network_input, network_mask
from wms_ml.files import verified, whole
from wms_ml.pairs import Pair


class DecodedCache:
    """Decoded pairs below `folder`, for pictures found below `data`."""

    def __init__(self, folder: Path, data: Path, size: int) -> None:
        self._folder = folder / f"{size}-{PREPROCESSING}"
        self._data = data
        self._size = size

    def fill(self, pairs: Sequence[Pair], on_progress: Callable[[int, int], None] | None = None) -> None:
        """Decode what is missing, two at a time (the decoder releases the interpreter's lock).

        `on_progress` is told how many of the missing ones are done, and of how many.

        Raises:
            DataError: a file is missing or is not the content the manifest names.
        """
        missing = [pair for pair in pairs if not self._is_there(pair)]
        with ThreadPoolExecutor(2) as pool:
            for done, _ in enumerate(pool.map(self._decode, missing), 1):
                if on_progress:
                    on_progress(done, len(missing))

    def side(self, pairs: Sequence[Pair]) -> "Decoded":
        """The decoded form of these pairs, in their order, none of it read yet."""
        return Decoded([self._path(pair) for pair in pairs], self._size)

    def _path(self, pair: Pair) -> Path:
        return self._folder / pair.pair_id[:2] / f"{pair.pair_id}.npy"

    def _is_there(self, pair: Pair) -> bool:
        """Whole by its size: a power cut may leave a file that was renamed before its bytes were on the disk."""
        try:
            return self._path(pair).stat().st_size > self._size**2 * 4
        except FileNotFoundError:
            return False

    def _decode(self, pair: Pair) -> None:
        image = image_of(verified(self._data / pair.image, pair.image_sha256))
        mask = mask_of(verified(self._data / pair.mask, pair.mask_sha256))
        together = np.dstack([network_input(image, self._size), network_mask(mask, self._size)])
        path = self._path(pair)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part, part.open("wb") as file:
            np.save(file, together)


class Decoded:
    """Decoded pairs, mapped from their files when they are asked for."""

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self._paths = paths
        self._size = size

    def __len__(self) -> int:
        return len(self._paths)

    def gather(self, rows: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Pictures uint8 (n, S, S, 3) and masks uint8 (n, S, S) of 0/1 of some pairs, in the order of `rows`."""
        stacked = np.empty((len(rows), self._size, self._size, 4), np.uint8)
        for place, row in enumerate(rows):
            stacked[place] = np.load(self._paths[row], mmap_mode="r")
        return stacked[..., :3], stacked[..., 3]
