"""The lock of an environment on a real cluster: one holds it, the next is told who, the dead hold nothing."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.cluster import kubectl, require_cluster
from wms_ml.errors import DeploymentError
from wms_resources.cluster.cluster_lease import NAME, held, holder
from wms_resources.cluster.kubectl import Kubectl
from wms_resources.process import ProcessName, this_process


@pytest.fixture(scope="module")
def namespace() -> Iterator[Kubectl]:
    require_cluster()
    name = f"wms-test-{uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    yield Kubectl(name)
    kubectl("delete", "namespace", name, "--wait=false")


def dead() -> ProcessName:
    """A process of this machine that ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(this_process(), pid=process.pid)


def elsewhere() -> ProcessName:
    return replace(this_process(), host="another-machine")


def hold(namespace: Kubectl, name: ProcessName, *, seconds_ago: float = 0) -> None:
    """Have somebody else hold the lock since then."""
    then = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": name.encode(), "leaseDurationSeconds": 60, "acquireTime": then, "renewTime": then}
    while True:
        found = namespace.get("lease", NAME)
        made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": spec}
        if namespace.replace({**found, "spec": spec}) if found else namespace.create(made):
            return


def test_nobody_holds_it_before_and_after(namespace: Kubectl) -> None:
    with held(namespace):
        assert holder(namespace).startswith(f"process {os.getpid()} on ")
    assert holder(namespace) == ""


def test_the_second_is_told_who_holds_it(namespace: Kubectl) -> None:
    with (
        held(namespace),
        pytest.raises(DeploymentError, match=rf"process {os.getpid()} on .*, since 20"),
        held(namespace),
    ):
        pass


def test_one_on_another_machine_holds_it_until_its_time_is_over(namespace: Kubectl) -> None:
    hold(namespace, elsewhere(), seconds_ago=50)
    with pytest.raises(DeploymentError, match="on another-machine"), held(namespace):
        pass
    hold(namespace, elsewhere(), seconds_ago=61)
    with held(namespace):
        assert "another-machine" not in holder(namespace)


def test_a_dead_process_of_this_machine_holds_nothing(namespace: Kubectl) -> None:
    hold(namespace, dead())
    assert holder(namespace) == ""
    with held(namespace):
        assert holder(namespace).startswith(f"process {os.getpid()} on ")


def test_of_many_at_once_one_gets_it(namespace: Kubectl) -> None:
    start, outcomes, over = threading.Barrier(6), list[str](), threading.Event()

    def try_it() -> None:
        start.wait()
        try:
            with held(namespace):
                outcomes.append("held")
                over.wait(30)
        except DeploymentError:
            outcomes.append("refused")
            if outcomes.count("refused") == 5:
                over.set()

    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", *["refused"] * 5]


def test_who_lost_it_to_somebody_else_notices_and_leaves_it_alone(
    namespace: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wms_resources.cluster.cluster_lease._RENEW_SECONDS", 0.1)
    with held(namespace) as holding:
        holding.require()
        hold(namespace, elsewhere())
        for _ in range(100):
            if holding.lost:
                break
            threading.Event().wait(0.1)
        with pytest.raises(DeploymentError, match="took over"):
            holding.require()
    assert "another-machine" in holder(namespace)


def test_who_lives_renews_it(namespace: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(namespace, dead())
    monkeypatch.setattr("wms_resources.cluster.cluster_lease._RENEW_SECONDS", 0.1)
    with held(namespace):
        first = namespace.get("lease", NAME)
        assert first
        for _ in range(100):
            now = namespace.get("lease", NAME)
            assert now
            if now["spec"]["renewTime"] > first["spec"]["renewTime"]:
                break
        assert now["spec"]["renewTime"] > first["spec"]["renewTime"]
        assert now["spec"]["acquireTime"] == first["spec"]["acquireTime"]
