"""Results do not depend on how columns are stored, sliced or selected."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.expressions.evaluation import evaluate, project
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import ColumnRef
from tableflow.expressions.operand import Operand
from tests.expressions.binding import bind
from tests.expressions.test_against_duckdb import EXPRESSIONS, REFS, ROW, SCHEMA, column

_DECIMALS = {"d": pa.int64(), "e": pa.int32()}


def stored_otherwise(name, of, one, rows):
    """The same values: narrow integers, scaled decimals, dictionaries, and an offset into longer buffers."""
    array = one.array
    if isinstance(of, t.IntegerType) and of.bits == 32:
        array = array.cast(pa.int16())
    elif isinstance(of, t.DecimalType):
        scaled = [None if row[name] is None else int(row[name].scaleb(of.scale)) for row in rows]
        array = pa.array(scaled, _DECIMALS[name])
    elif isinstance(of, t.StringType):
        array = array.dictionary_encode()
        # An entry that no row uses must not matter, whatever it holds.
        entries = pa.concat_arrays([array.dictionary, pa.array(["unused (", "12"])])
        array = pa.DictionaryArray.from_arrays(array.indices, entries)
    padded = array.take(pa.array([0, *range(len(array)), 0]))
    return Column(of, padded.slice(1, len(array)))


def values_of(expression, columns, rows, selection=None):
    result = evaluate(expression, columns, rows, selection)
    errors = [False] * len(result.column) if result.errors is None else result.errors.tolist()
    return [repr(v) for v in storage_values(Operand(expression.type, result.column.array))], errors


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(4))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROW, min_size=3, max_size=10), data=st.data())
def test_any_representation_gives_the_same(chunk, rows, data):
    canonical_columns = {n: column(of, [row[name] for row in rows]) for n, (name, of) in enumerate(SCHEMA.items())}
    other = {n: stored_otherwise(name, of, canonical_columns[n], rows) for n, (name, of) in enumerate(SCHEMA.items())}
    chosen = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    selection = np.flatnonzero(chosen).astype(np.uint32)
    for sql in [*EXPRESSIONS[chunk::4], *FAILING]:
        expression = bind(sql, REFS)
        expected, errors = values_of(expression, canonical_columns, len(rows))
        assert values_of(expression, other, len(rows)) == (expected, errors), sql
        kept, failed = values_of(expression, other, len(rows), selection)
        assert kept == [v for v, keep in zip(expected, chosen, strict=True) if keep], sql
        assert failed == [e for e, keep in zip(errors, chosen, strict=True) if keep], sql


FAILING = [
    "CAST(s AS INT)",
    "1 / i",
    "i * 2000000000",
    "regexp_matches('a', s)",
    "CASE WHEN s LIKE '%1' THEN CAST(s AS INT) END",
]


def test_a_function_of_a_dictionary_stays_a_dictionary_with_distinct_entries():
    ref = {"s": ColumnRef(t.STRING, 1, "s")}
    columns = {1: Column(t.STRING, pa.array(["a", "A", None, "b", "a"]).dictionary_encode())}
    result = evaluate(bind("upper(s)", ref), columns, 5).column.array
    assert pa.types.is_dictionary(result.type)
    assert result.to_pylist() == ["A", "A", None, "B", "A"]
    assert sorted(result.dictionary.to_pylist()) == ["A", "B"]


def test_functions_that_are_not_strict_see_null_rows_of_a_dictionary():
    ref = {"s": ColumnRef(t.STRING, 1, "s")}
    columns = {1: Column(t.STRING, pa.array(["a", None, "b", "a"]).dictionary_encode())}
    assert evaluate(bind("s IS NULL", ref), columns, 4).column.to_pylist() == [False, True, False, False]
    assert evaluate(bind("concat_ws('-', s, 'x')", ref), columns, 4).column.to_pylist() == ["a-x", "x", "b-x", "a-x"]
    assert evaluate(bind("s IN ('a', NULL)", ref), columns, 4).column.to_pylist() == [True, None, None, True]


def test_a_bare_column_is_passed_on_untouched():
    one = Column(t.STRING, pa.array(["a", "b"]).dictionary_encode())
    assert project([ColumnRef(t.STRING, 7)], Batch([one], 2), {7: 0})[0].array is one.array


def test_projection_of_a_selection_is_dense():
    batch = Batch([Column(t.INT, pa.array([1, 2, 3], pa.int32()))], 3, np.array([0, 2], np.uint32))
    columns = project([bind("a", {"a": ColumnRef(t.INT, 1, "a")}), bind("1.5")], batch, {1: 0})
    assert [storage_values(Operand(c.type, c.array)) for c in columns] == [[1, 3], [15, 15]]
