"""Programs against the reference evaluator: the same values, NULLs and errors, whatever the representation."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.kernels.programs import Program, RowError
from tableflow.errors import DataError
from tableflow.expressions.evaluation import evaluate, filter_rows
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.expressions.registry import resolve_call
from tableflow.expressions.text import to_sql
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import Input, positions
from tableflow.physical.program_judge import Judge, compile_steps
from tableflow.physical.project import ProjectColumns
from tableflow.serialization import dumps, loads
from tests.kernels.columns import plain
from tests.physical.expressions import ANY_TYPE, FIELDS, domains, expression, rows

pytestmark = pytest.mark.slow

INPUT = Input(fields=FIELDS)
FAST = settings(deadline=None, suppress_health_check=list(HealthCheck))


def projection(of: Expression, below: Any = INPUT) -> ProjectColumns:
    return ProjectColumns(fields=(t.Field(99, "result", of.type),), input=below, expressions=(of,))


def close(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isfinite(a) and math.isfinite(b):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-300)
    return bool(a == b)


def reference(of: Expression, batch: Batch) -> tuple[list[Any], bool]:
    columns = {f.id: c for f, c in zip(FIELDS, batch.columns, strict=True)}
    found = evaluate(of, columns, batch.length, batch.selection)
    return plain(found.column), found.errors is not None and bool(found.errors.any())


@FAST
@given(st.data())
def test_a_projection_gives_what_the_evaluator_gives(data: Any) -> None:
    of = data.draw(ANY_TYPE.flatmap(expression))
    batch = data.draw(rows())
    known = data.draw(domains(batch))
    assume(Judge(known).judge(of, FIELDS) is not None)
    expected, fails = reference(of, batch)
    program = Program(loads(dumps(compile_steps(FIELDS, known, [projection(of)]))))
    if fails:
        with pytest.raises(RowError):
            program.apply(batch)
        return
    result = program.apply(batch)
    if batch.rows == 0:
        assert result is None
        return
    actual = plain(compact(result).columns[0])
    assert len(actual) == len(expected)
    assert all(map(close, actual, expected)), (to_sql(of), actual, expected)


@FAST
@given(st.data())
def test_a_filter_keeps_what_the_evaluator_keeps(data: Any) -> None:
    conjuncts = data.draw(st.lists(expression(t.BOOLEAN), min_size=1, max_size=3))
    batch = data.draw(rows())
    known = data.draw(domains(batch))
    assume(all(Judge(known).judge(c, FIELDS) is not None for c in conjuncts))
    step = FilterRows(fields=FIELDS, input=INPUT, conjuncts=tuple(conjuncts))
    program = Program(compile_steps(FIELDS, known, [step]))
    try:
        kept = filter_rows(conjuncts, batch, positions(FIELDS)).tolist()
    except DataError:
        with pytest.raises(RowError):
            program.apply(batch)
        return
    result = program.apply(batch)
    if result is None:
        assert kept == []
    elif result.selection is None:
        assert kept == list(range(batch.length))
    else:
        assert result.selection.tolist() == kept


def test_most_expressions_are_compiled() -> None:
    outcomes: Counter[bool] = Counter()

    @settings(max_examples=200, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ANY_TYPE.flatmap(expression))
    def look(of: Expression) -> None:
        outcomes[Judge({}).judge(of, FIELDS) is not None] += 1

    look()
    assert outcomes[True] > 3 * outcomes[False]


def test_two_empty_texts_are_concatenated() -> None:
    text = t.Field(1, "s", t.STRING)
    both = resolve_call("concat", [ColumnRef(t.STRING, 1), ColumnRef(t.STRING, 1)])
    step = ProjectColumns(fields=(t.Field(2, "r", t.STRING),), input=Input(fields=(text,)), expressions=(both,))
    program = Program(compile_steps((text,), {}, [step]))
    for array in (pa.array(["", ""]), pa.array(["", ""]).dictionary_encode()):
        result = program.apply(Batch([Column(t.STRING, array)], 2))
        assert result is not None
        assert result.columns[0].to_pylist() == ["", ""]
