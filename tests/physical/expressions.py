"""Strategies for typed expressions over a fixed set of columns, and batches for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.representation import widen
from tableflow.errors import BindError
from tableflow.expressions.intervals import Domain
from tableflow.expressions.literals import literal_from_python, storage_values
from tableflow.expressions.nodes import Cast, ColumnRef, Expression, Literal
from tableflow.expressions.operand import Operand
from tableflow.expressions.registry import bind_case, cast, resolve_call
from tests.kernels.columns import DECIMAL, SMALL_DECIMAL, VALUES, batches

TYPES = (
    t.BOOLEAN,
    t.TINYINT,
    t.INT,
    t.BIGINT,
    SMALL_DECIMAL,
    DECIMAL,
    t.FLOAT,
    t.DOUBLE,
    t.STRING,
    t.DATE,
    t.TIMESTAMP,
)
TYPES += (t.STRING, t.BIGINT)
FIELDS = tuple(t.Field(10 + i, f"c{i}", of) for i, of in enumerate(TYPES))
_NUMBERS = tuple(of for of in dict.fromkeys(TYPES) if t.is_numeric(of))
_SIMPLE = {
    t.INT: st.integers(-3, 3), t.BIGINT: st.integers(-3, 3), t.TINYINT: st.integers(-3, 3),
    t.STRING: st.sampled_from(["", "a", "ab", "é", "prefix-"]),
}  # fmt: skip
_PATTERNS = st.text(st.sampled_from(["a", "b", "%", "_", "é", "\0", "-", "p"]), max_size=5)
_PARTS = st.sampled_from(["", "a", "b", "ab", "é", "prefix-", "longer"])
_INTERVALS = st.tuples(
    st.integers(-30, 30) | st.just(0), st.integers(-400, 400), st.just(0) | st.integers(-(10**11), 10**11)
)


def rows(max_rows: int = 8) -> st.SearchStrategy[Batch]:
    """A batch of FIELDS in any representation, with or without selection and weights."""
    return batches(list(TYPES), max_rows)


@st.composite
def domains(draw: Any, batch: Batch) -> dict[int, Domain]:
    """True bounds of some of the columns."""
    known = {}
    for field, column in zip(FIELDS, batch.columns, strict=True):
        if isinstance(field.type, t.IntegerType | t.DecimalType | t.DateType | t.TimestampType) and draw(st.booleans()):
            values = [v for v in storage_values(Operand(field.type, widen(column).array)) if v is not None]
            if values:
                known[field.id] = Domain(min(values), max(values), column.array.null_count > 0)
    return known


@st.composite
def literal(draw: Any, of: t.SqlType) -> Expression:
    """A constant of a type, now and then NULL."""
    if not isinstance(of, t.IntegerType) and draw(st.integers(0, 9)) == 0:
        return Literal(of, None)
    value = draw(_SIMPLE.get(of, VALUES[of]) | VALUES[of])
    return cast(literal_from_python(value), of)


@st.composite
def expression(draw: Any, of: t.SqlType, depth: int = 2) -> Expression:
    """An expression of this type or, for numbers, of one near it."""
    leaf = depth == 0 or draw(st.integers(0, 3)) == 0
    if leaf:
        here = [f for f in FIELDS if f.type == of]
        if here and draw(st.integers(0, 4)):
            found = draw(st.sampled_from(here))
            return ColumnRef(of, found.id, found.name)
        return draw(literal(of))
    makers = [_choice, _try, *_MAKERS[t.family(of)]]
    try:
        made = draw(draw(st.sampled_from(makers))(of, depth - 1))
    except BindError:
        return draw(literal(of))
    return made if type(made.type) is type(of) or t.is_numeric(of) else draw(literal(of))


@st.composite
def _choice(draw: Any, of: t.SqlType, depth: int) -> Expression:
    first, second = draw(expression(of, depth)), draw(expression(of, depth))
    kind = draw(st.sampled_from(["case", "case", "coalesce", "nullif", "greatest", "least"]))
    if kind == "case":
        conditions = [draw(expression(t.BOOLEAN, depth)) for _ in range(draw(st.integers(1, 2)))]
        results = [first, draw(expression(of, depth))][: len(conditions)]
        return bind_case(conditions, results, second if draw(st.booleans()) else None)
    return resolve_call(kind, [first, second])


@st.composite
def _try(draw: Any, of: t.SqlType, depth: int) -> Expression:
    return resolve_call("try", [draw(expression(of, depth))])


@st.composite
def _arithmetic(draw: Any, of: t.SqlType, depth: int) -> Expression:
    name = draw(st.sampled_from(["add", "subtract", "multiply", "divide", "modulo", "integer_divide", "negate", "abs"]))
    count = 1 if name in {"negate", "abs"} else 2
    kinds = (
        draw(st.lists(st.sampled_from(_NUMBERS), min_size=count, max_size=count))
        if draw(st.booleans())
        else [of] * count
    )
    return resolve_call(name, [draw(expression(kind, depth)) for kind in kinds])


@st.composite
def _rounding(draw: Any, of: t.SqlType, depth: int) -> Expression:
    digits = [Literal(t.INT, draw(st.integers(-1, 3)))] if draw(st.booleans()) else []
    return resolve_call("round", [draw(expression(of, depth)), *digits])


@st.composite
def _truncated(draw: Any, of: t.SqlType, depth: int) -> Expression:
    unit = draw(st.sampled_from(["day", "hour", "minute", "second", "month"]))
    return resolve_call("date_trunc", [Literal(t.STRING, unit), draw(expression(of, depth))])


@st.composite
def _number_cast(draw: Any, of: t.SqlType, depth: int) -> Expression:
    source = draw(expression(draw(st.sampled_from((*_NUMBERS, t.BOOLEAN))), depth))
    return Cast(of, source, draw(st.booleans())) if source.type != of else source


@st.composite
def _extract(draw: Any, of: t.SqlType, depth: int) -> Expression:
    moment = draw(expression(draw(st.sampled_from([t.DATE, t.TIMESTAMP])), depth))
    field = draw(st.sampled_from(["year", "month", "day", "quarter", "doy", "dow", "isodow", "hour", "minute", "week"]))
    return resolve_call("extract", [Literal(t.STRING, field), moment])


@st.composite
def _length(draw: Any, of: t.SqlType, depth: int) -> Expression:
    return resolve_call(draw(st.sampled_from(["length", "octet_length"])), [draw(expression(t.STRING, depth))])


@st.composite
def _comparison(draw: Any, of: t.SqlType, depth: int) -> Expression:
    kind = draw(st.sampled_from(list(dict.fromkeys(TYPES))))
    other = draw(st.sampled_from(_NUMBERS)) if t.is_numeric(kind) else kind
    names = ["eq", "ne", "lt", "le", "gt", "ge", "is_distinct_from", "is_not_distinct_from"]
    args = [draw(expression(kind, depth)), draw(expression(other, depth))]
    return resolve_call(draw(st.sampled_from(names)), args)


@st.composite
def _connective(draw: Any, of: t.SqlType, depth: int) -> Expression:
    name = draw(st.sampled_from(["and", "or"]))
    return resolve_call(name, [draw(expression(t.BOOLEAN, depth)) for _ in range(draw(st.integers(2, 3)))])


@st.composite
def _test(draw: Any, of: t.SqlType, depth: int) -> Expression:
    name = draw(
        st.sampled_from(["not", "is_true", "is_not_true", "is_false", "is_not_false", "is_null", "is_not_null"])
    )
    kind = draw(st.sampled_from(list(dict.fromkeys(TYPES)))) if name.endswith("_null") else t.BOOLEAN
    return resolve_call(name, [draw(expression(kind, depth))])


@st.composite
def _in(draw: Any, of: t.SqlType, depth: int) -> Expression:
    kind = draw(st.sampled_from(list(dict.fromkeys(TYPES))))
    items = draw(st.lists(literal(kind), min_size=1, max_size=12))
    return resolve_call("in", [draw(expression(kind, depth)), *items])


@st.composite
def _like(draw: Any, of: t.SqlType, depth: int) -> Expression:
    name = draw(st.sampled_from(["like", "like", "starts_with", "ends_with", "contains"]))
    return resolve_call(name, [draw(expression(t.STRING, depth)), Literal(t.STRING, draw(_PATTERNS))])


@st.composite
def _substring(draw: Any, of: t.SqlType, depth: int) -> Expression:
    numbers = [draw(literal(t.BIGINT) | expression(t.BIGINT, 0)) for _ in range(draw(st.integers(1, 2)))]
    return resolve_call("substring", [draw(expression(t.STRING, depth)), *numbers])


@st.composite
def _replaced(draw: Any, of: t.SqlType, depth: int) -> Expression:
    constants = [cast(literal_from_python(draw(_PARTS)), t.STRING) for _ in range(2)]
    return resolve_call("replace", [draw(expression(t.STRING, depth)), *constants])


@st.composite
def _concat(draw: Any, of: t.SqlType, depth: int) -> Expression:
    return resolve_call("concat", [draw(expression(t.STRING, depth)) for _ in range(2)])


@st.composite
def _moved(draw: Any, of: t.SqlType, depth: int) -> Expression:
    by = (
        Literal(t.INTERVAL, draw(_INTERVALS))
        if of == t.TIMESTAMP or draw(st.booleans())
        else draw(expression(t.INT, depth))
    )
    return resolve_call(draw(st.sampled_from(["add", "subtract"])), [draw(expression(of, depth)), by])


@st.composite
def _moment_cast(draw: Any, of: t.SqlType, depth: int) -> Expression:
    source = t.TIMESTAMP if of == t.DATE else t.DATE
    return Cast(of, draw(expression(source, depth)), draw(st.booleans()))


@st.composite
def _days_between(draw: Any, of: t.SqlType, depth: int) -> Expression:
    return resolve_call("subtract", [draw(expression(t.DATE, depth)), draw(expression(t.DATE, depth))])


F = t.TypeFamily
_MAKERS: dict[F, list[Any]] = {
    F.BOOLEAN: [_comparison, _comparison, _connective, _test, _in, _like],
    F.INTEGER: [_arithmetic, _arithmetic, _number_cast, _extract, _length, _days_between],
    F.DECIMAL: [_arithmetic, _arithmetic, _number_cast, _rounding],
    F.FLOAT: [_arithmetic, _arithmetic, _number_cast],
    F.STRING: [_substring, _concat, _replaced],
    F.DATE: [_moved, _moment_cast],
    F.TIMESTAMP: [_moment_cast, _moved, _truncated],
}
ANY_TYPE = st.sampled_from(list(dict.fromkeys(TYPES)))
