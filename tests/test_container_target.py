"""What only services of containers do: their images are pulled, they have no rights, and docker starts them again."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.containers import Image, built
from tests.machine_bench import TAGS, Bench, bench, images_of_releases, until
from tests.registry_server import PASSWORD, USER, serving, with_password
from tests.rig import free_port
from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.targets import Track
from wms_resources.images.registry_login import Credentials
from wms_resources.machine.container_command import ContainerCommand
from wms_resources.machine.container_target import ContainerTarget
from wms_resources.machine.instances import Role
from wms_resources.machine.service_containers import ServiceContainer


@pytest.fixture(scope="module")
def code() -> Iterator[Image]:
    with built() as image:
        yield image


@pytest.fixture(scope="module")
def images(code: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with images_of_releases(code, tmp_path_factory.mktemp("images")) as images:
        yield images


@pytest.fixture
def service(images: dict[str, str], tmp_path: Path) -> Iterator[Bench]:
    """Not deployed to yet."""
    with bench(tmp_path, ContainerTarget, images) as service:
        yield service


def inspected(service: Bench, role: Role) -> dict:
    (found,) = service.found(role)
    assert isinstance(found, ServiceContainer)
    (stated,) = json.loads(found._command.required("inspect", found._id))
    return stated


def die(service: Bench) -> None:
    """Kill the stable one from outside docker, and wait until it serves again."""
    before = inspected(service, Role.STABLE)["State"]["Pid"]
    os.kill(before, signal.SIGKILL)
    until(lambda: inspected(service, Role.STABLE)["State"]["Pid"] not in (before, 0))
    until(service.target.current)


def test_a_stable_container_has_no_rights_and_comes_back_when_it_dies(service: Bench) -> None:
    service.target.put(Track.STABLE, service.old)
    before = inspected(service, Role.STABLE)
    host = before["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"]) == (True, ["ALL"], ["no-new-privileges"])
    assert before["Config"]["User"] not in ("", "0", "0:0")
    assert [(each["Source"], each["Destination"]) for each in before["Mounts"]] == [
        (str(service.folder / "handover"), "/handover")
    ]
    die(service)
    assert inspected(service, Role.STABLE)["Id"] == before["Id"]


def test_one_that_came_back_is_replaced_and_the_one_before_does_not_come_back(service: Bench) -> None:
    service.target.put(Track.STABLE, service.old)
    first = inspected(service, Role.STABLE)
    die(service)
    service.target.put(Track.STABLE, service.new)
    assert service.ask() == "8"
    second = inspected(service, Role.STABLE)
    assert (second["HostConfig"]["RestartPolicy"]["Name"], second["RestartCount"]) == ("unless-stopped", 0)
    assert ContainerCommand("docker").call("inspect", first["Id"]).returncode == 1


def test_an_old_container_that_a_killed_deployment_left_to_itself_does_not_come_back(service: Bench) -> None:
    service.target.put(Track.STABLE, service.old)
    deploying = service.deploying("target.put(Track.STABLE, new)")
    until(lambda: len(service.found(Role.STABLE)) == 2)
    deploying.kill()
    deploying.wait()
    until(lambda: len(service.found(Role.STABLE)) == 1)
    placed = service.target.current()
    assert placed and placed.package == service.new
    assert service.ask() == "8"


def test_settings_of_the_service_reach_it_and_a_prediction_log_is_written_on_the_machine(
    service: Bench, tmp_path: Path
) -> None:
    settings = {"WMS_SERVING_PREDICTION_LOG": str(tmp_path / "predictions"), "WMS_SERVING_QUEUE": "3"}
    target = ContainerTarget(service.folder, port=service.port, settings=settings)
    target.put(Track.STABLE, service.old)
    service.ask()
    target.stop()
    assert [path for path in (tmp_path / "predictions").rglob("*") if path.is_file()]


def test_an_image_that_cannot_run_at_all_is_the_fault_of_the_release(
    service: Bench, code: Image, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "Dockerfile").write_text(f"FROM {code.tag}\nENV PATH=/nowhere\n")
    made = code.call("build", "--quiet", str(tmp_path / "broken"))
    broken = replace(service.old, image=made.stdout.split()[-1])
    with pytest.raises(ReleaseError, match=r"could be started: (.|\n)*python"):
        service.target.put(Track.STABLE, broken)
    assert ContainerCommand("docker").required("ps", "--all", "--quiet", f"--filter=ancestor={broken.image}") == ""


@pytest.fixture(scope="module")
def registry() -> str:
    """Address of a registry that docker may push to."""
    address = os.environ.get("REGISTRY")
    if not address:
        pytest.skip("NO REGISTRY: the variable REGISTRY names none, so nobody pulled an image")
    return address


@pytest.fixture
def pushed(code: Image, images: dict[str, str], registry: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """For two tags an image in the registry, by digest, labelled as images of releases are, and not here."""
    repository = f"{registry}/wms-test/{uuid4().hex[:12]}"
    docker = ContainerCommand("docker")
    named = {}
    for tag in TAGS[:2]:
        (tmp_path / "Dockerfile").write_text(f"FROM {images[tag]}\nLABEL wms.release={tag}\n")
        docker.required(
            "build", "--quiet", f"--tag={repository}:{tag}", f"--file={tmp_path / 'Dockerfile'}", str(tmp_path)
        )
        docker.required("push", f"{repository}:{tag}")
        (named[tag],) = json.loads(docker.required("image", "inspect", f"{repository}:{tag}"))[0]["RepoDigests"]
        docker.required("rmi", f"{repository}:{tag}")
    yield named
    docker.call("rmi", "--force", *named.values())


def test_an_image_is_pulled_by_digest_and_removed_when_nobody_wants_to_go_back_to_it(
    service: Bench, pushed: dict[str, str]
) -> None:
    old, new = replace(service.old, image=pushed[TAGS[0]]), replace(service.new, image=pushed[TAGS[1]])
    docker = ContainerCommand("docker")
    assert docker.call("image", "inspect", old.image).returncode == 1
    for package in (old, new):
        service.target.put(Track.STABLE, package)
    assert inspected(service, Role.STABLE)["Config"]["Image"] == new.image
    assert service.target.tidy({TAGS[0]}) == []
    assert service.target.tidy(set()) == [f"image {old.image}"]
    assert docker.call("image", "inspect", old.image).returncode == 1
    assert service.ask() == "8"


def test_an_image_that_the_registry_does_not_have_leaves_what_was_there(service: Bench, registry: str) -> None:
    service.target.put(Track.STABLE, service.old)
    missing = replace(service.new, image=f"{registry}/wms-test/none@sha256:{'0' * 64}")
    with pytest.raises(
        DeploymentError, match="cannot be pulled: the registry does not have it any more: deploy"
    ) as told:
        service.target.put(Track.STABLE, missing)
    assert not isinstance(told.value, ReleaseError)
    assert service.ask() == "7"


def test_a_registry_with_a_password_is_shown_ours_and_says_when_it_is_not_the_one(
    service: Bench, tmp_path: Path
) -> None:
    refused, let_in = (
        ContainerTarget(service.folder, port=service.port, login=lambda shown=shown: Credentials(USER, shown))
        for shown in ("a wrong word", PASSWORD)
    )
    with serving(tmp_path / "registry", **with_password(tmp_path)) as server:
        missing = replace(service.new, image=f"{server.host}/wms@sha256:{'0' * 64}")
        with pytest.raises(DeploymentError, match="the registry refuses us: check WMS_REGISTRY_USER"):
            refused.put(Track.STABLE, missing)
        with pytest.raises(DeploymentError, match="the registry does not have it any more"):
            let_in.put(Track.STABLE, missing)


def test_a_registry_that_is_away_leaves_what_was_there(service: Bench) -> None:
    away = replace(service.new, image=f"127.0.0.1:{free_port()}/wms@sha256:{'0' * 64}")
    with pytest.raises(DeploymentError, match=r"the registry cannot be reached: .*WMS_IMAGE_REPOSITORY"):
        service.target.put(Track.STABLE, away)


def test_without_docker_it_says_what_to_do(tmp_path: Path) -> None:
    target = ContainerTarget(tmp_path / "service", command="no-such-docker")
    with pytest.raises(DeploymentError, match=r"no-such-docker cannot be run .* install it"):
        target.standing()


def test_without_its_daemon_it_says_what_to_do(service: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
        with pytest.raises(DeploymentError, match=r"docker has no daemon that answers us: start it, .*DOCKER_HOST"):
            service.target.standing()


def test_a_release_without_an_image_is_refused(service: Bench) -> None:
    with pytest.raises(DeploymentError, match="WMS_IMAGE_REPOSITORY"):
        service.target.put(Track.STABLE, replace(service.old, image=""))
