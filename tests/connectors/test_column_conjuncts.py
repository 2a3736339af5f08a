"""What is told of the values of one column without evaluating a conjunct is what evaluating it says."""

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.connectors.filesystem import column_conjuncts, parquet_filter
from tableflow.connectors.filesystem.column_conjuncts import by_column, may_accept, rejects_null, texts_of
from tableflow.connectors.filesystem.listed_values import ListedValues
from tableflow.connectors.filesystem.parquet_filter import ColumnFilter
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


TEXT = ColumnRef(t.STRING, 1, "c")


def call(function, *args):
    return Call(t.BOOLEAN, function, args)


def with_texts(function, *values):
    return call(function, TEXT, *(Literal(t.STRING, value) for value in values))


@pytest.mark.parametrize(
    ("predicate", "by_form"),
    [
        (with_texts("like", "a%"), True),
        (call("not", with_texts("like", "a%")), True),
        (call("or", with_texts("eq", "a"), call("not", with_texts("contains", "b"))), True),
        (call("and", with_texts("ne", "a"), call("is_null", TEXT)), True),
        (call("or", with_texts("eq", "a"), call("is_null", TEXT)), False),
        (call("not", call("and", with_texts("eq", "a"), Literal(t.BOOLEAN, value=False))), False),
        (call("is_null", TEXT), False),
        (call("is_not_null", TEXT), False),
    ],
    ids=str,
)
def test_what_the_form_of_a_conjunct_tells_of_null_is_what_evaluating_it_says(predicate, by_form, monkeypatch):
    null = Column(t.STRING, pa.nulls(1, pa.string()))
    expected = not may_accept(TEXT, predicate, null)[0]
    assert rejects_null(TEXT, predicate) == expected
    monkeypatch.setattr(column_conjuncts, "may_accept", lambda *_: [True])
    assert rejects_null(TEXT, predicate) == by_form


@pytest.fixture
def asked(monkeypatch):
    """How many entries conjuncts are evaluated for, time by time."""
    counts = []

    def counted(column, predicate, entries):
        counts.append(len(entries))
        return may_accept(column, predicate, entries)

    monkeypatch.setattr(parquet_filter, "may_accept", counted)
    return counts


def entries_of(values):
    return Column(t.STRING, pa.array([f"word {i}" for i in values]))


def test_entries_that_were_seen_are_not_evaluated_again(asked):
    of = ColumnFilter(0, TEXT, [with_texts("like", "%1")])
    for values in (range(100), range(50), [*range(100), *range(70)]):
        assert of.accepted(entries_of(values)).tolist() == [i % 10 == 1 for i in values]
    assert asked == [100]
    for first in range(100, 900, 100):  # new ones again and again: they are not looked for any more
        assert of.accepted(entries_of(range(first, first + 100))).tolist() == [i % 10 == 1 for i in range(100)]
    assert asked == [100] * 9
    known = len(of._known)
    assert known < 900


@pytest.mark.parametrize(("pattern", "worthwhile"), [("%1", True), ("word%", False)])
def test_a_large_dictionary_of_which_all_is_accepted_is_not_looked_through(asked, pattern, worthwhile):
    of = ColumnFilter(0, TEXT, [with_texts("like", pattern)])
    accepted = of.accepted(entries_of(range(9_000)))
    assert (accepted is not None) == worthwhile
    assert sum(asked) < 10_000 if worthwhile else sum(asked) < 1_000
