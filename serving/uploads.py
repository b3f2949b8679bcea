"""The pictures in a request: in a form's fields or as the body itself, and never more of it than allowed."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Message, Receive

from serving.admission import Take
from serving.problems import refusal
from wms_ml.errors import PictureError

FIELDS: Final = ("image", "file")
"""Form fields that may hold a picture; `file` is what callers of the system before this one send."""

_ENVELOPE: Final = 64 * 1024
"""Bytes that a form may add around its pictures: boundaries, headers, small fields."""

_OTHER_PARTS: Final = 8
"""Parts of a form besides its pictures."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture file as it was sent.

    Attributes:
        name: the file's name as the caller states it; empty for a raw body.
        data: its content.
    """

    name: str
    data: bytes


class _InMemory(MultiPartParser):
    """Keeps what it parses in memory, which is counted as it arrives: the service needs no disk to write to."""

    spool_max_size = 2**62


async def read_picture(request: Request, max_bytes: int, take: Take) -> Upload:
    """The one picture that a request carries, at most `max_bytes` long.

    Raises:
        PictureError: `too-large` (as soon as it is known), or `format` for a body that is no picture at all.
        HTTPException: 400, no picture or several, or a malformed form; 503, no room.
        ClientDisconnect: the caller went away.
    """
    kind = _kind(request)
    if kind.startswith("image/"):
        return Upload("", await _limited(request, max_bytes, take).body())
    _require_form(kind)
    (picture,) = await _from_form(_limited(request, max_bytes + _ENVELOPE, take), 1)
    require_size(picture, max_bytes)
    return picture


async def read_pictures(request: Request, most: int, max_bytes: int, take: Take) -> list[Upload]:
    """The pictures of a form, one to `most` of them and `most` times `max_bytes` together, in the order sent.

    One of them may still be larger than `max_bytes`: that is its own problem, not that of the others.

    Raises:
        PictureError: `too-large` for the form as a whole, or `format` for a body that is no form.
        HTTPException: 400, no picture or too many, or a malformed form; 503, no room.
        ClientDisconnect: the caller went away.
    """
    _require_form(_kind(request))
    return await _from_form(_limited(request, most * max_bytes + _ENVELOPE, take), most)


async def read_pieces(request: Request, most: int, max_bytes: int, take: Take) -> list[bytes]:
    """The body of a request with up to `most` pictures as it came, in one piece or more, whatever is in it.

    Raises:
        PictureError: `too-large`.
        HTTPException: 503, no room.
        ClientDisconnect: the caller went away.
    """
    return [piece async for piece in _limited(request, most * max_bytes + _ENVELOPE, take).stream()]


def require_size(picture: Upload, max_bytes: int) -> None:
    """Refuse a picture file that is too large.

    Raises:
        PictureError: `too-large`.
    """
    if len(picture.data) > max_bytes:
        raise _too_large(max_bytes)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_form(kind: str) -> None:
    if kind in ("", "application/x-www-form-urlencoded"):
        raise _bad_request("no-picture", "the request carries no picture: send it as the form field 'image'")
    if kind != "multipart/form-data":
        raise PictureError("format", f"{kind} is no picture: send a form with the field 'image', or an image/* body")


async def _from_form(request: Request, most: int) -> list[Upload]:
    try:
        parts = most + _OTHER_PARTS
        parser = _InMemory(request.headers, request.stream(), max_files=parts, max_fields=parts)
        form = await parser.parse()
    except (MultiPartException, ValueError) as error:  # and charsets that Python knows but cannot decode
        raise _bad_request("form", f"the form is malformed: {error}") from error
    try:
        return [Upload(part.filename or "", await part.read()) for part in _files(form, most)]
    finally:
        await form.close()


def _files(form: FormData, most: int) -> list[UploadFile]:
    found = [part for name, part in form.multi_items() if name in FIELDS and isinstance(part, UploadFile)]
    if not found:
        raise _bad_request("no-picture", "the form has no file in its field 'image' (or 'file')")
    if len(found) > most:
        code, remedy = ("several-pictures", "one") if most == 1 else ("too-many-pictures", f"at most {most}")
        raise _bad_request(code, f"the form has {len(found)} pictures: send {remedy} a request")
    return found


def _limited(request: Request, limit: int, take: Take) -> Request:
    """The same request, whose body cannot be read past `limit` bytes and takes room as it arrives.

    The stated length is only a first hint: a body sent in chunks states none.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limit:
        raise _too_large(limit)
    return Request(request.scope, _counted(request.receive, limit, take))


def _counted(receive: Receive, limit: int, take: Take) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        count = len(message.get("body", b""))
        received += count
        if received > limit:
            raise _too_large(limit)
        take(count)
        return message

    return counted


def _too_large(limit: int) -> PictureError:
    return PictureError("too-large", f"the upload is larger than {limit / 2**20:.3g} MiB: send a smaller picture")


def _bad_request(code: str, message: str) -> HTTPException:
    return refusal(HTTPStatus.BAD_REQUEST, code, message)
