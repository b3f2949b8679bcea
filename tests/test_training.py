"""The training program: it learns, it survives being killed, and what it exports says what torch says."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.builders import drop_folder
from tests.data_world import call_before, end, kill
from tests.trainings import begin, run, until
from wms_ml.dataset import MANIFEST, load_dataset
from wms_ml.errors import SettingsError
from wms_ml.pairs import write_manifest
from wms_ml.predictor import Predictor
from wms_ml.recipe import PRESETS, Recipe
from wms_ml.reporting import steps

pytestmark = pytest.mark.slow

FAST = ["--size", "64", "--start-scale", "0.5", "--epochs", "4", "--encoder", "resnet18", "--learning-rate", "0.003"]
FAST += ["--schedule", "cosine", "--augmentation", "strong"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = drop_folder(tmp_path_factory.mktemp("data"), 40, size=(64, 64))
    write_manifest(load_dataset(folder), folder / MANIFEST)  # inspected once, here: forked processes cannot
    return folder


def options(data: Path, out: Path, *extra: str) -> list[str]:
    return ["--data", str(data), "--out", str(out), "--cache", str(data.parent / "cache"), *FAST, *extra]


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    run(*options(data, out))
    return out


def history(out: Path) -> list[dict[str, float]]:
    path = out / "history.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for row in rows:
        del row["seconds"], row["waiting"]
    return rows


def test_the_loss_falls_and_every_epoch_is_written_down(undisturbed: Path) -> None:
    rows = history(undisturbed)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert [row["size"] for row in rows] == [32, 32, 64, 64]


def test_the_exported_model_says_what_torch_says(undisturbed: Path) -> None:
    assert json.loads((undisturbed / "result.json").read_text())["onnx_difference"] < 1e-3
    predictor = Predictor(undisturbed / "model.onnx")
    batch = np.zeros((3, 64, 64, 3), np.uint8)
    assert predictor.probabilities(batch).shape == (3, 64, 64)


def test_a_training_killed_again_and_again_ends_with_the_same_model(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    moments = random.Random(7)
    for epochs in (0, 1, 3):
        process = begin(*options(data, out))
        until(lambda count=epochs: out.exists() and len(history(out)) >= count, process)
        time.sleep(moments.uniform(0, 0.5))
        kill(process)
        assert not (out / "result.json").exists()
    run(*options(data, out))
    assert history(out) == history(undisturbed)
    assert (out / "model.onnx").read_bytes() == (undisturbed / "model.onnx").read_bytes()


@pytest.mark.parametrize("half", [False, True])
def test_a_training_killed_while_it_writes_its_checkpoint_goes_on(
    data: Path, undisturbed: Path, tmp_path: Path, half: bool
) -> None:
    out = tmp_path / "out"

    def die_soon() -> None:
        if half:
            torch.save = lambda _, path: (path.write_bytes(b"half"), os.kill(os.getpid(), signal.SIGKILL))
        else:
            call_before("os.rename", "checkpoint", lambda: os.kill(os.getpid(), signal.SIGKILL))

    assert end(begin(*options(data, out), first=die_soon)) == -signal.SIGKILL
    assert not (out / "checkpoint.pt").exists()
    run(*options(data, out))
    assert (out / "model.onnx").read_bytes() == (undisturbed / "model.onnx").read_bytes()


def test_a_finished_training_is_not_trained_again(data: Path, undisturbed: Path) -> None:
    before = (undisturbed / "model.onnx").stat().st_mtime_ns
    run(*options(data, undisturbed))
    assert (undisturbed / "model.onnx").stat().st_mtime_ns == before


def test_under_an_orchestrator_it_ends_when_that_one_dies(data: Path, tmp_path: Path) -> None:
    # A stand-in orchestrator holds the other end of standard input and is killed without a chance to say goodbye.
    command = [sys.executable, "-m", "wms_ml.training", *options(data, tmp_path / "out", "--epochs", "500")]
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen({command!r}, stdin=subprocess.PIPE)\n"
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
    process = begin(*options(data, out))
    until(lambda: bool(history(out)), process)
    kill(process)
    assert "another recipe" in run(*options(data, out, "--seed", "5"), expect=1)


def test_a_time_budget_ends_a_training_at_full_size(data: Path, tmp_path: Path) -> None:
    run(*options(data, tmp_path, "--minutes", "0.001", "--epochs", "500"))
    assert [row["size"] for row in history(tmp_path)] == [32, 64]


def test_a_training_can_start_from_the_weights_of_another(data: Path, undisturbed: Path, tmp_path: Path) -> None:
    first = ["--init", str(undisturbed / "weights.pt"), "--start-scale", "1", "--epochs", "1"]
    first += ["--learning-rate", "1e-6"]
    run(*options(data, tmp_path, *first))
    best = max(row["dice"] for row in history(undisturbed) if row["size"] == 64)
    assert history(tmp_path)[0]["dice"] == pytest.approx(best, abs=0.02)
    assert json.loads((tmp_path / "result.json").read_text())["init"].startswith("sha256:")


@pytest.mark.parametrize("weights", ["missing", "damaged", "of another network"])
def test_weights_that_do_not_fit_are_refused(data: Path, undisturbed: Path, tmp_path: Path, weights: str) -> None:
    path = tmp_path / "weights.pt"
    extra = ["--init", str(path)]
    if weights == "damaged":
        path.write_bytes((undisturbed / "weights.pt").read_bytes()[:1000])
    elif weights == "of another network":
        path.write_bytes((undisturbed / "weights.pt").read_bytes())
        extra += ["--encoder", "mobilenet_v2"]
    said = run(*options(data, tmp_path / "out", *extra), expect=1)
    assert f"cannot start from the weights in {path}" in said


def test_a_preset_is_a_recipe_and_options_overrule_it(data: Path, tmp_path: Path) -> None:
    fixed = ["--data", str(data), "--out", str(tmp_path), "--cache", str(data.parent / "cache")]
    small = ["--preset", "source", "--size", "32", "--epochs", "1", "--encoder", "resnet18"]
    run(*fixed, *small)
    recipe = json.loads((tmp_path / "result.json").read_text())["recipe"]
    assert recipe == asdict(Recipe(**{**PRESETS["source"], "size": 32, "epochs": 1, "encoder": "resnet18"}))


def test_a_log_shows_life_within_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wms_ml.reporting._EVERY", 0.0)
    said: list[str] = []
    with steps(3, "epoch 1/2", Lines(said)) as step:
        for loss in ("0.9", "0.8", "0.7"):
            step(f"loss {loss}")
    assert [line.split("  ")[:2] for line in said] == [
        ["epoch 1/2: step 1/3", "loss 0.9"],
        ["epoch 1/2: step 2/3", "loss 0.8"],
    ]


class Lines:
    """A reporter that keeps what it is told."""

    def __init__(self, said: list[str]) -> None:
        self.line = said.append
        self.result = said.append


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 500),
        ("size", 0),
        ("start_scale", 2.0),
        ("epochs", 0),
        ("learning_rate", 2.0),
        ("minutes", -1.0),
        ("loss", "hinge"),
        ("schedule", "none"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(SettingsError, match=field):
        Recipe(**{field: value})  # type: ignore[arg-type]


def test_an_unknown_encoder_is_named(data: Path, tmp_path: Path) -> None:
    assert "no_such_net" in run(*options(data, tmp_path / "out", "--encoder", "no_such_net"), expect=1)
