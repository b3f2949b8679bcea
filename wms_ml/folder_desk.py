"""One picture of a folder: from its bytes to its mask, overlay, crop and row, or to the reason why not."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from wms_ml.arrays import PREPROCESSING
from wms_ml.errors import PictureError
from wms_ml.folder_output import CROPS, KINDS, MASKS, OVERLAYS, OutputFolder
from wms_ml.folder_pictures import Picture
from wms_ml.folder_results import Row
from wms_ml.predictor import Predictor
from wms_ml.quality.thresholds import MAX_BYTES
from wms_ml.reduced import Turns, decode, enough_for
from wms_ml.render import mask_image, overlay
from wms_ml.window_shape import shape_of, straightened

VERSION: Final = "1"
"""Of what is made of a picture; a new one has every picture predicted again."""

_OVERLAY_EDGE: Final = 800


@dataclass(frozen=True, slots=True)
class Model:
    """A model file.

    Attributes:
        path: where it lies.
        digest: `sha256:...` of its content.
        version: in the registry; empty for a file that is no registered one.
    """

    path: Path
    digest: str
    version: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What to make of each picture besides its mask and its row.

    Attributes:
        overlays: the picture with the window outlined, JPEG of at most 800 pixels.
        crops: the window cut out and straightened, JPEG.
        again: predict every picture, whatever is known of it.
    """

    overlays: bool = True
    crops: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A picture to predict, and what an earlier call found in it."""

    picture: Picture
    key: str = ""
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A picture's row, what it follows from, and whether it was made now rather than kept."""

    key: str
    row: Row
    fresh: bool


class Desk:
    """Turns pictures into rows and files; any number of threads may use it at once."""

    def __init__(self, predictor: Predictor, model: Model, folder: OutputFolder, wish: Wish) -> None:
        self._predictor = predictor
        self._model = model
        self._folder = folder
        self._wish = wish
        # A window is cut out of the whole picture; what the model sees, and an overlay shows, needs less.
        self._at_least = None if wish.crops else enough_for(predictor.size)
        self._turns = Turns()

    def do(self, task: Task) -> Done:
        """What is known of a picture if that still holds, else what is found in it now.

        Raises:
            OSError: the output folder cannot be written.
        """
        sha256 = key = ""
        try:
            data = _content(task.picture.path)
            sha256 = hashlib.sha256(data).hexdigest()
            key = f"{sha256} {self._model.digest} {PREPROCESSING}.{VERSION}"
            if task.row and task.key == key and self._is_whole(task.row):
                return Done(key, task.row, fresh=False)
            with self._turns.of(data):
                return Done(key, self._predicted(task.picture, sha256, data), fresh=True)
        except PictureError as error:
            return Done(key, self._failed(task.picture, sha256, error), fresh=True)

    def _is_whole(self, row: Row) -> bool:
        """Whether everything that is wished for is there."""
        wished = {MASKS: True, OVERLAYS: self._wish.overlays, CROPS: self._wish.crops and row.box is not None}
        kinds = [kind for kind, is_wished in wished.items() if is_wished]
        return bool(row.error) or all(self._folder.has(kind, row.picture) for kind in kinds)

    def _predicted(self, picture: Picture, sha256: str, data: bytes) -> Row:
        read = decode(data, at_least=self._at_least)
        found = self._predictor.predict_upright(read)
        polygon, box = shape_of(found.probabilities, read.size)
        drawn = {MASKS: mask_image(found.mask)}
        if self._wish.overlays:
            drawn[OVERLAYS] = overlay(read.image, predicted=found.mask, edge=_OVERLAY_EDGE)
        if self._wish.crops and box:
            drawn[CROPS] = straightened(read.image, box)
        places = {kind: self._folder.put(kind, picture.name, drawn.get(kind)) for kind in KINDS}
        return self._row(
            picture,
            sha256,
            width=read.size[0],
            height=read.size[1],
            found=found.coverage > 0,
            confidence=found.confidence,
            coverage=found.coverage,
            box=asdict(box) if box else None,
            polygon=polygon,
            mask=places[MASKS],
            overlay=places[OVERLAYS],
            crop=places[CROPS],
        )

    def _failed(self, picture: Picture, sha256: str, error: PictureError) -> Row:
        """The row of a picture that cannot be used; what was drawn of it before is taken away."""
        for kind in KINDS:
            self._folder.put(kind, picture.name, None)
        return self._row(picture, sha256, error=error.code, message=str(error))

    def _row(self, picture: Picture, sha256: str, **found: Any) -> Row:
        model = self._model
        return Row(picture=picture.name, sha256=sha256, model_version=model.version, model_digest=model.digest, **found)


def _content(path: Path) -> bytes:
    """A picture file's bytes.

    Raises:
        PictureError: `unreadable` or `too-large`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PictureError("unreadable", f"the file cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise PictureError("too-large", f"the file has more than {MAX_BYTES / 1e6:.0f} MB")
    return data
