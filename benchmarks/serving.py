"""The service against the one before it, against LitServe, BentoML and MLflow, and against its own bare runtime.

    python -m benchmarks.serving MODEL [--integers DIR] [--data DIR] [--rounds N] [--seconds S] [--json FILE]

MODEL is a folder with model.onnx, and weights.pt for the service before it; `--integers` one with the model.onnx of the
same training, served as int8. Every server gets the same real pictures from one other process; all are up during the
whole run and take turns in every round, so that a busy moment of the machine hits all alike. README.md beside this file
says what each table means.
"""

import argparse
import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from PIL import Image

from benchmarks.serving_bare import PIPELINES
from benchmarks.serving_load import Order, Result, requests
from benchmarks.serving_report import Figures, Measured, as_json, figures, report
from benchmarks.serving_servers import BUILD, ROOT, Running, running, servers
from serving.settings import cores
from wms_ml.samples import render

SERVERS: Final = ("ours", "int8", "float32", "before", "litserve", "bentoml", "mlflow")
_FOLDER: Final = BUILD / "serving-benchmark"
_SHARED: Final = 0.5
"""Load in open loop that every server gets, as a share of what the first, this service, can bear."""
_LOADS: Final = (0.5, 1.0, 2.0)
"""Loads in open loop that this service gets beside, as shares of what it can bear."""
_READY_SECONDS: Final = 120


class Benchmark:
    """One run."""

    def __init__(self, model: Path, pictures: list[Path], seconds: float) -> None:
        """Each measurement takes `seconds`."""
        self.measured: Measured = {"closed": {}, "open": {}, "bare": {}, "load": {}}
        self._model = model
        self._pictures = [str(path) for path in pictures]
        self._seconds = seconds

    def round(self, up: list[Running], number: int) -> None:
        """Measure everything once; what is compared most closely, one right after the other."""
        self._closed(up[0])
        self._note("bare", "full", self._bare(workers=cores()))
        self._note("bare", "single", self._bare(workers=1))
        self._note("load", "unloaded", self._sent(up[0], connections=1))
        for each in up[1:]:
            self._closed(each)
        shared = _SHARED * next(iter(self.measured["closed"].values()))[0].rate
        for each in up:
            self._note("open", each.server.name, self._sent(each, rate=shared, seed=number))
        self._overload(up[0], number)

    def _closed(self, each: Running) -> None:
        self._note("closed", each.server.name, self._sent(each, connections=cores() + (cores() + 1) // 2))

    def _overload(self, service: Running, number: int) -> None:
        sustainable = self.measured["closed"][service.server.name][0].rate
        for share in _LOADS:
            name = f"{share:g} times what it can bear"
            self._note("load", name, self._sent(service, rate=share * sustainable, seed=number))

    def _note(self, section: str, row: str, found: Figures) -> None:
        self.measured[section].setdefault(row, []).append(found)
        print(f"{section:6} {row:32} {found.rate:6.1f}/s p50 {found.p50:5.0f} p99 {found.p99:5.0f} ms", file=sys.stderr)

    def _sent(self, each: Running, *, connections: int = 1, rate: float = 0.0, seed: int = 0) -> Figures:
        """What a load finds, after a moment of the same to warm up."""
        order = replace(each.order, pictures=self._pictures, connections=connections, rate=rate, seed=seed)
        _carried_out(replace(order, seconds=min(1.0, self._seconds)))
        before = each.cpu_seconds()
        result = _carried_out(replace(order, seconds=self._seconds))
        return figures(replace(result, server_cpu=each.cpu_seconds() - before))

    def _bare(self, workers: int) -> Figures:
        command = (sys.executable, "-m", "benchmarks.serving_bare", "own", str(self._model), str(workers), "1")
        done = subprocess.run(
            [*command, str(self._seconds), *self._pictures], cwd=ROOT, capture_output=True, check=True
        )
        return figures(Result(**json.loads(done.stdout)))


def _carried_out(order: Order) -> Result:
    command = (sys.executable, "-m", "benchmarks.serving_load")
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(asdict(order)), capture_output=True, text=True, check=True
    )
    return Result(**json.loads(done.stdout))


def require_same_masks(up: list[Running], model: Path, pictures: list[Path]) -> None:
    """Ask every server for a few masks; whoever draws other ones than the bare runtime does other work."""
    run = PIPELINES["own"](model, cores(), 1)
    for picture in pictures[:5]:
        expected = _mask(run(picture.read_bytes()))
        for each in up:
            found = _mask(_asked(each, picture))
            if found.shape != expected.shape:
                sys.exit(f"{each.server.name}: the mask of {picture.name} has another size than the picture")
            union = np.count_nonzero(found | expected)
            if np.count_nonzero(found & expected) < each.server.agrees * union:
                sys.exit(f"{each.server.name}: the mask of {picture.name} is another one than the model draws")


def _asked(each: Running, picture: Path) -> bytes:
    """The mask's PNG, as soon as the server has loaded its model."""
    raw = requests(replace(each.order, pictures=[str(picture)]))[0]
    head, body = raw.split(b"\r\n\r\n", 1)
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        answer = httpx.post(
            f"http://127.0.0.1:{each.order.port}{each.order.path}", content=body, headers=headers, timeout=60
        )
        if answer.status_code == 200:
            break
        if time.monotonic() > deadline:
            sys.exit(f"{each.server.name} answers {answer.status_code}: {answer.text[:500]}")
        time.sleep(0.5)
    return base64.b64decode(answer.json()[each.server.within][0]) if each.server.within else answer.content


def _mask(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("L")) >= 128


def release_of(model: Path, name: str) -> Path:
    """The model as a release that the service accepts."""
    folder = _FOLDER / name
    folder.mkdir()
    shutil.copyfile(model, folder / "model.onnx")
    texts = dict.fromkeys(("model_name", "model_version", "data_version", "tag"), "benchmark")
    digest = f"sha256:{hashlib.sha256(model.read_bytes()).hexdigest()}"
    stated = {**texts, "digest": digest, "metrics": {"dice": 0, "iou": 0}}
    (folder / "release.json").write_text(json.dumps(stated))
    return folder


def pictures_of(data: Path | None, limit: int) -> list[Path]:
    """JPEGs of a folder, or of its images/; rendered ones when there is no folder."""
    if data:
        found = sorted((data / "images" if (data / "images").is_dir() else data).glob("*.jp*g"))[:limit]
        return found or sys.exit(f"{data} holds no JPEGs")
    folder = _FOLDER / "pictures"
    folder.mkdir()
    for index in range(limit):
        (folder / f"{index:04d}.jpg").write_bytes(render(0, index, (1000, 1333)).image_jpeg)
    return sorted(folder.iterdir())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder with model.onnx and weights.pt")
    parser.add_argument("--integers", type=Path, help="folder with model.onnx of the same training, served as int8")
    parser.add_argument("--data", type=Path, help="folder with JPEGs, or with images/ (rendered pictures)")
    parser.add_argument("--limit", type=int, default=100, help="pictures to use (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement (%(default)s)")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS, help="whom else to measure (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = _options()
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    model = (asked.model / "model.onnx").resolve()
    pictures = pictures_of(asked.data, asked.limit)
    benchmark = Benchmark(model, pictures, asked.seconds)
    with ExitStack() as stack:
        release, integers = release_of(model, "release"), None
        if asked.integers:
            integers = release_of(asked.integers / "model.onnx", "integers")
        chosen = servers(model, release, integers, [name for name in SERVERS if name in {SERVERS[0], *asked.servers}])
        up = [stack.enter_context(running(server, _FOLDER)) for server in chosen]
        require_same_masks(up, model, pictures)
        for number in range(asked.rounds):
            benchmark.round(up, number)
    print(
        f"{len(pictures)} pictures, medians of {asked.rounds} rounds, {cores()} cores\n\n{report(benchmark.measured)}"
    )
    if asked.json:
        asked.json.write_text(json.dumps(as_json(benchmark.measured), indent=1))


if __name__ == "__main__":
    main()
