"""How well a predicted mask agrees with the one people drew: overlap, and how far their outlines lie apart.

Overlap alone says little of a thin window: a few pixels too many on every side cost the same Dice as one stray blob far
away, and the reading suffers from these in different ways. The Hausdorff distances tell them apart.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from wms_ml.arrays import BoolMask
from wms_ml.errors import DataError
from wms_ml.pairs import Pair
from wms_ml.render import outline
from wms_ml.scoring import PictureScore

PERCENTILE: Final = 95.0

Points = NDArray[np.int64]
"""int64 array of shape (N, 2): row and column of N pixels."""


def score(pair: Pair, predicted: BoolMask, truth: BoolMask) -> PictureScore:
    """Score the mask predicted for a pair; both masks are bool (height, width) of the picture's own upright size.

    Two empty masks agree: Dice and IoU 1.

    Raises:
        DataError: the masks differ in size.
    """
    if predicted.shape != truth.shape:
        (height, width), (rows, columns) = predicted.shape, truth.shape
        raise DataError(f"{pair.mask} has {columns} x {rows} pixels, {pair.image} {width} x {height}")
    both, found, real = (int(np.count_nonzero(mask)) for mask in (predicted & truth, predicted, truth))
    total = found + real
    hausdorff95, maximum = hausdorff(predicted, truth)
    return PictureScore(
        pair_id=pair.pair_id,
        name=pair.name,
        dice=2 * both / total if total else 1.0,
        iou=both / (total - both) if total else 1.0,
        pixel_accuracy=1 - (total - 2 * both) / truth.size,
        hausdorff95=hausdorff95,
        hausdorff=maximum,
        diagonal=diagonal(truth),
        found=found > 0,
        orientation=pair.orientation,
        brightness=pair.brightness,
        coverage=pair.coverage,
        sharpness=pair.sharpness,
    )


def hausdorff(one: BoolMask, other: BoolMask) -> tuple[float, float]:
    """Hausdorff distance between the boundaries of two masks of one size, bool (height, width), in pixels.

    From each boundary pixel of one mask the distance to the nearest of the other: the larger of the two directions'
    95th percentiles, and of their maxima. A boundary pixel is marked and has one of its four neighbours unmarked or
    outside the picture. Two empty masks are 0 apart. A mask and an empty one are the picture's diagonal apart: more
    than any two masks in it can be, and a number, so that a mean over pictures exists.

    Source: Huttenlocher, Klanderman, Rucklidge, Comparing Images Using the Hausdorff Distance, 1993; its ranked
    distance at 95 %, between ranks interpolated linearly.

    Returns:
        the distance at 95 %, and the maximum.
    """
    ours, theirs = boundary(one), boundary(other)
    if not len(ours) or not len(theirs):
        apart = diagonal(one) if len(ours) or len(theirs) else 0.0
        return apart, apart
    # Boundaries are thousands of pixels where pictures are millions: trees over them are 3 to 10 times as quick as
    # a distance transform, even inside the box around both masks.
    directions = [KDTree(target).query(points)[0] for points, target in ((ours, theirs), (theirs, ours))]
    at_95 = max(float(np.percentile(distances, PERCENTILE)) for distances in directions)
    return at_95, max(float(distances.max()) for distances in directions)


def boundary(mask: BoolMask) -> Points:
    """Boundary pixels of a mask, bool (height, width); none of an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.empty((0, 2), np.int64)
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.argwhere(outline(box, thickness=1)) + np.array([rows[0], columns[0]])


def diagonal(mask: BoolMask) -> float:
    """Length of the diagonal of a picture with a mask of this size, in pixels."""
    return math.hypot(*mask.shape)
