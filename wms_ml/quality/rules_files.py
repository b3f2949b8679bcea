"""Rules about single files: may they be here, and are they pictures."""

from collections.abc import Iterator
from typing import Final

from wms_ml.arrays import SUFFIXES
from wms_ml.quality.facts import CONVERTIBLE, OTHER, Facts, Fault
from wms_ml.quality.inspection import Broken
from wms_ml.quality.listing import File, Kind, unsafe_reason

_COPY_AGAIN: Final = "copy it again from where it came; if it is broken there too, leave out the pair"
_REMEDIES: Final = {
    "empty": _COPY_AGAIN,
    "truncated": _COPY_AGAIN,
    "undecodable": _COPY_AGAIN,
    "format": "open it in a picture viewer and save it as JPEG or PNG",
}


def unsafe_names(facts: Facts) -> Iterator[Fault]:
    """Names that start with a dot, are too long, or break terminals, pages or file systems."""
    for file in facts.of_kind(Kind.UNSAFE):
        if reason := unsafe_reason(file.source.name):
            yield Fault((file.path,), reason, "rename it (and its partner) to plain letters, digits, - and _")


def links(facts: Facts) -> Iterator[Fault]:
    """Symbolic links: they may lead out of the drop, and their target may change after it was checked."""
    for file in facts.of_kind(Kind.LINK):
        yield Fault((file.path,), "it is a link, and links are not followed", "put the file itself in its place")


def unexpected_files(facts: Facts) -> Iterator[Fault]:
    """Entries that are no picture by their ending, or no file at all."""
    for file in facts.of_kind(Kind.FOLDER, Kind.SPECIAL, Kind.STRAY):
        if file.kind is Kind.FOLDER:
            yield Fault((file.path,), "it is a folder", f"put its pictures directly into {file.folder}/")
        elif file.kind is Kind.SPECIAL:
            yield Fault((file.path,), "it is a device, pipe or socket, no file", "remove it")
        elif file.suffix in CONVERTIBLE:
            yield Fault(
                (file.path, *_partners(facts, file)),
                f"pictures of the kind {file.suffix} are not read",
                "convert it to JPEG or PNG, keeping the name",
            )
        else:
            yield Fault(
                (file.path,),
                f"its ending {file.suffix or '(none)'} is none of a picture",
                f"remove it, or give it the right ending if it is a picture: {', '.join(SUFFIXES)}",
            )


def _partners(facts: Facts, file: File) -> list[str]:
    if file.name in facts.by_name(file.folder):
        return []
    return [partner.path for partner in facts.by_name(OTHER[file.folder]).get(file.name, [])]


def undecodable(facts: Facts) -> Iterator[Fault]:
    """Files that are empty, cut short, damaged, or in no known picture format."""
    for broken in _broken(facts):
        if broken.code in _REMEDIES:
            yield Fault((broken.file.path,), broken.message, _REMEDIES[broken.code])


def misnamed(facts: Facts) -> Iterator[Fault]:
    """Pictures of one format under the ending of another."""
    for broken in _broken(facts):
        if broken.code == "misnamed":
            yield Fault(
                (broken.file.path,),
                broken.message,
                "give it the ending of what it is, or save it as what it says",
            )


def too_large(facts: Facts) -> Iterator[Fault]:
    """Pictures with more pixels, or files with more bytes, than any camera in use makes."""
    for broken in _broken(facts):
        if broken.code == "too-large":
            yield Fault(
                (broken.file.path,),
                broken.message,
                "scale image and mask down together, or leave them out",
            )


def _broken(facts: Facts) -> list[Broken]:
    return [found for found in facts.inspected.values() if isinstance(found, Broken)]
