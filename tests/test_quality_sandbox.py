"""Decoding apart: a file costs no more than its limits, whatever it does, and leaves nothing behind."""

import hashlib
import multiprocessing
import resource
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from pebble import ProcessExpired
from PIL import Image

from tests.quality_folder import Folder, encoded, photo, tagged
from wms_ml.errors import DropError
from wms_ml.quality.inspection import Content, Damage, Measuring, Role
from wms_ml.quality.worker import Job, Limits, Outcome, _decode, _refusal, read_apart

MEASURING = Measuring(max_pixels=64_000_000, grey_tolerance=48)
GOOD, ALSO_GOOD = (encoded(photo(seed), "JPEG") for seed in (0, 1))


def jobs(folder: Path, contents: dict[str, bytes]) -> list[Job]:
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [
        Job(name, folder / name, Content(hashlib.sha256(data).hexdigest(), Role.IMAGE))
        for name, data in contents.items()
    ]


def outcomes(folder: Path, contents: dict[str, bytes], limits: Limits) -> list[Outcome]:
    return list(read_apart(jobs(folder, contents), MEASURING, limits))


def code(outcome: Outcome) -> str:
    return outcome.reading.code if isinstance(outcome.reading, Damage) else "read"


def message(outcome: Outcome) -> str:
    return outcome.reading.message if isinstance(outcome.reading, Damage) else ""


def black(edge: int, mode: str = "RGB", **options: object) -> bytes:
    return encoded(Image.new(mode, (edge, edge)), "PNG", compress_level=1, **options)


def slow(seed: int) -> bytes:
    """Takes about a tenth of a second."""
    noise = np.random.default_rng(seed).integers(0, 255, (1500, 1500, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), "PNG", compress_level=1)


def test_a_file_that_takes_too_much_memory_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    files = {"a": GOOD, "b": black(5000), "c": ALSO_GOOD}
    found = outcomes(tmp_path, files, Limits(memory_bytes=60_000_000))
    assert [code(each) for each in found] == ["read", "too-costly", "read"]
    assert "more than 60 MB" in message(found[1])
    assert [each.repeatable for each in found] == [True, False, True]


def test_a_file_that_takes_too_long_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    files = {"a": GOOD, "b": black(7900, "RGBA", exif=tagged(6)), "c": ALSO_GOOD}
    found = outcomes(tmp_path, files, Limits(seconds=0.2, workers=1))
    assert code(found[1]) == "too-costly"
    assert "after 0.2 seconds" in message(found[1])
    assert not found[1].repeatable
    assert len(found) == 3


def test_the_largest_picture_that_is_allowed_fits_the_limits(tmp_path: Path) -> None:
    found = outcomes(tmp_path, {"a": black(7900, "RGBA", exif=tagged(6))}, Limits(seconds=120))
    assert [code(each) for each in found] == ["read"]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(kind: bytes, content: bytes) -> bytes:
    png = encoded(photo(2))
    return png[:33] + chunk(kind, content) + png[33:]


def frames(kind: str, count: int) -> bytes:
    first, *others = (Image.new("L", (40, 40), shade % 256) for shade in range(count))
    return encoded(first, kind, save_all=True, append_images=others)


def endless_tiff() -> bytes:
    """Its list of pages bites its own tail."""
    tiff = bytearray(encoded(photo(3), "TIFF"))
    start = struct.unpack_from("<I", tiff, 4)[0]
    tags = struct.unpack_from("<H", tiff, start)[0]
    struct.pack_into("<I", tiff, start + 2 + 12 * tags, start)
    return bytes(tiff)


def boastful_tiff() -> bytes:
    """One of its tags claims two thousand million values."""
    tiff = bytearray(encoded(photo(4), "TIFF"))
    start = struct.unpack_from("<I", tiff, 4)[0]
    struct.pack_into("<I", tiff, start + 2 + 12 * 2 + 4, 2**31 - 1)
    return bytes(tiff)


def long_exif(data: bytes, segments: int) -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", 65_000) + b"Exif\0\0MM\0*" + bytes(65_000 - 12)
    return data[:2] + segment * segments + data[2:]


def hostile() -> dict[str, bytes]:
    bomb = zlib.compress(bytes(200_000_000), 1)
    return {
        "text that unpacks to 200 MB": with_chunk(b"zTXt", b"Comment\0\0" + bomb),
        "a colour profile that unpacks to 200 MB": with_chunk(b"iCCP", b"x\0\0" + bomb),
        "pixels for a far larger picture": encoded(photo(5))[:33] + chunk(b"IDAT", bomb) + chunk(b"IEND", b""),
        "400 pages": frames("TIFF", 400),
        "pages without end": endless_tiff(),
        "a tag of 2,147,483,647 values": boastful_tiff(),
        "400 frames in a PNG": frames("PNG", 400),
        "100 frames in a WebP": frames("WEBP", 100),
        "13 MB of EXIF": long_exif(ALSO_GOOD, 200),
        "100,000 chunks": encoded(photo(6))[:33] + chunk(b"abCd", b"") * 100_000 + encoded(photo(6))[33:],
    }


def test_hostile_files_stay_within_their_limits_and_harm_no_other(tmp_path: Path) -> None:
    files = {"good": GOOD, **hostile(), "also good": ALSO_GOOD}
    found = outcomes(tmp_path, files, Limits(seconds=15, memory_bytes=100_000_000, workers=1))
    verdicts = dict(zip(files, map(code, found), strict=True))
    assert verdicts["good"] == verdicts["also good"] == "read"
    assert "too-costly" not in verdicts.values()
    assert verdicts["text that unpacks to 200 MB"] == "undecodable"
    assert verdicts["400 pages"] == verdicts["400 frames in a PNG"] == "read"


def workers() -> list[psutil.Process]:
    """Processes that decode: children of the one that this process keeps for starting them."""
    mine = psutil.Process()
    direct = mine.children()
    return [each for each in mine.children(recursive=True) if each not in direct]


def many(folder: Path, count: int) -> list[Job]:
    (job,) = jobs(folder, {"slow": slow(0)})
    return [job] * count


def test_a_process_that_is_killed_costs_no_other_file_than_that_which_kills_it(tmp_path: Path) -> None:
    stream = read_apart(many(tmp_path, 32), MEASURING, Limits(workers=1))
    found = [next(stream)]
    (victim,) = workers()
    victim.kill()
    found.extend(stream)
    assert list(map(code, found)) == ["read"] * 32


def test_a_file_that_kills_its_process_is_refused() -> None:
    refused = _refusal(ProcessExpired("gone", code=-11), Limits())
    assert (refused.code, refused.message) == ("too-costly", "decoding it ended its process (Segmentation fault)")


def test_stopping_early_leaves_no_process(tmp_path: Path) -> None:
    stream = read_apart(many(tmp_path, 120), MEASURING, Limits(workers=2))
    next(stream)
    assert workers()
    stream.close()
    assert workers() == []


def test_a_caller_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    drop = Folder(tmp_path / "drop")
    for seed in range(10):
        drop.put(f"images/{seed}.png", slow(0) + bytes(seed))
    program = """
import sys
from pathlib import Path
from wms_ml.catalogue import Accepted
from wms_ml.quality.check import check_folder
check_folder(Path(sys.argv[1]), "a-drop", Accepted(), on_progress=lambda *_: print("one", flush=True))
"""
    command = [sys.executable, "-c", program, str(drop.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "one\n"
        started = psutil.Process(caller.pid).children(recursive=True)
        caller.kill()
    assert len(started) >= 2
    assert psutil.wait_procs(started, timeout=30)[1] == []


def test_a_process_ends_by_itself_when_nobody_is_left_to_stop_it(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, {"a": GOOD})
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_decode, [job], MEASURING, 7.0).result()
        until, _ = pool.submit(resource.getrlimit, resource.RLIMIT_CPU).result()
    assert 7 < until < 20


def test_a_file_that_changes_after_it_was_hashed_stops_the_check(tmp_path: Path) -> None:
    made = jobs(tmp_path, {"a": GOOD})
    (tmp_path / "a").write_bytes(GOOD + b"x")
    with pytest.raises(DropError, match="a changed while it was inspected"):
        list(read_apart(made, MEASURING, Limits()))


def test_a_file_that_vanishes_after_it_was_hashed_stops_the_check(tmp_path: Path) -> None:
    made = jobs(tmp_path, {"a": GOOD})
    (tmp_path / "a").unlink()
    with pytest.raises(DropError, match="a cannot be read any more"):
        list(read_apart(made, MEASURING, Limits()))


def test_without_new_files_no_process_is_started(tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)
    assert outcomes(tmp_path, {}, Limits()) == []
    assert psutil.Process().children(recursive=True) == before
