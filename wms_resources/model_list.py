"""The versions there are: with the aliases they carry and the day they were made, and any of them by its name."""

from dataclasses import dataclass
from typing import Final

from wms_ml.errors import NoProductionModelError, RegistryError
from wms_resources.model_facts import utc
from wms_resources.registry import PRODUCTION, ModelVersion, Registry

_NAMED: Final = 8
"""Versions that an error names."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A version in the list.

    Attributes:
        model: the version.
        aliases: those it carries, sorted.
        made_at: when it was trained and registered, ISO 8601 in UTC.
    """

    model: ModelVersion
    aliases: tuple[str, ...]
    made_at: str


def listed(registry: Registry) -> list[Listed]:
    """Every version, newest first.

    Raises:
        RegistryError: the registry does not answer.
    """
    models = registry.ask("read aliases", lambda: registry.client.search_registered_models(registry.named))
    carried = models[0].aliases if models else {}
    entries = registry.ask("list versions", lambda: registry.client.search_model_versions(registry.named))
    return [
        Listed(
            model=registry.version_in(entry),
            aliases=tuple(sorted(str(alias) for alias, number in carried.items() if str(number) == str(entry.version))),
            made_at=utc(entry.creation_timestamp),
        )
        for entry in sorted(entries, key=lambda entry: int(entry.version), reverse=True)
    ]


def find(registry: Registry, reference: str) -> Listed:
    """A version by its number or by an alias.

    Raises:
        NoProductionModelError: `production` was asked for and there is none.
        RegistryError: there is no such version; the message names those there are. Or the registry does not answer.
    """
    versions = listed(registry)
    for each in versions:
        if reference == each.model.version or reference in each.aliases:
            return each
    if reference == PRODUCTION:
        raise NoProductionModelError(registry.nothing_yet)
    names = [", ".join((each.model.version, *each.aliases)) for each in versions[:_NAMED]]
    more = " …" if len(versions) > _NAMED else ""
    there = f"there are {'; '.join(names)}{more}" if versions else "there are no versions yet, `wms demo` makes one"
    raise RegistryError(f"'{registry.model_name}' has no version or alias '{reference}': {there}")
