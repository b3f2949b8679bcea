"""Experiment tracking: an MLflow run a training, with one nested below it for each of its attempts.

Follows dagster-mlflow's conventions (the MLflow run is named after the Dagster job and carries the tag
`dagster_run_id`, so searches written for that package work) and closes its gaps: it keeps one global active run
per Dagster run, reuses it for a second one in the same process, and leaves it RUNNING when the process dies.
Here nothing is global, and every run names the process that owns it, so that `end_orphans` can close what a killed
one left behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import dagster as dg

from wms_ml.errors import RegistryError
from wms_resources.mlflow_calls import open_client, patiently
from wms_resources.process import ProcessName, is_alive, this_process
from wms_resources.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

TRAINING_KEY: Final = "wms.training_key"
OWNER: Final = "wms.owner"
_PARENT: Final = "mlflow.parentRunId"
_SOURCE: Final = "mlflow.source.name"
_START: Final = "wms.start"
"""Names one start of a run, so that one whose answer was lost is found again, not started twice."""


class Tracking(dg.ConfigurableResource):
    """MLflow tracking.

    Attributes:
        uri: tracking server or `sqlite:///file`.
        artifacts: where artifacts go when the store is SQLite; a server decides itself.
        experiment: experiment of the trainings, made when missing.
        patience_seconds: how long MLflow may be away before a call fails; 0: not at all.
    """

    uri: str
    artifacts: str
    experiment: str
    patience_seconds: float = 0

    @cached_property
    def _client(self) -> "MlflowClient":
        return open_client(self.uri)

    @contextmanager
    def training(
        self, name: str, dagster_run_id: str, tags: dict[str, str], experiment: str = ""
    ) -> Iterator[TrackedRun]:
        """The MLflow run of a whole training, to which attempts belong; it ends as `attempt` does."""
        with self._owned(self._experiment_id(experiment or self.experiment), name, dagster_run_id, tags) as run:
            yield run

    @contextmanager
    def attempt(
        self, name: str, dagster_run_id: str, tags: dict[str, str], parent: TrackedRun | None = None
    ) -> Iterator[TrackedRun]:
        """One MLflow run, FINISHED at the end of the block, FAILED after an error, KILLED after a cancellation.

        Args:
            parent: the training it is shown below; None: it stands alone.

        Raises:
            RegistryError: MLflow refuses, or stayed away.
        """
        nested = {_PARENT: parent.run_id} if parent else {}
        experiment = parent.experiment_id if parent else self._experiment_id(self.experiment)
        with self._owned(experiment, name, dagster_run_id, {**tags, **nested}) as run:
            yield run

    def finished_attempt(self, training_key: str) -> str | None:
        """Id of the MLflow run that finished this very training, if one did."""
        query = f"tags.`{TRAINING_KEY}` = '{training_key}' and attributes.status = 'FINISHED'"
        runs = self._search(query, self.patience_seconds)
        return runs[0].info.run_id if runs else None

    def end_orphans(self, patience_seconds: float = 0) -> list[str]:
        """Mark RUNNING runs, trainings and attempts, whose process died on this machine as KILLED.

        Returns:
            their ids.
        """
        ended = []
        for run in self._search("attributes.status = 'RUNNING'", patience_seconds):
            owner = ProcessName.decode(run.data.tags.get(OWNER, ""))
            if owner and not is_alive(owner):
                self._tracked(run, patience_seconds).close("KILLED")
                ended.append(run.info.run_id)
        return ended

    @contextmanager
    def _owned(self, experiment_id: str, name: str, dagster_run_id: str, tags: dict[str, str]) -> Iterator[TrackedRun]:
        run = self._start(experiment_id, name, {**tags, "dagster_run_id": dagster_run_id})
        try:
            yield run
        except BaseException as error:
            _abandon(run, error)
            raise
        run.close("FINISHED")

    def _start(self, experiment_id: str, name: str, tags: dict[str, str]) -> TrackedRun:
        start = uuid4().hex
        own = {_START: start, OWNER: this_process().encode(), _SOURCE: "wms_ml.training"}

        tried: list[bool] = []

        def once() -> "Run":
            known = self._client.search_runs([experiment_id], f"tags.`{_START}` = '{start}'") if tried else []
            tried.append(True)
            return known[0] if known else self._client.create_run(experiment_id, tags={**tags, **own}, run_name=name)

        return self._tracked(patiently(self.uri, self.patience_seconds, "start a run", once), self.patience_seconds)

    def _tracked(self, run: "Run", patience_seconds: float) -> TrackedRun:
        return TrackedRun(self._client, self.uri, run.info.run_id, run.info.experiment_id, patience_seconds)

    def _search(self, query: str, patience_seconds: float) -> "list[Run]":
        def found() -> "list[Run]":
            experiments = [experiment.experiment_id for experiment in self._client.search_experiments()]
            return list(self._client.search_runs(experiments, query)) if experiments else []

        return patiently(self.uri, patience_seconds, "search runs", found)

    def _experiment_id(self, name: str) -> str:
        location = Path(self.artifacts).as_uri() if self.uri.startswith("sqlite:") else None

        def made_or_found() -> str:
            from mlflow.exceptions import MlflowException

            try:
                return str(self._client.create_experiment(name, artifact_location=location))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                return str(self._client.get_experiment_by_name(name).experiment_id)

        return patiently(self.uri, self.patience_seconds, f"open the experiment '{name}'", made_or_found)


def _abandon(run: TrackedRun, error: BaseException) -> None:
    """Close a run after an error, which is what people must see, not that MLflow is away as well."""
    failed = isinstance(error, Exception)
    if isinstance(error, RegistryError) or not failed:
        run.patience = 0  # it was waited for already, or nobody waits any more
    try:
        run.close("FAILED" if failed else "KILLED")
    except RegistryError as closing:
        dg.get_dagster_logger().warning(f"{closing}. The run {run.run_id} is closed when MLflow answers again")
