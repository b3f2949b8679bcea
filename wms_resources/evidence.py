"""The gate's evidence: why a version may be promoted, kept with the run that trained it and bound to the version.

A file holds it, the version's tag holds the file's hash: what is missing, damaged, altered, of another form or about
something else is refused. The file is written first, so a cut in between leaves evidence that does not count.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wms_ml.errors import DataError, GateError
from wms_ml.scoring import ScoreTable
from wms_ml.split import TEST
from wms_ml.split import VERSION as SPLIT_VERSION

if TYPE_CHECKING:
    from wms_resources.registry import ModelVersion

CODE_TAG: Final = "code_version"
"""Tag of a version: the code that trained it, as `code_version()` says it."""
FORM: Final = 2
"""Version of the file's form. Form 1 knew neither split, code, attempts nor verdict, and was bound to nothing."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, and whether it was chosen.

    Attributes:
        seed: its seed.
        epochs: how many epochs it trained.
        dice: mean on validation, 0 to 1.
        iou: the same.
        chosen: whether it became the challenger.
    """

    seed: int
    epochs: int
    dice: float
    iou: float
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a version may be promoted: both score tables, what they are about, and where the version comes from.

    Attributes:
        version: the challenger.
        champion: the version in production it was compared with; None when there was none.
        data_version: the data set whose test side was scored.
        split_version: the rule that made the test side.
        code_version: the code that trained the challenger.
        attempts: all that were made; the best on validation is the challenger.
        verdict: what the gate said then, for people; promotion judges again.
        challenger_scores: scores of the challenger.
        champion_scores: scores of the champion; None when there was none.
        form: version of this form.
    """

    version: str
    champion: str | None
    data_version: str
    split_version: str
    code_version: str
    attempts: tuple[Attempt, ...]
    verdict: dict[str, Any]
    challenger_scores: ScoreTable
    champion_scores: ScoreTable | None
    form: int = field(default=FORM, init=False)

    def dump(self) -> bytes:
        """The file's content."""
        return json.dumps(asdict(self)).encode()

    @property
    def digest(self) -> str:
        """Content hash of the file, `sha256:...`."""
        return _digest(self.dump())


def check_evidence(
    content: bytes, version: "ModelVersion", champion: "ModelVersion | None", data_version: str
) -> Evidence:
    """The evidence that a file holds, if it is what was written and about exactly this version, champion and data.

    Raises:
        GateError: it is damaged, altered, of another form or about something else.
    """
    about = f"the evidence for version {version.version}"
    path = evidence_path(champion.version if champion else None, data_version)
    if _digest(content) != version.tags.get(path):
        raise refused(f"{about} ({path}) is not the file that was written when it was judged")
    evidence = _parsed(content, about)
    other = [*_other_things(evidence, version, champion, data_version), *_wrong_choice(evidence, version)]
    if other:
        raise refused(f"{about} is about something else ({'; '.join(other)})")
    return evidence


def evidence_path(champion: str | None, data_version: str) -> str:
    """Where evidence against a champion (None: an empty production) lies in the run, and the tag of its hash."""
    return f"evidence/{data_version}-against-{champion or 'none'}.json"


def refused(said: str) -> GateError:
    """The error of evidence that does not count, with what to do."""
    return GateError(f"{said}: judge it again with `wms run train_and_gate`")


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _parsed(content: bytes, about: str) -> Evidence:
    try:
        values = json.loads(content)
        form = values.pop("form", 1)
        if form != FORM:
            raise refused(f"{about} is of form {form}, this release reads form {FORM}")
        scores = [values.pop(name) for name in ("challenger_scores", "champion_scores")]
        challenger, theirs = (ScoreTable.parse(json.dumps(table)) if table else None for table in scores)
        attempts = tuple(Attempt(**attempt) for attempt in values.pop("attempts"))
        if challenger is None:
            raise refused(f"{about} holds no scores of it")
        return Evidence(**values, attempts=attempts, challenger_scores=challenger, champion_scores=theirs)
    except DataError as error:
        raise refused(f"{about} cannot be used ({error})") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise refused(f"{about} is damaged ({error!r})") from error


def _other_things(
    evidence: Evidence, version: "ModelVersion", champion: "ModelVersion | None", data_version: str
) -> Iterator[str]:
    """What the evidence states and should not, in words."""
    ours, theirs = evidence.challenger_scores, evidence.champion_scores
    expected = {
        "version": (evidence.version, version.version),
        "version in production": (evidence.champion, champion.version if champion else None),
        "data": (evidence.data_version, data_version),
        "split version": (evidence.split_version, SPLIT_VERSION),
        "code": (evidence.code_version, version.tags.get(CODE_TAG, "unknown")),
        "scored model": (ours.model, version.digest),
        "scored data": (ours.data_version, data_version),
        "scored side": (ours.split, TEST),
        "scored model in production": (theirs and theirs.model, champion and champion.digest),
        "scored data of production": (theirs and theirs.data_version, champion and data_version),
        "scored side of production": (theirs and theirs.split, champion and TEST),
    }
    return (f"{what} {stated}, not {true}" for what, (stated, true) in expected.items() if stated != true)


def _wrong_choice(evidence: Evidence, version: "ModelVersion") -> Iterator[str]:
    chosen = [attempt for attempt in evidence.attempts if attempt.chosen]
    seed = version.tags.get("seed")
    if [str(attempt.seed) for attempt in chosen] != [seed]:
        yield f"chosen seed {', '.join(str(attempt.seed) for attempt in chosen) or 'none'}, not {seed}"
    elif chosen[0].dice < max(attempt.dice for attempt in evidence.attempts):
        yield f"seed {chosen[0].seed} was not the best on validation"
