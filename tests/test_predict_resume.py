"""`wms predict` again: only what is new or changed is done, and after a kill all is as if nothing had happened."""

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.predicting import SIZE, WINDOW, Predicting, content, picture
from tests.quality_folder import photo
from tests.rig import Platform, kill
from wms_ml import folder_desk
from wms_ml.errors import DataError
from wms_ml.folder_desk import Done, Task
from wms_ml.folder_pictures import Picture
from wms_ml.folder_prediction import overlapping
from wms_ml.folder_results import Row


@pytest.fixture
def work(tmp_path: Path) -> Predicting:
    work = Predicting(tmp_path)
    work.put("a.png", picture())
    work.put("b.png", picture(10))
    return work


def test_the_same_again_predicts_nothing(work: Predicting) -> None:
    work.predict()
    before, files = work.written(), content(work.out)
    assert "0 pictures predicted, 2 as before" in work.predict().stderr
    assert (work.written(), content(work.out)) == (before, files)


def test_only_new_and_changed_pictures_are_predicted(work: Predicting) -> None:
    work.predict()
    before = work.written()
    work.put("b.png", picture(30))
    work.put("c.png", picture(20))
    work.predict()
    after = work.written()
    assert [name for name in after if after[name] != before.get(name)] == ["masks/b.png.png", "masks/c.png.png"]
    assert work.left("b.png") == pytest.approx(WINDOW[0] + 30, abs=2)


def test_pictures_of_another_model_are_predicted_again_and_that_is_said(work: Predicting) -> None:
    work.predict()
    work.put("c.png", picture())
    digest = work.other_model()
    assert "holds 2 pictures as another model saw them" in work.predict().stderr
    assert {row["model_digest"] for row in work.rows().values()} == {digest}
    assert "another model" not in work.predict().stderr


def test_another_version_of_the_code_predicts_all_again(work: Predicting, monkeypatch: pytest.MonkeyPatch) -> None:
    work.predict()
    monkeypatch.setattr(folder_desk, "VERSION", "next")
    assert "2 pictures predicted" in work.predict().stderr


def test_again_predicts_all(work: Predicting) -> None:
    work.predict()
    before = work.written()
    work.predict("--again")
    after = work.written()
    assert after.keys() == before.keys()
    assert not after.items() & before.items()


def test_what_is_missing_or_newly_wished_for_is_made(work: Predicting) -> None:
    work.predict("--no-overlays")
    (work.out / "masks" / "a.png.png").unlink()
    assert "1 pictures predicted, 1 as before" in work.predict("--no-overlays").stderr
    assert work.mask("a.png").size == SIZE
    assert "2 pictures predicted" in work.predict().stderr
    assert all((work.out / row["overlay"]).is_file() for row in work.rows().values())


def test_a_picture_that_breaks_loses_its_mask_and_one_that_is_mended_gets_it_back(work: Predicting) -> None:
    work.predict()
    path = work.put("a.png", b"broken")
    work.predict(expect=1)
    assert not (work.out / "masks" / "a.png.png").exists()
    assert "0 pictures predicted, 2 as before; 1 with an error" in work.predict(expect=1).stderr
    picture().save(path)
    work.predict()
    assert work.rows()["a.png"]["error"] == ""


def test_the_tables_list_the_pictures_that_are_there(work: Predicting) -> None:
    work.predict()
    (work.source / "a.png").unlink()
    work.predict()
    assert list(work.rows()) == list(work.table()) == ["b.png"]
    picture().save(work.source / "a.png")
    assert "0 pictures predicted, 2 as before" in work.predict().stderr


def test_a_full_disk_is_said_and_leaves_whole_files_behind(work: Predicting) -> None:
    work.predict()
    before = work.written(), content(work.out)
    work.put("a.png", photo(1, size=(800, 600)))  # noise: its overlay is as large as a JPEG of its size can be
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DataError, match=r"cannot be written \(File too large\): make room"):
            work.predict()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert content(work.out / "overlays") == {
        name.removeprefix("overlays/"): data for name, data in before[1].items() if name.startswith("overlays/")
    }
    work.predict()
    assert Image.open(work.out / work.rows()["a.png"]["overlay"]).size == (800, 600)


def test_few_pictures_are_begun_ahead_however_many_there_are() -> None:
    begun = taken = 0

    def tasks() -> Iterator[Task]:
        nonlocal begun
        for begun in range(1, 1001):  # noqa: B007 - it is looked at below
            yield Task(Picture("x.png", Path("x.png")))

    def do(task: Task) -> Done:
        return Done("", Row(picture="x.png", sha256="", model_version="", model_digest=""), fresh=True)

    for _ in overlapping(do, tasks(), 3):
        taken += 1
        assert begun - taken <= 6
    assert taken == 1000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predicting]:
    """More pictures than a program predicts before it is noticed."""
    work = Predicting(tmp_path_factory.mktemp("many"))
    for number in range(400):
        work.put(f"{number % 4}/{number}.png", picture(number % 40))
    yield work


def masks(work: Predicting) -> int:
    return sum(1 for _ in (work.out / "masks").rglob("*.png"))


@pytest.fixture(scope="module")
def undisturbed(many: Predicting) -> dict[str, bytes]:
    many.predict("--recursive")
    return content(many.out)


@pytest.mark.parametrize("done", [0, 1, 40])
def test_a_kill_leaves_no_half_file_and_the_next_call_ends_as_if_nothing_had_happened(
    many: Predicting, undisturbed: dict[str, bytes], done: int, tmp_path: Path
) -> None:
    many.out = tmp_path / "found"
    process = Platform(tmp_path / "home").start(*many.arguments("--recursive"))
    Platform(tmp_path / "home").wait_for("the moment", lambda: many.out.exists() and masks(many) >= done, process)
    kill(process)
    for path in (many.out / "masks").rglob("*.png"):
        Image.open(path).load()
    assert not (many.out / "results.csv").exists()
    many.predict("--recursive")
    assert content(many.out) == undisturbed


def test_what_was_done_before_it_was_stopped_by_hand_is_kept(
    many: Predicting, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    many.out = tmp_path / "found"
    platform = Platform(tmp_path / "home")
    process = platform.start(*many.arguments("--recursive"))
    platform.wait_for("the moment", lambda: masks(many) >= 40, process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    before = many.written()
    many.predict("--recursive")
    assert before.items() & many.written().items()
    assert content(many.out) == undisturbed
