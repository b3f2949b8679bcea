"""What a run shows on a terminal: a line a stage, what the stages say, failures in one sentence. The rest is in
the UI."""

import logging
import sys
from typing import Any, Final

import dagster as dg
from tqdm import tqdm

_STARTED: Final = "STEP_START"
_FAILED: Final = "STEP_FAILURE"
_NOISE: Final = ("[pipes]", "Dependencies for step")
_CHECKED: Final = "ASSET_CHECK_EVALUATION"


class _Lines(logging.Handler):
    """Writes above whatever progress bar is on screen."""

    def emit(self, record: logging.LogRecord) -> None:
        text = line(record)
        if text:
            tqdm.write(text, file=sys.stderr)


def line(record: logging.LogRecord) -> str:
    """A log record as a line for people; empty for what only machines need."""
    meta: dict[str, Any] = getattr(record, "dagster_meta", {})
    event = meta.get("dagster_event")
    if event is None:
        said = str(meta.get("orig_message", record.getMessage()))
        return "" if record.levelno < logging.INFO or said.startswith(_NOISE) else f"    {said}"
    kind = event.event_type_value
    if kind == _STARTED:
        return f"▸ {event.step_key}"
    if kind == _FAILED:
        return f"  ✗ {event.step_key} failed"
    if kind == _CHECKED:
        outcome = event.event_specific_data
        warns = outcome.severity is dg.AssetCheckSeverity.WARN
        # Checks that pass are many and say nothing.
        return "" if outcome.passed else f"  {'!' if warns else '✗'} {outcome.check_name}"
    return ""


@dg.logger(None, description="A line a stage, for people at a terminal.")
def console(_: dg.InitLoggerContext) -> logging.Logger:
    """The logger of every job."""
    logger = logging.Logger("wms", logging.DEBUG)
    logger.addHandler(_Lines())
    return logger
