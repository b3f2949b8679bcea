"""Rules about names and contents: every picture once, under one name, with its mask."""

from collections.abc import Callable, Iterable, Iterator

from wms_ml.quality.endings import SIDE_FILES
from wms_ml.quality.facts import OTHER, Facts, Fault
from wms_ml.quality.likeness import bare
from wms_ml.quality.listing import IMAGES, MASKS, File, Kind, spelling


def images_without_mask(facts: Facts) -> Iterator[Fault]:
    """Images for which no file of the same name lies in masks/; a mask that may be meant is named with them."""
    likely = _likely_masks(facts)
    notes = {file.name: file.path for file in facts.of_kind(Kind.STRAY) if file.suffix in SIDE_FILES}
    for name, files in _alone(facts, IMAGES).items():
        mask = likely.get(name)
        if mask:
            message = (
                f"there is no {name} in masks/, but {mask.path} looks like it: names must be the same to the letter"
            )
            remedy = f"rename it to masks/{name}{mask.source.suffix} if it is that mask"
            yield Fault((*_paths(files), mask.path), message, remedy)
        elif name in notes:
            message = f"there is no {name} in masks/, only {notes[name]}, which is no picture"
            remedy = f"export it from the annotation tool as black and white: masks/{name}.png"
            yield Fault(_paths(files), message, remedy)
        else:
            remedy = f"mark its window and save that as masks/{name}.png, or leave out the image"
            yield Fault(_paths(files), f"there is no {name} in masks/", remedy)


def masks_without_image(facts: Facts) -> Iterator[Fault]:
    """Masks for which no file of the same name lies in images/."""
    named = {mask.path for mask in _likely_masks(facts).values()}
    images = {bare(name): name for name in facts.by_name[IMAGES]}
    for name, files in _alone(facts, MASKS).items():
        if named.isdisjoint(_paths(files)):
            message, remedy = (
                f"there is no {name} in images/",
                f"add its picture as images/{name}.jpg, or remove the mask",
            )
            if like := images.get(bare(name)):
                message, remedy = f"{message}, and {like} has a mask already", "remove it if it is a copy"
            yield Fault(_paths(files), message, remedy)


def _alone(facts: Facts, folder: str) -> dict[str, list[File]]:
    present = facts.stand_ins(OTHER[folder])
    return {name: files for name, files in facts.by_name[folder].items() if name not in present}


def _likely_masks(facts: Facts) -> dict[str, File]:
    """For images without a mask the one mask without an image whose name means the same, where it is the only one."""
    masks, images = (_by(bare, _alone(facts, folder)) for folder in (MASKS, IMAGES))
    return {
        names[0]: facts.by_name[MASKS][masks[like][0]][0]
        for like, names in images.items()
        if len(names) == 1 and len(masks.get(like, ())) == 1
    }


def names_twice(facts: Facts) -> Iterator[Fault]:
    """Several files for one name in one folder, such as x.jpg and x.png."""
    for folder in (IMAGES, MASKS):
        for name, files in facts.by_name[folder].items():
            if len(files) > 1:
                yield Fault(
                    _paths(files),
                    f"{len(files)} files in {folder}/ are called {name}",
                    "keep the right one; if they are different pictures, give each pair a name of its own",
                )


def names_alike(facts: Facts) -> Iterator[Fault]:
    """Names that Windows and macOS take for one, within the drop or against accepted pairs."""
    images, masks = facts.by_name[IMAGES], facts.by_name[MASKS]
    # Names that clash in one folder: an image and a mask that differ so are no clash but a missing partner.
    clashes = {tuple(names) for files in (images, masks) for names in _by(spelling, files).values() if len(names) > 1}
    for names in sorted(clashes):
        yield Fault(
            tuple(file.path for name in names for files in (images, masks) for file in files.get(name, ())),
            f"the names {' and '.join(names)} differ only in capitals or accents: one file on some computers",
            "rename all but one of the pairs",
        )
    accepted = facts.accepted.spelled(images)
    for name, found in images.items():
        taken = [other.name for other in accepted.get(spelling(name), ()) if other.name != name]
        if taken:
            yield Fault(
                _paths(found),
                f"it differs from the accepted pair {taken[0]} only in capitals or accents",
                f"call it {taken[0]} if it is that pair, else give it another name",
            )


def names_taken(facts: Facts) -> Iterator[Fault]:
    """Names under which a pair with other content is accepted already: nothing accepted is overwritten."""
    for image, mask in facts.new_pairs:
        name = image.file.name
        before = facts.accepted_namesakes.get(name)
        files = (image.file.path, mask.file.path)
        if before is None:
            continue
        if before.image_sha256 != image.header.sha256:
            yield Fault(files, f"another picture is accepted already as {name}", "give the new pair a name of its own")
        else:
            yield Fault(
                files[::-1],
                f"the accepted pair {name} has this picture with another mask",
                "leave it out if the accepted mask is right; else correct that mask in the data repository",
            )


def same_contents(facts: Facts) -> Iterator[Fault]:
    """Images with the same bytes under several names, within the drop or against accepted pairs."""
    by_content: dict[str, list[File]] = {}
    for image in facts.images:
        by_content.setdefault(image.header.sha256, []).append(image.file)
    known: dict[str, set[str]] = {}
    for pair in facts.accepted.holding(by_content):
        known.setdefault(pair.image_sha256, set()).add(pair.name)
    for content, files in by_content.items():
        if len(files) > 1:
            yield Fault(
                _paths(files),
                f"{len(files)} names hold the very same picture",
                "keep the one with the right mask",
            )
        names = known.get(content)
        if names:
            again = [file for file in files if file.name not in names]
            if again:
                yield Fault(_paths(again), f"this picture is accepted already as {min(names)}", "leave out this pair")


def _paths(files: Iterable[File]) -> tuple[str, ...]:
    return tuple(file.path for file in files)


def _by(key: Callable[[str], str], names: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name in names:
        grouped.setdefault(key(name), []).append(name)
    return grouped
