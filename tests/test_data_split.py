"""The sides of a drop's pairs, from the pictures to the data repository: look-alikes stay together."""

from pathlib import Path
from typing import ClassVar

import pytest

from tests.quality_folder import Folder, encoded, photo, window
from tests.test_dataset_assets import Setup
from wms_ml.dataset import load_dataset
from wms_ml.errors import DataRepoError
from wms_ml.files import sha256_of
from wms_ml.pairs import write_manifest
from wms_ml.split import TEST, TRAIN, side
from wms_resources.data_repo import DataRepo, DataVersion, MainMovedError
from wms_resources.drop_folder import drop_files
from wms_resources.manifests import pairs_at


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path / "home")


def look_alikes(folder: Path) -> tuple[Folder, Folder]:
    """A test picture in a drop of its own, and in another the same saved again, that alone would train."""
    for seed in range(1000):
        for quality in (60, 70, 80):
            original, copy = encoded(photo(seed), "JPEG", quality=90), encoded(photo(seed), "JPEG", quality=quality)
            (folder / "original").write_bytes(original)
            (folder / "copy").write_bytes(copy)
            if [side(sha256_of(folder / name)) for name in ("original", "copy")] == [TEST, TRAIN]:
                drops = Folder(folder / "first"), Folder(folder / "second")
                for number, (drop, content) in enumerate(zip(drops, (original, copy), strict=True)):
                    drop.put(f"images/p{number}.jpg", content)
                    drop.put(f"masks/p{number}.png", window(number))
                return drops
    raise AssertionError("no such pictures")


def sides(repo: DataRepo, rev: str) -> dict[str, str]:
    return {pair.name: pair.split for pair in pairs_at(repo, rev)}


def test_a_test_picture_that_is_saved_again_and_dropped_again_does_not_train(setup: Setup, tmp_path: Path) -> None:
    for name, drop in zip(("first", "second"), look_alikes(tmp_path), strict=True):
        setup.store.put(drop_files(drop.path), name)
        setup.accept(setup.run(name))
    assert sides(setup.repo, "main") == {"p0": TEST, "p1": TEST}


def test_look_alikes_in_a_folder_without_a_manifest_stand_on_one_side(tmp_path: Path) -> None:
    first, second = look_alikes(tmp_path)
    for path in drop_files(second.path):
        first.put(path, (second.path / path).read_bytes())
    assert len({pair.split for pair in load_dataset(first.path)}) == 1


class Overtaken(DataRepo):
    """A data repository in which another run's drop is accepted right before something is proposed."""

    winners: ClassVar[list[tuple[DataRepo, DataVersion]]] = []

    def propose(self, *arguments: object, **named: object) -> DataVersion:
        while self.winners:
            repo, version = self.winners.pop()
            repo.accept(version)
        return super().propose(*arguments, **named)


def test_a_drop_that_is_overtaken_takes_its_sides_from_what_was_accepted_meanwhile(
    setup: Setup, tmp_path: Path
) -> None:
    for name, drop in zip(("first", "second"), look_alikes(tmp_path), strict=True):
        setup.store.put(drop_files(drop.path), name)
    done = setup.run("first").output_for_node("validated_dataset")
    Overtaken.winners.append((setup.repo, DataVersion(done.branch, done.commit, done.images_md5, done.masks_md5)))
    setup.repo = Overtaken(path=setup.repo.path, origin=setup.repo.origin, remote=setup.repo.remote)
    second = setup.run("second")
    assert Overtaken.winners == []
    assert sides(setup.repo, second.output_for_node("validated_dataset").commit) == {"p0": TEST, "p1": TEST}
    setup.accept(second)


def test_of_two_drops_proposed_for_the_same_data_only_one_is_accepted_as_it_is(setup: Setup, tmp_path: Path) -> None:
    for name, drop in zip(("first", "second"), look_alikes(tmp_path), strict=True):
        setup.store.put(drop_files(drop.path), name)
    first, second = setup.run("first"), setup.run("second")
    assert sides(setup.repo, "data/second") == {"p1": TRAIN}
    setup.accept(first)
    with pytest.raises(DataRepoError, match="propose again"):
        setup.accept(second)
    setup.accept(setup.run("second"))
    assert sides(setup.repo, "main") == {"p0": TEST, "p1": TEST}


@pytest.mark.parametrize("onto", [None, "0" * 40])
def test_a_proposal_made_for_other_data_is_refused(setup: Setup, tmp_path: Path, onto: str | None) -> None:
    write_manifest([], tmp_path / "manifest.parquet")
    setup.repo.accept(setup.repo.propose("first", {}, tmp_path / "manifest.parquet", onto=None))
    with pytest.raises(MainMovedError, match="main took other data while data/second was made ready"):
        setup.repo.propose("second", {}, tmp_path / "manifest.parquet", onto=onto)
    accepted = setup.repo.accepted()
    assert accepted
    assert setup.repo.propose("second", {}, tmp_path / "manifest.parquet", onto=accepted.commit)
