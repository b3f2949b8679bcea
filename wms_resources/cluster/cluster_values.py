"""What the chart's values say of the two tracks, in the words of `wms_resources/deployment/targets.py` and back."""

from typing import Any, Final

from wms_resources.deployment.targets import Package, Placed, Track

NOTHING: Final[dict[str, Any]] = {"enabled": False}
_STATED: Final = ("enabled", "image", "tag", "modelVersion", "digest", "share", "trial")
"""What a deployment says of a track; everything else comes from the chart and from people's own values."""


def tracks(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What values that a release was given say of each track; nothing stands on one that they do not name."""
    return {
        track.value: {key: values[track][key] for key in _STATED if key in values[track]}
        if track in values
        else NOTHING
        for track in Track
    }


def stated(track: Track, package: Package, share: float, trial: bool) -> dict[str, Any]:
    """Values that put a package on a track."""
    values = {
        "enabled": True,
        "image": package.image,
        "tag": package.tag,
        "modelVersion": package.model_version,
        "digest": package.digest,
    }
    return values if track is Track.STABLE else {**values, "share": share, "trial": trial}


def placed(track: Track, values: dict[str, Any], deployment: dict[str, Any] | None) -> Placed | None:
    """What stands on a track, by the values of the release and its Deployment as the cluster has it."""
    said = tracks(values)[track]
    if not said["enabled"]:
        return None
    return Placed(
        package=Package(said["tag"], said["modelVersion"], said["digest"], image=said["image"]),
        share=1 if track is Track.STABLE else said["share"],
        trial=said.get("trial", False),
        ready=deployment is not None and runs(deployment, said),
        instances=deployment["status"].get("replicas", 0) if deployment else 0,
    )


def has_image(template: dict[str, Any], said: dict[str, Any]) -> bool:
    """Whether a pod, or a Deployment's template of one, is of this release: by its name, and by its image's digest."""
    release = template["metadata"].get("annotations", {}).get("wms/release")
    return release == said["tag"] and template["spec"]["containers"][0]["image"] == said["image"]


def runs(deployment: dict[str, Any], said: dict[str, Any]) -> bool:
    """Whether a Deployment is through with this release: as many pods as wanted, all of them new and ready."""
    spec, status = deployment["spec"], deployment["status"]
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = {status.get(count, 0) for count in ("replicas", "updatedReplicas", "readyReplicas")}
    return seen and counts == {spec["replicas"]} and has_image(spec["template"], said)
