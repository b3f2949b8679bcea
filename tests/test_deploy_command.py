"""`wms deploy`, `rollback`, `status` and `ab`: what serves and what is in production stay one."""

from pathlib import Path

import pytest

from tests.bad_models import fails_on_blue, marks_green
from tests.deployments_world import Command, DeploymentsWorld, told
from tests.rollout_world import blue_photo
from wms.runs import RunFailedError
from wms_ml.errors import DeploymentError, GateError

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.deployments_world"]


def scored(deployments: DeploymentsWorld, name: str) -> None:
    """A version that was judged and is not in production."""
    deployments.judged(deployments.version(name), [0.55] * 12, deployments.parts.registry.champion())


def test_the_model_in_production_is_deployed_and_shown(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    deployed = told(cli, "deploy")
    assert (deployed["model_version"], deployed["environment"]) == ("1", "production")
    assert deployments.answers() == "1"
    (shown,) = deployments.shown()
    assert (shown["model version"], shown["address"], shown["replaced"]) == ("1", deployed["address"], "nothing")


def test_without_a_model_in_production_nothing_is_deployed(deployments: DeploymentsWorld, cli: Command) -> None:
    with pytest.raises(RunFailedError, match=r"no version of .* is in production yet"):
        cli("deploy")
    assert deployments.serves() == (None, None)
    assert deployments.incidents() == []


def test_a_model_of_nonsense_does_not_reach_people_and_production_moves_back(
    deployments: DeploymentsWorld, cli: Command
) -> None:
    deployments.promoted("one")
    cli("deploy")
    deployments.promoted("two", write=marks_green)
    with pytest.raises(RunFailedError, match="does not find the windows of the golden pictures"):
        cli("deploy")
    assert deployments.answers() == "1"
    assert deployments.production() == "1"
    (incident,) = deployments.incidents()
    assert (incident.model_version, incident.alias, incident.closed) == ("2", "'production' is version 1 again", "")
    last = deployments.parts.promoter.history()[-1]
    assert (last.action, last.version, last.by) == ("rollback", "1", "a failed rollout")
    assert deployments.shown("production_model")[0]["version"] == "1"
    (found,) = told(cli, "status", "--environment", "production", expect=1)
    assert found["incident"] == incident.name
    assert told(cli, "deploy")["model_version"] == "1"


def test_rolling_back_moves_the_registry_and_the_service_and_says_why(
    deployments: DeploymentsWorld, cli: Command
) -> None:
    deployments.promoted("one")
    cli("deploy")
    deployments.promoted("two")
    cli("deploy")
    assert deployments.answers() == "2"
    assert told(cli, "rollback", "--reason", "it misses the small ones")["model_version"] == "1"
    assert (deployments.answers(), deployments.production()) == ("1", "1")
    last = deployments.parts.promoter.history()[-1]
    assert (last.by, last.reason) == ("ann", "it misses the small ones")
    assert told(cli, "status", "--environment", "production")[0]["trouble"] == ""


@pytest.mark.parametrize("way", [("deploy",), ("rollback", "--reason", "it fails on what people send")])
def test_what_serves_and_fails_does_not_keep_the_next_version_out(
    deployments: DeploymentsWorld, cli: Command, tmp_path: Path, way: tuple[str, ...]
) -> None:
    deployments.promoted("one")
    cli("deploy")
    deployments.promoted("two", write=fails_on_blue)
    cli("deploy")
    (tmp_path / "golden" / "images" / "a.png").write_bytes(blue_photo())
    if way == ("deploy",):
        deployments.promoted("three")
    assert told(cli, *way)["model_version"] == deployments.answers() == deployments.production() != "2"


def test_with_nothing_to_go_back_to_nothing_changes(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    cli("deploy")
    with pytest.raises(RunFailedError, match="nothing to roll back to"):
        cli("rollback", "--reason", "why not")
    assert deployments.answers() == "1"


def test_staging_takes_any_version_and_production_does_not(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    scored(deployments, "two")
    cli("deploy")
    assert told(cli, "deploy", "--environment", "staging", "--version", "2")["model_version"] == "2"
    assert (deployments.serves("staging"), deployments.serves()) == (("2", None), ("1", None))
    with pytest.raises(RunFailedError, match="wms models promote"):
        cli("deploy", "--version", "2")
    assert (deployments.serves(), deployments.production()) == (("1", None), "1")


def test_an_environment_that_does_not_exist_is_named(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    with pytest.raises(RunFailedError, match="no environment 'prod'; there are staging, production"):
        cli("deploy", "--environment", "prod")


def test_status_says_what_serves_and_what_should(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    (staging, production) = told(cli, "status", expect=1)
    assert production["trouble"] == "nothing serves: `wms deploy`"
    assert staging["trouble"] == ""
    cli("deploy")
    deployments.promoted("two")
    found = cli("status", expect=1).stdout
    assert "version 2 is in production: `wms deploy`" in found


def test_two_versions_stand_side_by_side_until_somebody_ends_it(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    cli("deploy")
    scored(deployments, "two")
    cli("ab", "start", "2", "--share", "0.3")
    assert deployments.serves() == ("1", "2")
    canary = told(cli, "status", "--environment", "production")[0]["canary"]
    assert (canary["share"], canary["trial"]) == (0.3, True)
    with pytest.raises(RunFailedError, match="wms ab stop"):
        cli("deploy")
    cli("ab", "stop")
    assert deployments.serves() == ("1", None)
    assert "there was no A/B test" in cli("ab", "stop").stderr


def test_another_deployment_is_not_disturbed(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    with (
        deployments.parts.deployer.environments.open("production").lock(),
        pytest.raises(RunFailedError, match="another deployment"),
    ):
        cli("deploy")
    assert deployments.incidents() == []


def test_a_registry_of_images_that_is_away_moves_nothing(
    deployments: DeploymentsWorld, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployments.promoted("one")
    monkeypatch.setenv("WMS_DEPLOY_TARGET", "container")
    monkeypatch.setenv("WMS_IMAGE_REPOSITORY", "127.0.0.1:9/meters")
    with pytest.raises(RunFailedError, match="WMS_IMAGE_REPOSITORY"):
        cli("deploy")
    assert (deployments.production(), deployments.incidents()) == ("1", [])


def test_production_that_was_moved_by_hand_is_not_deployed(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    scored(deployments, "two")
    deployments.parts.registry.client.set_registered_model_alias(deployments.settings.model_name, "production", "2")
    with pytest.raises(RunFailedError, match="somebody moved the alias by hand"):
        cli("deploy")
    with pytest.raises(GateError):
        cli("status")


def test_a_version_of_no_service_cannot_be_tested(deployments: DeploymentsWorld, cli: Command) -> None:
    deployments.promoted("one")
    with pytest.raises(DeploymentError, match="nothing does: deploy a version first"):
        cli("ab", "start", "1")
