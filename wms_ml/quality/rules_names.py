"""Rules about names and contents: every picture once, under one name, with its mask."""

from collections.abc import Iterable, Iterator, Mapping

from wms_ml.quality.facts import OTHER, Facts, Fault
from wms_ml.quality.listing import IMAGES, MASKS, File, spelling


def images_without_mask(facts: Facts) -> Iterator[Fault]:
    """Images for which no file of the same name lies in masks/."""
    return _without_partner(facts, IMAGES, "mark its window and save that as {path}, or leave out the image")


def masks_without_image(facts: Facts) -> Iterator[Fault]:
    """Masks for which no file of the same name lies in images/."""
    return _without_partner(facts, MASKS, "add its picture as {path}, or remove the mask")


def _without_partner(facts: Facts, folder: str, remedy: str) -> Iterator[Fault]:
    other = OTHER[folder]
    present = facts.stand_ins(other)
    spelled = _by_spelling(facts.by_name(other))
    for name, files in facts.by_name(folder).items():
        if name in present:
            continue
        paths = tuple(file.path for file in files)
        similar = spelled.get(spelling(name))
        if similar:
            yield Fault(
                paths,
                f"there is no {name} in {other}/, only {similar[0]}: capitals and accents count",
                "spell both names alike",
            )
        else:
            ending = "png" if other == MASKS else "jpg"
            yield Fault(paths, f"there is no {name} in {other}/", remedy.format(path=f"{other}/{name}.{ending}"))


def names_twice(facts: Facts) -> Iterator[Fault]:
    """Several files for one name in one folder, such as x.jpg and x.png."""
    for folder in (IMAGES, MASKS):
        for name, files in facts.by_name(folder).items():
            if len(files) > 1:
                yield Fault(
                    _paths(files),
                    f"{len(files)} files in {folder}/ are called {name}",
                    "keep the right one; if they are different pictures, give each pair a name of its own",
                )


def names_alike(facts: Facts) -> Iterator[Fault]:
    """Names that Windows and macOS take for one, within the drop or against accepted pairs."""
    images, masks = facts.by_name(IMAGES), facts.by_name(MASKS)
    # Names that clash in one folder: an image and a mask that differ so are no clash but a missing partner.
    clashes = {tuple(names) for files in (images, masks) for names in _by_spelling(files).values() if len(names) > 1}
    for names in sorted(clashes):
        yield Fault(
            tuple(file.path for name in names for files in (images, masks) for file in files.get(name, ())),
            f"the names {' and '.join(names)} differ only in capitals or accents: one file on some computers",
            "rename all but one of the pairs",
        )
    accepted = _by_spelling(facts.accepted)
    for name, found in images.items():
        taken = [other for other in accepted.get(spelling(name), ()) if other != name]
        if taken:
            yield Fault(
                _paths(found),
                f"it differs from the accepted pair {taken[0]} only in capitals or accents",
                f"call it {taken[0]} if it is that pair, else give it another name",
            )


def names_taken(facts: Facts) -> Iterator[Fault]:
    """Names under which a pair with other content is accepted already: nothing accepted is overwritten."""
    for image, mask in facts.pairs():
        name = image.file.name
        now = (image.header.sha256, mask.header.sha256)
        before = facts.accepted.get(name, now)
        files = (image.file.path, mask.file.path)
        if before[0] != now[0]:
            yield Fault(files, f"another picture is accepted already as {name}", "give the new pair a name of its own")
        elif before[1] != now[1]:
            yield Fault(
                files[::-1],
                f"the accepted pair {name} has this picture with another mask",
                "leave it out if the accepted mask is right; else correct that mask in the data repository",
            )


def same_contents(facts: Facts) -> Iterator[Fault]:
    """Images with the same bytes under several names, within the drop or against accepted pairs."""
    by_content: dict[str, list[File]] = {}
    for image in facts.images():
        by_content.setdefault(image.header.sha256, []).append(image.file)
    known = {contents[0]: name for name, contents in facts.accepted.items()}
    for content, files in by_content.items():
        if len(files) > 1:
            yield Fault(
                _paths(files),
                f"{len(files)} names hold the very same picture",
                "keep the one with the right mask",
            )
        name = known.get(content)
        if name is not None:
            again = [file for file in files if not _accepted_as(facts, file.name, content)]
            if again:
                yield Fault(_paths(again), f"this picture is accepted already as {name}", "leave out this pair")


def _accepted_as(facts: Facts, name: str, content: str) -> bool:
    return name in facts.accepted and facts.accepted[name][0] == content


def _paths(files: Iterable[File]) -> tuple[str, ...]:
    return tuple(file.path for file in files)


def _by_spelling(names: Iterable[str] | Mapping[str, object]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name in names:
        grouped.setdefault(spelling(name), []).append(name)
    return grouped
