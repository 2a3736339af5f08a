"""EMIT: what it says of the aggregation of its block, and where it means nothing."""

from __future__ import annotations

import pytest

from tableflow.errors import BindError, SqlSyntaxError, TableFlowError
from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate, OnWindowClose
from tableflow.planner.logical.nodes import Aggregate
from tests.sql.binding import columns, fails, nodes, query

SECOND = 1_000_000
WINDOWED = "SELECT a, count(*) FROM TUMBLE(t, ts, INTERVAL '1' DAY) GROUP BY a, window_start, window_end "
PLAIN = "SELECT a, count(*) FROM t GROUP BY a "


def emits(text: str) -> list[Emit | None]:
    return [node.emit for node in nodes(query(text).root) if isinstance(node, Aggregate)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EMIT ON WINDOW CLOSE", Emit((OnWindowClose(),))),
        ("EMIT ON UPDATE", Emit((OnUpdate(),))),
        ("EMIT EVERY INTERVAL '10' SECOND", Emit((EveryInterval(10 * SECOND),))),
        ("EMIT EVERY INTERVAL '10' SECOND OF EVENT TIME", Emit((EveryInterval(10 * SECOND, event_time=True),))),
        ("EMIT EVERY 1000 ROWS, ON WINDOW CLOSE", Emit((EveryRows(1000), OnWindowClose()))),
        ("EMIT EVERY 5 ROWS KEEP LAST 100 ROWS", Emit((EveryRows(5),), keep_last_rows=100)),
        ("EMIT KEEP LAST INTERVAL '1' MINUTE", Emit((), keep_last=60 * SECOND)),
        ("EMIT WITH LATENESS INTERVAL '1' MINUTE", Emit((), lateness=60 * SECOND)),
        (
            "EMIT ON WINDOW CLOSE KEEP LAST 2 ROWS WITH LATENESS INTERVAL '0.5' SECOND LATE INTO s.late",
            Emit((OnWindowClose(),), 2, None, SECOND // 2, "s.late"),
        ),
    ],
)
def test_clause(text: str, expected: Emit) -> None:
    assert emits(WINDOWED + text) == [expected]


def test_block_that_it_governs() -> None:
    inner = "SELECT a, sum(n) FROM (SELECT a, b, count(*) AS n FROM t GROUP BY a, b EMIT EVERY 5 ROWS) q GROUP BY a"
    assert emits(inner) == [None, Emit((EveryRows(5),))]
    assert emits(inner + " EMIT ON UPDATE") == [Emit((OnUpdate(),)), Emit((EveryRows(5),))]
    assert emits("WITH q AS (SELECT a FROM t GROUP BY a EMIT ON UPDATE) SELECT * FROM q") == [Emit((OnUpdate(),))]
    assert emits("SELECT DISTINCT a FROM t EMIT ON UPDATE") == [Emit((OnUpdate(),))]
    assert emits("SELECT a FROM u UNION ALL SELECT count(*) FROM t EMIT ON UPDATE") == [Emit((OnUpdate(),))]
    assert emits(PLAIN + "ORDER BY a LIMIT 3 EMIT ON UPDATE") == [Emit((OnUpdate(),))]


def test_firings_have_a_number() -> None:
    text = "SELECT window_fire, a, sum(b) FROM GLOBAL(TABLE t PARTITION BY a) GROUP BY a, window_fire EMIT EVERY 3 ROWS"
    assert columns(text)[0] == "window_fire BIGINT"
    fails(WINDOWED.replace("a, count", "window_fire, count") + "EMIT ON UPDATE", BindError, "'window_fire' does not")
    fails("SELECT window_fire FROM GLOBAL(t)", BindError, "'window_fire' does not exist")


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("SELECT a FROM t EMIT ON UPDATE", BindError, "needs an aggregation", "EMIT ON UPDATE"),
        ("SELECT a FROM TUMBLE(t, ts, INTERVAL '1' DAY) EMIT ON UPDATE", BindError, "needs an aggregation", None),
        (PLAIN + "EMIT ON WINDOW CLOSE", BindError, "needs a window", "ON WINDOW CLOSE"),
        (
            PLAIN + "EMIT ON UPDATE WITH LATENESS INTERVAL '1' DAY",
            BindError,
            "window of time",
            "WITH LATENESS INTERVAL '1' DAY",
        ),
        (PLAIN + "EMIT ON UPDATE LATE INTO x", BindError, "window of time", "LATE INTO x"),
        (PLAIN + "EMIT KEEP LAST 5 ROWS", BindError, "KEEP LAST needs a window", "KEEP LAST 5 ROWS"),
        (
            "SELECT count(*) FROM TUMBLE(t, 5 ROWS) GROUP BY window_start EMIT LATE INTO x",
            BindError,
            "window of time",
            None,
        ),
        (PLAIN + "EMIT ON UPDATE, EVERY 5 ROWS", BindError, "includes every other", "ON UPDATE"),
        (PLAIN + "EMIT EVERY 5 ROWS, EVERY 5 ROWS", BindError, "given twice", "EVERY 5 ROWS"),
        (PLAIN + "EMIT EVERY INTERVAL '1' MONTH", BindError, "months", "EVERY INTERVAL '1' MONTH"),
        (PLAIN + "EMIT EVERY 0 ROWS", BindError, "not positive", "EVERY 0 ROWS"),
        (PLAIN + "EMIT EVERY 5", BindError, "no constant INTERVAL", "EVERY 5"),
        ("SELECT count(*) FROM t GROUP BY ROLLUP (a) EMIT ON UPDATE", BindError, "GROUPING SETS", "EMIT ON UPDATE"),
        (PLAIN + "EMIT", SqlSyntaxError, "ON or EVERY is expected", None),
        (PLAIN + "EMIT ON", SqlSyntaxError, "WINDOW CLOSE or UPDATE", None),
        (PLAIN + "EMIT ON WINDOW", SqlSyntaxError, "CLOSE is expected", None),
        (PLAIN + "EMIT EVERY 5 ROWS KEEP 5", SqlSyntaxError, "LAST is expected", "5"),
        ("SELECT count(*) FROM t EMIT ON UPDATE WHERE a > 1", SqlSyntaxError, "EMIT|WHERE", None),
    ],
)
def test_errors(text: str, kind: type[TableFlowError], message: str, at: str | None) -> None:
    error = fails(text, kind, message)
    assert error.span is not None
    if at is not None:
        assert text[error.span.start : error.span.end] == at


def test_emit_may_be_a_name() -> None:
    assert columns("SELECT emit FROM (SELECT 1 AS emit) q") == ["emit INT"]
