"""From a data version to the model in production: `trained_model`, the gate, `production_model`."""

import dagster as dg
from PIL import Image

from wms_assets.attempts import Challenger, TestScores, mlflow_link, train_and_judge
from wms_assets.display import picture
from wms_assets.failures import plain_failures
from wms_assets.training_plan import data_named
from wms_assets.values import ProductionModel, TrainedModel, ValidatedDataset
from wms_ml.curves import draw_curves
from wms_ml.score_report import markdown_table, metric_cells, slice_cells
from wms_ml.slices import sliced
from wms_resources.data_repo import DataRepo, DataVersion
from wms_resources.orphans import claim_run
from wms_resources.production_records import history_table
from wms_resources.promotion import Promoter
from wms_resources.registry import Registry
from wms_resources.trainer import Trainer
from wms_resources.workspace import Workspace


class TrainingConfig(dg.Config):
    """Settings for one run; what is left empty comes from the preset, then from the WMS_TRAIN_* variables."""

    preset: str | None = None
    init: str | None = None
    data_version: str | None = None  # any name of a data version; empty for the newest validated one
    architecture: str | None = None
    encoder: str | None = None
    size: int | None = None
    epochs: int | None = None
    minutes: float | None = None
    seed: int | None = None
    attempts: int | None = None
    experiment: str | None = None


@dg.asset(group_name="model", kinds={"pytorch", "mlflow", "onnx"}, owners=["team:ml"])
def trained_model(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    validated_dataset: ValidatedDataset,
    trainer: Trainer,
    registry: Registry,
    promoter: Promoter,
    data_repo: DataRepo,
    workspace: Workspace,
) -> dg.MaterializeResult[TrainedModel]:
    """The challenger: up to three attempts with different seeds, chosen on validation, scored on the test
    pictures once.

    The model in production is scored on the same test pictures in the same run; both tables are the gate's evidence.
    """
    claim_run(context)
    with plain_failures():
        trainer.tracking.end_orphans(trainer.tracking.patience_seconds)
        data = data_named(config.data_version, data_repo, workspace) if config.data_version else validated_dataset
        overrides = config.model_dump()
        challenger, tables = train_and_judge(context, trainer, registry, promoter, workspace, data, overrides)
        return dg.MaterializeResult(
            value=TrainedModel(version=challenger.version.version, data=data),
            metadata=_shown(challenger, tables, data),
        )


def _shown(
    challenger: Challenger, tables: TestScores, data: ValidatedDataset
) -> dict[str, dg.MetadataValue | float | str]:
    trained, scores = challenger.trained, tables.challenger
    return {
        "model version": challenger.version.version,
        "test Dice": scores.mean("dice"),
        "test IoU": scores.mean("iou"),
        "test Hausdorff 95 %, pixels": scores.mean("hausdorff95"),
        "metrics": dg.MetadataValue.md(markdown_table(metric_cells(scores))),
        "slices": dg.MetadataValue.md(markdown_table(slice_cells(sliced(scores.rows)))),
        "attempts": dg.MetadataValue.md(_attempts_table(challenger)),
        "curves": picture(draw_curves(trained.history), "training curves"),
        **{
            name: picture(Image.open(tables.folder / f"{name}.jpg"), f"{name} test pictures")
            for name in ("best", "median", "worst")
        },
        "data version": data.data_version,
        "MLflow": mlflow_link(challenger.mlflow),
        "MLflow run": trained.run_id,
        "training seconds": float(trained.result["seconds"]),
    }


def _attempts_table(challenger: Challenger) -> str:
    lines = ["| seed | epochs | validation Dice | validation IoU | |", "|---:|---:|---:|---:|---|"]
    for seed, epochs, dice, iou, chosen in challenger.rows:
        lines.append(f"| {seed} | {epochs} | {dice:.4f} | {iou:.4f} | {'chosen' if chosen else ''} |")
    if challenger.champion_dice is not None:
        lines.append(f"| production | | {challenger.champion_dice:.4f} | | |")
    return "\n".join(lines)


@dg.asset(group_name="model", kinds={"mlflow"}, owners=["team:ml"])
def production_model(
    context: dg.AssetExecutionContext,
    trained_model: TrainedModel,
    registry: Registry,
    promoter: Promoter,
    data_repo: DataRepo,
    workspace: Workspace,
) -> dg.MaterializeResult[ProductionModel]:
    """The version that carries the alias `production`; its data becomes `main` of the data repository."""
    from wms_resources.after_promotion import settle  # brings a template engine, which loading is spared

    claim_run(context)
    data = trained_model.data
    with plain_failures():
        said = {"by": f"dagster run {context.run_id}", "reason": f"job {context.job_name}"}
        promotion = promoter.promote(registry, trained_model.version, data.data_version, **said)
        version, trained_on = promotion.version, DataVersion(data.branch, data.commit, data.images_md5, data.masks_md5)
        sheets = workspace.test_scores(data.data_version, version.version)
        settle(registry, data_repo, promotion, trained_on, sheets)
        history = promoter.history()
    context.log.info(f"version {version.version} is in production")
    before = promotion.replaced.version if promotion.replaced else "none"
    metadata: dict[str, dg.MetadataValue | str | float] = {
        "version": version.version,
        "data version": version.data_version,
        "history": dg.MetadataValue.md(history_table(history)),
    }
    if promotion.verdict:
        metadata |= {"comparison": dg.MetadataValue.md(promotion.verdict.table()), "replaced": before}
    return dg.MaterializeResult(
        value=ProductionModel(version=version.version), metadata={**metadata, **version.metrics}
    )
