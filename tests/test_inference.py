"""What a service finds in a picture, and what it leaves out when nobody asked for it."""

import pytest

from serving.inference import Inference
from tests.onnx_model import write_red_model
from tests.uploads import photo
from wms_ml.arrays import MAX_PIXELS
from wms_ml.predictor import Predictor


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Inference:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    write_red_model(path)
    return Inference(Predictor(path), MAX_PIXELS)


def test_whoever_wants_the_mask_alone_gets_the_same_one_without_its_shape(inference: Inference) -> None:
    whole, alone = (inference.find(photo(), crop=True, shape=shape) for shape in (True, False))
    assert (whole.box is None, bool(whole.polygon), bool(whole.crop)) == (False, True, True)
    assert (alone.box, alone.polygon, alone.crop) == (None, [], b"")
    assert alone.mask == whole.mask
    assert alone.prediction.confidence == whole.prediction.confidence
