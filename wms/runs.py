"""Running jobs from the command line: in this process, recorded where the UI shows them."""

import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dagster as dg

from wms.settings import Settings
from wms_ml.errors import WmsError
from wms_resources.orphans import OWNER_TAG, end_orphaned_runs
from wms_resources.process import this_process

INSTANCE_FILE: Final = Path(__file__).resolve().parent.parent / "infra" / "dagster" / "dagster.yaml"


class RunFailedError(WmsError):
    """A job did not succeed; the message says which step or check stopped it, and why."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A successful run.

    Attributes:
        run_id: Dagster's id of it.
        metadata: what each materialized asset reported, by asset name.
    """

    run_id: str
    metadata: dict[str, dict[str, Any]]


def prepare_dagster_home(settings: Settings) -> Path:
    """Make Dagster's home with our dagster.yaml and name it in the environment; a DAGSTER_HOME that is set wins."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(settings.dagster_home)))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(INSTANCE_FILE, home / "dagster.yaml")
    return home


def run_job(settings: Settings, name: str, ops: dict[str, dict[str, Any]] | None = None) -> Finished:
    """Run a job to its end.

    Args:
        ops: configuration of single assets, by name.

    Raises:
        RunFailedError: it did not succeed.
    """
    from wms.definitions import build

    prepare_dagster_home(settings)
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    config: dict[str, Any] = {
        "loggers": {"console": {}},
        "ops": {asset: {"config": values} for asset, values in (ops or {}).items()},
    }
    with dg.DagsterInstance.get() as instance:
        end_orphaned_runs(instance)
        result = (
            build(settings)
            .resolve_job_def(name)
            .execute_in_process(
                instance=instance,
                run_config=config,
                tags={OWNER_TAG: this_process().encode()},
                raise_on_error=False,
            )
        )
    if not result.success:
        raise RunFailedError(f"{name} stopped: {_why(result)} (run {result.run_id[:8]})")
    return Finished(result.run_id, _metadata(result))


def _why(result: dg.ExecuteInProcessResult) -> str:
    failed = (check for check in result.get_asset_check_evaluations() if not check.passed)
    checks = [check for check in failed if check.severity is dg.AssetCheckSeverity.ERROR]
    if checks:
        lines = [
            f"check {check.check_name} on {check.asset_key.to_user_string()}: {check.description}" for check in checks
        ]
        return "\n".join(lines)
    failures = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    said = [f"{event.step_key}: {_cause(event.step_failure_data)}" for event in failures]
    return "; ".join(said) or "see the run in the UI (`make dev`)"


def _cause(failure: Any) -> str:
    """Our own sentence when there is one, otherwise the innermost error's first line."""
    if failure.user_failure_data and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error.cause:
        error = error.cause
    if error.cls_name == "DagsterExecutionInterruptedError":
        return "interrupted; run the job again, it goes on where it was"
    return str(error.message.strip().splitlines()[0])


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for event in result.all_events:
        if event.event_type_value == "ASSET_MATERIALIZATION":
            materialization = event.step_materialization_data.materialization
            key = materialization.asset_key.to_user_string()
            found[key] = {name: value.value for name, value in materialization.metadata.items()}
    return found
