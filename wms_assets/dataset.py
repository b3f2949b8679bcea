"""From a drop to a data version: `raw_dataset`, its quality checks, `validated_dataset`."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import dagster as dg

from wms_assets.display import thumbnails
from wms_assets.failures import plain_failures
from wms_assets.values import RawDataset, ValidatedDataset
from wms_ml.dataset import MANIFEST
from wms_ml.errors import DropError
from wms_ml.pairs import Pair, data_version, write_manifest
from wms_ml.quality.check import Accepted, check_folder
from wms_ml.quality.page import markdown, page
from wms_ml.quality.report import Report, Severity
from wms_ml.quality.rules import RULES
from wms_ml.reporting import bar, follow
from wms_ml.split import counts
from wms_resources.data_repo import DataRepo, DataVersion
from wms_resources.manifests import pairs_at
from wms_resources.orphans import claim_run
from wms_resources.store import Drop, Store
from wms_resources.workspace import Workspace

DROP_TAG: Final = "wms/drop"
"""Tag of a run: the drop it is for, with the version of its content."""


class DropConfig(dg.Config):
    """Which drop to take."""

    drop: str = ""  # id of the drop; empty for the newest one


@dg.asset(group_name="data", kinds={"s3", "pillow"}, owners=["team:ml"])
def raw_dataset(
    context: dg.AssetExecutionContext,
    config: DropConfig,
    store: Store,
    data_repo: DataRepo,
    workspace: Workspace,
) -> dg.MaterializeResult[RawDataset]:
    """A drop of pictures and masks, landed unchanged and inspected pair by pair.

    Every file is read once; what it is and what is wrong with it goes into the report that the checks read.
    """
    with plain_failures():
        drop = store.drop(config.drop) if config.drop else _newest(store)
        claim_run(context, {DROP_TAG: drop.key})
        folder = store.fetch(drop, workspace.staging)
        accepted = Accepted.of(pairs_at(data_repo))
        with bar(0, "inspect") as progress:
            report = check_folder(folder, drop.drop_id, accepted, on_progress=follow(progress))
        reports = workspace.write_report(
            drop.key, {"report.json": report.to_json(), "report.html": page(report, folder)}
        )
        good = [(pair.image, pair.mask) for pair in report.pairs if pair.name not in report.bad_names]
        value = RawDataset(drop=drop.drop_id, folder=str(folder), report=str(reports / "report.json"))
        return dg.MaterializeResult(
            value=value,
            metadata={
                "drop": drop.drop_id,
                "files": report.files,
                "pairs": len(report.pairs),
                "errors": len(report.errors),
                "findings": dg.MetadataValue.md(markdown(report)),
                "thumbnails": thumbnails(folder, good),
                "report": dg.MetadataValue.path(reports / "report.html"),
            },
        )


def _newest(store: Store) -> Drop:
    drops = store.drops()
    if not drops:
        raise DropError(f"no drop in {store.url}/drops yet: `wms drop DIR`, with images/ and masks/ in DIR")
    return drops[-1]


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(rule.name, asset=raw_dataset, blocking=True, description=rule.asks) for rule in RULES]
)
def quality_checks(raw_dataset: RawDataset) -> Iterator[dg.AssetCheckResult]:
    """One check a rule; a failed one stops everything downstream and names the files and the remedy."""
    report = Report.from_json(Path(raw_dataset.report).read_text())
    for rule in RULES:
        found = [finding for finding in report.findings if finding.rule == rule.name]
        errors = [finding for finding in found if finding.severity is Severity.ERROR]
        lines = [f"{', '.join(finding.files)}: {finding.message}. {finding.remedy}." for finding in found]
        yield dg.AssetCheckResult(
            check_name=rule.name,
            passed=not errors,
            description="\n".join(lines[:20]) or None,
            metadata={
                "findings": len(found),
                "details": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines)),
            },
        )


@dg.asset(group_name="data", kinds={"dvc", "git"}, owners=["team:ml"])
def validated_dataset(
    raw_dataset: RawDataset, data_repo: DataRepo, workspace: Workspace
) -> dg.MaterializeResult[ValidatedDataset]:
    """All accepted data plus the drop, as one version: pushed with DVC, on its own branch, split by content.

    The branch `data/<drop>` proposes the drop; `main` moves when a model trained on it is promoted.
    """
    with plain_failures():
        existing = pairs_at(data_repo)
        report = Report.from_json(Path(raw_dataset.report).read_text())
        new = report.manifest_rows(raw_dataset.drop, Accepted.of(existing))
        current = _proposed(raw_dataset, new, data_repo)
        pairs = pairs_at(data_repo, current.commit)
        version = data_version(pairs)
        folder = data_repo.materialize(current, workspace.datasets / version)
        write_manifest(pairs, folder / MANIFEST)
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
                "pairs": dg.MetadataValue.md(f"{len(existing)} existing + {len(new)} new = **{len(pairs)}**"),
                "split": dg.MetadataValue.md(_split_table(sides, counts(new))),
                "data version": version,
                "git": f"{current.branch} @ {current.commit[:12]}",
                "images.dvc": current.images_md5,
                "masks.dvc": current.masks_md5,
                "thumbnails": thumbnails(folder, [(pair.image, pair.mask) for pair in new or pairs]),
            },
        )


def _proposed(raw: RawDataset, new: list[Pair], data_repo: DataRepo) -> DataVersion:
    """The accepted data with the new pairs on a branch of their own; what is accepted when nothing is new."""
    current = data_repo.accepted()
    if current and not new:
        return current
    files = {path: Path(raw.folder) / path for pair in new for path in (pair.image, pair.mask)}
    with TemporaryDirectory() as scratch:
        manifest = Path(scratch) / "manifest.parquet"
        write_manifest(new, manifest)
        return data_repo.propose(raw.drop, files, manifest)


def _split_table(sides: dict[str, int], new: dict[str, int]) -> str:
    total = sum(sides.values()) or 1
    rows = [f"| {side} | {count} | {count / total:.0%} | {new[side]} |" for side, count in sides.items()]
    return "\n".join(["| side | pairs | share | of them new |", "|---|---:|---:|---:|", *rows])
