"""Planning is quick: nobody at a prompt waits for it, and a query over a small table does not consist of it.

The goals are 5 ms up to four relations and 15 ms up to nine, on an idle core; the limits here are twice that, in CPU time of
this thread and with the best of several runs, so that a busy machine changes nothing.
"""

from __future__ import annotations

import time

import pytest

from tableflow.config import Settings
from tableflow.planner.logical.nodes import Scan
from tableflow.planner.logical.traversal import walk_plan
from tableflow.session.planned import plan
from tableflow.sql.binder import bind
from tableflow.sql.statements import QueryStatement
from tests.tpch.pinned import pinned_catalog
from tpch.queries import NUMBERS, query_text

SETTINGS = Settings().with_value("parallelism.default", "2")
FEW, FEW_SECONDS, MANY_SECONDS = 4, 0.010, 0.030
RUNS = 9


@pytest.mark.slow
@pytest.mark.parametrize("number", NUMBERS)
def test_planning_time(number: int) -> None:
    statement = bind(query_text(number).strip().rstrip(";"), 0, pinned_catalog().snapshot(), SETTINGS)
    assert isinstance(statement, QueryStatement)
    relations = sum(isinstance(node, Scan) for node in walk_plan(statement.query.root))
    best = min(seconds(statement) for _ in range(RUNS))
    assert best < (FEW_SECONDS if relations <= FEW else MANY_SECONDS)


def seconds(statement: QueryStatement) -> float:
    start = time.thread_time()
    plan(statement.query, SETTINGS)
    return time.thread_time() - start
