"""Deep statements: room for those that need it, an error for those that need too much, and everything as it was after."""

from __future__ import annotations

import sys
import threading

import pytest

import tableflow
from tableflow.recursion import FRAMES, roomy, stack_of, with_room

pytestmark = pytest.mark.slow

MANY, DEEP = 5000, 900


def depth(levels: int) -> int:
    return 0 if levels == 0 else 1 + any(depth(levels - 1) for _ in (1,)) * (levels - 1)


def through_c(levels: int) -> int:
    """One level of C stack for each level."""
    return 0 if levels == 0 else 1 + max(map(through_c, [levels - 1]))


def test_more_room_than_a_thread_has() -> None:
    limit, stack = sys.getrecursionlimit(), threading.stack_size()
    with pytest.raises(RecursionError):
        through_c(FRAMES * 2)
    assert with_room(lambda: through_c(FRAMES * 2)) == FRAMES * 2
    assert (sys.getrecursionlimit(), threading.stack_size()) == (limit, stack)


def test_too_deep_for_any_room() -> None:
    limit = sys.getrecursionlimit()
    with pytest.raises(RecursionError):
        with_room(lambda: through_c(1_000_000))
    assert sys.getrecursionlimit() == limit


def test_room_inside_a_room() -> None:
    @roomy
    def inner(levels: int) -> int:
        return through_c(levels)

    assert with_room(lambda: through_c(FRAMES * 2) + inner(FRAMES * 2)) == FRAMES * 4
    with pytest.raises(RecursionError):
        with_room(lambda: through_c(FRAMES * 2) + inner(1_000_000))


def test_other_errors_come_through() -> None:
    calls = []

    def failing() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RecursionError
        raise KeyError("no")

    with pytest.raises(KeyError):
        with_room(failing)
    assert len(calls) == 2


def test_stack_size_is_that_of_threads_started_inside() -> None:
    before = threading.stack_size()
    with stack_of(1 << 20):
        assert threading.stack_size() == 1 << 20
    assert threading.stack_size() == before


STATEMENTS = {
    "sum of constants": ("SELECT " + " + ".join(["1"] * MANY), MANY),
    "sum": ("SELECT max(a" + " + 1" * MANY + ") FROM t", MANY + 9),
    "mixed": ("SELECT max(a" + " + 2 - 1 * 3" * MANY + ") FROM t", 9 - MANY),
    "decimals": ("SELECT max(a" + " + 0.5" * MANY + ")::INT FROM t", MANY // 2 + 9),
    "texts": ("SELECT max(length(" + " || ".join(["s"] * MANY) + ")) FROM t", MANY),
    "texts and numbers": ("SELECT max(length(s" + " || a" * MANY + ")) FROM t", MANY + 1),
    "condition": ("SELECT count(*) FROM t WHERE a" + " + 1" * MANY + f" > {MANY + 5}", 4),
    "group key": ("SELECT count(*) FROM (SELECT a FROM t GROUP BY a" + " - 1" * MANY + ", a)", 10),
    "parentheses": ("SELECT " + "(" * DEEP + "1" + ")" * DEEP, 1),
    "nested sums": ("SELECT max(" + "(1 + " * DEEP + "a" + ")" * DEEP + ") FROM t", DEEP + 9),
    "calls": ("SELECT max(" + "abs(" * DEEP + "a" + ")" * DEEP + ") FROM t", 9),
    "case": ("SELECT max(" + "CASE WHEN a > 1 THEN " * DEEP + "a" + " END" * DEEP + ") FROM t", 9),
    "subqueries": ("SELECT count(*) FROM " + "(SELECT * FROM " * 300 + "t" + ") q" * 300, 10),
    "scalar subqueries": ("SELECT " + "(SELECT " * 100 + "1" + ")" * 100, 1),
}


@pytest.mark.parametrize("settings", [{}, {"execution.fusion": "false", "debug.serialize-plans": "true"}])
@pytest.mark.parametrize("name", STATEMENTS)
def test_it_just_works(name: str, settings: dict[str, str]) -> None:
    statement, expected = STATEMENTS[name]
    with tableflow.connect(settings=settings) as connection:
        connection.execute(
            "CREATE VIEW t AS SELECT a, 'x' AS s FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) v(a)"
        )
        assert connection.execute(statement).fetchall() == [(expected,)]


def test_errors_in_a_long_chain() -> None:
    with tableflow.connect() as connection:
        connection.execute("CREATE VIEW t AS SELECT a FROM (VALUES (1), (2)) v(a)")
        with pytest.raises(tableflow.DataError, match="out of range for INT"):
            connection.execute("SELECT a" + " * 2" * 100 + " FROM t").fetchall()
        with pytest.raises(tableflow.DataError, match="division by zero"):
            connection.execute("SELECT a" + " + 1" * 100 + " // (a - 2) + 1 FROM t").fetchall()
        assert connection.execute("SELECT try(a" + " + 1" * 100 + " // (a - 2)) FROM t ORDER BY 1").fetchall() == [
            (99,), (None,),
        ]  # fmt: skip
