"""What the tests of the store share: one in a folder, in a bucket and below a prefix, and hands to change it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import drop_folder
from wms_resources.drop_folder import drop_files
from wms_resources.objects import open_objects
from wms_resources.store import Store


@dataclass
class Place:
    """A store, and hands to change what lies in it behind its back."""

    store: Store

    def write(self, path: str, content: bytes) -> None:
        open_objects(self.store.url).write(f"drops/{path}", content)

    def remove(self, path: str) -> None:
        open_objects(self.store.url).remove(f"drops/{path}")

    def settled(self, drop_id: str) -> Any:
        """What the drop is once its settle time is over."""
        return self.store.model_copy(update={"settle_seconds": 0}).look(drop_id)


@pytest.fixture(params=["folder", "bucket", "prefix"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return Place(Store(url=str(tmp_path / "store")))
    url = request.getfixturevalue("bucket")
    return Place(Store(url=url if request.param == "bucket" else f"{url}/some/prefix"))


@pytest.fixture
def store(place: Place) -> Store:
    return place.store


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return drop_files(drop_folder(tmp_path / "mine", 3))
