"""A plan over streams scans each of them in one place, whatever its parts have in common."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import pytest

from tableflow.catalog.provider import WatermarkDefinition
from tableflow.planner.logical.nodes import Node, Scan, Shared
from tableflow.planner.logical.structure import inputs
from tests.planner.catalog import Tables, described, optimized
from tests.planner.validation import check

pytestmark = pytest.mark.slow

READINGS = {
    "columns": "SELECT k, v FROM s",
    "column": "SELECT k, 1 FROM s",
    "filter": "SELECT k, v FROM s WHERE v > 3",
    "groups": "SELECT k, count(*) FROM s GROUP BY k",
    "some groups": "SELECT k, count(*) FROM s GROUP BY k HAVING count(*) > 3",
    "window": "SELECT k, count(*) FROM TUMBLE(s, ts, INTERVAL '1' MINUTE) GROUP BY k, window_start, window_end",
    "join": "SELECT a.k, b.v FROM s AS a JOIN s AS b ON a.k = b.k AND a.v > 3",
    "join of two streams": "SELECT s.k, r.v FROM s JOIN r ON s.k = r.k",
    "subquery": "SELECT k, v FROM s WHERE v > (SELECT avg(v) FROM s AS b WHERE b.k = s.k)",
    "other stream": "SELECT k, v FROM r WHERE v > 3",
}
TABLES = {"join of two streams": "s r", "other stream": "r"}
"""What is read where that is not ``s`` alone."""


def _streams() -> Tables:
    table = described(10_000, "k int! 1 100, v int, ts time")
    schema = replace(table.schema, watermark=WatermarkDefinition("ts", "ts - INTERVAL '5' SECOND"))
    stream = replace(table, schema=schema, bounded=False)
    return Tables({"s": stream, "r": replace(stream)})


def _scans(root: Node) -> list[str]:
    """The tables scanned, a shared plan looked at once."""
    found: list[str] = []
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Scan):
            found.append(node.table)
        if isinstance(node, Shared):
            if node.key in seen:
                continue
            seen.add(node.key)
        stack.extend(inputs(node))
    return found


@pytest.mark.parametrize("first", READINGS)
def test_each_stream_is_scanned_once(first: str) -> None:
    tables = _streams()
    names = list(READINGS)
    for others in combinations_with_replacement(names[names.index(first) :], 2):
        text = " UNION ALL ".join([READINGS[name] for name in (first, *others)])
        found = optimized(text, tables)
        check(found.query)
        read = {table for name in (first, *others) for table in TABLES.get(name, "s").split()}
        assert sorted(_scans(found.query.root)) == sorted(read), (first, *others)
