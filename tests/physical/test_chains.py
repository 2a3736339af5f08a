"""Chains of operators mean what the calls nested in each other mean: evaluated, compiled, bounded and written as text."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.kernels.programs import Program, RowError
from tableflow.errors import BindError
from tableflow.expressions.chaining import ARITHMETIC, lengthened
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.fold import fold
from tableflow.expressions.intervals import bounds
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import Call, Chain, ColumnRef, Expression, Literal, children, column_ids, transform
from tableflow.expressions.operand import Operand
from tableflow.expressions.properties import can_raise, strict
from tableflow.expressions.registry import resolve_call
from tableflow.expressions.text import to_sql
from tableflow.physical.program_judge import Judge, compile_steps
from tableflow.serialization import dumps, loads
from tests.kernels.columns import plain
from tests.physical.expressions import FIELDS, domains, rows
from tests.physical.test_programs import FAST, close, projection, reference

pytestmark = pytest.mark.slow

NUMERIC = [ColumnRef(f.type, f.id, f.name) for f in FIELDS if t.is_numeric(f.type)]


def operand() -> st.SearchStrategy[Expression]:
    return st.sampled_from(NUMERIC) | st.integers(-3, 3).map(lambda value: Literal(t.INT, value))


@st.composite
def in_both_forms(draw: Any) -> tuple[Expression, Expression]:
    """The same operators as nested calls and as a chain."""
    nested: Expression = draw(operand())
    chain = nested
    for _ in range(draw(st.integers(2, 7))):
        name = draw(st.sampled_from(sorted(ARITHMETIC)))
        right = draw(operand())
        try:
            taken = resolve_call(name, [chain, right])
            nested = resolve_call(name, [nested, right])
        except BindError:
            continue
        chain = lengthened(chain, taken) or taken
    assume(isinstance(chain, Chain))
    return nested, chain


@FAST
@given(st.data())
def test_a_chain_gives_what_nested_calls_give(data: Any) -> None:
    nested, chain = data.draw(in_both_forms())
    assert nested.type == chain.type
    assert column_ids(nested) == column_ids(chain)
    assert transform(chain, lambda node: node) is chain
    assert strict(nested) == strict(chain)
    batch = data.draw(rows())
    known = data.draw(domains(batch))
    (expected, fails), (actual, fails_too) = reference(nested, batch), reference(chain, batch)
    assert fails == fails_too
    assert all(map(close, expected, actual))
    assert bounds(chain, known) == bounds(nested, known)
    assert can_raise(chain, known) == can_raise(nested, known)
    if not can_raise(chain, known):
        assert not fails


@FAST
@given(st.data())
def test_a_compiled_chain_gives_what_the_evaluator_gives(data: Any) -> None:
    nested, chain = data.draw(in_both_forms())
    batch = data.draw(rows())
    known = data.draw(domains(batch))
    judge = Judge(known)
    assert (judge.judge(chain, FIELDS) is None) == (judge.judge(nested, FIELDS) is None)
    assume(judge.judge(chain, FIELDS) is not None and batch.rows > 0)
    expected, fails = reference(chain, batch)
    program = Program(loads(dumps(compile_steps(FIELDS, known, [projection(chain)]))))
    if fails:
        with pytest.raises(RowError):
            program.apply(batch)
        return
    result = program.apply(batch)
    assert result is not None
    actual = plain(compact(result).columns[0])
    assert all(map(close, actual, expected))


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=50)
@given(in_both_forms())
def test_text_and_documents(forms: tuple[Expression, Expression]) -> None:
    nested, chain = forms
    assert to_sql(chain) == to_sql(nested)
    assert loads(dumps(chain)) == chain


def test_constants_are_folded() -> None:
    one = Literal(t.INT, 1)
    chain = Chain(t.INT, one, ("add", "multiply", "subtract"), (one, Literal(t.INT, 5), one))
    assert fold(chain) == Literal(t.INT, 9)
    overflow = Chain(t.INT, one, ("add",) * 2, (Literal(t.INT, 2**31 - 1), one))
    assert fold(overflow) == overflow
    assert fold(Call(t.INT, "try", (overflow,))) == Literal(t.INT, None)


def test_what_becomes_a_chain() -> None:
    a, d = ColumnRef(t.INT, 1, "a"), ColumnRef(t.DATE, 2, "d")
    one, half = Literal(t.INT, 1), Literal(t.DecimalType(2, 1), 5)
    first = resolve_call("add", [a, one])
    chain = lengthened(first, resolve_call("add", [first, one]))
    assert isinstance(chain, Chain)
    assert children(chain) == (a, one, one)
    longer = lengthened(chain, resolve_call("multiply", [chain, a]))
    assert isinstance(longer, Chain)
    assert longer.operators == ("add", "add", "multiply")
    assert lengthened(chain, resolve_call("add", [chain, half])) is None  # another type
    assert lengthened(first, resolve_call("add", [one, first])) is None  # on the other side
    moved = resolve_call("add", [d, one])
    assert lengthened(moved, resolve_call("add", [moved, one])) is None
    text = ColumnRef(t.STRING, 3, "s")
    joined = resolve_call("concat", [text, text])
    assert lengthened(joined, resolve_call("concat", [joined, text])) == Call(t.STRING, "concat", (text, text, text))


@pytest.mark.parametrize("count", [2, 3, 5, 8, 33])
def test_many_texts_are_joined_in_order(count: int) -> None:
    texts = [Literal(t.STRING, chr(ord("a") + i % 26)) for i in range(count)]
    found = evaluate(Call(t.STRING, "concat", tuple(texts)), {}, 1)
    joined = storage_values(Operand(t.STRING, found.column.array))[0]
    assert joined == "".join(str(text.value) for text in texts)
    assert all(ord(a) + 1 == ord(b) for a, b in pairwise(joined[:26]))
