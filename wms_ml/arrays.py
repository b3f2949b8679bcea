"""Picture files in, upright arrays out: the one decoding and preprocessing that training and serving share.

Phones store the sensor's pixels and a tag that says how to turn them (EXIF orientation). Masks are drawn on what
people see, so every picture is turned upright here, once, for everybody.
"""

import io
import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL import TiffImagePlugin as _tiff  # noqa: F401, N813 - Pillow knows a named format only once its plugin is loaded
from PIL import WebPImagePlugin as _webp  # noqa: F401, N813

from wms_ml.errors import PictureError

PREPROCESSING: Final = "1"
"""Version of what this module does to a picture; a model states the one it was trained with."""

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
"""Formats that are opened at all. A JPEG may turn out as MPO (several frames), which some phones write; the
first counts."""

SUFFIXES: Final = {
    ".jpg": ("JPEG", "MPO"),
    ".jpeg": ("JPEG", "MPO"),
    ".png": ("PNG",),
    ".webp": ("WEBP",),
    ".bmp": ("BMP",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
}
"""File name endings (lower case) of pictures, with the formats each may hold."""

MAX_PIXELS: Final = 64_000_000
"""A picture with more pixels is refused from its header: 64 MP is above any phone's camera in common use."""

MAX_SIDE: Final = 65_535
"""Nor may a side be longer: no JPEG can be, and in formats that can, a few bytes make much work."""

ORIENTATION_TAG: Final = 0x0112

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What a viewer does to the stored pixels on seeing an orientation tag."""

_TOLD: Final = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
"""Where orientation is written; dropped once a picture is turned, or the next reader would turn it again."""

_DAMAGE: Final = (OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError, struct.error)
"""What Pillow's decoders raise on damaged bytes: more than its documentation says, as random damage shows."""

_STRIP: Final = 256
"""Rows of a picture that are worked on at a time."""

RGBArray = NDArray[np.uint8]
"""uint8 array of shape (height, width, 3)."""
BoolMask = NDArray[np.bool_]
"""bool array of shape (height, width); True inside the reading window."""


def open_header(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read a picture's header without decoding its pixels.

    Raises:
        PictureError: `empty`, `format` (not on `FORMATS`), `undecodable` or `too-large`.
    """
    if not data:
        raise PictureError("empty", "the file is empty (0 bytes)")
    try:
        # The limit below is ours; Pillow's own is a process-wide global that only warns at first.
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        limit = f"the limit is {max_pixels / 1e6:.0f} megapixels"
        raise PictureError("too-large", f"it claims hundreds of megapixels or more, {limit}") from error
    except UnidentifiedImageError as error:
        raise PictureError("format", f"not a picture in a known format ({', '.join(FORMATS)})") from error
    except _DAMAGE as error:
        raise PictureError("undecodable", f"its header is damaged: {error}") from error
    if image.mode == "LAB":
        raise PictureError("format", "its colours are CIE Lab, which is not read: save it as RGB or grey")
    if max(image.size) > MAX_SIDE:
        raise PictureError("too-large", f"{max(image.size):,} pixels long, the limit is {MAX_SIDE:,}")
    if image.width * image.height > max_pixels:
        megapixels = image.width * image.height / 1e6
        raise PictureError("too-large", f"{megapixels:.0f} megapixels, the limit is {max_pixels / 1e6:.0f}")
    return image


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 (upright) when absent or out of range, as viewers treat it.

    Ask before decoding: TIFF forgets it then. Of a PNG it may stand behind the pixels, and asking decodes them.

    Raises:
        PictureError: `truncated` or `undecodable`, the EXIF block included.
    """
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except _DAMAGE as error:
        raise _damaged(error) from error
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turn_upright(image: Image.Image) -> Image.Image:
    """Decode an opened picture whole and turn it upright.

    Raises:
        PictureError: `truncated` or `undecodable`.
    """
    try:
        image.load()
    except _DAMAGE as error:
        raise _damaged(error) from error
    turn = _TURNS.get(orientation(image))
    if turn is None:
        return image
    upright = image.transpose(turn)
    for key in _TOLD:
        upright.info.pop(key, None)
    return upright


def _damaged(error: Exception) -> PictureError:
    code = "truncated" if "truncated" in str(error) else "undecodable"
    return PictureError(code, f"the picture does not decode: {error}")


def decode_upright(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a file's content whole and turn it upright.

    Raises:
        PictureError: as `open_header` and `turn_upright`.
    """
    return turn_upright(open_header(data, max_pixels))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB; transparency is laid on white, as viewers show it."""
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    whole = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP):  # or several copies of a large picture would stand beside it
        strip = image.crop((0, top, image.width, min(top + _STRIP, image.height))).convert("RGBA")
        canvas = Image.new("RGBA", strip.size, "white")
        whole.paste(Image.alpha_composite(canvas, strip).convert("RGB"), (0, top))
    return whole


def to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """A mask's picture as uint8 (height, width), 0 to 255, whatever its mode.

    Transparency means outside. 16-bit greys are scaled, not clipped.
    """
    if image.mode.startswith("I;16"):
        return (np.asarray(image, dtype=np.uint16) >> 8).astype(np.uint8)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGBA", rgba.size, "black")
        image = Image.alpha_composite(canvas, rgba)
    return np.asarray(image.convert("L"))


def image_of(data: bytes) -> Image.Image:
    """Upright RGB picture from a file's content.

    Raises:
        PictureError: it does not decode.
    """
    return to_rgb(decode_upright(data))


def mask_of(data: bytes) -> BoolMask:
    """Upright mask from a file's content: True where grey is 128 or more (JPEG masks are never exactly 0/255).

    Raises:
        PictureError: it does not decode.
    """
    return to_grey(decode_upright(data)) >= 128


def read_image(path: Path) -> Image.Image:
    """Upright RGB picture from a file.

    Raises:
        PictureError: it does not decode; the message names the file.
    """
    try:
        return image_of(path.read_bytes())
    except PictureError as error:
        raise PictureError(error.code, f"{path.name}: {error}") from error


def read_mask(path: Path) -> BoolMask:
    """Upright mask from a file, as `mask_of`.

    Raises:
        PictureError: it does not decode; the message names the file.
    """
    try:
        return mask_of(path.read_bytes())
    except PictureError as error:
        raise PictureError(error.code, f"{path.name}: {error}") from error


def network_input(image: Image.Image, size: int) -> RGBArray:
    """The network's view of an upright RGB picture: uint8 (size, size, 3), squeezed to a square."""
    resized = image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.array(resized)


def network_mask(mask: BoolMask, size: int) -> NDArray[np.uint8]:
    """The network's view of a mask: uint8 (size, size), 0 or 1; a cell is 1 when at least half of it is covered."""
    resized = Image.fromarray(mask.astype(np.uint8) * 255).resize((size, size), Image.Resampling.BOX)
    return (np.asarray(resized) >= 128).astype(np.uint8)
