"""The connector gives the events of the published generator's files, in any cut of the stream."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.columnar.batch import Batch
from tableflow.config import Settings
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.generated import GeneratedSource, Pace
from tableflow.connectors.nexmark.source import Maker, NexmarkScan, open_source
from tableflow.connectors.nexmark.tables import BID, CYCLE, EVENTS, TABLES, Generator
from tableflow.runtime.source import Done, Later, Split
from tableflow.runtime.wake import After

GOLDEN = Path(__file__).parent / "golden"
SECOND = 1_000_000_000


@pytest.fixture
def con():
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        yield connection


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_those_of_the_files(con, table):
    con.execute(f"CREATE TABLE t WITH ('connector' = 'nexmark', 'table' = '{table}', 'events' = '500')")
    golden = pq.read_table(GOLDEN / f"{table}.parquet")
    rows = con.execute("SELECT * FROM t").fetch_arrow_table().slice(0, golden.num_rows)
    for name in golden.column_names:
        assert rows[name].to_pylist() == golden[name].to_pylist(), name


def test_another_seed_rate_beginning_and_order(con):
    con.execute(
        "CREATE TABLE t (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3)) WITH ('connector' = 'nexmark', "
        "'table' = 'bid', 'events' = '3000', 'seed' = '7', 'rate' = '1000', 'base-ms' = '0', 'out-of-order-group' = '100')"
    )
    rows = con.execute("SELECT * FROM t LIMIT 400").fetch_arrow_table()
    assert rows.to_pylist() == pq.read_table(GOLDEN / "disordered_bid.parquet").to_pylist()


def test_any_parallelism_gives_the_same_rows(con):
    con.execute("CREATE TABLE t WITH ('connector' = 'nexmark', 'table' = 'auction', 'events' = '12345')")
    query = "SELECT count(*), sum(id), sum(reserve), min(seller), max(expires), count(DISTINCT extra) FROM t"
    expected = con.execute(query).fetchall()
    assert expected[0][0] == 741
    for parallelism in (2, 3):
        con.execute(f"SET 'parallelism.default' = '{parallelism}'")
        assert con.execute(query).fetchall() == expected


def _rows(batch):
    assert isinstance(batch, Batch)
    return list(zip(*(column.array.to_pylist() for column in batch.columns), strict=True))


def test_a_reader_goes_on_where_another_stopped():
    scan = NexmarkScan("bid", tuple(BID.items()), 1000, 1000, 1, 0, paced=False, group=1)
    source = open_source(scan, OpenContext(Settings().with_value("parallelism.default", "2")))
    whole = source.reader(Split("1 of 2", [1, 2]), 10_000)
    every = _rows(whole.poll())
    assert isinstance(whole.poll(), Done)
    collected, offset = [], None
    while True:
        reader = source.reader(Split("1 of 2", [1, 2], offset), 70)
        batch = reader.poll()
        if isinstance(batch, Done):
            break
        collected += _rows(batch)
        offset = reader.offset()
    assert collected == every
    assert len(every) == 460


def test_paced_events_wait_for_their_time():
    now = [5 * SECOND]
    scan = NexmarkScan("events", (("event_type", EVENTS["event_type"]),), None, 1000, 1, 0, paced=True, group=1)
    pace = Pace(None, 1000, CYCLE, lambda: now[0])
    source = GeneratedSource(Maker(scan, "natural").batch, pace, 1)
    reader = source.reader(Split("0 of 1", [0, 1]), 4096)
    assert len(_rows(reader.poll())) == 1
    assert isinstance(reader.poll(), Later)
    now[0] += SECOND // 4
    assert len(_rows(reader.poll())) == 250
    assert isinstance(reader.poll(), Later)
    now[0] += SECOND // 2000
    later = reader.poll()
    assert isinstance(later, Later)  # one would be there at most
    assert isinstance(later.wake, After)
    assert later.wake.microseconds == 500
    now[0] += 3 * SECOND // 1000
    assert len(_rows(reader.poll())) == 3


def test_rare_events_are_not_asked_for_before_their_time():
    now, made = [0], []
    pace = Pace(None, 2, 1, lambda: now[0], tick=10_000)
    readers = [
        GeneratedSource(lambda numbers: made.extend(numbers.tolist()) or Batch([], len(numbers)), pace, 2).reader(
            Split(str(i), [i, 2]), 100
        )
        for i in range(2)
    ]
    polls = 0
    while now[0] < 4 * SECOND:
        waits = []
        for reader in readers:
            while not isinstance(given := reader.poll(), Later):
                polls += 1
            waits.append(given.wake.microseconds)
            polls += 1
        now[0] += min(waits) * 1000
    assert sorted(made) == list(range(8))
    assert polls <= 32


def test_events_of_a_high_rate_come_together():
    now = [0]
    made = []
    source = GeneratedSource(
        lambda numbers: made.append(len(numbers)) or Batch([], len(numbers)),
        Pace(None, 10_000_000, 1, lambda: now[0]),
        1,
    )
    reader = source.reader(Split("0 of 1", [0, 1]), 65_536)
    for _ in range(100):
        reader.poll()
        now[0] += SECOND // 10_000  # a thousand events happen
    assert made == [1] + [20_000] * 4  # every two milliseconds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("'table' = 'bids'", "one of person, auction, bid, events"),
        ("'rate' = '0'", "at least 1"),
        ("'events' = 'many'", "whole number"),
    ],
)
def test_wrong_options(con, options, message):
    with pytest.raises(tableflow.Error, match=message):
        con.execute(f"CREATE TABLE t WITH ('connector' = 'nexmark', {options})")


@pytest.mark.slow
def test_preloaded_rows_are_the_same(con):
    for preloaded in ("false", "true"):
        con.execute(
            f"CREATE TABLE t_{preloaded} WITH ('connector' = 'nexmark', 'table' = 'bid', 'events' = '5000', 'preloaded' = '{preloaded}')"
        )
    for _ in range(2):
        rows = [sorted(con.execute(f"SELECT * FROM t_{one}").fetchall()) for one in ("false", "true")]
        assert rows[0] == rows[1]
    with pytest.raises(tableflow.Error, match="cannot be preloaded"):
        con.execute("CREATE TABLE u WITH ('connector' = 'nexmark', 'preloaded' = 'true')")
        con.execute("SELECT * FROM u")


def test_preloaded_columns_are_made_once(con, monkeypatch):
    made = []
    column = Generator.column

    def counted(self, table, name, events):
        made.append(name)
        return column(self, table, name, events)

    monkeypatch.setattr(Generator, "column", counted)
    con.execute(
        "CREATE TABLE t WITH ('connector' = 'nexmark', 'table' = 'bid', 'events' = '500', 'preloaded' = 'true')"
    )
    first = con.execute("SELECT auction, price FROM t").fetchall()
    assert set(made) == {"auction", "price"}
    made.clear()
    again = con.execute("SELECT price, bidder, auction FROM t").fetchall()
    assert set(made) == {"bidder"}
    assert sorted(first) == sorted((auction, price) for price, _, auction in again)


def test_wrong_columns(con):
    with pytest.raises(tableflow.Error, match="it is BIGINT"):
        con.execute("CREATE TABLE t (price INT) WITH ('connector' = 'nexmark', 'table' = 'bid', 'events' = '1')")
    with pytest.raises(tableflow.Error, match="has no column 'prize'"):
        con.execute("CREATE TABLE u (prize BIGINT) WITH ('connector' = 'nexmark', 'table' = 'bid', 'events' = '1')")
