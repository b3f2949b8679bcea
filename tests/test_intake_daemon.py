"""Dagster's own daemon, a real S3 API and `wms drop`: each drop has its run, also across a SIGKILL of the daemon."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import dagster as dg
import pytest

from tests.builders import drop_folder
from tests.rig import Platform
from tests.s3 import AWS
from wms_assets.dataset import DROP_TAG

pytestmark = pytest.mark.slow


class Daemon:
    """`dagster-daemon` on a set-up, in a process group of its own."""

    def __init__(self, platform: Platform) -> None:
        home = platform.home / "dagster"
        self.environment = {**platform.environment, "DAGSTER_HOME": str(home)}
        self.command = [str(Path(sys.executable).parent / "dagster-daemon"), "run", "-m", "wms.definitions"]
        self.log = platform.home / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def platform(tmp_path: Path, bucket: str, s3_server: str) -> Iterator[Platform]:
    platform = Platform(tmp_path / "home", **AWS, AWS_ENDPOINT_URL=s3_server, WMS_STORE_URL=bucket)
    yield platform
    platform.stop()


@pytest.fixture
def daemon(platform: Platform) -> Iterator[Daemon]:
    from wms.runs import INSTANCE_FILE

    home = platform.home / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_bytes(INSTANCE_FILE.read_bytes())
    assert runs(platform) == {}  # and its tables are made before two processes want to make them
    daemon = Daemon(platform)
    yield daemon
    daemon.kill()


def runs(platform: Platform) -> dict[str, list[str]]:
    """Drop to the states of its runs."""
    with dg.DagsterInstance.from_config(str(platform.home / "dagster")) as instance:
        found: dict[str, list[str]] = {}
        for run in instance.get_runs():
            found.setdefault(run.tags[DROP_TAG].partition(":")[0], []).append(run.status.value)
        return found


def eventually(happened: Callable[[], bool], log: Path, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.5)


def test_each_drop_in_a_bucket_has_its_run_also_when_the_daemon_is_killed_between_them(
    platform: Platform, daemon: Daemon, bucket: str, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        folder = drop_folder(tmp_path / name, 2, seed=len(name), size=(64, 64))
        next(iter((folder / "masks").iterdir())).unlink()  # the checks stop it: nothing is trained here
    platform.drop(tmp_path / "first", "--id", "first")
    daemon.start()
    eventually(lambda: runs(platform) == {"first": ["FAILURE"]}, daemon.log)
    daemon.kill()
    platform.drop(tmp_path / "second", "--id", "second")
    daemon.start()
    eventually(lambda: runs(platform) == {"first": ["FAILURE"], "second": ["FAILURE"]}, daemon.log)
    keys = boto3.client("s3").list_objects_v2(Bucket=bucket.removeprefix("s3://"), Prefix="drops/second/")["Contents"]
    assert len(keys) == 4  # three files and the manifest: a drop belongs to the people who made it
