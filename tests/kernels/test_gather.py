"""Take, compact and concat give the rows that plain Python would, whatever the representations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels import gather
from tests.kernels.columns import FLAT, VALUES, batches, columns, plain, rows_of, values_of


@pytest.mark.slow
@given(st.data())
def test_take(data):
    of = data.draw(st.sampled_from(list(VALUES)))
    size = data.draw(st.integers(0, 30))
    column = data.draw(columns(of, data.draw(values_of(of, size))))
    nullable = data.draw(st.booleans())
    rows = st.integers(-1 if nullable else 0, size - 1)
    indices = data.draw(st.lists(rows, max_size=70)) if size or nullable else []
    dtype = data.draw(st.sampled_from([np.int64, np.uint32]))
    values = plain(column)
    taken = gather.take(column, np.array(indices, np.int64).astype(dtype), nullable)
    assert plain(taken) == [None if i < 0 else values[i] for i in indices]
    assert taken.type == of
    taken.array.validate(full=True)


@pytest.mark.slow
@given(st.data())
def test_compact(data):
    types = data.draw(st.lists(st.sampled_from(list(VALUES)), max_size=3))
    batch = data.draw(batches(types))
    made = gather.compact(batch)
    assert made.selection is None
    assert made.event_time == batch.event_time
    assert rows_of(made) == rows_of(batch)
    if batch.selection is None:
        assert made is batch


@pytest.mark.slow
@given(st.data())
def test_concat(data):
    types = data.draw(st.lists(st.sampled_from(list(VALUES)), max_size=3))
    parts = data.draw(st.lists(batches(types, 20), min_size=1, max_size=4))
    made = gather.concat(parts)
    assert rows_of(made) == [row for part in parts for row in rows_of(part)]
    assert (made.weights is None) == all(part.weights is None for part in parts)
    for column in made.columns:
        column.array.validate(full=True)


@given(st.data())
def test_concat_shares_a_dictionary(data):
    values = data.draw(values_of(t.STRING, 20))
    array = pa.array(values, pa.string()).dictionary_encode()
    whole = Batch([Column(t.STRING, array)], 20)
    cut = data.draw(st.integers(0, 20))
    made = gather.concat([whole.slice(0, cut), whole.slice(cut, 20 - cut)]).columns[0]
    assert made.array.to_pylist() == values
    if 0 < cut < 20:
        assert made.array.dictionary.buffers()[2].address == array.dictionary.buffers()[2].address


def test_strings_of_every_length():
    texts = [chr(97 + i % 26) * i for i in range(300)]
    for storage in (pa.array(texts), pa.array(texts, pa.large_string()), pa.array(texts).dictionary_encode()):
        for rows in (range(300), [299, 0, 33, 32, 31, 128, 129, 127, 0, 64, 96, 298]):
            found = gather.take(Column(t.STRING, storage), np.array(rows, np.uint32))
            assert found.array.to_pylist() == [texts[row] for row in rows]


def test_large_dictionaries_of_repeated_entries_are_unified():
    parts = [
        Column(t.STRING, pa.array([f"{k % 3 + shift}" for k in range(30)]).dictionary_encode()) for shift in (0, 1)
    ]
    made = gather.concat([Batch([part], 30) for part in parts]).columns[0]
    assert pa.types.is_dictionary(made.array.type)
    assert made.array.dictionary.to_pylist() == ["0", "1", "2", "3"]
    assert made.to_pylist() == [*parts[0].to_pylist(), *parts[1].to_pylist()]


def test_null_entries_of_a_dictionary_are_null():
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int32()), pa.array(["a", None]))
    other = Column(t.STRING, pa.array(["b"]))
    made = gather.concat([Batch([Column(t.STRING, array)], 3), Batch([other], 1)]).columns[0]
    assert made.to_pylist() == ["a", None, None, "b"]


@pytest.mark.parametrize("index", [[2], [-1], [0, 5, 1]])
@pytest.mark.parametrize("of", [t.BIGINT, t.ArrayType(t.BIGINT)])
def test_take_checks_row_numbers(index, of):
    column = Column(of, pa.array([1, 2]) if of == t.BIGINT else pa.array([[1], [2]]))
    with pytest.raises(IndexError):
        gather.take(column, np.array(index))


def test_types_are_not_mixed():
    with pytest.raises(ValueError, match="different types"):
        gather.concat([Batch([Column(of, pa.array(v))], 1) for of, v in ((t.BIGINT, [1]), (t.STRING, ["a"]))])


@pytest.mark.slow
def test_strings_beyond_two_gibibytes_become_large():
    part = Batch([Column(t.STRING, pa.array(["x" * (1 << 20)]))], 1)
    many = Batch(gather.take_columns(part.columns, np.zeros(1100, np.int64)), 1100)
    made = gather.concat([many, many]).columns[0]
    assert made.array.type == pa.large_string()
    assert len(made.array[2199].as_py()) == 1 << 20


def test_every_flat_type_is_covered():
    assert {type(of) for of in FLAT} >= {
        t.NullType,
        t.BooleanType,
        t.IntegerType,
        t.FloatType,
        t.DecimalType,
        t.StringType,
    }
