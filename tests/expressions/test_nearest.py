"""Exact numbers to floating point and back, evaluated and fused, against Python's fractions: rounded once, every bit the same."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.programs import Program
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.nodes import Cast, ColumnRef
from tableflow.expressions.operand import Operand, build, numbers
from tableflow.physical.node import Input
from tableflow.physical.program_judge import compile_steps
from tableflow.physical.project import ProjectColumns

SCALES = st.integers(0, 38)
NEAR_POWERS = st.builds(
    lambda exponent, sign, off: sign * (2**exponent + off),
    st.integers(0, 126),
    st.sampled_from([1, -1]),
    st.integers(-3, 3),
)
DIGITS = (st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-(10**18), 10**18) | NEAR_POWERS).filter(
    lambda value: abs(value) < 10**38
)
FLOATS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e6, 1e6)
    | st.builds(lambda halves, power: halves / 2 / 10**power, st.integers(-(10**17), 10**17), st.integers(0, 30))
)


def evaluated(column, to):
    found = evaluate(Cast(to, ColumnRef(column.type, 1)), {1: column}, len(column))
    return numbers(Operand(to, found.column.array)), found.errors


def fused(column, to):
    """What the program gives, row by row, None for a row in error."""
    field = t.Field(1, "a", column.type)
    of = Cast(to, ColumnRef(column.type, 1), lenient=True)
    step = ProjectColumns(fields=(t.Field(2, "b", to),), input=Input(fields=(field,)), expressions=(of,))
    program = Program(compile_steps((field,), {}, [step]))
    columns, _ = program.run(Batch([column], len(column)))
    operand = Operand(to, columns[0].array)
    valid = operand.valid
    return [v if valid is None or valid[i] else None for i, v in enumerate(numbers(operand).tolist())]


def nearest_single(value: Fraction) -> float:
    """By the two neighbours of the double: a FLOAT is the closest, of two equally close the even one."""
    start = np.float32(float(value))
    around = {float(np.nextafter(start, np.float32(end))) for end in (-np.inf, np.inf)} | {float(start)}
    even = {x: struct.unpack("<I", struct.pack("<f", x))[0] & 1 for x in around}
    return min(around, key=lambda x: (abs(Fraction(x) - value), even[x]))


def decimals(values, scale):
    return Column(t.DecimalType(38, scale), build(t.DecimalType(38, scale), np.array(values, object)).array)


@given(st.lists(DIGITS, min_size=1, max_size=20), SCALES)
@example([12345678901234567890500000], 6)
@example([9007199254740993], 0)
@example([123456789012345678], 2)
def test_a_decimal_becomes_the_nearest_double(values, scale):
    column = decimals(values, scale)
    expected = [value / 10**scale for value in values]
    assert evaluated(column, t.DOUBLE)[0].tolist() == expected
    assert fused(column, t.DOUBLE) == expected


@given(st.lists(DIGITS, min_size=1, max_size=20), SCALES)
@example([16777217, 16777219], 0)
@example([16777217 * 10**20 + 1, 16777217 * 10**20 - 1], 20)
def test_a_decimal_becomes_the_nearest_float(values, scale):
    column = decimals(values, scale)
    expected = [nearest_single(Fraction(value, 10**scale)) for value in values]
    assert evaluated(column, t.FLOAT)[0].tolist() == expected
    assert fused(column, t.FLOAT) == expected


@pytest.mark.slow
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
@example([2**53 + 1, 2**62 + 2**38 + 1, -(2**63), 2**63 - 1])
def test_a_bigint_becomes_the_nearest_number(values):
    column = Column(t.BIGINT, pa.array(values, pa.int64()))
    for to, expected in (
        (t.DOUBLE, [float(v) for v in values]),
        (t.FLOAT, [nearest_single(Fraction(v)) for v in values]),
    ):
        assert evaluated(column, to)[0].tolist() == expected
        assert fused(column, to) == expected


@pytest.mark.slow
@given(st.lists(FLOATS, min_size=1, max_size=20), SCALES)
@example([0.5, -0.5, 0.49999999999999994, 2.5, 4503599627370497.5], 0)
@example([1.005, 2.675, 1.115, -1.005], 2)
@example([1e38, 9.999999999999999e37, 1.7014118346046923e38, math.nextafter(1e38, 0)], 0)
def test_a_double_becomes_the_nearest_decimal_halves_away_from_zero(values, scale):
    column = Column(t.DOUBLE, pa.array(values, pa.float64()))
    to = t.DecimalType(38, scale)
    expected = []
    for value in values:
        magnitude = math.floor(abs(Fraction(value)) * 10**scale + Fraction(1, 2))
        expected.append(None if magnitude >= 10**38 else -magnitude if value < 0 else magnitude)
    found, errors = evaluated(column, to)
    wrong = np.zeros(len(values), np.bool_) if errors is None else errors
    assert [None if bad else value for bad, value in zip(wrong, found.tolist(), strict=True)] == expected
    assert fused(column, to) == expected


@pytest.mark.parametrize("to", [t.BIGINT, t.INT, t.DecimalType(38, 0), t.DecimalType(38, 38)])
def test_what_is_no_number_is_no_decimal(to):
    column = Column(t.DOUBLE, pa.array([math.nan, math.inf, -math.inf]))
    assert evaluated(column, to)[1].all()
    assert fused(column, to) == [None, None, None]


@given(st.integers(0, 2**31), st.integers(-60, 60), st.integers(-1, 1))
@example(16777217, 0, 1)
def test_text_is_read_as_the_nearest_number(mantissa, exponent, off):
    # Close to the middle between two FLOATs, with digits far behind that say on which side.
    value = Fraction(mantissa) * Fraction(2) ** exponent + Fraction(off, 10**60)
    digits = int(value * 10**100)
    text = f"{'-' if digits < 0 else ''}{abs(digits) // 10**100}.{abs(digits) % 10**100:0100d}"
    column = Column(t.STRING, pa.array([text]))
    assert evaluated(column, t.DOUBLE)[0].tolist() == [float(text)]
    assert evaluated(column, t.FLOAT)[0].tolist() == [nearest_single(Fraction(digits, 10**100))]
