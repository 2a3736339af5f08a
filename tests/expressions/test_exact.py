"""Exact arithmetic against Python's integers and fractions: types, values, rounding, overflow."""

from __future__ import annotations

import decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.expressions import registry
from tableflow.expressions.casting import exact
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.intervals import Domain, bits_of, bounds, storage_bits
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import ColumnRef, Literal
from tableflow.expressions.operand import Operand, numbers
from tableflow.expressions.properties import can_raise
from tests.expressions.binding import bind

pytestmark = pytest.mark.slow


@st.composite
def decimal_types(draw):
    precision = draw(st.sampled_from([1, 4, 9, 15, 18, 19, 28, 38]))
    return t.DecimalType(precision, draw(st.integers(0, precision)))


@st.composite
def integers(draw, of, nullable=True):
    if isinstance(of, t.DecimalType):
        limit = 10**of.precision - 1
    else:
        limit = 2 ** (of.bits - 1) - 1
    edges = st.sampled_from([0, 1, -1, limit, -limit, limit // 2, 5, -5, 10, 15, 25])
    value = draw(st.integers(-limit, limit) | edges.map(lambda v: max(-limit, min(limit, v))))
    return None if nullable and draw(st.integers(0, 9)) == 0 else value


@st.composite
def operands(draw, kinds=None):
    of = draw(kinds or decimal_types() | st.sampled_from([t.TINYINT, t.SMALLINT, t.INT, t.BIGINT]))
    return of, draw(st.lists(integers(of), min_size=4, max_size=4))


def to_column(of, values):
    if isinstance(of, t.DecimalType):
        scaled = [
            None if v is None else decimal.Decimal((v < 0, tuple(map(int, str(abs(v)))), -of.scale)) for v in values
        ]
        return Column(of, pa.array(scaled, canonical(of)))
    return Column(of, pa.array(values, canonical(of)))


def compute(expression, columns):
    result = evaluate(expression, columns, 4)
    errors = np.zeros(4, bool) if result.errors is None else result.errors
    return storage_values(Operand(expression.type, result.column.array)), errors


def scale(of):
    return of.scale if isinstance(of, t.DecimalType) else 0


def half_away(value: Fraction) -> int:
    magnitude = (abs(value) + Fraction(1, 2)).__floor__()
    return -magnitude if value < 0 else magnitude


def truncated(value: Fraction) -> int:
    return value.__trunc__()


def in_range(value, of):
    if isinstance(of, t.DecimalType):
        return abs(value) < 10**of.precision
    return -(2 ** (of.bits - 1)) <= value < 2 ** (of.bits - 1)


def expected_type(name, a, b):
    if isinstance(a, t.IntegerType) and isinstance(b, t.IntegerType):
        return t.IntegerType(max(a.bits, b.bits))
    (p1, s1), (p2, s2) = (
        (of.precision, of.scale) if isinstance(of, t.DecimalType) else (of.digits, 0) for of in (a, b)
    )
    if name == "*":
        p, s = p1 + p2, s1 + s2
    elif name == "%":
        s = max(s1, s2)
        p = max(min(p1 - s1, p2 - s2) + s, 1)
    else:
        s = max(s1, s2)
        p = max(p1 - s1, p2 - s2) + s + 1
    if p > 38:
        p, s = 38, max(38 - (p - s), min(s, 6))
    return t.DecimalType(p, s)


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(["+", "-", "*", "%"]), first=operands(), second=operands())
def test_operators_are_exact(name, first, second):
    (a, xs), (b, ys) = first, second
    expression = registry.resolve_call(name, [ColumnRef(a, 1), ColumnRef(b, 2)])
    assert expression.type == expected_type(name, a, b)
    values, errors = compute(expression, {1: to_column(a, xs), 2: to_column(b, ys)})
    for x, y, value, failed in zip(xs, ys, values, errors, strict=True):
        if x is None or y is None:
            assert value is None
            assert not failed
            continue
        p, q = Fraction(x, 10 ** scale(a)), Fraction(y, 10 ** scale(b))
        if name == "%" and q == 0:
            assert failed
            continue
        true = {"+": p + q, "-": p - q, "*": p * q, "%": p - q * truncated(p / q) if q else 0}[name]
        wanted = half_away(true * 10 ** scale(expression.type))
        if in_range(wanted, expression.type):
            assert (value, failed) == (wanted, False)
        else:
            assert failed


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(["/", "//", "div"]), first=operands(), second=operands(), digits=st.integers(0, 12))
def test_division(name, first, second, digits):
    (a, xs), (b, ys) = first, second
    args = [ColumnRef(a, 1), ColumnRef(b, 2)]
    if name == "div":
        args.append(Literal(t.INT, digits))
    expression = registry.resolve_call(name, args)
    values, errors = compute(expression, {1: to_column(a, xs), 2: to_column(b, ys)})
    for x, y, value, failed in zip(xs, ys, values, errors, strict=True):
        if x is None or y is None:
            assert value is None
            assert not failed
        elif y == 0:
            assert failed
        else:
            true = Fraction(x, 10 ** scale(a)) / Fraction(y, 10 ** scale(b))
            if expression.type == t.DOUBLE:
                assert value == pytest.approx(float(true), rel=1e-14)
                continue
            wanted = half_away(true * 10**digits) if name == "div" else truncated(true)
            assert failed == (not in_range(wanted, expression.type))
            assert failed or value == wanted


@settings(max_examples=80, deadline=None)
@given(first=operands(), to=decimal_types() | st.sampled_from([t.TINYINT, t.SMALLINT, t.INT, t.BIGINT]))
def test_casts_round_half_away_or_fail(first, to):
    of, xs = first
    expression = registry.cast(ColumnRef(of, 1), to)
    values, errors = compute(expression, {1: to_column(of, xs)})
    for x, value, failed in zip(xs, values, errors, strict=True):
        if x is None:
            assert value is None
            continue
        wanted = half_away(Fraction(x, 10 ** scale(of)) * 10 ** scale(to))
        assert failed == (not in_range(wanted, to))
        assert failed or value == wanted
    if errors.any():
        assert can_raise(expression)


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), first=operands(), second=operands())
def test_comparisons_are_by_value(kind, first, second):
    (a, xs), (b, ys) = first, second
    expression = registry.resolve_call(kind, [ColumnRef(a, 1), ColumnRef(b, 2)])
    values, errors = compute(expression, {1: to_column(a, xs), 2: to_column(b, ys)})
    assert not errors.any()
    for x, y, value in zip(xs, ys, values, strict=True):
        if x is None or y is None:
            assert value is None
            continue
        p, q = Fraction(x, 10 ** scale(a)), Fraction(y, 10 ** scale(b))
        assert value == {"=": p == q, "<>": p != q, "<": p < q, "<=": p <= q, ">": p > q, ">=": p >= q}[kind]


@settings(max_examples=80, deadline=None)
@given(first=operands(), digits=st.integers(-5, 12), name=st.sampled_from(["round", "trunc", "floor", "ceil"]))
def test_rounding(first, digits, name):
    of, xs = first
    plain = name in ("floor", "ceil")
    expression = registry.resolve_call(name, [ColumnRef(of, 1), *([] if plain else [bind(str(digits))])])
    digits = 0 if plain else digits
    if isinstance(of, t.IntegerType):
        digits = min(digits, 0)
    values, errors = compute(expression, {1: to_column(of, xs)})
    rounding = {"round": half_away, "trunc": truncated, "floor": Fraction.__floor__, "ceil": Fraction.__ceil__}[name]
    for x, value, failed in zip(xs, values, errors, strict=True):
        if x is not None:
            exactly = Fraction(x, 10 ** scale(of))
            true = Fraction(rounding(exactly * Fraction(10) ** digits)) / Fraction(10) ** digits
            true = exactly if digits >= scale(of) else true
            wanted = true * 10 ** scale(expression.type)
            assert failed == (not in_range(wanted, expression.type))
            assert failed or value == wanted
    if errors.any():
        assert can_raise(expression)


def leaf_columns():
    return st.tuples(
        st.sampled_from([t.INT, t.BIGINT, t.DecimalType(15, 2), t.DecimalType(4, 1)]),
        st.integers(-999, 999),
        st.integers(0, 500),
    )


@st.composite
def trees(draw, columns, depth=3):
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        if draw(st.booleans()):
            return bind(draw(st.sampled_from(["1", "0", "-3", "2.5", "0.05", "100"])))
        number = draw(st.integers(0, len(columns) - 1))
        return ColumnRef(columns[number][0], number, f"c{number}")
    name = draw(st.sampled_from(["+", "-", "*", "%", "//", "-", "abs", "greatest", "round", "floor", "coalesce", "if"]))
    one, two = draw(trees(columns, depth - 1)), draw(trees(columns, depth - 1))
    if name in ("abs", "round", "floor"):
        return registry.resolve_call(name, [one])
    if name == "if":
        return registry.resolve_call(name, [registry.resolve_call("<", [one, two]), one, two])
    return registry.resolve_call(name, [one, two])


@settings(max_examples=100, deadline=None)
@given(data=st.data(), columns=st.lists(leaf_columns(), min_size=3, max_size=3))
def test_bounds_never_lie(data, columns):
    expression = data.draw(trees(columns))
    domains, arrays = {}, {}
    for number, (of, low, width) in enumerate(columns):
        nullable = data.draw(st.booleans())
        value = st.integers(low, low + width)
        drawn = data.draw(st.lists(st.none() | value if nullable else value, min_size=4, max_size=4))
        domains[number] = Domain(low, low + width, nullable)
        arrays[number] = to_column(of, drawn)
    values, errors = compute(expression, arrays)
    found = bounds(expression, domains)
    width = storage_bits(expression, domains)
    for value, failed in zip(values, errors, strict=True):
        if value is None:
            assert failed or found.nullable
        else:
            assert found.minimum <= value <= found.maximum
            assert bits_of((value, value)) <= width
    if errors.any():
        assert can_raise(expression, domains)
        assert can_raise(expression)


def test_storage_bits_of_the_pricing_query():
    price, rate = t.DecimalType(15, 2), t.DecimalType(15, 2)
    refs = {"p": ColumnRef(price, 1, "p"), "d": ColumnRef(rate, 2, "d"), "x": ColumnRef(rate, 3, "x")}
    expression = bind("p * (1 - d) * (1 + x)", refs)
    domains = {1: Domain(90000, 10494950, False), 2: Domain(0, 10, False), 3: Domain(0, 8, False)}
    assert storage_bits(expression, domains) == 64
    assert storage_bits(bind("p * (1 - d)", refs), domains) == 32
    assert storage_bits(expression, {}) == 256
    assert not can_raise(expression, domains)
    assert can_raise(expression)


def test_narrow_and_object_numbers_agree():
    wide = np.array([2**70, -(2**70), 5, 0], object)
    assert exact.rescale(wide, -3).tolist() == [half_away(Fraction(v, 1000)) for v in wide.tolist()]
    small = np.array([1500, -1500, 1499, -1499, -500, 499], np.int64)
    assert exact.rescale(small, -3).tolist() == [2, -2, 1, -1, -1, 0]
    assert exact.rescale(small, 20).tolist() == [v * 10**20 for v in small.tolist()]
    assert exact.multiply(np.array([2**62]), np.array([4])).tolist() == [2**64]
    assert exact.truncated_quotient(np.array([-(2**63)]), np.array([-1])).tolist() == [2**63]


def test_numbers_of_a_wide_decimal_column():
    of = t.DecimalType(38, 0)
    values = [10**37, -(10**37), None, 1]
    assert numbers(Operand(of, to_column(of, values).array)).tolist() == [10**37, -(10**37), 0, 1]
