"""Sending a drop: safe to kill at any moment and to start again, and the same content is never sent twice.

`uploads/<version>` notes which drop holds a content, the marker `_UPLOADING` claims an id for one sender, and the
manifest comes last: from then on the drop is ready.
"""

import getpass
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from wms_ml.errors import DropError
from wms_ml.files import sha256_of
from wms_resources.objects import Objects
from wms_resources.readiness import DROPS, MANIFEST, UPLOADING, Drop, NotReady, version_of

_ID: Final = re.compile(r"\w[\w-]*(\.[\w-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upload:
    """One content on its way into the store.

    Attributes:
        objects: where it goes.
        look: whether the drop of an id is ready.
    """

    objects: Objects
    look: Callable[[str], Drop | NotReady]

    def send(self, files: Mapping[str, Path], asked: str | None, on_file: Callable[[], Any] | None) -> str:
        """Bring these files (by their path in the drop) into the store; returns the drop's id.

        Raises:
            DropError: the id asked for is unusable, or taken by other content.
        """
        rows = {name: {"sha256": sha256_of(path), "size": path.stat().st_size} for name, path in files.items()}
        version = version_of(rows)
        earlier, complete = self._earlier(version, asked)
        if complete:
            return earlier
        name = earlier or self._claim(version, asked)
        self.objects.write(f"uploads/{version}", name.encode())
        self.objects.upload({f"{DROPS}/{name}/{path}": source for path, source in files.items()}, on_file)
        manifest = {
            "format": 1,
            "drop": name,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": getpass.getuser(),
            "files": rows,
        }
        self.objects.write(f"{DROPS}/{name}/{MANIFEST}", json.dumps(manifest, indent=1).encode())
        self.objects.remove(f"{DROPS}/{name}/{UPLOADING}")
        return name

    def _earlier(self, version: str, asked: str | None) -> tuple[str, bool]:
        """The drop that this content went to before and whether it arrived; empty when there is none to go on with."""
        name = (self.objects.read(f"uploads/{version}") or b"").decode()
        if not name or asked not in (None, name):
            return "", False
        found = self.look(name)
        if isinstance(found, Drop):
            return (name, True) if found.version == version else ("", False)
        return (name, False) if self._is_mine(name, version) else ("", False)

    def _claim(self, version: str, asked: str | None) -> str:
        """A new id: the one asked for, or the time."""
        if asked is None:
            moment = datetime.now(UTC)
            while not self._mark(f"{moment:%Y%m%d-%H%M%S}", version):
                moment += timedelta(seconds=1)
            return f"{moment:%Y%m%d-%H%M%S}"
        if not _ID.fullmatch(asked):
            raise DropError(f"'{asked}' cannot name a drop: use letters, digits, '-', '_' and single dots")
        # An upload that died before it noted where it goes left its own marker, and may go on.
        if not self._is_mine(asked, version) and not self._mark(asked, version):
            raise DropError(f"drop '{asked}' is there already with other content: choose another id")
        return asked

    def _is_mine(self, drop_id: str, version: str) -> bool:
        return self.objects.read(f"{DROPS}/{drop_id}/{UPLOADING}") == version.encode()

    def _mark(self, drop_id: str, version: str) -> bool:
        """Claim an id, unless anything is there."""
        folder, marker = f"{DROPS}/{drop_id}", f"{DROPS}/{drop_id}/{UPLOADING}"
        if next(iter(self.objects.entries(folder)), None) is not None:
            return False
        if not self.objects.create(marker, version.encode()):
            return False
        if all(entry.path == UPLOADING for entry in self.objects.entries(folder)):
            return True
        self.objects.remove(marker)  # since the first look another sender came, finished and took its marker away
        return False
