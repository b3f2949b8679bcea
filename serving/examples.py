"""What the documentation shows: every refusal there is, and an answer that this service really gave."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from serving.problems import Problem
from serving.uploads import FIELDS

Documented = dict[int | str, dict[str, Any]]
"""Answers by status, in OpenAPI's words."""

VERSION: Final[dict[str, Any]] = {
    "model_name": "water-meter-segmentation",
    "model_version": "7",
    "data_version": "b7c1f0f7c6f94b4d9a0d3f6e5a1c2b3d",
    "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "tag": "0123456789ab",
    "metrics": {"dice": 0.946, "iou": 0.898},
    "precision": "bfloat16",
}

WINDOW: Final[dict[str, Any]] = {
    "width": 48,
    "height": 96,
    "found": True,
    "mask": (
        "iVBORw0KGgoAAAANSUhEUgAAADAAAABgCAAAAAB+566sAAAALklEQVR4nO3NIQ4AMAgEQcr//wy2EpKKihl3CRsiAP5y7lGDo9x+EAgEAgAA"
        "XmrsOQEwiLPArQAAAABJRU5ErkJggg=="
    ),
    "polygon": [
        [12.1, 47.3],
        [12.0, 45.8],
        [12.1, 24.8],
        [12.4, 24.1],
        [13.1, 24.0],
        [35.6, 24.1],
        [35.9, 24.8],
        [36.0, 26.3],
        [35.9, 47.3],
        [35.6, 47.9],
        [34.9, 48.0],
        [12.4, 47.9],
    ],
    "box": {
        "center": [24.0, 36.0],
        "width": 23.91,
        "height": 23.9,
        "angle": 0.25,
        "corners": [[12.1, 24.0], [36.01, 24.1], [35.9, 48.0], [11.99, 47.9]],
    },
    "crop": None,
    "confidence": 0.9624934792518616,
    "coverage": 0.125,
    "model_version": "7",
    "timings": {"waited": 0.03, "decoded": 0.61, "inferred": 0.72, "drawn": 1.4, "total": 2.76},
}
"""Of a black picture with a red square, told by the model that the tests make: it takes red for a window."""

_BAD: Final = HTTPStatus.BAD_REQUEST
_BUSY: Final = HTTPStatus.SERVICE_UNAVAILABLE
REFUSALS: Final = {
    "empty": (_BAD, "the file is empty (0 bytes)"),
    "truncated": (_BAD, "the picture does not decode: image file is truncated (44 bytes not processed)"),
    "undecodable": (_BAD, "the picture does not decode: broken data stream when reading image file"),
    "no-picture": (_BAD, "the form has no file in its field 'image' (or 'file')"),
    "several-pictures": (_BAD, "the form has 2 pictures: send one a request"),
    "too-many-pictures": (_BAD, "the form has 17 pictures: send at most 16 a request"),
    "form": (_BAD, "the form is malformed: Missing boundary in multipart."),
    "timeout": (
        HTTPStatus.REQUEST_TIMEOUT,
        "the request did not arrive within 30 s: send it again, or less",
    ),
    "too-large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "100 megapixels, the limit is 64"),
    "format": (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "not a picture in a known format (JPEG, PNG, WEBP, BMP, TIFF)",
    ),
    "parameter": (HTTPStatus.UNPROCESSABLE_ENTITY, "crop: Input should be a valid boolean, unable to interpret input"),
    "overloaded": (_BUSY, "every place is taken: send the picture again in a moment"),
    "not-ready": (_BUSY, "the model is still loading: try again in a moment"),
}
"""Every code of a `Problem`, with its status and a message that stands for others of its kind."""

_PICTURE: Final = ("empty", "truncated", "undecodable", "too-large", "format")
_REQUEST: Final = ("no-picture", "form", "timeout", "too-large", "format", "parameter", "overloaded", "not-ready")


def refusals(*codes: str) -> Documented:
    """The answers that refuse a request for these reasons."""
    found: Documented = {}
    for code in codes:
        status, message = REFUSALS[code]
        answer = found.setdefault(int(status), {"model": Problem, "content": {"application/json": {"examples": {}}}})
        problem = {"value": {"error": code, "message": message}}
        answer["content"]["application/json"]["examples"][code] = problem
        if status is _BUSY:
            answer["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return found


def window_answers() -> Documented:
    """Every answer of `/predict`."""
    content = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
    headers = {
        name: {"description": f"with `Accept: image/png`: {what}", "schema": {"type": "string"}}
        for name, what in (("X-Model-Version", "the model's version"), ("X-Confidence", "0 to 1"))
    }
    return {200: {"content": content, "headers": headers}} | refusals(*_PICTURE, *_REQUEST, "several-pictures")


def batch_answers() -> Documented:
    """Every answer of `/predict/batch`."""
    return refusals(*_REQUEST, "too-many-pictures")


def show_examples(app: FastAPI) -> None:
    """Put the answers into the OpenAPI document of `app`, from which FastAPI leaves out what is null in them."""
    described = app.openapi
    bad = {"name": "note.txt", "window": None, "problem": {"error": "format", "message": REFUSALS["format"][1]}}
    good = {"name": "meter.png", "window": WINDOW, "problem": None}
    batch = {"model_version": WINDOW["model_version"], "pictures": [good, bad]}

    def openapi() -> dict[str, Any]:
        document = described()
        for path, answer in (("/predict", WINDOW), ("/predict/batch", batch)):
            document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["example"] = answer
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the place where FastAPI lets a document be extended


def form_of(most: int) -> dict[str, Any]:
    """The body that `serving.uploads` understands, with one to `most` pictures, in OpenAPI's words."""
    file = {"type": "string", "format": "binary"}
    pictures = file if most == 1 else {"type": "array", "items": file, "minItems": 1, "maxItems": most}
    form = {"type": "object", "properties": {FIELDS[0]: pictures}, "required": [FIELDS[0]]}
    content = {"multipart/form-data": {"schema": form}} | ({"image/*": {"schema": file}} if most == 1 else {})
    return {"requestBody": {"required": True, "content": content}}
