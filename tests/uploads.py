"""Picture files that callers send to the service: good, odd, damaged and slow ones."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

UPRIGHT = (48, 96)
RED_BOX = (12, 24, 36, 48)
STORED_AS = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(orientation: int = 1, kind: str = "PNG") -> bytes:
    """A picture that is black but for a red box, stored turned as a phone does."""
    image = Image.new("RGB", UPRIGHT)
    image.paste((255, 0, 0), RED_BOX)
    turn = STORED_AS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image.transpose(turn) if turn is not None else image, kind, exif=exif)


def with_odd_exif() -> bytes:
    """A sound picture whose EXIF states its width as a byte, which Pillow reads but cannot write."""
    entries = struct.pack(">HHII", 0x0100, 1, 1, 0) + struct.pack(">HHII", 0x0112, 3, 1, 6 << 16)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + entries + struct.pack(">I", 0)
    return encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)


def png_header(width: int, height: int) -> bytes:
    """A PNG of stated size with next to nothing in it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def big_photo() -> bytes:
    """A small file that takes its time: 24 megapixels of one colour."""
    return encoded(Image.new("L", (6000, 4000)))
