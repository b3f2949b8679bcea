"""What a run trains: the settings, with what this run asks for in their place, and the weights it starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import dagster as dg

from wms_assets.values import ValidatedDataset
from wms_ml.errors import SettingsError
from wms_ml.recipe import Recipe, preset
from wms_resources.data_history import find
from wms_resources.data_repo import DataRepo
from wms_resources.manifests import data_set
from wms_resources.registry import WEIGHTS_TAG, ModelVersion, Registry
from wms_resources.trainer import Material, Start, Trainer
from wms_resources.workspace import Workspace

_OTHERWISE: Final = frozenset({"attempts", "data_version", "experiment", "init", "preset"})
"""Names of a run's configuration that are no part of the recipe."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run trains.

    Attributes:
        recipe: of the first attempt; the others differ in their seed.
        attempts: how many are made at most.
        material: what they are trained on.
        experiment: MLflow experiment; empty: that of the settings.
    """

    recipe: Recipe
    attempts: int
    material: Material
    experiment: str


def plan_training(
    context: dg.AssetExecutionContext,
    trainer: Trainer,
    registry: Registry,
    champion: ModelVersion | None,
    data: ValidatedDataset,
    overrides: Mapping[str, Any],
) -> TrainingPlan:
    """The plan of a run; `overrides` are the fields of `TrainingConfig`, None where the settings hold.

    Raises:
        SettingsError: a value that no training can work with.
        RegistryError: the champion's weights cannot be fetched.
    """
    recipe = recipe_for(trainer, overrides)
    start = _start(context, registry, champion, recipe, overrides.get("init") or trainer.init)
    return TrainingPlan(
        recipe=recipe,
        attempts=overrides.get("attempts") or trainer.attempts,
        material=Material(Path(data.folder), data.data_version, data.commit, start),
        experiment=overrides.get("experiment") or "",
    )


def data_named(rev: str, data_repo: DataRepo, workspace: Workspace) -> ValidatedDataset:
    """Any data version that there ever was, made ready to train on; `rev` as for `wms data checkout`.

    Raises:
        DataRepoError: there is no such version, or its content cannot be had.
    """
    edition = find(data_repo, rev)
    version = edition.recorded.version
    folder = data_set(data_repo, version, edition.pairs, workspace.datasets / edition.data_version)
    return ValidatedDataset(
        drop=version.branch.rpartition("/")[2],
        data_version=edition.data_version,
        branch=version.branch,
        commit=version.commit,
        images_md5=version.images_md5,
        masks_md5=version.masks_md5,
        folder=str(folder),
        pairs=len(edition.pairs),
    )


def recipe_for(trainer: Trainer, overrides: Mapping[str, Any]) -> Recipe:
    """The first attempt's recipe: the settings, over them the preset, over it what this run names itself.

    Raises:
        SettingsError: a value no training can work with.
    """
    named = preset(overrides.get("preset") or "")
    given = {name: value for name, value in overrides.items() if value is not None and name not in _OTHERWISE}
    return replace(Recipe(**trainer.recipe), **{**named, **given})


def _start(
    context: dg.AssetExecutionContext,
    registry: Registry,
    champion: ModelVersion | None,
    recipe: Recipe,
    init: str,
) -> Start | None:
    """The champion's weights when they are asked for and fit; what cannot be had is said, and trained from scratch."""
    if init not in ("scratch", "champion"):
        raise SettingsError(f"init is '{init}': it must be scratch or champion")
    if init == "scratch":
        return None
    if champion is None:
        context.log.info("init: no model is in production yet: training starts from scratch")
        return None
    theirs = {name: champion.tags.get(name, "unknown") for name in ("architecture", "encoder")}
    other = [f"{name} {value}" for name, value in theirs.items() if value != str(getattr(recipe, name))]
    if other:
        said = ", ".join(other)
        context.log.info(f"init: the model in production is another network ({said}): training starts from scratch")
        return None
    context.log.info(f"init: training starts from the weights of version {champion.version}")
    return Start(champion.version, registry.weights(champion), champion.tags[WEIGHTS_TAG])
