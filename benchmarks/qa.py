"""What the data QA costs, against bare decoding and against cleanvision: one run, the same files, ratios.

    python benchmarks/qa.py DROP [--limit N] [--rounds N] [--peer-python PYTHON]

DROP is a folder with images/ and masks/. Every measurement runs in a process of its own, pinned to one core where it
says so; the rounds take turns, and medians are shown. README.md beside this file says what each row is.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

PEER = """
import logging, sys, time
logging.disable(logging.CRITICAL)
from cleanvision import Imagelab
began = time.perf_counter()
lab = Imagelab(data_path=sys.argv[1] + "/images", verbose=False)
lab.find_issues(n_jobs=1, verbose=False)
print("seconds", time.perf_counter() - began)
"""


def bare(drop: Path) -> float:
    """The fastest decoder alone: images as RGB, masks as they are stored."""
    import simplejpeg

    pairs = [(image.read_bytes(), mask.read_bytes()) for image, mask in jpeg_pairs(drop)]
    began = time.perf_counter()
    for image, mask in pairs:
        simplejpeg.decode_jpeg(image)
        simplejpeg.decode_jpeg(mask, "GRAY" if simplejpeg.decode_jpeg_header(mask)[2] == "Gray" else "RGB")
    return time.perf_counter() - began


def jpeg_pairs(drop: Path) -> list[tuple[Path, Path]]:
    """Images that have a mask of the same file name."""
    masks = {path.name: path for path in (drop / "masks").iterdir()}
    return [(path, masks[path.name]) for path in sorted((drop / "images").iterdir()) if path.name in masks]


def rules(drop: Path, workers: int) -> float:
    """The whole check of a drop that nothing is known of, processes started included."""
    from wms_ml.quality.check import Accepted, check_folder
    from wms_ml.quality.worker import Limits

    began = time.perf_counter()
    check_folder(drop, "benchmark", Accepted(), limits=Limits(workers=workers))
    return time.perf_counter() - began


def again(drop: Path) -> float:
    """The whole check of a drop that was checked before."""
    from wms_ml.quality.check import Accepted, check_folder
    from wms_ml.quality.ledger import Ledger

    with TemporaryDirectory() as home:
        ledger = Ledger(Path(home) / "readings.sqlite")
        check_folder(drop, "benchmark", Accepted(), ledger=ledger)
        began = time.perf_counter()
        check_folder(drop, "benchmark", Accepted(), ledger=ledger)
        return time.perf_counter() - began


ROWS: dict[str, tuple[Callable[[Path], float], bool]] = {
    "bare decoding, 1 core": (bare, True),
    "every rule, 1 core": (lambda drop: rules(drop, 1), True),
    "every rule, 2 processes": (lambda drop: rules(drop, 2), False),
    "every rule again, 1 core": (again, True),
}
"""What is measured, and whether on one core."""
PEER_ROW = "cleanvision, images alone, 1 core"


def own_process(row: str, drop: Path) -> float:
    """Seconds that a row of `ROWS` takes, in a new process."""
    return seconds([sys.executable, __file__, str(drop), "--row", row], pinned=ROWS[row][1])


def seconds(command: Sequence[str], pinned: bool) -> float:
    """The seconds that a program reports."""
    core = min(os.sched_getaffinity(0))
    pin = (lambda: os.sched_setaffinity(0, {core})) if pinned else None
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=pin)
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.split("seconds ")[-1])


def measured(drop: Path, rounds: int, peer: str | None) -> dict[str, list[float]]:
    """Seconds of every row in every round; rows take turns, so that a busy moment falls on all of them."""
    taken: dict[str, list[float]] = {row: [] for row in ROWS}
    for _ in range(rounds):
        for row in ROWS:
            taken[row].append(own_process(row, drop))
        if peer:
            taken.setdefault(PEER_ROW, []).append(seconds([peer, "-c", PEER, str(drop)], pinned=True))
    return taken


def peer_python(asked: str | None) -> str | None:
    """An interpreter that has cleanvision, or None after saying why there is none."""
    if asked is None and importlib.util.find_spec("cleanvision"):
        return sys.executable
    if asked and subprocess.run([asked, "-c", "import cleanvision"], capture_output=True, check=False).returncode == 0:
        return asked
    where = f"{asked} cannot import it" if asked else "it is not installed here"
    print(f"without cleanvision: {where}; make an environment with it and name it with --peer-python\n")
    return None


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    for line in (head, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")


def decoding(drop: Path, rounds: int, peer: str | None) -> None:
    """Section: pairs a second of every row, and its ratio to bare decoding."""
    pairs = len(jpeg_pairs(drop))
    taken = measured(drop, rounds, peer)
    rates = {row: pairs / statistics.median(each) for row, each in taken.items()}
    base = rates[next(iter(ROWS))]
    print(f"{pairs} pairs, median of {rounds} rounds (slowest to fastest)\n")
    table(
        ("what", "pairs/s", "range", "times bare decoding"),
        [
            (
                row,
                f"{rate:,.0f}",
                f"{pairs / max(taken[row]):,.0f} to {pairs / min(taken[row]):,.0f}",
                f"{rate / base:.2f}",
            )
            for row, rate in rates.items()
        ],
    )
    if peer:
        print(f"\nevery rule on 1 core is {rates['every rule, 1 core'] / rates[PEER_ROW]:.1f} times cleanvision")


def first(drop: Path, limit: int, folder: Path) -> Path:
    """A copy of the first `limit` pairs below `folder`."""
    for image, mask in jpeg_pairs(drop)[:limit]:
        for source in (image, mask):
            target = folder / source.parent.name / source.name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drop", type=Path, help="folder with images/ and masks/")
    parser.add_argument("--limit", type=int, default=sys.maxsize, help="pairs to use (all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", help="interpreter of an environment with cleanvision")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.row:
        print("seconds", ROWS[asked.row][0](asked.drop))
        return
    with TemporaryDirectory() as folder:
        decoding(first(asked.drop, asked.limit, Path(folder)), asked.rounds, peer_python(asked.peer_python))


if __name__ == "__main__":
    main()
