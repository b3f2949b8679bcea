"""Damaged pictures by the thousand, each known by two numbers, so that whatever one of them does can be repeated."""

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.odd_pictures import BOMBS, ODD, SOUND, Kind

_TYPES = ("image/jpeg", "image/png", "image/webp", "image/x-odd", "application/octet-stream", "text/plain")
_NUMBERS = (b"\0", b"\xff", b"\0\0", b"\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\1\0\0")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One file as somebody might send it.

    Attributes:
        name: what it was and what was done to it.
        content: the file's bytes.
        content_type: what its sender says it is.
    """

    name: str
    content: bytes
    content_type: str


def mutation(seed: int, number: int) -> Mutation:
    """Number `number` of the series `seed`: the same two make the same file."""
    rng = random.Random(f"{seed}/{number}")
    kind, make = _drawn(rng)
    damage = rng.choice(tuple(DAMAGES))
    return Mutation(f"{kind}, {damage}", DAMAGES[damage](make(rng), rng), rng.choice(_TYPES))


def _drawn(rng: random.Random) -> tuple[str, Kind]:
    kinds = BOMBS if rng.random() < 1 / 500 else SOUND if rng.random() < 0.7 else ODD
    return rng.choice(tuple(kinds.items()))


def _truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flipped(content: bytes, rng: random.Random, within: int | None = None) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20)) if content else 0):
        changed[rng.randrange(min(len(changed), within or len(changed)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwritten(content: bytes, rng: random.Random) -> bytes:
    place, number = rng.randrange(min(len(content), 600) + 1), rng.choice(_NUMBERS)
    return content[:place] + number + content[place + len(number) :]


def _blanked(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + bytes(end - start) + content[end:]


def _shortened(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def _repeated(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 2, 50)) + content[end:]


def _stuffed(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.randbytes(rng.choice((1, 2, 40, 3_000))) + content[place:]


def _spliced(content: bytes, rng: random.Random) -> bytes:
    other = rng.choice(tuple(SOUND.values()))(rng)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other)) :]


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 4, 30, 500)))


def _checked(content: bytes, rng: random.Random) -> bytes:
    """Damage inside a PNG's chunks with their checksums put right, so that a decoder gets as far as it can."""
    changed, place = bytearray(content), 8
    while content.startswith(b"\x89PNG") and place + 12 <= len(changed):
        end = place + 8 + struct.unpack_from(">I", changed, place)[0]
        if end + 4 > len(changed):
            break
        if end > place + 8 and rng.random() < 0.4:
            changed[rng.randrange(place + 8, end)] = rng.randrange(256)
        struct.pack_into(">I", changed, end, zlib.crc32(changed[place + 4 : end]))
        place = end + 4
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "whole": lambda content, _: content,
    "truncated": _truncated,
    "bits flipped": _flipped,
    "bits of its head flipped": lambda content, rng: _flipped(content, rng, 64),
    "a number overwritten": _overwritten,
    "a part blanked": _blanked,
    "a part missing": _shortened,
    "a part repeated": _repeated,
    "noise inside": _stuffed,
    "joined with another": _spliced,
    "chunks damaged": _checked,
}
