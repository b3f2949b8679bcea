"""What stands in the environments, in front of people: as JSON values, and as a table on a terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from wms_resources.deployment.deployment_status import Status
    from wms_resources.deployment.targets import Placed


def told(found: "Status") -> dict[str, Any]:
    """One environment as JSON values."""
    return {
        "environment": found.environment,
        "address": found.url,
        "stable": _values(found.standing.stable),
        "canary": _values(found.standing.canary),
        "production_version": found.wanted,
        "trouble": found.trouble,
        "incident": found.incident.name if found.incident else None,
    }


def print_status(found: Sequence["Status"]) -> None:
    """A line a track, and a sentence on what is wrong."""
    table = Table(box=None, pad_edge=False)
    for title in ("environment", "track", "model", "release", "share", "ready", "address"):
        table.add_column(title, no_wrap=True, overflow="fold")
    for each in found:
        for track, placed in (("stable", each.standing.stable), ("canary", each.standing.canary)):
            if placed or track == "stable":
                table.add_row(each.environment, _track(track, placed), *_cells(placed), each.url if placed else "")
    Console().print(table)
    for each in found:
        if each.trouble:
            Console().print(f"{each.environment}: {each.trouble}", soft_wrap=True, markup=False)


def _track(track: str, placed: "Placed | None") -> str:
    return "A/B" if placed and placed.trial else track


def _cells(placed: "Placed | None") -> tuple[str, ...]:
    if placed is None:
        return ("nothing", "", "", "")
    ready = str(placed.instances) if placed.ready else "NO"
    return placed.package.model_version, placed.package.tag, f"{placed.share:.0%}", ready


def _values(placed: "Placed | None") -> dict[str, Any] | None:
    return asdict(placed) if placed else None
