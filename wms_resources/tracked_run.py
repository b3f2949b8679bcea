"""An open MLflow run, and the metrics on their way to it.

A training does not wait for MLflow: epochs queue here in order until MLflow took them. Each keeps the time it was
first seen, which makes sending it again harmless: MLflow stores a metric once for its run, name, step, time and value.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from wms_ml.errors import RegistryError
from wms_resources.mlflow_calls import Pause, passes, patiently

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

_PARAMS: Final = 100
_METRICS: Final = 1000
"""How many of each MLflow takes in one request."""


@dataclass(slots=True)
class TrackedRun:
    """An open MLflow run.

    Attributes:
        client: MLflow's client.
        uri: MLflow's address.
        run_id: the run's id.
        experiment_id: its experiment's.
        patience: seconds that MLflow may be away before a call fails.
    """

    client: "MlflowClient"
    uri: str
    run_id: str
    experiment_id: str
    patience: float
    _waiting: "list[Metric]" = field(default_factory=list)
    _pause: Pause = field(default_factory=Pause)
    _not_before: float = 0.0

    @property
    def where(self) -> str:
        """Where people look at it: its page on the server, or the command that shows a SQLite file."""
        if self.uri.startswith(("http://", "https://")):
            return f"{self.uri.rstrip('/')}/#/experiments/{self.experiment_id}/runs/{self.run_id}"
        return f"mlflow ui --backend-store-uri {self.uri}"

    def params(self, values: dict[str, Any]) -> None:
        """Log parameters."""
        from mlflow.entities import Param

        rows = [Param(name, str(value)) for name, value in values.items()]
        for start in range(0, len(rows), _PARAMS):
            part = rows[start : start + _PARAMS]
            self._patiently("log parameters", partial(self.client.log_batch, self.run_id, params=part))

    def tags(self, values: dict[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        rows = [RunTag(name, value) for name, value in values.items()]
        self._patiently("set tags", partial(self.client.log_batch, self.run_id, tags=rows))

    def epochs(self, rows: Sequence[dict[str, Any]]) -> None:
        """Log the numbers of some epochs, `epoch` being their step; call it often, also without new ones.

        All that waits goes in one request. While MLflow is away it waits on, and this returns.

        Raises:
            RegistryError: MLflow refuses.
        """
        for row in rows:
            self._queue({name: value for name, value in row.items() if name != "epoch"}, int(row["epoch"]))
        if not self._waiting or time.monotonic() < self._not_before:
            return
        first = self._pause.first
        try:
            self._send(patience=0)
        except RegistryError as error:
            if not passes(error):
                raise
            self._not_before = time.monotonic() + self._pause.longer()
            if first:
                said = f"MLflow at {self.uri} does not answer: the training goes on, its metrics are sent later"
                dg.get_dagster_logger().warning(said)
            return
        if not first:
            dg.get_dagster_logger().info(f"MLflow at {self.uri} answers again")
            self._pause = Pause()

    def metrics(self, values: dict[str, float]) -> None:
        """Log numbers about the run as a whole, after its epochs."""
        self._queue(values, 0)
        self.flush()

    def flush(self) -> None:
        """Wait until MLflow took everything that waits.

        Raises:
            RegistryError: it stayed away.
        """
        self._send(self.patience)

    def files(self, folder: Path, below: str) -> None:
        """Store a folder's files as artifacts below the path `below`."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            place = str(Path(below, path.relative_to(folder)).parent)
            store = partial(self.client.log_artifact, self.run_id, str(path), place)
            self._patiently(f"store {path.name}", store)

    def close(self, status: str) -> None:
        """Send what waits and end the run as FINISHED, FAILED or KILLED."""
        self.flush()
        self._patiently("close a run", partial(self.client.set_terminated, self.run_id, status))

    def _queue(self, values: dict[str, Any], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        self._waiting += [Metric(name, float(value), now, step) for name, value in numbers.items()]

    def _send(self, patience: float) -> None:
        while self._waiting:
            part = self._waiting[:_METRICS]
            patiently(self.uri, patience, "log metrics", partial(self.client.log_batch, self.run_id, metrics=part))
            del self._waiting[: len(part)]

    def _patiently(self, what: str, call: Callable[[], object]) -> None:
        patiently(self.uri, self.patience, what, call)
