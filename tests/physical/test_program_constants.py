"""Division by a constant, which programs do with multiplications: every dividend and every divisor."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.kernels.programs import Program, RowError
from tableflow.expressions.nodes import ColumnRef, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.physical.node import Input
from tableflow.physical.program_judge import compile_steps
from tableflow.physical.project import ProjectColumns
from tests.expressions.test_exact import to_column
from tests.kernels.columns import plain

LEAST, GREATEST = -(2**63), 2**63 - 1
FIELDS = (t.Field(1, "a", t.BIGINT),)
NUMBERS = st.one_of(
    st.integers(LEAST, GREATEST), st.integers(-3, 3), st.sampled_from([LEAST, LEAST + 1, GREATEST, GREATEST - 1])
)


def truncated(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def result(name: str, values: list[int | None], by: int) -> list[int | None]:
    of = resolve_call(name, [ColumnRef(t.BIGINT, 1), Literal(t.BIGINT, by)])
    step = ProjectColumns(fields=(t.Field(2, "r", of.type),), input=Input(fields=FIELDS), expressions=(of,))
    found = Program(compile_steps(FIELDS, {}, [step])).apply(Batch([to_column(t.BIGINT, values)], len(values)))
    assert found is not None
    return plain(compact(found).columns[0])


@settings(max_examples=400, deadline=None)
@given(st.lists(NUMBERS | st.none(), min_size=1, max_size=20), NUMBERS.filter(lambda by: by != 0))
@example([LEAST, GREATEST, -1, 0, 1], LEAST)
@example([LEAST, GREATEST, -1, 0, 1], GREATEST)
@example([LEAST + 1, GREATEST], -1)
@example([LEAST, 7, None], 2)
def test_quotient_and_rest(values: list[int | None], by: int) -> None:
    assert result("%", values, by) == [None if a is None else a - by * truncated(a, by) for a in values]
    if by == -1 and LEAST in values:
        with pytest.raises(RowError):
            result("//", values, by)
        return
    assert result("//", values, by) == [None if a is None else truncated(a, by) for a in values]


@pytest.mark.parametrize("name", ["//", "%"])
def test_zero_fails_for_rows_that_have_a_value(name: str) -> None:
    assert result(name, [None, None], 0) == [None, None]
    with pytest.raises(RowError):
        result(name, [None, 3], 0)
