"""The service of the system before this one, as it was built: FastAPI, torch eager, all work inside the async handler.

It differs in what would make the comparison unfair: network and size are the measured model's, phone photos are turned
upright, and the mask has the picture's own size instead of 512 x 512.
"""

import io
import json
import os
from pathlib import Path

import onnx
import torch
from fastapi import FastAPI, Response, UploadFile
from PIL import Image

from benchmarks.serving_plain import MODEL, as_png, drawn, network_input
from wms_ml.network import build, load_weights
from wms_ml.predictor import METADATA_KEY


def create_app() -> FastAPI:
    """The service of the weights.pt beside the model that the benchmark chose."""
    model = Path(os.environ[MODEL])
    stated = {entry.key: entry.value for entry in onnx.load(model, load_external_data=False).metadata_props}
    recipe = json.loads(stated[METADATA_KEY])
    network = build(recipe["architecture"], recipe["encoder"])
    load_weights(network, model.with_name("weights.pt"))
    network.eval()
    app = FastAPI()

    @app.post("/predict")
    async def predict(file: UploadFile) -> Response:
        upright, small = network_input(Image.open(io.BytesIO(await file.read())), recipe["size"])
        with torch.no_grad():
            probabilities = torch.sigmoid(network(torch.from_numpy(small)[None]))[0].numpy()
        return Response(as_png(drawn(probabilities, upright.size)), media_type="image/png")

    return app
