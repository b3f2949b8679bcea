"""How a challenger comes about: attempts with different seeds, chosen on validation, judged on the test side once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from wms_assets.training_plan import TrainingPlan, plan_training
from wms_assets.values import ValidatedDataset
from wms_ml.files import digest_of
from wms_ml.gate import Rule, judge
from wms_ml.scoring import ScoreTable
from wms_ml.split import VERSION as SPLIT_VERSION
from wms_resources.code_version import code_version
from wms_resources.evidence import CODE_TAG, Attempt, Evidence
from wms_resources.promotion import Promoter
from wms_resources.registry import WEIGHTS_TAG, ModelVersion, Registry
from wms_resources.tracked_run import TrackedRun
from wms_resources.trainer import Trained, Trainer
from wms_resources.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Challenger:
    """The attempt that was chosen, registered.

    Attributes:
        trained: the attempt.
        version: its registry version.
        rows: seed, epochs, validation Dice, validation IoU and whether it was chosen, of every attempt made.
        champion_dice: validation Dice of the model in production; None when there is none.
        mlflow: where people look at the training in MLflow.
    """

    trained: Trained
    version: ModelVersion
    rows: list[tuple[int, int, float, float, bool]]
    champion_dice: float | None
    mlflow: str


@dataclass(frozen=True, slots=True)
class TestScores:
    """Outcome of judging a challenger on the test side.

    Attributes:
        challenger: its scores.
        folder: where its tables and overlays lie.
    """

    challenger: ScoreTable
    folder: Path


def train_and_judge(
    context: dg.AssetExecutionContext,
    trainer: Trainer,
    registry: Registry,
    promoter: Promoter,
    workspace: Workspace,
    data: ValidatedDataset,
    overrides: Mapping[str, Any],
) -> tuple[Challenger, TestScores]:
    """Make a challenger and judge it, as one MLflow run with the attempts below it.

    Raises:
        SettingsError: a value that no training can work with.
        GateError: what is in production is not what was promoted, so nothing could be promoted over it.
        TrainingError: a program failed.
        RegistryError: MLflow refuses, or stayed away.
    """
    champion = promoter.champion(registry)
    plan = plan_training(context, trainer, registry, champion, data, overrides)
    tags = plan.material.tags()
    with trainer.tracking.training(context.job_name, context.run_id, tags, plan.experiment) as run:
        _announce(context, run)
        run.params({**asdict(plan.recipe), "attempts": plan.attempts, "data_version": data.data_version})
        challenger = train_challenger(context, trainer, registry, champion, data, plan, run)
        tables = judge_on_test(context, trainer, registry, promoter, workspace, data, challenger)
        _note_choice(run, challenger, tables.challenger)
    return challenger, tables


def _announce(context: dg.AssetExecutionContext, run: TrackedRun) -> None:
    """Say at the start where to look on, in the run's log and with the asset."""
    context.log.info(f"MLflow run {run.run_id}: {run.where}")
    metadata: dict[str, dg.MetadataValue | str] = {"MLflow": mlflow_link(run.where), "MLflow run": run.run_id}
    context.log_event(dg.AssetObservation(context.asset_key, metadata=metadata))


def mlflow_link(where: str) -> dg.MetadataValue:
    """A page that the UI links to, or the command that shows it."""
    return dg.MetadataValue.url(where) if where.startswith("http") else dg.MetadataValue.text(where)


def _note_choice(run: TrackedRun, challenger: Challenger, test: ScoreTable) -> None:
    chosen = challenger.trained
    run.tags(
        {
            "wms.chosen_run": chosen.run_id,
            "wms.chosen_seed": str(chosen.recipe.seed),
            "wms.model_version": challenger.version.version,
        }
    )
    sides = {"validation": chosen.scores[0], "test": test}
    figures = {f"{side}_{name}": table.mean(name) for side, table in sides.items() for name in ("dice", "iou")}
    run.metrics({**figures, "attempts_made": len(challenger.rows)})


def train_challenger(
    context: dg.AssetExecutionContext,
    trainer: Trainer,
    registry: Registry,
    champion: ModelVersion | None,
    data: ValidatedDataset,
    plan: TrainingPlan,
    run: TrackedRun,
) -> Challenger:
    """Train until an attempt beats the champion on validation, or attempts run out; register the best.

    The test side plays no part in the choice: picking the best of three on it would promote luck.
    """
    tried: list[Trained] = []
    theirs: ScoreTable | None = None
    for seed in range(plan.recipe.seed, plan.recipe.seed + plan.attempts):
        recipe = replace(plan.recipe, seed=seed)
        rivals = [registry.fetch(champion)] if champion and theirs is None else []  # scored once, not per attempt
        tried.append(trainer.attempt(context, plan.material, recipe, run, rivals))
        theirs = tried[-1].scores[1] if rivals else theirs
        if _settles(tried[-1], champion, theirs):
            break
    best = max(tried, key=lambda each: (each.run_id == _run_of(champion), each.scores[0].mean("dice")))
    challenger = Challenger(
        trained=best,
        version=_register(registry, best, data),
        rows=[_row(each, each is best) for each in tried],
        champion_dice=theirs.mean("dice") if theirs else None,
        mlflow=run.where,
    )
    for each_seed, epochs, dice, iou, chosen in challenger.rows:
        end = ", chosen" if chosen else ""
        context.log.info(f"seed {each_seed}: {epochs} epochs, validation Dice {dice:.4f}, IoU {iou:.4f}{end}")
    return challenger


def _row(trained: Trained, chosen: bool) -> tuple[int, int, float, float, bool]:
    scores = trained.scores[0]
    return trained.recipe.seed, trained.result["epochs"], scores.mean("dice"), scores.mean("iou"), chosen


def _run_of(champion: ModelVersion | None) -> str | None:
    return champion.run_id if champion else None


def _settles(trained: Trained, champion: ModelVersion | None, theirs: ScoreTable | None) -> bool:
    """Whether no further attempt is needed: it is the champion itself, or better than it on validation."""
    if trained.run_id == _run_of(champion):
        return True
    ours = trained.scores[0]
    return all(ours.mean(name) > (theirs.mean(name) if theirs else 0.0) for name in ("dice", "iou"))


def _register(registry: Registry, trained: Trained, data: ValidatedDataset) -> ModelVersion:
    recipe = trained.recipe
    tags = {
        "architecture": recipe.architecture,
        "encoder": recipe.encoder,
        "size": str(recipe.size),
        "seed": str(recipe.seed),
        "drop": data.drop,
        "commit": data.commit,
        "images_md5": data.images_md5,
        "masks_md5": data.masks_md5,
        "split_version": SPLIT_VERSION,
        CODE_TAG: code_version(),
        WEIGHTS_TAG: digest_of(trained.folder / "weights.pt"),
    }
    return registry.register(trained.run_id, trained.result["model"], data.data_version, tags)


def judge_on_test(
    context: dg.AssetExecutionContext,
    trainer: Trainer,
    registry: Registry,
    promoter: Promoter,
    workspace: Workspace,
    data: ValidatedDataset,
    challenger: Challenger,
) -> TestScores:
    """Score challenger and champion on the same test pictures and keep all of it as the gate's evidence."""
    version, champion = challenger.version, promoter.champion(registry)
    rival = champion if champion and champion.version != version.version else None
    models = [challenger.trained.model, *([registry.fetch(rival)] if rival else [])]
    out = workspace.test_scores(data.data_version, version.version)
    ours, *rest = trainer.evaluate(context, Path(data.folder), "test", models, out)
    if champion is None or rival:
        theirs = rest[0] if rest else None
        evidence = Evidence(
            version=version.version,
            champion=rival.version if rival else None,
            data_version=data.data_version,
            split_version=SPLIT_VERSION,
            code_version=version.tags[CODE_TAG],
            attempts=tuple(Attempt(*row) for row in challenger.rows),
            verdict=judge(ours, theirs, Rule(**promoter.rule)).as_json(),
            challenger_scores=ours,
            champion_scores=theirs,
        )
        registry.save_evidence(version, evidence)
        registry.note(version.version, {"dice": f"{ours.mean('dice'):.6f}", "iou": f"{ours.mean('iou'):.6f}"})
    return TestScores(ours, out)
