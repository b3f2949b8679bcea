"""One set-up in a folder of its own, driven as a person drives it: by the `wms` command."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wms_resources.machine.process_target import ProcessTarget
from wms_resources.registry import Registry

QUICK = {
    "WMS_TRAIN_SIZE": "64",
    "WMS_TRAIN_START_SCALE": "1",
    "WMS_TRAIN_EPOCHS": "5",
    "WMS_TRAIN_ATTEMPTS": "1",
    "WMS_TRAIN_BATCH_SIZE": "4",
    "WMS_TRAIN_ENCODER": "resnet18",  # of all encoders the soonest trained and exported
    "WMS_TRAIN_SCHEDULE": "plateau",
}
UNTRAINED = {"WMS_TRAIN_EPOCHS": "1", "WMS_TRAIN_LEARNING_RATE": "1e-9"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Platform:
    """A set-up below `home`; call `stop` at the end."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("WMS_", "AWS_", "DAGSTER_"))}
        own = {"WMS_HOME": str(home), "WMS_SERVE_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
        self.environment = {**clean, **own, **QUICK, **settings}

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", "from wms.cli import main; main()", *arguments],
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wms(self, *arguments: str, expect: int = 0, **settings: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, **settings)
        out, err = process.communicate(timeout=600)
        assert process.returncode == expect, f"exit {process.returncode}: {out}\n{err}"
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def drop(self, folder: Path, *options: str) -> str:
        return self.wms("drop", str(folder), *options).stdout.strip()

    def run(self, *arguments: str, expect: int = 0, **settings: str) -> "subprocess.CompletedProcess[str]":
        return self.wms("run", *arguments, expect=expect, **settings)

    @property
    def registry(self) -> Registry:
        return Registry(
            uri=f"sqlite:///{self.home}/mlflow/mlflow.db",
            model_name="water-meter-segmentation",
            downloads=str(self.home / "models"),
        )

    def mlflow_statuses(self) -> list[str]:
        client = self.registry.client
        experiments = [each.experiment_id for each in client.search_experiments()]
        return sorted(str(run.info.status) for run in client.search_runs(experiments))

    def accepted(self) -> tuple[str, list[str]]:
        """What `main` of the data repository holds: its pictures by content, and the drops that brought them."""
        git = ["git", "-C", str(self.home / "code-host" / "data.git"), "ls-tree", "-r", "main"]
        pictures, manifests = (
            subprocess.run([*git, *paths], capture_output=True, text=True, check=True).stdout
            for paths in (["images.dvc", "masks.dvc"], ["--name-only", "manifest"])
        )
        return pictures, [line.rpartition("-")[0] for line in manifests.splitlines()]

    def state(self) -> dict[str, Any]:
        """What people rely on: the model, the data, the service."""
        champion = self.registry.production()
        port = int(self.environment["WMS_SERVE_PORT"])
        served = ProcessTarget(self.home / "service", port=port).current()
        return {
            "version": champion.version,
            "model": champion.digest,
            "metrics": champion.metrics,
            "data_version": champion.data_version,
            "main": self.accepted(),
            "service": served and served.package.model_version,
        }

    def trainers(self) -> list[int]:
        """Training programs of this set-up that are alive."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if "wms_ml.training" in line and str(self.home) in line:
                    found.append(int(entry.name))
        return found

    def wait_for(self, what: str, happened: Any, process: "subprocess.Popen[str]", seconds: float = 400) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            assert process.poll() is None, f"it ended before {what}: {process.communicate()}"
            assert time.monotonic() < deadline, f"no {what}"
            time.sleep(0.01)

    def stop(self) -> None:
        self.wms("stop")


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
