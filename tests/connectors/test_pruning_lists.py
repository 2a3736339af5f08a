"""Long IN lists rule a part out by the values that lie between its bounds, and nothing is ruled out where one is no literal."""

from __future__ import annotations

import pytest

from tableflow import types as t
from tableflow.connectors.part_matcher import may_match
from tableflow.connectors.pruning import ColumnRange
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal

K = ColumnRef(t.BIGINT, 1, "k")
PRICE = ColumnRef(t.DecimalType(10, 2), 2, "price")


def within(*items: Expression) -> Call:
    return Call(t.BOOLEAN, "in", (K, *items))


def numbers(*values: int) -> list[Literal]:
    return [Literal(t.BIGINT, value) for value in values]


@pytest.mark.parametrize("count", [3, 40])
def test_a_list_is_compared_with_the_bounds(count: int) -> None:
    listed = within(*numbers(*range(1000, 1000 + 10 * count, 10)))
    last = 1000 + 10 * (count - 1)

    def may(low: int | None, high: int | None) -> bool:
        return may_match(listed, {"k": ColumnRange(t.BIGINT, low, high)}.get)

    assert may(last, last + 5)
    assert may(1005, 1010)
    assert not may(1001, 1009)
    assert not may(last + 1, last + 9)
    assert not may(None, 999)
    assert may(None, None)


@pytest.mark.parametrize("count", [3, 40])
def test_an_item_that_is_no_literal_may_have_any_value(count: int) -> None:
    listed = within(*numbers(*range(count)), ColumnRef(t.BIGINT, 9, "other"))
    assert may_match(listed, {"k": ColumnRange(t.BIGINT, 5000, 5001)}.get)


def test_decimals_of_one_scale_compare_as_they_are_stored() -> None:
    known = {"price": ColumnRange(PRICE.type, 100, 250)}.get
    for of, value, expected in [(PRICE.type, 251, False), (PRICE.type, 250, True), (t.DecimalType(9, 3), 2501, False)]:
        assert may_match(Call(t.BOOLEAN, "ge", (PRICE, Literal(of, value))), known) is expected
