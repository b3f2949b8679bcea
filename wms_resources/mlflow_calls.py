"""Calling MLflow: errors that say what could not be done and where, and patience with a server that is away.

MLflow's client has retries of its own: 7, each waiting up to two minutes for an answer and up to two minutes before the
next, and from outside it looks the same whether it works or waits. They are off here (`MLFLOW_HTTP_REQUEST_*` variables
that people set stay), and `patiently` does the waiting: visibly, up to a stated time, only for what passes by itself.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import dagster as dg

from wms_ml.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

_CALM: Final = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # our commands print JSON there
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds without a byte; a server that hands weights on to S3 needs some
}
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_WAIT: Final = 15.0


def _calm_mlflow() -> None:
    """Before its first import: no progress bars over ours, no chatter, no waiting. What people set themselves stays."""
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)


def open_client(uri: str) -> "MlflowClient":
    """A client for tracking and registry at `uri`; makes the folder of a SQLite file.

    Raises:
        RegistryError: `uri` is no address of MLflow's.
    """
    _calm_mlflow()
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    with reaching(uri, "open a client"):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def reaching(uri: str, what: str) -> Iterator[None]:
    """Turn errors of MLflow, its database and its artifact store into one that says what could not be done and where.

    Raises:
        RegistryError: in place of theirs.
    """
    _calm_mlflow()
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, Boto3Error, BotoCoreError, ClientError) as error:
        raise RegistryError(f"cannot {what} in MLflow at {uri}: {error}. Check WMS_MLFLOW_TRACKING_URI") from error


def patiently(uri: str, patience: float, what: str, call: Callable[[], T]) -> T:
    """The outcome of `call`, tried again for up to `patience` seconds while MLflow is away.

    Args:
        patience: seconds; 0: one try. The try that is under way when they end is waited for.
        call: may run more than once, so it must not do a thing twice.

    Raises:
        RegistryError: MLflow stayed away, or refused, which is never tried again.
    """
    pause, started = Pause(), time.monotonic()
    while True:
        try:
            with reaching(uri, what):
                return call()
        except RegistryError as error:
            left = started + patience - time.monotonic()
            if not (patience and passes(error)):
                raise
            if left <= 0:
                raise RegistryError(
                    f"cannot {what}: MLflow at {uri} was away for {patience:g} s. Start it and run the job again, what "
                    f"was trained is kept; WMS_MLFLOW_PATIENCE_SECONDS is how long it is waited for ({error.__cause__})"
                ) from error.__cause__
            if pause.first:
                said = f"cannot {what} now, MLflow at {uri} does not answer: trying again for {patience:g} s"
                dg.get_dagster_logger().warning(said)
            time.sleep(min(pause.longer(), left))


class Pause:
    """Time between tries: half a second, then longer and longer, with some chance in it so that callers spread."""

    def __init__(self) -> None:
        self._seconds = 0.0

    @property
    def first(self) -> bool:
        """No try has failed yet."""
        return self._seconds == 0

    def longer(self) -> float:
        """Seconds to wait now: twice the last time, 15 at most."""
        self._seconds = min(max(0.5, 2 * self._seconds), _LONGEST_WAIT)
        return self._seconds * random.uniform(0.7, 1.0)


def passes(error: RegistryError) -> bool:
    """Whether the same call may work later: nobody answered, the server is overloaded, the database is locked."""
    cause: BaseException | None = error.__cause__
    while cause is not None:
        verdict = _verdict(cause)
        if verdict is not None:
            return verdict
        cause = cause.__cause__ or cause.__context__
    return False


def _verdict(cause: BaseException) -> bool | None:
    """Whether this cause passes; None when it does not say and what caused it must be asked."""
    from botocore.exceptions import ClientError, HTTPClientError
    from mlflow.exceptions import RestException
    from requests import RequestException
    from sqlalchemy.exc import OperationalError

    if isinstance(cause, RequestException):
        return _request_passes(cause)
    if isinstance(cause, OperationalError):
        return not isinstance(cause.orig, sqlite3.Error) or "locked" in str(cause.orig)
    if isinstance(cause, RestException):
        return cause.get_http_status_code() in _PASSING
    if isinstance(cause, ClientError):
        return cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in _PASSING
    if isinstance(cause, HTTPClientError):
        return True
    if "occurred while downloading" in str(cause):  # of these MLflow keeps the words, not the cause
        return " Client Error" not in str(cause)
    return None


def _request_passes(error: Exception) -> bool:
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError):
        return error.response is not None and error.response.status_code in _PASSING
    broken = (exceptions.ConnectionError, exceptions.Timeout, exceptions.RetryError, exceptions.ChunkedEncodingError)
    return isinstance(error, broken) and not isinstance(error, exceptions.SSLError)
