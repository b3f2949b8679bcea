"""Statistics of predictions, written for monitoring without making a request wait.

A thread of its own measures and writes. What it cannot keep up with, or a full disk does not take, is left out and
counted: a prediction is worth more than its statistics.
"""

import logging
import math
import os
import threading
import time
from collections import deque
from dataclasses import asdict
from errno import ENOSPC
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final
from uuid import uuid4

import numpy as np
from PIL import Image

from wms_ml.arrays import to_rgb
from wms_ml.errors import SettingsError
from wms_ml.prediction_rows import Entry, Facts, file_of
from wms_ml.quality.measuring import brightness_and_contrast, grey_at_edge, sharpness

_LOGGER: Final = logging.getLogger("wms.serving.predictions")

_MOST_WAITING: Final = 256
"""Pictures that may wait to be measured."""
_MOST_PIXELS: Final = 32_000_000
"""Pixels of them all together: about 100 MB. A single larger picture may wait alone."""
_QUALITY: Final = 90
_COMPLAINT_SECONDS: Final = 600.0
_CLOSE_SECONDS: Final = 10.0
"""How long the end of the process waits for a disk that answers no more."""


class PredictionLog:
    """Rows of predictions in a folder, which several processes may write to at a time. It must be on a local disk."""

    def __init__(self, path: Path | None, keep_pictures: bool = False) -> None:
        """Begin; with `path` None every prediction is forgotten.

        Raises:
            SettingsError: the folder cannot be written to.
        """
        self.dropped = 0
        """Predictions that left no row, for whatever reason."""
        self._waiting: deque[tuple[Facts, Image.Image]] = deque()
        self._pixels = 0
        self._changed = threading.Condition()
        self._open = path is not None
        self._complained = -math.inf
        self._writer: threading.Thread | None = None
        if path is not None:
            folder = _Folder(path, keep_pictures)
            folder.require_writable()
            self._writer = threading.Thread(target=self._run, args=[folder], name="prediction-log", daemon=True)
            self._writer.start()

    def offer(self, facts: Facts, picture: Image.Image) -> None:
        """Have a prediction written soon. Returns at once; from then on nobody may change `picture` (RGB, upright)."""
        with self._changed:
            taken = self._open and self._has_room_for(_pixels(picture))
            if taken:
                self._waiting.append((facts, picture))
                self._pixels += _pixels(picture)
                self._changed.notify()
        if not taken and self._writer is not None:
            self._drop("too many wait to be written" if self._open else "its writer has ended")

    def close(self) -> None:
        """Write what waits, and take no more. A second call does nothing."""
        with self._changed:
            self._open = False
            self._changed.notify()
        if self._writer is not None:
            self._writer.join(_CLOSE_SECONDS)
        if self._waiting:
            self._drop("the service ended before they were written", len(self._waiting))

    def _has_room_for(self, pixels: int) -> bool:
        room = len(self._waiting) < _MOST_WAITING and self._pixels + pixels <= _MOST_PIXELS
        return room or not self._waiting

    def _drop(self, why: str, count: int = 1) -> None:
        """Count, and say so once in a while, for what fills the disk may well be the log."""
        now = time.monotonic()
        with self._changed:
            self.dropped += count
            speaks = now - self._complained > _COMPLAINT_SECONDS
            self._complained = now if speaks else self._complained
        if speaks:
            _LOGGER.error("predictions are left out of WMS_SERVING_PREDICTION_LOG: %s (%d so far)", why, self.dropped)

    def _run(self, folder: "_Folder") -> None:
        try:
            while (next_one := self._next()) is not None:
                self._record(folder, *next_one)
        finally:
            with self._changed:
                died, self._open = self._open, False
                self.dropped += died  # the one it was at
            if died:
                _LOGGER.critical("the prediction log has stopped: restart the service, and report this as a fault")

    def _next(self) -> tuple[Facts, Image.Image] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            if not self._waiting:
                return None
            facts, picture = self._waiting.popleft()
            self._pixels -= _pixels(picture)
            return facts, picture

    def _record(self, folder: "_Folder", facts: Facts, picture: Image.Image) -> None:
        try:
            folder.add(facts, picture)
        except (OSError, ValueError, MemoryError) as error:
            self._drop(str(error))


class _Folder:
    """Where rows and pictures lie. Files are opened for each row: a new day, or a file taken away, is no event."""

    def __init__(self, path: Path, keep_pictures: bool) -> None:
        self._path = path
        self._pictures = path / "pictures"
        self._keeps = keep_pictures

    def require_writable(self) -> None:
        """Raise SettingsError when rows or pictures could not be written."""
        for folder in (self._path, self._pictures) if self._keeps else (self._path,):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with TemporaryFile(dir=folder):
                    pass
            except OSError as error:
                raise SettingsError(
                    f"WMS_SERVING_PREDICTION_LOG: {folder} cannot be written to ({error.strerror}): "
                    "name another folder, or none"
                ) from error

    def add(self, facts: Facts, picture: Image.Image) -> None:
        """Measure, and write a row, after its picture where pictures are kept.

        Raises:
            OSError: the disk is full, or away.
            ValueError: the picture has no JPEG, or a figure is not finite.
        """
        grey = grey_at_edge(picture)
        brightness, contrast = brightness_and_contrast(grey)
        entry = Entry(
            **asdict(facts),
            brightness=brightness,
            contrast=contrast,
            sharpness=sharpness(np.asarray(grey)),
            picture=self._keep(facts, picture) if self._keeps else "",
        )
        _append(file_of(self._path, facts.time), entry.line())

    def _keep(self, facts: Facts, picture: Image.Image) -> str:
        """Write the picture, never over that of another request that was given the same id; its path below here."""
        day = self._pictures / facts.time[:10]
        day.mkdir(parents=True, exist_ok=True)
        path = day / f"{facts.request_id}.jpg"
        try:
            file = path.open("xb")
        except FileExistsError:
            path = day / f"{facts.request_id}.{uuid4().hex}.jpg"
            file = path.open("xb")
        with file:
            try:
                to_rgb(picture).save(file, "JPEG", quality=_QUALITY)
            except OSError:
                path.unlink()
                raise
        return path.relative_to(self._path).as_posix()


def _append(path: Path, line: bytes) -> None:
    """Add a whole line at one stroke, and on a line of its own even where a killed writer left half of one."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(file, line) < len(line):
            raise OSError(ENOSPC, "the disk took only a part of a row")
    finally:
        os.close(file)


def _pixels(picture: Image.Image) -> int:
    return picture.width * picture.height
