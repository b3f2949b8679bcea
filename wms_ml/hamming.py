"""Finding hashes that differ in few bits without comparing each with each.

A 64-bit hash is cut into 4 bands of 16 bits. Two hashes that differ in at most `bits` bits agree in at least one band
up to `bits` // 4 bits, since not all four can differ in more. So it is enough to look up, for every band, all values
within that radius; what is found is compared in full, and nothing is missed.

Source: M. Norouzi, A. Punjani, D. Fleet, Fast Search in Hamming Space with Multi-Index Hashing, CVPR 2012.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import Final

BANDS: Final = 4
_WIDTH: Final = 16


def distance(one: str, other: str) -> int:
    """Number of bits, 0 to 64, in which two hashes of 16 hex digits differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def bands(phash: str) -> tuple[int, ...]:
    """The four values, 0 to 65535, that a hash of 16 hex digits is cut into."""
    return tuple(int(phash[at::4], 16) for at in range(BANDS))


def probes(phash: str, bits: int) -> list[list[int]]:
    """For each band, the values that it may have in a hash that differs in at most `bits` bits."""
    flips = _flips(bits // BANDS)
    return [[value ^ flip for flip in flips] for value in bands(phash)]


@cache
def _flips(radius: int) -> tuple[int, ...]:
    chosen = (each for count in range(radius + 1) for each in combinations(range(_WIDTH), count))
    return tuple(sum(1 << bit for bit in each) for each in chosen)


def close_pairs(hashes: Mapping[str, str], bits: int) -> Iterator[tuple[str, str, int]]:
    """Keys whose hashes differ in at most `bits` bits, each two once, in the order of `hashes`, with the distance."""
    seen: dict[tuple[int, int], list[str]] = {}
    for key, phash in hashes.items():
        candidates = {
            other: None
            for band, values in enumerate(probes(phash, bits))
            for value in values
            for other in seen.get((band, value), ())
        }
        for other in candidates:
            apart = distance(phash, hashes[other])
            if apart <= bits:
                yield other, key, apart
        for band, value in enumerate(bands(phash)):
            seen.setdefault((band, value), []).append(key)
