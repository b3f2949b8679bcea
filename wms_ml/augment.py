"""Augmentation: the variety of phone photos, made from the pictures at hand, a batch at a time.

Geometry is one affine matrix a picture and colour another, each drawn as a product of simple changes, so that a picture
is sampled once and recoloured once however much is changed. What is drawn depends on the generator alone, not on which
process changes which pictures of a batch.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.functional import affine_grid, conv2d, grid_sample, pad

Draw = Callable[[float, float], torch.Tensor]
"""Uniform numbers in a range, one a picture: float32 (N,)."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How much is changed at most, and how often (chances, 0 to 1).

    Attributes:
        upside_down: chance of a vertical flip; a horizontal one has 0.5.
        quarter: chance of a quarter turn, either way.
        turn: chance of rotation, scale and shift.
        degrees: rotation either way.
        scale: zoom, from and to.
        shift: share of the picture's side.
        shear: tangent of the angle, either way.
        colour: chance of other light: brightness, contrast and saturation, by `light` either way; hue by `hue` turns.
        grey: chance of no colour at all.
        blur: chance of blur with a standard deviation up to 1.5 pixels.
        noise: chance of noise with a standard deviation up to 12 of 255.
    """

    upside_down: float
    quarter: float
    turn: float
    degrees: float
    scale: tuple[float, float]
    shift: float
    shear: float
    colour: float
    light: float
    hue: float
    grey: float
    blur: float
    noise: float


STRENGTHS: Final[Mapping[str, Strength]] = {
    "mild": Strength(0.2, 0.25, 0.7, 25, (0.8, 1.25), 0.1, 0.0, 0.7, 0.3, 0.02, 0.0, 0.15, 0.0),
    "strong": Strength(0.2, 0.25, 0.9, 30, (0.6, 1.6), 0.2, 0.15, 0.9, 0.4, 0.05, 0.1, 0.2, 0.2),
}
"""By the names that a recipe may give; `none` is not among them."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do to each picture of a batch.

    Attributes:
        place: from changed to original coordinates, float32 (N, 2, 3), as `affine_grid` takes it.
        colour: float32 (N, 3, 4) for (red, green, blue, 1) as shares of 255.
        blur: standard deviation in pixels, 0 for none, float32 (N,).
        noise: standard deviation as a share of 255, float32 (N,).
        seeds: of the noise, int64 (N,).
    """

    place: torch.Tensor
    colour: torch.Tensor
    blur: torch.Tensor
    noise: torch.Tensor
    seeds: torch.Tensor

    def __getitem__(self, rows: slice) -> "Changes":
        """Those of some of the pictures."""
        parts = (self.place, self.colour, self.blur, self.noise, self.seeds)
        return Changes(*(part[rows] for part in parts))


def draw(strength: Strength, count: int, generator: torch.Generator) -> Changes:
    """Draw what happens to `count` pictures."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def sometimes(chance: float, amount: torch.Tensor) -> torch.Tensor:
        return torch.where(uniform(0, 1) < chance, amount, torch.zeros(()))

    return Changes(
        place=_place(strength, uniform),
        colour=_colour(strength, uniform),
        blur=sometimes(strength.blur, uniform(0.1, 1.5)),
        noise=sometimes(strength.noise, uniform(1, 12) / 255),
        seeds=torch.randint(2**62, (count,), generator=generator),
    )


def apply(changes: Changes, pictures: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Change pictures uint8 (N, S, S, 3) and their masks uint8 (N, S, S) of 0/1.

    Returns:
        pictures float32 (N, S, S, 3), 0 to 255, and masks float32 (N, S, S) of 0/1. What lies beyond a picture's rim
        is black, and outside the mask.
    """
    device = pictures.device
    planes = torch.cat([pictures.permute(0, 3, 1, 2), masks[:, None] * 255], 1).float() / 255
    planes = planes.contiguous(memory_format=torch.channels_last)
    grid = affine_grid(changes.place.to(device), list(planes.shape), align_corners=False)
    placed = grid_sample(planes, grid, align_corners=False)
    flat = placed[:, :3].flatten(2)
    recoloured = torch.baddbmm(changes.colour[:, :, 3:].to(device), changes.colour[:, :, :3].to(device), flat)
    coloured = _noisy(_blurred(recoloured.view_as(placed[:, :3]), changes.blur), changes)
    return coloured.clamp(0, 1).mul(255).permute(0, 2, 3, 1), (placed[:, 3] >= 0.5).float()


def _place(strength: Strength, uniform: Draw) -> torch.Tensor:
    def chance(share: float) -> torch.Tensor:
        return (uniform(0, 1) < share).float()

    free = chance(strength.turn)
    angle = free * uniform(-strength.degrees, strength.degrees) * math.pi / 180
    angle = angle + chance(strength.quarter) * torch.sign(uniform(-1, 1)) * math.pi / 2
    zoom = torch.exp(free * uniform(math.log(strength.scale[0]), math.log(strength.scale[1])))
    shear = free * uniform(-strength.shear, strength.shear)
    flip, upside_down = 1 - 2 * chance(0.5), 1 - 2 * chance(strength.upside_down)
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    shift = [free * uniform(-2, 2) * strength.shift for _ in range(2)]  # the grid's side is 2
    rows = [
        [flip * cos, flip * (shear * cos - sin), shift[0]],
        [upside_down * sin, upside_down * (shear * sin + cos), shift[1]],
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


_LUMA: Final = (0.299, 0.587, 0.114)


def _colour(strength: Strength, uniform: Draw) -> torch.Tensor:
    """One linear map of colours: saturation and hue, then contrast about mid-grey, then brightness."""
    changed = (uniform(0, 1) < strength.colour).float()

    def factor() -> torch.Tensor:
        return 1 + changed * uniform(-strength.light, strength.light)

    brightness, contrast = factor(), factor()
    saturation = torch.where(uniform(0, 1) < strength.grey, torch.zeros(()), factor())
    to_grey = torch.tensor(_LUMA).expand(3, 3)
    matrix = saturation[:, None, None] * (torch.eye(3) - to_grey) + to_grey
    matrix = _hue(changed * uniform(-strength.hue, strength.hue)) @ matrix
    gain = (brightness * contrast)[:, None, None]
    offset = (brightness * (1 - contrast) / 2)[:, None, None].expand(-1, 3, 1)
    return torch.cat([gain * matrix, offset], 2)


def _hue(turns: torch.Tensor) -> torch.Tensor:
    """Rotation about the grey axis (Rodrigues), `turns` float32 (N,) to float32 (N, 3, 3); greys stay as they are."""
    angle = (turns * 2 * math.pi)[:, None, None]
    axis = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]])
    return torch.eye(3) * torch.cos(angle) + torch.sin(angle) * cross + (1 - torch.cos(angle)) / 3


def _blurred(planes: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """Gaussian blur of those of `planes` float32 (N, 3, S, S) that have a deviation; a kernel of 7 x 7."""
    rows = torch.nonzero(deviations)[:, 0]
    if not len(rows):
        return planes
    steps = torch.arange(-3, 4) ** 2
    bell = torch.exp(-steps / (2 * deviations[rows, None] ** 2))
    bell = (bell / bell.sum(1, keepdim=True)).to(planes.device)
    chosen = planes[rows.to(planes.device)]
    side = chosen.shape[-1]
    stacked = pad(chosen, (3, 3, 3, 3), mode="replicate").reshape(1, -1, side + 6, side + 6)
    kernels = bell.repeat_interleave(3, 0)
    across = conv2d(stacked, kernels[:, None, None, :], groups=len(kernels))
    down = conv2d(across, kernels[:, None, :, None], groups=len(kernels))
    return planes.index_copy(0, rows.to(planes.device), down.view_as(chosen))


def _noisy(planes: torch.Tensor, changes: Changes) -> torch.Tensor:
    rows = torch.nonzero(changes.noise)[:, 0].tolist()
    for row in rows:
        generator = torch.Generator().manual_seed(int(changes.seeds[row]))
        grain = torch.randn(planes.shape[1:], generator=generator) * changes.noise[row]
        planes[row] += grain.to(planes.device)
    return planes
