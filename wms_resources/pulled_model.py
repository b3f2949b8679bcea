"""A version to take away: the model file, its card and what it is, in a folder that needs nothing of this platform."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from wms_ml.errors import DataError, RegistryError
from wms_ml.files import digest_of
from wms_resources.data_history import refuse_taken
from wms_resources.model_cards import PLACE, write_card
from wms_resources.model_facts import card_facts
from wms_resources.production_records import metadata
from wms_resources.registry import ModelVersion, Registry

MODEL: Final = "model.onnx"
STATED: Final = "model.json"


def pull_model(registry: Registry, version: ModelVersion, out: Path) -> None:
    """Make `out` hold `model.onnx`, `model.json` and the card: whole, or it stays as it was.

    Raises:
        DataError: there is something at `out` already, or it cannot be written to.
        RegistryError: the registry does not answer, or has another file than was registered.
    """
    refuse_taken(out)
    source, place = registry.fetch(version), out.absolute()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as scratch:
            folder = _card(registry, version, Path(scratch))
            shutil.copyfile(source, folder / MODEL)
            if digest_of(folder / MODEL) != version.digest:
                raise RegistryError(f"the copy of version {version.version} in {out} is damaged: look at the disk")
            stated = {**metadata(version), **version.metrics, "file": MODEL}
            (folder / STATED).write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")
            folder.replace(place)
    except OSError as error:
        raise DataError(f"{out} cannot be made ({error}): choose another place with --out") from error


def _card(registry: Registry, version: ModelVersion, scratch: Path) -> Path:
    """A folder with the card that was attached at promotion, or one that is written now."""
    entries = registry.ask("look for the card", lambda: registry.client.list_artifacts(version.run_id, PLACE))
    if entries:
        fetch = registry.client.download_artifacts
        return Path(registry.ask("fetch the card", lambda: fetch(version.run_id, PLACE, str(scratch))))
    folder = scratch / PLACE
    folder.mkdir()
    write_card(card_facts(registry, version), folder)
    return folder
