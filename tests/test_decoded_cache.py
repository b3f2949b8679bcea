"""The decoded cache: what the network sees of each pair, made once, by any number of processes, killed or not."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.builders import drop_folder
from tests.data_world import dying_at, end, start
from wms_ml.arrays import network_input, network_mask, read_image, read_mask
from wms_ml.cache import DecodedCache
from wms_ml.dataset import load_dataset
from wms_ml.errors import DataError
from wms_ml.pairs import Pair

SIZE = 32


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drop_folder(tmp_path_factory.mktemp("data"), 12, size=(64, 96))


@pytest.fixture(scope="module")
def pairs(data: Path) -> list[Pair]:
    return load_dataset(data)


@pytest.fixture
def cache(data: Path, tmp_path: Path) -> DecodedCache:
    return DecodedCache(tmp_path / "cache", data, SIZE)


def files(tmp_path: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}


def assert_right(cache: DecodedCache, data: Path, pairs: list[Pair]) -> None:
    pictures, masks = cache.side(pairs).gather(range(len(pairs)))
    for index, pair in enumerate(pairs):
        assert np.array_equal(pictures[index], network_input(read_image(data / pair.image), SIZE))
        assert np.array_equal(masks[index], network_mask(read_mask(data / pair.mask), SIZE))


def test_it_holds_what_serving_would_see(cache: DecodedCache, data: Path, pairs: list[Pair]) -> None:
    cache.fill(pairs)
    assert_right(cache, data, pairs)
    pictures, _ = cache.side(pairs).gather([3, 1])
    assert np.array_equal(pictures[1], network_input(read_image(data / pairs[1].image), SIZE))


def test_only_what_is_new_is_decoded(cache: DecodedCache, pairs: list[Pair], tmp_path: Path) -> None:
    cache.fill(pairs[:8])
    before, told = files(tmp_path), []
    cache.fill(pairs, lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert before.items() <= files(tmp_path).items()


def test_another_size_is_another_entry(cache: DecodedCache, data: Path, pairs: list[Pair], tmp_path: Path) -> None:
    cache.fill(pairs)
    DecodedCache(tmp_path / "cache", data, 64).fill(pairs)
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 2 * len(pairs)
    assert_right(cache, data, pairs)


def test_several_processes_fill_it_at_once(cache: DecodedCache, data: Path, pairs: list[Pair], tmp_path: Path) -> None:
    children = [start(lambda: cache.fill(pairs)) for _ in range(4)]
    assert [end(child) for child in children] == [0] * 4
    assert len(files(tmp_path)) == len(pairs)
    assert_right(cache, data, pairs)


@pytest.mark.parametrize("step", range(0, 12, 3))
def test_what_a_killed_process_left_is_never_read(
    cache: DecodedCache, data: Path, pairs: list[Pair], step: int
) -> None:
    assert end(start(dying_at(step, {"os.rename"}, lambda: cache.fill(pairs)))) == -signal.SIGKILL
    cache.fill(pairs)
    assert_right(cache, data, pairs)


def test_a_torn_file_is_made_again(cache: DecodedCache, data: Path, pairs: list[Pair], tmp_path: Path) -> None:
    cache.fill(pairs)
    os.truncate(next((tmp_path / "cache").rglob("*.npy")), 1000)
    cache.fill(pairs)
    assert_right(cache, data, pairs)


def test_a_changed_picture_is_never_trained_on(data: Path, pairs: list[Pair], tmp_path: Path) -> None:
    victim = tmp_path / "data"
    (victim / "images").mkdir(parents=True)
    (victim / "masks").mkdir()
    (victim / pairs[0].image).write_bytes(b"other content")
    with pytest.raises(DataError, match="not the content its manifest names"):
        DecodedCache(tmp_path / "cache", victim, SIZE).fill(pairs[:1])
    assert files(tmp_path) == {}


def test_a_missing_picture_is_named(data: Path, pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{pairs[0].image} is in the manifest but not in the data set"):
        DecodedCache(tmp_path / "cache", tmp_path, SIZE).fill(pairs[:1])
