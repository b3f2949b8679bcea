"""The work on a picture without any server: what a service can reach at best on this machine.

    python -m benchmarks.serving_bare PIPELINE MODEL WORKERS THREADS SECONDS PICTURE... > RESULT.json

PIPELINE is `own`, what the service does to a picture, or `plain`, what the servers beside it do.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from threading import Lock

from benchmarks.serving_plain import Plain
from serving.mask_png import mask_png
from serving.precision import predictor_of
from serving.release import Release
from serving.settings import ServingSettings
from wms_ml.arrays import MAX_PIXELS
from wms_ml.reduced import decode, enough_for

Pipeline = Callable[[bytes], bytes]
"""A picture file's content in, its mask as a PNG out."""


def own(model: Path, threads: int, workers: int) -> Pipeline:
    """The service's work on a mask, in the same words as serving.inference and in the arithmetic that it takes."""
    release = Release(model, *[""] * 5, {})
    predictor = predictor_of(release, ServingSettings(workers=workers, threads=threads))
    at_least = enough_for(predictor.size)

    def run(data: bytes) -> bytes:
        return mask_png(predictor.predict_upright(decode(data, MAX_PIXELS, at_least)).mask)

    return run


def plain(model: Path, threads: int, workers: int) -> Pipeline:
    """The work of the servers beside it, whose runtime needs not be told of workers."""
    return Plain(model, threads).png


PIPELINES = {"own": own, "plain": plain}


def measured(run: Pipeline, pictures: list[bytes], workers: int, seconds: float) -> list[float]:
    """Milliseconds that each picture took, with `workers` pictures at work at once for so long."""
    source, lock, taken = cycle(pictures), Lock(), []
    end = time.perf_counter() + seconds

    def work() -> None:
        while (began := time.perf_counter()) < end:
            with lock:
                picture = next(source)
            run(picture)
            taken.append((time.perf_counter() - began) * 1000)

    with ThreadPoolExecutor(workers) as pool:
        for job in [pool.submit(work) for _ in range(workers)]:
            job.result()
    return taken


def main() -> None:
    """Measure after a few pictures to warm up, and print in the shape of a load's result."""
    pipeline, model, workers, threads, seconds, *files = sys.argv[1:]
    run = PIPELINES[pipeline](Path(model), int(threads), int(workers))
    pictures = [Path(file).read_bytes() for file in files]
    for picture in pictures[:3]:
        run(picture)
    began, used = time.perf_counter(), time.process_time()
    answers = [(milliseconds, 200) for milliseconds in measured(run, pictures, int(workers), float(seconds))]
    spent = {"seconds": time.perf_counter() - began, "server_cpu": time.process_time() - used}
    json.dump({"answers": answers, **spent}, sys.stdout)


if __name__ == "__main__":
    main()
