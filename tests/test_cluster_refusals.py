"""A real Kubernetes that cannot do what it is asked: each time a clear sentence, and what served before serves on."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import Cluster, kubectl, pods, running, version
from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.cluster.cluster_target import ClusterTarget
from wms_resources.deployment.targets import Package, Standing, Track


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def seven(cluster: Cluster) -> Package:
    return cluster.package("7")


@pytest.fixture(scope="module")
def target(cluster: Cluster, seven: Package) -> ClusterTarget:
    """An environment with version 7 on its stable track; tests leave it so."""
    target = cluster.target("staging")
    target.put(Track.STABLE, seven)
    return target


def refusal(target: ClusterTarget, package: Package, track: Track) -> DeploymentError:
    """Why it was not put; what stood there before stands there still, untouched, and answers."""
    before, names = target.standing(), pods(target)
    with pytest.raises(DeploymentError) as error:
        target.put(track, package)
    assert target.standing() == before
    assert pods(target) == names
    assert version(target.url) == "7"
    return error.value


def test_an_image_that_does_not_exist_is_named(target: ClusterTarget, seven: Package) -> None:
    nowhere = seven.image.partition("@")[0] + "@sha256:" + "0" * 64
    error = refusal(target, replace(seven, tag="00000000aaaa", image=nowhere), Track.STABLE)
    assert f"cannot fetch {nowhere}" in str(error)
    assert "manifest" in str(error)
    assert not isinstance(error, ReleaseError)


@pytest.mark.parametrize("track", Track)
def test_a_release_that_crashes_says_its_last_words(cluster: Cluster, target: ClusterTarget, track: Track) -> None:
    error = refusal(target, cluster.package("9", digest=f"sha256:{'0' * 64}"), track)
    assert "release.json beside it states" in str(error)
    assert isinstance(error, ReleaseError)


def test_a_pod_that_is_never_ready_says_what_its_probe_saw(cluster: Cluster) -> None:
    target = cluster.target("silent", ready_seconds=10)
    with pytest.raises(ReleaseError, match=r"probe failed.*refused"):
        target.put(Track.STABLE, cluster.package("9", 'CMD ["sleep", "600"]'))
    assert target.standing() == Standing(None, None)
    assert pods(target) == set()


def test_a_pod_for_which_no_node_has_room_says_so(cluster: Cluster, seven: Package, tmp_path: Path) -> None:
    values = tmp_path / "huge.json"
    values.write_text(json.dumps({"resources": {"requests": {"cpu": "900"}, "limits": {"cpu": "900"}}}))
    target = cluster.target("huge", ready_seconds=4, values=[values])
    with pytest.raises(DeploymentError, match=r"no node has room.*Insufficient cpu"):
        target.put(Track.STABLE, seven)


def test_a_quota_that_is_used_up_is_named(cluster: Cluster, seven: Package) -> None:
    target = cluster.target("quota", ready_seconds=4)
    with target.lock():
        kubectl("create", "quota", "none", "--hard=pods=0", f"--namespace={cluster.name}-quota")
        with pytest.raises(DeploymentError, match="exceeded quota: none"):
            target.put(Track.STABLE, seven)


def test_a_secret_that_is_missing_is_named(cluster: Cluster, seven: Package) -> None:
    target = cluster.target("production")
    with pytest.raises(DeploymentError, match=r'secret "wms-model-api-key" not found.*WMS_SERVING_API_KEY'):
        target.put(Track.STABLE, seven)


def test_a_cluster_that_is_out_of_reach_is_told_with_the_settings_that_name_it(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_kubeconfig(tmp_path, monkeypatch, "cluster", {"server": "https://127.0.0.1:1"})
    for ask in (cluster.target("staging").standing, cluster.target("staging").lock().__enter__):
        with pytest.raises(DeploymentError, match=r"cannot be reached.*WMS_KUBE_CONTEXT"):
            ask()


def test_credentials_that_are_refused_are_told(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_kubeconfig(tmp_path, monkeypatch, "user", {"token": "wrong"})
    for ask in (cluster.target("staging").standing, cluster.target("staging").lock().__enter__):
        with pytest.raises(DeploymentError, match=r"refuses our credentials.*kubeconfig"):
            ask()


def test_a_context_that_does_not_exist_is_told(cluster: Cluster) -> None:
    with pytest.raises(DeploymentError, match=r"cannot be reached.*elsewhere.*WMS_KUBE_CONTEXT"):
        cluster.target("staging", context="elsewhere").standing()


@pytest.mark.parametrize("command", ["helm", "kubectl"])
def test_a_command_that_is_not_installed_is_told_with_its_setting(cluster: Cluster, command: str) -> None:
    target = cluster.target("staging", **{command: "/nowhere/it"})
    with pytest.raises(DeploymentError, match=f"/nowhere/it cannot be run.*WMS_{command.upper()}"), target.lock():
        target.standing()


def with_kubeconfig(folder: Path, monkeypatch: pytest.MonkeyPatch, part: str, stated: dict[str, str]) -> None:
    """Set a copy of the kubeconfig, in which every cluster or user states this."""
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "--output=json"))
    for each in config[f"{part}s"]:
        kept = {} if part == "user" else each[part]
        each[part] = {**kept, **stated}
    copy = folder / "kubeconfig"
    copy.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(copy))
