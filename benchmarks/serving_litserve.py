"""The model behind LitServe: an API of its four steps, and a worker process a core, as its guide to speed tells.

Pictures come as a form's file: base64 in JSON, as in the guide's own example, would cost both sides more.
"""

import argparse
import os

import litserve
from fastapi import Request, Response
from PIL import Image

from benchmarks.serving_plain import as_png, from_environment


class MaskAPI(litserve.LitAPI):
    """A picture in a form's field in, PNG out."""

    def setup(self, device: str) -> None:
        self.model = from_environment()

    def decode_request(self, request: Request) -> Image.Image:
        return Image.open(request["image"].file)  # what LitServe hands over is the request's form

    def predict(self, x: Image.Image) -> bytes:
        return as_png(self.model.mask(x))

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = litserve.LitServer(MaskAPI(), accelerator="cpu", workers_per_device=os.cpu_count() or 1)
    server.run(host="127.0.0.1", port=parser.parse_args().port, log_level="warning", generate_client_file=False)
