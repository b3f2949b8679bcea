"""How a challenger comes about: attempts with different seeds, chosen on validation, judged on the test side once."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from wms_assets.values import ValidatedDataset
from wms_ml.recipe import Recipe
from wms_ml.scoring import ScoreTable
from wms_ml.split import VERSION as SPLIT_VERSION
from wms_resources.registry import Evidence, ModelVersion, Registry
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
    """

    trained: Trained
    version: ModelVersion
    rows: list[tuple[int, int, float, float, bool]]
    champion_dice: float | None


@dataclass(frozen=True, slots=True)
class TestScores:
    """Outcome of judging a challenger on the test side.

    Attributes:
        challenger: its scores.
        folder: where its tables and overlays lie.
    """

    challenger: ScoreTable
    folder: Path


def recipe_for(trainer: Trainer, overrides: dict[str, Any]) -> Recipe:
    """The first attempt's recipe: the settings, with what this run asks for in their place.

    Raises:
        SettingsError: a value no training can work with.
    """
    defaults = Recipe(**trainer.recipe)
    given = {name: value for name, value in overrides.items() if value is not None and hasattr(defaults, name)}
    return replace(defaults, **given)


def train_challenger(
    context: dg.AssetExecutionContext,
    trainer: Trainer,
    registry: Registry,
    workspace: Workspace,
    data: ValidatedDataset,
    overrides: dict[str, Any],
) -> Challenger:
    """Train until an attempt beats the champion on validation, or attempts run out; register the best.

    The test side plays no part in the choice: picking the best of three on it would promote luck.
    """
    first = recipe_for(trainer, overrides)
    champion = registry.champion()
    tried: list[tuple[Trained, ScoreTable]] = []
    theirs: ScoreTable | None = None
    for seed in range(first.seed, first.seed + (overrides.get("attempts") or trainer.attempts)):
        recipe = replace(first, seed=seed)
        trained = trainer.attempt(
            context, Path(data.folder), data.data_version, recipe, overrides.get("experiment") or ""
        )
        rival = [registry.fetch(champion)] if champion and theirs is None else []  # scored once, not per attempt
        out = workspace.evaluations / f"validation-{trained.folder.name}"
        ours, *rest = trainer.evaluate(context, Path(data.folder), "validation", [trained.model, *rival], out)
        tried.append((trained, ours))
        theirs = rest[0] if rest else theirs
        if _settles(trained, champion, ours, theirs):
            break
    best, _ = max(tried, key=lambda each: (each[0].run_id == _run_of(champion), each[1].mean("dice")))
    return Challenger(
        trained=best,
        version=_register(registry, best, data),
        rows=[
            (each.recipe.seed, each.result["epochs"], table.mean("dice"), table.mean("iou"), each is best)
            for each, table in tried
        ],
        champion_dice=theirs.mean("dice") if theirs else None,
    )


def _run_of(champion: ModelVersion | None) -> str | None:
    return champion.run_id if champion else None


def _settles(trained: Trained, champion: ModelVersion | None, ours: ScoreTable, theirs: ScoreTable | None) -> bool:
    """Whether no further attempt is needed: it is the champion itself, or better than it on validation."""
    if trained.run_id == _run_of(champion):
        return True
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
    }
    return registry.register(trained.run_id, trained.result["model"], data.data_version, tags)


def judge_on_test(
    context: dg.AssetExecutionContext,
    trainer: Trainer,
    registry: Registry,
    workspace: Workspace,
    data: ValidatedDataset,
    challenger: Challenger,
) -> TestScores:
    """Score challenger and champion on the same test pictures and keep both tables as the gate's evidence."""
    version, champion = challenger.version, registry.champion()
    rival = champion if champion and champion.version != version.version else None
    models = [challenger.trained.model, *([registry.fetch(rival)] if rival else [])]
    out = workspace.evaluations / f"test-{data.data_version}-version-{version.version}"
    ours, *rest = trainer.evaluate(context, Path(data.folder), "test", models, out)
    if champion is None or rival:
        registry.save_evidence(
            version,
            Evidence(
                version.version,
                rival.version if rival else None,
                data.data_version,
                ours,
                rest[0] if rest else None,
            ),
        )
        registry.note(version.version, {"dice": f"{ours.mean('dice'):.6f}", "iou": f"{ours.mean('iou'):.6f}"})
    return TestScores(ours, out)
