"""A real MLflow for tests: a fresh database, or a server that is taken away and brought back on the same port."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.rig import free_port
from wms_resources.mlflow_calls import open_client


def blank(folder: Path) -> bytes:
    """A fresh MLflow database; making one takes seconds, copying it does not."""
    open_client(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return (folder / "mlflow.db").read_bytes()


class MlflowServer:
    """A server with its database and artifacts in `folder`; call `stop` at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start it unless it runs."""
        if self._process is not None:
            return
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        stores = ["--backend-store-uri", f"sqlite:///{self._folder}/mlflow.db"]
        stores += ["--artifacts-destination", str(self._folder / "artifacts"), "--workers", "1"]
        with (self._folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [*command, *stores],
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it starts a worker: both are one group
            )
        self._wait()

    def freeze(self) -> None:
        """It accepts connections and answers none."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """It does what it is asked after the block, when those who asked have given up."""
        database = sqlite3.connect(self._folder / "mlflow.db", check_same_thread=False)
        database.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            database.close()

    def stop(self) -> None:
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def client(self) -> Any:
        return open_client(self.address)

    def runs(self, query: str = "") -> list[Any]:
        """Every run there is, the oldest first."""
        experiments = [each.experiment_id for each in self.client.search_experiments()]
        return list(self.client.search_runs(experiments, query, order_by=["attributes.start_time ASC"]))

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"{self.address}/health")
                return
            except httpx.TransportError:
                assert self._process is not None
                assert self._process.poll() is None, (self._folder / "server.log").read_text()
                assert time.monotonic() < deadline, "the MLflow server does not answer"
                time.sleep(0.1)
