"""What grows with the data, and what does not: `python benchmarks/intake.py [--objects N] [--pairs N ...]`.

1. A drop of 10 pairs against 1,000, 10,000 and 100,000 accepted ones: inspecting it, and proposing it to git and DVC.
2. A tick of the drop sensor on a bucket with many old objects and one new drop, against listing the whole bucket. The
   bucket is a moto server on this machine; what it needs for a request is in both figures.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.builders import drop_folder, pair
from tests.s3 import AWS, new_bucket, serving
from wms_ml.pairs import Pair, write_manifest
from wms_resources import data_repo, dvc_content
from wms_resources.data_commits import FOLDERS
from wms_resources.data_repo import DataRepo
from wms_resources.drop_folder import drop_files
from wms_resources.inspector import Inspector
from wms_resources.objects import open_objects
from wms_resources.store import Store

ROUNDS = 5
PER_DROP = 100


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# A drop of 10 pairs against more and more accepted ones


def growth(folder: Path, sizes: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Rows of the first table."""
    base = 0.0
    for size in sizes:
        home = folder / str(size)
        repo = DataRepo(path=str(home / "data"), origin=str(home / "origin.git"), remote=str(home / "remote"))
        accept_many(repo, home, size)
        inspector = Inspector(folder=str(home / "quality"))
        inspector.accepted(repo)  # the index fills itself once; its cost belongs to the drops it indexes
        rounds = [one_drop(repo, inspector, home / f"drop{number}", number) for number in range(ROUNDS)]
        inspected, proposed = (median(each) for each in zip(*rounds, strict=True))
        base = base or inspected + proposed
        yield (
            f"{size:,}",
            f"{inspected * 1000:.0f}",
            f"{proposed * 1000:.0f}",
            f"{(inspected + proposed) / base:.1f}",
        )


def one_drop(repo: DataRepo, inspector: Inspector, folder: Path, number: int) -> tuple[float, float]:
    """Seconds to inspect a drop of 10 new pairs, and to propose it."""
    drop_folder(folder, 10, seed=number + 1, size=(120, 160))
    reports: list[Any] = []
    inspected = seconds(lambda: reports.append(inspector.inspect(folder, f"d{number}", inspector.accepted(repo))))
    rows = reports[0].manifest_rows(f"d{number}", inspector.accepted(repo))
    write_manifest(rows, folder / "manifest.parquet")
    files = {path: folder / path for row in rows for path in (row.image, row.mask)}
    return inspected, seconds(lambda: repo.propose(f"d{number}", files, folder / "manifest.parquet"))


def accept_many(repo: DataRepo, home: Path, size: int) -> None:
    """Make `main` hold `size` pairs in drops of 100, without their pictures, which nothing here reads."""
    home.mkdir(parents=True)
    changed = {".dvc/config": repo._shared_config()}
    with repo._lock(), repo._content() as content:
        git = repo._mirror()
        for name in FOLDERS:
            listing = {f"{index:07}.jpg": md5(f"{name} {index}") for index in range(size)}
            listed = dvc_content.Folder(content._add_listing(listing), 1, size)
            cache = content.repo.cache.local
            content.repo.cloud.get_remote_odb().add(cache.oid_to_path(listed.md5), cache.fs, listed.md5)
            changed[f"{name}.dvc"] = listed.dump(name)
        for start in range(0, size, PER_DROP):
            path = home / "manifest.parquet"
            write_manifest([row(index) for index in range(start, min(start + PER_DROP, size))], path)
            changed[f"manifest/old-{start}.parquet"] = path.read_bytes()
        commit = data_repo._commit(git, None, "data/old", changed)
        git.push(repo._origin, commit, "main", replacing=None)


def row(index: int) -> Pair:
    """A row of the manifest that is near to no other."""
    digest = hashlib.sha256(str(index).encode()).hexdigest()
    return replace(pair(f"{index:07}", image=digest, mask=digest[::-1]), phash=digest[:16])


def md5(text: str) -> str:
    """DVC's name of a content."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


# A tick of the sensor on a bucket


def ticks(url: str, objects: int) -> Iterator[tuple[str, ...]]:
    """Rows of the second table."""
    import dagster as dg

    from wms_sensors.drops import new_drops
    from wms_sensors.horizon import Horizon

    fill(url, objects)
    whole = [seconds(lambda: sum(1 for _ in open_objects(url).entries("drops"))) for _ in range(3)]
    store = Store(url=url, reconcile_seconds=10_000)
    done = Horizon(reconciled=time.time()).after(list(store.names()), [])
    took = []
    with tempfile.TemporaryDirectory() as scratch, dg.DagsterInstance.ephemeral() as instance:
        for number in range(ROUNDS):
            store.put(drop_files(drop_folder(Path(scratch) / str(number), 1, seed=number, size=(64, 64))))
            context = dg.build_sensor_context(instance, cursor=done.model_dump_json(), resources={"store": store})
            found: list[Any] = []
            took.append(seconds(lambda context=context, found=found: found.append(new_drops(context))))
            done = Horizon.read(found[0].cursor)
            assert len(found[0].run_requests) == 1
    yield "a tick, one new drop", f"{median(took) * 1000:.0f}", "1"
    yield f"listing {objects:,} objects", f"{median(whole) * 1000:.0f}", f"{median(whole) / median(took):.0f}"


def fill(url: str, objects: int) -> None:
    """Old drops of 100 files, an hour apart."""
    import boto3

    client = boto3.client("s3")
    bucket = url.removeprefix("s3://")

    def put(index: int) -> None:
        moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(1_600_000_000 + index // PER_DROP * 3600))
        client.put_object(Bucket=bucket, Key=f"drops/{moment}/images/{index % PER_DROP}.jpg", Body=b"x")

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(put, range(objects)):
            pass


def show(title: str, head: Sequence[str], rows: Iterator[tuple[str, ...]]) -> None:
    """Print a table, row by row as it is measured."""
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    for each in rows:
        print(f"| {' | '.join(each)} |", flush=True)


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000, help="old objects in the bucket")
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="accepted pairs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        head = ("accepted pairs", "inspect, ms", "propose, ms", "together, ratio")
        show("A drop of 10 pairs", head, growth(Path(scratch), arguments.pairs))
    with serving() as address:
        os.environ.update(AWS, AWS_ENDPOINT_URL=address)
        show("The drop sensor", ("", "ms", "ratio"), ticks(new_bucket(), arguments.objects))


if __name__ == "__main__":
    main()
