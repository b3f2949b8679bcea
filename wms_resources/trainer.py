"""Training attempts and evaluations: the library's programs, run on the compute and written down in MLflow.

An attempt is named by what decides its outcome (data, recipe, code). One that finished is never trained again, one that
was cut off goes on from its checkpoint.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import dagster as dg

import wms_ml
from wms_ml.history import read_history
from wms_ml.recipe import Recipe
from wms_ml.scoring import ScoreTable
from wms_resources.compute import LocalCompute
from wms_resources.tracking import TRAINING_KEY, TrackedRun, Tracking

_DECISIVE: Final = (
    "arrays",
    "attempt",
    "augment",
    "cache",
    "export",
    "history",
    "network",
    "recipe",
    "split",
    "training",
)


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished attempt.

    Attributes:
        run_id: its MLflow run.
        folder: its files: model.onnx, history.jsonl, ...
        result: what the training program reported.
        recipe: what it was trained with.
    """

    run_id: str
    folder: Path
    result: dict[str, Any]
    recipe: Recipe

    @property
    def model(self) -> Path:
        """The exported model."""
        return self.folder / "model.onnx"

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row of metrics an epoch."""
        return read_history(self.folder)


class Trainer(dg.ConfigurableResource):
    """Trains and evaluates.

    Attributes:
        compute: where the programs run.
        tracking: where attempts are written down.
        recipe: settings of the first attempt (the fields of `Recipe`).
        attempts: how many seeds are tried at most.
        folder: where attempts keep their files.
        cache: decoded pictures, shared.
    """

    compute: LocalCompute
    tracking: Tracking
    recipe: dict[str, Any]
    attempts: int
    folder: str
    cache: str

    def attempt(
        self,
        context: dg.AssetExecutionContext,
        data: Path,
        data_version: str,
        recipe: Recipe,
        experiment: str = "",
    ) -> Trained:
        """Train one attempt, or find the one that was trained already.

        Raises:
            TrainingError: the program failed; the MLflow run is closed as FAILED.
        """
        code = code_version()
        key = hashlib.sha256(f"{data_version}:{recipe.digest()}:{code}".encode()).hexdigest()[:16]
        out = Path(self.folder) / key
        done = self.tracking.finished_attempt(key)
        if done and (out / "result.json").exists():
            context.log.info(f"seed {recipe.seed}: trained before on this data with this recipe (MLflow run {done})")
            return Trained(done, out, json.loads((out / "result.json").read_text()), recipe)
        tags = {TRAINING_KEY: key, "data_version": data_version, "code_version": code}
        with self.tracking.attempt(f"{context.job_name} seed {recipe.seed}", context.run_id, tags, experiment) as run:
            run.params({**asdict(recipe), "data_version": data_version})
            result = self._train(context, data, out, recipe, run)
            _keep(run, out)
        return Trained(run.run_id, out, result, recipe)

    def evaluate(
        self, context: dg.AssetExecutionContext, data: Path, split: str, models: Sequence[Path], out: Path
    ) -> list[ScoreTable]:
        """Score the challenger and, second, the champion on one side of a data set; tables and pictures go to `out`.

        Raises:
            TrainingError: the program failed.
        """
        arguments = ["--data", str(data), "--split", split, "--out", str(out)]
        for model in models:
            arguments += ["--model", str(model)]
        self.compute.run(context, "wms_ml.evaluation", arguments)
        tables = [ScoreTable.parse((out / f"scores-{index}.json").read_text()) for index in range(len(models))]
        for name, table in zip(("challenger", "production"), tables, strict=False):
            context.log.info(f"{split} {name}: Dice {table.mean('dice'):.4f}  IoU {table.mean('iou'):.4f}")
        return tables

    def _train(
        self, context: dg.AssetExecutionContext, data: Path, out: Path, recipe: Recipe, run: TrackedRun
    ) -> dict[str, Any]:
        arguments = ["--data", str(data), "--out", str(out), "--cache", self.cache]
        for name, value in asdict(recipe).items():
            arguments.append(f"--{name.replace('_', '-')}={value}")
        logged = 0

        def log_new_epochs() -> None:
            nonlocal logged
            rows = read_history(out)[logged:]
            run.epochs(rows)
            logged += len(rows)

        return self.compute.run(context, "wms_ml.training", arguments, log_new_epochs)


def code_version() -> str:
    """Content hash of the code that decides what a training makes of its data."""
    package = Path(wms_ml.__path__[0])
    digest = hashlib.sha256()
    for name in _DECISIVE:
        digest.update((package / f"{name}.py").read_bytes())
    return digest.hexdigest()[:12]


def _keep(run: TrackedRun, out: Path) -> None:
    """Store an attempt's outcome with its run: curves, weights, and the model in MLflow's own ONNX layout."""
    import mlflow.onnx
    import onnx

    from wms_ml.curves import draw_curves

    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "training"
        files.mkdir()
        for name in ("history.jsonl", "result.json", "weights.pt"):
            shutil.copyfile(out / name, files / name)
        draw_curves(read_history(out)).save(files / "curves.png")
        run.files(files, "training")
        model = Path(scratch) / "model"
        requirements = ["onnxruntime", "numpy", "pillow"]
        mlflow.onnx.save_model(
            onnx.load(out / "model.onnx"),
            str(model),
            pip_requirements=requirements,
            save_as_external_data=False,
        )
        shutil.copyfile(out / "model.onnx", model / "model.onnx")  # byte for byte: its hash is its identity
        run.files(model, "model")
    (out / "checkpoint.pt").unlink(missing_ok=True)
