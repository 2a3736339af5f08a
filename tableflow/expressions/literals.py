"""Literals: storage values from Python and from text, and back to Python for results."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.errors import BindError, Span
from tableflow.expressions.casting import convert
from tableflow.expressions.casting.calendar import per_second
from tableflow.expressions.casting.parsing import canonical_uuid
from tableflow.expressions.nodes import Literal
from tableflow.expressions.operand import Operand, build, numbers

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a TIMESTAMP has no zone
_EPOCH_DAY = dt.date(1970, 1, 1)
_MICROSECOND = dt.timedelta(microseconds=1)
_PLAIN = re.compile(r"(\d*)(?:\.(\d*))?")


def integer_type(value: int) -> t.SqlType | None:
    """The type of an integer literal: INT, BIGINT or DECIMAL by its digits; None beyond 38."""
    if -(2**31) <= value < 2**31:
        return t.INT
    if -(2**63) <= value < 2**63:
        return t.BIGINT
    digits = len(str(abs(value)))
    return t.DecimalType(digits, 0) if digits <= t.MAX_DECIMAL_PRECISION else None


def number_literal(text: str, span: Span | None = None) -> Literal:
    """An unsigned number as SQL spells it: an integer, a DECIMAL with its own digits, or with exponent a DOUBLE."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        return Literal(t.DOUBLE, float(text), span)
    whole, part = match.groups()
    if part is None:
        of = integer_type(int(whole))
        if of is not None:
            return Literal(of, int(whole), span)
    part = part or ""
    digits = (whole + part).lstrip("0")
    precision = max(len(digits), len(part), 1)
    if precision > t.MAX_DECIMAL_PRECISION:
        raise BindError(
            f"number {text} has more than {t.MAX_DECIMAL_PRECISION} digits",
            hint=f"write {text}e0 for a DOUBLE",
            span=span,
        )
    return Literal(t.DecimalType(precision, len(part)), int(digits or "0"), span)


def literal_from_python(value: Any, span: Span | None = None) -> Literal:
    """A parameter's value as a literal; :class:`~tableflow.errors.BindError` for types that SQL does not have."""
    match value:
        case None:
            return Literal(t.NULL, None, span)
        case bool() | np.bool_():
            return Literal(t.BOOLEAN, bool(value), span)
        case int() | np.integer():
            return _from_int(int(value), span)
        case float() | np.floating():
            return Literal(t.DOUBLE, float(value), span)
        case decimal.Decimal():
            return _from_decimal(value, span)
        case str() if not any("\ud800" <= character <= "\udfff" for character in value):
            return Literal(t.STRING, str(value), span)
        case str():
            raise BindError(f"the text {value!a} is not Unicode", span=span)
        case bytes() | bytearray() | memoryview():
            return Literal(t.BYTES, bytes(value), span)
        case dt.datetime():
            return _from_datetime(value, span)
        case dt.date():
            return Literal(t.DATE, (value - _EPOCH_DAY).days, span)
        case dt.time():
            seconds = (value.hour * 60 + value.minute) * 60 + value.second
            return Literal(t.TIME, seconds * 1_000_000 + value.microsecond, span)
        case dt.timedelta():
            return Literal(t.INTERVAL, (0, value.days, value.seconds * 1_000_000 + value.microseconds), span)
        case uuid.UUID():
            return Literal(t.STRING, canonical_uuid(str(value)), span)
    several = isinstance(value, (list, tuple, set, frozenset))
    raise BindError(
        f"a Python {type(value).__name__} has no SQL type",
        hint="write one ? for each value: IN (?, ?, ?); or con.register() the values as a table: IN (SELECT ...)"
        if several
        else "use None, bool, int, float, Decimal, str, bytes, date, datetime, time, timedelta or UUID",
        span=span,
    )


def _from_int(value: int, span: Span | None) -> Literal:
    of = integer_type(value)
    if of is None:
        raise BindError(f"number {value} has more than {t.MAX_DECIMAL_PRECISION} digits", span=span)
    return Literal(of, value, span)


def _from_decimal(value: decimal.Decimal, span: Span | None) -> Literal:
    if not value.is_finite():
        return Literal(t.DOUBLE, float(value), span)
    sign, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    unscaled = int("".join(map(str, digits))) * 10 ** max(int(exponent), 0)
    precision = max(len(str(unscaled)), scale, 1)
    if precision > t.MAX_DECIMAL_PRECISION:
        raise BindError(f"number {value} has more than {t.MAX_DECIMAL_PRECISION} digits", span=span)
    return Literal(t.DecimalType(precision, scale), -unscaled if sign else unscaled, span)


def _from_datetime(value: dt.datetime, span: Span | None) -> Literal:
    zoned = value.tzinfo is not None
    if zoned:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return Literal(t.TIMESTAMP_LTZ if zoned else t.TIMESTAMP, (value - _EPOCH) // _MICROSECOND, span)


def python_from_storage(value: Any, of: t.SqlType) -> Any:
    """A storage value as the Python value that DB-API users get.

    Intervals without months are timedelta, others (months, days, microseconds); nanoseconds are cut to microseconds.
    """
    if value is None:
        return None
    match of:
        case t.DecimalType(scale=scale):
            sign, magnitude = (1, -value) if value < 0 else (0, value)
            return decimal.Decimal((sign, tuple(map(int, str(int(magnitude)))), -scale))
        case t.DateType():
            return _EPOCH_DAY + dt.timedelta(days=int(value))
        case t.TimeType():
            return (_EPOCH + _microseconds(value, of)).time()
        case t.TimestampType(zoned=zoned):
            moment = _EPOCH + _microseconds(value, of)
            return moment.replace(tzinfo=dt.UTC) if zoned else moment
        case t.IntervalType():
            months, days, microseconds = value
            return dt.timedelta(days=days, microseconds=microseconds) if months == 0 else value
        case t.ArrayType(element=element):
            return [python_from_storage(item, element) for item in value]
        case t.MapType():
            return {python_from_storage(k, of.key): python_from_storage(v, of.value) for k, v in value}
        case t.RowType(fields=fields):
            return {f.name: python_from_storage(item, f.type) for f, item in zip(fields, value, strict=True)}
        case _:
            return value


def _microseconds(value: int, of: t.SqlType) -> dt.timedelta:
    return dt.timedelta(microseconds=int(value) // (per_second(of) // 1_000_000))


def operand_of(literal: Literal) -> Operand:
    """The literal as a constant operand."""
    value, of = literal.value, literal.type
    if value is None:
        return Operand(of, pa.nulls(1, canonical(of)), constant=True)
    match of:
        case t.DecimalType():
            return build(of, np.array([value], object), constant=True)
        case t.IntegerType() | t.FloatType() | t.DateType() | t.TimeType() | t.TimestampType() | t.BooleanType():
            return build(of, np.array([value]), constant=True)
        case _:
            return Operand(of, pa.array([arrow_value(value, of)], canonical(of)), constant=True)


def literal_column(values: Sequence[Any], of: t.SqlType) -> Column:
    """Storage values of one type as a column."""
    match of:
        case t.DecimalType(precision=precision) if precision <= 18:
            return Column(of, pa.array(values, pa.int64()))
        case t.DateType():
            return Column(of, pa.array(values, pa.int32()).view(pa.date32()))
        case t.TimeType() | t.TimestampType():
            return Column(of, pa.array(values, pa.int64()).view(canonical(of)))
        case _:
            return Column(of, pa.array([arrow_value(value, of) for value in values], canonical(of)))


def arrow_value(value: Any, of: t.SqlType) -> Any:
    """A storage value as Arrow builds arrays from."""
    if value is None:
        return None
    match of:
        case t.IntervalType():
            return value[0], value[1], value[2] * 1000
        case t.DecimalType():
            return python_from_storage(value, of)
        case t.ArrayType(element=element):
            return [arrow_value(item, element) for item in value]
        case t.MapType():
            return [(arrow_value(k, of.key), arrow_value(v, of.value)) for k, v in value]
        case t.RowType(fields=fields):
            return {f.name: arrow_value(item, f.type) for f, item in zip(fields, value, strict=True)}
        case _:
            return value


def convert_literals(literals: Sequence[Literal], to: t.SqlType) -> list[Literal | None]:
    """String literals cast to another type, all at once; None for those that cannot be read."""
    given = Operand(t.STRING, pa.array([literal.value for literal in literals], pa.string()))
    result = convert(given, to)
    values = storage_values(result)
    failed = [False] * len(values) if result.errors is None else result.errors.tolist()
    return [
        None if error else Literal(to, value, literal.span)
        for literal, value, error in zip(literals, values, failed, strict=True)
    ]


def storage_values(of: Operand) -> list[Any]:
    """All rows as storage values (literals, messages, results of small queries)."""
    match of.type:
        case t.BooleanType() | t.IntegerType() | t.FloatType() | t.DecimalType() | t.DateType() | t.TimeType():
            return _masked(numbers(of).tolist(), of)
        case t.TimestampType():
            return _masked(numbers(of).tolist(), of)
        case t.IntervalType():
            return _masked([(m, d, n // 1000) for m, d, n in numbers(of).tolist()], of)
        case t.ArrayType(element=element):
            return [_elements(scalar.values, element) for scalar in of.plain]
        case t.MapType():
            return [_pairs(scalar.values, of.type) for scalar in of.plain]
        case t.RowType(fields=fields):
            members = zip(*map(_members, of.plain.flatten(), [f.type for f in fields]), strict=True)
            return _masked(list(members), of)
        case _:
            values: list[Any] = of.plain.to_pylist()
            return values


def _masked(values: list[Any], of: Operand) -> list[Any]:
    valid = of.valid
    return values if valid is None else [v if keep else None for v, keep in zip(values, valid, strict=True)]


def _members(array: pa.Array, of: t.SqlType) -> list[Any]:
    return storage_values(Operand(of, array))


def _elements(array: pa.Array | None, of: t.SqlType) -> tuple[Any, ...] | None:
    return None if array is None else tuple(storage_values(Operand(of, array)))


def _pairs(array: pa.Array | None, of: t.MapType) -> tuple[Any, ...] | None:
    if array is None:
        return None
    keys, values = (storage_values(Operand(k, array.field(i))) for i, k in enumerate((of.key, of.value)))
    return tuple(zip(keys, values, strict=True))
