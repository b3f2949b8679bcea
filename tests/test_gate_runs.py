"""Ways around the gate that Dagster offers, with the real definitions: each ends in a refusal, and nothing moves."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.gate_runs import PRODUCTION, TRAINED, HandedOver
from tests.promotion_world import Challenge
from wms.definitions import build
from wms.settings import load_settings
from wms_assets.deployment import deployed_image
from wms_assets.gate_check import better_than_production
from wms_assets.model import production_model
from wms_resources.data_repo import DataVersion
from wms_resources.registry import ModelVersion

pytest_plugins = ["tests.promotion_world"]
pytestmark = pytest.mark.slow


def gate_alone() -> dg.JobDefinition:
    """The check and what lies behind it, as a run that is retried from its failure has them."""
    selection = dg.AssetSelection.assets(production_model) | dg.AssetSelection.checks(better_than_production)
    mine = dg.Definitions(jobs=[dg.define_asset_job("gate_alone", selection)])
    return dg.Definitions.merge(build(load_settings()), mine).resolve_job_def("gate_alone")


class Runs(HandedOver):
    """A set-up whose `trained_model` handed over some version, and an instance that knows of it."""

    def __init__(self, challenge: Challenge) -> None:
        super().__init__(challenge.world)
        self.challenge = challenge
        self.instance = dg.DagsterInstance.ephemeral()

    def hand_over(self, version: ModelVersion, data_version: str = "v1") -> None:
        super().hand_over(version, data_version)
        self.instance.report_runless_asset_event(dg.AssetMaterialization(TRAINED))

    def materialize(self, *keys: dg.AssetKey) -> tuple[bool, str]:
        """Whether materializing these alone succeeded, and what was said."""
        job = build(load_settings()).resolve_implicit_global_asset_job_def()
        return said(job.execute_in_process(instance=self.instance, asset_selection=list(keys), raise_on_error=False))

    def refused(self, outcome: tuple[bool, str], why: str) -> None:
        succeeded, words = outcome
        assert not succeeded
        assert why in words
        self.challenge.check_nothing_moved()
        assert self.world.promoter.data_repo.accepted() is None


def said(result: Any) -> tuple[bool, str]:
    failures = [event.step_failure_data for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    words = [str(failure.user_failure_data.description) for failure in failures if failure.user_failure_data]
    return result.success, "; ".join([*words, *(str(failure.error) for failure in failures)])


@pytest.fixture
def runs(challenge: Challenge, monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs(challenge)
    for name, value in runs.environment.items():
        monkeypatch.setenv(name, value)
    return runs


@pytest.fixture
def worse(runs: Runs) -> ModelVersion:
    """A version that was judged, and is not better."""
    version = runs.world.version(b"worse")
    runs.world.judged(version, 0.4, runs.challenge.champion, 0.5)
    return version


def test_downstream_alone_promotes_what_has_its_evidence_and_says_who_did(runs: Runs) -> None:
    runs.hand_over(runs.challenge.challenger)
    succeeded, words = runs.materialize(PRODUCTION)
    assert succeeded, words
    runs.challenge.check_done()
    line = runs.world.history()[-1]
    assert line.by.startswith("dagster run ")
    accepted = runs.world.promoter.data_repo.accepted()
    assert accepted == DataVersion("main", runs.data.commit, runs.data.images_md5, runs.data.masks_md5)


def test_downstream_alone_refuses_what_is_not_better(runs: Runs, worse: ModelVersion) -> None:
    runs.hand_over(worse)
    runs.refused(runs.materialize(PRODUCTION), "not better than the model in production")


def test_downstream_alone_refuses_what_was_never_judged(runs: Runs) -> None:
    runs.hand_over(runs.world.version(b"unjudged"))
    runs.refused(runs.materialize(PRODUCTION), "no evidence for version 3")


def test_downstream_alone_refuses_a_value_of_another_champions_time(runs: Runs) -> None:
    runs.hand_over(runs.challenge.challenger)
    runs.world.promoted(b"another", 0.9)
    runs.challenge.before = runs.world.state()
    runs.refused(runs.materialize(PRODUCTION), "no evidence for version 2 against version 3")


def test_a_run_with_other_data_is_refused(runs: Runs) -> None:
    runs.hand_over(runs.challenge.challenger, data_version="v2")
    runs.refused(runs.materialize(PRODUCTION), "no evidence for version 2 against version 1 on data v2")


def test_a_check_that_passed_for_an_older_materialization_does_not_count(runs: Runs, worse: ModelVersion) -> None:
    runs.hand_over(runs.challenge.challenger)
    passed = dg.AssetCheckEvaluation(asset_key=TRAINED, check_name="better_than_production", passed=True)
    runs.instance.report_runless_asset_event(passed)
    runs.hand_over(worse)
    runs.refused(runs.materialize(PRODUCTION), "not better than the model in production")


def test_eager_automation_asks_for_production_and_is_refused(runs: Runs, worse: ModelVersion) -> None:
    eager = dg.AutomationCondition.eager()
    automated = build(load_settings()).map_resolved_asset_specs(
        func=lambda spec: spec.replace_attributes(automation_condition=eager),
        selection=dg.AssetSelection.assets(PRODUCTION),
    )
    start = dg.evaluate_automation_conditions(automated, runs.instance)
    runs.hand_over(worse)
    evaluated = dg.evaluate_automation_conditions(automated, runs.instance, cursor=start.cursor)
    assert evaluated.get_num_requested(PRODUCTION) == 1
    result = automated.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=runs.instance, asset_selection=[PRODUCTION], raise_on_error=False
    )
    runs.refused(said(result), "not better than the model in production")


def test_a_retry_from_the_failure_of_the_gate_is_refused_again(runs: Runs, worse: ModelVersion, tmp_path: Path) -> None:
    runs.hand_over(worse)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        job = dg.reconstructable(gate_alone)
        first = dg.execute_job(job, instance)
        runs.refused((first.success, said(first)[1]), "better_than_production")
        again = dg.execute_job(
            job, instance, reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, instance)
        )
        steps = {event.step_key for event in again.all_events if event.step_key}
        assert any("better_than_production" in step for step in steps)
        runs.refused((again.success, said(again)[1]), "better_than_production")


def test_deployment_alone_refuses_a_model_that_was_put_there_by_hand(runs: Runs) -> None:
    runs.world.move_by_hand(runs.challenge.challenger)
    succeeded, words = runs.materialize(deployed_image.key)
    assert not succeeded
    assert "somebody moved the alias by hand" in words
    assert not (runs.world.home / "releases").exists()
    assert not (runs.world.home / "service").exists()
