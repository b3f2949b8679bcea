"""The model card: every figure a recorded fact, everything else said to be unknown, attached to its version."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import pair, table
from tests.models_world import ModelsWorld
from wms_ml.card_facts import CardFacts, data_facts
from wms_ml.card_page import card_page
from wms_ml.card_words import duration, limits, summary
from wms_ml.model_card import card
from wms_ml.scoring import ScoreTable
from wms_resources.model_cards import attach_card
from wms_resources.model_facts import card_facts

pytest_plugins = ["tests.models_world"]

BARE = CardFacts(name="meters", version="7", data_version="d0d0cafe", file_bytes=12_300_000, lineage={"drop": ""})
SHEETS = {name: f"jpeg {name}".encode() for name in ("best", "median", "worst")}


def scored(*dice: float, **values: Any) -> CardFacts:
    """Facts with scores, and a champion that has 0.5 on every picture."""
    champion = table(*[0.5] * len(dice), model="sha256:b")
    return replace(BARE, scores=table(*dice), champion="6", champion_scores=champion, **values)


def with_brightness(scores: ScoreTable, *values: float) -> ScoreTable:
    rows = (replace(row, brightness=value) for row, value in zip(scores.rows, values, strict=True))
    return replace(scores, rows=tuple(rows))


def page_of(facts: CardFacts) -> str:
    return card_page(facts, card(facts))


class Page(HTMLParser):
    """What a page refers to, and its headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_headings_are_those_that_people_know_from_the_hub() -> None:
    assert re.findall(r"^## (.*)$", card(BARE), re.MULTILINE) == [
        "Model Details",
        "Uses",
        "Bias, Risks, and Limitations",
        "How to Get Started with the Model",
        "Training Details",
        "Evaluation",
        "Environmental Impact",
        "Technical Specifications",
        "Model Card Authors",
        "Model Card Contact",
    ]


def test_programs_read_the_scores_from_the_cards_head() -> None:
    head = yaml.safe_load(card(scored(*[0.8] * 12)).split("---\n")[1])
    (result,) = head["model-index"][0]["results"]
    assert head["model-index"][0]["name"] == "meters"
    assert (result["dataset"]["revision"], result["dataset"]["split"]) == ("v1", "test")
    assert {each["type"]: each["value"] for each in result["metrics"]}["dice"] == pytest.approx(0.8)


def test_what_was_not_recorded_is_said_to_be_unknown_and_never_made_up() -> None:
    text = card(BARE)
    assert yaml.safe_load(text.split("---\n")[1]).keys() == {"library_name", "pipeline_tag", "tags", "metrics"}
    assert "| drop | not recorded |" in text
    assert "This version was not scored on test pictures." in text
    assert "Training time, energy and emissions were not recorded." in text
    assert not re.search(r"None[^.]|nan|undefined", text)


def test_means_stand_beside_the_champions_with_the_paired_interval() -> None:
    text = card(scored(*[0.8] * 12))
    assert "Against version 6" in text
    assert "| Dice | 0.8000 | 0.5000 | +0.3000 | +0.3000 to +0.3000 |" in text


def test_kinds_of_pictures_that_were_not_tested_or_go_badly_are_limits() -> None:
    dark, light = [0.5] * 10, [0.9] * 30
    scores = with_brightness(table(*dark, *light), *[30.0] * 10, *[100.0] * 30)
    said = "\n".join(limits(replace(BARE, scores=scores)))
    assert "No picture of these kinds was tested: orientation upside down (3)" in said
    assert "Weak on brightness dark (below 60): Dice 0.500 against 0.800 on all pictures." in said
    assert "Weak on brightness medium" not in said


def test_pictures_where_nothing_was_found_are_counted() -> None:
    assert "On 2 of 12 test pictures it found nothing." in limits(scored(0.0, 0.0, *[0.8] * 10))


def test_the_data_set_is_described_by_its_pairs() -> None:
    pairs = [replace(pair(name), dropped_at="2026-03-04T05:06:07+00:00", width=2000, height=1000) for name in "abc"]
    facts = replace(BARE, data=data_facts([*pairs, replace(pair("d", drop="d2"), orientation=6)]))
    text = card(facts)
    assert "4 pairs of picture and mask from 2 drops, 2026-03-04 to 2026-03-04." in text
    assert "| picture, megapixels | 0.6 | 2.0 | 2.0 |" in text
    assert "| pictures stored turned or mirrored | | 25 % | |" in text
    assert "(4 pairs)" in summary(facts)


def test_a_value_with_a_pipe_or_a_line_break_breaks_no_table() -> None:
    text = card(replace(BARE, environment={"cpu": "odd | one\ntwo"}))
    assert "| cpu | odd \\| one two |" in text


def test_the_page_holds_its_pictures_and_refers_to_nothing_outside() -> None:
    page = Page(page_of(scored(*[0.8] * 12, sheets=SHEETS, sheets_side="test")))
    embedded = [each for each in page.references if each.startswith("data:image/jpeg;base64,")]
    assert [base64.b64decode(each.partition(",")[2]) for each in embedded] == list(SHEETS.values())
    assert all(each.startswith("#") for each in page.references if each not in embedded)
    assert "script" not in page.tags


def test_the_page_says_what_the_markdown_says() -> None:
    facts = scored(*[0.8] * 12)
    page = page_of(facts)
    for heading in re.findall(r"^#{2,4} (.*)$", card(facts), re.MULTILINE):
        assert f">{heading.replace('&', '&amp;')}</h" in page
    assert "+0.3000 to +0.3000" in page


def test_the_page_needs_no_scores() -> None:
    assert "not scored on test pictures" in page_of(BARE)


def test_names_from_strangers_are_text_on_the_page() -> None:
    page = Page(page_of(replace(BARE, name="<script>x</script>", environment={"cpu": "<img src=http://x>"})))
    assert "script" not in page.tags
    assert "http://x" not in page.references


@pytest.mark.parametrize(("seconds", "said"), [(47.4, "47 s"), (754.0, "13 min"), (12_240.0, "3.4 h")])
def test_durations_are_given_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def attached(models: ModelsWorld) -> dict[str, bytes]:
    folder = next((models.home / "mlflow" / "artifacts").rglob("card"))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_attaching_a_card_twice_changes_nothing_and_mends_what_is_missing(models: ModelsWorld, tmp_path: Path) -> None:
    (version,) = models.promoted("one")
    sheets = models.sheets(tmp_path / "sheets", b"test ")
    registry = models.parts.registry
    attach_card(registry, version, [pair("a")], sheets)
    first = attached(models)
    assert first.keys() == {"README.md", "model-card.html", "best.jpg", "median.jpg", "worst.jpg"}
    next((models.home / "mlflow" / "artifacts").rglob("card/README.md")).unlink()
    attach_card(registry, version, [pair("a")], sheets)
    assert attached(models) == first
    described = registry.client.get_model_version(version.name, version.version).description
    assert "Dice 0.6550" in described
    assert "Pictures of the test side" in first["README.md"].decode()


def test_a_card_is_made_of_what_mlflow_and_the_gate_recorded(models: ModelsWorld) -> None:
    _, version = models.promoted("one", "two")
    facts = card_facts(models.parts.registry, models.parts.registry.get(version.version))
    assert (facts.champion, facts.training_seconds, facts.recipe["encoder"]) == ("1", 754.0, "resnet18")
    assert facts.environment == {"cpu": "Slow, 2 cores", "gpu": "none", "python": "3.11.9"}
    text = card(facts)
    assert "trained for 13 min on Slow, 2 cores" in text
    assert f"| model digest | {version.digest} |" in text
    assert "| 0 | 5 | 0.7500 | 0.6000 | chosen |" in text


def test_without_sheets_of_the_test_side_those_of_validation_are_shown_as_such(
    models: ModelsWorld, tmp_path: Path
) -> None:
    version = models.version()
    folder = models.sheets(tmp_path / "validation", b"validation ")
    for name in ("best", "worst"):
        models.parts.registry.client.log_artifact(version.run_id, str(folder / f"{name}.jpg"), "validation")
    facts = card_facts(models.parts.registry, version, sheets=tmp_path / "nothing here")
    assert facts.sheets == {"best": b"validation best", "worst": b"validation worst"}
    assert "Pictures of the validation side" in card(facts)
