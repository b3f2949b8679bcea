"""The index over manifests: it answers as a plain search would, and it is only an index."""

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import pair
from wms_ml.catalogue import Accepted, Catalogue
from wms_ml.errors import DataError
from wms_ml.hamming import close_pairs, distance
from wms_ml.pairs import Pair
from wms_ml.profile import MEASURES, Profile

NAMES = ["a", "B", "caf\u00e9"]


@pytest.fixture(params=["in memory", "in a file"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Catalogue:
    return Catalogue(None if request.param == "in memory" else tmp_path / "deep" / "catalogue.sqlite")


def many(count: int, start: int = 0) -> list[Pair]:
    """Pairs whose hashes lie close to one of five, as pictures of few kinds of meter do."""
    chance = random.Random(start)
    kinds = [chance.getrandbits(64) for _ in range(5)]
    return [replace(pair(f"n{start + i}"), phash=f"{_flipped(chance, kinds[i % 5]):016x}") for i in range(count)]


def _flipped(chance: random.Random, bits: int) -> int:
    for bit in chance.sample(range(64), chance.randrange(8)):
        bits ^= 1 << bit
    return bits


def test_pairs_are_found_by_name_spelling_and_content(catalogue: Catalogue) -> None:
    rows = [pair(name, mask=str(number) * 64) for number, name in enumerate(NAMES)]
    catalogue.add("m", rows)
    accepted = catalogue.at({"m"})
    assert len(accepted) == 3
    assert accepted.named(["a", "b", "x"]) == {"a": rows[0]}
    assert accepted.spelled(["b", "CAFE\u0301"]) == {"b": [rows[1]], "caf\u00e9": [rows[2]]}
    assert accepted.holding([rows[0].image_sha256, "2" * 64]) == [rows[0], rows[2]]


@pytest.mark.parametrize("bits", [0, 3, 6, 11, 16])
def test_near_finds_exactly_what_comparing_with_each_finds(catalogue: Catalogue, bits: int) -> None:
    rows = many(300)
    catalogue.add("m", rows)
    for each in rows[:20]:
        found = catalogue.at({"m"}).near([each.phash], bits)[each.phash]
        expected = {row.name for row in rows if distance(each.phash, row.phash) <= bits}
        assert {row.name for _, row in found} == expected
        assert [apart for apart, _ in found] == sorted(distance(each.phash, row.phash) for _, row in found)


@pytest.mark.parametrize("bits", [0, 6, 9])
def test_close_pairs_are_those_that_comparing_all_finds(bits: int) -> None:
    hashes = {row.name: row.phash for row in many(200)}
    names = list(hashes)
    expected = {
        (one, other, distance(hashes[one], hashes[other]))
        for index, one in enumerate(names)
        for other in names[index + 1 :]
        if distance(hashes[one], hashes[other]) <= bits
    }
    assert expected
    assert sorted(close_pairs(hashes, bits)) == sorted(expected)


def test_a_view_holds_exactly_its_manifests(catalogue: Catalogue) -> None:
    catalogue.add("accepted", many(20))
    catalogue.add("proposed", many(10, start=100))
    accepted = catalogue.at({"accepted"})
    everything = catalogue.at({"accepted", "proposed"})
    assert (len(accepted), len(everything)) == (20, 30)
    assert (accepted.profile().pairs, everything.profile().pairs) == (20, 30)
    proposed = many(10, start=100)[0]
    assert accepted.named([proposed.name]) == {}
    assert accepted.holding([proposed.image_sha256]) == []
    assert proposed.phash not in accepted.near([proposed.phash], 0)
    assert everything.named([proposed.name]) == {proposed.name: proposed}


def test_adding_twice_is_adding_once(catalogue: Catalogue) -> None:
    assert catalogue.missing({"m", "n"}) == {"m", "n"}
    for _ in range(2):
        catalogue.add("m", many(5))
    assert catalogue.missing({"m", "n"}) == {"n"}
    accepted = catalogue.at({"m"})
    assert len(accepted) == 5
    assert [len(rows) for rows in accepted.spelled(f"N{index}" for index in range(5)).values()] == [1] * 5


def test_a_manifest_that_was_not_added_is_asked_for(catalogue: Catalogue) -> None:
    with pytest.raises(DataError, match="such as m: add them first"):
        catalogue.at({"m"})


def test_nothing_accepted_answers_everything_with_nothing() -> None:
    empty = Accepted()
    assert (len(empty), empty.profile().pairs, empty.named(["a"]), empty.spelled(["a"])) == (0, 0, {}, {})
    assert (empty.holding(["0" * 64]), empty.near(["0" * 16], 6)) == ([], {})
    assert len(Accepted.of([])) == 0


def test_a_profile_is_the_sum_of_its_manifests_and_knows_the_median(catalogue: Catalogue) -> None:
    parts = {
        "m": [replace(row, brightness=float(index)) for index, row in enumerate(many(40))],
        "n": [replace(row, coverage=0.3) for row in many(61, start=100)],
    }
    for key, rows in parts.items():
        catalogue.add(key, rows)
    profile, whole = catalogue.at(parts).profile(), Profile.of([*parts["m"], *parts["n"]])
    assert (profile.counts == whole.counts).all()
    assert profile.median("coverage") == pytest.approx(0.3, rel=0.08)
    assert profile.median("brightness") == pytest.approx(100, abs=2)


def test_profiles_lie_apart_as_far_as_their_cumulative_shares() -> None:
    dark, bright = ([replace(row, brightness=value) for row in many(20)] for value in (20.0, 200.0))
    half = [*dark[:10], *bright[:10]]
    assert Profile.of(dark).distance(Profile.of(bright), "brightness") == 1
    assert Profile.of(half).distance(Profile.of(bright), "brightness") == 0.5
    assert all(Profile.of(half).distance(Profile.of(half), name) == 0 for name in MEASURES)


# The file


def test_another_process_finds_what_one_added(tmp_path: Path) -> None:
    Catalogue(tmp_path / "c").add("m", many(5))
    assert len(Catalogue(tmp_path / "c").at({"m"})) == 5


@pytest.mark.parametrize("damage", [b"no database at all " * 500, b""])
def test_a_file_that_is_no_database_is_replaced(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "c"
    Catalogue(path).add("m", many(5))
    path.write_bytes(damage)
    assert Catalogue(path).missing({"m"}) == {"m"}
    Catalogue(path).add("m", many(5))
    assert len(Catalogue(path).at({"m"})) == 5


def test_a_file_damaged_inside_is_removed_with_an_error_and_filled_again(tmp_path: Path) -> None:
    path = tmp_path / "c"
    Catalogue(path).add("m", many(400))
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))
    with pytest.raises(DataError, match="was damaged and is removed: try again"):
        Catalogue(path).at({"m"}).near([many(1)[0].phash], 6)
    again = Catalogue(path)
    assert again.missing({"m"}) == {"m"}
    again.add("m", many(400))
    assert len(again.at({"m"}).named(["n7"])) == 1


def test_a_view_stays_what_it_was_when_the_file_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "c"
    Catalogue(path).add("m", many(50))
    accepted = Catalogue(path).at({"m"})
    path.unlink()
    Catalogue(path).add("other", many(3, start=900))
    assert len(accepted.named(["n7", "n901"])) == 1


def test_a_file_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot be used .*: make room and make it writable"):
        Catalogue(tmp_path / "file" / "c").missing({"m"})


ADDING = """
import sys
from pathlib import Path
from tests.test_catalogue import many
from wms_ml.catalogue import Catalogue
catalogue = Catalogue(Path(sys.argv[1]))
for number in range(1000):
    catalogue.add(f"m{number}", many(60, start=100 * number))
    print(number, flush=True)
"""


def test_a_killed_process_leaves_whole_manifests_only(tmp_path: Path) -> None:
    path, chance = tmp_path / "c", random.Random(5)
    for _ in range(6):
        root = Path(__file__).parent.parent
        with subprocess.Popen([sys.executable, "-c", ADDING, path], cwd=root, stdout=subprocess.PIPE) as process:
            assert process.stdout and process.stdout.readline()
            time.sleep(chance.random() * 0.2)
            process.send_signal(signal.SIGKILL)
        database = sqlite3.connect(path)
        (table,) = database.execute("select name from sqlite_master where name like 'manifests%'").fetchone()
        keys = {key for (key,) in database.execute(f"select key from {table}")}
        database.close()
        view = Catalogue(path).at(keys)
        assert len(view) == 60 * len(keys)
        assert len(view.named(f"n{index}" for key in keys for index in _numbers(key))) == 60 * len(keys)
    assert keys


def _numbers(key: str) -> range:
    start = 100 * int(key.removeprefix("m"))
    return range(start, start + 60)


def _add_some(path: Path, first: int) -> None:
    for number in range(first, first + 8):
        Catalogue(path).add(f"m{number}", many(20, start=100 * number))


def test_several_processes_add_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add_some, args=(tmp_path / "c", first)) for first in (0, 4, 8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    view = Catalogue(tmp_path / "c").at({f"m{number}" for number in range(16)})
    assert len(view) == len(view.named(f"n{100 * number + i}" for number in range(16) for i in range(20))) == 320
