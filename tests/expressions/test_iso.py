"""The quick way to read a date or timestamp gives what the cast gives."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.expressions.casting import convert
from tableflow.expressions.casting.iso import iso_value
from tableflow.expressions.coercion import cast
from tableflow.expressions.literals import operand_of, storage_values
from tableflow.expressions.nodes import Literal

TYPES = (
    t.DATE,
    t.TIMESTAMP,
    t.TimestampType(0),
    t.TimestampType(3),
    t.TimestampType(9),
    t.TIMESTAMP_LTZ,
    t.INT,
    t.STRING,
)


def by_cast(text: str, to: t.SqlType) -> object:
    result = convert(operand_of(Literal(t.STRING, text)), to)
    failed = result.errors is not None and bool(result.errors.any())
    return None if failed else storage_values(result)[0]


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01", "0001-01-01", "9999-12-31", "2024-02-29", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "2024-1-1",
        "2024-01-01 00:00:00", "1969-12-31 23:59:59", "2024-01-01 23:59:59.999999", "2024-01-01 12:30:00.5", "2024-01-01T12:30:00",
        "2024-01-01 24:00:00", "2024-01-01 12:60:00", "2024-01-01 12:30", "2024-01-01 12:30:00.1234567", "2024-01-01 12:30:00Z",
        " 2024-01-01", "2024-01-01 ", "2024-01-01 12:30:00+01", "٢٠٢٤-01-01", "", "now",
    ],
)  # fmt: skip
@pytest.mark.parametrize("to", TYPES, ids=str)
def test_what_is_read_quickly_is_what_the_cast_reads(text, to):
    found = iso_value(text, to)
    if found is not None:
        assert found == by_cast(text, to)
        assert cast(Literal(t.STRING, text), to) == Literal(to, found)


@given(st.datetimes(), st.sampled_from([t.DATE, t.TIMESTAMP, t.TimestampType(3)]))
def test_any_moment(moment, to):
    if isinstance(to, t.DateType):
        assert iso_value(str(moment.date()), to) == by_cast(str(moment.date()), to)
        return
    text = moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat(" ", "milliseconds")
    assert (
        iso_value(text, to)
        == by_cast(text, to)
        == (dt.datetime.fromisoformat(text) - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
    )


def test_the_common_spellings_are_read_quickly():
    assert iso_value("1970-01-02", t.DATE) == 1
    assert iso_value("1970-01-01 00:00:01.5", t.TIMESTAMP) == 1_500_000
    assert iso_value("1970-01-02", t.TIMESTAMP) == 86_400_000_000
    assert iso_value("1970-01-01 00:00:00", t.TIMESTAMP_LTZ) is None
