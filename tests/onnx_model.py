"""A model whose masks are known in advance: a pixel's probability is its red channel / 255."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wms_ml.arrays import PREPROCESSING
from wms_ml.predictor import METADATA_KEY

SIZE: Final = 64


def write_red_model(path: Path) -> str:
    """Write the model to `path`; returns its content hash, `sha256:...`."""
    batch = ["pictures_per_batch", SIZE, SIZE, 3]
    constants = {"red": np.array(0), "white": np.array(255, dtype=np.float32)}
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["pictures", "red"], ["reds"], axis=3),
            helper.make_node("Cast", ["reds"], ["values"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["values", "white"], ["probabilities"]),
        ],
        "red",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, batch)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, batch[:3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: json.dumps({"preprocessing": PREPROCESSING})})
    onnx.save(model, path)
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def write_release(folder: Path, **instead: Any) -> dict[str, Any]:
    """A whole release of the model in `folder`, with `instead` in place of what release.json should state.

    Returns:
        what it states.
    """
    folder.mkdir(parents=True)
    stated = {
        "model_name": "reading-window",
        "model_version": "7",
        "data_version": "d0d0cafe",
        "digest": write_red_model(folder / "model.onnx"),
        "tag": "0123456789ab",
        "metrics": {"dice": 0.91, "iou": 0.84},
        **instead,
    }
    (folder / "release.json").write_text(json.dumps(stated))
    return stated
