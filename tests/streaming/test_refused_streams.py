"""What a query over streams is refused for, or warned of, is said where it stands, with what to write instead."""

from __future__ import annotations

from datetime import timedelta

import pytest

import tableflow
from tests.front.test_bad_input import failure, marked

COLUMNS = {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"}
SECOND = "INTERVAL '1' SECOND"
GROUPED = "GROUP BY k, window_start, window_end"
PROCESSED = "(SELECT *, PROCTIME() AS p FROM {}) l"

REFUSED = [
    ("SELECT k FROM s ORDER BY k, v", "k, v", "no last one", "add LIMIT"),
    (f"SELECT count(*) FROM TUMBLE(plain, ts, {SECOND}) GROUP BY window_end, window_start", f"TUMBLE(plain, ts, {SECOND})",
     "windows of column 'ts' never close", "WATERMARK FOR"),
    ("SELECT count(*) FROM plain GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)", "TUMBLE(ts, INTERVAL '1' HOUR)",
     "never close", "EMIT ON UPDATE"),
    (f"SELECT k, count(*) FROM SESSION(TABLE u PARTITION BY k, DESCRIPTOR(ts), {SECOND}) {GROUPED}",
     f"SESSION(TABLE u PARTITION BY k, DESCRIPTOR(ts), {SECOND})", "SESSION over rows that may be taken back", "use TUMBLE"),
    (f"SELECT k, count(*) FROM TUMBLE(s, ts, {SECOND}) GROUP BY k EMIT ON WINDOW CLOSE", "EMIT ON WINDOW CLOSE",
     "a grouping that is not by its window", "EMIT ON UPDATE"),
    (f"SELECT k, count(*) FROM TUMBLE(s, ts, {SECOND}) GROUP BY k EMIT WITH LATENESS {SECOND}", f"EMIT WITH LATENESS {SECOND}",
     "this grouping is not by its window", "GROUP BY window_start"),
    (f"SELECT k, count(*) FROM plain GROUP BY k EMIT EVERY {SECOND} OF EVENT TIME", f"EMIT EVERY {SECOND} OF EVENT TIME",
     "no table below has an event time", "WATERMARK FOR"),
    ("SELECT k FROM GLOBAL(TABLE s)", "GLOBAL(TABLE s)", "no end that they could wait for", "read the table itself"),
    ("SELECT sum(v) FROM TUMBLE(TABLE s ORDER BY v, 2 ROWS) GROUP BY window_start, window_end",
     "TUMBLE(TABLE s ORDER BY v, 2 ROWS)", "rows in the order of 'v' would wait", "order them by the event time"),
    ("SELECT * FROM s ASOF JOIN plain q ON s.k = q.k AND s.ts >= q.ts", "ASOF JOIN plain q ON s.k = q.k AND s.ts >= q.ts",
     "needs event time on both sides", "WATERMARK FOR"),
    ("SELECT * FROM s ASOF JOIN r ON s.k = r.k AND s.ts <= r.ts", "ASOF JOIN r ON s.k = r.k AND s.ts <= r.ts",
     "the next row after a time is not known", ">="),
    ("SELECT * FROM s ASOF JOIN u ON s.k = u.k AND s.ts >= u.ts", "ASOF JOIN u ON s.k = u.k AND s.ts >= u.ts",
     "versions that are replaced are gone", "stream of all versions"),
    (f"SELECT * FROM {PROCESSED.format('u')} JOIN m FOR SYSTEM_TIME AS OF l.p AS q ON l.k = q.k",
     "JOIN m FOR SYSTEM_TIME AS OF l.p AS q ON l.k = q.k", "cannot be joined with a table as it is", "group afterwards"),
    (f"SELECT * FROM {PROCESSED.format('u')} JOIN price FOR SYSTEM_TIME AS OF l.p AS q ON l.k = q.k",
     "JOIN price FOR SYSTEM_TIME AS OF l.p AS q ON l.k = q.k", "cannot be looked up", "before they are grouped"),
    (f"SELECT * FROM {PROCESSED.format('s')} JOIN price FOR SYSTEM_TIME AS OF l.p AS q ON l.v > q.n",
     "JOIN price FOR SYSTEM_TIME AS OF l.p AS q ON l.v > q.n", "is asked by k, n", "ON r.key = l.key"),
    (f"SELECT * FROM {PROCESSED.format('s')} FULL JOIN price FOR SYSTEM_TIME AS OF l.p AS q ON l.k = q.k",
     "FULL JOIN price FOR SYSTEM_TIME AS OF l.p AS q ON l.k = q.k", "INNER or LEFT, not FULL", "UNION ALL"),
    ("SELECT * FROM s JOIN price ON s.k = price.k", "price", "only be asked for the rows of keys", "FOR SYSTEM_TIME"),
    ("SELECT k, rand() FROM u", "rand()", "another value each time", "over the source itself"),
    ("SELECT k, v FROM s GROUP BY k, v KEEP LAST 9 ROWS", "KEEP LAST", "is a part of EMIT", "EMIT KEEP LAST"),
    ("SELECT k FROM s KEEP LAST 9 ROWS", "KEEP LAST", "is a part of EMIT", "EMIT KEEP LAST"),
    ("SELECT count(*) FROM s LATE INTO late", "LATE INTO", "is a part of EMIT", "EMIT LATE INTO"),
    (f"SELECT k FROM TUMBLE(s, ts, {SECOND}) {GROUPED} WITH LATENESS {SECOND}", "WITH LATENESS", "is a part of EMIT",
     "EMIT WITH LATENESS"),
    (f"SELECT k FROM TUMBLE(s, ts, {SECOND}) {GROUPED} EMIT LATE INTO late KEEP LAST 1 ROWS", "KEEP LAST",
     "is a part of EMIT", "in this order"),
    (f"SELECT k FROM TUMBLE(s, ts, {SECOND}) {GROUPED} EMIT LATE INTO plain", "plain", "cannot be changed",
     "a table that is not there yet"),
    ("INSERT INTO plain SELECT * FROM s", "plain", "cannot be changed", "register_sink"),
    (f"SELECT 1 FROM TUMBEL(TABLE s, DESCRIPTOR(ts), {SECOND})", "TUMBEL", "no table function 'TUMBEL'",
     "did you mean TUMBLE?"),
    (f"SELECT 1 FROM TUMBEL(s, ts, {SECOND})", f"TUMBEL(s, ts, {SECOND})", "no table function 'TUMBEL'", "TUMBLE"),
    (f"SELECT 1 FROM TABLE(TUMBEL(TABLE s, DESCRIPTOR(ts), {SECOND}))", "TUMBEL", "no table function", "TUMBLE"),
    (f"SELECT 1 FROM s GROUP BY TUMBEL(ts, {SECOND})", f"TUMBEL(ts, {SECOND})", "unknown function", "TUMBLE"),
    (f"SELECT 1 FROM TUMBLE(TABLE s, DESCRIPTER(ts), {SECOND})", "DESCRIPTER(ts)", "unknown function", "DESCRIPTOR"),
    ("SELECT 1 FROM summed(TABLE s, 1)", "summed", "no table function 'summed'", "TUMBLE take a TABLE"),
    (f"SELECT 1 FROM CUMULATE(s, ts, INTERVAL '1' HOUR, {SECOND})", f"CUMULATE(s, ts, INTERVAL '1' HOUR, {SECOND})",
     "no multiple of its STEP", "the STEP stands before the SIZE"),
    ("INSERT INTO taken SELECT 'abc', count(*) FROM s", "'abc'", "cannot cast 'abc' to INT", "for column 'k'"),
    ("INSERT INTO m SELECT k, NULL FROM s", "NULL", "column 'v' of table 'm' is NOT NULL", "select a value"),
    ("INSERT INTO m (k) SELECT k FROM s", "m", "column 'v' of table 'm' is NOT NULL", "select a value"),
    ("INSERT INTO m SELECT v, 3000000000 FROM s", "3000000000", "cannot cast 3000000000 to INT", "for column 'v'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def con():
    with tableflow.connect() as connection:
        for name in ("s", "r"):
            connection.register_stream(name, COLUMNS, [], watermark=("ts", timedelta(seconds=5)))
        connection.register_stream("plain", COLUMNS, [])
        connection.register_stream("u", COLUMNS, [], key=["k"], changelog="upsert", watermark=("ts", 0))
        connection.register_lookup("price", {"k": "INT", "n": "INT"}, lambda keys: [])
        connection.register_sink("taken", {"k": "INT", "n": "BIGINT"}, lambda batch: None)
        connection.execute("CREATE TABLE m (k INT, v INT NOT NULL)")
        yield connection


@pytest.mark.parametrize(("sql", "underlined", "said", "instead"), REFUSED)
def test_a_refusal_stands_where_it_belongs_and_says_what_to_write(con, sql, underlined, said, instead):
    error = failure(con, sql)
    assert marked(error) == underlined
    assert said in str(error)
    assert instead in str(error)


@pytest.mark.parametrize(
    ("function", "warned"),
    [
        (f"HOP(s, ts, INTERVAL '1' HOUR, {SECOND})", True),
        (f"HOP(s, ts, SLIDE => INTERVAL '1' HOUR, SIZE => {SECOND})", False),
        (f"HOP(s, ts, {SECOND}, INTERVAL '1' HOUR)", False),
        ("HOP(TABLE s, 100 ROWS, 10 ROWS)", True),
    ],
)
def test_a_hop_whose_arguments_look_exchanged_is_warned_of(con, function, warned):
    cursor = con.execute(f"EXPLAIN SELECT count(*) FROM {function} GROUP BY window_start, window_end")
    told = [str(message) for _, message in cursor.messages]
    assert any("SLIDE, which stands first" in text and "SIZE" in text for text in told) == warned


@pytest.mark.parametrize(
    ("join", "sides"),
    [
        ("s JOIN r ON s.k = r.k", "both sides"),
        ("s JOIN r ON s.k = r.k AND r.ts >= s.ts - INTERVAL '5' SECOND", "its left side"),
        ("s LEFT JOIN u ON s.k = u.k", "its left side"),
        ("s JOIN r ON s.k = r.k AND r.ts BETWEEN s.ts - INTERVAL '5' SECOND AND s.ts", ""),
        ("s JOIN m ON s.k = m.k", ""),
    ],
)
def test_a_join_that_never_forgets_is_warned_of(con, join, sides):
    cursor = con.execute(f"EXPLAIN SELECT * FROM {join}")
    plan = "\n".join(line for (line,) in cursor.fetchall())
    told = [str(message) for _, message in cursor.messages]
    assert told == [text for text in told if f"keeps all rows of {sides} for ever" in text and "STATE_TTL" in text]
    assert len(told) == (1 if sides else 0)
    assert ("for ever" in plan) == bool(sides)


def test_a_join_with_a_time_to_live_is_not_warned_of(con):
    cursor = con.execute("SELECT /*+ STATE_TTL('s' = '1 d', 'r' = '2 h') */ s.v FROM s JOIN r ON s.k = r.k")
    assert cursor.messages == []
    cursor.close()


def test_intervals_are_spelled_in_one_way(con):
    query = "SELECT count(*) FROM TUMBLE(s, ts, INTERVAL '90' SECOND) GROUP BY window_start, window_end"
    for kind, shown in [
        ("", "TUMBLE INTERVAL '90' SECOND of ts"),
        ("", "ts - INTERVAL '5' SECOND"),
        ("LOGICAL", "tumble INTERVAL '90' SECOND of ts"),
        ("LOGICAL", "ts - INTERVAL '5' SECOND"),
        ("WATERMARK", "ts - INTERVAL '5' SECOND"),
    ]:
        assert any(shown in str(row) for row in map(" ".join, _texts(con, f"EXPLAIN {kind} {query}")))
    assert any("- INTERVAL '5' SECOND" in text for row in _texts(con, "DESCRIBE s") for text in row)


def test_statements_that_start_jobs_hand_warnings_on():
    hop = (
        "SELECT count(*) AS n FROM HOP(s, ts, INTERVAL '1' HOUR, INTERVAL '1' SECOND) GROUP BY window_start, window_end"
    )
    with tableflow.connect() as connection:
        connection.register_stream("s", COLUMNS, [], watermark=("ts", 0))
        connection.execute("CREATE TABLE out (n BIGINT) WITH ('connector' = 'blackhole')")
        connection.execute("CREATE TABLE stored (n BIGINT)")
        for statement in [
            f"INSERT INTO out {hop}",
            f"INSERT INTO stored {hop}",
            f"CREATE STREAMING TABLE kept AS {hop}",
            f"EXECUTE STATEMENT SET BEGIN INSERT INTO out {hop}; END",
        ]:
            told = [str(message) for _, message in connection.execute(statement).messages]
            assert len(told) == 1
            assert "SLIDE, which stands first" in told[0]


def _texts(con, sql):
    return [[str(cell) for cell in row] for row in con.execute(sql).fetchall()]


def test_windows_of_windows_by_the_clock_say_to_take_the_time_anew():
    """What closes by the clock has no event time; the hint's way works."""
    inner = "SELECT {} AS t, count(*) AS n FROM TUMBLE(d, p, INTERVAL '100' MILLISECOND) GROUP BY window_time"
    outer = "WITH w AS ({}) SELECT window_start, sum(n) FROM TUMBLE(w, t, INTERVAL '1' SECOND) GROUP BY window_start"
    with tableflow.connect() as connection:
        connection.execute(
            "CREATE TABLE d (id BIGINT, p AS PROCTIME()) WITH ('connector' = 'datagen', 'rows-per-second' = '100')"
        )
        with pytest.raises(tableflow.Error) as raised:
            connection.execute(outer.format(inner.format("window_time"))).fetchmany(1)
        assert "windows by processing time" in str(raised.value)
        assert "SELECT PROCTIME() AS p" in str(raised.value)
        ((_, rows),) = connection.execute(outer.format(inner.format("PROCTIME()"))).fetchmany(1)
        assert rows > 0
