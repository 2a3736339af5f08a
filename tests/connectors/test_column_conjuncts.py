"""What is told of the values of one column without evaluating a conjunct is what evaluating it says."""

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.connectors.filesystem.column_conjuncts import may_accept, texts_of
from tableflow.connectors.filesystem.listed_values import ListedValues
from tableflow.expressions.nodes import Call, ColumnRef, Literal

WORDS = ["", "a", "a ", "A", "b", "näme", "zz"]


@pytest.mark.parametrize(
    ("function", "values"),
    [("eq", ["a"]), ("eq", [None]), ("in", ["a", "näme", "absent"]), ("in", [None, ""])],
    ids=str,
)
def test_texts_that_are_listed(function, values):
    column = ColumnRef(t.STRING, 1, "c")
    conjunct = Call(t.BOOLEAN, function, (column, *(Literal(t.STRING, value) for value in values)))
    texts = texts_of(conjunct)
    assert texts is not None
    entries = Column(t.STRING, pa.array(WORDS, pa.string()))
    assert [word in texts for word in WORDS] == may_accept(column, conjunct, entries).astype(bool).tolist()


def test_texts_that_are_not_compared_as_they_are():
    fixed = t.StringType(3, fixed=True)
    plain = ColumnRef(t.STRING, 1, "c")
    assert texts_of(Call(t.BOOLEAN, "eq", (ColumnRef(fixed, 1, "c"), Literal(fixed, "a  ")))) is None
    assert texts_of(Call(t.BOOLEAN, "in", (plain, Literal(t.STRING, "a"), plain))) is None
    assert texts_of(Call(t.BOOLEAN, "ne", (plain, Literal(t.STRING, "a")))) is None


def test_listed_values_between_bounds():
    values = [-(1 << 63), -5, 0, 3, 4, 90, (1 << 63) - 1]
    for listed in (values, values[1:-1], [7]):
        counted = ListedValues(np.array(listed, np.int64))
        bounds = [-(1 << 70), -(1 << 63), -6, -5, 0, 4, 7, 90, 91, (1 << 63) - 1, 1 << 70]
        for low in bounds:
            for high in bounds:
                assert counted.between(low, high) == sum(low <= one <= high for one in listed)
