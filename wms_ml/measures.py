"""What is measured of a pair, once, when it comes: the part of its row that follows from its two files alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """A pair of which both files decode.

    Attributes:
        name: the stem that image and mask share; unique in a data set.
        image: path below the drop's or data set's folder, `images/NAME.jpg`.
        mask: path likewise, `masks/NAME.png`.
        image_sha256: hex SHA-256 of the image's bytes.
        mask_sha256: hex SHA-256 of the mask's bytes.
        width: pixels of the image, upright.
        height: pixels of the image, upright.
        orientation: EXIF orientation of the image as stored, 1 to 8.
        image_format: Pillow's name of the file format, such as JPEG.
        mask_format: likewise.
        brightness: mean grey value of the image, 0 to 255.
        contrast: standard deviation of the image's grey values, 0 to 127.5.
        sharpness: variance of the Laplacian of the image's grey values at 512 pixels on the longer side.
        phash: 16 hex digits of a perceptual hash of the upright image; near-duplicates differ in few bits.
        mask_pixels: number of marked pixels (grey value 128 or more).
        coverage: share of the mask's pixels that are marked, 0 to 1.
        grey_share: of the mask's pixels that are not nearly black, the share that is not nearly white either,
            0 to 1; 0 when all are black.
        mask_peak: the mask's highest value in any channel, 0 to 255.
        pieces: separate marked areas, specks of a few pixels not counted.
        measured: version of the measuring and its grey tolerance, such as `1-48`; other measures do not compare.
    """

    name: str
    image: str
    mask: str
    image_sha256: str
    mask_sha256: str
    width: int
    height: int
    orientation: int
    image_format: str
    mask_format: str
    brightness: float
    contrast: float
    sharpness: float
    phash: str
    mask_pixels: int
    coverage: float
    grey_share: float
    mask_peak: int
    pieces: int
    measured: str
