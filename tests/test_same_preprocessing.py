"""The service sees what the model was trained on: the same bytes give the network the same pixels."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from serving.inference import Found, Inference
from serving.release import read
from tests.builders import pair
from tests.onnx_model import SIZE, write_release
from wms_ml.arrays import MAX_PIXELS, ORIENTATION_TAG
from wms_ml.cache import DecodedCache
from wms_ml.predictor import Predictor
from wms_ml.reduced import decode, enough_for
from wms_ml.samples import render

BOUND = 1.5
"""Mean difference, of 255, that decoding at a fraction may make: what `Upright.network_input` promises."""

RENDERED_BOUND = 1.0
"""The same of rendered pictures, which have less noise."""

PICTURES = os.environ.get("WMS_TEST_PICTURES", "")
"""A folder of real pictures, where there is one."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Inference:
    """The service's own inference; its model's probabilities are the red that it is shown."""
    folder = tmp_path_factory.mktemp("release") / "release"
    write_release(folder)
    return Inference(Predictor(read(folder).model), MAX_PIXELS)


def trained_on(data: bytes, folder: Path, size: int = SIZE) -> NDArray[np.uint8]:
    """What a training makes of a picture, by way of its cache."""
    mask = encoded(Image.new("L", decode(data).size, 255), "PNG")
    digests = [hashlib.sha256(content).hexdigest() for content in (data, mask)]
    row = pair("picture", *digests)
    for name, content in ((row.image, data), (row.mask, mask)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    cache = DecodedCache(folder / "cache", folder, size)
    cache.fill([row])
    return cache.side([row]).gather([0])[0][0]


def served(found: Found) -> NDArray[np.uint8]:
    """What the service showed the network, which the model's answer confirms."""
    shown = found.picture.network_input(SIZE)
    assert np.array_equal(np.rint(found.prediction.probabilities * 255), shown[..., 0])
    return shown


def encoded(image: Image.Image, kind: str, tag: int = 1) -> bytes:
    """The file of a picture that is stored as it is, with an orientation that a reader must undo."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = tag
    buffer = io.BytesIO()
    more = {"append_images": [image.resize((9, 9))], "save_all": True} if kind == "MPO" else {}
    image.save(buffer, kind, **({} if kind == "BMP" else {"exif": exif}), **more)
    return buffer.getvalue()


def colourful(size: tuple[int, int]) -> Image.Image:
    """A picture that is another one however it is turned or mirrored, with fine detail."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    return Image.blend(coarse, noise, 0.1)


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_what_is_decoded_whole_is_the_same_to_the_pixel(
    service: Inference, tmp_path: Path, kind: str, tag: int
) -> None:
    data = encoded(colourful((150, 220)), kind, tag)
    found = service.find(data, crop=False)
    assert np.array_equal(served(found), trained_on(data, tmp_path))
    assert found.prediction.mask.shape == ((150, 220) if tag > 4 else (220, 150))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16", "1"])
def test_pictures_of_other_modes_are_the_same_to_the_pixel(service: Inference, tmp_path: Path, mode: str) -> None:
    picture = Image.new("I;16", (150, 220), 40_000) if mode == "I;16" else colourful((150, 220)).convert(mode)
    data = encoded(picture, "PNG", 6)
    assert np.array_equal(served(service.find(data, crop=False)), trained_on(data, tmp_path))


@pytest.mark.parametrize("kind", ["BMP", "PNG"])
def test_only_jpegs_are_ever_decoded_at_a_fraction(service: Inference, tmp_path: Path, kind: str) -> None:
    data = encoded(colourful((1200, 900)), kind)
    found = service.find(data, crop=False)
    assert found.picture.image.size == (1200, 900)
    assert np.array_equal(served(found), trained_on(data, tmp_path))


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_what_is_decoded_at_a_fraction_is_the_same_within_the_bound(
    service: Inference, tmp_path: Path, kind: str, tag: int
) -> None:
    """Sides that no fraction divides: half a pixel in the wrong place would shift everything, and break the bound."""
    data = encoded(Image.open(io.BytesIO(render(3, 1, (401, 533)).image_jpeg)), kind, tag)
    found = service.find(data, crop=False)
    assert max(found.picture.image.size) == 267
    assert difference(served(found), trained_on(data, tmp_path)) < RENDERED_BOUND
    assert found.picture.size == decode(data).size


def test_for_a_cut_out_a_picture_is_decoded_whole(service: Inference, tmp_path: Path) -> None:
    data = render(3, 1, (600, 800)).image_jpeg
    assert np.array_equal(served(service.find(data, crop=True)), trained_on(data, tmp_path))


@pytest.mark.skipif(not PICTURES, reason="WMS_TEST_PICTURES names no folder of real pictures")
def test_real_pictures_stay_within_the_bound(tmp_path: Path) -> None:
    pictures = sorted(Path(PICTURES).iterdir())[::50]
    for path in pictures:
        data = path.read_bytes()
        shown = decode(data, at_least=enough_for(256)).network_input(256)
        assert difference(shown, trained_on(data, tmp_path, 256)) < BOUND, path.name


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other).mean())
