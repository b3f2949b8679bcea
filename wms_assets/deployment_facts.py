"""What people want to see of a deployment in the UI: what serves where, how it went, and what went wrong."""

from typing import Any

import dagster as dg

from wms_resources.deployment.deployer import Deployed
from wms_resources.deployment.incidents import Incident

Metadata = dict[str, Any]


def deployment_facts(done: Deployed) -> Metadata:
    """Of a deployment that succeeded."""
    outcome, image = done.outcome, done.image
    facts: Metadata = {
        "environment": done.environment,
        "address": dg.MetadataValue.url(done.url),
        "API": dg.MetadataValue.url(f"{done.url}/docs"),
        "model version": done.version.version,
        "release": outcome.package.tag,
        "replaced": outcome.before.tag if outcome.before else "nothing",
        "image": outcome.package.image or "none: a process",
        "steps": dg.MetadataValue.md(_steps(done)),
        **done.version.metrics,
    }
    if image:
        facts |= {
            "image origin": image.origin,
            "bytes pushed": image.pushed_bytes,
            "bill of materials": image.bill,
            "vulnerabilities": image.scan.said,
        }
    if outcome.watch:
        facts["canary"] = dg.MetadataValue.md(outcome.watch.markdown())
    if done.cleaned:
        facts["cleaned"] = dg.MetadataValue.md("\n".join(f"* {each}" for each in done.cleaned))
    return facts


def incident_facts(incident: Incident) -> Metadata:
    """Of one that failed."""
    return {"incident": dg.MetadataValue.md(incident.markdown()), "environment": incident.environment}


def _steps(done: Deployed) -> str:
    lines = [f"| {step} | {seconds:.1f} s |" for step, seconds in done.outcome.seconds.items()]
    return "\n".join(["| step | took |", "| --- | ---: |", *lines])
