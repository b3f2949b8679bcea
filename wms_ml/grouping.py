"""Groups of pictures that look the same, directly or through each other."""

from collections.abc import Mapping

from wms_ml.hamming import close_pairs


def lookalikes(hashes: Mapping[str, str], bits: int) -> list[list[str]]:
    """The keys of `hashes` (16 hex digits each), every one in one group; whose hash is like no other's, is alone.

    Two are in one group when a chain leads from one to the other in steps of at most `bits` bits. Keys of the very
    same hash never meet one by one: a hundred thousand grey pictures would be five billion twos.
    """
    same: dict[str, list[str]] = {}
    for key, phash in hashes.items():
        same.setdefault(phash, []).append(key)
    parents = {phash: phash for phash in same}

    def root(phash: str) -> str:
        while parents[phash] != phash:
            parents[phash] = phash = parents[parents[phash]]
        return phash

    for one, other, _ in close_pairs({phash: phash for phash in same}, bits):
        parents[root(other)] = root(one)
    groups: dict[str, list[str]] = {}
    for phash, keys in same.items():
        groups.setdefault(root(phash), []).extend(keys)
    return [*groups.values()]
