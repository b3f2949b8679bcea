"""Where the rules draw their lines, and why there: one place, so a report can say what it was made with.

"The field" are 1,000 pictures of the public Water Meters Dataset with their masks, measured and looked at.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Final

from wms_ml.arrays import MAX_PIXELS
from wms_ml.errors import SettingsError

MAX_BYTES: Final = 200_000_000
"""A file with more bytes is not read; 64 megapixels of raw RGB, the most that is decoded, are 192 MB."""


def _line(default: Any, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of the rules.

    `grey_tolerance` and `max_grey_share` say together what "binary" means. 1,000 masks of the field, all of them
    JPEG of quality 100, stay within 1 of black or white. Saved again at quality 75 they stay within 48; at quality
    30, 3 % of the marked pixels of the worst one leave that range, at quality 10, 7 %. A rim that is soft for one
    pixel, as drawing tools leave it, takes 5 %, in the worst case 11 %. What has to be refused lies above: windows
    in grey (128) have 100 %, probability maps 31 % and more, masks enlarged from 128 pixels or blurred by 5 have
    20 % and 27 % (medians).

    Raises:
        SettingsError: one lies out of its range, or `min_brightness` is not below `max_brightness`.

    Attributes:
        min_mask_pixels: a mask with this many marked pixels or fewer marks nothing.
        max_coverage: share of the picture, 0 to 1, above which a mask covers most of it. The largest window among
            1,000 pictures of the field has 0.15, so their inverted masks have 0.85 and more; close-ups lie between.
        grey_tolerance: how far from 0 or 255 a value still counts as black or white.
        max_grey_share: share of the not black pixels, 0 to 1, that may be not white either.
        max_pixels: pixels of a picture; more is refused from its header.
        max_bytes: bytes of a file; more is refused unread.
        near_bits: bits of the perceptual hash, 0 to 16, that may differ between near-duplicates. Saving again,
            shrinking, taking away colour and cutting off 1 % change at most 6 bits in a picture of the field, cutting
            off 2 % or turning by 1 degree in 9 of 10 pictures. The nearest two of different meters there are 8 bits
            apart, and all 19 twos within 10 bits show different meters. A second photograph of the same meter lies
            14 bits and more away: this measure cannot tell those.
        near_light: grey values by which brightness and contrast may differ between near-duplicates as well. All that
            is listed above stays below; one of 9 twos that look alike to the hash by chance does, and among 100,000
            pictures those are many. Pictures brightened by a fifth are lost by it.
        min_sharpness: sharpness divided by the square of contrast, at or below which a picture is blurred: it does
            not depend on light as sharpness alone does. Two pictures of the field lie below, both shaken;
            above it begin soft ones that can be read. Blurring by 1.5 pixels (of 512) puts every picture below.
        min_brightness: mean grey value below which a picture is too dark. The field has 17 to 195, and in the
            darkest of them digits can be read, for the flash lights them.
        max_brightness: mean grey value above which a picture is too bright.
        min_contrast: standard deviation of grey values below which a picture is flat: a lens cap, a wall, fog. The
            field has 20 and more.
        min_side: pixels of the shorter side below which a picture is unusually small: thumbnails have 160 and less,
            the smallest camera pictures 240, the field 480 and more. A usual window then has 8 digits on 60 pixels.
        max_aspect: longer side divided by the shorter, above which a picture is unusually long: the network sees
            it squeezed to a square. The field has up to 2.17, what phones with long screens write.
        coverage_factor: how many times larger or smaller than usual the marked share may be. The field has 7.3
            times less and 7.5 times more than its median.
        min_drift_pairs: pairs that a drop must have for its statistics to say anything.
        min_drift_accepted: pairs that must be accepted for theirs to do so.
        max_drift: distance of two distributions (Kolmogorov-Smirnov, 0 to 1) above which a drop is far from the
            accepted data. By chance, 20 pairs of the field reach 0.42 once in 1,000 times; other phones, light or
            order of the same field reach 0.31.
    """

    min_mask_pixels: int = _line(100, 0, 1_000_000)
    max_coverage: float = _line(0.6, 0.01, 1)
    grey_tolerance: int = _line(48, 0, 126)
    max_grey_share: float = _line(0.15, 0, 1)
    max_pixels: int = _line(MAX_PIXELS, 10_000, 178_000_000)
    max_bytes: int = _line(MAX_BYTES, 1_000, 2_000_000_000)
    near_bits: int = _line(6, 0, 16)
    near_light: float = _line(10.0, 0, 255)
    min_sharpness: float = _line(0.013, 0, 1)
    min_brightness: float = _line(15.0, 0, 255)
    max_brightness: float = _line(220.0, 0, 255)
    min_contrast: float = _line(15.0, 0, 127)
    min_side: int = _line(240, 1, 10_000)
    max_aspect: float = _line(2.5, 1, 1_000)
    coverage_factor: float = _line(10.0, 1, 1_000_000)
    min_drift_pairs: int = _line(20, 1, 1_000_000)
    min_drift_accepted: int = _line(100, 1, 1_000_000)
    max_drift: float = _line(0.5, 0, 1)

    def __post_init__(self) -> None:
        for each in fields(self):
            value, low, high = getattr(self, each.name), each.metadata["low"], each.metadata["high"]
            # Written so that NaN, which compares with nothing, is refused too.
            if not low <= value <= high:
                raise SettingsError(f"{each.name} is {value}: it must lie between {low:,} and {high:,}")
        if self.min_brightness >= self.max_brightness:
            raise SettingsError(
                f"min_brightness is {self.min_brightness}: it must lie below max_brightness ({self.max_brightness})"
            )
