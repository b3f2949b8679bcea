"""Training attempts and evaluations: the library's programs, run on the compute and written down in MLflow.

An attempt is named by what decides its outcome (data, recipe, start, code). One that finished is never trained again,
one that was cut off goes on from its checkpoint.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from wms_ml.history import read_history
from wms_ml.recipe import Recipe
from wms_ml.scoring import ScoreTable
from wms_resources.attempt_files import keep_files
from wms_resources.code_version import code_version, git_commit
from wms_resources.compute import LocalCompute
from wms_resources.environment import environment
from wms_resources.tracked_run import TrackedRun
from wms_resources.tracking import TRAINING_KEY, Tracking


@dataclass(frozen=True, slots=True)
class Start:
    """Weights that a training starts from.

    Attributes:
        version: registry version they are from.
        weights: their file.
        digest: its content hash, `sha256:...`.
    """

    version: str
    weights: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Material:
    """What attempts are made of, apart from the recipe.

    Attributes:
        folder: the data set: images/, masks/, manifest.parquet.
        data_version: its version.
        commit: its commit in the data repository.
        start: what to start from; None: from scratch.
    """

    folder: Path
    data_version: str
    commit: str
    start: Start | None = None

    def tags(self) -> dict[str, str]:
        """Where a model comes from, as tags of its MLflow run."""
        tags = {
            "data_version": self.data_version,
            "data_commit": self.commit,
            "code_version": code_version(),
            "mlflow.source.git.commit": git_commit(),
            "init": f"version {self.start.version} ({self.start.digest})" if self.start else "scratch",
        }
        return {name: value for name, value in tags.items() if value}


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished attempt.

    Attributes:
        run_id: its MLflow run.
        folder: its files: model.onnx, weights.pt, history.jsonl, ...
        result: what the training program reported.
        recipe: what it was trained with.
        scores: on the validation pictures, its own first, then those of each rival.
    """

    run_id: str
    folder: Path
    result: dict[str, Any]
    recipe: Recipe
    scores: list[ScoreTable]

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
        init: `scratch`, or `champion`: start from the weights of the model in production.
        folder: where attempts keep their files.
        cache: decoded pictures, shared.
    """

    compute: LocalCompute
    tracking: Tracking
    recipe: dict[str, Any]
    attempts: int
    init: str = "scratch"
    folder: str
    cache: str

    def attempt(
        self,
        context: dg.AssetExecutionContext,
        material: Material,
        recipe: Recipe,
        parent: TrackedRun,
        rivals: Sequence[Path] = (),
    ) -> Trained:
        """Train one attempt and score it on validation, or find the one that was trained already and score that.

        Args:
            parent: MLflow run of the training it belongs to.
            rivals: models to score on the same pictures.

        Raises:
            TrainingError: a program failed; the MLflow run is closed as FAILED.
            RegistryError: MLflow refuses, or stayed away. What was trained is kept, and found by the next run.
        """
        key = _key(material, recipe)
        out = Path(self.folder) / key
        done = self.tracking.finished_attempt(key)
        if done and (out / "result.json").exists():
            context.log.info(f"seed {recipe.seed}: trained before on this data with this recipe (MLflow run {done})")
            scores = self._validate(context, material, out, rivals)
            return Trained(done, out, json.loads((out / "result.json").read_text()), recipe, scores)
        tags = {**material.tags(), **environment(), TRAINING_KEY: key}
        with self.tracking.attempt(f"{context.job_name} seed {recipe.seed}", context.run_id, tags, parent) as run:
            context.log.info(f"seed {recipe.seed}: MLflow run {run.run_id}")
            run.params({**asdict(recipe), "data_version": material.data_version})
            result = self._train(context, material, out, recipe, run)
            scores = self._validate(context, material, out, rivals)
            _note_outcome(run, result, scores[0])
            keep_files(run, out, out / "validation")
        (out / "checkpoint.pt").unlink(missing_ok=True)
        return Trained(run.run_id, out, result, recipe, scores)

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

    def _validate(
        self, context: dg.AssetExecutionContext, material: Material, out: Path, rivals: Sequence[Path]
    ) -> list[ScoreTable]:
        models = [out / "model.onnx", *rivals]
        return self.evaluate(context, material.folder, "validation", models, out / "validation")

    def _train(
        self, context: dg.AssetExecutionContext, material: Material, out: Path, recipe: Recipe, run: TrackedRun
    ) -> dict[str, Any]:
        arguments = ["--data", str(material.folder), "--out", str(out), "--cache", self.cache]
        if material.start:
            arguments += ["--init", str(material.start.weights)]
        arguments += [f"--{name.replace('_', '-')}={value}" for name, value in asdict(recipe).items()]
        logged = 0

        def log_new_epochs() -> None:
            nonlocal logged
            rows = read_history(out)[logged:]
            logged += len(rows)
            run.epochs(rows)

        return self.compute.run(context, "wms_ml.training", arguments, log_new_epochs)


def _key(material: Material, recipe: Recipe) -> str:
    parts = [material.data_version, recipe.digest(), code_version()]
    if material.start:
        parts.append(material.start.digest)
    return hashlib.sha256(":".join(parts).encode()).hexdigest()[:16]


def _note_outcome(run: TrackedRun, result: dict[str, Any], scores: ScoreTable) -> None:
    """The attempt in a few numbers; `validation_`: of the exported model, on the pictures at their own size."""
    figures = ("dice", "iou", "pixel_accuracy", "hausdorff95", "hausdorff")
    run.metrics(
        {
            **{f"validation_{name}": scores.mean(name) for name in figures},
            **{name: float(result[name]) for name in ("epochs", "best_epoch", "onnx_difference")},
            "training_seconds": float(result["seconds"]),
        }
    )
