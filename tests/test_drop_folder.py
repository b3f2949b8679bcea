"""A folder on somebody's machine as a drop: what travels, and what is refused before anything is copied."""

from pathlib import Path

import pytest

from tests.builders import drop_folder
from wms_ml.errors import DropError, EmptyDropError
from wms_resources.drop_folder import drop_files, first_pairs


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return drop_files(drop_folder(tmp_path / "mine", 3))


def test_what_is_not_a_drop_is_refused_before_anything_is_copied(tmp_path: Path) -> None:
    with pytest.raises(DropError, match="no folder"):
        drop_files(tmp_path / "nowhere")
    with pytest.raises(DropError, match=r"images/ and a folder masks/"):
        drop_files(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(EmptyDropError, match="is empty"):
        drop_files(tmp_path)


def test_a_limit_takes_whole_pairs_in_order_of_name(files: dict[str, Path]) -> None:
    limited = first_pairs(files, 2)
    assert {Path(path).stem for path in limited} == set(sorted({Path(path).stem for path in files})[:2])


def test_a_link_cannot_travel(tmp_path: Path) -> None:
    folder = drop_folder(tmp_path / "mine", 1)
    (folder / "images" / "a.jpg").symlink_to(folder / "masks")
    with pytest.raises(DropError, match=r"images/a\.jpg is a link"):
        drop_files(folder)


def test_a_name_that_breaks_terminals_cannot_travel(tmp_path: Path) -> None:
    folder = drop_folder(tmp_path / "mine", 1)
    (folder / "images" / "a\n.jpg").write_bytes(b"x")
    with pytest.raises(DropError, match=r"a\\x0a\.jpg: the name"):
        drop_files(folder)


def test_what_is_no_picture_travels_and_what_desktops_leave_behind_does_not(tmp_path: Path) -> None:
    folder = drop_folder(tmp_path / "mine", 1)
    (folder / "images" / "deep").mkdir()
    for name in (".hidden.jpg", "notes.txt", "deep/a.jpg", ".DS_Store", "._a.jpg"):
        (folder / "images" / name).write_bytes(b"x")
    odd = {path for path in drop_files(folder) if "meter" not in path}
    assert odd == {"images/.hidden.jpg", "images/notes.txt", "images/deep/a.jpg"}
