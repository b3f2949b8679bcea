"""Landing a drop: from its listing to files in a folder of this machine, checked against what its manifest says."""

from collections.abc import Callable, Sequence
from pathlib import Path

from wms_ml.errors import DropError
from wms_ml.files import sha256_of
from wms_resources.drop_folder import FOLDERS
from wms_resources.objects import Entry
from wms_resources.readiness import MANIFEST, Manifest, content_of

_NAME_BYTES = 255


def lay_out(drop_id: str, entries: Sequence[Entry], folder: Path) -> dict[str, Path]:
    """Make the folders of a drop below `folder`; returns where each of its files belongs.

    Of entries beside images/ and masks/ empty files are made: their names are reported, nothing reads them.

    Raises:
        DropError: a path leads elsewhere or cannot be a file here.
    """
    for name in FOLDERS:
        (folder / name).mkdir()
    wanted = {}
    for entry in content_of(entries):
        place = folder.joinpath(*_safe(drop_id, entry.path))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(exist_ok=False)
        except OSError as error:
            raise DropError(f"drop {drop_id}: {entry.path} cannot be a file ({error.strerror}): rename it") from error
        if entry.path.split("/")[0] in FOLDERS:
            place.unlink()
            wanted[entry.path] = place
    return wanted


def _safe(drop_id: str, path: str) -> tuple[str, ...]:
    """The parts of a path that stays inside its drop: a bucket's keys may say anything."""
    parts = tuple(path.split("/"))
    if {"", ".", ".."} & set(parts) or "\0" in path:
        raise DropError(f"drop {drop_id}: the file {path!r} has a path that leads elsewhere: rename or remove it")
    if any(len(part.encode(errors="surrogateescape")) > _NAME_BYTES for part in parts):
        raise DropError(f"drop {drop_id}: the name {path[:60]!r}… is longer than {_NAME_BYTES} bytes: rename it")
    return parts


def verify(
    drop_id: str, entries: Sequence[Entry], manifest: Manifest, folder: Path, stored: Callable[[str], str]
) -> None:
    """Hold a landed drop against its manifest; files that people changed after it may differ.

    `stored` (path in the drop to hex digest) is asked about a file that differs and was changed in the manifest's own
    second, which is all that S3 tells: it has to have arrived as it is there.

    Raises:
        DropError: a file is missing or damaged, or the manifest is no manifest.
    """
    where = f"drops/{drop_id}/{MANIFEST}"
    if manifest.fault:
        raise DropError(f"{where} {manifest.fault}: remove it if the files beside it are complete, or drop them again")
    found = {entry.path: entry for entry in entries}
    for path, row in manifest.files.items():
        if path not in found:
            raise DropError(
                f"drop {drop_id}: {path} is in its manifest but missing. Send the drop again, or remove {where} if the "
                "file was taken out on purpose"
            )
        entry, last = found[path], found[MANIFEST].changed
        if entry.changed > last or path.split("/")[0] not in FOLDERS:
            continue
        landed = "" if entry.link else sha256_of(folder / path)
        if landed != row["sha256"] and (entry.changed < last or landed != stored(path)):
            raise DropError(
                f"drop {drop_id}: {path} is not what its manifest says, though nobody changed it: send the drop again"
            )
