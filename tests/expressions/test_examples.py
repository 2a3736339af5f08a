"""Every function's example is executed, and every name resolves."""

from __future__ import annotations

import pytest

from tableflow.expressions import registry
from tableflow.expressions.casting.formatting import storage_text
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.fold import fold
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import Literal
from tableflow.expressions.operand import Operand
from tableflow.session import Session
from tableflow.shell.rendering import text_of
from tests.expressions.binding import bind


def shown(expression):
    result = evaluate(expression, {}, 1)
    assert result.errors is None
    value = storage_values(Operand(expression.type, result.column.array))[0]
    return "NULL" if value is None else storage_text(value, expression.type)


@pytest.mark.parametrize("entry", registry.FUNCTIONS, ids=lambda entry: entry.name)
def test_example_of_each_function(entry):
    sql, expected = entry.example
    assert shown(bind(sql)) == expected


@pytest.mark.parametrize("entry", registry.FUNCTIONS, ids=lambda entry: entry.name)
def test_folding_an_example_gives_the_same_literal(entry):
    sql, expected = entry.example
    if not entry.deterministic:
        pytest.skip("another value each time")
    folded = fold(bind(sql))
    assert isinstance(folded, Literal)
    assert shown(folded) == expected


def test_every_entry_is_documented():
    for entry in (*registry.FUNCTIONS, *registry.AGGREGATES):
        assert entry.doc.rstrip().endswith(".")
        assert entry.signature


AGGREGATE_ROWS = "(VALUES (1, 'd'), (2, 'a'), (2, 'b'), (4, 'c'), (NULL, 'e')) v(x, y)"


@pytest.mark.parametrize("entry", registry.AGGREGATES, ids=lambda entry: entry.name)
def test_example_of_each_aggregate(entry):
    sql, expected = entry.example
    session = Session({"parallelism.default": "1"})
    query = sql if sql.startswith("SELECT") else f"SELECT {sql} FROM v"
    (row,) = session.execute(f"WITH v AS (SELECT * FROM {AGGREGATE_ROWS}) {query}").result.next_batch().to_pylist()
    session.close()
    assert text_of(next(iter(row.values()))) == expected
