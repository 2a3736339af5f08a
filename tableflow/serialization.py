"""Plans, programs and job graphs as versioned JSON.

Every frozen dataclass that is decorated with :func:`serializable` can be written as a tagged JSON object
(``{"$": "FilterRows", ...fields}``) and read back equal.  Enums, tuples, frozensets, big integers, bytes and
non-finite floats survive.  Reading checks tags and field names, so that a damaged or foreign document
ends in a :class:`~tableflow.errors.SerializationError` and never in a half-built plan.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from tableflow import types
from tableflow.errors import SerializationError, Span

FORMAT_VERSION = 1

type_T = TypeVar("type_T", bound=type)
_CLASSES: dict[str, type] = {}
_FIELDS: dict[type, tuple[str, ...]] = {}


def serializable(cls: type_T) -> type_T:
    """Class decorator: instances may appear in plans.  Names are global, so each is used once."""
    name = cls.__name__
    if name in _CLASSES and _CLASSES[name].__qualname__ != cls.__qualname__:
        raise ValueError(f"two serializable classes are named {name!r}")
    _CLASSES[name] = cls
    if dataclasses.is_dataclass(cls):
        _FIELDS[cls] = tuple(f.name for f in dataclasses.fields(cls) if f.init)
    return cls


def encode(value: Any) -> Any:
    """A JSON-ready value; raises :class:`SerializationError` for what is not serializable."""
    names = _FIELDS.get(type(value))
    if names is not None:
        document: dict[str, Any] = {"$": type(value).__name__}
        for name in names:
            document[name] = encode(getattr(value, name))
        return document
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, enum.Enum):
        return {"$": type(value).__name__, "name": value.name}
    if isinstance(value, int):
        return value if -(2**53) < value < 2**53 else {"$": "int", "text": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": "float", "text": repr(value)}
    if isinstance(value, bytes):
        return {"$": "bytes", "base64": base64.b64encode(value).decode()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, frozenset):
        return {"$": "frozenset", "items": [encode(item) for item in sorted(value)]}
    if isinstance(value, Mapping):
        return {"$": "mapping", "items": [[encode(k), encode(v)] for k, v in value.items()]}
    raise SerializationError(f"a {type(value).__name__} cannot be part of a plan")


def decode(document: Any) -> Any:
    """The value that :func:`encode` was given; lists come back as tuples."""
    if document is None or isinstance(document, bool | str | int | float):
        return document
    if isinstance(document, list | tuple):  # tuples: a document that travelled inside another
        return tuple(decode(item) for item in document)
    if not isinstance(document, dict) or "$" not in document:
        raise SerializationError("the plan document is damaged", detail=f"untagged object {document!r:.80}")
    tag = document["$"]
    cls = _CLASSES.get(tag)
    try:
        if cls in _FIELDS:
            return cls(**{name: decode(value) for name, value in document.items() if name != "$"})
        return _decode_tagged(tag, document)
    except (KeyError, TypeError, ValueError) as error:
        raise SerializationError(f"the plan document is damaged at {tag!r}", detail=str(error)) from error


def _decode_tagged(tag: str, document: dict[str, Any]) -> Any:
    match tag:
        case "int":
            return int(document["text"])
        case "float":
            return float(document["text"])
        case "bytes":
            return base64.b64decode(document["base64"])
        case "frozenset":
            return frozenset(decode(item) for item in document["items"])
        case "mapping":
            return {decode(k): decode(v) for k, v in document["items"]}
    cls = _CLASSES.get(tag)
    if cls is None:
        raise SerializationError(
            f"the plan document names {tag!r}, which this version does not know",
            hint="read it with the version that wrote it",
        )
    if issubclass(cls, enum.Enum):
        return cls[document["name"]]
    return cls(**{name: decode(value) for name, value in document.items() if name != "$"})


def dumps(value: Any) -> str:
    """A versioned JSON document."""
    return json.dumps({"version": FORMAT_VERSION, "root": encode(value)}, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """The value in a versioned JSON document; refuses other versions."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SerializationError("the plan document is not JSON", detail=str(error)) from error
    version = document.get("version") if isinstance(document, dict) else None
    if version != FORMAT_VERSION:
        raise SerializationError(
            f"the plan document has version {version!r}, this is version {FORMAT_VERSION}",
            hint="read it with the version that wrote it",
        )
    return decode(document["root"])


for _cls in (
    Span,
    types.NullType, types.BooleanType, types.IntegerType, types.FloatType, types.DecimalType, types.StringType,
    types.BytesType, types.DateType, types.TimeType, types.TimestampType, types.IntervalType, types.JsonType,
    types.ArrayType, types.MapType, types.RowType, types.RowField, types.Field,
):  # fmt: skip
    serializable(_cls)
