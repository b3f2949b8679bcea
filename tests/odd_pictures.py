"""Picture files of every kind that may reach the service, made from a random generator: sound, odd and hostile ones."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

Kind = Callable[[random.Random], bytes]
"""Makes the content of one file; the same state of the generator makes the same file."""

_SIDES = (1, 2, 7, 16, 33, 64, 100, 257)
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row, first column and their steps of the passes of an interlaced PNG (PNG specification, section 8.2)."""


def scene(rng: random.Random, mode: str = "RGB") -> Image.Image:
    """A smooth picture of random colours and size."""
    size = (rng.choice(_SIDES), rng.choice(_SIDES))
    image = Image.frombytes("RGB", (4, 4), rng.randbytes(48)).resize(size, Image.Resampling.BICUBIC)
    if mode == "I;16":
        return Image.frombytes(mode, size, np.repeat(np.asarray(image.convert("L")), 2).tobytes())
    return image.convert(mode)


def saved(kind: str, mode: str = "RGB", **options: Any) -> Kind:
    """Files as Pillow writes them; options that are functions are asked for their value."""

    def make(rng: random.Random) -> bytes:
        chosen = {name: value(rng) if callable(value) else value for name, value in options.items()}
        return _written(scene(rng, mode), kind, chosen)

    return make


def frames(kind: str, mode: str = "RGB", **options: Any) -> Kind:
    """Files of several pictures of one size: animations, pages."""

    def make(rng: random.Random) -> bytes:
        first = scene(rng, mode)
        others = [scene(rng, mode).resize(first.size) for _ in range(3)]
        return _written(first, kind, {"save_all": True, "append_images": others, **options})

    return make


def _written(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def orientation(rng: random.Random) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = rng.randrange(13)
    return exif


def odd_exif(rng: random.Random) -> bytes:
    """EXIF whose entries have random tags, types, counts and values."""
    return b"Exif\0\0" + tiff(rng, pixels=False)


def tiff(rng: random.Random, pixels: bool = True) -> bytes:
    """A TIFF, or the directory of one, with a few entries that make no sense."""
    known = (254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 282, 284, 317, 320, 322, 323, 338, 339, 347, 34665)
    sane = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64} if pixels else {274: 6}
    entries = {tag: (3, 1, value) for tag, value in sane.items()}
    for _ in range(rng.randrange(4)):
        entries[rng.choice(known)] = (rng.randrange(19), rng.choice((0, 1, 2, 9, 70_000, 2**32 - 1)), _number(rng))
    listed = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    directory = struct.pack("<H", len(entries)) + listed + struct.pack("<I", rng.choice((0, 0, 8, 72, 2**31)))
    return b"II*\0" + struct.pack("<I", 72) + rng.randbytes(64) + directory


def _number(rng: random.Random) -> int:
    return rng.choice((0, 1, 7, 8, 255, 65_535, 2**31 - 1, 2**32 - 1, rng.randrange(2**32)))


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG, its checksum right."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, data: bytes, *extra: bytes, depth: int = 8, colour: int = 2, passes: int = 0) -> bytes:
    """A PNG put together by hand; `data` is what is compressed, `extra` are chunks before it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, passes))
    body = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + body + chunk(b"IEND", b"")


def interlaced(rng: random.Random) -> bytes:
    pixels = np.asarray(scene(rng))
    rows = [row for top, left, down, right in _ADAM7 for row in pixels[top::down, left::right] if row.size]
    return png(pixels.shape[1], pixels.shape[0], b"".join(b"\0" + row.tobytes() for row in rows), passes=1)


def stated(rng: random.Random) -> bytes:
    """A PNG of sound pixels whose header states another size, depth or colour type."""
    width, height = rng.choice(((0, 0), (0, 9), (2**31 - 1, 1), (8000, 8000), (10_000, 9_999), (2**16, 2**16)))
    depth, colour = rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 1))
    return png(width, height, rng.randbytes(99), depth=depth, colour=colour, passes=rng.randrange(2))


def late_exif(rng: random.Random) -> bytes:
    whole = saved("PNG")(rng)
    return whole[:-12] + chunk(b"eXIf", orientation(rng).tobytes()[6:]) + whole[-12:]


def text_bomb(rng: random.Random) -> bytes:
    """A PNG whose comment grows to 80 MB when it is unpacked."""
    words = zlib.compress(bytes(80_000_000))
    name = rng.choice((b"zTXt", b"iTXt", b"iCCP"))
    head = b"bomb\0\1\0\0\0" if name == b"iTXt" else b"bomb\0\0"
    return png(1, 1, bytes(4), chunk(name, head + words))


def pixel_bomb(rng: random.Random) -> bytes:
    """A file of some kilobytes that is a picture of nearly as many pixels as are allowed, or of some more."""
    width = rng.choice((7_900, 8_100))
    return png(width, 8_000, bytes((width // 8 + 1) * 8_000), depth=1, colour=0)


def zipped(rng: random.Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), rng.randbytes(40))
    return stream.getvalue()


def both(first: Kind, second: Kind) -> Kind:
    """Files that are two things at once."""
    return lambda rng: first(rng) + second(rng)


def always(content: bytes) -> Kind:
    return lambda _: content


def transparency(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 5, 256)))


SOUND: dict[str, Kind] = {
    "JPEG": saved("JPEG"),
    "JPEG progressive": saved("JPEG", progressive=True),
    "JPEG grey": saved("JPEG", "L"),
    "JPEG CMYK": saved("JPEG", "CMYK"),
    "JPEG with restarts": saved("JPEG", restart_marker_rows=1, quality=lambda rng: rng.randrange(1, 101)),
    "JPEG turned": saved("JPEG", exif=orientation),
    "MPO": frames("MPO"),
    **{f"PNG {mode}": saved("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    "PNG palette with transparency": saved("PNG", "P", transparency=transparency),
    "PNG colour key": saved("PNG", transparency=lambda rng: tuple(rng.randbytes(3))),
    "PNG interlaced": interlaced,
    "PNG animated": frames("PNG", duration=50),
    "PNG late EXIF": late_exif,
    "WebP": saved("WEBP", exif=orientation),
    "WebP lossless": saved("WEBP", "RGBA", lossless=True),
    "WebP animated": frames("WEBP", duration=50),
    **{f"BMP {mode}": saved("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")},
    **{
        f"TIFF {mode}": saved("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB")
    },
    **{
        f"TIFF {packing}": saved("TIFF", compression=packing)
        for packing in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    },
    "TIFF fax": saved("TIFF", "1", compression="group4"),
    "TIFF pages": frames("TIFF"),
}
"""Pictures that are what they say."""

ODD: dict[str, Kind] = {
    "JPEG odd EXIF": saved("JPEG", exif=odd_exif),
    "JPEG odd profile": saved("JPEG", icc_profile=lambda rng: rng.randbytes(300)),
    "PNG odd EXIF": saved("PNG", exif=odd_exif),
    "PNG of a stated size": stated,
    "TIFF odd tags": tiff,
    "GIF animated": frames("GIF", "P"),
    "ICO": saved("ICO", sizes=[(1, 1)]),
    "PPM": saved("PPM"),
    "PDF": saved("PDF"),
    "ZIP": zipped,
    "JPEG and ZIP": both(saved("JPEG"), zipped),
    "ZIP and JPEG": both(zipped, saved("JPEG")),
    "PDF and JPEG": both(saved("PDF"), saved("JPEG")),
    "GIF and PNG": both(saved("GIF", "P"), saved("PNG")),
    "PNG and JPEG": both(saved("PNG"), saved("JPEG")),
    "HEIC": both(always(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), lambda rng: rng.randbytes(200)),
    "SVG": always(b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    "EPS": always(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
    "text": always("Zähler 12345".encode()),
    "noise": lambda rng: rng.randbytes(rng.randrange(2_000)),
    "nothing": always(b""),
}
"""Files that are no picture, or two things, or not what they say."""

BOMBS: dict[str, Kind] = {"text bomb": text_bomb, "pixel bomb": pixel_bomb}
"""Small files that want much memory: slow to make, so rarely drawn."""
