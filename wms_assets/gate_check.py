"""The blocking check between `trained_model` and `production_model`: the verdict, and what people want to see of it.

It is a fence only: `wms_resources.promotion` judges again before it moves anything. The verdict is final before the
first picture is drawn. Pictures that cannot be drawn are named; they change nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
from PIL import Image

from wms_assets.display import picture
from wms_assets.failures import plain_failures
from wms_assets.model import trained_model
from wms_assets.values import TrainedModel
from wms_ml.dataset import load_dataset
from wms_ml.errors import DataError, WmsError
from wms_ml.gate import Verdict
from wms_ml.gate_report import Opened, changed_most, draw_changes, draw_intervals, slice_cells
from wms_ml.paired import PictureChange
from wms_ml.score_report import markdown_table
from wms_resources.promotion import Promoter, verdict_on
from wms_resources.registry import ModelVersion, Registry

Metadata = dict[str, dg.MetadataValue | float | int | str]


@dg.asset_check(asset=trained_model, blocking=True)
def better_than_production(
    context: dg.AssetCheckExecutionContext, trained_model: TrainedModel, registry: Registry, promoter: Promoter
) -> dg.AssetCheckResult:
    """Dice AND IoU strictly better than the model in production now, on the same test pictures, and whatever else
    the WMS_GATE_* settings ask."""
    with plain_failures():
        version, champion = registry.get(trained_model.version), promoter.champion(registry)
        verdict = verdict_on(registry, version, champion, trained_model.data.data_version, promoter.rule)
    if verdict is None:
        return dg.AssetCheckResult(passed=True, description=f"version {version.version} is in production already")
    for warning in verdict.warnings:
        context.log.warning(warning)
    return dg.AssetCheckResult(
        passed=verdict.improved,
        description="; ".join([verdict.reason, *(f"warning: {each}" for each in verdict.warnings)]),
        metadata={**_figures(verdict), **_pictures(context, verdict, trained_model, registry, version, champion)},
    )


def _figures(verdict: Verdict) -> Metadata:
    """Tables to read, and numbers that the UI plots over time."""
    metadata: Metadata = {
        "comparison": dg.MetadataValue.md(verdict.table()),
        "slices": dg.MetadataValue.md(markdown_table(slice_cells(verdict))),
        "pictures": verdict.pictures,
    }
    for name, each in verdict.metrics.items():
        metadata[f"challenger {name}"] = each.challenger
        if each.champion is not None and each.p_value is not None:
            metadata |= {f"production {name}": each.champion, f"p-value {name}": each.p_value}
    return metadata


def _pictures(
    context: dg.AssetCheckExecutionContext,
    verdict: Verdict,
    trained: TrainedModel,
    registry: Registry,
    version: ModelVersion,
    champion: ModelVersion | None,
) -> Metadata:
    """The plot of intervals, and the pictures that changed most; for a first model there is neither."""
    if champion is None:
        return {}
    metadata: Metadata = {"intervals": picture(draw_intervals(verdict), "differences with their intervals")}
    try:
        sheets = _sheets(verdict, Path(trained.data.folder), [registry.fetch(each) for each in (champion, version)])
    except (WmsError, OSError) as error:
        context.log.warning(f"the pictures that changed most cannot be shown: {error}")
        return {**metadata, "pictures that changed most": f"cannot be shown: {error}"}
    return {**metadata, **{f"got {name} most": picture(sheet, f"got {name} most") for name, sheet in sheets.items()}}


def _sheets(verdict: Verdict, folder: Path, files: Sequence[Path]) -> Mapping[str, Image.Image]:
    """Champion and challenger see the pictures that are shown once more: a few seconds, and no mask is kept for it."""
    from wms_ml.evaluation import open_pair  # half a second that loading the code location is spared
    from wms_ml.predictor import Predictor

    models = [Predictor(file) for file in files]
    pairs = {pair.pair_id: pair for pair in load_dataset(folder)}

    def opened(change: PictureChange) -> Opened:
        if change.pair_id not in pairs:
            raise DataError(f"{change.name} is not in the data set in {folder}: it is not the one that was scored")
        image, truth = open_pair(folder, pairs[change.pair_id])
        before, after = (model.predict_image(image).mask for model in models)
        return image, truth, before, after

    return {name: draw_changes(changes, opened) for name, changes in changed_most(verdict).items() if changes}
