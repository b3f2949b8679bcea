"""Ways around the gate: evidence that is missing, stale, altered or about something else. Nothing may move."""

import json
from pathlib import Path

import pytest

from tests.builders import table
from tests.promotion_world import Challenge, World, evidence
from wms_ml.errors import GateError
from wms_ml.files import sha256_of
from wms_resources.evidence import Attempt
from wms_resources.registry import ModelVersion

pytest_plugins = ["tests.promotion_world"]


def evidence_file(world: World, version: ModelVersion) -> Path:
    (path,) = (world.home / "artifacts" / version.run_id).rglob("evidence/*.json")
    return path


def refused(challenge: Challenge, why: str, data_version: str = "v1") -> None:
    with pytest.raises(GateError, match=why) as refusal:
        challenge.world.promote(challenge.challenger, data_version=data_version)
    assert "wms run train_and_gate" in str(refusal.value)
    challenge.check_nothing_moved()


def test_with_its_evidence_the_challenger_is_promoted(challenge: Challenge) -> None:
    challenge.world.promote(challenge.challenger)
    challenge.check_done()


def test_without_evidence_nothing_moves(challenge: Challenge) -> None:
    evidence_file(challenge.world, challenge.challenger).unlink()
    refused(challenge, "no evidence for version 2 against version 1 on data v1")


def test_evidence_on_other_data_does_not_count(challenge: Challenge) -> None:
    refused(challenge, "no evidence for version 2 against version 1 on data v2", data_version="v2")


def test_evidence_against_an_empty_production_does_not_count_against_a_champion(challenge: Challenge) -> None:
    evidence_file(challenge.world, challenge.challenger).unlink()
    challenge.world.judged(challenge.challenger, 0.6, None)
    refused(challenge, "no evidence for version 2 against version 1")


def test_evidence_against_a_champion_that_was_replaced_since_does_not_count(challenge: Challenge) -> None:
    challenge.world.promoted(b"another", 0.9)
    challenge.before = challenge.world.state()
    refused(challenge, "no evidence for version 2 against version 3")


def test_evidence_that_a_person_edited_does_not_count(challenge: Challenge) -> None:
    path = evidence_file(challenge.world, challenge.challenger)
    text = path.read_text()
    path.write_text(text.replace('"dice": 0.6', '"dice": 0.9'))
    assert path.read_text() != text
    refused(challenge, "is not the file that was written when it was judged")


def test_evidence_whose_hash_was_never_noted_does_not_count(challenge: Challenge) -> None:
    """As after a crash between writing the file and noting its hash."""
    path = evidence_file(challenge.world, challenge.challenger)
    client = challenge.world.registry.client
    client.delete_model_version_tag("m", challenge.challenger.version, f"evidence/{path.name}")
    refused(challenge, "is not the file that was written when it was judged")


def test_evidence_of_another_version_that_was_copied_over_does_not_count(challenge: Challenge) -> None:
    """Nor with its hash: somebody who can write to the registry would have to forge all of it."""
    world, other = challenge.world, challenge.world.version(b"other", seed="1")
    world.judged(other, 0.9, challenge.champion, 0.5, attempts=(Attempt(1, 5, 0.9, 0.9, True),))
    path = evidence_file(world, challenge.challenger)
    path.write_bytes(evidence_file(world, other).read_bytes())
    refused(challenge, "is not the file that was written")
    world.registry.note(challenge.challenger.version, {f"evidence/{path.name}": f"sha256:{sha256_of(path)}"})
    refused(challenge, "is about something else .*version 3, not 2.*scored model .*chosen seed 1, not 0")


def test_evidence_of_another_split_does_not_count(challenge: Challenge) -> None:
    challenge.world.judged(challenge.challenger, 0.6, challenge.champion, 0.5, split_version="1")
    refused(challenge, "about something else .*split version 1, not 2")


def test_evidence_of_an_earlier_releases_form_does_not_count_and_says_what_to_do(challenge: Challenge) -> None:
    path = evidence_file(challenge.world, challenge.challenger)
    values = json.loads(path.read_text())
    del values["challenger_scores"]["form"]
    path.write_text(json.dumps(values))
    noted = {f"evidence/{path.name}": f"sha256:{sha256_of(path)}"}
    challenge.world.registry.note(challenge.challenger.version, noted)
    refused(challenge, "a score table of form 1, this release reads form 2")


def test_a_verdict_in_the_evidence_is_not_believed(challenge: Challenge) -> None:
    """It says improved; the scores beside it say something else, and are judged again."""
    better = evidence(challenge.challenger, 0.6, challenge.champion, 0.5).verdict
    assert better["improved"]
    challenge.world.judged(challenge.challenger, 0.4, challenge.champion, 0.5, verdict=better)
    with pytest.raises(GateError, match="not better than the model in production"):
        challenge.world.promote(challenge.challenger)
    challenge.check_nothing_moved()


def test_scores_on_other_pictures_than_the_champions_do_not_count(challenge: Challenge) -> None:
    fewer = table(0.9, model=challenge.challenger.digest)
    challenge.world.judged(challenge.challenger, 0.9, challenge.champion, 0.5, challenger_scores=fewer)
    with pytest.raises(GateError, match="same pictures"):
        challenge.world.promote(challenge.challenger)
    challenge.check_nothing_moved()


def test_only_one_place_in_the_project_moves_an_alias() -> None:
    root = Path(__file__).resolve().parent.parent
    packages = ("wms", "wms_assets", "wms_resources", "wms_sensors", "wms_ml", "serving")
    files = [path for package in packages for path in (root / package).rglob("*.py")]
    assert [path.name for path in files if "set_registered_model_alias" in path.read_text()] == ["production_alias.py"]
