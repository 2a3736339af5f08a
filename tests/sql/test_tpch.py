"""All 22 TPC-H texts bind, and their plans are sound."""

from pathlib import Path

import pytest

from tableflow.config import Settings
from tableflow.planner.logical.structure import output
from tableflow.sql.binder import bind
from tableflow.sql.splitter import split
from tableflow.sql.statements import QueryStatement
from tests.sql.soundness import check
from tests.sql.tables import catalog

QUERIES = sorted((Path(__file__).parents[2] / "tpch" / "queries").glob("q*.sql"))


def test_there_are_22():
    assert len(QUERIES) == 22


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_binds(path):
    (statement,) = split(path.read_text())
    assert statement.terminated
    bound = bind(statement.text, statement.start, catalog(), Settings())
    assert isinstance(bound, QueryStatement)
    check(bound.query)
    assert {column.id for column in bound.query.columns} <= {field.id for field in output(bound.query.root)}
    assert not bound.warnings
