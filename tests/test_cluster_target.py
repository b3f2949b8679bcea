"""Releases on a real Kubernetes: put, replaced under callers, tried beside the stable one, and deployments killed."""

import http.client
import json
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.callers import Callers
from tests.cluster import Cluster, kubectl, pods, predict, running, version
from wms_resources.cluster.cluster_target import ClusterTarget
from wms_resources.cluster.helm import Helm
from wms_resources.deployment.targets import Package, Standing, Track
from wms_resources.images.registry_login import Credentials


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def seven(cluster: Cluster) -> Package:
    return cluster.package("7")


@pytest.fixture(scope="module")
def eight(cluster: Cluster) -> Package:
    return cluster.package("8")


@pytest.fixture(scope="module")
def target(cluster: Cluster, seven: Package) -> ClusterTarget:
    """An environment with version 7 on its stable track; tests leave it so."""
    target = cluster.target("staging")
    target.put(Track.STABLE, seven)
    return target


def test_nothing_stands_where_nothing_was_put(cluster: Cluster) -> None:
    assert cluster.target("nowhere").standing() == Standing(None, None)


def test_what_was_put_stands_there_and_answers_at_the_address(target: ClusterTarget, seven: Package) -> None:
    stable = target.standing().stable
    assert stable
    assert (stable.package, stable.ready, stable.instances, stable.share) == (seven, True, 1, 1)
    assert version(target.url) == "7"


def test_callers_notice_no_replacement(target: ClusterTarget, seven: Package, eight: Package) -> None:
    seen = set()
    kept = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=30)

    def stay_connected() -> None:
        kept.request("GET", "/version")
        kept.getresponse().read()

    with Callers(lambda: seen.add(predict(target.url)), stay_connected) as callers:
        target.put(Track.STABLE, eight)
        assert version(target.url) == "8"
        target.put(Track.STABLE, seven)
    kept.close()
    assert callers.failures == []
    assert seen == {"7", "8"}


def test_putting_what_stands_there_changes_nothing(target: ClusterTarget, seven: Package) -> None:
    before = pods(target)
    target.put(Track.STABLE, seven)
    assert pods(target) == before


def test_a_canary_takes_its_share_while_it_stands_and_the_stable_pods_stay(
    target: ClusterTarget, eight: Package
) -> None:
    before = pods(target)
    target.put(Track.CANARY, eight, share=0.5)
    canary = target.standing().canary
    assert canary
    assert (canary.package, canary.share, canary.trial, canary.ready) == (eight, 0.5, False, True)
    with target.instances(Track.CANARY) as urls:
        assert [version(url) for url in urls] == ["8"]
    time.sleep(2)  # the stable pod looks for a canary once a second
    assert [predict(target.url) for _ in range(10)].count("8") == 5
    assert version(target.url) == "7"
    target.remove(Track.CANARY)
    assert target.standing().canary is None
    assert pods(target, Track.CANARY) == set()
    assert pods(target) == before


def test_pods_that_were_put_out_and_stay_listed_are_in_nobodys_way(
    target: ClusterTarget, seven: Package, eight: Package
) -> None:
    where = f"--namespace={target.prefix}-{target.environment}"
    for track in Track:
        labels = f"--labels=app.kubernetes.io/instance=wms-model,track={track}"
        kubectl("run", f"out-{track}", where, f"--image={seven.image}", "--restart=Never", labels, "--command", "false")
    ended = ("get", "pods", where, "--field-selector=status.phase=Failed", "--output=name")
    while len(kubectl(*ended).split()) < len(Track):
        time.sleep(0.2)
    target.put(Track.STABLE, eight)
    target.put(Track.CANARY, seven, share=0.5)
    target.remove(Track.CANARY)
    target.put(Track.STABLE, seven)
    assert len(kubectl(*ended).split()) == len(Track)
    kubectl("delete", "pod", where, *[f"out-{track}" for track in Track])


def test_tidying_removes_a_canary_that_was_left_behind_and_no_trial(target: ClusterTarget, eight: Package) -> None:
    target.put(Track.CANARY, eight, share=0.1, trial=True)
    assert target.tidy(keep=()) == []
    target.put(Track.CANARY, eight, share=0.1, trial=False)
    assert target.tidy(keep=()) == [f"canary {eight.tag}, left behind by a rollout"]
    assert target.standing().canary is None


def test_production_is_two_pods_that_want_the_key(cluster: Cluster, eight: Package) -> None:
    target = cluster.target("production", api_key="a long secret", login=lambda: Credentials("AWS", "token"))
    target.put(Track.STABLE, eight)
    stable = target.standing().stable
    assert stable
    assert (stable.ready, stable.instances) == (True, 2)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        predict(target.url)
    assert predict(target.url, key="a long secret") == "8"
    secret = json.loads(kubectl("get", "secret", "wms-registry", f"--namespace={cluster.name}-production", "-o=json"))
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    target.remove(Track.STABLE)
    assert target.standing() == Standing(None, None)


def test_a_deployment_that_was_killed_and_left_its_helm_running_is_finished_by_the_next_one(
    cluster: Cluster, target: ClusterTarget, seven: Package, eight: Package
) -> None:
    helm = Helm(f"{cluster.name}-staging", "wms-model")
    with Callers(lambda: predict(target.url) and None) as callers:
        killed = cluster.deployment("staging", eight)
        while helm.history()[-1].status != "pending-upgrade":
            assert killed.poll() is None
        killed.kill()
        killed.wait()
        assert helm.history()[-1].status == "pending-upgrade"
        assert target.standing().stable.package == seven
        target.put(Track.STABLE, eight)
        assert version(target.url) == "8"
        target.put(Track.STABLE, seven)
    assert callers.failures == []


def test_a_first_deployment_that_was_killed_stands_in_nobodys_way(cluster: Cluster, seven: Package) -> None:
    target = cluster.target("first")
    helm = Helm(f"{cluster.name}-first", "wms-model")
    killed = cluster.deployment("first", seven)
    while not helm.history():
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    assert helm.end_orphans() == 1
    assert [each.status for each in helm.history()] == ["pending-install"]
    assert target.standing() == Standing(None, None)
    target.put(Track.STABLE, seven)
    assert version(target.url) == "7"
