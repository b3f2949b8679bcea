"""What an attempt leaves with its MLflow run: weights, curves, scores, packages, and the model in MLflow's layout."""

import os
import shutil
import tempfile
from pathlib import Path

from wms_ml.curves import draw_curves
from wms_ml.history import read_history
from wms_resources.environment import requirements
from wms_resources.tracked_run import TrackedRun

_SERVING: list[str] = ["onnxruntime", "numpy", "pillow"]


def keep_files(run: TrackedRun, out: Path, scores: Path) -> None:
    """Store an attempt's outcome with its run.

    Args:
        out: folder of the training program.
        scores: folder of the evaluation program: tables and overlays on the validation pictures.

    Raises:
        RegistryError: MLflow refuses, or stayed away.
    """
    run.files(scores, "validation")
    with tempfile.TemporaryDirectory() as scratch:
        training, model = Path(scratch, "training"), Path(scratch, "model")
        training.mkdir()
        for name in ("history.jsonl", "result.json", "weights.pt"):
            shutil.copyfile(out / name, training / name)
        (training / "requirements.txt").write_text(requirements())
        draw_curves(read_history(out)).save(training / "curves.png")
        run.files(training, "training")
        _save_model(out / "model.onnx", model)
        run.files(model, "model")


def _save_model(onnx_file: Path, folder: Path) -> None:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # MLflow imports onnxruntime, which reports to its maker
    import mlflow.onnx
    import onnx

    mlflow.onnx.save_model(onnx.load(onnx_file), str(folder), pip_requirements=_SERVING, save_as_external_data=False)
    shutil.copyfile(onnx_file, folder / "model.onnx")  # byte for byte: its hash is its identity
