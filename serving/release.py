"""What a release folder states of itself, believed only when the model's bytes agree."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from wms_ml.errors import DeploymentError

_TEXTS: Final = ("model_name", "model_version", "data_version", "digest", "tag")
_METRICS: Final = ("dice", "iou")


@dataclass(frozen=True, slots=True)
class Release:
    """A verified release.

    Attributes:
        model: its ONNX file, whose bytes hash to `digest`.
        model_name: name in the registry.
        model_version: version in the registry.
        data_version: data set the model was trained on.
        digest: `sha256:...` of the model file.
        tag: name of the release as a whole, code included.
        metrics: `dice` and `iou` on the test set, 0 to 1.
    """

    model: Path
    model_name: str
    model_version: str
    data_version: str
    digest: str
    tag: str
    metrics: dict[str, float]

    def stated(self) -> dict[str, Any]:
        """Everything but the file's place, as it is told to callers."""
        return {key: getattr(self, key) for key in (*_TEXTS, "metrics")}


def read(folder: Path) -> Release:
    """The release in `folder`, verified.

    Raises:
        DeploymentError: a file or a key is missing or malformed, or model.onnx is not the stated one.
    """
    file, model = folder / "release.json", folder / "model.onnx"
    stated = _content(file)
    texts = {key: _text(stated.get(key), key, file) for key in _TEXTS}
    _require_digest(model, texts["digest"])
    return Release(model=model, **texts, metrics=_metrics(stated.get("metrics"), file))


def _refuse(what: str, error: Exception | None = None) -> NoReturn:
    raise DeploymentError(f"{what}: delete this release folder and deploy the version again") from error


def _content(file: Path) -> dict[str, Any]:
    try:
        stated = json.loads(file.read_bytes())
    except OSError as error:
        _refuse(f"{file} cannot be read ({error.strerror})", error)
    except ValueError as error:
        _refuse(f"{file} is not JSON ({error})", error)
    if not isinstance(stated, dict):
        _refuse(f"{file} is not a JSON object")
    return stated


def _text(value: object, key: str, file: Path) -> str:
    # Some of these become HTTP headers, which carry printable ASCII only.
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        _refuse(f"{file} does not state '{key}' as a text of printable ASCII")
    return value


def _metrics(stated: object, file: Path) -> dict[str, float]:
    values: dict[str, object] = stated if isinstance(stated, dict) else {}
    return {key: _share(values.get(key), f"metrics.{key}", file) for key in _METRICS}


def _share(value: object, key: str, file: Path) -> float:
    # bool is an int to Python; NaN is a number to its JSON reader, and fails the comparison
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        _refuse(f"{file} does not state '{key}' as a number from 0 to 1")
    return float(value)


def _require_digest(model: Path, digest: str) -> None:
    try:
        with model.open("rb") as stream:
            found = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    except OSError as error:
        _refuse(f"{model} cannot be read ({error.strerror})", error)
    if found != digest:
        _refuse(f"{model} is {found}, release.json beside it states {digest}")
