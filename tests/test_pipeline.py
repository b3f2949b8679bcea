"""The whole chain as people meet it: drops go in, a model serves, and a no says why."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.builders import drop_folder
from tests.rig import UNTRAINED, Platform

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("pipeline")
    platform = Platform(folder / "home")
    platform.drop(drop_folder(folder / "first", 50))
    platform.first = json.loads(platform.run("drop_to_deployment", "--json", WMS_TRAIN_EPOCHS="3").stdout)["assets"]  # type: ignore[attr-defined]
    yield platform
    platform.stop()


def address(platform: Platform) -> str:
    return f"http://127.0.0.1:{platform.environment['WMS_SERVE_PORT']}"


def test_a_first_drop_ends_in_a_serving_model(platform: Platform) -> None:
    version = httpx.get(f"{address(platform)}/version").json()
    assert version["model_version"] == "1"
    assert version["digest"] == platform.registry.production().digest
    assert platform.mlflow_statuses() == ["FINISHED", "FINISHED"]  # the attempt and its training


def test_the_service_answers_with_a_mask_of_the_pictures_own_size(platform: Platform, tmp_path: Path) -> None:
    for path in sorted((drop_folder(tmp_path, 6, seed=3) / "images").iterdir()):
        answer = httpx.post(
            f"{address(platform)}/predict", files={"image": path.read_bytes()}, headers={"Accept": "image/png"}
        )
        upright = sorted(Image.open(path).size)
        assert sorted(Image.open(io.BytesIO(answer.content)).size) == upright


def test_every_asset_shows_what_a_person_wants_to_see(platform: Platform) -> None:
    shown = platform.first  # type: ignore[attr-defined]
    assert shown["raw_dataset"]["pairs"] == 50
    assert "= **50**" in shown["validated_dataset"]["pairs"]
    assert {"test Dice", "test IoU", "attempts"} <= set(shown["trained_model"])
    assert "promote" in shown["production_model"]["comparison"]
    assert shown["deployed_image"]["address"] == address(platform)


def test_the_same_again_changes_nothing(platform: Platform) -> None:
    before = platform.state()
    platform.run("drop_to_deployment", WMS_TRAIN_EPOCHS="3")
    assert platform.state() == before


def test_a_drop_that_makes_the_model_no_better_is_refused_with_a_table(platform: Platform, tmp_path: Path) -> None:
    before = platform.state()
    platform.drop(drop_folder(tmp_path / "second", 10, seed=1))
    refused = platform.run("drop_to_deployment", expect=1, **UNTRAINED)
    assert "better_than_production" in refused.stderr
    assert "not better than the model in production: dice" in refused.stderr
    assert platform.state() == before


def test_a_drop_with_broken_pairs_is_stopped_by_name_and_the_next_good_one_goes_through(
    platform: Platform, tmp_path: Path
) -> None:
    before = platform.state()
    broken = drop_folder(tmp_path / "broken", 4, seed=2)
    first, second, *_ = sorted((broken / "masks").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:100])
    dropped = platform.drop(broken)
    stopped = platform.run("drop_to_deployment", "--drop", dropped, expect=1)
    assert f"images/{first.stem}.jpg" in stopped.stderr
    assert f"masks/{second.name}" in stopped.stderr
    assert platform.state() == before
    assert (platform.home / "store" / "drops" / dropped / "masks" / second.name).exists()

    good = platform.drop(drop_folder(tmp_path / "good", 8, seed=4))
    platform.run("drop_to_deployment", "--drop", good, WMS_TRAIN_EPOCHS="12", WMS_TRAIN_ATTEMPTS="3")
    after = platform.state()
    assert after["version"] != before["version"]
    assert after["main"] != before["main"]
    assert after["service"] != before["service"]


def test_figures_can_be_measured_again_from_the_command_line(platform: Platform, tmp_path: Path) -> None:
    data = drop_folder(tmp_path / "pictures", 5, seed=8)
    platform.wms("evaluate", str(data), "--json", str(tmp_path / "figures.json"))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert len(figures["pictures"]) == 5
    assert figures["dice"] == pytest.approx(sum(each["dice"] for each in figures["pictures"]) / 5)
    platform.wms("predict", str(data / "images"), "--out", str(tmp_path / "masks"))
    assert len(list((tmp_path / "masks" / "masks").glob("*.png"))) == 5


def test_one_bad_picture_does_not_stop_a_folder_from_being_predicted(platform: Platform, tmp_path: Path) -> None:
    data = drop_folder(tmp_path / "pictures", 2, seed=8) / "images"
    (data / "broken.jpg").write_bytes(b"no picture")
    said = platform.wms("predict", str(data), "--out", str(tmp_path / "masks"), expect=1)
    assert "broken.jpg" in said.stderr
    assert len(list((tmp_path / "masks" / "masks").glob("*.png"))) == 2
