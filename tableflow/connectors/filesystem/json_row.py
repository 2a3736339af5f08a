"""One decoded JSON object to the values of a row, type by type, the way Flink's JSON format reads them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.representation import canonical

_EXACT = Context(prec=100)
EPOCH_DAY = "1970-01-01T"
"""Put before a time of day, so that it is read as a timestamp: Arrow has no cast from text to time."""


class RowDecoder:
    """Values of some fields, for :func:`pyarrow.array` under their canonical types.

    ``lenient``: a value that does not fit its type is NULL.  ``complete``: a field that is absent is an error.
    Errors are ValueError saying which field and why.
    """

    def __init__(self, fields: Sequence[tuple[str, t.SqlType]], *, lenient: bool, complete: bool) -> None:
        self._fields = fields
        self._lenient = lenient
        self._complete = complete

    def decode(self, item: Any) -> list[Any]:
        """The row of an object."""
        if not isinstance(item, dict):
            raise ValueError("a row is a JSON object")  # noqa: TRY004 - a fault of the data
        return [self._field(item, name, of) for name, of in self._fields]

    def _field(self, item: dict[str, Any], name: str, of: t.SqlType) -> Any:
        if self._complete and name not in item:
            raise ValueError(f"field {name!r} is missing")
        try:
            return json_value(item.get(name), of)
        except (ValueError, TypeError, ArithmeticError) as error:
            if self._lenient:
                return None
            # decimal's own errors have no words
            why = f"{_text(item[name]):.80} is no number" if isinstance(error, InvalidOperation) else error
            raise ValueError(f"field {name!r} is not {of}: {why}") from None


def json_value(value: Any, of: t.SqlType) -> Any:
    """A decoded value (numbers with a point as Decimal) as Python has it for the type; may raise ValueError."""
    if value is None:
        return None
    match of:
        case t.BooleanType():
            return _boolean(value)
        case t.IntegerType(bits=bits):
            return _integer(value, bits)
        case t.FloatType():
            return float(_scalar(value))
        case t.DecimalType():
            return _decimal(value, of)
        case t.JsonType():
            return _text(value)
        case t.StringType():
            return value if isinstance(value, str) else _text(value)
        case t.BytesType():
            text = _string(value)
            return _hexadecimal(text) if text.startswith("\\x") else text.encode()
        case t.DateType():
            return dt.date.fromisoformat(_string(value))
        case t.TimeType():
            unit = canonical(of).unit
            return (
                pa.scalar(f"{EPOCH_DAY}{_cut(_string(value), of)}").cast(pa.timestamp(unit)).cast(canonical(of)).value
            )
        case t.TimestampType():
            return _timestamp(_cut(_string(value), of), of)
        case t.ArrayType(element=element):
            return [json_value(one, element) for one in _expect(value, list, "an array")]
        case t.MapType(key=key, value=inner):
            pairs = _expect(value, dict, "an object").items()
            return [(json_value(k, key), json_value(v, inner)) for k, v in pairs]
        case t.RowType(fields=fields):
            row = _expect(value, dict, "an object")
            return {field.name: json_value(row.get(field.name), field.type) for field in fields}
        case _:
            raise ValueError(f"JSON has no values of type {of}")


def _expect(value: Any, kind: type, spelled: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{spelled} is expected, not {_text(value):.80}")  # noqa: TRY004
    return value


def _scalar(value: Any) -> Any:
    if isinstance(value, (bool, list, dict)):
        raise ValueError(f"a number is expected, not {_text(value):.80}")  # noqa: TRY004
    return value


def _string(value: Any) -> str:
    return str(_expect(value, str, "a string"))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise ValueError(f"true or false is expected, not {_text(value):.80}")


def _integer(value: Any, bits: int) -> int:
    number = Decimal(_scalar(value))
    if number != number.to_integral_value():
        raise ValueError(f"a whole number is expected, not {number}")
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(f"{number} is out of range")
    return int(number)


def _decimal(value: Any, of: t.DecimalType) -> Decimal:
    number = Decimal(_scalar(value)).quantize(Decimal(1).scaleb(-of.scale), ROUND_HALF_UP, _EXACT)
    if abs(number) >= Decimal(10) ** (of.precision - of.scale):
        raise ValueError(f"{number} is out of range")
    return number


def _hexadecimal(text: str) -> bytes:
    """Bytes as COPY writes them, backslash x and digits; any other text is its own bytes."""
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        return text.encode()


def _cut(text: str, of: t.TimeType | t.TimestampType) -> str:
    """A time without the digits that its type has not."""
    whole, point, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    if not point or not of.precision < digits <= 9:
        return text
    return f"{whole}{point if of.precision else ''}{rest[: of.precision]}{rest[digits:]}"


def _timestamp(text: str, of: t.TimestampType) -> int:
    unit = "us" if of.precision <= 6 else "ns"
    try:
        return int(pa.scalar(text).cast(pa.timestamp(unit)).value)
    except pa.ArrowInvalid:  # with a zone: the instant, in UTC
        return int(pa.scalar(text).cast(pa.timestamp(unit, "UTC")).value)
