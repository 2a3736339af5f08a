"""A statement that is refused says what is wrong, where, and what to write instead; what it tells works."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

import tableflow
from tests.front.test_bad_input import failure, marked

ROWS = [(number % 3, number, dt.datetime(2024, 1, 1) + dt.timedelta(seconds=number)) for number in range(9)]
CLAUSES = "EMIT ON WINDOW CLOSE | ON UPDATE | EVERY INTERVAL '10' SECOND [OF EVENT TIME] | EVERY 1000 ROWS"


@pytest.fixture
def con() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        schema = {"id": "INT", "price": "INT", "ts": "TIMESTAMP(3)"}
        connection.register_stream("bid", schema, lambda: iter(ROWS), watermark=("ts", dt.timedelta(0)))
        connection.execute("CREATE TABLE m (id INT PRIMARY KEY, n INT)")
        connection.execute("CREATE TABLE c (id INT, n INT CHECK (n > 0))")
        connection.execute("CREATE TABLE plain (id INT, n INT, ts TIMESTAMP(3))")
        connection.execute("CREATE TABLE out (id INT, n INT) WITH ('connector' = 'print')")
        connection.execute("CREATE TABLE gone (id INT, n INT) WITH ('connector' = 'blackhole')")
        yield connection


@pytest.mark.parametrize(
    ("sql", "underlined", "said"),
    [
        ("INSERT INTO m SELECT id, price FROM bid ON CONFLICT DO NOTHING", "ON CONFLICT", "keeps the first row"),
        ("INSERT INTO m SELECT id, price FROM bid ON CONFLICT (id) DO UPDATE SET n = 1", "ON CONFLICT (id)",
         "keeps the newest row"),
        ("INSERT INTO m SELECT id, price FROM bid RETURNING id", "id", "leave RETURNING out"),
        ("INSERT INTO c SELECT id, price FROM bid", "c", "has CHECK constraints"),
        ("INSERT INTO out SELECT id, price FROM bid ON CONFLICT DO NOTHING", "ON CONFLICT", "CREATE STREAMING TABLE"),
        ("INSERT INTO out SELECT id, price FROM bid ORDER BY price", "price", "leave ORDER BY out"),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO out SELECT id, price FROM bid ORDER BY price; END", "price",
         "leave ORDER BY out"),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO out SELECT id, price FROM bid; SELECT 1; END", "SELECT 1", "not a query"),
        ("EXECUTE STATEMENT SET BEGIN CREATE TABLE x (a INT); END", "CREATE TABLE x (a INT)", "not CREATE"),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO m SELECT id, price FROM bid; END", "m", "a statement of its own"),
        ("BEGIN STATEMENT SET; INSERT INTO out SELECT 1, 1; END", "INSERT INTO out SELECT 1, 1", "EXECUTE STATEMENT SET BEGIN"),
        ("STATEMENT SET BEGIN INSERT INTO out SELECT 1, 1; END", "STATEMENT", "EXECUTE STATEMENT SET BEGIN"),
        ("CREATE TABLE w (ts TIMESTAMP(3), WATERMARK FOR ts AS ts)", "WATERMARK FOR ts AS ts", "say EMIT ON UPDATE"),
        ("SELECT count(*) FROM TUMBLE(TABLE bid ORDER BY (ts), id, 3 ROWS) GROUP BY window_start, window_end", "3 ROWS",
         "several columns stand together: ORDER BY (ts, id)"),
        ("SELECT count(*) FROM TUMBLE(TABLE bid ORDER BY price, 3 ROWS) GROUP BY window_start, window_end",
         "TUMBLE(TABLE bid ORDER BY price, 3 ROWS)", "ORDER BY (ts, price)"),
        ("SELECT id, count(*) FROM bid GROUP BY id EMIT ON UPDATE KEEP LAST 5 ROWS", "KEEP LAST 5 ROWS",
         "FROM GLOBAL(TABLE t PARTITION BY k) GROUP BY k EMIT EVERY 100 ROWS KEEP LAST 100 ROWS"),
        ("SELECT count(*) FROM DELTA(TABLE bid, DESCRIPTOR(ts), price, 5) GROUP BY window_start, window_end", "5",
         "DELTA(TABLE t PARTITION BY k ORDER BY ts, value, threshold)"),
        ("EXPLAIN PLAN FOR SELECT * FROM bid", "PLAN", "leave PLAN FOR out"),
        ("SHOW CATALOGS", "CATALOGS", "a connection has one database"),
        ("SELECT TO_TIMESTAMP_LTZ(price, 3) FROM bid", "TO_TIMESTAMP_LTZ(price, 3)",
         "TIMESTAMP '1970-01-01 00:00:00' + n * INTERVAL '1' MILLISECOND"),
        ("CREATE TABLE w (a INT) WITH ('connector' = 'filesystem', 'path' = '/nowhere', 'format' = 'csv', 'scan.parallelism' = '2')", "'scan.parallelism'",
         "SET 'parallelism.default'"),
        ("SET 'table.exec.mini-batch.allow-latency' = '5 s'", "'table.exec.mini-batch.allow-latency'", "table.exec.epoch-interval"),
    ],
)  # fmt: skip
def test_advice(con: tableflow.Connection, sql: str, underlined: str, said: str) -> None:
    text = failure(con, sql)
    assert said in text
    assert marked(text) == underlined
    assert con.execute("SHOW JOBS").fetchall() == []


@pytest.mark.parametrize(
    ("emit", "underlined", "said"),
    [
        ("EMIT CHANGES", "CHANGES", "ON or EVERY is expected"),
        ("EMIT ON CLOSE", "CLOSE", "WINDOW CLOSE or UPDATE is expected"),
        ("EMIT EVERY 5 SECONDS", "SECONDS", "a time is written as INTERVAL '10' SECOND"),
        ("EMIT EVERY INTERVAL '5' SECOND OF PROCESSING TIME", "PROCESSING", "then it is processing time"),
        ("EMIT ON UPDATE KEEP 5 ROWS", "5", "LAST is expected"),
        ("EMIT ON UPDATE WITH DELAY INTERVAL '1' SECOND", "DELAY", "LATENESS is expected"),
        ("EMIT ON UPDATE LATE ROWS", "ROWS", "INTO is expected"),
        ("EMIT WITH LATENESS INTERVAL '1' SECOND ON UPDATE", "ON", "triggers stand first in EMIT"),
    ],
)
def test_what_emit_can_say(con: tableflow.Connection, emit: str, underlined: str, said: str) -> None:
    text = failure(con, f"SELECT id, count(*) FROM bid GROUP BY id {emit}")
    assert said in text
    assert CLAUSES in text
    assert marked(text) == underlined


@pytest.mark.parametrize(
    "emit",
    [
        "ON UPDATE",
        "EVERY INTERVAL '10' SECOND",
        "EVERY INTERVAL '10' SECOND OF EVENT TIME",
        "EVERY 1000 ROWS",
        "EVERY 1000 ROWS, EVERY INTERVAL '10' SECOND",
    ],
)
def test_emit_does_what_it_is_told(con: tableflow.Connection, emit: str) -> None:
    con.execute(f"CREATE STREAMING TABLE counts AS SELECT id, count(*) AS n FROM bid GROUP BY id EMIT {emit}")
    con.execute("FLUSH")
    assert sorted(con.execute("SELECT * FROM counts").fetchall()) == [(0, 3), (1, 3), (2, 3)]


def test_the_parts_of_emit_together(con: tableflow.Connection) -> None:
    con.execute(
        "CREATE STREAMING TABLE late_too AS SELECT window_end, count(*) AS n FROM TUMBLE(bid, ts, INTERVAL '10' SECOND) "
        "GROUP BY window_start, window_end EMIT ON WINDOW CLOSE, EVERY 1000 ROWS WITH LATENESS INTERVAL '1' MINUTE "
        "LATE INTO late_rows"
    )
    con.execute("FLUSH")
    assert con.execute("SELECT n FROM late_too").fetchall() == [(9,)]
    assert con.execute("SELECT count(*) FROM late_rows").fetchall() == [(0,)]


@pytest.mark.parametrize(("order", "prices"), [("ts", [0, 1, 2]), ("ts DESC", [6, 7, 8])])
def test_one_row_of_each_key(con: tableflow.Connection, order: str, prices: list[int]) -> None:
    con.execute(
        f"CREATE STREAMING TABLE one AS SELECT * FROM bid QUALIFY row_number() OVER (PARTITION BY id ORDER BY {order}) = 1"
    )
    con.execute("FLUSH")
    assert sorted(price for _, price, _ in con.execute("SELECT * FROM one").fetchall()) == prices


def test_windows_over_a_table_of_the_database(con: tableflow.Connection) -> None:
    con.execute(
        "CREATE STREAMING TABLE windowed AS SELECT window_end, count(*) AS n FROM TUMBLE(plain, ts, INTERVAL '1' MINUTE) "
        "GROUP BY window_start, window_end EMIT ON UPDATE"
    )
    con.cursor().executemany("INSERT INTO plain VALUES (?, ?, ?)", ROWS)
    assert con.execute("SELECT n FROM windowed").fetchall() == [(9,)]


def test_windows_of_rows_in_the_order_of_two_columns(con: tableflow.Connection) -> None:
    sql = "SELECT sum(price) AS s FROM TUMBLE(TABLE bid ORDER BY ts, price, 3 ROWS) GROUP BY window_start, window_end"
    con.execute(f"CREATE STREAMING TABLE threes AS {sql}")
    con.execute("FLUSH")
    assert sorted(con.execute("SELECT * FROM threes").fetchall()) == [(3,), (12,), (21,)]


def test_the_newest_rows_of_each_key(con: tableflow.Connection) -> None:
    con.execute(
        "CREATE STREAMING TABLE fires AS SELECT id, sum(price) AS s FROM GLOBAL(TABLE bid PARTITION BY id) GROUP BY id "
        "EMIT EVERY 3 ROWS KEEP LAST 2 ROWS"
    )
    con.execute("FLUSH")
    assert sorted(con.execute("SELECT id, s FROM fires").fetchall()) == [(0, 9), (1, 11), (2, 13)]


@pytest.mark.parametrize(
    "into",
    [
        "INSERT INTO gone SELECT id, price",
        "INSERT INTO m SELECT price, id",
        "CREATE STREAMING TABLE u AS SELECT id, price",
    ],
)
@pytest.mark.parametrize("order", ["price", "ts"])
def test_an_order_means_nothing_to_what_keeps_none(con: tableflow.Connection, into: str, order: str) -> None:
    (told,) = con.execute(f"{into} FROM bid ORDER BY {order}").messages
    assert "ORDER BY is left out: rows without end have no last one" in str(told[1])
    con.execute("FLUSH")
    assert [row[2] for row in con.execute("SHOW JOBS").fetchall()] == ["finished"]
    assert con.execute("CREATE STREAMING TABLE v AS SELECT id FROM bid ORDER BY price LIMIT 3").messages == []


def test_rows_come_in_the_order_of_event_time(con: tableflow.Connection) -> None:
    """As time passes them: those that come later but not late have their place."""
    shuffled = [ROWS[i] for i in (2, 0, 1, 5, 3, 4, 8, 7, 6)]
    con.register_stream("late", {"id": "INT", "price": "INT", "ts": "TIMESTAMP(3)"}, lambda: iter(shuffled),
                        watermark=("ts", dt.timedelta(seconds=3)))  # fmt: skip
    assert con.execute("SELECT price FROM late ORDER BY ts").fetchall() == [(price,) for _, price, _ in ROWS]
    taken: list[tuple[int, ...]] = []
    con.register_sink(
        "taken", {"price": "INT"}, lambda batch: taken.extend(zip(batch["price"].to_pylist(), strict=True))
    )
    assert con.execute("INSERT INTO taken SELECT price FROM late ORDER BY ts, id DESC").messages == []
    con.execute("FLUSH")
    assert taken == [(price,) for _, price, _ in ROWS]
    counts = """SELECT window_end, count(*) FROM TUMBLE(late, ts, INTERVAL '3' SECOND) GROUP BY window_start, window_end
    ORDER BY window_end"""
    ends = con.execute(counts).fetchall()
    assert ends == [(dt.datetime(2024, 1, 1, 0, 0, second), 3) for second in (3, 6, 9)]
    for other in ("ts DESC", "price, ts"):
        assert "begin with the event time, ascending" in failure(con, f"SELECT price FROM late ORDER BY {other}")


def test_a_watermark_ahead_of_its_rows_is_warned_of(con: tableflow.Connection) -> None:
    declared = "CREATE TABLE {} (ts TIMESTAMP(3), WATERMARK FOR ts AS {}) WITH ('connector' = 'blackhole')"
    for number, (text, ahead) in enumerate(
        [
            ("ts + INTERVAL '5' SECOND", True),
            ("ts - INTERVAL '-5' SECOND", True),
            ("ts - INTERVAL '5' SECOND", False),
            ("ts", False),
        ]
    ):
        said = [str(message) for _, message in con.execute(declared.format(f"ahead{number}", text)).messages]
        assert any("rows are late as they come" in each for each in said) == ahead


def test_an_undeclared_event_time_names_those_that_could_be(con: tableflow.Connection) -> None:
    error = failure(
        con, "CREATE TABLE x (a INT, at TIMESTAMP(3), WATERMARK FOR moment AS at) WITH ('connector' = 'blackhole')"
    )
    assert "hint: columns that may be event time: at" in error


def test_connectors_are_those_that_can_be_named(con: tableflow.Connection) -> None:
    names = [name for name, _ in con.execute("SHOW CONNECTORS").fetchall()]
    assert sorted(names) == ["blackhole", "datagen", "filesystem", "nexmark", "print", "socket"]
