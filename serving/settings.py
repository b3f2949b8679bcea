"""The service's own settings: `WMS_SERVING_*` variables or `.env`, refused with a sentence when they make no sense.

It stands below `wms` and its settings: an image of the service knows nothing of the platform around it.
"""

import os
from pathlib import Path
from typing import Any, Final, Literal

from dotenv import dotenv_values
from pydantic import Field, HttpUrl, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from wms_ml.errors import SettingsError

_PREFIX: Final = "WMS_SERVING_"
_FILE: Final = Path(__file__).resolve().parent.parent / ".env"
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


class ServingSettings(BaseSettings):
    """Settings of one service."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    profile: Literal["local", "production"] = Field("local", description="`production` refuses to start without a key")
    api_key: SecretStr = Field(SecretStr(""), description="what callers of /predict must show; empty: nothing")
    cors_origins: list[str] = Field([], description="pages of other sites that may call this service, JSON")

    max_megabytes: float = Field(20, gt=0, le=1024, description="largest picture file, MiB")
    max_megapixels: float = Field(64, gt=0, le=178, description="largest picture, width times height in millions")
    batch_pictures: int = Field(16, ge=1, le=256, description="pictures in one request to /predict/batch at most")
    request_seconds: float = Field(
        30, gt=0, description="how long a request's body may take to arrive, and as long its turn to come"
    )

    workers: int = Field(0, ge=0, le=256, description="pictures at work at once; 0: as many as there are cores")
    threads: int = Field(0, ge=0, le=256, description="the model's threads for each; 0: cores divided by workers")
    queue: int = Field(
        0, ge=0, le=10_000, description="pictures that may wait for their turn; 0: as many as work, in a rush fewer"
    )

    precision: Literal["auto", "float32"] = Field(
        "auto", description="of the model's arithmetic; `auto`: bfloat16 where the processor has it and masks stay"
    )

    canary: HttpUrl | None = Field(None, description="service of another version that may take a share; empty: none")
    canary_seconds: float = Field(10, gt=0, le=10, description="how long it may take for one request")
    share: float = Field(0, ge=0, le=1, description="what this service takes where it is another one's canary")

    prediction_log: str = Field("", description="folder of the prediction log; empty: none is written")
    keep_pictures: bool = Field(False, description="keep the pictures beside the prediction log")

    @model_validator(mode="after")
    def _production_has_a_key(self) -> "ServingSettings":
        if self.profile == "production" and not self.api_key.get_secret_value():
            raise ValueError(
                f"{_PREFIX}PROFILE=production needs a key that callers must show: "
                f"set {_PREFIX}API_KEY to a long random text"
            )
        return self

    @property
    def max_bytes(self) -> int:
        """Largest picture file, bytes."""
        return int(self.max_megabytes * 2**20)

    @property
    def max_pixels(self) -> int:
        """Largest picture, width times height."""
        return int(self.max_megapixels * 1e6)

    @property
    def at_work(self) -> int:
        """Pictures at work at once.

        One on every core, with one thread each: on 2 cores that gave 1.6 times as many pictures a second as one at a
        time with two threads, and three quarters of its p99 (U-Net, 256 pixels). Two threads for one picture cost 1.6
        times the processor's time, waiting for one another, and decoding and drawing use only one of them.
        """
        return self.workers or max(1, cores() // (self.threads or 1))

    @property
    def threads_each(self) -> int:
        """Threads of the model for each picture at work."""
        return self.threads or max(1, cores() // self.at_work)

    @property
    def waiting(self) -> int:
        """Pictures that may wait: as many as are at work, of which in a rush only those whose turn is near do."""
        return self.queue or self.at_work


def load_settings(**overrides: Any) -> ServingSettings:
    """Settings from the environment and `.env`.

    Raises:
        SettingsError: a variable is unknown, malformed or missing; one sentence a problem.
    """
    known = {f"{_PREFIX}{name.upper()}" for name in ServingSettings.model_fields}
    unknown = sorted(
        name for name in {*os.environ, *dotenv_values(_FILE)} if name.startswith(_PREFIX) and name not in known
    )
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}: there are {', '.join(sorted(known))}")
    try:
        return ServingSettings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(problem) for problem in error.errors())) from error
    except UnreadableSetting as error:
        raise SettingsError(f'{_PREFIX}CORS_ORIGINS: not a JSON list such as ["https://meters.example"]') from error


def _sentence(problem: Any) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    return f"{_PREFIX}{problem['loc'][0].upper()}: {message}" if problem["loc"] else message


def cores() -> int:
    """Cores that this process may use: those of the machine, or what its container is granted of them."""
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if _QUOTA.exists():
        quota, period = _QUOTA.read_text().split()
        if quota != "max":
            granted = min(granted, max(1, int(quota) // int(period)))
    return granted
