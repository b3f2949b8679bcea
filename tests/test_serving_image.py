"""The serving image: what its Dockerfile says, always; what it does, where there is docker to build it."""

import io
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from PIL import Image as Pillow

from tests.containers import Container, Image, built
from tests.onnx_model import write_release
from tests.serving_process import ROOT, running

_HEAVY: Final = ("torch", "dagster", "mlflow", "dvc", "pandas", "pyarrow", "matplotlib", "cv2", "pip", "setuptools")


def instructions(word: str) -> list[str]:
    """What the Dockerfile says in its instructions of this kind, in their order."""
    text = re.sub(r"^#.*\n", "", (ROOT / "serving" / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", "").splitlines()
    return [line.removeprefix(f"{word} ").strip() for line in lines if line.startswith(f"{word} ")]


def copied() -> set[str]:
    """Files and folders that the image takes from the project folder."""
    return {copy.split()[0] for copy in instructions("COPY") if not copy.startswith("--from")}


def test_everything_the_image_copies_is_there_and_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied() == sent == {name for name in sent if (ROOT / name).exists()}


def test_the_extra_that_the_image_installs_has_nothing_of_training_or_the_platform() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["serving"]]
    assert {re.split(r"[^\w-]", name)[0] for name in wanted}.isdisjoint((*_HEAVY, "wms-platform", "opencv-python"))


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    user, _, group = instructions("USER")[-1].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_image_runs_python_without_a_shell_in_between() -> None:
    (command,) = instructions("CMD")
    assert json.loads(command)[:3] == ["python", "-m", "serving"]
    assert not instructions("ENTRYPOINT")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built() as image:
        yield image


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image") / "release"
    write_release(folder)
    return folder


@pytest.fixture(scope="module")
def container(image: Image, release: Path) -> Iterator[Container]:
    with image.serving(release) as container:
        yield container


def predicted(url: str, picture: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.post(f"{url}/predict?crop=true", files={"image": picture}).raise_for_status().json()
    del answer["timings"]
    return answer


def test_a_container_that_can_write_nothing_answers_a_large_picture_as_a_process_does(
    container: Container, release: Path, tmp_path: Path
) -> None:
    picture = Pillow.new("RGB", (1600, 1200), (20, 90, 200))
    picture.paste((250, 0, 0), (400, 500, 1100, 700))
    file = io.BytesIO()
    picture.save(file, "BMP")
    with running(release, tmp_path / "errors.log") as process:
        expected = predicted(process.url, file.getvalue())
    assert expected["found"]
    assert predicted(container.url, file.getvalue()) == expected


def test_it_is_not_root_and_can_write_nowhere(container: Container) -> None:
    look = "import os; print(os.getuid(), [p for p in ('/app', '/venv', '/tmp', '/release') if os.access(p, os.W_OK)])"
    assert container.execute("python", "-c", look).stdout.split(maxsplit=1) == ["10001", "[]\n"]


def test_nothing_heavy_can_be_imported_in_it(image: Image) -> None:
    look = f"from importlib.util import find_spec; print([name for name in {_HEAVY} if find_spec(name)])"
    assert image.once("python", "-c", look).stdout == "[]\n"


def test_the_runtime_in_it_has_nothing_that_reports_to_its_maker(image: Image) -> None:
    imported = image.once("python", "-c", "import openvino, sys; print([m for m in sys.modules if 'telemetry' in m])")
    assert (imported.stdout, imported.stderr) == ("[]\n", "")


def test_its_health_check_passes_while_it_serves_and_fails_where_nothing_does(
    image: Image, container: Container
) -> None:
    kind, *check = image.config()["Healthcheck"]["Test"]
    assert kind == "CMD"
    assert container.execute(*check).returncode == 0
    assert image.once(*check).returncode == 1


def test_it_ends_by_itself_when_it_is_asked_to(image: Image, release: Path) -> None:
    with image.serving(release) as container:
        assert container.stop() == 0


def test_in_production_it_says_that_it_needs_a_key(image: Image) -> None:
    done = image.once(WMS_SERVING_PROFILE="production")
    assert done.returncode == 1
    assert "WMS_SERVING_API_KEY" in done.stderr


def test_without_a_release_it_says_which_file_is_missing(image: Image) -> None:
    done = image.once()
    assert done.returncode == 1
    assert "/release/release.json cannot be read" in done.stderr
