"""Dataclasses as strict JSON: reading and the schema follow from the same type hints, so they cannot drift apart.

Hints may be str, bool, int, float, a StrEnum, a dataclass, `tuple[X, ...]`, `tuple[X, Y]`, `dict[str, X]` and
unions of these with None.
"""

import inspect
import math
import re
import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

_PLAIN: Final = {str: "string", bool: "boolean", int: "integer", float: "number"}
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def read(kind: Any, value: Any, where: str) -> Any:
    """The `kind` that `value`, as `json.loads` gives it, stands for; `where` names it in messages.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_object(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _read_enum(kind, value, where)
    if kind in _PLAIN:
        return _read_plain(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _read_list(inner, value, where)
    if origin is dict:
        _expect(isinstance(value, dict), where, "an object")
        return {key: read(inner[1], each, f"{where}.{key}") for key, each in value.items()}
    return None if value is None else read(_unless_none(kind), value, where)


def _read_object(kind: type, value: Any, where: str) -> Any:
    _expect(isinstance(value, dict), where, "an object")
    hints = _hints(kind)
    if missing := hints.keys() - value.keys():
        raise ValueError(f"{where} lacks {', '.join(sorted(missing))}")
    if unknown := value.keys() - hints.keys():
        raise ValueError(f"{where} has unknown fields: {', '.join(sorted(map(repr, unknown)))[:200]}")
    return kind(**{name: read(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})


def _read_enum(kind: type[StrEnum], value: Any, where: str) -> StrEnum:
    _expect(value in list(kind), where, f"one of {', '.join(kind)}")
    return kind(value)


def _read_plain(kind: type, value: Any, where: str) -> Any:
    # JSON writes 1.0 as 1 in other hands, and to Python a bool is an int.
    fits = type(value) is kind or (kind is float and type(value) is int)
    article = "an" if kind is int else "a"
    _expect(fits and (kind is not float or math.isfinite(value)), where, f"{article} {_PLAIN[kind]}")
    return kind(value)


def _read_list(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _expect(isinstance(value, list), where, "an array")
    kinds = (inner[0],) * len(value) if inner[1:] == (...,) else inner
    _expect(len(kinds) == len(value), where, f"an array of {len(kinds)}")
    return tuple(
        read(kind, each, f"{where}[{index}]") for index, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def _expect(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise ValueError(f"{where} is not {what}")


def _unless_none(kind: Any) -> Any:
    inner = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()
    others = [each for each in inner if each is not type(None)]
    if len(others) != 1 or len(inner) != 2:
        raise TypeError(f"{kind} has no JSON form here: see this module's docstring")
    return others[0]


def schema(kind: Any) -> dict[str, Any]:
    """JSON Schema (2020-12) of `kind`; dataclasses are `$ref`s into `definitions(kind)`."""
    if is_dataclass(kind) and isinstance(kind, type):
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"enum": [each.value for each in kind]}
    if kind in _PLAIN:
        # Nothing that is counted here can be negative.
        return {"type": _PLAIN[kind], **({"minimum": 0} if kind is int else {})}
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and inner[1:] == (...,):
        return {"type": "array", "items": schema(inner[0])}
    if origin is tuple:
        size = len(inner)
        return {"type": "array", "prefixItems": [schema(each) for each in inner], "minItems": size, "maxItems": size}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema(inner[1])}
    return {"anyOf": [schema(_unless_none(kind)), {"type": "null"}]}


def definitions(kind: type) -> dict[str, Any]:
    """`$defs` of a dataclass and of those that it holds: every field required, no other allowed, as documented."""
    found = {kind.__name__: _object_schema(kind)}
    for hint in _hints(kind).values():
        for inner in _dataclasses(hint):
            found.update(definitions(inner))
    return found


def _dataclasses(hint: Any) -> Iterator[type]:
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for inner in get_args(hint):
        yield from _dataclasses(inner)


def _object_schema(kind: type) -> dict[str, Any]:
    text = inspect.getdoc(kind) or ""
    said = {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(text)}
    hints = _hints(kind)
    return {
        "description": " ".join(text.partition("\n\n")[0].split()),
        "type": "object",
        "properties": {
            name: {**schema(hint), **({"description": said[name]} if name in said else {})}
            for name, hint in hints.items()
        },
        "required": list(hints),
        "additionalProperties": False,
    }
