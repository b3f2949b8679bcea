"""The file that people mean: by a registry version, an alias, an `.onnx` file or a pulled folder."""

import json
from pathlib import Path
from typing import Final

from wms.settings import load_settings
from wms_ml.errors import DataError
from wms_ml.files import digest_of
from wms_ml.folder_desk import Model

_FILE: Final = "model.onnx"
_STATED: Final = "model.json"
"""What `wms models pull` writes."""


def find_model(reference: str) -> tuple[Model, str]:
    """The model of a reference, and what to call it to people. Of a file or a pulled folder no registry is asked.

    Raises:
        DataError: no such file.
        RegistryError: no such version, or the registry does not answer.
    """
    given = Path(reference)
    if (given / _FILE).is_file():
        return _on_disk(given / _FILE), reference
    if given.suffix == ".onnx":
        return _on_disk(given), reference
    from wms.definitions import resources

    registry = resources(load_settings()).registry
    version = registry.get(reference)
    model = Model(registry.fetch(version), version.digest, version.version)
    return model, f"{version.name} version {version.version}"


def _on_disk(path: Path) -> Model:
    if not path.is_file():
        raise DataError(f"no model file at {path}")
    digest = digest_of(path)
    return Model(path, digest, _pulled_version(path.with_name(_STATED), digest))


def _pulled_version(stated: Path, digest: str) -> str:
    """The version that a pulled model says it is, as long as its bytes agree; empty for any other file.

    Raises:
        DataError: what lies beside the model is not what `wms models pull` writes.
    """
    if not stated.is_file():
        return ""
    try:
        content = json.loads(stated.read_text(encoding="utf-8"))
        return str(content["version"]) if content["digest"] == digest else ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{stated} does not state a model ({error!r}): pull the model again") from error
