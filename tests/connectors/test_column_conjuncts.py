"""What is told of the values of one column without evaluating a conjunct is what evaluating it says."""

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.connectors.filesystem.column_conjuncts import by_column, may_accept, texts_of
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


def test_what_the_arms_of_an_or_say_of_each_column():
    a, b, c = (ColumnRef(t.BIGINT, i, name) for i, name in enumerate("abc"))

    def of(function, *args):
        return Call(t.BOOLEAN, function, args)

    def of_types(function, *args):
        return Call(t.BIGINT, function, args)

    def is_(column, value):
        return of("eq", column, Literal(t.BIGINT, value))

    alone = of("or", is_(a, 1), is_(a, 2))
    assert by_column(alone) == [(a, alone)]
    both = of("or", of("and", is_(a, 1), is_(b, 5), is_(c, 0)), of("and", is_(a, 2), is_(b, 5), of("lt", b, a)))
    assert by_column(both) == [(a, of("or", is_(a, 1), is_(a, 2))), (b, is_(b, 5))]
    nested = of("and", of("or", is_(a, 1), of("and", is_(a, 2), of("or", is_(b, 1), is_(a, 3)))), is_(c, 4))
    assert by_column(nested) == [(a, of("or", is_(a, 1), is_(a, 2))), (c, is_(c, 4))]
    assert by_column(of("or", is_(a, 1), is_(b, 1))) == []
    assert by_column(of("lt", a, b)) == []
    assert by_column(of("not", of("or", is_(a, 1), of("and", is_(a, 2), is_(b, 1))))) == []
    # which arm is reached decides whether it fails: rows are not left out before that
    fails = of("gt", of_types("add", b, b), Literal(t.BIGINT, 0))
    assert by_column(of("or", of("and", fails, is_(a, 1)), of("and", is_(a, 2), is_(b, 1)))) == []
