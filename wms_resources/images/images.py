"""Images of releases: one of code and dependencies, built where its like is not in the registry yet, and on top of it
one layer with the model. A new model costs its own bytes; the same release is the same image for ever.
"""

import json
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wms_ml.errors import DeploymentError
from wms_resources.images import ecr, sbom
from wms_resources.images.code_image import CODE_LABEL, CodeImages
from wms_resources.images.image_builder import Say, choose
from wms_resources.images.image_cleaning import remove_old
from wms_resources.images.image_registry import ImageRegistry
from wms_resources.images.image_scan import Scan, scan
from wms_resources.images.model_layer import append, layer_of, standing
from wms_resources.images.registry_login import NOBODY, Credentials


@dataclass(frozen=True, slots=True)
class ReleaseImage:
    """The image of a release, and what it took.

    Attributes:
        image: `repository@sha256:...`.
        tag: `v<model version>-<release>`, its name in the registry.
        code_tag: name of the image of code below it.
        origin: `found` in the registry, `appended` to code that was there, or `built` with its code.
        pushed_bytes: what was sent for it; all of an image of code that was built, though the registry may have had
            layers of it.
        seconds: how long it took.
        bill: where its bill of materials lies; or, in words, why there is none.
        scan: what is known of its vulnerabilities.
    """

    image: str
    tag: str
    code_tag: str
    origin: Literal["found", "appended", "built"]
    pushed_bytes: int
    seconds: float
    bill: str
    scan: Scan


@dataclass(frozen=True)
class Images:
    """The images in one repository of a container registry.

    Attributes:
        repository: `host[:port]/name`; one of ECR is made when it is missing, and needs AWS credentials alone.
        project: checkout of the project.
        base: image that the image of code starts from.
        bills: folder of bills of materials.
        builder: `auto`, `docker` or `podman`.
        credentials: of the registry.
        newest: how many images of models stay when older ones are removed.
        say: is given what the builder says, line by line.
    """

    repository: str
    project: Path
    base: str
    bills: Path
    builder: str = "auto"
    credentials: Credentials = NOBODY
    newest: int = 10
    say: Say = logging.getLogger("wms.images").info

    def image_of(self, release: Path) -> str:
        """`repository@sha256:...` of a release folder; see `make`."""
        return self.make(release).image

    def make(self, release: Path) -> ReleaseImage:
        """The image of a release folder: found in the registry, or put there, sending only what it does not have.

        Raises:
            DeploymentError: the registry, the builder or AWS fails or refuses us; the message names the remedy.
        """
        began = time.monotonic()
        registry = self._registry()
        codes = CodeImages(self.project, self.base, self.builder, registry, self.say)
        tag, labels = _named(release, codes.tag)
        layer, code = layer_of(release), None
        digest = standing(registry, layer, tag, labels)
        if digest is None:
            code = codes.ensure()
            digest = append(registry, code.digest, layer, tag, labels)
        bill = self._bill(registry, codes.tag, digest)
        return ReleaseImage(
            image=f"{self.repository}@{digest}",
            tag=tag,
            code_tag=codes.tag,
            origin="found" if code is None else "built" if code.built else "appended",
            pushed_bytes=registry.sent + (code.size if code and code.built else 0),
            seconds=time.monotonic() - began,
            bill=bill,
            scan=scan(registry, digest),
        )

    def tidy(self, keep: Collection[str]) -> list[str]:
        """Remove old images of models, and of code that none of the rest stands on.

        Args:
            keep: images that somebody may want to go back to, `repository@sha256:...` or the digest alone.

        Returns:
            tags that were removed; or why none could be.

        Raises:
            DeploymentError: the registry fails or refuses us.
        """
        return remove_old(self._registry(), {each.rpartition("@")[2] for each in keep}, self.newest)

    def login(self) -> Credentials:
        """What a pull secret is to hold; with ECR good for twelve hours.

        Raises:
            DeploymentError: AWS is away, or does not accept or allow us.
        """
        return ecr.login(self.repository) if self._asks_aws() else self.credentials

    def _registry(self) -> ImageRegistry:
        if self._asks_aws():
            ecr.prepare(self.repository, keep=10 * self.newest)  # far behind `tidy`, which knows what is in use
        return ImageRegistry(self.repository, self.login())

    def _asks_aws(self) -> bool:
        return ecr.is_ecr(self.repository) and not self.credentials.user

    def _bill(self, registry: ImageRegistry, code_tag: str, digest: str) -> str:
        found = sbom.find(registry, code_tag, self.bills)
        if found:
            return str(found)
        try:
            builder = choose(self.builder, registry, self.say)
        except DeploymentError as error:  # the code was built elsewhere, by somebody who ended before making it
            return f"none: {error}"
        return str(sbom.make(builder, code_tag, digest, self.bills))


def _named(release: Path, code_tag: str) -> tuple[str, dict[str, str]]:
    """Tag and labels of a release's image; the git commit is a label of the code's.

    Raises:
        DeploymentError: the folder is no release.
    """
    try:
        stated = json.loads((release / "release.json").read_text())
    except (OSError, ValueError) as error:
        raise DeploymentError(f"{release} is no release ({error}): remove it, and it is made again") from error
    labels = {
        CODE_LABEL: code_tag,
        "wms.release": stated["tag"],
        "wms.model.name": stated["model_name"],
        "wms.model.version": stated["model_version"],
        "wms.model.digest": stated["digest"],
        "wms.data.version": stated["data_version"],
    }
    return f"v{stated['model_version']}-{stated['tag']}", labels
