"""The training program: it learns, it survives being killed, and what it exports says what torch says."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.builders import drop_folder
from wms_ml.cache import DecodedCache
from wms_ml.dataset import load_dataset
from wms_ml.errors import DataError, SettingsError
from wms_ml.predictor import Predictor
from wms_ml.recipe import Recipe

FAST = ["--size", "32", "--epochs", "4", "--encoder", "mobilenet_v2", "--learning-rate", "0.003"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drop_folder(tmp_path_factory.mktemp("data"), 40, size=(64, 64))


def command(data: Path, out: Path, *extra: str) -> list[str]:
    cache = data.parent / "cache"
    fixed = ["--data", str(data), "--out", str(out), "--cache", str(cache)]
    return [sys.executable, "-m", "wms_ml.training", *fixed, *FAST, *extra]


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    subprocess.run(command(data, out), check=True)
    return out


def history(out: Path) -> list[dict[str, float]]:
    path = out / "history.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for row in rows:
        row.pop("seconds")
    return rows


def test_the_loss_falls_and_every_epoch_is_written_down(undisturbed: Path) -> None:
    rows = history(undisturbed)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_the_exported_model_says_what_torch_says(undisturbed: Path) -> None:
    assert json.loads((undisturbed / "result.json").read_text())["onnx_difference"] < 1e-3
    predictor = Predictor(undisturbed / "model.onnx")
    batch = np.zeros((3, 32, 32, 3), np.uint8)
    assert predictor.probabilities(batch).shape == (3, 32, 32)


@pytest.mark.parametrize("after_epochs", [0, 1, 3])
def test_a_killed_training_goes_on_and_ends_with_the_same_model(
    data: Path, undisturbed: Path, tmp_path: Path, after_epochs: int
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(command(data, out))
    while len(history(out)) < after_epochs or not out.exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "result.json").exists()
    subprocess.run(command(data, out), check=True)
    assert history(out) == history(undisturbed)
    assert (out / "model.onnx").read_bytes() == (undisturbed / "model.onnx").read_bytes()


def test_a_finished_training_is_not_trained_again(data: Path, undisturbed: Path) -> None:
    before = (undisturbed / "model.onnx").stat().st_mtime_ns
    subprocess.run(command(data, undisturbed), check=True)
    assert (undisturbed / "model.onnx").stat().st_mtime_ns == before


def test_under_an_orchestrator_it_ends_when_that_one_dies(data: Path, tmp_path: Path) -> None:
    # A stand-in orchestrator holds the other end of standard input and is killed without a chance to say goodbye.
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen({command(data, tmp_path / 'out', '--epochs', '500')!r}, stdin=subprocess.PIPE)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    pipes = {
        "DAGSTER_PIPES_CONTEXT": pipes_parameter(tmp_path, "context"),
        "DAGSTER_PIPES_MESSAGES": pipes_parameter(tmp_path, "messages"),
    }
    orchestrator = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, **pipes}
    )
    assert orchestrator.stdout
    trainer = int(orchestrator.stdout.readline())
    while len(history(tmp_path / "out")) < 1:
        assert orchestrator.poll() is None
        time.sleep(0.05)
    orchestrator.kill()
    orchestrator.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{trainer}/stat").exists() and " Z " not in Path(f"/proc/{trainer}/stat").read_text():
        assert time.monotonic() < deadline, "the trainer outlived its orchestrator"
        time.sleep(0.05)


def pipes_parameter(folder: Path, name: str) -> str:
    """A bootstrap parameter as the orchestrator encodes it: the path of a file."""
    import base64
    import zlib

    path = folder / name
    context = {
        "extras": {},
        "asset_keys": None,
        "code_version_by_asset_key": None,
        "provenance_by_asset_key": None,
    }
    context |= {"partition_key": None, "partition_key_range": None, "partition_time_window": None}
    context |= {"run_id": "r", "job_name": None, "retry_number": 0}
    path.write_text(json.dumps(context) if name == "context" else "")
    return base64.b64encode(zlib.compress(json.dumps({"path": str(path)}).encode())).decode()


def test_another_recipe_does_not_continue_somebody_elses_checkpoint(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(command(data, out))
    while len(history(out)) < 1:
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = subprocess.run(command(data, out, "--seed", "5"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "another recipe" in done.stderr


def test_a_changed_picture_is_never_trained_on(data: Path, tmp_path: Path) -> None:
    pairs = load_dataset(data)
    victim = tmp_path / "data"
    (victim / "images").mkdir(parents=True)
    (victim / "masks").mkdir()
    (victim / pairs[0].image).write_bytes(b"other content")
    with pytest.raises(DataError, match="not the content its manifest names"):
        DecodedCache(tmp_path / "cache", victim, 32).fill(pairs[:1])
    assert not list((tmp_path / "cache").rglob("*.npy"))


@pytest.mark.parametrize(("field", "value"), [("size", 500), ("size", 0), ("epochs", 0), ("learning_rate", 2.0)])
def test_a_recipe_that_cannot_work_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(SettingsError, match=field):
        Recipe(**{field: value})  # type: ignore[arg-type]


def test_an_unknown_encoder_is_named(data: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command(data, tmp_path / "out", "--encoder", "no_such_net"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no_such_net" in done.stderr
    assert "Traceback" not in done.stderr
