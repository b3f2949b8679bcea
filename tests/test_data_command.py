"""`wms data`: what people see of data versions."""

import json
from pathlib import Path

import pytest

from tests.builders import pair
from tests.data_world import contents
from tests.rig import Platform
from wms_ml.pairs import data_version, write_manifest
from wms_resources.data_repo import DataRepo, DataVersion


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path / "home")


def proposed(platform: Platform, drop: str, *names: str) -> tuple[DataRepo, DataVersion]:
    """A drop of pairs with these names, on its branch."""
    home = platform.home
    repo = DataRepo(
        path=str(home / "data-repo"), origin=str(home / "code-host/data.git"), remote=str(home / "dvc-remote")
    )
    files = {f"{folder}/{name}.{kind}": home / name for name in names for folder, kind in _KINDS.items()}
    home.mkdir(exist_ok=True)
    for name in names:
        (home / name).write_text(name)
    write_manifest([pair(name, drop=drop) for name in names], home / "manifest.parquet")
    return repo, repo.propose(drop, files, home / "manifest.parquet")


_KINDS = {"images": "jpg", "masks": "png"}


def test_the_list_says_what_was_accepted_and_what_waits(platform: Platform) -> None:
    repo, first = proposed(platform, "first", "a", "b")
    repo.accept(first)
    proposed(platform, "second", "c")
    told = json.loads(platform.wms("data", "list", "--json").stdout)
    assert [(each["state"], each["pairs"], each["branches"]) for each in told] == [
        ("proposed", 3, ["data/second"]),
        ("accepted", 2, ["data/first", "main"]),
    ]
    assert told[1]["data_version"] == data_version([pair("a"), pair("b")])
    assert (told[1]["commit"], told[1]["images_md5"]) == (first.commit, first.images_md5)


def test_a_checkout_says_what_it_wrote_and_where(platform: Platform, tmp_path: Path) -> None:
    repo, first = proposed(platform, "first", "a", "b")
    repo.accept(first)
    done = platform.wms("data", "checkout", "main", "--out", str(tmp_path / "out"))
    assert done.stdout.strip() == str(tmp_path / "out")
    assert "2 pairs (1 train, 0 validation, 1 test)" in done.stderr
    assert data_version([pair("a"), pair("b")]) in done.stderr
    assert set(contents(tmp_path / "out")) == {
        *("images/a.jpg", "images/b.jpg", "masks/a.png", "masks/b.png"),
        "manifest.parquet",
    }


def test_a_folder_in_use_is_refused_in_one_sentence(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    said = platform.wms("data", "checkout", "main", "--out", str(tmp_path / "mine"), expect=1).stderr
    assert "mine is taken: give --out a new or empty folder" in said
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_place_that_cannot_be_written_to_is_named(platform: Platform, tmp_path: Path) -> None:
    proposed(platform, "first", "a")
    (tmp_path / "file").touch()
    said = platform.wms("data", "checkout", "data/first", "--out", str(tmp_path / "file/out"), expect=1).stderr
    assert "file/out cannot be made" in said


def test_an_unknown_version_is_refused_in_one_sentence(platform: Platform) -> None:
    assert "no data version nope: it holds no data yet" in platform.wms("data", "checkout", "nope", expect=1).stderr
