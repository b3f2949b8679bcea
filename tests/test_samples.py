"""Sample pairs: repeatable, fit for every size, and with masks that lie on the window and nowhere else."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from wms_ml.arrays import decode_upright, open_header, orientation
from wms_ml.errors import SettingsError
from wms_ml.sample_camera import aim, quad_mask
from wms_ml.sample_counter import choose_window, turns
from wms_ml.sample_ink import Pen
from wms_ml.sample_photo import tilted
from wms_ml.samples import Sample, as_stored, main, render, write_samples

SMALL = (90, 120)


@pytest.fixture(scope="module")
def series() -> list[Sample]:
    return [render(3, index, SMALL) for index in range(80)]


def mask_of(sample: Sample) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sample.mask_png)))


def detail_inside(picture: Image.Image, mask: np.ndarray) -> float:
    """Mean brightness step between neighbours inside a mask: digits give many."""
    grey = np.asarray(picture.convert("L"), dtype=np.float64)
    steps = np.abs(np.diff(grey, axis=1, prepend=0)) + np.abs(np.diff(grey, axis=0, prepend=0))
    return float(steps[mask > 0].mean() / steps.mean())


def test_the_same_seed_and_index_give_the_same_bytes() -> None:
    assert render(5, 2, SMALL) == render(5, 2, SMALL)


def test_another_index_or_seed_gives_another_picture(series: list[Sample]) -> None:
    contents = {sample.image_jpeg for sample in series} | {render(4, 0, SMALL).image_jpeg}
    assert len(contents) == len(series) + 1
    assert len({sample.name for sample in series}) == len(series)


def test_the_name_carries_index_and_reading() -> None:
    assert re.fullmatch(r"meter_0007_\d{5}_\d{3}", render(0, 7, SMALL).name)


def test_a_mask_is_black_and_white_and_has_the_upright_size(series: list[Sample]) -> None:
    for sample in series:
        mask = Image.open(io.BytesIO(sample.mask_png))
        assert (mask.format, mask.mode) == ("PNG", "L")
        assert set(np.unique(np.asarray(mask)).tolist()) == {0, 255}
        assert mask.size == decode_upright(sample.image_jpeg).size


def test_about_a_quarter_of_the_pictures_are_stored_turned(series: list[Sample]) -> None:
    tags = [orientation(open_header(sample.image_jpeg)) for sample in series]
    assert set(tags) == {1, 3, 6, 8}
    assert 0.12 < np.mean([tag != 1 for tag in tags]) < 0.4


def test_pictures_stand_and_lie(series: list[Sample]) -> None:
    assert {decode_upright(sample.image_jpeg).size for sample in series} == {(90, 120), (120, 90)}


@pytest.mark.parametrize("tag", [1, 3, 6, 8])
def test_a_picture_stored_turned_is_upright_after_applying_its_tag(tag: int) -> None:
    slope = np.add.outer(np.arange(80) * 2, np.arange(64)).astype(np.uint8)
    image = Image.fromarray(np.dstack([slope, slope, slope]))
    stored = as_stored(image, tag)
    assert orientation(open_header(stored)) == tag
    assert np.abs(np.asarray(decode_upright(stored), dtype=np.int16) - np.asarray(image)).max() < 12


@pytest.mark.parametrize("turned", [False, True])
def test_the_mask_lies_on_the_digits_of_the_upright_picture(series: list[Sample], turned: bool) -> None:
    picked = [sample for sample in series if (orientation(open_header(sample.image_jpeg)) != 1) is turned]
    upright = [decode_upright(sample.image_jpeg) for sample in picked]
    masks = [mask_of(sample) for sample in picked]
    fitting = [detail_inside(*pair) for pair in zip(upright, masks, strict=True)]
    upside_down = [detail_inside(*pair) for pair in zip(upright, (mask[::-1, ::-1] for mask in masks), strict=True)]
    assert np.mean(fitting) > 1.2 * np.mean(upside_down)


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_is_exactly_what_the_camera_shows_of_the_window(seed: int) -> None:
    rng, size = np.random.default_rng(seed), (300, 400)
    window = choose_window(rng)
    camera = aim(rng, window, size)
    pen = Pen(Image.new("L", (1200, 1200)).convert("RGB"))
    (left, top), _, (right, bottom), _ = window.corners()
    pen.box(left, top, right, bottom, (255, 255, 255))
    shown = np.asarray(tilted(pen.image, camera, (0, 0, *size)).convert("L")) >= 128
    mask = np.asarray(quad_mask(camera.project(window.corners()), size)) > 0
    assert (shown & mask).sum() / (shown | mask).sum() > 0.97


def test_windows_are_as_large_as_on_real_pictures(series: list[Sample]) -> None:
    coverage = [float((mask_of(sample) > 0).mean()) for sample in series]
    assert min(coverage) > 0.005
    assert max(coverage) < 0.07
    assert 0.018 < np.median(coverage) < 0.032


@pytest.mark.parametrize("size", [(64, 64), (64, 85), (65, 301), (301, 65)])
def test_every_size_from_64_pixels_has_a_mask_of_more_than_100_pixels(size: tuple[int, int]) -> None:
    for index in range(12):
        sample = render(1, index, size)
        assert decode_upright(sample.image_jpeg).size in (size, size[::-1])
        assert (mask_of(sample) > 0).sum() > 100


def test_a_size_under_64_pixels_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"63x80.*at least 64"):
        render(0, 0, (63, 80))


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_a_negative_seed_or_index_is_refused(seed: int, index: int) -> None:
    with pytest.raises(SettingsError, match="0 or more"):
        render(seed, index, SMALL)


def test_a_wheel_rolls_along_only_when_all_after_it_show_nine() -> None:
    assert turns("00120990", 0.3) == [0, 0, 0, 0, 0, 0, 0, 0.3]
    assert turns("00120999", 0.3) == [0, 0, 0, 0, 0.3, 0.3, 0.3, 0.3]


def test_writing_gives_pairs_under_one_stem_and_nothing_else(tmp_path: Path) -> None:
    done: list[int] = []
    names = write_samples(tmp_path, 3, seed=2, size=SMALL, on_progress=done.append)
    assert done == [1, 2, 3]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [f"{name}.jpg" for name in names]
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [f"{name}.png" for name in names]
    assert (tmp_path / "images" / f"{names[1]}.jpg").read_bytes() == render(2, 1, SMALL).image_jpeg
    assert (tmp_path / "masks" / f"{names[1]}.png").read_bytes() == render(2, 1, SMALL).mask_png


def test_a_negative_count_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="count -1"):
        write_samples(tmp_path / "out", -1)
    assert not (tmp_path / "out").exists()


def test_the_command_writes_as_many_pairs_as_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--count", "2", "--seed", "9", "--size", "64x80"]) == 0
    pictures = [Image.open(path) for path in (tmp_path / "images").iterdir()]
    assert [sorted(ImageOps.exif_transpose(picture).size) for picture in pictures] == [[64, 80]] * 2
    assert "2 pairs" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["600", "600x", "60x60", "ax9"])
def test_the_command_says_what_is_wrong_with_a_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    assert main(["--out", str(tmp_path), "--size", size]) == 2
    assert size in capsys.readouterr().err
