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
  * DeploymentError        the new service did not come up as it should
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
    """The new service did not come up as it should; the old one is left as it was."""


class StoreError(WmsError):
    """The object store is unreachable or refuses us."""
