"""Rules about single files: may they be here, and are they pictures."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from wms_ml.arrays import SUFFIXES
from wms_ml.quality.endings import ARCHIVES, CONVERTIBLE, PICTURES, RENAMABLE, SIDE_FILES
from wms_ml.quality.facts import OTHER, Facts, Fault
from wms_ml.quality.inspection import Broken
from wms_ml.quality.listing import File, Kind, unsafe_reason

_COPY_AGAIN: Final = "copy it again from where it came; if it is broken there too, leave out the pair"
_REMEDIES: Final = {
    "empty": _COPY_AGAIN,
    "truncated": _COPY_AGAIN,
    "undecodable": _COPY_AGAIN,
    "format": "open it in a picture viewer and save it as JPEG or PNG (an iPhone's HEIC may be called .jpg)",
}
_TOO_LARGE: Final = ("too-large", "too-costly")


def unsafe_names(facts: Facts) -> Iterator[Fault]:
    """Names that start with a dot, are too long, or break terminals, pages or file systems."""
    for file in facts.of_kind(Kind.UNSAFE):
        reason = unsafe_reason(file.source.name)
        if reason and not _passed_over(facts, file):
            yield Fault((file.path,), reason, "rename it (and its partner) to plain letters, digits, - and _")


def links(facts: Facts) -> Iterator[Fault]:
    """Symbolic links: they may lead out of the drop, and their target may change after it was checked."""
    for file in facts.of_kind(Kind.LINK):
        yield Fault((file.path,), "it is a link, and links are not followed", "put the file itself in its place")


def unexpected_files(facts: Facts) -> Iterator[Fault]:
    """Entries in images/ or masks/ that may be pictures, or hold some, but cannot be read as such."""
    for file in facts.of_kind(Kind.FOLDER, Kind.SPECIAL, Kind.STRAY):
        if file.kind is Kind.FOLDER:
            yield Fault((file.path,), "it is a folder", f"put its pictures directly into {file.folder}/")
        elif file.kind is Kind.SPECIAL:
            yield Fault((file.path,), "it is a device, pipe or socket, no file", "remove it")
        elif not _passed_over(facts, file):
            yield _stray(facts, file)


def _stray(facts: Facts, file: File) -> Fault:
    if file.suffix in CONVERTIBLE:
        files = (file.path, *_partners(facts, file))
        remedy = "convert it to JPEG or PNG, keeping the name (iPhones: Settings, Camera, Formats, Most Compatible)"
        return Fault(files, f"pictures of the kind {file.suffix} are not read", remedy)
    if file.suffix in RENAMABLE:
        plain = RENAMABLE[file.suffix]
        message = f"the ending {file.suffix} is another name for {plain}"
        return Fault((file.path, *_partners(facts, file)), message, f"rename it to {file.folder}/{file.name}{plain}")
    if file.suffix in ARCHIVES:
        return Fault((file.path,), "archives are not opened", "unpack it, and leave it out")
    return Fault(
        (file.path,),
        f"its ending {file.suffix or '(none)'} is none of a picture",
        f"remove it, or give it the right ending if it is a picture: {', '.join(SUFFIXES)}",
    )


def _partners(facts: Facts, file: File) -> list[str]:
    if file.name in facts.by_name[file.folder]:
        return []
    return [partner.path for partner in facts.by_name[OTHER[file.folder]].get(file.name, [])]


def undecodable(facts: Facts) -> Iterator[Fault]:
    """Files that are empty, cut short, damaged, or in no known picture format."""
    for broken in _broken(facts):
        if broken.code not in ("misnamed", *_TOO_LARGE):
            yield Fault((broken.file.path,), broken.message, _REMEDIES.get(broken.code, _COPY_AGAIN))


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
    """Pictures with more pixels, or files with more bytes, than any camera in use makes, or costlier to decode."""
    for broken in _broken(facts):
        if broken.code in _TOO_LARGE:
            yield Fault(
                (broken.file.path,),
                broken.message,
                "scale image and mask down together, or leave them out",
            )


def _broken(facts: Facts) -> list[Broken]:
    return [found for found in facts.inspected.values() if isinstance(found, Broken)]


def outside(facts: Facts) -> Iterator[Fault]:
    """Folders, pictures and archives beside images/ and masks/: pictures may be lost there without a word."""
    for file in facts.of_kind(Kind.OUTSIDE):
        if file.path.endswith("/") and not file.path.startswith("."):
            yield Fault((file.path,), "nothing in this folder is looked at", _MOVE)
        elif file.suffix in PICTURES:
            yield Fault((file.path,), "it lies outside images/ and masks/ and is not looked at", _MOVE)
        elif file.suffix in ARCHIVES:
            yield Fault((file.path,), "archives are not opened", f"unpack it if it holds pictures; {_MOVE}")


_MOVE: Final = "move pictures that count into images/ and masks/"


def passed_over(facts: Facts) -> Iterator[Fault]:
    """What no pair can be lost with: files of annotation tools, hidden files, the raw form of a picture."""
    found = [file for file in facts.of_kind(Kind.STRAY, Kind.UNSAFE) if _passed_over(facts, file)]
    found.sort(key=lambda file: (file.folder, file.suffix))
    for (folder, suffix), group in groupby(found, key=lambda file: (file.folder, file.suffix)):
        paths = tuple(file.path for file in group)
        files = "1 file is" if len(paths) == 1 else f"{len(paths)} files are"
        yield Fault(paths, f"{files} passed over in {folder}/: {suffix or 'hidden'} is no picture", _LEAVE)


_LEAVE: Final = "nothing has to be done; leave it out next time if it is not meant to be here"


def _passed_over(facts: Facts, file: File) -> bool:
    if file.kind is Kind.UNSAFE:
        return file.source.name.startswith(".") and file.suffix not in PICTURES
    if file.suffix in CONVERTIBLE:
        return file.name in facts.by_name[file.folder]
    return file.suffix in SIDE_FILES
