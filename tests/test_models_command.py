"""`wms models`: what people see and do, against a real MLflow, data repository and Dagster instance."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from tests.builders import drop_folder
from tests.mlflow_server import blank
from tests.models_world import ModelsWorld
from tests.rig import Platform
from wms.cli import app
from wms_ml.errors import DataError, GateError, NoProductionModelError, RegistryError, SettingsError
from wms_ml.files import digest_of
from wms_ml.predictor import Predictor

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return blank(tmp_path_factory.mktemp("blank"))


@pytest.fixture
def world(tmp_path: Path, mlflow: bytes) -> ModelsWorld:
    return ModelsWorld(tmp_path / "home", mlflow)


@pytest.fixture
def wms(world: ModelsWorld, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command on that world, in this process; errors come out as they are."""
    monkeypatch.setenv("WMS_HOME", str(world.home))
    monkeypatch.setenv("WMS_USER", "ann")
    monkeypatch.setenv("DAGSTER_HOME", str(world.home / "dagster"))
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str, expect: int = 0) -> Result:
        done = CliRunner().invoke(app, ["models", *arguments])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == expect, done.output
        return done

    return invoke


def told(wms: Command, *arguments: str) -> Any:
    return json.loads(wms(*arguments, "--json").stdout)


def events(world: ModelsWorld) -> list[dict[str, Any]]:
    """What the UI shows of production_model, newest first."""
    with dg.DagsterInstance.get() as instance:
        found = instance.fetch_materializations(dg.AssetKey("production_model"), limit=20).records
    shown = [each.asset_materialization for each in found]
    return [{name: value.value for name, value in each.metadata.items()} for each in shown if each]


def test_the_list_says_what_serves_what_served_and_how_good_each_is(world: ModelsWorld, wms: Command) -> None:
    world.promoted("one", "two")
    world.version("three")
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
    world: ModelsWorld, wms: Command
) -> None:
    first, second = world.promoted("one", "two")
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


def test_evidence_that_does_not_count_is_shown_with_the_reason(world: ModelsWorld, wms: Command) -> None:
    version = world.version()
    world.judged(version, [0.6] * 12)
    (stored,) = (world.home / "mlflow").rglob("evidence/*.json")
    stored.write_text(stored.read_text().replace("0.6", "0.9"))
    assert "not the file that was written" in told(wms, "show", "1")["evidence"][0]["problem"]
    assert "not the file that was written" in wms("show", "1").stdout


def test_two_versions_are_compared_by_the_gates_evidence_where_it_has_both(world: ModelsWorld, wms: Command) -> None:
    world.promoted("one", "two")
    outcome = told(wms, "compare", "2", "1")
    assert (outcome["from"], outcome["verdict"]["improved"]) == ("evidence", True)
    back = told(wms, "compare", "previous", "production")
    assert not back["verdict"]["improved"]
    assert "refuse" in wms("compare", "1", "2").stdout
    assert world.production() == "2"


def test_without_common_evidence_both_are_scored_on_the_accepted_test_pictures(
    world: ModelsWorld, wms: Command, tmp_path: Path
) -> None:
    pairs = world.drop(drop_folder(tmp_path / "drop", 24))
    assert world.data is not None
    world.parts.data_repo.accept(world.data)
    world.version("one")
    world.version("two")
    outcome = told(wms, "compare", "1", "2")
    assert outcome["from"] == "scored now"
    assert outcome["data_version"] == world.data_version
    assert outcome["verdict"]["pictures"] == sum(pair.split == "test" for pair in pairs) > 0
    assert "not better" in outcome["verdict"]["reason"]


def test_a_folder_of_ones_own_is_what_two_versions_are_scored_on(
    world: ModelsWorld, wms: Command, tmp_path: Path
) -> None:
    world.promoted("one", "two")
    folder = drop_folder(tmp_path / "mine", 24)
    assert told(wms, "compare", "2", "1", "--data", str(folder))["from"] == "scored now"


def test_a_version_is_not_compared_with_itself(world: ModelsWorld, wms: Command) -> None:
    world.promoted("one")
    with pytest.raises(SettingsError, match="same model, version 1"):
        wms("compare", "1", "production")


def test_promoting_by_hand_takes_the_gates_way_and_leaves_its_traces(
    world: ModelsWorld, wms: Command, tmp_path: Path
) -> None:
    world.drop(drop_folder(tmp_path / "drop", 24))
    version = world.version()
    world.judged(version, [0.6] * 12)
    outcome = told(wms, "promote", "1", "--reason", "looked at all of them")
    assert (outcome["version"], outcome["replaced"], outcome["by"]) == ("1", None, "ann")
    assert world.production() == "1"
    last = world.parts.promoter.history()[-1]
    assert (last.by, last.reason, last.version) == ("ann", "looked at all of them", "1")
    (event,) = events(world)
    assert (event["version"], event["by"], event["reason"]) == ("1", "ann", "looked at all of them")
    assert {path.name for path in (world.home / "mlflow").rglob("card/*")} >= {"README.md", "model-card.html"}
    accepted = world.parts.data_repo.accepted()
    assert accepted is not None and world.data is not None
    assert accepted.commit == world.data.commit


def test_promoting_again_changes_nothing_and_shows_once(world: ModelsWorld, wms: Command) -> None:
    world.judged(world.version(), [0.6] * 12)
    wms("promote", "1", "--reason", "good")
    assert "nothing was moved" in wms("promote", "1", "--reason", "good").stderr
    assert len(world.parts.promoter.history()) == 1
    assert len(events(world)) == 1


def test_without_evidence_nothing_is_promoted_whatever_the_reason(world: ModelsWorld, wms: Command) -> None:
    world.version()
    with pytest.raises(GateError, match="no evidence"):
        wms("promote", "1", "--reason", "my boss says so")
    assert world.production() is None
    assert not (world.home / "dagster").exists()


@pytest.mark.parametrize("arguments", [("promote", "1"), ("rollback",), ("promote", "1", "--force")])
def test_a_move_without_a_reason_is_wrong_usage(wms: Command, arguments: tuple[str, ...]) -> None:
    assert "--" in wms(*arguments, expect=2).stderr


def test_a_rollback_puts_the_version_before_back_and_shows_who_and_why(world: ModelsWorld, wms: Command) -> None:
    world.promoted("one", "two")
    outcome = told(wms, "rollback", "--reason", "misses dark pictures", "--by", "bob")
    assert (outcome["version"], outcome["replaced"]) == ("1", "2")
    assert world.production() == "1"
    (event,) = events(world)
    assert (event["version"], event["replaced"], event["by"]) == ("1", "2", "bob")
    assert "misses dark pictures" in event["history"]


def test_a_rollback_goes_to_the_version_that_is_named(world: ModelsWorld, wms: Command) -> None:
    world.promoted("one", "two", "three")
    assert told(wms, "rollback", "--to", "1", "--reason", "x")["version"] == "1"
    with pytest.raises(RegistryError, match="no version or alias '9': there are 3"):
        wms("rollback", "--to", "9", "--reason", "x")
    assert world.production() == "1"


def test_a_model_is_taken_away_whole_with_its_card(world: ModelsWorld, wms: Command, tmp_path: Path) -> None:
    (version,) = world.promoted("one")
    out = tmp_path / "deep" / "out"
    assert wms("pull", "--out", str(out)).stdout.strip() == str(out / "model.onnx")
    assert {path.name for path in out.iterdir()} == {"model.onnx", "model.json", "README.md", "model-card.html"}
    assert digest_of(out / "model.onnx") == version.digest
    Predictor(out / "model.onnx")
    stated = json.loads((out / "model.json").read_text())
    assert (stated["version"], stated["digest"], stated["dice"]) == ("1", version.digest, pytest.approx(0.655))
    assert "# Model card of water-meter-segmentation, version 1" in (out / "README.md").read_text()


def test_a_model_file_that_was_altered_is_not_taken_away(world: ModelsWorld, wms: Command, tmp_path: Path) -> None:
    world.promoted("one")
    for stored in (world.home / "mlflow" / "artifacts").rglob("model.onnx"):
        stored.write_bytes(b"another")
    with pytest.raises(RegistryError, match="not the one that was registered"):
        wms("pull", "--out", str(tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_a_folder_in_use_is_left_as_it_is(world: ModelsWorld, wms: Command, tmp_path: Path) -> None:
    world.promoted("one")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is taken"):
        wms("pull", "--out", str(tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_pulling_production_before_there_is_one_says_how_to_get_it(wms: Command, tmp_path: Path) -> None:
    with pytest.raises(NoProductionModelError, match="wms drop"):
        wms("pull", "--out", str(tmp_path / "out"))


def test_a_registry_that_is_away_is_one_sentence_and_no_empty_list(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home", WMS_MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    said = platform.wms("models", "list", expect=1).stderr
    assert said.startswith("error: cannot")
    assert "WMS_MLFLOW_TRACKING_URI" in said


def test_somebody_without_a_name_is_told_how_to_say_it(
    world: ModelsWorld, wms: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    world.judged(world.version(), [0.6] * 12)
    monkeypatch.delenv("WMS_USER")
    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(SettingsError, match="--by NAME, or set WMS_USER"):
        wms("promote", "1", "--reason", "good")
    assert world.production() is None
