"""`production` moved by hand with `wms models promote` and `rollback`: the gate's way, with its traces."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.builders import drop_folder
from tests.models_world import Command, ModelsWorld, told
from wms_ml.errors import GateError, RegistryError, SettingsError

pytest_plugins = ["tests.models_world"]


def events(models: ModelsWorld) -> list[dict[str, Any]]:
    """What the UI shows of production_model, newest first."""
    with dg.DagsterInstance.get() as instance:
        found = instance.fetch_materializations(dg.AssetKey("production_model"), limit=20).records
    shown = [each.asset_materialization for each in found]
    return [{name: value.value for name, value in each.metadata.items()} for each in shown if each]


def test_promoting_by_hand_takes_the_gates_way_and_leaves_its_traces(
    models: ModelsWorld, wms: Command, tmp_path: Path
) -> None:
    models.drop(drop_folder(tmp_path / "drop", 24))
    version = models.version()
    models.judged(version, [0.6] * 12)
    outcome = told(wms, "promote", "1", "--reason", "looked at all of them")
    assert (outcome["version"], outcome["replaced"], outcome["by"]) == ("1", None, "ann")
    assert models.production() == "1"
    last = models.parts.promoter.history()[-1]
    assert (last.by, last.reason, last.version) == ("ann", "looked at all of them", "1")
    (event,) = events(models)
    assert (event["version"], event["by"], event["reason"]) == ("1", "ann", "looked at all of them")
    assert {path.name for path in (models.home / "mlflow").rglob("card/*")} >= {"README.md", "model-card.html"}
    accepted = models.parts.data_repo.accepted()
    assert accepted is not None and models.data is not None
    assert accepted.commit == models.data.commit


def test_promoting_again_changes_nothing_and_shows_once(models: ModelsWorld, wms: Command) -> None:
    models.judged(models.version(), [0.6] * 12)
    wms("promote", "1", "--reason", "good")
    assert "nothing was moved" in wms("promote", "1", "--reason", "good").stderr
    assert len(models.parts.promoter.history()) == 1
    assert len(events(models)) == 1


def test_promoting_again_takes_in_the_data_that_a_command_cut_off_did_not(
    models: ModelsWorld, wms: Command, tmp_path: Path
) -> None:
    models.drop(drop_folder(tmp_path / "drop", 24))
    models.promoted("one")
    assert models.parts.data_repo.accepted() is None
    wms("promote", "1", "--reason", "good")
    accepted = models.parts.data_repo.accepted()
    assert accepted is not None and models.data is not None
    assert accepted.commit == models.data.commit


def test_a_rollback_takes_in_no_data(models: ModelsWorld, wms: Command, tmp_path: Path) -> None:
    models.drop(drop_folder(tmp_path / "drop", 24))
    models.promoted("one", "two")
    wms("rollback", "--reason", "misses dark pictures")
    assert models.parts.data_repo.accepted() is None


def test_without_evidence_nothing_is_promoted_whatever_the_reason(models: ModelsWorld, wms: Command) -> None:
    models.version()
    with pytest.raises(GateError, match="no evidence"):
        wms("promote", "1", "--reason", "my boss says so")
    assert models.production() is None
    assert not (models.home / "dagster").exists()


@pytest.mark.parametrize("arguments", [("promote", "1"), ("rollback",), ("promote", "1", "--force")])
def test_a_move_without_a_reason_is_wrong_usage(wms: Command, arguments: tuple[str, ...]) -> None:
    assert "--" in wms(*arguments, expect=2).stderr


def test_a_rollback_puts_the_version_before_back_and_shows_who_and_why(models: ModelsWorld, wms: Command) -> None:
    models.promoted("one", "two")
    outcome = told(wms, "rollback", "--reason", "misses dark pictures", "--by", "bob")
    assert (outcome["version"], outcome["replaced"]) == ("1", "2")
    assert models.production() == "1"
    (event,) = events(models)
    assert (event["version"], event["replaced"], event["by"]) == ("1", "2", "bob")
    assert "misses dark pictures" in event["history"]


def test_a_rollback_goes_to_the_version_that_is_named(models: ModelsWorld, wms: Command) -> None:
    models.promoted("one", "two", "three")
    assert told(wms, "rollback", "--to", "1", "--reason", "x")["version"] == "1"
    with pytest.raises(RegistryError, match="no version or alias '9': there are 3"):
        wms("rollback", "--to", "9", "--reason", "x")
    assert models.production() == "1"


def test_somebody_without_a_name_is_told_how_to_say_it(
    models: ModelsWorld, wms: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    models.judged(models.version(), [0.6] * 12)
    monkeypatch.delenv("WMS_USER")
    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(SettingsError, match="--by NAME, or set WMS_USER"):
        wms("promote", "1", "--reason", "good")
    assert models.production() is None
