"""The model of a service: still loading, or loaded; nothing is predicted without a verified one.

A process listens before it has read its model, so that whoever watches over it sees it alive, and not ready.
"""

from dataclasses import dataclass
from pathlib import Path

from serving.inference import Inference
from serving.precision import predictor_of
from serving.problems import come_back
from serving.release import Release, read
from serving.settings import ServingSettings
from wms_ml.runtime import Precision


@dataclass(frozen=True, slots=True)
class Model:
    """A verified release with its model, loaded and warm, and the precision that this computes in."""

    release: Release
    inference: Inference
    precision: Precision


class Loading:
    """The model of one service.

    Attributes:
        leaving: whether the service was asked to end: it is not ready any more, and finishes what it has.
    """

    def __init__(self, folder: Path, settings: ServingSettings) -> None:
        """Of the release in `folder`, which is not touched yet."""
        self._folder = folder
        self._settings = settings
        self._model: Model | None = None
        self.leaving = False

    def load(self) -> Model:
        """Verify, load and warm the model, unless that is done; when this returns, the service is ready.

        Raises:
            DeploymentError: the release is not whole.
            DataError: its model is not one of ours.
            PictureError: its own picture does not decode.
        """
        if self._model is None:
            release, of = read(self._folder), self._settings
            predictor = predictor_of(release, of)
            self._model = Model(release, Inference(predictor, of.max_pixels, of.keep_pictures), predictor.precision)
        return self._model

    @property
    def model_version(self) -> str:
        """Version of the loaded model; `none` while there is none."""
        return self._model.release.model_version if self._model else "none"

    def model(self) -> Model:
        """The model.

        Raises:
            HTTPException: 503 `not-ready`, while it is loading.
        """
        if self._model is None:
            raise come_back("not-ready", "the model is still loading: try again in a moment")
        return self._model

    def require_ready(self) -> Model:
        """The model, unless the service is about to end.

        Raises:
            HTTPException: 503 `not-ready`.
        """
        if self.leaving:
            raise come_back("not-ready", "the service is about to end: another one takes over")
        return self.model()
