"""What is computed of a dictionary is computed once, and never mistaken for something else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import DataError
from tableflow.expressions import evaluation
from tableflow.expressions.entries import Entries
from tableflow.expressions.nodes import Call, Cast, ColumnRef, Literal

TEXT = ColumnRef(t.STRING, 1, "text")


def batch_of(codes, entries):
    array = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), entries)
    return Batch([Column(t.STRING, array)], len(codes))


def counted(monkeypatch):
    """How many values each kernel was given."""
    given = []
    known = evaluation.function

    class Counting:
        def __init__(self, name):
            self.deterministic = known(name).deterministic
            self._kernel = known(name).kernel

        def kernel(self, args, to):
            given.append(len(args[0]))
            return self._kernel(args, to)

    monkeypatch.setattr(evaluation, "function", Counting)
    return given


def test_entries_are_computed_once_for_all_batches(monkeypatch):
    entries = pa.array([f"Text {i}" for i in range(10)])
    upper = Call(t.STRING, "upper", (TEXT,))
    given, known = counted(monkeypatch), Entries()
    for codes in ([1, 2, None], [3] * 4, [9, None, 0, 5], [2, 2, 7]):
        (column,) = evaluation.project([upper], batch_of(codes, entries), {1: 0}, known)
        assert column.array.to_pylist() == [None if c is None else f"TEXT {c}" for c in codes]
    # Few rows are computed each by itself, until there were as many as entries; NULL is one more.
    assert given == [3, 4, 11]


def test_another_dictionary_is_another_matter():
    upper, known = Call(t.STRING, "upper", (TEXT,)), Entries()
    for number in range(40):
        entries = pa.array([f"a{number}", f"b{number}"])
        (column,) = evaluation.project([upper], batch_of([1, 0, 1], entries), {1: 0}, known)
        assert column.array.to_pylist() == [f"B{number}", f"A{number}", f"B{number}"]


def test_entries_that_become_equal_have_one_code():
    upper, known = Call(t.STRING, "upper", (TEXT,)), Entries()
    (column,) = evaluation.project([upper], batch_of([0, 1, 0, None], pa.array(["a", "A"])), {1: 0}, known)
    assert column.array.to_pylist() == ["A", "A", "A", None]
    assert column.array.indices[0] == column.array.indices[1]


def test_only_entries_of_rows_raise():
    number, known = Cast(t.BIGINT, TEXT), Entries()
    entries = pa.array(["1", "x", "3"])
    for _ in range(2):
        (column,) = evaluation.project([number], batch_of([0, 2, 2, None], entries), {1: 0}, known)
        assert column.array.to_pylist() == [1, 3, 3, None]
        with pytest.raises(DataError):
            evaluation.project([number], batch_of([0, 1, 2], entries), {1: 0}, known)


def test_filters_know_entries_too():
    known = Entries()
    wanted = Call(t.BOOLEAN, "=", (Call(t.STRING, "lower", (TEXT,)), Literal(t.STRING, "b")))
    for codes in ([0, 1, 1], [2, None, 1], [0, 0, 2]):
        kept = evaluation.filter_rows([wanted], batch_of(codes, pa.array(["a", "B", "c"])), {1: 0}, known)
        assert kept.tolist() == np.flatnonzero([c == 1 for c in codes]).tolist()


def test_a_dictionary_whose_texts_are_empty():
    for entries in (
        pa.array([""]),
        pa.array([], pa.string()),
        pa.array([None], pa.string()),
        pa.array(["", ""]).slice(1),
    ):
        codes = [0 if len(entries) else None] * 3
        array = batch_of(codes, entries)
        (column,) = evaluation.project([Call(t.STRING, "upper", (TEXT,))], array, {1: 0}, Entries())
        assert column.array.to_pylist() == [entries[c].as_py() if c is not None else None for c in codes]
