"""Shorthand for tests: text to statement, plan or error."""

from __future__ import annotations

import pytest

from tableflow.config import Settings
from tableflow.errors import TableFlowError
from tableflow.planner.logical.nodes import Join, Node, Query
from tableflow.planner.logical.structure import inputs
from tableflow.sql.binder import bind
from tableflow.sql.statements import Statement
from tests.sql.soundness import check
from tests.sql.tables import DeclaredCatalog, catalog

CATALOG = catalog()


def bound(text: str, parameters=(), given: DeclaredCatalog = CATALOG) -> Statement:
    return bind(text, 0, given, Settings(), parameters)


def query(text: str, parameters=(), given: DeclaredCatalog = CATALOG) -> Query:
    statement = bound(text, parameters, given)
    check(statement.query)
    return statement.query


def columns(text: str, parameters=(), given: DeclaredCatalog = CATALOG) -> list[str]:
    """``name TYPE`` of each result column."""
    return [f"{column.name} {column.type}" for column in query(text, parameters, given).columns]


def names(text: str) -> list[str]:
    return [column.name for column in query(text).columns]


def fails(text: str, kind: type[TableFlowError], message: str, at: str | None = None, given=CATALOG, parameters=()):
    """The error of a statement: its kind, a pattern for its message, and the text it points at."""
    with pytest.raises(kind, match=message) as raised:
        bound(text, parameters, given)
    if at is not None:
        span = raised.value.span
        assert span is not None, "the error points nowhere"
        assert text[span.start : span.end] == at
    return raised.value


def nodes(plan: Node) -> list[Node]:
    """All nodes of a plan, parents first."""
    return [plan, *(below for child in inputs(plan) for below in nodes(child))]


def joins(text: str) -> list[Join]:
    return [node for node in nodes(query(text).root) if isinstance(node, Join)]
