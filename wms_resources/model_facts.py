"""What MLflow recorded of a version, put together: for people who ask about it, and for its model card."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wms_ml.card_facts import CardFacts, data_facts
from wms_ml.errors import GateError
from wms_ml.pairs import Pair
from wms_ml.recipe import Recipe
from wms_resources.evidence import CODE_TAG, Attempt, Evidence
from wms_resources.registry import ModelVersion, Registry

if TYPE_CHECKING:
    from mlflow.entities import Run

IMAGE_TAG: Final = "image"
"""Tag of a version: digest of the serving image that was built from it."""
SHEETS: Final = ("best", "median", "worst")

_EVIDENCE: Final = re.compile(r"evidence/(?P<data>\w+)-against-(?P<champion>\w+)\.json")
"""Tag of a version for each piece of its evidence."""
_NOT_BUILT: Final = "not built yet"
_MEASURED: Final = {
    "training_seconds": ("training of this attempt, seconds", "{:.0f}"),
    "epochs": ("epochs", "{:.0f}"),
    "best_epoch": ("best epoch", "{:.0f}"),
    "validation_dice": ("validation Dice", "{:.4f}"),
    "validation_iou": ("validation IoU", "{:.4f}"),
    "onnx_difference": ("largest difference of ONNX from torch, probability", "{:.1e}"),
}
"""Metrics of a run that a card shows: title and form."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Evidence that is kept with a version.

    Attributes:
        data_version: data set that was scored.
        champion: version it was judged against; None: nothing was in production.
        evidence: the evidence; None when it cannot be used.
        problem: why not; empty when it can.
    """

    data_version: str
    champion: str | None
    evidence: Evidence | None
    problem: str


def kept_evidence(registry: Registry, version: ModelVersion) -> list[Kept]:
    """All evidence of a version, that against the newest champion last; what cannot be used is named with the reason.

    Raises:
        RegistryError: the registry does not answer.
    """
    named = [found for tag in version.tags if (found := _EVIDENCE.fullmatch(tag))]
    kept = [_kept(registry, version, found["data"], found["champion"]) for found in named]
    return sorted(kept, key=lambda each: (int(each.champion or 0), each.data_version))


def _kept(registry: Registry, version: ModelVersion, data: str, champion: str) -> Kept:
    against = None if champion == "none" else registry.get(champion)
    number = against.version if against else None
    try:
        return Kept(data, number, registry.evidence(version, against, data), "")
    except GateError as error:
        return Kept(data, number, None, str(error))


def card_facts(
    registry: Registry, version: ModelVersion, pairs: Sequence[Pair] = (), sheets: Path | None = None
) -> CardFacts:
    """Everything that was recorded of a version.

    Args:
        pairs: of the data set it was trained on; none: the card says that they were not looked up.
        sheets: folder with `best.jpg`, `median.jpg` and `worst.jpg` of the test side; None or without them: those of
            the validation side, which its MLflow run keeps.

    Raises:
        RegistryError: the registry does not answer, or the model file is not the one that was registered.
    """
    run = run_of(registry, version)
    usable = [each for each in kept_evidence(registry, version) if each.evidence]
    evidence = usable[-1].evidence if usable else None
    shown, side = _sheets(registry, version, sheets)
    return CardFacts(
        name=version.name,
        version=version.version,
        data_version=version.data_version,
        trained_at=utc(run.info.end_time),
        started_from=_start(run),
        file_bytes=registry.fetch(version).stat().st_size,
        lineage=lineage(version, run),
        recipe=recipe(version, run),
        measured=_measured(run),
        training_seconds=run.data.metrics.get("training_seconds"),
        environment=_environment(run),
        data=data_facts(pairs) if pairs else None,
        scores=evidence.challenger_scores if evidence else None,
        attempts=_attempts(evidence.attempts) if evidence else (),
        champion=(evidence.champion or "") if evidence else None,
        champion_scores=evidence.champion_scores if evidence else None,
        sheets=shown,
        sheets_side=side,
    )


def lineage(version: ModelVersion, run: "Run") -> dict[str, str]:
    """From the drop to the image, title to value; empty: not recorded."""
    tags = version.tags
    return {
        "drop": tags.get("drop", ""),
        "data version": version.data_version,
        "data commit": tags.get("commit", ""),
        "images, DVC md5": tags.get("images_md5", ""),
        "masks, DVC md5": tags.get("masks_md5", ""),
        "split version": tags.get("split_version", ""),
        "training code": tags.get(CODE_TAG, run.data.tags.get("code_version", "")),
        "project commit": run.data.tags.get("mlflow.source.git.commit", ""),
        "MLflow run": version.run_id,
        "Dagster run": run.data.tags.get("dagster_run_id", ""),
        "model digest": version.digest,
        "image digest": tags.get(IMAGE_TAG, _NOT_BUILT),
    }


def run_of(registry: Registry, version: ModelVersion) -> "Run":
    """The MLflow run that trained a version.

    Raises:
        RegistryError: the registry does not answer, or the run was deleted.
    """
    return registry.ask(f"read the run of version {version.version}", lambda: registry.client.get_run(version.run_id))


def _start(run: "Run") -> str:
    init = str(run.data.tags.get("init", ""))
    weights = run.data.params.get("encoder_weights", "")
    return f"{init}, encoder weights: {weights}" if init == "scratch" and weights else init


def recipe(version: ModelVersion, run: "Run") -> dict[str, str]:
    """The parts of the recipe that were recorded, by their names."""
    stated = {**version.tags, **run.data.params}
    return {part.name: str(stated[part.name]) for part in fields(Recipe) if part.name in stated}


def _measured(run: "Run") -> dict[str, str]:
    found = run.data.metrics
    return {title: form.format(found[name]) for name, (title, form) in _MEASURED.items() if name in found}


def _attempts(attempts: Sequence[Attempt]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (str(each.seed), str(each.epochs), f"{each.dice:.4f}", f"{each.iou:.4f}", "chosen" if each.chosen else "")
        for each in attempts
    )


def _environment(run: "Run") -> dict[str, str]:
    start = "environment."
    return {name.removeprefix(start): str(value) for name, value in run.data.tags.items() if name.startswith(start)}


def _sheets(registry: Registry, version: ModelVersion, folder: Path | None) -> tuple[dict[str, bytes], str]:
    """Contact sheets by name, and the side that they show."""
    own = {name: folder / f"{name}.jpg" for name in SHEETS} if folder else {}
    if own and all(path.is_file() for path in own.values()):
        return {name: path.read_bytes() for name, path in own.items()}, "test"
    entries = registry.ask("list pictures", lambda: registry.client.list_artifacts(version.run_id, "validation"))
    there = {entry.path for entry in entries}
    kept = {name: path for name in SHEETS if (path := f"validation/{name}.jpg") in there}
    return {name: _artifact(registry, version, path) for name, path in kept.items()}, "validation"


def _artifact(registry: Registry, version: ModelVersion, path: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        fetched = registry.ask(
            f"fetch {path}", lambda: registry.client.download_artifacts(version.run_id, path, scratch)
        )
        return Path(fetched).read_bytes()


def utc(milliseconds: int | None) -> str:
    """ISO 8601 in UTC of MLflow's clock; empty when it does not say."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat() if milliseconds else ""
