"""`wms models`: what people see of the versions there are, and what they take away."""

import json
from pathlib import Path

import pytest

from tests.builders import drop_folder
from tests.models_world import Command, ModelsWorld, told
from wms_ml.errors import DataError, NoProductionModelError, RegistryError, SettingsError
from wms_ml.files import digest_of
from wms_ml.predictor import Predictor

pytest_plugins = ["tests.models_world"]


def test_the_list_says_what_serves_what_served_and_how_good_each_is(models: ModelsWorld, wms: Command) -> None:
    models.promoted("one", "two")
    models.version("three")
    found = told(wms, "list")
    assert [(each["version"], each["aliases"], each["was_in_production"]) for each in found] == [
        ("3", [], False),
        ("2", ["production"], True),
        ("1", ["previous"], True),
    ]
    assert found[1]["dice"] == pytest.approx(0.655)
    lines = wms("list").stdout.splitlines()
    assert lines[2].split()[:4] == ["2", "production", "0.6550", f"{found[1]['iou']:.4f}"]


def test_an_empty_list_says_how_to_get_a_model(wms: Command) -> None:
    done = wms("list")
    assert done.stdout == ""
    assert "wms demo" in done.stderr


def test_a_version_is_shown_with_its_origin_its_scores_and_its_time_in_production(
    models: ModelsWorld, wms: Command
) -> None:
    first, second = models.promoted("one", "two")
    about = told(wms, "show", "2")
    assert about["lineage"]["model digest"] == second.digest
    assert about["lineage"]["image digest"] == "not built yet"
    assert about["recipe"]["encoder"] == "resnet18"
    assert [(each["version"], each["replaced"], each["by"]) for each in about["history"]] == [("2", "1", "the job")]
    (evidence,) = about["evidence"]
    assert (evidence["against"], evidence["verdict"]["improved"]) == ("1", True)
    assert evidence["scores"]["metrics"]["dice"]["mean"] == pytest.approx(0.655)
    shown = wms("show", "2").stdout
    assert second.digest in shown
    assert "judged on data d0d0cafed0d0 against version 1" in shown
    assert "the gate would say promote" in shown
    assert first.version == "1"


def test_evidence_that_does_not_count_is_shown_with_the_reason(models: ModelsWorld, wms: Command) -> None:
    version = models.version()
    models.judged(version, [0.6] * 12)
    (stored,) = (models.home / "mlflow").rglob("evidence/*.json")
    stored.write_text(stored.read_text().replace("0.6", "0.9"))
    assert "not the file that was written" in told(wms, "show", "1")["evidence"][0]["problem"]
    assert "not the file that was written" in wms("show", "1").stdout


def test_two_versions_are_compared_by_the_gates_evidence_where_it_has_both(models: ModelsWorld, wms: Command) -> None:
    models.promoted("one", "two")
    outcome = told(wms, "compare", "2", "1")
    assert (outcome["from"], outcome["verdict"]["improved"]) == ("evidence", True)
    back = told(wms, "compare", "previous", "production")
    assert not back["verdict"]["improved"]
    assert "refuse" in wms("compare", "1", "2").stdout
    assert models.production() == "2"


def test_without_common_evidence_both_are_scored_on_the_accepted_test_pictures(
    models: ModelsWorld, wms: Command, tmp_path: Path
) -> None:
    pairs = models.drop(drop_folder(tmp_path / "drop", 24))
    assert models.data is not None
    models.parts.data_repo.accept(models.data)
    models.version("one")
    models.version("two")
    outcome = told(wms, "compare", "1", "2")
    assert outcome["from"] == "scored now"
    assert outcome["data_version"] == models.data_version
    assert outcome["verdict"]["pictures"] == sum(pair.split == "test" for pair in pairs) > 0
    assert "not better" in outcome["verdict"]["reason"]


def test_a_folder_of_ones_own_is_what_two_versions_are_scored_on(
    models: ModelsWorld, wms: Command, tmp_path: Path
) -> None:
    models.promoted("one", "two")
    folder = drop_folder(tmp_path / "mine", 24)
    assert told(wms, "compare", "2", "1", "--data", str(folder))["from"] == "scored now"


def test_a_version_is_not_compared_with_itself(models: ModelsWorld, wms: Command) -> None:
    models.promoted("one")
    with pytest.raises(SettingsError, match="same model, version 1"):
        wms("compare", "1", "production")


def test_a_model_is_taken_away_whole_with_its_card(models: ModelsWorld, wms: Command, tmp_path: Path) -> None:
    (version,) = models.promoted("one")
    out = tmp_path / "deep" / "out"
    assert wms("pull", "--out", str(out)).stdout.strip() == str(out / "model.onnx")
    assert {path.name for path in out.iterdir()} == {"model.onnx", "model.json", "README.md", "model-card.html"}
    assert digest_of(out / "model.onnx") == version.digest
    Predictor(out / "model.onnx")
    stated = json.loads((out / "model.json").read_text())
    assert (stated["version"], stated["digest"], stated["dice"]) == ("1", version.digest, pytest.approx(0.655))
    assert "# Model card of water-meter-segmentation, version 1" in (out / "README.md").read_text()


def test_a_model_file_that_was_altered_is_not_taken_away(models: ModelsWorld, wms: Command, tmp_path: Path) -> None:
    models.promoted("one")
    for stored in (models.home / "mlflow" / "artifacts").rglob("model.onnx"):
        stored.write_bytes(b"another")
    with pytest.raises(RegistryError, match="not the one that was registered"):
        wms("pull", "--out", str(tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_a_folder_in_use_is_left_as_it_is(models: ModelsWorld, wms: Command, tmp_path: Path) -> None:
    models.promoted("one")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is taken"):
        wms("pull", "--out", str(tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_pulling_production_before_there_is_one_says_how_to_get_it(wms: Command, tmp_path: Path) -> None:
    with pytest.raises(NoProductionModelError, match="wms drop"):
        wms("pull", "--out", str(tmp_path / "out"))


def test_a_registry_that_is_away_is_one_sentence_and_no_empty_list(
    wms: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WMS_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(RegistryError, match=r"^cannot .*WMS_MLFLOW_TRACKING_URI"):
        wms("list")
