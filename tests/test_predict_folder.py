"""`wms predict` on a folder: what it leaves of each picture, whatever the picture is called and however bad it is."""

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.mlflow_server import blank
from tests.models_world import ModelsWorld
from tests.predicting import SIZE, WINDOW, Predicting, content, lying, picture
from tests.rig import Platform
from wms_ml.errors import DataError
from wms_ml.folder_output import OutputFolder
from wms_resources.pulled_model import pull_model


@pytest.fixture
def work(tmp_path: Path) -> Predicting:
    return Predicting(tmp_path)


def test_each_picture_gets_a_mask_of_its_own_upright_size_an_overlay_and_a_row(work: Predicting) -> None:
    work.put("a.png", picture())
    work.put("b.jpg", lying())
    work.put("c.png", Image.new("RGB", SIZE))
    work.predict()
    rows = work.rows()
    assert {name: work.mask(name).size for name in rows} == {"a.png": SIZE, "b.jpg": SIZE[::-1], "c.png": SIZE}
    assert work.mask("a.png").mode == "L"
    assert set(work.mask("a.png").tobytes()) == {0, 255}
    assert [(row["found"], row["confidence"] > 0.9) for row in rows.values()] == [(True, True)] * 2 + [(False, False)]
    assert all(Image.open(work.out / row["overlay"]).format == "JPEG" for row in rows.values())
    assert {row["model_digest"] for row in rows.values()} == {work.digest}


def test_a_row_gives_the_box_and_the_polygon_of_the_window(work: Predicting) -> None:
    work.put("a.png", picture())
    work.put("c.png", Image.new("RGB", SIZE))
    work.predict()
    left, top, right, bottom = WINDOW
    middle = ((left + right + 1) / 2, (top + bottom + 1) / 2)
    row, flat = work.rows()["a.png"], work.table()["a.png"]
    assert row["box"]["center"] == pytest.approx(middle, abs=3)
    assert (float(flat["box_width"]), float(flat["box_height"])) == pytest.approx((80, 40), abs=6)
    assert float(flat["box_angle"]) == pytest.approx(0, abs=1)
    assert min(x for x, _ in row["polygon"]) == pytest.approx(left, abs=3)
    assert work.rows()["c.png"]["box"] is None
    assert work.table()["c.png"]["box_x"] == ""


def test_the_window_is_cut_out_and_straightened_where_one_was_found(work: Predicting) -> None:
    work.put("a.png", picture())
    work.put("c.png", Image.new("RGB", SIZE))
    work.predict("--crops", "--no-overlays")
    crop = Image.open(work.out / work.rows()["a.png"]["crop"])
    assert crop.width / crop.height == pytest.approx(2, rel=0.15)
    assert work.rows()["c.png"]["crop"] == work.rows()["a.png"]["overlay"] == ""
    assert sorted(path.name for path in work.out.iterdir() if path.is_dir()) == ["crops", "masks"]


def test_pictures_of_one_stem_or_of_other_folders_never_overwrite_each_other(work: Predicting) -> None:
    names = ["x.png", "x.bmp", "a/x.png", "a/b/x.png"]
    for shift, name in enumerate(names):
        work.put(name, picture(10 * shift))
    work.predict("--recursive")
    assert [work.left(name) for name in names] == pytest.approx([WINDOW[0] + 10 * n for n in range(4)], abs=2)


def test_folders_below_are_looked_into_only_when_asked(work: Predicting) -> None:
    work.put("a/x.png", picture())
    with pytest.raises(DataError, match=r"no pictures in .* --recursive looks into its folders"):
        work.predict()
    work.put("y.png", picture())
    work.predict()
    assert list(work.rows()) == ["y.png"]


def test_results_hidden_files_and_links_to_folders_are_no_pictures(work: Predicting, tmp_path: Path) -> None:
    work.put("a.png", picture())
    work.put(".b.png", picture())
    work.put(".cache/c.png", picture())
    (work.source / "around").symlink_to(work.source)
    work.out = work.source / "found"
    work.predict("--recursive")
    work.predict("--recursive")
    assert list(work.rows()) == ["a.png"]


def test_a_bad_picture_is_a_row_with_the_reason_and_the_others_are_done(work: Predicting) -> None:
    work.put("a.png", picture())
    work.put("b.jpg", b"no picture")
    work.put("c.png", picture())
    (work.source / "d.png").symlink_to("nowhere")
    said = work.predict(expect=1).stderr
    assert "error: b.jpg: not a picture in a known format" in said
    assert "1 with an error" in said
    rows = work.rows()
    assert {name: row["error"] for name, row in rows.items()} == {"a.png": "", "b.jpg": "format", "c.png": ""}
    assert rows["b.jpg"]["width"] is None
    assert "known format" in work.table()["b.jpg"]["message"]


def test_a_name_that_no_mask_can_have_is_the_fault_of_that_picture_alone(work: Predicting) -> None:
    work.put("a.png", picture())
    work.put(f"{'x' * 251}.png", picture())
    assert "rename the picture" in work.predict(expect=1).stderr
    assert [row["error"] for row in work.rows().values()] == ["", "name"]


def test_a_hostile_name_gets_a_mask_and_is_no_markup_on_the_page(work: Predicting) -> None:
    work.put("<b>\n#1%.png", picture())
    work.predict()
    (row,) = work.rows().values()
    assert row["picture"] == "<b>\\x0a#1%.png"
    assert (work.out / row["mask"]).is_file()
    page = (work.out / "index.html").read_text()
    assert "<b>" not in page
    assert "overlays/%3Cb%3E%5Cx0a%231%25.png.jpg" in page


def test_the_page_shows_the_least_sure_first(work: Predicting) -> None:
    for name, red in (("sure", 255), ("unsure", 140), ("so-so", 200)):
        work.put(f"{name}.png", Image.new("RGB", SIZE, (red, 0, 0)))
    work.predict()
    page = (work.out / "index.html").read_text()
    assert page.index("unsure.png") < page.index("so-so.png") < page.index(">sure.png")


def test_tables_go_where_they_are_wanted(work: Predicting, tmp_path: Path) -> None:
    work.put("a.png", picture())
    work.put("b.png", picture())
    rows = json.loads(work.predict("--json", "-").stdout)
    assert rows == list(work.rows().values())
    work.predict("--csv", str(tmp_path / "t.csv"), "--json", str(tmp_path / "t.jsonl"))
    assert (tmp_path / "t.csv").read_text() == (work.out / "results.csv").read_text()
    assert (tmp_path / "t.jsonl").read_text() == (work.out / "results.jsonl").read_text()
    printed = csv.DictReader(io.StringIO(work.predict("--csv", "-").stdout))
    assert [row["picture"] for row in printed] == ["a.png", "b.png"]


def test_a_folder_with_other_things_in_it_is_left_as_it_is(work: Predicting) -> None:
    work.put("a.png", picture())
    (work.out / "masks").mkdir(parents=True)
    (work.out / "masks" / "a.png").write_bytes(b"drawn by hand")
    with pytest.raises(DataError, match="holds other things: give --out a new folder"):
        work.predict()
    assert content(work.out) == {"masks/a.png": b"drawn by hand"}


def test_results_of_another_folder_are_not_mixed_with_these(work: Predicting) -> None:
    work.put("x.png", picture())
    work.predict()
    before = content(work.out)
    work.source = work.source.with_name("more")
    work.put("x.png", picture(20))
    with pytest.raises(DataError, match=r"holds what was found in .*photos: choose another folder with --out"):
        work.predict()
    assert content(work.out) == before


def test_two_programs_do_not_write_into_one_folder_at_a_time(work: Predicting) -> None:
    work.put("a.png", picture())
    with OutputFolder(work.out).claimed(), pytest.raises(DataError, match="another `wms predict` is at work"):
        work.predict()
    work.predict()


def test_a_pulled_model_predicts_a_folder_where_no_registry_can_be_reached(work: Predicting, tmp_path: Path) -> None:
    work.put("a.png", picture())
    world = ModelsWorld(tmp_path / "home", blank(tmp_path / "blank"))
    version = world.version()
    pull_model(world.parts.registry, version, tmp_path / "pulled")
    away = Platform(tmp_path / "elsewhere", WMS_MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    work.model = tmp_path / "pulled"
    away.wms(*work.arguments())
    row = work.rows()["a.png"]
    assert (row["model_version"], row["model_digest"]) == (version.version, version.digest)
    assert not away.home.exists()
