"""Window table functions: their columns and types, and what is wrong with them, at its place."""

from __future__ import annotations

import pytest

from tableflow.errors import BindError, SqlSyntaxError
from tableflow.expressions.window_assigner import (
    CountHop,
    CountTumble,
    Cumulate,
    Delta,
    Global,
    Hop,
    Landmark,
    Punctuated,
    Session,
    Tumble,
    WindowAssigner,
)
from tableflow.planner.logical.time_nodes import WindowTable
from tests.sql.binding import columns, fails, nodes, query

SECOND = 1_000_000


def assigner(text: str) -> WindowAssigner:
    (found,) = [node for node in nodes(query(f"SELECT * FROM {text}").root) if isinstance(node, WindowTable)]
    return found.assigner


@pytest.mark.parametrize(
    "text",
    [
        "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)",
        "TUMBLE(t, ts, INTERVAL '10' SECOND)",
        "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL 10 SECOND, INTERVAL '0' SECOND)",
        "TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' SECOND)",
        "TUMBLE(SIZE => INTERVAL '10' SECOND, DATA => t, TIMECOL => ts)",
        "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))",
        "TUMBLE((SELECT * FROM t), ts, INTERVAL '10' SECOND)",
        "TUMBLE(TABLE (SELECT * FROM t WHERE a > 1) AS x, ts, INTERVAL '5' SECOND + INTERVAL '5' SECOND)",
        "(TUMBLE(t, t.ts, INTERVAL '10' SECOND) AS w CROSS JOIN u)",
        "TUMBLE(t, ts, INTERVAL '10' SECOND, INTERVAL '-20' SECOND)",
    ],
)
def test_spellings(text: str) -> None:
    assert assigner(text) == Tumble(10 * SECOND)


@pytest.mark.parametrize(
    ("bare", "bracketed"),
    [
        ("SESSION(TABLE t PARTITION BY a, b, DESCRIPTOR(ts), INTERVAL '1' DAY)",
         "SESSION(TABLE t PARTITION BY (a, b), DESCRIPTOR(ts), INTERVAL '1' DAY)"),
        ("SESSION(t PARTITION BY a, b, c, ts, INTERVAL '1' DAY)", "SESSION(t PARTITION BY (a, b, c), ts, INTERVAL '1' DAY)"),
        ("SESSION(DATA => t PARTITION BY a, b, GAP => INTERVAL '1' DAY, TIMECOL => ts)",
         "SESSION(DATA => t PARTITION BY (a, b), GAP => INTERVAL '1' DAY, TIMECOL => ts)"),
        ("TUMBLE(TABLE t PARTITION BY a, b + 1, 7 ROWS)", "TUMBLE(TABLE t PARTITION BY (a, b + 1), 7 ROWS)"),
        ("HOP(t PARTITION BY a, b ORDER BY ts, c, 5 ROWS, 50 ROWS)", "HOP(t PARTITION BY (a, b) ORDER BY (ts, c), 5 ROWS, 50 ROWS)"),
        ("HOP(t ORDER BY ts, a DESC, c NULLS FIRST, b, 5 ROWS, 50 ROWS)",
         "HOP(t ORDER BY (ts, a DESC, c NULLS FIRST, b), 5 ROWS, 50 ROWS)"),
        ("GLOBAL(t PARTITION BY a, b)", "GLOBAL(t PARTITION BY (a, b))"),
        ("PUNCTUATED(t PARTITION BY a, b ORDER BY ts, a > 1)", "PUNCTUATED(t PARTITION BY (a, b) ORDER BY ts, a > 1)"),
        ("LANDMARK(t PARTITION BY a, b ORDER BY ts, c, a > 1)", "LANDMARK(t PARTITION BY (a, b) ORDER BY (ts, c), a > 1)"),
        ("DELTA(t PARTITION BY c, b, a, 3)", "DELTA(t PARTITION BY (c, b), a, 3)"),
    ],
)  # fmt: skip
def test_several_columns_need_no_parentheses(bare: str, bracketed: str) -> None:
    def divided(text: str) -> tuple[object, ...]:
        (table,) = [node for node in nodes(query(f"SELECT * FROM {text}").root) if isinstance(node, WindowTable)]
        order = [(key.column.name, key.descending, key.nulls_first) for key in table.order]
        return table.assigner.__class__, [f.name for f in table.partition], order, table.time and table.time.name

    assert divided(bare) == divided(bracketed)


def test_assigners() -> None:
    assert assigner("HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)") == Hop(
        5 * SECOND, 10 * SECOND
    )
    assert assigner("CUMULATE(t, ts, INTERVAL '5' SECOND, INTERVAL '1' MINUTE, INTERVAL '-5' SECOND)") == Cumulate(
        5 * SECOND, 60 * SECOND, 55 * SECOND
    )
    assert assigner("SESSION(TABLE t PARTITION BY (a, b), DESCRIPTOR(ts), INTERVAL '1' DAY)") == Session(
        86_400 * SECOND
    )
    assert assigner("TUMBLE(t ORDER BY ts, 1000 ROWS)") == CountTumble(1000)
    assert assigner("HOP(t PARTITION BY a ORDER BY (ts, b DESC), 10 ROWS, 100 ROWS)") == CountHop(10, 100)
    assert assigner("GLOBAL(TABLE t)") == Global()
    assert isinstance(assigner("PUNCTUATED(t, c = 'end')"), Punctuated)
    assert isinstance(assigner("LANDMARK(t PARTITION BY a, a > b)"), Landmark)
    assert isinstance(assigner("DELTA(t, e, 0.5)"), Delta)


def test_columns() -> None:
    assert columns("SELECT * FROM TUMBLE(v, CAST_ME, INTERVAL '1' DAY)".replace("v, CAST_ME", "t, ts"))[-3:] == [
        "window_start TIMESTAMP(6)", "window_end TIMESTAMP(6)", "window_time TIMESTAMP(6)",
    ]  # fmt: skip
    assert columns("SELECT * FROM TUMBLE((SELECT CAST(ts AS TIMESTAMP_LTZ(3)) AS x FROM t), x, INTERVAL '1' DAY)")[1:] == [
        "window_start TIMESTAMP_LTZ(3)", "window_end TIMESTAMP_LTZ(3)", "window_time TIMESTAMP_LTZ(3)",
    ]  # fmt: skip
    assert columns("SELECT window_start, window_end, window_time FROM TUMBLE(t, 5 ROWS)") == [
        "window_start BIGINT", "window_end BIGINT", "window_time TIMESTAMP(6)",
    ]  # fmt: skip
    twice = "SELECT * FROM TUMBLE(HOP(u2, ts, INTERVAL '1' DAY, INTERVAL '1' DAY), window_time, INTERVAL '2' DAY)"
    names = [each.split()[0] for each in columns(twice.replace("u2", "(SELECT ts FROM t)"))]
    assert names == [
        "ts", "window_start_1", "window_end_1", "window_time_1", "window_start", "window_end", "window_time",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("TUMBLE(t, ts, INTERVAL '1' MONTH)", "months", "INTERVAL '1' MONTH"),
        ("TUMBLE(t, ts, INTERVAL '0' DAY)", "not positive", "INTERVAL '0' DAY"),
        ("TUMBLE(t, ts, 5)", "no constant INTERVAL", "5"),
        ("TUMBLE(t, ts, a * INTERVAL '1' DAY)", "no constant INTERVAL", "a * INTERVAL '1' DAY"),
        ("TUMBLE(t, ts, CAST(NULL AS INTERVAL))", "NULL", "CAST(NULL AS INTERVAL)"),
        ("TUMBLE(t, a, INTERVAL '1' DAY)", "time column 'a' of TUMBLE is INT", "a"),
        ("TUMBLE(t, DESCRIPTOR(ts, a), INTERVAL '1' DAY)", "one time column", "DESCRIPTOR(ts, a)"),
        ("TUMBLE(t, ts + INTERVAL '1' DAY, INTERVAL '1' DAY)", "column of its relation", "ts + INTERVAL '1' DAY"),
        ("TUMBLE(t, nope, INTERVAL '1' DAY)", "'nope' does not exist", "nope"),
        ("TUMBLE(t, ts)", "needs SIZE", "TUMBLE(t, ts)"),
        ("TUMBLE(t, ts, INTERVAL '1' DAY, INTERVAL '1' DAY, 7)", "no more than", "7"),
        ("TUMBLE(t, ts, SIEZ => INTERVAL '1' DAY)", "no argument SIEZ", "SIEZ => INTERVAL '1' DAY"),
        ("TUMBLE(t, TIMECOL => ts, INTERVAL '1' DAY)", "without name", "INTERVAL '1' DAY"),
        ("TUMBLE(t, ts, TIMECOL => ts, SIZE => INTERVAL '1' DAY)", "given twice", "TIMECOL => ts"),
        ("TUMBLE(t PARTITION BY a, ts, INTERVAL '1' DAY)", "takes no PARTITION BY", "a"),
        ("SESSION(t ORDER BY ts, ts, INTERVAL '1' DAY)", "takes no ORDER BY", "ts"),
        ("CUMULATE(t, ts, INTERVAL '2' DAY, INTERVAL '3' DAY)", "no multiple of its STEP", None),
        ("TUMBLE(t, 0 ROWS)", "not positive", "0 ROWS"),
        ("HOP(t, 5 ROWS, INTERVAL '1' DAY)", "in ROWS here", "INTERVAL '1' DAY"),
        ("GLOBAL(t, a)", "no more than DATA", "a"),
        ("PUNCTUATED(t, a)", "needs a BOOLEAN", "a"),
        ("DELTA(t, c, 1)", "compares numbers", "c"),
        ("DELTA(t, a, b)", "is a constant", "b"),
        ("DELTA(t, a, -1)", "not negative", "-1"),
        ("TUMBLE((SELECT CAST(ts AS TIMESTAMP(0)) x FROM t), x, INTERVAL '0.5' SECOND)", "between the values", None),
        ("TUMBLE(nope, ts, INTERVAL '1' DAY)", "'nope' does not exist", "nope"),
    ],
)
def test_errors(text: str, message: str, at: str | None) -> None:
    fails(f"SELECT * FROM {text}", Exception, message, at)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT * FROM TUMBLE()", "a table, subquery or file is expected"),
        ("SELECT * FROM TUMBLE(t, ts INTERVAL '1' DAY)", "'\\)' is expected"),
        ("SELECT * FROM TUMBLE(SIZE => INTERVAL '1' DAY)", "DATA"),
        ("SELECT * FROM TUMBLE(DATA => t, DATA => t)", "one relation"),
        ("SELECT * FROM TABLE(TUMBLE(t, ts, INTERVAL '1' DAY)", "'\\)' is expected"),
    ],
)
def test_syntax_errors(text: str, message: str) -> None:
    fails(text, SqlSyntaxError, message)


def test_names_of_functions_are_names() -> None:
    fails("SELECT session FROM global", Exception, "'global' does not exist", "global")  # type: ignore[arg-type]
    fails("SELECT window_start FROM t", BindError, "'window_start' does not exist")
    assert columns("SELECT hop.a FROM t AS hop") == ["a INT"]
