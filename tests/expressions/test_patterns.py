"""LIKE with a pattern from the data: row by row, by groups of rows, or as a constant, it says the same."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import DataError
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import ColumnRef
from tests.expressions.binding import bind

REFS = {"s": ColumnRef(t.STRING, 0, "s"), "u": ColumnRef(t.STRING, 1, "u")}
TEXTS = ["", "a", "ab", "aba", "abcab", "a%b", "ä\nb", "bb", None]
PATTERNS = [
    "",
    "%",
    "a",
    "a%",
    "%b",
    "a%b",
    "%b%",
    "%a%b%",
    "ab%ab",
    "aba%ba",
    "_",
    "a_%",
    "a!%b",
    "%!%%",
    "!!%",
    "%ä%b",
    None,
]


def matches(expression, texts, patterns):
    columns = [Column(t.STRING, pa.array(values, pa.string())) for values in (texts, patterns)]
    batch = Batch(columns, len(texts))
    return project([bind(expression, REFS)], batch, {0: 0, 1: 1})[0].array.to_pylist()


def test_patterns_of_rows_are_patterns():
    pairs = [(text, pattern) for text in TEXTS for pattern in PATTERNS]
    texts, patterns = zip(*pairs, strict=True)
    one_by_one = matches("s LIKE u ESCAPE '!'", texts, patterns)
    grouped = matches("s LIKE u ESCAPE '!'", texts * 100, patterns * 100)
    assert grouped == one_by_one * 100
    for pattern in PATTERNS:
        if pattern is not None:
            expected = matches(f"s LIKE '{pattern}' ESCAPE '!'", TEXTS, TEXTS)
            assert [found for found, of in zip(one_by_one, patterns, strict=True) if of == pattern] == expected


@pytest.mark.parametrize("copies", [1, 100])
def test_a_wrong_pattern_is_an_error_of_its_row(copies):
    with pytest.raises(DataError):
        matches("s LIKE u ESCAPE '!'", ["a", "b"] * copies, ["%", "b!"] * copies)
    assert matches("s LIKE u ESCAPE '!'", ["a", None] * copies, ["%", "b!"] * copies) == [True, None] * copies
