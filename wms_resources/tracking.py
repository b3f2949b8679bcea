"""Experiment tracking: one MLflow run per training attempt, owned and always closed by the asset that started it.

Follows dagster-mlflow's conventions (the MLflow run is named after the Dagster job and carries the tag
`dagster_run_id`, so searches written for that package work) and closes its gaps: it keeps one global active run
per Dagster run, reuses it for a second one in the same process, and leaves it RUNNING when the process dies.
Here each attempt has its own run, nothing is global, and every run names the process that owns it, so that
`end_orphans` can close what a killed one left behind.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from wms_ml.errors import RegistryError
from wms_resources.process import ProcessName, is_alive, this_process

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

TRAINING_KEY: Final = "wms.training_key"
OWNER: Final = "wms.owner"


def _calm_mlflow() -> None:
    """Before its first import: no progress bars over ours, no database chatter. What people set themselves stays."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")


@contextmanager
def reaching(uri: str, what: str) -> Iterator[None]:
    """Turn MLflow's and the database's errors into one that says what could not be done and where.

    Raises:
        RegistryError: in place of theirs.
    """
    _calm_mlflow()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryError(f"cannot {what} in MLflow at {uri}: {error}. Check WMS_MLFLOW_TRACKING_URI") from error


def open_client(uri: str) -> "MlflowClient":
    """A client for tracking and registry at `uri`; makes the folder of a SQLite file."""
    _calm_mlflow()
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """An open MLflow run."""

    client: "MlflowClient"
    uri: str
    run_id: str

    def params(self, values: dict[str, Any]) -> None:
        """Log parameters, as many at a time as MLflow takes (100)."""
        from mlflow.entities import Param

        rows = [Param(name, str(value)) for name, value in values.items()]
        with reaching(self.uri, "log parameters"):
            for start in range(0, len(rows), 100):
                self.client.log_batch(self.run_id, params=rows[start : start + 100])

    def epochs(self, rows: Sequence[dict[str, Any]]) -> None:
        """Log the metrics of some epochs in one request."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(name, float(value), now, int(row["epoch"]))
            for row in rows
            for name, value in row.items()
            if name != "epoch"
        ]
        if metrics:
            with reaching(self.uri, "log metrics"):
                self.client.log_batch(self.run_id, metrics=metrics)

    def files(self, folder: Path, below: str) -> None:
        """Store a folder's files as artifacts."""
        with reaching(self.uri, "store artifacts"):
            self.client.log_artifacts(self.run_id, str(folder), below)


class Tracking(dg.ConfigurableResource):
    """MLflow tracking.

    Attributes:
        uri: tracking server or `sqlite:///file`.
        artifacts: where artifacts go when the store is SQLite; a server decides itself.
        experiment: experiment of the trainings, made when missing.
    """

    uri: str
    artifacts: str
    experiment: str

    @cached_property
    def _client(self) -> "MlflowClient":
        return open_client(self.uri)

    @contextmanager
    def attempt(
        self, name: str, dagster_run_id: str, tags: dict[str, str], experiment: str = ""
    ) -> Iterator[TrackedRun]:
        """One MLflow run, FINISHED at the end of the block, FAILED after an error, KILLED after a cancellation."""
        from mlflow.utils.mlflow_tags import MLFLOW_SOURCE_NAME

        owner = this_process().encode()
        all_tags = {
            **tags,
            "dagster_run_id": dagster_run_id,
            OWNER: owner,
            MLFLOW_SOURCE_NAME: "wms_ml.training",
        }
        with reaching(self.uri, "start a run"):
            experiment_id = self._experiment_id(experiment or self.experiment)
            run_id = self._client.create_run(experiment_id, tags=all_tags, run_name=name).info.run_id
        status = "FINISHED"
        try:
            yield TrackedRun(self._client, self.uri, run_id)
        except BaseException as error:
            status = "FAILED" if isinstance(error, Exception) else "KILLED"
            raise
        finally:
            with reaching(self.uri, "close a run"):
                self._client.set_terminated(run_id, status)

    def finished_attempt(self, training_key: str) -> str | None:
        """Id of the MLflow run that finished this very training, if one did."""
        runs = self._search(f"tags.`{TRAINING_KEY}` = '{training_key}' and attributes.status = 'FINISHED'")
        return runs[0].info.run_id if runs else None

    def end_orphans(self) -> list[str]:
        """Mark RUNNING runs whose process died on this machine as KILLED.

        Returns:
            their ids.
        """
        ended = []
        for run in self._search("attributes.status = 'RUNNING'"):
            owner = ProcessName.decode(run.data.tags.get(OWNER, ""))
            if owner and not is_alive(owner):
                with reaching(self.uri, "close an orphaned run"):
                    self._client.set_terminated(run.info.run_id, "KILLED")
                ended.append(run.info.run_id)
        return ended

    def _search(self, query: str) -> "list[Run]":
        with reaching(self.uri, "search runs"):
            experiments = [experiment.experiment_id for experiment in self._client.search_experiments()]
            return list(self._client.search_runs(experiments, query)) if experiments else []

    def _experiment_id(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        location = Path(self.artifacts).as_uri() if self.uri.startswith("sqlite:") else None
        return str(self._client.create_experiment(name, artifact_location=location))
