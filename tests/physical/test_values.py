"""Constant rows."""

from __future__ import annotations

from tableflow import types as t
from tableflow.expressions.nodes import Call, Literal
from tableflow.physical.values import ValuesScan, ValuesScanOperator
from tests.kernels.columns import rows_of
from tests.physical.jobs import collect, fields
from tests.runtime.simple import Plan


def values(types, rows, parallelism=1, **settings):
    node = ValuesScan(fields=fields(*types), rows=tuple(rows))
    plan = Plan()
    head = plan.stage(lambda: ValuesScanOperator(node), parallelism=parallelism)
    return collect(plan, head, **settings)


def number(value):
    return Literal(t.INT, value)


def test_rows_of_expressions():
    total = Call(t.INT, "add", (number(1), number(2)))
    made = values([t.INT, t.STRING], [(total, Literal(t.STRING, "a")), (number(None), Literal(t.STRING, None))])
    assert [row for batch in made for row in rows_of(batch)] == [(3, "a", 1), (None, None, 1)]
    assert {column.type for batch in made for column in batch.columns} == {t.INT, t.STRING}


def test_many_rows_come_in_batches():
    made = values([t.INT], [(number(i),) for i in range(25)], batch_rows=10)
    assert max(batch.rows for batch in made) <= 10
    assert [row for batch in made for row in rows_of(batch)] == [(i, 1) for i in range(25)]


def test_a_row_without_columns():
    made = values([], [()])
    assert [batch.rows for batch in made] == [1]


def test_no_rows():
    assert values([t.INT], []) == []


def test_a_bare_null_has_the_column_s_type():
    [batch] = values([t.INT], [(Literal(t.NULL, None),)])
    assert batch.columns[0].array.type == "int32"
