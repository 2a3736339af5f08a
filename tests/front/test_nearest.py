"""Hints for misspelt names: close ones are offered, far ones are not."""

import pytest

from tableflow.nearest import nearest, nearest_names

KNOWN = ["count", "sum", "avg", "substring", "length", "c_custkey", "o_orderdate", "x"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("cuont", "count"), ("conut", "count"), ("Cout", "count"), ("counts", "count"), ("lenght", "length"), ("smu", "sum"),
        ("substrng", "substring"), ("subtsirng", "substring"), ("custkey", "c_custkey"), ("xs", "x"), ("SUM", "sum"),
        ("cont", "count"), ("mount", "count"), ("mound", None), ("length_of", "length"), ("xy", "x"), ("ab", None), ("a", None),
        ("orders", None), ("", None), ("total", None),
    ],
)  # fmt: skip
def test_nearest(word, found):
    assert nearest(word, KNOWN) == found


def test_letters_in_the_wrong_order_are_the_commonest_slip():
    assert nearest("form", ["FOR", "FROM"]) == "FROM"
    assert nearest_names("cont", ["court", "font", "count", "cost"], 2) == ["font", "count"]
