"""The registry's aliases follow the history of production: here is the only code that moves them.

MLflow moves an alias without asking what it was, so the alias decides nothing. The history does, by compare-and-set,
and whoever looks next lets the alias follow where a process died in between. Any other difference between the two means
that somebody moved the alias by hand, and is never smoothed over.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

from wms_ml.errors import GateError
from wms_resources.data_repo import DataRepo
from wms_resources.production_records import History, PromotionRecord, read_history
from wms_resources.registry import PREVIOUS, PRODUCTION, ModelVersion, Registry

_ROUNDS: Final = 5
"""Moves after which looking again stops. One is the rule, two when another machine promotes at this moment."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What history and registry say of production.

    Attributes:
        history: the history.
        alias: number of the version with the alias; None when there is none.
        finished: whether a move that was cut off was finished just now.
    """

    history: History
    alias: str | None
    finished: bool

    @property
    def agrees(self) -> bool:
        """Whether the alias is where the history says."""
        last = self.history.last
        return self.alias == (last.version if last else None)

    @property
    def unfinished(self) -> PromotionRecord | None:
        """The newest line, when the alias is still where it was before."""
        last = self.history.last
        return last if last and not self.agrees and self.alias == last.replaced else None


def followed(registry: Registry, repo: DataRepo) -> Sight:
    """Look at production; where a move was cut off, let the aliases follow the history first.

    After a move it looks again: who was stopped for a while may have put back what others moved meanwhile.

    Raises:
        GateError: the version that must be put there is not the one that was promoted.
        RegistryError: the registry does not answer.
        DataRepoError: the data repository does not answer.
    """
    for moves in range(_ROUNDS):
        alias = registry.holder(PRODUCTION)  # before the history: a promotion in between then looks unfinished
        sight = Sight(read_history(repo), alias, finished=moves > 0)
        line = sight.unfinished
        if line is None:
            return sight
        version = version_of(registry, line)
        if line.replaced and line.replaced_digest:
            _move(registry, PREVIOUS, line.replaced)
        _move(registry, PRODUCTION, version.version)
    raise GateError("the alias 'production' does not stay where it is put: find out who else moves it, and try again")


def production(registry: Registry, repo: DataRepo) -> tuple[History, ModelVersion | None]:
    """The history, and the version in production by history and registry; None when nothing ever was.

    Raises:
        GateError: the two contradict each other.
        RegistryError: the registry does not answer.
        DataRepoError: the data repository does not answer.
    """
    sight = followed(registry, repo)
    require_agreement(sight, repo)
    last = sight.history.last
    return sight.history, version_of(registry, last) if last else None


def require_agreement(sight: Sight, repo: DataRepo) -> None:
    """Refuse to go on where somebody moved the alias past the history, as GateError with the remedy."""
    if sight.agrees:
        return
    there = f"version {sight.alias} carries" if sight.alias else "no version carries"
    last = sight.history.last
    if last is None:
        raise GateError(
            f"{there} the alias 'production', but {repo.origin} has no record that it was ever promoted: restore the "
            "data repository, or remove the alias in MLflow and judge again with `wms run train_and_gate`"
        )
    raise GateError(
        f"{there} the alias 'production', but version {last.version} was put there last ({last.action} by {last.by}, "
        f"{last.time}): somebody moved the alias by hand. `wms models rollback --to {last.version} --reason ...` "
        "puts it back"
    )


def version_of(registry: Registry, line: PromotionRecord) -> ModelVersion:
    """The version that a line of the history put into production.

    Raises:
        GateError: the registry has another model under that number.
    """
    version = registry.get(line.version)
    if version.digest != line.digest:
        raise GateError(
            f"version {version.version} of '{version.name}' is not the model that was in production: its file is "
            f"{version.digest}, the history says {line.digest}. Restore the registry"
        )
    return version


def _move(registry: Registry, alias: str, version: str) -> None:
    move = partial(registry.client.set_registered_model_alias, registry.model_name, alias, version)
    registry.ask(f"move the alias '{alias}'", move)
