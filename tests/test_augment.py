"""Augmentation changes a picture and its mask alike, by what the generator says and nothing else."""

import dataclasses

import pytest
import torch

from wms_ml.augment import STRENGTHS, Changes, Strength, apply, draw

STILL = Strength(0, 0, 0, 0, (1, 1), 0, 0, 0, 0, 0, 0, 0, 0)


def batch(count: int = 6, side: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures uint8 whose red plane is 255 inside the mask and 0 outside."""
    masks = torch.zeros(count, side, side, dtype=torch.uint8)
    masks[:, side // 4 : side // 2, side // 3 : side * 3 // 4] = 1
    pictures = torch.full((count, side, side, 3), 90, dtype=torch.uint8)
    pictures[..., 0] = masks * 255
    return pictures, masks


def changes(strength: Strength, count: int = 6, seed: int = 0) -> Changes:
    return draw(strength, count, torch.Generator().manual_seed(seed))


def only(**what: object) -> Strength:
    return dataclasses.replace(STILL, **what)  # type: ignore[arg-type]


def test_nothing_asked_for_is_nothing_changed_but_flips() -> None:
    pictures, masks = batch()
    found, found_masks = apply(changes(STILL), pictures, masks)
    for index in range(len(pictures)):
        as_it_was = torch.equal(found_masks[index], masks[index].float())
        expected = pictures[index] if as_it_was else pictures[index].flip(1)
        assert torch.allclose(found[index], expected.float(), atol=1e-3)


@pytest.mark.parametrize(
    "geometry",
    [
        {"turn": 1.0, "degrees": 30.0},
        {"turn": 1.0, "scale": (0.6, 1.6)},
        {"turn": 1.0, "shift": 0.2},
        {"turn": 1.0, "shear": 0.3},
        {"quarter": 1.0},
        {"upside_down": 1.0},
    ],
    ids=str,
)
def test_a_mask_moves_with_its_picture(geometry: dict[str, object]) -> None:
    pictures, masks = batch()
    found, found_masks = apply(changes(only(**geometry)), pictures, masks)
    assert not torch.equal(found_masks, masks.float())
    agree = (found[..., 0] >= 127.5) == found_masks.bool()
    assert agree.float().mean() > 0.99


def test_a_rotation_keeps_shapes() -> None:
    pictures, masks = batch()
    _, turned = apply(changes(only(turn=1.0, degrees=45.0)), pictures, masks)
    assert turned.sum((1, 2)) == pytest.approx(masks.sum((1, 2)).float().tolist(), rel=0.05)


def test_other_light_leaves_masks_alone_and_greys_grey() -> None:
    pictures, masks = batch()
    grey = pictures[..., 1:2].expand(-1, -1, -1, 3)
    light = only(colour=1.0, light=0.4, hue=0.5)
    found, found_masks = apply(changes(light), grey, masks)
    assert found_masks.sum((1, 2)).tolist() == masks.sum((1, 2)).tolist()
    assert torch.allclose(found[..., 0], found[..., 1], atol=0.1)
    assert torch.allclose(found[..., 0], found[..., 2], atol=0.1)
    assert found.mean((1, 2, 3)).std() > 5


def test_colour_can_go_altogether() -> None:
    found, _ = apply(changes(only(grey=1.0)), *batch())
    assert torch.allclose(found[..., 0], found[..., 2], atol=1e-3)


def test_blur_smooths_edges_and_keeps_the_mean() -> None:
    pictures, masks = batch()
    found, _ = apply(changes(only(blur=1.0)), pictures, masks)
    steps = (found[..., 0].diff(dim=2).abs().amax((1, 2)) < 250).sum()
    assert steps >= 4
    assert found.mean() == pytest.approx(float(pictures.float().mean()), rel=0.01)


def test_noise_is_of_the_strength_that_was_drawn() -> None:
    pictures, masks = batch()
    drawn = changes(only(noise=1.0))
    found, _ = apply(drawn, pictures[..., 1:2].expand(-1, -1, -1, 3), masks)
    assert found.std((1, 2, 3)).tolist() == pytest.approx((drawn.noise * 255).tolist(), rel=0.1)


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_process_changes_its_pictures_as_one_would(name: str) -> None:
    pictures, masks = batch(8)
    drawn = changes(STRENGTHS[name], 8, seed=3)
    together, _ = apply(drawn, pictures, masks)
    for rank in range(2):
        mine = slice(rank, None, 2)
        assert torch.allclose(apply(drawn[mine], pictures[mine], masks[mine])[0], together[mine], atol=1e-3)


@pytest.mark.parametrize("name", STRENGTHS)
def test_pictures_stay_pictures(name: str) -> None:
    found, masks = apply(changes(STRENGTHS[name], seed=5), *batch())
    assert found.dtype == torch.float32
    assert float(found.min()) >= 0
    assert float(found.max()) <= 255
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
