"""What counts as evidence: exactly what was written, about exactly this version, champion and data."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from tests.builders import table
from tests.promotion_world import CODE, evidence
from wms_ml.errors import GateError
from wms_resources.evidence import Attempt, Evidence, check_evidence, evidence_path
from wms_resources.registry import ModelVersion

TAGS = {"seed": "0", "code_version": CODE}
CHAMPION = ModelVersion("m", "1", "run-1", "sha256:champion", "v1", TAGS)
CHALLENGER = ModelVersion("m", "2", "run-2", "sha256:challenger", "v1", TAGS)


def checked(content: bytes, champion: ModelVersion | None = CHAMPION) -> Evidence:
    """Read it as evidence for the challenger, to which it was bound."""
    noted = {evidence_path(champion and champion.version, "v1"): f"sha256:{sha256(content).hexdigest()}"}
    return check_evidence(content, replace(CHALLENGER, tags=TAGS | noted), champion, "v1")


def refused(content: bytes, why: str, champion: ModelVersion | None = CHAMPION) -> None:
    with pytest.raises(GateError, match=why) as refusal:
        checked(content, champion)
    assert "wms run train_and_gate" in str(refusal.value)


@pytest.mark.parametrize("champion", [CHAMPION, None])
def test_evidence_is_read_as_it_was_written(champion: ModelVersion | None) -> None:
    made = evidence(CHALLENGER, 0.6, champion, 0.5)
    read = checked(made.dump(), champion)
    assert read.challenger_scores == made.challenger_scores
    assert read.champion_scores == made.champion_scores
    assert read.attempts == made.attempts
    assert read.digest == made.digest


ABOUT_OTHERS: dict[str, dict[str, Any]] = {
    "version 9, not 2": {"version": "9"},
    "version in production 7, not 1": {"champion": "7"},
    "data v7, not v1": {"data_version": "v7"},
    "split version 1, not 2": {"split_version": "1"},
    "code other, not code of the attempt": {"code_version": "other"},
    "scored model sha256:x, not sha256:challenger": {"challenger_scores": table(0.6, model="sha256:x")},
    "scored data v7, not v1": {"challenger_scores": table(0.6, model=CHALLENGER.digest, data_version="v7")},
    "scored side train, not test": {"challenger_scores": table(0.6, model=CHALLENGER.digest, split="train")},
    "scored model in production sha256:x, not": {"champion_scores": table(0.1, model="sha256:x")},
    "scored data of production v7, not v1": {"champion_scores": table(0.1, model=CHAMPION.digest, data_version="v7")},
    "scored side of production validation, not test": {
        "champion_scores": table(0.1, model=CHAMPION.digest, split="validation")
    },
    "scored model in production None, not sha256:champion": {"champion_scores": None},
    "chosen seed 1, not 0": {"attempts": (Attempt(1, 5, 0.7, 0.6, True),)},
    "chosen seed none, not 0": {"attempts": (Attempt(0, 5, 0.7, 0.6, False),)},
    "chosen seed 0, 0, not 0": {"attempts": (Attempt(0, 5, 0.7, 0.6, True),) * 2},
    "seed 0 was not the best on validation": {
        "attempts": (Attempt(0, 5, 0.6, 0.6, True), Attempt(1, 5, 0.7, 0.6, False))
    },
}


@pytest.mark.parametrize("named", ABOUT_OTHERS)
def test_evidence_about_something_else_does_not_count(named: str) -> None:
    refused(evidence(CHALLENGER, 0.6, CHAMPION, 0.5, ABOUT_OTHERS[named]).dump(), f"about something else .*{named}")


def test_a_comparison_with_a_champion_does_not_count_for_an_empty_production() -> None:
    refused(evidence(CHALLENGER, 0.6, CHAMPION, 0.5).dump(), "version in production 1, not None", champion=None)


def test_a_version_that_does_not_say_which_code_and_seed_made_it_has_no_evidence() -> None:
    made = evidence(CHALLENGER, 0.6, None, other={"code_version": None})
    bare = replace(CHALLENGER, tags={evidence_path(None, "v1"): made.digest})
    with pytest.raises(GateError, match=r"code None, not unknown; chosen seed 0, not None"):
        check_evidence(made.dump(), bare, None, "v1")


def test_what_was_changed_by_one_character_does_not_count() -> None:
    made = evidence(CHALLENGER, 0.6, CHAMPION, 0.5)
    bound = replace(CHALLENGER, tags=TAGS | {evidence_path("1", "v1"): made.digest})
    assert check_evidence(made.dump(), bound, CHAMPION, "v1").version == "2"
    with pytest.raises(GateError, match="is not the file that was written"):
        check_evidence(made.dump() + b" ", bound, CHAMPION, "v1")


DAMAGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "is of form 1, this release reads form 2": lambda values: values.pop("form"),
    "is of form 3, this release reads form 2": lambda values: values.update(form=3),
    "a score table of form 1, this release reads form 2": lambda values: values["challenger_scores"].pop("form"),
    r"is damaged \(TypeError.*split_version": lambda values: values.pop("split_version"),
    r"is damaged \(TypeError.*surprise": lambda values: values.update(surprise=1),
    r"is damaged \(KeyError.*attempts": lambda values: values.pop("attempts"),
    r"is damaged \(TypeError.*seed": lambda values: values["attempts"][0].pop("seed"),
    "holds no scores of it": lambda values: values.update(challenger_scores=None),
    r"dice of picture 0 is '0\.9'": lambda values: values["challenger_scores"]["rows"][0].update(dice="0.9"),
}


@pytest.mark.parametrize("said", DAMAGED)
def test_evidence_that_is_damaged_or_of_another_form_does_not_count(said: str) -> None:
    values = json.loads(evidence(CHALLENGER, 0.6, CHAMPION, 0.5).dump())
    DAMAGED[said](values)
    refused(json.dumps(values).encode(), said)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'"text"', b"{", b"\xff"])
def test_what_is_no_evidence_at_all_does_not_count(content: bytes) -> None:
    refused(content, "is damaged")
