"""Whatever a function is given, it is refused with a BindError or computed: no other exception, no warning.

Arguments are columns and literals of every type with extreme values; results must agree between a row alone and
a row among others, and must be of the declared type and length.
"""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, widen
from tableflow.errors import BindError
from tableflow.expressions import registry
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.fold import fold
from tableflow.expressions.intervals import bounds, storage_bits
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import ColumnRef, Literal
from tableflow.expressions.operand import Operand
from tableflow.expressions.properties import can_raise
from tableflow.expressions.text import to_sql
from tests.expressions.binding import bind

pytestmark = pytest.mark.slow

D = t.DecimalType
ROWS = 6
LONG = 2**63 - 1
VALUES = {
    t.BOOLEAN: [True, False, None, True, True, False],
    t.TINYINT: [127, -128, 0, None, 1, -1],
    t.INT: [2**31 - 1, -(2**31), 0, None, 1, -3],
    t.BIGINT: [LONG, -LONG - 1, 0, None, 1, 40],
    D(5, 2): [99999, -99999, 0, None, 1, 250],
    D(38, 10): [10**38 - 1, 1 - 10**38, 0, None, 1, 5],
    t.FLOAT: [3.4e38, float("nan"), -0.0, None, 1.5, float("-inf")],
    t.DOUBLE: [1.7e308, float("nan"), -0.0, None, 2.5, float("inf")],
    t.STRING: ["", "äöü🙂", "12", None, "a%_(b", "2020-02-30"],
    t.StringType(3): ["", "ab", "1", None, "[", "\\"],
    t.BYTES: [b"", b"\xff\x00", b"12", None, b"a", b"b"],
    t.DATE: [-719162, 2932896, 0, None, 11016, -1],
    t.TIME: [0, 86_399_999_999, 1, None, 3_600_000_000, 5],
    t.TIMESTAMP: [-62135596800000000, 253402300799999999, 0, None, 1, -1],
    t.TimestampType(9): [LONG, -LONG, 0, None, 1, -1],
    t.TIMESTAMP_LTZ: [-62135596800000000, 253402300799999999, 0, None, 1, -1],
    t.INTERVAL: [(2**31 - 1, 2**31 - 1, 9 * 10**15), (-(2**31), -(2**31), -9 * 10**15), (0, 0, 0), None, (1, 2, 3), (0, -1, 1)],
    t.ArrayType(t.INT): [(1, None), (), (3,), None, (4, 5), (6,)],
    t.MapType(t.STRING, t.INT): [(("a", 1),), (), (("b", None),), None, (("c", 1),), (("12", 4),)],
    t.RowType((t.RowField("a", t.INT), t.RowField("b", t.STRING))): [(1, "a"), (None, None), (3, ""), None, (4, "x"), (5, "y")],
}  # fmt: skip


def column(of, values):
    from tableflow.expressions.literals import operand_of

    pieces = [operand_of(Literal(of, value)).plain for value in values]
    return Column(of, pa.concat_arrays(pieces).cast(canonical(of)))


COLUMNS = {n: column(of, values) for n, (of, values) in enumerate(VALUES.items())}
REFS = [ColumnRef(of, n, f"c{n}") for n, of in enumerate(VALUES)]
LITERALS = [
    bind(sql)
    for sql in ("NULL", "0", "1", "-1", "2.5", "1e0", "'a'", "''", "'year'", "'day'", "'UTC'", "TRUE", "DATE '2000-02-29'",
                "INTERVAL '1' MONTH", "INTERVAL '-5' SECOND", "100", "'%a_'", "99999999999")
]  # fmt: skip


def outcome(expression, selection=None):
    result = evaluate(expression, COLUMNS, ROWS, selection)
    rows = ROWS if selection is None else len(selection)
    assert len(result.column) == rows
    assert result.column.type == expression.type
    assert widen(result.column).array.type == canonical(expression.type)
    values = storage_values(Operand(expression.type, result.column.array))
    errors = [False] * rows if result.errors is None else result.errors.tolist()
    assert len(errors) == rows
    return [("fails" if failed else repr(value)) for value, failed in zip(values, errors, strict=True)]


def check(expression, *, deterministic=True):
    to_sql(expression)
    bounds(expression, {})
    storage_bits(expression, {})
    outcomes = outcome(expression)
    assert "fails" not in outcomes or can_raise(expression), to_sql(expression)
    folded = fold(expression)
    assert outcome(expression, np.zeros(0, np.uint32)) == []
    if deterministic:
        assert outcome(folded) == outcomes, to_sql(expression)
        for row in (0, 3):
            assert outcome(expression, np.array([row], np.uint32)) == [outcomes[row]], to_sql(expression)


def arguments(chance, arity):
    """Mostly columns; every other time of one family, so that functions of several arguments are met."""
    columns, literals = REFS, LITERALS
    if chance.random() < 0.5:
        family = t.family(chance.choice(REFS).type)
        columns = [ref for ref in REFS if t.family(ref.type) is family]
        literals = [e for e in LITERALS if t.family(e.type) in (family, t.TypeFamily.INTEGER)] or LITERALS
    return [chance.choice(columns if chance.random() < 0.65 else literals) for _ in range(arity)]


@pytest.mark.parametrize("entry", registry.FUNCTIONS, ids=lambda e: e.name)
def test_any_arguments(entry):
    chance = random.Random(entry.name)
    calls = 0
    for arity in (0, 1, 2, 2, 3, 4):
        for _ in range(150 if arity in (2, 3) else 60):
            args = arguments(chance, arity)
            try:
                expression = registry.resolve_call(entry.name, args)
            except BindError:
                continue
            calls += 1
            if entry.deterministic:
                check(expression)
    # Units, zones and patterns are literals that chance seldom finds, as it seldom finds two texts and a number.
    seldom = ("at_time_zone", "field", "extract", "date_trunc", "date_diff", "split_part", "split_index")
    assert calls > 0 or entry.name in seldom


@pytest.mark.parametrize("source", REFS, ids=lambda ref: str(ref.type))
def test_any_cast(source):
    for target in VALUES:
        if registry.can_cast(source.type, target, implicit=False):
            check(registry.cast(source, target))
            check(registry.cast(source, target, lenient=True))
        else:
            with pytest.raises(BindError):
                registry.cast(source, target)


@pytest.mark.parametrize(
    "unit", ["year", "month", "week", "day", "hour", "second", "microsecond", "quarter", "century", "epoch", "dow"]
)
def test_any_unit(unit):
    done = 0
    for ref in REFS:
        for name, args in (("extract", [ref]), ("date_trunc", [ref]), ("date_diff", [ref, ref])):
            try:
                expression = registry.resolve_call(name, [Literal(t.STRING, unit), *args])
            except BindError:
                continue
            check(expression)
            done += 1
    assert done >= 3


def test_case_over_any_types():
    chance = random.Random(5)
    done = 0
    for _ in range(200):
        arms = [chance.choice([*REFS, *LITERALS]) for _ in range(2)]
        try:
            expression = registry.bind_case([REFS[0]], arms[:1], arms[1])
        except BindError:
            continue
        check(expression)
        done += 1
    assert done > 20
