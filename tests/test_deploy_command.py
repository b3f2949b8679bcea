"""`wms deploy`, `rollback`, `status` and `ab`: what serves and what is in production stay one."""

import pytest

from tests.bad_models import marks_green
from tests.deployments_world import Command, DeploymentsWorld, told
from wms.runs import RunFailedError
from wms_ml.errors import DeploymentError, GateError

pytest_plugins = ["tests.deployments_world"]


def scored(world: DeploymentsWorld, name: str) -> None:
    """A version that was judged and is not in production."""
    world.judged(world.version(name), [0.55] * 12, world.parts.registry.champion())


def test_the_model_in_production_is_deployed_and_shown(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    deployed = told(wms, "deploy")
    assert (deployed["model_version"], deployed["environment"]) == ("1", "production")
    assert world.answers() == "1"
    (shown,) = world.shown()
    assert (shown["model version"], shown["address"], shown["replaced"]) == ("1", deployed["address"], "nothing")


def test_without_a_model_in_production_nothing_is_deployed(world: DeploymentsWorld, wms: Command) -> None:
    with pytest.raises(RunFailedError, match=r"no version of .* is in production yet"):
        wms("deploy")
    assert world.serves() == (None, None)
    assert world.incidents() == []


def test_a_model_of_nonsense_does_not_reach_people_and_production_moves_back(
    world: DeploymentsWorld, wms: Command
) -> None:
    world.promoted("one")
    wms("deploy")
    world.promoted("two", write=marks_green)
    with pytest.raises(RunFailedError, match="does not find the windows of the golden pictures"):
        wms("deploy")
    assert world.answers() == "1"
    assert world.production() == "1"
    (incident,) = world.incidents()
    assert (incident.model_version, incident.alias, incident.closed) == ("2", "'production' is version 1 again", "")
    last = world.parts.promoter.history()[-1]
    assert (last.action, last.version, last.by) == ("rollback", "1", "a failed rollout")
    assert world.shown("production_model")[0]["version"] == "1"
    (found,) = told(wms, "status", "--environment", "production", expect=1)
    assert found["incident"] == incident.name
    assert told(wms, "deploy")["model_version"] == "1"


def test_rolling_back_moves_the_registry_and_the_service_and_says_why(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    wms("deploy")
    world.promoted("two")
    wms("deploy")
    assert world.answers() == "2"
    assert told(wms, "rollback", "--reason", "it misses the small ones")["model_version"] == "1"
    assert (world.answers(), world.production()) == ("1", "1")
    last = world.parts.promoter.history()[-1]
    assert (last.by, last.reason) == ("ann", "it misses the small ones")
    assert told(wms, "status", "--environment", "production")[0]["trouble"] == ""


def test_with_nothing_to_go_back_to_nothing_changes(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    wms("deploy")
    with pytest.raises(RunFailedError, match="nothing to roll back to"):
        wms("rollback", "--reason", "why not")
    assert world.answers() == "1"


def test_staging_takes_any_version_and_production_does_not(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    scored(world, "two")
    wms("deploy")
    assert told(wms, "deploy", "--environment", "staging", "--version", "2")["model_version"] == "2"
    assert (world.serves("staging"), world.serves()) == (("2", None), ("1", None))
    with pytest.raises(RunFailedError, match="wms models promote"):
        wms("deploy", "--version", "2")
    assert (world.serves(), world.production()) == (("1", None), "1")


def test_an_environment_that_does_not_exist_is_named(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    with pytest.raises(RunFailedError, match="no environment 'prod'; there are staging, production"):
        wms("deploy", "--environment", "prod")


def test_status_says_what_serves_and_what_should(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    (staging, production) = told(wms, "status", expect=1)
    assert production["trouble"] == "nothing serves: `wms deploy`"
    assert staging["trouble"] == ""
    wms("deploy")
    world.promoted("two")
    found = wms("status", expect=1).stdout
    assert "version 2 is in production: `wms deploy`" in found


def test_two_versions_stand_side_by_side_until_somebody_ends_it(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    wms("deploy")
    scored(world, "two")
    wms("ab", "start", "2", "--share", "0.3")
    assert world.serves() == ("1", "2")
    canary = told(wms, "status", "--environment", "production")[0]["canary"]
    assert (canary["share"], canary["trial"]) == (0.3, True)
    with pytest.raises(RunFailedError, match="wms ab stop"):
        wms("deploy")
    wms("ab", "stop")
    assert world.serves() == ("1", None)
    assert "there was no A/B test" in wms("ab", "stop").stderr


def test_another_deployment_is_not_disturbed(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    with (
        world.parts.deployer.environments.open("production").lock(),
        pytest.raises(RunFailedError, match="another deployment"),
    ):
        wms("deploy")
    assert world.incidents() == []


def test_a_registry_of_images_that_is_away_moves_nothing(
    world: DeploymentsWorld, wms: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.promoted("one")
    monkeypatch.setenv("WMS_DEPLOY_TARGET", "container")
    monkeypatch.setenv("WMS_IMAGE_REPOSITORY", "127.0.0.1:9/meters")
    with pytest.raises(RunFailedError, match="WMS_IMAGE_REPOSITORY"):
        wms("deploy")
    assert (world.production(), world.incidents()) == ("1", [])


def test_production_that_was_moved_by_hand_is_not_deployed(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    scored(world, "two")
    world.parts.registry.client.set_registered_model_alias(world.settings.model_name, "production", "2")
    with pytest.raises(RunFailedError, match="somebody moved the alias by hand"):
        wms("deploy")
    with pytest.raises(GateError):
        wms("status")


def test_a_version_of_no_service_cannot_be_tested(world: DeploymentsWorld, wms: Command) -> None:
    world.promoted("one")
    with pytest.raises(DeploymentError, match="nothing does: deploy a version first"):
        wms("ab", "start", "1")
