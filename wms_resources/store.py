"""The object store where people leave drops: a folder on a laptop, S3 in the cloud, one code path.

A drop is `drops/<id>/{images,masks}/`. It belongs to the people: the platform only reads it, and writes what `wms drop`
sends: `uploads/<version>` (which drop holds this content), the files, and `manifest.json` last.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg

from wms_ml.errors import DropChangedError, DropError, StoreError
from wms_ml.files import whole_folder
from wms_resources.landing import lay_out, verify
from wms_resources.objects import Entry, Objects, open_objects
from wms_resources.readiness import DROPS, MANIFEST, Drop, Manifest, NotReady, judge, listing_of
from wms_resources.uploading import Upload


class Store(dg.ConfigurableResource):
    """Drops in an object store. Every method raises StoreError when the store does not answer.

    Attributes:
        url: a folder, or `s3://bucket/prefix`.
        settle_seconds: a drop without a manifest is ready after so long without change.
        reconcile_seconds: how often everything is looked through for what came late.
        own: the folder is the set-up's own and made when missing; otherwise a missing one is an outage.
    """

    url: str
    settle_seconds: int = 60
    reconcile_seconds: int = 300
    own: bool = False

    def names(self, after: str = "", before: str = "") -> Iterator[str]:
        """Ids of the drops between two ids (left out themselves), ready or not, in order; reads no drop."""
        return (name for name in self._objects.folders(DROPS, after, before) if not name.startswith("."))

    def listings(self, after: str = "") -> Iterator[tuple[str, list[Entry]]]:
        """Every drop from behind `after` on with all its entries, in order; files beside the drops have no id."""
        entries = self._objects.entries(DROPS, after)
        for name, found in groupby(entries, key=lambda entry: entry.path.rpartition("/")[0].partition("/")[0]):
            if name.startswith("."):
                continue
            inside = f"{name}/" if name else ""
            yield name, [_renamed(entry, entry.path.removeprefix(inside)) for entry in found]

    def look(self, drop_id: str, entries: Sequence[Entry] | None = None) -> Drop | NotReady:
        """Whether this drop is ready, and as which version; `entries` spare listing it again."""
        if entries is None:
            entries = self._entries(drop_id)
        manifest = self._manifest(drop_id, entries)
        settle = timedelta(seconds=self.settle_seconds)
        return judge(
            drop_id,
            entries if manifest else [entry for entry in entries if entry.path != MANIFEST],
            manifest,
            datetime.now(UTC),
            settle,
            partial(self._sha256, drop_id),
        )

    def drop(self, drop_id: str, version: str = "") -> Drop:
        """The drop of this id, in this version if one is named.

        Raises:
            DropError: there is none, or it is still being copied.
            DropChangedError: it is another version by now.
        """
        if "/" in drop_id or drop_id in ("", ".", ".."):
            raise DropError(f"'{drop_id}' is no id of a drop: give the name of its folder in {self.url}/{DROPS}")
        found = self.look(drop_id)
        if version and (isinstance(found, NotReady) or found.version != version):
            raise _changed(drop_id, version, found)
        if isinstance(found, NotReady):
            known = ", ".join(list(self.names())[-3:]) or "none"
            raise DropError(f"no ready drop '{drop_id}' in {self.url}/{DROPS}: {found.reason} (there are: {known})")
        return found

    def newest(self) -> Drop:
        """The ready drop that changed last.

        Raises:
            DropError: there is none.
        """
        changed = {name: max(entry.changed for entry in found) for name, found in self.listings() if name}
        for name in sorted(changed, key=lambda each: changed[each], reverse=True):
            found = self.look(name)
            if isinstance(found, Drop):
                return found
        raise DropError(f"no ready drop in {self.url}/{DROPS} yet: `wms drop DIR`, with images/ and masks/ in DIR")

    def put(
        self, files: Mapping[str, Path], drop_id: str | None = None, on_file: Callable[[], Any] | None = None
    ) -> Drop:
        """Copy files (by their path in the drop, see `drop_files`) into the store as one drop, its manifest last.

        The same content dropped again is the same drop, and an upload that broke off goes on. `on_file` is called
        after each file.

        Raises:
            DropError: a drop of that id is there with other content.
        """
        return self.drop(Upload(self._objects, self.look).send(files, drop_id, on_file))

    def fetch(self, drop: Drop, staging: Path) -> Path:
        """An unchanging local copy of a drop, at `staging/<id>-<version>`; there whole or not at all.

        Of entries beside images/ and masks/ only the names are kept: nothing reads them.

        Raises:
            DropChangedError: the drop is another version by now.
            DropError: a file is missing, is not what the drop's manifest says, or has a path that cannot be kept.
        """
        target = staging / f"{drop.drop_id}-{drop.version}"
        if target.exists():
            return target
        entries = self._same(drop)
        with whole_folder(target) as part:
            wanted = lay_out(drop.drop_id, entries, part)
            try:
                self._objects.download({f"{DROPS}/{drop.drop_id}/{path}": place for path, place in wanted.items()})
            except StoreError:
                self._same(drop)  # a file that vanished is another version, no outage
                raise
            self._same(drop)
            manifest = self._manifest(drop.drop_id, entries)
            if manifest:
                verify(drop.drop_id, entries, manifest, part, partial(self._sha256, drop.drop_id))
        return target

    @property
    def _objects(self) -> Objects:
        if self.own:
            Path(self.url).mkdir(parents=True, exist_ok=True)
        return open_objects(self.url)

    def _entries(self, drop_id: str) -> list[Entry]:
        return list(self._objects.entries(f"{DROPS}/{drop_id}"))

    def _manifest(self, drop_id: str, entries: Sequence[Entry]) -> Manifest | None:
        if not any(entry.path == MANIFEST for entry in entries):
            return None
        content = self._objects.read(f"{DROPS}/{drop_id}/{MANIFEST}")
        return None if content is None else Manifest.parse(content)

    def _same(self, drop: Drop) -> list[Entry]:
        """The drop's entries, as long as they are those of this version."""
        entries = self._entries(drop.drop_id)
        if drop.listing != listing_of(entries):
            found = self.look(drop.drop_id, entries)
            if not isinstance(found, Drop) or found.version != drop.version:
                raise _changed(drop.drop_id, drop.version, found)
        return entries

    def _sha256(self, drop_id: str, path: str) -> str:
        content = self._objects.read(f"{DROPS}/{drop_id}/{path}")
        if content is None:
            raise StoreError(
                f"{self.url}/{DROPS}/{drop_id}/{path} vanished while it was read: somebody is at it, try again"
            )
        return hashlib.sha256(content).hexdigest()


def _changed(drop_id: str, version: str, found: Drop | NotReady) -> DropChangedError:
    now = found.version if isinstance(found, Drop) else found.reason
    return DropChangedError(
        f"drop {drop_id} is not version {version} any more (now: {now}): the newer version gets a run of its own"
    )


def _renamed(entry: Entry, path: str) -> Entry:
    return Entry(path, entry.size, entry.changed, entry.tag, entry.link)
