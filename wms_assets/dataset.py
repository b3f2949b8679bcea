"""From a drop to a data version: `raw_dataset`, its quality checks, `validated_dataset`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import dagster as dg

from wms_assets.display import thumbnails
from wms_assets.failures import plain_failures
from wms_assets.values import RawDataset, ValidatedDataset
from wms_ml.catalogue import Accepted
from wms_ml.errors import DropChangedError, StoreError
from wms_ml.pairs import Pair, data_version, write_manifest
from wms_ml.quality.markdown import check_details, markdown
from wms_ml.quality.page import page
from wms_ml.quality.report import Report, Severity
from wms_ml.quality.rules import RULES
from wms_ml.reporting import bar, follow
from wms_ml.split import counts
from wms_resources.data_repo import DataRepo, DataVersion, MainMovedError
from wms_resources.inspector import Inspector
from wms_resources.manifests import data_set, pairs_at
from wms_resources.orphans import claim_run
from wms_resources.quarantine import Quarantine
from wms_resources.readiness import Drop
from wms_resources.store import Store
from wms_resources.workspace import Workspace

DROP_TAG: Final = "wms/drop"
"""Tag of a run: the drop it is for, with the version of its content."""
LISTING_TAG: Final = "wms/listing"
"""Tag of a run: the drop it is for, with what identifies its listing; spares the sensor from reading it again."""
OUTAGE_TAG: Final = "wms/outage"
"""Tag of a run that did not get its drop (outage, other version); its value is that of LISTING_TAG."""


class DropConfig(dg.Config):
    """Which drop to take."""

    drop: str = ""  # id of the drop; empty for the newest one
    version: str = ""  # version of its content that is meant; empty for the one that is there


@dg.asset(group_name="data", kinds={"s3", "pillow"}, owners=["team:ml"], output_required=False)
def raw_dataset(
    context: dg.AssetExecutionContext,
    config: DropConfig,
    store: Store,
    data_repo: DataRepo,
    inspector: Inspector,
    quarantine: Quarantine,
    workspace: Workspace,
) -> Iterator[dg.MaterializeResult[RawDataset]]:
    """A drop of pictures and masks, landed unchanged and inspected pair by pair.

    Every file is read once; what it is and what is wrong with it goes into the report that the checks read. A drop that
    is another version by now is left to the run of that version: this one ends here, with nothing done.
    """
    with plain_failures(), _outage_noted(context):
        try:
            drop = store.drop(config.drop, config.version) if config.drop else store.newest()
            claim_run(context, {DROP_TAG: drop.key, LISTING_TAG: f"{drop.drop_id}:{drop.listing}"})
            folder = store.fetch(drop, workspace.staging)
        except DropChangedError as error:
            context.log.warning(str(error))
            _not_had(context)  # the version may come back: people undo what they did
            return
        yield _inspected(drop, folder, inspector.accepted(data_repo), inspector, quarantine, workspace)


@contextmanager
def _outage_noted(context: dg.AssetExecutionContext) -> Iterator[None]:
    """A run that could not reach the store does not count as its drop's run: the sensor asks for another."""
    try:
        yield
    except StoreError:
        _not_had(context)
        raise


def _not_had(context: dg.AssetExecutionContext) -> None:
    listing = context.run.tags.get(LISTING_TAG, "unknown")
    context.instance.add_run_tags(context.run_id, {OUTAGE_TAG: listing})


def _inspected(
    drop: Drop, folder: Path, accepted: Accepted, inspector: Inspector, quarantine: Quarantine, workspace: Workspace
) -> dg.MaterializeResult[RawDataset]:
    with bar(0, "inspect") as progress:
        report = inspector.inspect(folder, drop.drop_id, accepted, on_progress=follow(progress))
    reports = workspace.write_report(
        drop.key, {"report.json": report.to_json(), "report.html": page(report, folder, accepted.profile())}
    )
    aside = quarantine.keep(drop.key, report, folder)
    return dg.MaterializeResult(
        value=RawDataset(
            drop=drop.drop_id,
            dropped_at=drop.created,
            dropped_by=drop.by,
            folder=str(folder),
            report=str(reports / "report.json"),
        ),
        metadata={
            "drop": drop.drop_id,
            "dropped": f"{drop.created} by {drop.by or 'somebody'}",
            "files": report.files,
            "pairs": len(report.pairs),
            "errors": len(report.errors),
            "warnings": len(report.warnings),
            "findings": dg.MetadataValue.md(markdown(report)),
            "thumbnails": thumbnails(folder, [(pair.image, pair.mask) for pair in report.usable]),
            "report": dg.MetadataValue.path(reports / "report.html"),
            **({"set aside": dg.MetadataValue.path(aside)} if aside else {}),
        },
    )


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(rule.name, asset=raw_dataset, blocking=True, description=rule.asks) for rule in RULES]
)
def quality_checks(raw_dataset: RawDataset) -> Iterator[dg.AssetCheckResult]:
    """One check a rule; an error stops everything downstream and names the files and the remedy, a warning warns."""
    report = Report.from_json(Path(raw_dataset.report).read_text(encoding="utf-8"))
    for rule in RULES:
        found = [finding for finding in report.findings if finding.rule == rule.name]
        heavy = [finding for finding in found if finding.severity is not Severity.NOTE]
        stops = any(finding in report.stops for finding in found)
        lines = [f"{', '.join(finding.files)}: {finding.message}. {finding.remedy}." for finding in found]
        yield dg.AssetCheckResult(
            check_name=rule.name,
            passed=not heavy,
            severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
            description="\n".join(lines[:20]) or None,
            metadata={
                "findings": len(found),
                "details": dg.MetadataValue.md(check_details(report, rule.name, Path(raw_dataset.folder))),
            },
        )


@dg.asset(group_name="data", kinds={"dvc", "git"}, owners=["team:ml"])
def validated_dataset(
    raw_dataset: RawDataset, data_repo: DataRepo, inspector: Inspector, workspace: Workspace
) -> dg.MaterializeResult[ValidatedDataset]:
    """All accepted data plus the drop, as one version: pushed with DVC, on its own branch, split by content.

    The branch `data/<drop>` proposes the drop; `main` moves when a model trained on it is promoted.
    """
    with plain_failures():
        new, current = _proposed(raw_dataset, inspector, data_repo)
        pairs = pairs_at(data_repo, current.commit)
        version = data_version(pairs)
        folder = data_set(data_repo, current, pairs, workspace.datasets / version)
        sides = counts(pairs)
        return dg.MaterializeResult(
            value=ValidatedDataset(
                drop=raw_dataset.drop,
                data_version=version,
                branch=current.branch,
                commit=current.commit,
                images_md5=current.images_md5,
                masks_md5=current.masks_md5,
                folder=str(folder),
                pairs=len(pairs),
            ),
            data_version=dg.DataVersion(version),
            metadata={
                "pairs": dg.MetadataValue.md(f"{len(pairs) - len(new)} existing + {len(new)} new = **{len(pairs)}**"),
                "split": dg.MetadataValue.md(_split_table(sides, counts(new))),
                "data version": version,
                "git": f"{current.branch} @ {current.commit[:12]}",
                "images.dvc": current.images_md5,
                "masks.dvc": current.masks_md5,
                "thumbnails": thumbnails(folder, [(pair.image, pair.mask) for pair in new or pairs]),
            },
        )


def _new_rows(raw: RawDataset, accepted: Accepted) -> list[Pair]:
    """Rows of the drop's good pairs that are not accepted yet, with where they come from."""
    report = Report.from_json(Path(raw.report).read_text(encoding="utf-8"))
    rows = report.manifest_rows(raw.drop, accepted)
    return [replace(row, dropped_at=raw.dropped_at, dropped_by=raw.dropped_by) for row in rows]


def _proposed(raw: RawDataset, inspector: Inspector, data_repo: DataRepo) -> tuple[list[Pair], DataVersion]:
    """The drop's new pairs, and the accepted data with them on a branch; what is accepted when nothing is new.

    Sides follow from what is accepted, so when that moves in between they are worked out again.
    """
    while True:
        before = data_repo.accepted()
        new = _new_rows(raw, inspector.accepted(data_repo))
        try:
            return new, _proposal(raw, new, data_repo, before.commit if before else None)
        except MainMovedError:
            continue


def _proposal(raw: RawDataset, new: list[Pair], data_repo: DataRepo, onto: str | None) -> DataVersion:
    if not new and (current := data_repo.accepted()):
        return current
    files = {path: Path(raw.folder) / path for pair in new for path in (pair.image, pair.mask)}
    with TemporaryDirectory() as scratch:
        manifest = Path(scratch) / "manifest.parquet"
        write_manifest(new, manifest)
        return data_repo.propose(raw.drop, files, manifest, onto=onto)


def _split_table(sides: dict[str, int], new: dict[str, int]) -> str:
    total = sum(sides.values()) or 1
    rows = [f"| {side} | {count} | {count / total:.0%} | {new[side]} |" for side, count in sides.items()]
    return "\n".join(["| side | pairs | share | of them new |", "|---|---:|---:|---:|", *rows])
