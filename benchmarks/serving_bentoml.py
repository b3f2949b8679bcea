"""The model behind BentoML: a service that takes and gives pictures, and a worker process a core, as its guide says."""

import bentoml
from PIL.Image import Image

from benchmarks.serving_plain import from_environment


@bentoml.service(workers="cpu_count", traffic={"timeout": 60})
class MaskService:
    """A picture in a form's field in, PNG out."""

    def __init__(self) -> None:
        self.model = from_environment()

    @bentoml.api
    def predict(self, image: Image) -> Image:
        return self.model.mask(image)
