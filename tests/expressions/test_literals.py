"""Literals from Python and back."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.errors import BindError
from tableflow.expressions.casting import convert
from tableflow.expressions.coercion import cast
from tableflow.expressions.literals import (
    literal_from_python,
    number_literal,
    operand_of,
    python_from_storage,
    storage_values,
)
from tableflow.expressions.nodes import Cast, Literal
from tableflow.expressions.ranges import type_range
from tableflow.serialization import dumps, loads


@given(
    st.none() | st.booleans() | st.integers(-(10**38) + 1, 10**38 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.decimals(-(10**9), 10**9, places=4) | st.dates() | st.datetimes() | st.times()
    | st.datetimes(timezones=st.just(dt.UTC)) | st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))
)  # fmt: skip
def test_round_trip(value):
    literal = literal_from_python(value)
    assert python_from_storage(literal.value, literal.type) == value
    assert storage_values(operand_of(literal)) == [literal.value]
    assert loads(dumps(literal)) == literal


def test_types_of_python_values():
    assert literal_from_python(1).type == t.INT
    assert literal_from_python(2**31).type == t.BIGINT
    assert literal_from_python(2**63).type == t.DecimalType(19, 0)
    assert literal_from_python(Decimal("0.05")) == Literal(t.DecimalType(2, 2), 5)
    assert literal_from_python(Decimal("1E+3")) == Literal(t.DecimalType(4, 0), 1000)
    assert literal_from_python(uuid.UUID(int=1)).value == "00000000-0000-0000-0000-000000000001"
    zone = dt.timezone(dt.timedelta(hours=2))
    assert literal_from_python(dt.datetime(1970, 1, 1, 2, tzinfo=zone)) == Literal(t.TIMESTAMP_LTZ, 0)
    with pytest.raises(BindError, match="has no SQL type"):
        literal_from_python(object())
    with pytest.raises(BindError, match="more than 38 digits"):
        literal_from_python(10**38)


def test_numbers_as_written():
    assert number_literal("007") == Literal(t.INT, 7)
    assert number_literal(".5") == Literal(t.DecimalType(1, 1), 5)
    assert number_literal("5.") == Literal(t.DecimalType(1, 0), 5)
    assert number_literal("0.0") == Literal(t.DecimalType(1, 1), 0)
    assert number_literal("1.5E-3") == Literal(t.DOUBLE, 0.0015)
    with pytest.raises(BindError, match="more than 38 digits"):
        number_literal("1" * 39)


def test_nested_storage():
    of = t.RowType((t.RowField("a", t.DecimalType(5, 2)), t.RowField("b", t.ArrayType(t.DATE))))
    literal = Literal(of, (150, (0, None)))
    assert storage_values(operand_of(literal)) == [(150, (0, None))]
    assert python_from_storage(literal.value, of) == {"a": Decimal("1.50"), "b": [dt.date(1970, 1, 1), None]}
    of = t.MapType(t.STRING, t.INTERVAL)
    literal = Literal(of, (("x", (1, 2, 3)),))
    assert storage_values(operand_of(literal)) == [(("x", (1, 2, 3)),)]


def test_intervals_with_months_stay_triples():
    assert python_from_storage((1, 2, 3), t.INTERVAL) == (1, 2, 3)
    assert python_from_storage((0, 2, 3), t.INTERVAL) == dt.timedelta(days=2, microseconds=3)


_EXACT = [
    t.TINYINT,
    t.INT,
    t.BIGINT,
    t.DecimalType(1, 0),
    t.DecimalType(5, 2),
    t.DecimalType(18, 18),
    t.DecimalType(38, 6),
]


@pytest.mark.parametrize("of", _EXACT, ids=str)
@pytest.mark.parametrize("to", _EXACT, ids=str)
def test_a_literal_is_cast_as_a_column_is(of: t.SqlType, to: t.SqlType) -> None:
    low, high = type_range(of) or (0, 0)
    for value in (0, 1, -1, 4, 5, -5, 49, 50, -50, 127, 128, 99_999, 12_345_678, low, high):
        if not low <= value <= high:
            continue
        literal = Literal(of, value)
        result = convert(operand_of(literal), to)
        fails = result.errors is not None and bool(result.errors.any())
        expected = Cast(to, literal) if fails else Literal(to, storage_values(result)[0])
        assert cast(literal, to) == expected
