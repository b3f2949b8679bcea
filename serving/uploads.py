"""The picture in a request: in a form's field or as the body itself, and never more of it than allowed."""

from typing import Final

from fastapi import HTTPException, Request, status
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message, Receive

from wms_ml.errors import PictureError

FIELDS: Final = ("image", "file")
"""Form fields that may hold the picture; `file` is what callers of the system before this one send."""

_ENVELOPE: Final = 64 * 1024
"""Bytes that a form may add around its picture: boundaries, headers, small fields."""

_MAX_PARTS: Final = 8


async def read_picture(request: Request, max_bytes: int) -> bytes:
    """The content of the one picture that a request carries, at most `max_bytes` long.

    Raises:
        PictureError: `too-large` (as soon as it is known), or `format` for a body that is no picture at all.
        HTTPException: 400, no picture or several, or a malformed form.
        ClientDisconnect: the caller went away.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("image/"):
        return await _limited(request, max_bytes).body()
    if kind == "multipart/form-data":
        return await _from_form(_limited(request, max_bytes + _ENVELOPE), max_bytes)
    if kind in ("", "application/x-www-form-urlencoded"):
        raise _bad_request("no-picture", "the request carries no picture: send it as the form field 'image'")
    raise PictureError("format", f"{kind} is no picture: send a form with the field 'image', or an image/* body")


async def _from_form(request: Request, max_bytes: int) -> bytes:
    try:
        async with request.form(max_files=_MAX_PARTS, max_fields=_MAX_PARTS) as form:
            picture = _only_file(form)
            if (picture.size or 0) > max_bytes:
                raise _too_large(max_bytes)
            return await picture.read()
    except ValueError as error:  # the parser's own errors, and charsets that Python knows but cannot decode
        raise _bad_request("form", f"the form is malformed: {error}") from error


def _only_file(form: FormData) -> UploadFile:
    found = [part for name, part in form.multi_items() if name in FIELDS and isinstance(part, UploadFile)]
    if not found:
        raise _bad_request("no-picture", "the form has no file in its field 'image' (or 'file')")
    if len(found) > 1:
        raise _bad_request("several-pictures", f"the form has {len(found)} pictures: send one a request")
    return found[0]


def _limited(request: Request, limit: int) -> Request:
    """The same request, whose body cannot be read past `limit` bytes.

    The stated length is only a first hint: a body sent in chunks states none.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limit:
        raise _too_large(limit)
    return Request(request.scope, _counted(request.receive, limit))


def _counted(receive: Receive, limit: int) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> PictureError:
    return PictureError("too-large", f"the upload is larger than {limit / 2**20:.3g} MiB: send a smaller picture")


def _bad_request(code: str, message: str) -> HTTPException:
    return HTTPException(status.HTTP_400_BAD_REQUEST, {"error": code, "message": message})
