"""When a drop is ready, and which version of it that is: judged from its listing, without reading its pictures.

`manifest.json` comes last and says so: a listing that agrees with it is complete. Anything else (copied by hand, or
changed since its manifest) is complete when nothing in it has changed for a settle time.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from wms_resources.objects import Entry

DROPS: Final = "drops"
MANIFEST: Final = "manifest.json"
UPLOADING: Final = "_UPLOADING"
"""Marks a drop that `wms drop` is still copying. A manifest overrules it, for that comes last: one left beside it is of
an upload that was killed before its last step."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A ready drop.

    Attributes:
        drop_id: its folder's name.
        version: 12 hex digits; other content is another version.
        listing: 12 hex digits over its listing; as long as they stay, so does the version.
        created: when it was complete, ISO 8601 in UTC.
        by: who dropped it; empty when nobody can tell.
    """

    drop_id: str
    version: str
    listing: str = ""
    created: str = ""
    by: str = ""

    @property
    def key(self) -> str:
        """What makes a run for this drop unique."""
        return f"{self.drop_id}:{self.version}"


@dataclass(frozen=True, slots=True)
class NotReady:
    """A drop that has to wait, and what for.

    Attributes:
        drop_id: its folder's name.
        reason: for people, such as `changed 12 s ago`.
    """

    drop_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` says.

    Attributes:
        files: path to size and sha256; empty when it is damaged.
        created: when it was written, ISO 8601 in UTC.
        by: who dropped it.
        fault: why it cannot be used; empty when it can.
    """

    files: dict[str, dict[str, Any]]
    created: str = ""
    by: str = ""
    fault: str = ""

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """Read it; a damaged one is a value too, so that it blocks no other drop."""
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            return cls({}, fault=f"is not JSON ({error})")
        files = value.get("files") if isinstance(value, dict) else None
        if not isinstance(files, dict) or not all(_is_row(row) for row in files.values()):
            return cls({}, fault="has no list of files with size and sha256")
        return cls(files, str(value.get("created", "")), str(value.get("by", "")))

    def agrees(self, entries: Sequence[Entry], sha256_of: Callable[[str], str]) -> bool:
        """Whether a listing holds what this names and nothing that came or changed later."""
        last = next(entry.changed for entry in entries if entry.path == MANIFEST)
        content = content_of(entries)
        if self.fault or any(entry.changed > last for entry in content):
            return False
        if {entry.path: entry.size for entry in content} != {path: row["size"] for path, row in self.files.items()}:
            return False
        # S3 tells whole seconds: a file of the manifest's own second may have been overwritten after it.
        doubtful = (entry.path for entry in content if entry.changed == last)
        return all(sha256_of(path) == self.files[path]["sha256"] for path in doubtful)


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("size"), int) and isinstance(value.get("sha256"), str)


def judge(
    drop_id: str,
    entries: Sequence[Entry],
    manifest: Manifest | None,
    now: datetime,
    settle: timedelta,
    sha256_of: Callable[[str], str],
) -> Drop | NotReady:
    """Whether the drop of these entries is ready, and as what.

    `sha256_of` (path in the drop to hex digest) is asked only about files that may have been touched after the
    manifest: the same bytes written again are the same version.
    """
    content = content_of(entries)
    if not content:
        return NotReady(drop_id, "empty so far")
    if manifest and manifest.agrees(entries, sha256_of):
        return Drop(drop_id, version_of(manifest.files), listing_of(entries), manifest.created, manifest.by)
    if (manifest is None or manifest.fault) and any(entry.path == UPLOADING for entry in entries):
        return NotReady(drop_id, "an upload is under way, or broke off: send it again with `wms drop`")
    last = max(entry.changed for entry in entries)
    if now - last < settle:
        return NotReady(drop_id, f"changed {max(0, (now - last).total_seconds()):.0f} s ago")
    if manifest is None or manifest.fault:
        return Drop(drop_id, listing_of(entries), listing_of(entries), last.isoformat())
    version = version_of(_contents(entries, manifest, sha256_of))
    return Drop(drop_id, version, listing_of(entries), last.isoformat(), manifest.by)


def content_of(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that people brought: all but the two that this platform writes."""
    return [entry for entry in entries if entry.path not in (MANIFEST, UPLOADING)]


def version_of(files: dict[str, dict[str, Any]]) -> str:
    """Version of these contents (path to size and sha256)."""
    return _short({path: [row["size"], row["sha256"]] for path, row in files.items()})


def listing_of(entries: Sequence[Entry]) -> str:
    """What changes whenever a file is added, removed or written; the upload's marker does not count."""
    return _short({entry.path: [entry.size, entry.tag] for entry in entries if entry.path != UPLOADING})


def _contents(
    entries: Sequence[Entry], manifest: Manifest, sha256_of: Callable[[str], str]
) -> dict[str, dict[str, Any]]:
    written = next(entry.changed for entry in entries if entry.path == MANIFEST)
    found: dict[str, dict[str, Any]] = {}
    for entry in content_of(entries):
        row = manifest.files.get(entry.path)
        same = row is not None and row["size"] == entry.size and entry.changed < written
        found[entry.path] = row if same and row else {"size": entry.size, "sha256": sha256_of(entry.path)}
    return found


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
