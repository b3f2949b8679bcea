"""Proof of a service: that it serves the release it should, and that its answers are right.

Asked of every single instance, because an address in front of several hides the one that is wrong.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from wms_ml.arrays import BoolMask, mask_of
from wms_ml.errors import DeploymentError, ReleaseError
from wms_resources.deployment.golden import Golden, iou
from wms_resources.deployment.release_folder import MASK, PICTURE
from wms_resources.deployment.service_calls import calling, is_ready, mask_for, stated
from wms_resources.deployment.targets import Package, Target, Track

_OTHER_PIXELS: Final = 0.001
"""Share of pixels that may differ from one machine to another: processors round differently."""


def prove(package: Package, url: str, golden: Golden) -> None:
    """Ask one instance which release it serves, and have it find the windows of the golden pictures.

    Where the release folder is known, it must also draw the mask that its model drew when the release was made.

    Args:
        package: what should be served there.
        url: address of the instance.
        golden: pictures with a known answer, and the key to ask with.

    Raises:
        ReleaseError: it serves another release, or its masks are not good enough; says which, with figures.
        DeploymentError: it cannot be reached, or refuses us.
    """
    with calling(url, golden.key) as http:
        _require_release(http, package)
        _require_windows(http, golden)
        if package.folder:
            _require_own_mask(http, Path(package.folder))


def prove_track(target: Target, track: Track, package: Package, golden: Golden) -> None:
    """Prove every instance of a track.

    Raises:
        ReleaseError: one of them is not what it should be, as `prove` says, or there is none.
        DeploymentError: the target does not answer, or one of them cannot be reached.
    """
    with target.instances(track) as urls:
        if not urls:
            raise ReleaseError(f"no instance of version {package.model_version} is on the {track} track any more")
        for url in urls:
            prove(package, url, golden)


def with_floor(target: Target, golden: Golden, tell: Callable[[str], None]) -> Golden:
    """The golden pictures with half of what the stable track reaches on them as the floor.

    Far below any model worth its place, and above nonsense: no fixed number is both, from the first model on. What
    stands there and is broken sets no floor: it is to be replaced.

    Raises:
        DeploymentError: it refuses us, or is too busy.
    """
    try:
        with target.instances(Track.STABLE) as urls:
            ready = [url for url in urls if is_ready(url)]
            return replace(golden, floor=_reached(ready[0], golden) / 2) if ready else golden
    except ReleaseError as error:
        tell(f"what serves sets no floor for the golden pictures: {error}")
        return golden


def _reached(url: str, golden: Golden) -> float:
    """Mean IoU of a service's answers to the golden pictures, 0 to 1."""
    with calling(url, golden.key) as http:
        found = _agreements(http, golden)
        return sum(found.values()) / len(found)


def _require_release(http: httpx.Client, package: Package) -> None:
    served = stated(http)
    for name in ("tag", "digest", "model_version"):
        if served.get(name) != getattr(package, name):
            raise ReleaseError(f"{http.base_url} serves {name} {served.get(name)}, not {getattr(package, name)}")


def _require_windows(http: httpx.Client, golden: Golden) -> None:
    found = _agreements(http, golden)
    mean = sum(found.values()) / len(found)
    if mean < golden.floor:
        each = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
        raise ReleaseError(
            f"{http.base_url} does not find the windows of the golden pictures: mean IoU {mean:.2f}, "
            f"at least {golden.floor:.2f} is wanted ({each})"
        )


def _agreements(http: httpx.Client, golden: Golden) -> dict[str, float]:
    return {each.name: _agreement(http, each.name, each.image, each.answer) for each in golden.pictures}


def _agreement(http: httpx.Client, name: str, image: bytes, answer: BoolMask) -> float:
    mask = mask_for(http, name, image)
    _require_size(http, name, mask, answer)
    return iou(mask, answer)


def _require_own_mask(http: httpx.Client, folder: Path) -> None:
    try:
        picture, expected = (folder / PICTURE).read_bytes(), mask_of((folder / MASK).read_bytes())
    except OSError as error:
        raise DeploymentError(f"the release in {folder} is not whole: {error}") from error
    mask = mask_for(http, PICTURE, picture)
    _require_size(http, PICTURE, mask, expected)
    share = float(np.mean(mask != expected))
    if share > _OTHER_PIXELS:
        raise ReleaseError(
            f"{http.base_url} draws another mask on the known picture than its model does: {share:.1%} of its pixels"
        )


def _require_size(http: httpx.Client, name: str, mask: BoolMask, expected: BoolMask) -> None:
    if mask.shape != expected.shape:
        (height, width), (rows, columns) = mask.shape, expected.shape
        raise ReleaseError(
            f"{http.base_url} answers the picture {name} of {columns} x {rows} pixels with a mask of {width} x {height}"
        )
