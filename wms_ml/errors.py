"""Every error the platform raises on purpose, as one tree.

* WmsError
  * SettingsError          a variable is missing, malformed or contradicts another
  * PictureError           a picture or mask cannot be used
  * DropError              a drop is missing, empty, incomplete or changed underneath us
    * EmptyDropError
    * DropChangedError
  * DataError              the data set cannot be used: too small, damaged, other than its manifest says
  * DataRepoError          git or DVC refused
  * TrainingError          the training program failed
  * RegistryError          the model registry is unreachable or contradicts itself
    * NoProductionModelError
  * GateError              promotion refused: the evidence is missing, stale, altered or not good enough
  * DeploymentError        a release could not be put in front of people: the target, its network or its disk
    * ReleaseError         ... because the release itself does not do what it should
    * RolloutError         ... after it was begun: what stood before was put back
  * StoreError             the object store is unreachable or refuses us

A message names the file or setting, says what is wrong and what to do next: it is shown to people as it is.
Nothing here is ever turned into a default value.
"""


class WmsError(Exception):
    """Base of every error that the platform raises on purpose."""


class SettingsError(WmsError):
    """A setting is missing, malformed or contradicts another."""


class PictureError(WmsError):
    """A picture or mask cannot be used; `code` is the machine-readable reason.

    Attributes:
        code: one of `empty`, `format`, `truncated`, `undecodable`, `too-large`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class DropError(WmsError):
    """A drop is missing, incomplete or changed underneath us."""


class EmptyDropError(DropError):
    """A drop holds no picture at all."""


class DropChangedError(DropError):
    """A drop is no longer the version that was asked for; the newer one has, or will have, a run of its own."""


class DataError(WmsError):
    """A data set is too small, damaged, or other than its manifest says."""


class DataRepoError(WmsError):
    """git or DVC refused an operation on the data repository."""


class TrainingError(WmsError):
    """The training or evaluation program failed."""


class RegistryError(WmsError):
    """The model registry is unreachable or contradicts itself."""


class NoProductionModelError(RegistryError):
    """No model version carries the `production` alias yet."""


class GateError(WmsError):
    """Promotion refused: evidence missing, stale, altered, or not good enough."""


class DeploymentError(WmsError):
    """A release could not be put in front of people; what served before serves on."""


class ReleaseError(DeploymentError):
    """The release is at fault: it ended, was never ready, answers nonsense, or lost beside the one that serves now."""


class RolloutError(DeploymentError):
    """A rollout failed on its way, and what stood before was put back.

    Attributes:
        step: how far it came, as `wms_resources.deployment.rollout.Step` names it.
        reason: what went wrong.
        seen: figures of the watch as Markdown; empty when there was none.
        restored: whether what stood before stands there again and answers.
        stands: what stands there now, in words.
        blames_release: whether the release is at fault, and not the target or the way to it.
    """

    def __init__(
        self, message: str, *, step: str, reason: str, seen: str, restored: bool, stands: str, blames_release: bool
    ) -> None:
        super().__init__(message)
        self.step = step
        self.reason = reason
        self.seen = seen
        self.restored = restored
        self.stands = stands
        self.blames_release = blames_release


class StoreError(WmsError):
    """The object store is unreachable or refuses us."""
