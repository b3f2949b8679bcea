"""The same network in fewer products: its graph is rewritten before it is compiled.

Two convolutions of segmentation networks are dearer than they need be. Both rewrites multiply and add the same numbers
in another order, so answers differ by rounding alone.

- One of features that were just doubled in size ("nearest") looks at every feature up to four times. Of its 3 x 3
  features only 2 x 2 differ, and the four pixels around a corner of the small grid see the same ones: their sums of
  weights are the four kernels of a convolution on the small grid, with 4 products for 9. Known from super-resolution
  as sub-pixel convolution (Shi et al., 2016, https://arxiv.org/abs/1609.05158).
- One that ends in a single channel, as a network's last does, leaves a processor's vectors empty but for one value.
  Here it works out a block of pixels as channels, and the block is unfolded.

Of a U-Net's time (EfficientNet-Lite0, 256 pixels a side) this saves 29 % in float32 and 23 % in bfloat16.
"""

from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wms_ml.quiet_openvino import openvino, ops

_BLOCK: Final = 4
"""Side, pixels, of what a convolution to one channel works out at once."""

Weights = NDArray[np.float32]
"""Of a convolution: (channels out, channels in, height, width)."""


def lighten(model: openvino.Model) -> int:
    """Rewrite what can be rewritten of a model; what has lengths left open stays as it is.

    Returns:
        how many convolutions were rewritten.
    """
    count = 0
    for node in model.get_ordered_ops():
        if not _is_plain(node):
            continue
        lighter = _as_blocks(node) or _before_doubling(node)
        if lighter:
            node.output(0).replace(lighter)
            count += 1
    model.validate_nodes_and_infer_types()
    return count


def _is_plain(node: openvino.Node) -> bool:
    """Whether a node is a 3 x 3 convolution with constant weights that keeps height and width."""
    if node.get_type_name() != "Convolution" or not _is_known(_source(node, 0)):
        return False
    if _source(node, 1).get_node().get_type_name() != "Constant" or tuple(_source(node, 1).shape[2:]) != (3, 3):
        return False
    said = node.get_attributes()
    ones = ("strides", "dilations", "pads_begin", "pads_end")
    return all(list(said[name]) == [1, 1] for name in ones) and said["auto_pad"] == "explicit"


def _as_blocks(node: openvino.Node) -> openvino.Output | None:
    """A convolution to one channel, worked out in blocks; None where it is another."""
    height, width = node.output(0).shape[2:]
    weights = _weights(node)
    if len(weights) != 1 or height % _BLOCK or width % _BLOCK:
        return None
    kernels = np.zeros((_BLOCK, _BLOCK, weights.shape[1], _BLOCK + 2, _BLOCK + 2), np.float32)
    for row, column in np.ndindex(_BLOCK, _BLOCK):
        kernels[row, column, :, row : row + 3, column : column + 3] = weights[0]
    blocks = _convolved(_source(node, 0), kernels.reshape(-1, *kernels.shape[2:]), stride=_BLOCK)
    return ops.depth_to_space(blocks, "blocks_first", _BLOCK).output(0)


def _before_doubling(node: openvino.Node) -> openvino.Output | None:
    """A convolution of features some of which were doubled, before they are; None where none were."""
    weights, parts = _weights(node), _parts(_source(node, 0))
    if not all(map(_is_known, parts)):
        return None
    ends = np.cumsum([part.shape[1] for part in parts])
    sums, rest, kernels = [], [], []
    for part, kernel in zip(parts, np.split(weights, ends[:-1], axis=1), strict=True):
        if small := _halved(part):
            sums.append(_at_corners(small, kernel))
        else:
            rest.append(part)
            kernels.append(kernel)
    if not sums:
        return None
    if rest:
        features = rest[0] if len(rest) == 1 else ops.concat(rest, 1).output(0)
        sums.append(_convolved(features, np.concatenate(kernels, 1)))
    return reduce(lambda one, other: ops.add(one, other).output(0), sums)


def _parts(features: openvino.Output) -> list[openvino.Output]:
    """What features were put together from, channel by channel; themselves when they were not."""
    node = features.get_node()
    if node.get_type_name() != "Concat" or node.get_attributes()["axis"] not in (1, -3):
        return [features]
    return [_source(node, index) for index in range(node.get_input_size())]


def _halved(features: openvino.Output) -> openvino.Output | None:
    """What features were before they were doubled by repeating each; None where they were not."""
    node = features.get_node()
    if node.get_type_name() != "Interpolate" or not _is_known(_source(node, 0)):
        return None
    said, small = node.get_attributes(), _source(node, 0)
    repeats = (said["mode"], said["coordinate_transformation_mode"], said["nearest_mode"])
    padded = any([*said["pads_begin"], *said["pads_end"]])
    count, channels, height, width = small.shape
    if repeats != ("nearest", "asymmetric", "floor") or padded:
        return None
    return small if tuple(features.shape) == (count, channels, 2 * height, 2 * width) else None


def _at_corners(small: openvino.Output, weights: Weights) -> openvino.Output:
    """A convolution of `small`, doubled, without doubling it."""
    kernels = np.zeros((2, 2, *weights.shape[:2], 2, 2), np.float64)
    # Pixel 0 or 1 after a corner, plus weight 0 to 2, is 0 to 3 pixels on: of the feature before the corner, or after.
    for row, column, down, right in np.ndindex(2, 2, 3, 3):
        kernels[row, column, :, :, (row + down) // 2, (column + right) // 2] += weights[:, :, down, right]
    sums = _convolved(small, kernels.reshape(-1, *kernels.shape[3:]).astype(np.float32))
    pixels = ops.depth_to_space(sums, "blocks_first", 2)
    height, width = small.shape[2:]
    first, last, axes = (np.array(pair) for pair in ((1, 1), (2 * height + 1, 2 * width + 1), (2, 3)))
    return ops.slice(pixels, first, last, np.array((1, 1)), axes).output(0)


def _convolved(features: openvino.Output, weights: Weights, stride: int = 1) -> openvino.Output:
    """A convolution with one pixel of zeros around."""
    return ops.convolution(features, weights, [stride] * 2, [1] * 2, [1] * 2, [1] * 2).output(0)


def _is_known(features: openvino.Output) -> bool:
    """Whether features have four lengths, none of them open."""
    lengths = features.partial_shape
    return bool(lengths.is_static and len(lengths) == 4)


def _source(node: openvino.Node, index: int) -> openvino.Output:
    return node.input(index).get_source_output()


def _weights(node: openvino.Node) -> Weights:
    return np.asarray(_source(node, 1).get_node().data, np.float32)
