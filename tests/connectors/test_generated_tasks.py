"""How many tasks make the rows of generated tables: those that were asked for, and the rows are the same."""

from __future__ import annotations

import pytest

import tableflow
from tableflow.config import Settings
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.datagen import connector as datagen
from tableflow.connectors.nexmark import source as nexmark

TABLES = {
    "datagen": "(id BIGINT, v INT) WITH ('connector' = 'datagen', 'rows-per-second' = '0', 'fields.id.kind' = 'sequence',"
    " 'fields.id.start' = '1', 'fields.id.end' = '500' {})",
    "nexmark": "WITH ('connector' = 'nexmark', 'table' = 'bid', 'events' = '500' {})",
}


def _rows(connector, parallelism, option, mode="batch"):
    with tableflow.connect(settings={"parallelism.default": parallelism, "execution.runtime-mode": mode}) as connection:
        connection.execute(f"CREATE TABLE t {TABLES[connector].format(option)}")
        rows = connection.execute("SELECT * FROM t").fetchall()
    return sorted(map(repr, (row[1:] if row[0] == "+I" else row for row in rows)))


@pytest.mark.parametrize("connector", TABLES)
@pytest.mark.parametrize("mode", ["batch", "streaming"])
@pytest.mark.parametrize("tasks", ["1", "2", "9"])
def test_the_rows_are_the_same(connector, mode, tasks):
    expected = _rows(connector, "3", "", mode)
    found = _rows(connector, "3", f", 'scan.parallelism' = '{tasks}'", mode)
    assert found == expected
    assert len(found) >= 400


@pytest.mark.parametrize(("wanted", "splits"), [(None, 3), (1, 1), (2, 2), (9, 3)])
def test_so_many_tasks_make_them(wanted, splits):
    """Never more than there are: one that has to wait behind rows that never end would not be read."""
    context = OpenContext(Settings().with_value("parallelism.default", "3"))
    events = nexmark.NexmarkScan("bid", (), None, 1000, 42, 0, False, 1, tasks=wanted)
    for source in (
        datagen.open_source(datagen.DatagenScan((), None, None, 0, wanted), context),
        nexmark.open_source(events, context),
    ):
        assigner, found = source.assigner(), 0
        while assigner.next(0) is not None:
            found += 1
        assert found == splits


@pytest.mark.parametrize("connector", TABLES)
def test_none_is_no_number_of_tasks(connector):
    option = ", 'scan.parallelism' = '0'"
    with tableflow.connect() as connection, pytest.raises(tableflow.Error, match=r"scan\.parallelism"):
        connection.execute(f"CREATE TABLE t {TABLES[connector].format(option)}")
