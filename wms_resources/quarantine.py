"""Pairs that were set aside: their files, why, and the way back. Nothing here is ever deleted.

A drop's pairs lie in `<folder>/<drop>-<version>/{images,masks}/` beside `why.json`. Released ones are noted in
`released.json`: they were handed in again as a drop of their own, and pass the same checks.
"""

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import dagster as dg

from wms_ml.errors import DropError
from wms_ml.files import whole_folder, write_whole
from wms_ml.quality.report import Report

_WHY = "why.json"
_RELEASED = "released.json"


@dataclass(frozen=True, slots=True)
class SetAside:
    """A pair, half a pair or a stray file that was set aside.

    Attributes:
        batch: the drop and version it came with, as the commands name it.
        name: the pair's name, or a stray file's path.
        files: its files' paths below the batch's folder; none when a file could not be kept, such as a link.
        reasons: what is wrong, and the remedy; a sentence each.
        released: id of the drop that it was handed in again with; empty while it is set aside.
    """

    batch: str
    name: str
    files: tuple[str, ...]
    reasons: tuple[str, ...]
    released: str = ""


class Quarantine(dg.ConfigurableResource):
    """What was set aside in this set-up.

    Attributes:
        folder: where it lies.
    """

    folder: str

    def keep(self, batch: str, report: Report, source: Path) -> Path | None:
        """Copy what a report sets aside out of the drop in `source`; doing it again changes nothing.

        Returns:
            the batch's folder; None when nothing is set aside.
        """
        names = [*report.set_aside, *report.set_aside_strays]
        if not names:
            return None
        target = Path(self.folder) / re.sub(r"[^\w.-]", "-", batch, flags=re.ASCII)
        if target.exists():
            return target
        with whole_folder(target) as part:
            rows = [_kept(target.name, name, report, source, part) for name in names]
            (part / _WHY).write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
        return target

    def entries(self) -> list[SetAside]:
        """Everything that was ever set aside, oldest drop first.

        Raises:
            DropError: a batch's `why.json` is damaged.
        """
        folders = sorted(Path(self.folder).glob(f"*/{_WHY}"))
        return [entry for path in folders for entry in self._read(path.parent)]

    def waiting(self, batch: str, names: Iterable[str] = ()) -> list[SetAside]:
        """Pairs of a batch that are still set aside and whose files are there: these names, or all of them.

        Raises:
            DropError: there is no such batch, or nothing of that name waits in it.
        """
        found = [entry for entry in self.entries() if entry.batch == batch]
        if not found:
            known = ", ".join(sorted({entry.batch for entry in self.entries()})) or "nothing"
            raise DropError(f"nothing was set aside as '{batch}'; set aside is {known} (`wms quarantine list`)")
        wanted = list(names) or [entry.name for entry in found if entry.files and not entry.released]
        waiting = {entry.name: entry for entry in found if entry.files and not entry.released}
        absent = [name for name in wanted if name not in waiting]
        if absent or not wanted:
            what = f"'{absent[0]}'" if absent else "a pair"
            raise DropError(f"{what} does not wait in '{batch}': released already, or its files could not be kept")
        return [waiting[name] for name in wanted]

    def files_of(self, entries: Iterable[SetAside]) -> dict[str, Path]:
        """Files of set-aside pairs by their path in a drop."""
        return {path: Path(self.folder) / entry.batch / path for entry in entries for path in entry.files}

    def note_release(self, entries: Iterable[SetAside], drop_id: str) -> None:
        """Note that these were handed in again with drop `drop_id`."""
        for batch in {entry.batch for entry in entries}:
            path = Path(self.folder) / batch / _RELEASED
            noted = json.loads(path.read_text()) if path.exists() else {}
            noted |= {entry.name: drop_id for entry in entries if entry.batch == batch}
            write_whole(path, json.dumps(noted, indent=1))

    def _read(self, folder: Path) -> list[SetAside]:
        noted = folder / _RELEASED
        try:
            released = json.loads(noted.read_text()) if noted.exists() else {}
            rows = json.loads((folder / _WHY).read_text(encoding="utf-8"))
            return [
                SetAside(
                    row["batch"],
                    row["name"],
                    tuple(row["files"]),
                    tuple(row["reasons"]),
                    released.get(row["name"], ""),
                )
                for row in rows
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DropError(
                f"{folder} is damaged ({error!r}): its pictures are still there, drop them again"
            ) from error


def _kept(batch: str, name: str, report: Report, source: Path, target: Path) -> SetAside:
    """Copy the files of one pair or stray."""
    found = [
        finding
        for finding in report.errors
        if any(path == name or PurePosixPath(path).stem == name for path in finding.files)
    ]
    paths = {
        f"{folder.name}/{path.name}"
        for folder in (source / "images", source / "masks")
        for path in folder.iterdir()
        if name in (path.stem, f"{folder.name}/{path.name}") and path.is_file() and not path.is_symlink()
    }
    for path in paths:
        (target / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(source / path, target / path)
    reasons = tuple(f"{finding.message}. {finding.remedy}." for finding in found)
    return SetAside(batch, name, tuple(sorted(paths)), reasons)
