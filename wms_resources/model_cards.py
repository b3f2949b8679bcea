"""The card of a version: written, and attached where people look at the model, in its MLflow run and the registry."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from wms_ml.card_facts import CardFacts
from wms_ml.card_page import card_page
from wms_ml.card_words import summary
from wms_ml.files import write_whole
from wms_ml.model_card import card
from wms_ml.pairs import Pair
from wms_resources.model_facts import card_facts
from wms_resources.registry import ModelVersion, Registry
from wms_resources.tracked_run import TrackedRun

PLACE: Final = "card"
"""Where a version's MLflow run keeps its card."""


def write_card(facts: CardFacts, folder: Path) -> None:
    """Write `README.md`, `model-card.html` and the pictures that the former links to into an existing folder."""
    for name, content in facts.sheets.items():
        (folder / f"{name}.jpg").write_bytes(content)
    text = card(facts)
    write_whole(folder / "model-card.html", card_page(facts, text))
    write_whole(folder / "README.md", text)


def attach_card(
    registry: Registry, version: ModelVersion, pairs: Sequence[Pair] = (), sheets: Path | None = None
) -> None:
    """Keep the card with the version's MLflow run, and its summary as the version's description.

    The same facts give the same card: doing it again changes nothing, and mends what a killed process left half done.

    Args:
        pairs: of the data set it was trained on.
        sheets: folder with `best.jpg`, `median.jpg` and `worst.jpg` of the test side.

    Raises:
        RegistryError: the registry does not answer.
    """
    version = registry.get(version.version)  # what was noted since the caller read it belongs to the card
    facts = card_facts(registry, version, pairs, sheets)
    run = TrackedRun(registry.client, registry.uri, version.run_id, "", registry.patience_seconds)
    with tempfile.TemporaryDirectory() as scratch:
        write_card(facts, Path(scratch))
        run.files(Path(scratch), PLACE)
    describe = partial(registry.client.update_model_version, version.name, version.version, summary(facts))
    registry.ask(f"describe version {version.version}", describe)
