"""Joins that give back build rows wait for the marks of all tasks, also where the rows of one task lead nowhere."""

from __future__ import annotations

from threading import Timer

import pyarrow as pa
import pytest

import tableflow


@pytest.mark.parametrize(
    ("join", "partner"),
    [("p.s = o.s", "e.x = o.x"), ("p.s <= o.s", "e.x = o.x"), ("p.s = o.s", "e.x > o.x")],
    ids=["hash", "nested loop", "nested loop behind"],
)
def test_an_empty_partner_does_not_end_the_marking(join: str, partner: str) -> None:
    con = tableflow.connect()
    con.register("o", pa.table({"id": [1, 2, 3], "s": ["a", "b", "c"], "x": [1, 2, 3]}))
    con.register("p", pa.table({"s": ["a"] * 4 + ["b"] * 4, "v": list(range(8))}))
    con.register("e", pa.table({"x": [1, 2, 3], "y": [1, 1, 1]}))
    con.execute("SET 'parallelism.default' = '4'")
    grouped = "(SELECT s, min(v) AS low FROM p GROUP BY s)"
    query = (
        f"SELECT /*+ NO_REORDER */ id, low FROM {grouped} p RIGHT JOIN o ON {join} JOIN e ON {partner} WHERE y + e.x "
    )
    for condition, some in (("> 10", False), ("> 1", True)):
        cursor = con.cursor()
        patience = Timer(60, cursor.cancel)
        patience.start()
        rows = cursor.execute(query + condition).fetchall()
        patience.cancel()
        assert bool(rows) is some
