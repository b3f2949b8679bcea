"""Incidents: rollouts that failed, a file each, written before anybody is told, so that none is lost with its message.

One stays open until the same model version is deployed there after all.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from wms_ml.errors import DeploymentError
from wms_ml.files import write_whole
from wms_resources.deployment.notify import notify


@dataclass(frozen=True, slots=True)
class Incident:
    """A rollout that failed.

    Attributes:
        environment: `staging` or `production`.
        target: kind of target: `process`, `container` or `k3s`.
        step: how far the rollout came.
        tag: the release.
        model_version: registry version of its model.
        image: `repository@sha256:...`; empty where none was used.
        reason: what went wrong.
        seen: figures of the watch, Markdown; empty when there was none.
        blames_release: whether the release is at fault, and not the target.
        restored: whether what stood before serves again.
        stands: what stands there since, in words.
        alias: what became of the alias `production`, in words; empty: it stayed.
        notified: how telling people went, in words; empty: nobody was to be told.
        closed: when the same release was deployed after all, ISO 8601 in UTC; empty while it is open.
        time: when, ISO 8601 in UTC.
        name: of its file.
    """

    environment: str
    target: str
    step: str
    tag: str
    model_version: str
    image: str
    reason: str
    seen: str
    blames_release: bool
    restored: bool
    stands: str
    alias: str = ""
    notified: str = ""
    closed: str = ""
    time: str = field(default_factory=lambda: _now())
    name: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:8]}")

    @property
    def sentence(self) -> str:
        """What happened in its environment."""
        back = "" if self.restored else "what stood before is NOT back: "
        return f"version {self.model_version} was not deployed ({self.step}: {self.reason}); {back}{self.stands}"

    @property
    def headline(self) -> str:
        """What happened, and where."""
        return f"{self.environment}: {self.sentence}"

    def markdown(self) -> str:
        """It as a table for people, with the figures that were seen."""
        rows = {
            "when": self.time,
            "where": f"{self.environment} ({self.target})",
            "release": f"version {self.model_version}, {self.tag}",
            "image": self.image,
            "failed at": self.step,
            "why": self.reason,
            "whose fault": "the release's" if self.blames_release else "the target's, or the way to it",
            "since then": f"{self.stands}{'' if self.restored else ' (what stood before is NOT back)'}",
            "alias": self.alias,
            "notified": self.notified,
            "closed": self.closed,
        }
        table = [f"| {name} | {_cell(value)} |" for name, value in rows.items() if value]
        return "\n".join(["| | |", "| --- | --- |", *table, *(["", self.seen] if self.seen else [])])


@dataclass(frozen=True, slots=True)
class Incidents:
    """The incidents of a set-up.

    Attributes:
        folder: where their files lie.
        webhook: address that they are posted to; empty: nobody is told.
    """

    folder: Path
    webhook: str = field(default="", repr=False)

    def report(self, incident: Incident) -> Incident:
        """Write an incident, tell people, and note how that went; that they could not be told is never an error."""
        self._noted(incident)
        if not self.webhook:
            return incident
        trouble = notify(self.webhook, incident.headline, asdict(incident))
        return self._noted(
            replace(incident, notified=f"not delivered: {trouble}" if trouble else f"delivered {_now()}")
        )

    def note_alias(self, incident: Incident, words: str) -> Incident:
        """Note what became of the alias."""
        return self._noted(replace(incident, alias=words))

    def close(self, model_version: str, environment: str) -> list[Incident]:
        """Close what is open about a version, because it serves now.

        Returns:
            what was closed.
        """
        about = [each for each in self.open_in(environment) if each.model_version == model_version]
        return [self._noted(replace(each, closed=_now())) for each in about]

    def open_in(self, environment: str) -> list[Incident]:
        """What is open in an environment, newest first."""
        return [each for each in self.all() if not each.closed and each.environment == environment]

    def all(self) -> list[Incident]:
        """All of them, newest first.

        Raises:
            DeploymentError: a file is no incident.
        """
        found = [self._read(path.stem) for path in self.folder.glob("[!.]*.json")]
        return sorted(found, key=lambda each: each.time, reverse=True)

    def _noted(self, incident: Incident) -> Incident:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / f"{incident.name}.json", json.dumps(asdict(incident), indent=1))
        return incident

    def _read(self, name: str) -> Incident:
        path = self.folder / f"{name}.json"
        try:
            return Incident(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise DeploymentError(f"{path} is no incident ({error}): mend it, or remove it") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
