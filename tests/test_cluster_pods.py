"""Why a pod has no place, from what Kubernetes said of a node that no test may bring into such a state.

A stand-in for `kubectl` lists the pod; tests/test_cluster_refusals.py asks a real cluster whatever it can be asked.
"""

import json
from pathlib import Path

import pytest

from wms_resources.cluster.cluster_pods import trouble
from wms_resources.cluster.kubectl import Kubectl


def said(folder: Path, message: str) -> str:
    """What people are told when the scheduler says `message` of the only pod."""
    place = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pod = {"metadata": {"name": "stable-1"}, "spec": {}, "status": {"phase": "Pending", "conditions": [place]}}
    command = folder / "kubectl"
    command.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'items': [pod]})}\nEND\n")
    command.chmod(0o755)
    found = trouble(Kubectl("wms-production", str(command)), "wms-model-stable", "track=stable")
    assert found
    assert not found.release
    return found.text


@pytest.mark.parametrize(
    ("taint", "remedy"),
    [
        ("disk-pressure", "disk is nearly full"),
        ("memory-pressure", "memory is nearly used up"),
        ("unreachable", "does not answer"),
        ("not-ready", "kubectl describe nodes"),
        ("unschedulable", "kubectl uncordon"),
    ],
)
def test_a_node_that_takes_no_pods_is_told_with_its_remedy(tmp_path: Path, taint: str, remedy: str) -> None:
    what = f"node(s) had taint {{node.kubernetes.io/{taint}: }}, that the pod didn't tolerate."
    told = said(tmp_path, f"0/1 nodes are available: 1 {what}")
    assert "no node has room for pod stable-1 (0/1 nodes are available" in told
    assert remedy in told


def test_without_a_taint_it_is_the_size(tmp_path: Path) -> None:
    assert said(tmp_path, "0/1 nodes are available: 1 Insufficient cpu.").endswith("or lower `resources`")
