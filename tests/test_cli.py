"""What goes wrong is said in one sentence, with an exit code, and changes nothing."""

import json
from pathlib import Path

import pytest

from tests.builders import drop_folder
from tests.rig import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path / "home")


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["drop", "/nowhere"], {}, "no folder /nowhere"),
        (["demo", "--data", "/nowhere"], {}, "no folder /nowhere"),
        (["drop", "tests"], {}, "needs a folder images/"),
        (["serve"], {}, "is in production yet"),
        (["run", "deploy_current"], {}, "is in production yet"),
        (["run", "drop_to_deployment"], {}, "no ready drop in"),
        (["run", "drop_to_deployment", "--drop", "nope"], {}, "no ready drop 'nope'"),
        (["run", "train_and_gate"], {}, "validated_dataset has not been materialized yet"),
        (["evaluate", "/nowhere"], {}, "/nowhere is no data set"),
        (["evaluate", "tests", "--model", "no.onnx"], {}, "tests is no data set"),
        (["predict", "/nowhere", "--out", "/tmp/x"], {}, "no file or folder /nowhere"),
        (["models", "show"], {}, "is in production yet"),
        (["models", "compare", "1", "2"], {}, "has no version or alias '1'"),
        (["models", "promote", "1", "--reason", "good"], {}, "has no version or alias '1'"),
        (["models", "pull", "7", "--out", "/nowhere/model"], {}, "has no version or alias '7'"),
        (["demo"], {"WMS_TRAIN_SIZE": "100"}, "multiple of 32"),
        (["demo"], {"WMS_TRAIN_EPOCHS": "many"}, "WMS_TRAIN_EPOCHS"),
        (["demo"], {"WMS_TRIAN_EPOCHS": "3"}, "unknown setting WMS_TRIAN_EPOCHS"),
        (["demo"], {"WMS_PROFILE": "aws"}, "WMS_STORE_URL"),
        (["doctor"], {"WMS_SERVE_PORT": "99999"}, "WMS_SERVE_PORT"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_one_sentence(
    platform: Platform, arguments: list[str], settings: dict[str, str], said: str
) -> None:
    done = platform.wms(*arguments, expect=1, **settings)
    assert said in done.stderr + done.stdout
    assert not (platform.home / "code-host").exists()
    assert not (platform.home / "mlflow" / "artifacts").exists()


def test_an_empty_drop_is_refused_before_anything_is_copied(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "empty" / "images").mkdir(parents=True)
    (tmp_path / "empty" / "masks").mkdir()
    assert "is empty" in platform.wms("drop", str(tmp_path / "empty"), expect=1).stderr
    assert not platform.home.exists()


def test_validate_exits_0_for_a_clean_folder_and_writes_its_report(platform: Platform, tmp_path: Path) -> None:
    folder = drop_folder(tmp_path / "mine", 3)
    platform.wms("validate", str(folder), "--json", str(tmp_path / "report.json"), "--html", str(tmp_path / "r.html"))
    assert json.loads((tmp_path / "report.json").read_text())["summary"]["errors"] == 0
    assert "<html" in (tmp_path / "r.html").read_text()


def test_validate_exits_1_and_names_the_file_and_the_remedy(platform: Platform, tmp_path: Path) -> None:
    folder = drop_folder(tmp_path / "mine", 3)
    victim = min((folder / "masks").iterdir())
    victim.unlink()
    said = platform.wms("validate", str(folder), expect=1).stderr
    assert f"images/{victim.stem}.jpg" in said


@pytest.mark.parametrize(
    "arguments",
    [["validate", "/nowhere"], ["validate"], ["no-such-command"], ["run", "no_job"], ["models", "promote", "1"]],
)
def test_wrong_usage_exits_2(platform: Platform, arguments: list[str]) -> None:
    platform.wms(*arguments, expect=2)


def test_a_fresh_set_up_is_healthy(platform: Platform) -> None:
    findings = json.loads(platform.wms("doctor", "--json").stdout)
    assert all(each["ok"] for each in findings), findings


def test_stopping_what_does_not_run_is_no_error(platform: Platform) -> None:
    assert "no service was running" in platform.wms("stop").stderr
