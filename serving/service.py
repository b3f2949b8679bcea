"""One service: its model, its places, its figures, and the way of a picture through them."""

from functools import partial
from pathlib import Path

from fastapi import Request

from serving.admission import Admission
from serving.canary import Canary
from serving.inference import Found
from serving.loading import Loading, Model
from serving.metrics import Metrics
from serving.prediction_log import PredictionLog
from serving.rush import Rush
from serving.settings import ServingSettings
from serving.windows import Window, window_of
from wms_ml.prediction_rows import Facts

_PREDICTIONS = "/predict"


class Service:
    """What the routes of one service share.

    Attributes:
        settings: its settings.
        metrics: its figures.
        loading: its model.
        admission: its places.
        canary: the service that takes a share of its pictures; None: there is none.
    """

    def __init__(self, folder: Path, settings: ServingSettings) -> None:
        """Of the release in `folder`, not loaded yet.

        Raises:
            SettingsError: the prediction log cannot be written.
        """
        self.settings = settings
        self.metrics = Metrics()
        self.loading = Loading(folder, settings)
        # Room for the largest batch, or for as many pictures of the largest size.
        room = settings.batch_pictures * settings.max_bytes + 2**20
        rush = None if settings.queue else Rush(settings.at_work)
        self.admission = Admission(
            settings.at_work, settings.waiting, room, settings.request_seconds, self.metrics.waiting, rush
        )
        self.canary = (
            Canary(str(settings.canary), settings.canary_seconds, self.metrics.sent_on) if settings.canary else None
        )
        self._log = PredictionLog(
            Path(settings.prediction_log) if settings.prediction_log else None, settings.keep_pictures
        )

    def load(self) -> Model:
        """Load the model, unless that is done; the service is ready then. Takes seconds.

        Raises:
            DeploymentError: the release is not whole.
            DataError: its model is not one of ours.
        """
        model = self.loading.load()
        self.metrics.loaded(model.release.model_version)
        return model

    def leave(self) -> None:
        """Not ready from now on; what comes nevertheless is answered."""
        self.loading.leaving = True

    def close(self) -> None:
        """Write what is left to write."""
        self._log.close()

    def failed(self, path: str, code: str) -> None:
        """Count a refused request for predictions."""
        if path.startswith(_PREDICTIONS):
            self.metrics.failed(code)

    def begin(self) -> Model:
        """The model for a request whose body has not been read.

        Raises:
            HTTPException: 503, `not-ready` or `overloaded`.
        """
        model = self.loading.model()
        self.admission.come()
        return model

    async def predict(
        self, request: Request, model: Model, data: bytes, crop: bool, shape: bool = True
    ) -> tuple[Found, Window]:
        """Find the window of one picture when its turn has come. The request holds a place.

        Raises:
            PictureError: it is not a picture we can read, or has too many pixels.
            HTTPException: 503 `overloaded`.
            ClientDisconnect: the caller went away.
        """
        done = await self.admission.work(request, partial(model.inference.find, data, crop, shape))
        found, waited = done.result, done.waited * 1000
        window = window_of(found, waited, model.release.model_version)
        self.metrics.predicted(window.timings.total / 1000)
        self._log.offer(_facts(request, window, found), found.picture.image)
        return found, window


def _facts(request: Request, window: Window, found: Found) -> Facts:
    return Facts(
        request_id=request.state.request_id,
        model_version=window.model_version,
        width=window.width,
        height=window.height,
        orientation=found.picture.orientation,
        found=window.found,
        confidence=window.confidence,
        coverage=window.coverage,
        milliseconds=window.timings.total - window.timings.waited,
    )
