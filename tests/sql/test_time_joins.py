"""Temporal joins and ASOF JOIN: what they are in the plan, and what is wrong with them."""

from __future__ import annotations

import pytest

from tableflow.errors import BindError, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.planner.logical.nodes import JoinKind
from tableflow.planner.logical.time_nodes import AsofJoin, TemporalJoin
from tests.planner.catalog import small
from tests.sql.binding import bound, columns, fails, nodes, query


def asof(text: str) -> AsofJoin:
    (found,) = [node for node in nodes(query(f"SELECT * FROM {text}").root) if isinstance(node, AsofJoin)]
    return found


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("t ASOF JOIN u ON t.a = u.a AND t.b >= u.x", JoinKind.INNER, "ge"),
        ("t ASOF LEFT JOIN u ON u.x < t.b AND u.a = t.a", JoinKind.LEFT, "gt"),
        ("t ASOF LEFT JOIN u MATCH_CONDITION (t.b <= u.x) ON t.a = u.a", JoinKind.LEFT, "le"),
        ("t ASOF JOIN u AS w MATCH_CONDITION (w.x + 1 > t.b)", JoinKind.INNER, "lt"),
    ],
)
def test_asof(text: str, kind: JoinKind, match: str) -> None:
    found = asof(text)
    assert (found.kind, found.match) == (kind, match)
    assert [name.split()[0] for name in columns(f"SELECT * FROM {text}")][-3:] == ["a", "x", "y"]


def temporal(text: str) -> TemporalJoin:
    statement = bound(text, (), small())  # type: ignore[arg-type]
    (found,) = [node for node in nodes(statement.query.root) if isinstance(node, TemporalJoin)]
    return found


def test_temporal_join() -> None:
    found = temporal("SELECT e.v, r.v FROM e LEFT JOIN timed FOR SYSTEM_TIME AS OF e.ts AS r ON e.k = r.k")
    assert found.kind is JoinKind.LEFT
    assert found.versions is not None
    assert found.versions.name == "at"
    assert temporal("SELECT e.v FROM e JOIN timed FOR SYSTEM_TIME AS OF e.ts AS r ON e.k = r.k").kind is JoinKind.INNER


def test_lookup_join() -> None:
    source = "(SELECT *, PROCTIME() AS p FROM e) o"
    by_column = temporal(f"SELECT o.v FROM {source} JOIN k FOR SYSTEM_TIME AS OF PROCTIME() AS r ON o.k = r.id")
    assert by_column.versions is None


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("t ASOF JOIN u ON t.a = u.a", BindError, "needs one inequality"),
        ("t ASOF JOIN u ON t.a >= u.a AND t.b > u.x", BindError, "here are 2"),
        ("t ASOF JOIN u ON t.a = u.a AND t.b > t.a", BindError, "compares the two sides"),
        ("t ASOF JOIN u ON t.b > u.x AND t.c <> u.y", BindError, "takes equalities"),
        ("t ASOF FULL JOIN u ON t.a = u.a AND t.b > u.x", SqlSyntaxError, "INNER or LEFT, not FULL"),
        ("t ASOF JOIN u USING (a)", UnsupportedError, "USING"),
        ("t JOIN u FOR SYSTEM_TIME AS OF t.ts AS r ON t.a = r.a", BindError, "no event time"),
        ("t FULL JOIN u FOR SYSTEM_TIME AS OF t.ts AS r ON t.a = r.a", SqlSyntaxError, "INNER or LEFT"),
        ("t JOIN u FOR SYSTEM_TIME AS OF t.a AS r ON t.a = r.a", BindError, "takes a time"),
        ("t JOIN u FOR SYSTEM_TIME AS OF PROCTIME() AS r ON t.a < r.a", BindError, "takes equalities"),
        ("t FOR SYSTEM_TIME AS OF ts", UnsupportedError, "temporal or lookup join"),
    ],
)
def test_errors(text: str, kind: type[TableFlowError], message: str) -> None:
    assert fails(f"SELECT * FROM {text}", kind, message).span is not None
