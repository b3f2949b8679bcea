"""The model behind MLflow's scoring server: a model from code with type hints, as its guide to custom models tells.

Its server takes JSON only, so pictures and masks travel as base64. Run as a program it writes the model folder that
`mlflow models serve` is given.
"""

import base64
import sys
from pathlib import Path

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

from benchmarks.serving_plain import Plain


class MaskModel(PythonModel):
    """Base64 of picture files in, base64 of PNGs out."""

    def load_context(self, context: PythonModelContext) -> None:
        self.model = Plain(Path(context.artifacts["model"]))

    def predict(self, model_input: list[str]) -> list[str]:
        return [base64.b64encode(self.model.png(base64.b64decode(text))).decode() for text in model_input]


if __name__ == "__main__":
    model, target = sys.argv[1:]
    mlflow.pyfunc.save_model(target, python_model=__file__, artifacts={"model": model}, pip_requirements=["mlflow"])
else:
    mlflow.models.set_model(MaskModel())
