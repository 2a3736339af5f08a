"""Jobs that are ended while a window of processing time is open, and rows with very many columns through a job."""

from __future__ import annotations

import threading
import time

import pytest

import tableflow

COLUMNS = 1000
pytestmark = pytest.mark.slow


def _open_window(connection):
    connection.execute(
        "CREATE TABLE d (id BIGINT, p AS PROCTIME()) WITH ('connector' = 'datagen', 'rows-per-second' = '1000')"
    )
    connection.execute(
        "CREATE STREAMING TABLE w AS SELECT window_end, count(*) AS n FROM TUMBLE(d, p, INTERVAL '1' DAY)"
        " GROUP BY window_start, window_end"
    )
    return connection.execute("SHOW JOBS").fetchall()[0][0]


@pytest.mark.parametrize("how", ["STOP JOB {}", "CANCEL JOB {}", "DROP TABLE w"])
def test_a_job_ends_while_its_window_is_open(how):
    with tableflow.connect() as connection:
        job = _open_window(connection)
        time.sleep(0.1)
        began = time.monotonic()
        connection.execute(how.format(job))
        assert time.monotonic() - began < 20
        if how.startswith("DROP"):
            with pytest.raises(tableflow.Error, match="w"):
                connection.execute("SELECT * FROM w").fetchall()
        else:
            assert connection.execute("SELECT * FROM w").fetchall() == []  # what is open is no result
        states = [str(row) for row in connection.execute("SHOW JOBS").fetchall() if row[0] == job]
        assert not any("running" in state.lower() for state in states), states


def test_a_cursor_is_closed_while_its_window_is_open():
    with tableflow.connect() as connection:
        _open_window(connection)
        cursor = connection.cursor()
        cursor.execute(
            "SELECT window_end, count(*) FROM TUMBLE(d, p, INTERVAL '1' DAY) GROUP BY window_start, window_end"
        )
        closed = threading.Thread(target=cursor.close)
        closed.start()
        closed.join(30)
        assert not closed.is_alive()


def test_rows_of_a_thousand_columns():
    schema = {"k": "INT", **{f"c{i}": "INT" if i % 2 else "STRING" for i in range(COLUMNS - 1)}}
    rows = [
        (number % 3, *(number * i if i % 2 else f"{number} {i}" for i in range(COLUMNS - 1))) for number in range(50)
    ]
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.register_stream("s", schema, rows)
        found = connection.execute("SELECT * FROM s").fetchall()
        assert sorted(found) == sorted(rows)
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.register_stream("s", schema, rows)
        sums = ", ".join(f"max({name}) AS {name}" for name in schema if name != "k")
        connection.execute(f"CREATE STREAMING TABLE t AS SELECT k, {sums} FROM s GROUP BY k")
        connection.execute("FLUSH")
        found = connection.execute("SELECT * FROM t ORDER BY k").fetchall()
        expected = [(k, *map(max, zip(*(row[1:] for row in rows if row[0] == k), strict=True))) for k in range(3)]
        assert found == expected
