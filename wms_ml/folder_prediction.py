"""A folder of pictures predicted on all cores, again only where a picture, the model or this code has changed.

Each thread takes a picture from its bytes to its files, the model included: decoding, inference and drawing of several
pictures overlap, and no core waits for another. Memory holds the pictures at work, names, and a row at a time.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wms_ml.folder_desk import Desk, Done, Model, Task, Wish
from wms_ml.folder_output import OutputFolder
from wms_ml.folder_page import PAGE, Page
from wms_ml.folder_pictures import Picture
from wms_ml.folder_results import Results, Row
from wms_ml.folder_tables import CSV, JSON_LINES, Tables
from wms_ml.predictor import Predictor


@dataclass(slots=True)
class Tally:
    """How many pictures were predicted now, and kept from before; and how many of both have an error."""

    predicted: int = 0
    kept: int = 0
    failed: int = 0

    def add(self, done: Done) -> None:
        """Count one."""
        self.predicted += done.fresh
        self.kept += not done.fresh
        self.failed += bool(done.row.error)


def predict_folder(
    pictures: Sequence[Picture],
    root: Path,
    model: Model,
    out: Path,
    wish: Wish,
    say: Callable[[str], None],
    on_row: Callable[[Row], None],
) -> Tally:
    """Predict pictures that lie below `root` into `out`, and write the tables of them and a page to look them over.

    A call that was cut off is gone on with by the next one, and ends as if nothing had happened.

    Args:
        say: is told in a sentence what people should know before the long work.
        on_row: is given each picture's row, in the order of `pictures`.

    Raises:
        DataError: `out` is taken, in use, full or another folder's, or the model is none of ours.
    """
    cores = _cores()
    workers = min(cores, len(pictures))
    predictor = Predictor(model.path, threads=cores // workers, at_once=workers)
    with OutputFolder(out).claimed() as folder, Results.opened(out, root, wish.again) as results:
        if others := results.of_other_models(model.digest):
            say(f"{out} holds {others} pictures as another model saw them: this one predicts them again")
        tally = Tally()
        tasks = (Task(picture, *(results.find(picture.name) or ())) for picture in pictures)
        desk = Desk(predictor, model, folder, wish)
        with closing(overlapping(desk.do, tasks, workers)) as finished:
            for done in finished:
                if done.fresh:
                    results.put(done.key, done.row)
                tally.add(done)
                on_row(done.row)
        _sum_up(folder, results.rows(pictures))
    return tally


def _cores() -> int:
    """Cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def overlapping(do: Callable[[Task], Done], tasks: Iterable[Task], workers: int) -> Generator[Done, None, None]:
    """What is done of the tasks, in their order; few of them are begun and not yet taken, however many there are."""
    begun: deque[Future[Done]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for task in tasks:
                begun.append(pool.submit(do, task))
                if len(begun) > 2 * workers:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _sum_up(folder: OutputFolder, rows: Iterable[Row]) -> None:
    """Write the tables and the page of these rows."""
    page = Page()
    with (
        folder.writing(CSV) as table,
        folder.writing(JSON_LINES) as lines,
        table.open("w", newline="", encoding="utf-8") as csv,
        lines.open("w", encoding="utf-8") as json,
    ):
        tables = Tables(csv, json)
        for row in rows:
            tables.write(row)
            page.add(row)
    with folder.writing(PAGE) as part:
        part.write_text(page.html(), encoding="utf-8")
