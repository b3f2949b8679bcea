"""The house rules of docs/design.md that a machine can hold: who imports whom, and what importing costs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.onnx_model import write_red_model

ROOT = Path(__file__).resolve().parent.parent
ORDER = ["wms", "wms_sensors", "wms_assets", "wms_resources", "wms_ml"]
PACKAGES = [*ORDER, "serving"]


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
    return found & set(PACKAGES)


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards_only(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    allowed = {"serving", "wms_ml"} if package == "serving" else set(ORDER[ORDER.index(package) :])
    allowed |= {"serving"} if path == ROOT / "wms" / "settings.py" else set()  # knows the names of its settings
    assert imported_packages(path) <= allowed


def fresh_python(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WMS_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_the_code_location_imports_no_torch_and_no_mlflow_and_leaves_no_trace(tmp_path: Path) -> None:
    code = (
        "import sys, wms.definitions; print([m for m in ('torch', 'mlflow', 'dvc', 'matplotlib') if m in sys.modules])"
    )
    assert fresh_python(code, WMS_HOME=str(tmp_path / "home")).strip() == "[]"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("module", ["wms_ml.predictor", "serving.app", "serving.__main__"])
def test_serving_needs_only_the_serving_extra(module: str) -> None:
    heavy = (
        "torch",
        "torchvision",
        "dagster",
        "mlflow",
        "dvc",
        "pyarrow",
        "pandas",
        "matplotlib",
        "scipy",
    )
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    assert fresh_python(code).strip() == "[]"


def test_the_orchestrator_side_never_imports_torch() -> None:
    for package in ("wms", "wms_sensors", "wms_assets", "wms_resources"):
        for path in (ROOT / package).rglob("*.py"):
            names = {
                alias.name.split(".")[0]
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Import)
                for alias in node.names
            }
            assert "torch" not in names, path


def test_the_runtime_of_models_reports_to_nobody_and_keeps_nothing(tmp_path: Path) -> None:
    write_red_model(tmp_path / "red.onnx")
    home = tmp_path / "home"
    home.mkdir()
    code = f"""
import sys
from pathlib import Path
sys.addaudithook(lambda event, _: event.startswith("socket.") and sys.exit(event))
from PIL import Image
from wms_ml.predictor import Predictor
print(Predictor(Path({str(tmp_path / "red.onnx")!r})).predict_image(Image.new("RGB", (64, 64), "red")).coverage)
"""
    assert fresh_python(code, HOME=str(home)).strip() == "1.0"
    assert list(home.iterdir()) == []


def test_the_library_that_makes_integers_is_told_to_report_to_nobody_before_it_is_imported() -> None:
    code = """
import os, sys
from contextlib import suppress
from pathlib import Path
from wms_ml import quantise
assert "onnxruntime" not in sys.modules
with suppress(Exception):  # there is no such model
    quantise._write_integers(Path("none"), Path("none"), None)
assert "onnxruntime" in sys.modules
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    assert fresh_python(code).strip() == "1"
