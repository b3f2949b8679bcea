"""What several test files need: a drop, and servers that are started once."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mlflow_server import MlflowServer, blank
from tests.quality_folder import Folder
from tests.s3 import AWS, new_bucket, serving

# Two tests at a time on two cores: threads of one would only wait for those of the other. Read when torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Who is started in the background ignores Ctrl-C, and so do all its children: commands here are stopped by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: begun last, they would be worked on alone."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What killed processes leave in the folder for temporary files goes with the tests' other files."""
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("scratch"))
    tempfile.tempdir = None  # read anew


@pytest.fixture(scope="session")
def blank_mlflow(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A fresh MLflow database."""
    return blank(tmp_path_factory.mktemp("blank"))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 server that speaks the real protocol."""
    with serving() as address:
        yield address


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket's address, `s3://…`, with the environment set so that every AWS client finds it."""
    from s3fs import S3FileSystem

    for name, value in {**AWS, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    return new_bucket()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Three good pairs: a, b, c."""
    drop = Folder(tmp_path / "drop")
    for seed, name in enumerate("abc"):
        drop.pair(name, seed)
    return drop


@pytest.fixture(scope="module")
def any_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """An MLflow server of the file's own."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.stop()


@pytest.fixture
def server(any_server: MlflowServer) -> MlflowServer:
    """That server, running, whatever the test before did to it."""
    any_server.start()
    return any_server
