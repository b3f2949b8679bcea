"""The servers of the serving benchmark: how each is started, as its own documentation recommends, and stopped again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import psutil

from benchmarks.serving_load import Order
from benchmarks.serving_plain import MODEL

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build"
PINS: Final = ("litserve==0.2.19", "bentoml==1.4.39", "onnxruntime==1.31.1", "pillow==13.0.0", "numpy==2.4.6")
"""What the peers run; BentoML 1.4.40 asks for a version of certifi that does not exist."""

_READY_SECONDS: Final = 120
_STOP_SECONDS: Final = 20


@dataclass(frozen=True)
class Server:
    """A server to be measured.

    Attributes:
        name: in the tables.
        command: starts it; `{port}` stands for the port.
        order: how a picture is sent to it.
        environment: variables beside the benchmark's own.
        within: name in an answer's JSON under which the mask lies as base64; empty when the answer is the mask.
        agrees: least IoU of its masks with the bare runtime's.
    """

    name: str
    command: tuple[str, ...]
    order: Order
    environment: dict[str, str] = field(default_factory=dict)
    within: str = ""
    agrees: float = 0.98


@dataclass(frozen=True)
class Running:
    """A server that answers: where, and as which process (the head of a group of its own)."""

    server: Server
    order: Order
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Processor time that it and its children have taken."""
        times = [process.cpu_times() for process in (self.process, *self.process.children(recursive=True))]
        return sum(each.user + each.system for each in times)


def order_for(path: str, form: str = "", template: str = "", accept: str = "image/png") -> Order:
    """How a picture is sent, all else left open."""
    return Order(0, path, [], form, template, accept, 0)


def servers(model: Path, release: Path, integers: Path | None, chosen: list[str]) -> list[Server]:
    """The servers of those names, in the order of the tables; peers are installed when they are asked for.

    Args:
        integers: release of the same training, served as int8.
    """
    peers = BUILD / "peers" / "bin"
    known = {"ours": _ours(release), "before": _before(), "litserve": _litserve(peers), "bentoml": _bentoml(peers)}
    exact = {"WMS_SERVING_PRECISION": "float32"}
    known["float32"] = replace(known["ours"], name="this service, float32", environment=exact)
    if integers:
        known["int8"] = replace(_ours(integers), name="this service, int8", agrees=0.9)
    if {"litserve", "bentoml"} & set(chosen):
        install_peers(peers.parent)
    if "mlflow" in chosen:
        known["mlflow"] = _mlflow(model)
    shared = {MODEL: str(model), "PYTHONPATH": str(ROOT)}
    picked = [known[name] for name in chosen if name in known]
    return [replace(server, environment=shared | server.environment) for server in picked]


def _ours(release: Path) -> Server:
    command = (sys.executable, "-m", "serving", "--release", str(release), "--port", "{port}")
    return Server("this service", command, order_for("/predict", form="image"))


def _before() -> Server:
    command = (sys.executable, "-m", "uvicorn", "--factory", "benchmarks.serving_before:create_app", "--port", "{port}")
    quiet = ("--log-level", "warning", "--no-access-log")
    return Server("predecessor's way", (*command, *quiet), order_for("/predict", form="file"))


def _litserve(peers: Path) -> Server:
    command = (str(peers / "python"), "-m", "benchmarks.serving_litserve", "--port", "{port}")
    return Server("LitServe", command, order_for("/predict", form="image"))


def _bentoml(peers: Path) -> Server:
    command = (str(peers / "bentoml"), "serve", "benchmarks.serving_bentoml:MaskService", "--port", "{port}")
    home = {"BENTOML_HOME": str(BUILD / "bentoml"), "BENTOML_DO_NOT_TRACK": "true"}
    return Server("BentoML", (*command, "--host", "127.0.0.1"), order_for("/predict", form="image"), home)


def _mlflow(model: Path) -> Server:
    folder = BUILD / "serving-benchmark" / "mlflow"
    shutil.rmtree(folder, ignore_errors=True)
    write = (sys.executable, "-m", "benchmarks.serving_mlflow", str(model), str(folder))
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(write, cwd=ROOT, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the MLflow model cannot be written:\n{done.stderr}")
    command = (sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local")
    workers = ("--workers", str(os.cpu_count() or 1), "--host", "127.0.0.1", "--port", "{port}")
    order = order_for("/invocations", template='{"inputs": ["%s"]}', accept="application/json")
    return Server("MLflow", (*command, *workers), order, quiet, within="predictions")


def install_peers(folder: Path) -> None:
    """An environment with the peers, made once for a set of pins."""
    stamp = folder / "pins.txt"
    if stamp.is_file() and stamp.read_text().split() == list(PINS):
        return
    print(f"installing {', '.join(PINS)} into {folder.relative_to(ROOT)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *PINS], check=True)
    stamp.write_text("\n".join(PINS))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(server: Server, logs: Path) -> Iterator[Running]:
    """The server, listening; all its processes are ended with the block. Its output goes to a file in `logs`."""
    port, log = free_port(), logs / f"{server.name.replace(' ', '-')}.log"
    command = [part.replace("{port}", str(port)) for part in server.command]
    # Threads are each server's own choice: a limit meant for the benchmark must not reach them.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment | server.environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        _wait(process, port, server.name, log)
        yield Running(server, replace(server.order, port=port), psutil.Process(process.pid))
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], port: int, name: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    sys.exit(f"{name} does not come up; the end of {log}:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, its children, and theirs, whatever groups those have made for themselves."""
    if process.poll() is None:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        os.killpg(process.pid, signal.SIGTERM)
        for left in psutil.wait_procs(family, _STOP_SECONDS)[1]:
            left.kill()
    process.wait()
