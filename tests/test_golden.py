"""Golden pictures are what they should be, and a service that does not find their windows is told so with figures."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.rig import free_port
from tests.rollout_world import release, write_golden
from tests.serving_process import running
from tests.uploads import RED_BOX, UPRIGHT, encoded, photo
from wms_ml.arrays import image_of, open_header, orientation
from wms_ml.errors import DeploymentError, ReleaseError, SettingsError
from wms_resources.deployment.golden import Golden, golden, iou
from wms_resources.deployment.proof import prove
from wms_resources.deployment.release_folder import MASK
from wms_resources.deployment.releases import Releases
from wms_resources.deployment.targets import Package


def test_without_a_folder_there_are_rendered_pictures_of_which_some_are_stored_turned() -> None:
    pictures = golden().pictures
    assert len(pictures) == 4
    assert {orientation(open_header(each.image)) for each in pictures} == {1, 6, 8}
    for each in pictures:
        width, height = image_of(each.image).size
        assert each.answer.shape == (height, width)
        assert 0.005 < each.answer.mean() < 0.5


def test_pictures_of_a_folder_come_in_the_order_of_their_names_with_their_answers(tmp_path: Path) -> None:
    found = golden(str(write_golden(tmp_path / "golden")), floor=0.7)
    assert [each.name for each in found.pictures] == ["a.png", "b.png"]
    left, top, right, bottom = RED_BOX
    assert all(each.answer[top:bottom, left:right].all() for each in found.pictures)
    assert found.floor == 0.7


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no mask": (lambda golden: (golden / "masks/a.png").unlink(), "images/a.png has no partner"),
    "no image": (lambda golden: (golden / "images/a.png").unlink(), "masks/a.png has no partner"),
    "twice": (lambda golden: (golden / "images/a.jpg").write_bytes(photo()), "a.jpg and .*a.png share a name"),
    "no picture": (lambda golden: (golden / "images/a.png").write_bytes(b"no"), "images/a.png .*cannot be read"),
    "other size": (
        lambda golden: (golden / "masks/a.png").write_bytes(encoded(Image.new("L", (9, 9), 255))),
        "masks/a.png has 9 x 9 pixels, its picture 48 x 96",
    ),
    "empty mask": (
        lambda golden: (golden / "masks/a.png").write_bytes(encoded(Image.new("L", UPRIGHT))),
        "masks/a.png marks nothing",
    ),
    "no folder": (lambda golden: golden.rename(golden.with_name("elsewhere")), "no folder"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_folder_that_cannot_be_used_is_refused_with_the_file_and_the_setting(tmp_path: Path, case: str) -> None:
    spoil, said = SPOILT[case]
    spoil(write_golden(tmp_path / "golden"))
    with pytest.raises(SettingsError, match=f"WMS_GOLDEN: .*{said}"):
        golden(str(tmp_path / "golden"))


def test_overlap_is_that_of_jaccard() -> None:
    one, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert iou(one, other) == 1
    one[:2], other[1:3] = True, True
    assert iou(one, other) == 4 / 12


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Package, str, Golden]]:
    """A release, where it is served to those with the key, and pictures whose windows its model finds."""
    folder = tmp_path_factory.mktemp("served")
    package = release(folder, "7")
    with running(Path(package.folder), folder / "log", WMS_SERVING_API_KEY="open") as service:
        yield package, service.url, golden(str(write_golden(folder / "golden")), key="open")


Served = tuple[Package, str, Golden]


def test_a_service_that_is_what_it_should_be_is_proved(served: Served) -> None:
    prove(*served)


def test_another_release_than_was_deployed_is_refused(served: Served) -> None:
    package, url, pictures = served
    with pytest.raises(ReleaseError, match="serves model_version 7, not 8"):
        prove(replace(package, model_version="8"), url, pictures)


def test_a_model_that_misses_the_windows_is_refused_with_figures(served: Served) -> None:
    package, url, pictures = served
    elsewhere = tuple(replace(each, answer=~each.answer) for each in pictures.pictures[:1]) + pictures.pictures[1:]
    with pytest.raises(ReleaseError, match=r"mean IoU 0\.50, at least 0\.60 .*a\.png 0\.00, b\.png 1\.00"):
        prove(package, url, replace(pictures, pictures=elsewhere, floor=0.6))
    prove(package, url, replace(pictures, pictures=elsewhere, floor=0.4))


def test_a_model_that_draws_another_mask_than_when_it_was_released_is_refused(served: Served, tmp_path: Path) -> None:
    package, url, pictures = served
    for path in Path(package.folder).iterdir():
        os.link(path, tmp_path / path.name)
    (tmp_path / MASK).unlink()
    (tmp_path / MASK).write_bytes(encoded(Image.new("L", UPRIGHT)))
    with pytest.raises(ReleaseError, match=r"draws another mask .* 12\.5% of its pixels"):
        prove(replace(package, folder=str(tmp_path)), url, pictures)
    prove(replace(package, folder=""), url, pictures)


def test_a_missing_key_and_a_deaf_address_are_not_the_release_s_fault(served: Served) -> None:
    package, url, pictures = served
    for address, key, said in (
        (url, "", "WMS_SERVING_API_KEY"),
        (f"http://127.0.0.1:{free_port()}", "open", "reached"),
    ):
        with pytest.raises(DeploymentError, match=said) as caught:
            prove(package, address, replace(pictures, key=key))
        assert not isinstance(caught.value, ReleaseError)


def test_old_release_folders_go_but_for_the_newest_and_those_that_somebody_needs(tmp_path: Path) -> None:
    for age, name in enumerate("abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.onnx").write_bytes(b"")
        os.utime(tmp_path / name, (age, age))
    (tmp_path / ".b2.gone").mkdir()
    assert sorted(Releases(folder=str(tmp_path), project="").tidy({"a"}, last=3)) == ["b", "c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "d", "e", "f"]
