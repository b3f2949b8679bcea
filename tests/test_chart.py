"""The chart: what Helm makes of it, and what it refuses."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.charts import CHART, DIGEST, container, environment, helm, pod, release, render

CANARY = release("8", share=0.1)


@pytest.mark.parametrize("name", ["staging", "production"])
def test_lint_finds_nothing(tmp_path: Path, name: str) -> None:
    words = ("lint", "--strict", str(CHART), f"--values={CHART}/values-{name}.yaml")
    done = helm(tmp_path, *words, values={"canary": CANARY})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", ["1.25", "1.37"])
@pytest.mark.parametrize("name", ["staging", "production"])
def test_kubernetes_knows_every_field(tmp_path: Path, name: str, version: str) -> None:
    for manifest in render(tmp_path, f"--kube-version={version}", environment=name, canary=CANARY).values():
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(("api", "version"), [("policy/v1beta1", "1.20.2"), ("policy/v1", "1.33.4+k3s1")])
def test_an_old_cluster_is_spoken_to_in_its_own_words(tmp_path: Path, api: str, version: str) -> None:
    made = render(tmp_path, f"--kube-version={version}", environment="production")
    assert made["PodDisruptionBudget", "wms-model"]["apiVersion"] == api


def test_one_pod_alone_may_be_drained(tmp_path: Path) -> None:
    assert ("PodDisruptionBudget", "wms-model") not in render(tmp_path)


@pytest.mark.parametrize("track", ["stable", "canary"])
def test_pods_may_do_nothing_but_serve(tmp_path: Path, track: str) -> None:
    made = render(tmp_path, canary=CANARY)
    spec = pod(made, track)["spec"]
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(made, track)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_pod_serves_when_it_is_ready_and_is_ended_only_when_it_is_dead(tmp_path: Path) -> None:
    made = container(render(tmp_path, startSeconds=45))
    asked = {name: made[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert asked == {"startup": "/ready", "readiness": "/ready", "liveness": "/health"}
    startup = made["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 45


def test_a_pod_goes_on_serving_while_nodes_learn_that_it_leaves_and_may_then_finish(tmp_path: Path) -> None:
    made = render(tmp_path, preStopSeconds=7)
    assert container(made)["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    finish = re.search(r"_FINISH_SECONDS: Final = (\d+)", (CHART.parents[2] / "serving" / "__main__.py").read_text())
    assert finish
    assert pod(made)["spec"]["terminationGracePeriodSeconds"] > 7 + int(finish[1])


def test_a_new_pod_comes_before_an_old_one_goes(tmp_path: Path) -> None:
    strategy = render(tmp_path)["Deployment", "wms-model-stable"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_the_stable_pods_know_where_a_canary_would_be_and_the_canary_which_share_it_takes(tmp_path: Path) -> None:
    made = render(tmp_path, canary=CANARY)
    port = made["Service", "wms-model-canary"]["spec"]["ports"][0]["port"]
    stable, canary = environment(made), environment(made, "canary")
    assert stable["WMS_SERVING_CANARY"] == f"http://wms-model-canary:{port}"
    assert "WMS_SERVING_SHARE" not in stable
    assert canary["WMS_SERVING_SHARE"] == "0.1"
    assert "WMS_SERVING_CANARY" not in canary


def test_a_canary_that_comes_or_goes_changes_nothing_about_the_stable_pods(tmp_path: Path) -> None:
    with_canary, without = render(tmp_path, canary=CANARY), render(tmp_path)
    name = ("Deployment", "wms-model-stable")
    assert with_canary[name] == without[name]
    assert {each for each in with_canary if each not in without} == {("Deployment", "wms-model-canary")}


def test_each_service_leads_to_its_own_track_alone(tmp_path: Path) -> None:
    made = render(tmp_path, canary=CANARY)
    for service, track in (("wms-model", "stable"), ("wms-model-canary", "canary")):
        selector = made["Service", service]["spec"]["selector"]
        chosen = {
            name for name in ("stable", "canary") if selector.items() <= pod(made, name)["metadata"]["labels"].items()
        }
        assert chosen == {track}
        assert made["Deployment", f"wms-model-{track}"]["spec"]["selector"]["matchLabels"] == selector


def test_callers_reach_the_stable_track_alone_from_outside(tmp_path: Path) -> None:
    made = render(tmp_path, canary=CANARY, service={"nodePort": 30080})
    assert made["Service", "wms-model"]["spec"]["type"] == "NodePort"
    assert made["Service", "wms-model"]["spec"]["ports"][0]["nodePort"] == 30080
    assert made["Service", "wms-model-canary"]["spec"]["type"] == "ClusterIP"


def test_pods_say_which_release_they_are_even_where_its_names_are_odd(tmp_path: Path) -> None:
    stated = release("v 8/β " + "x" * 80, tag="012345678901")
    about = pod(render(tmp_path, stable=stated))["metadata"]
    assert about["annotations"]["wms/model-version"] == stated["modelVersion"]
    assert about["annotations"]["wms/model-digest"] == DIGEST
    assert about["annotations"]["wms/release"] == about["labels"]["wms/release"] == "012345678901"
    for value in about["labels"].values():
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", value)


def test_production_is_more_than_one_pod_and_wants_a_key(tmp_path: Path) -> None:
    made = render(tmp_path, environment="production")
    assert made["Deployment", "wms-model-stable"]["spec"]["replicas"] > 1
    given = environment(made)
    assert given["WMS_SERVING_PROFILE"] == "production"
    assert given["WMS_SERVING_API_KEY"] == {"secretKeyRef": {"name": "wms-model-api-key", "key": "api-key"}}


def test_staging_runs_without_a_key(tmp_path: Path) -> None:
    given = environment(render(tmp_path, environment="staging"))
    assert given["WMS_SERVING_PROFILE"] == "local"
    assert "WMS_SERVING_API_KEY" not in given


def test_what_people_set_reaches_the_pods(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "imagePullSecrets": [{"name": "wms-registry"}],
    }
    extra = {"name": "WMS_SERVING_MAX_MEGAPIXELS", "value": "20"}
    made = render(tmp_path, **values, extraEnv=[extra])
    spec = pod(made)["spec"]
    assert {key: spec[key] for key in values} == values
    assert environment(made)[extra["name"]] == "20"


def test_a_service_monitor_is_made_when_asked_for_and_covers_both_tracks(tmp_path: Path) -> None:
    monitor = ("ServiceMonitor", "wms-model")
    assert monitor not in render(tmp_path)
    made = render(tmp_path, serviceMonitor={"enabled": True})
    assert made[monitor]["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    selector = made[monitor]["spec"]["selector"]["matchLabels"].items()
    services = [made["Service", name]["metadata"]["labels"] for name in ("wms-model", "wms-model-canary")]
    assert all(selector <= labels.items() for labels in services)
    (endpoint,) = made[monitor]["spec"]["endpoints"]
    assert {each["spec"]["ports"][0]["name"] for kind, each in made.items() if kind[0] == "Service"} == {
        endpoint["port"]
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stabel": {}}, "stabel"),
        ({"stable": release(replica=2)}, "replica"),
        ({"stable": release(image="registry.example/meters:latest")}, "/stable/image"),
        ({"stable": release(tag="")}, "/stable/tag"),
        ({"canary": release(image="meters@sha256:abc")}, "/canary/image"),
        ({"canary": release(share=1.5)}, "/canary/share"),
        ({"profile": "production"}, "/apiKey/existingSecret"),
        ({"service": {"nodePort": 80}}, "/service/nodePort"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    done = helm(tmp_path, "template", "wms-model", str(CHART), values=values)
    assert done.returncode != 0
    assert said in done.stderr
