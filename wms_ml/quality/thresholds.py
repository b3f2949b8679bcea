"""Where the rules draw their lines, and why there: one place, so a report can say what it was made with."""

from dataclasses import dataclass
from typing import Final

from wms_ml.arrays import MAX_PIXELS

MAX_BYTES: Final = 200_000_000
"""A file with more bytes is not read; 64 megapixels of raw RGB, the most that is decoded, are 192 MB."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of the rules.

    `grey_tolerance` and `max_grey_share` say together what "binary" means. 1,000 masks of the field, all of them
    JPEG of quality 100, stay within 1 of black or white. Saved again at quality 75 they stay within 48; at quality
    30, 3 % of the marked pixels of the worst one leave that range, at quality 10, 7 %. A rim that is soft for one
    pixel, as drawing tools leave it, takes 5 %, in the worst case 11 %. What has to be refused lies above: windows
    in grey (128) have 100 %, probability maps 31 % and more, masks enlarged from 128 pixels or blurred by 5 have
    20 % and 27 % (medians).

    Attributes:
        min_mask_pixels: a mask with this many marked pixels or fewer marks nothing.
        max_coverage: share of the picture, 0 to 1, above which a mask covers most of it. The largest window among
            1,000 pictures of the field has 0.15, so their inverted masks have 0.85 and more; close-ups lie between.
        grey_tolerance: how far from 0 or 255 a value still counts as black or white.
        max_grey_share: share of the not black pixels, 0 to 1, that may be not white either.
        max_pixels: pixels of a picture; more is refused from its header.
        max_bytes: bytes of a file; more is refused unread.
    """

    min_mask_pixels: int = 100
    max_coverage: float = 0.6
    grey_tolerance: int = 48
    max_grey_share: float = 0.15
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
