"""What the data repository says of production: its history, what is there now, and the model's metadata.

They lie on the branch `production`, not on `main`, whose proposals a promotion would outrun. One commit writes all
three, and its push is the moment at which a promotion or rollback has happened.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from wms_ml.errors import DataRepoError
from wms_ml.gate import Verdict
from wms_resources.data_commits import PRODUCTION
from wms_resources.data_repo import DataRepo
from wms_resources.evidence import Evidence
from wms_resources.registry import ModelVersion

HISTORY: Final = "production_history.jsonl"
CURRENT: Final = "production_current.json"
METADATA: Final = "model-metadata.json"

PROMOTE: Final = "promote"
ROLLBACK: Final = "rollback"

_SHOWN: Final = 20
_RUN_ID: Final = re.compile(r"(dagster run \w{8})[\w-]*")
"""A Dagster run in words; the UI names runs by their first eight characters."""
_DESCRIBED: Final = (
    *("architecture", "encoder", "size", "seed", "code_version", "weights"),
    *("drop", "commit", "images_md5", "masks_md5", "split_version"),
)
"""Tags of a version that say how it came about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRecord:
    """One move of `production`, a line of the history.

    Attributes:
        time: when, ISO 8601 in UTC.
        by: who.
        action: `promote` or `rollback`.
        reason: why, in their words.
        version: the version in production from then on.
        digest: content hash of its ONNX file, `sha256:...`.
        data_version: data set whose test side it was judged on when it was promoted.
        replaced: the version that was there before; None when there was none.
        replaced_digest: its file's hash; None as well for a version that was put there by hand.
        verdict: the gate's sentence; None for a rollback, which compares nothing.
        evidence: content hash of the evidence, `sha256:...`; None for a rollback.
        metrics: mean test Dice and IoU of the version when it was promoted, 0 to 1.
        replaced_metrics: those of the replaced version on the same pictures; None without one, and for a rollback.
        differences: what was gained in each, from 0 where nothing was replaced; None for a rollback.
    """

    time: str
    by: str
    action: str
    reason: str
    version: str
    digest: str
    data_version: str
    replaced: str | None
    replaced_digest: str | None
    verdict: str | None
    evidence: str | None
    metrics: Mapping[str, float]
    replaced_metrics: Mapping[str, float] | None
    differences: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class History:
    """The moves of `production`.

    Attributes:
        commit: the commit that says so; None when nothing was ever promoted.
        content: the file's bytes, to which lines are only ever added.
        records: its lines, oldest first.
    """

    commit: str | None
    content: bytes
    records: tuple[PromotionRecord, ...]

    @property
    def last(self) -> PromotionRecord | None:
        """The newest line: what is in production, or is about to be."""
        return self.records[-1] if self.records else None

    def of(self, version: str) -> PromotionRecord | None:
        """The newest line that put a version into production; None when it never was."""
        return next((each for each in reversed(self.records) if each.version == version), None)

    def before(self) -> PromotionRecord | None:
        """Where a rollback goes: the line of the version before, leaving out those that were rolled back from."""
        line: list[PromotionRecord] = []
        for each in self.records:
            known = [index for index, earlier in enumerate(line) if earlier.version == each.version]
            if each.action == ROLLBACK and known:
                del line[known[-1] :]
            line.append(each)
        return line[-2] if len(line) > 1 else None

    def withdrawn(self, version: str) -> PromotionRecord | None:
        """The rollback that took a version out of production, when that is how it last left."""
        left = [after for before, after in pairwise(self.records) if before.version == version != after.version]
        return left[-1] if left and left[-1].action == ROLLBACK else None


def read_history(repo: DataRepo) -> History:
    """The history as the shared repository has it now.

    Raises:
        DataRepoError: it does not answer, or what it has is damaged.
    """
    commit, files = repo.branch(PRODUCTION).read()
    if commit is None:
        return History(None, b"", ())
    try:
        content = files[HISTORY]
        records = tuple(PromotionRecord(**json.loads(line)) for line in content.splitlines())
        if not records:
            raise ValueError("no lines")
    except (KeyError, ValueError, TypeError) as error:
        where = f"{HISTORY} on branch {PRODUCTION} of {repo.origin}"
        raise DataRepoError(f"{where} is damaged ({error!r}): restore it from an earlier commit") from error
    return History(commit, content, records)


def promoted(
    version: ModelVersion,
    champion: ModelVersion | None,
    evidence: Evidence,
    verdict: Verdict,
    *,
    by: str,
    reason: str,
) -> PromotionRecord:
    """The line of a promotion that happens now."""
    before = verdict.champion
    return PromotionRecord(
        time=_now(),
        by=by,
        action=PROMOTE,
        reason=reason,
        version=version.version,
        digest=version.digest,
        data_version=evidence.data_version,
        replaced=champion.version if champion else None,
        replaced_digest=champion.digest if champion else None,
        verdict=verdict.reason,
        evidence=evidence.digest,
        metrics=verdict.challenger,
        replaced_metrics=before,
        differences={name: value - (before[name] if before else 0) for name, value in verdict.challenger.items()},
    )


def rolled_back(
    history: History, alias: str | None, target: PromotionRecord, *, by: str, reason: str
) -> PromotionRecord:
    """The line of a rollback that happens now.

    Args:
        alias: number of the version that carries `production`, whoever put it there; None when none does.
        target: the line that put the version there to which it goes.
    """
    last = history.last or target
    replaced = last.version if alias == target.version else alias
    return PromotionRecord(
        time=_now(),
        by=by,
        action=ROLLBACK,
        reason=reason,
        version=target.version,
        digest=target.digest,
        data_version=target.data_version,
        replaced=replaced,
        replaced_digest=last.digest if replaced == last.version else None,
        verdict=None,
        evidence=None,
        metrics=target.metrics,
        replaced_metrics=None,
        differences=None,
    )


def append(repo: DataRepo, history: History, record: PromotionRecord, version: ModelVersion) -> None:
    """Write a line after `history`, which must still be all there is, and what follows from it.

    Raises:
        BranchMovedError: somebody else wrote one meanwhile; nothing was changed.
        DataRepoError: the repository does not answer; reading it again tells whether the line is there.
    """
    line = json.dumps(asdict(record)).encode() + b"\n"
    files = {
        HISTORY: history.content + line,
        CURRENT: _pretty(asdict(record)),
        METADATA: _pretty(metadata(version)),
    }
    words = f"{record.action.capitalize()} version {record.version}\n\n{record.reason}\n"
    repo.branch(PRODUCTION).write(files, words, replacing=history.commit)


def metadata(version: ModelVersion) -> dict[str, str]:
    """What a model is and what it was made of."""
    own = {"name": version.name, "version": version.version, "digest": version.digest, "run_id": version.run_id}
    tags = {name: version.tags[name] for name in _DESCRIBED if name in version.tags}
    return {**own, "data_version": version.data_version, **tags}


def history_table(records: Sequence[PromotionRecord]) -> str:
    """The last 20 lines of the history as a Markdown table, newest first: what the UI shows. Times are UTC."""
    lines = [
        "| time (UTC) | what | version | replaced | Dice | IoU | by | reason |",
        "|---|---|---:|---:|---:|---:|---|---|",
    ]
    for each in reversed(records[-_SHOWN:]):
        figures = " | ".join(f"{each.metrics[name]:.4f}" if name in each.metrics else "" for name in ("dice", "iou"))
        said = " ".join(each.reason.split()).replace("|", "\\|")
        who = _RUN_ID.sub(r"\1", each.by).replace("|", "\\|")
        time = each.time[:16].replace("T", " ")
        lines.append(
            f"| {time} | {each.action} | {each.version} | {each.replaced or 'none'} | {figures} | {who} | {said} |"
        )
    return "\n".join(lines)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _pretty(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, indent=1).encode() + b"\n"
