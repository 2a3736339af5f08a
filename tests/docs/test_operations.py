"""The page for operators: each situation is made, and shows what the page says."""

from __future__ import annotations

import itertools
import re
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import tableflow
from tableflow.connectors.script import Script
from tests.docs.pages import examples, run

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
COLUMNS = {"sensor": "STRING", "ts": "TIMESTAMP(3)", "degrees": "INT"}
JOB = examples(PAGE)[0][0]
SETTINGS = {"parallelism.default": "2"}


def _rows(*minutes):
    return [("a", datetime(2024, 1, 1, 9, minute), 20) for minute in minutes]


def _healthy(connection, script):
    script.rows(*_rows(*range(5)))
    connection.execute("FLUSH")


def _future(connection, script):
    for batch in (_rows(0, 1, 2), [("a", datetime(2099, 1, 1), 20)], _rows(3, 4)):
        script.rows(*batch)
        connection.execute("FLUSH")


def _nothing(connection, script):
    """No row comes."""


SITUATIONS = {
    "healthy": (_healthy, 5, {}),
    "delayed": (_healthy, 3600, {}),
    "idle": (_healthy, 5, {"table.exec.source.idle-timeout": "100 ms"}),
    "future": (_future, 5, {}),
    "nothing": (_nothing, 5, {}),
}


def _shown(connection, statement):
    cursor = connection.execute(statement)
    lines = [f"> {statement}", " | ".join(column[0] for column in cursor.description)]
    lines += [" | ".join("NULL" if value is None else str(value) for value in row) for row in cursor.fetchall()]
    return [*lines, *(f"warning: {message}" for _, message in cursor.messages)]


def _block(situation):
    found = re.search(rf"<!-- situation: {situation} -->\n\n```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1].split("\n")


def _until(connection, expected):
    limit = time.monotonic() + 30
    pattern = _pattern("\n".join(expected))
    while not re.fullmatch(pattern, "\n".join(shown := _shown(connection, expected[0].removeprefix("> ")))):
        assert time.monotonic() < limit, "\n".join(shown)
        time.sleep(0.05)


def _register(connection, name, source, delay=5):
    connection.register_stream(name, COLUMNS, source, watermark=("ts", timedelta(seconds=delay)))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_situations_show_what_the_page_says(situation):
    make, delay, settings = SITUATIONS[situation]
    with tableflow.connect(settings=SETTINGS | settings) as connection:
        script = Script()
        _register(connection, "readings", script, delay)
        connection.execute(JOB)
        make(connection, script)
        _until(connection, _block(situation))


def test_an_input_that_holds_others_back():
    with tableflow.connect(settings=SETTINGS) as connection:
        readings, more = Script(), Script()
        _register(connection, "readings", readings)
        _register(connection, "more", more)
        connection.execute(JOB.replace("readings", "(SELECT * FROM readings UNION ALL SELECT * FROM more)"))
        readings.rows(*_rows(*range(5)))
        more.rows(*_rows(1))
        _until(connection, _block("quiet"))


def test_a_row_without_time_fails_the_job():
    with tableflow.connect(settings=SETTINGS) as connection:
        script = Script()
        _register(connection, "readings", script)
        connection.execute(JOB)
        script.rows(("a", None, 20))
        with pytest.raises(tableflow.OperationalError, match=r"job 1, which writes to .*, has failed"):
            connection.execute("FLUSH")
        expected, shown = _block("nulls"), _shown(connection, "SHOW JOBS")
        assert expected[:2] == shown[:2]
        assert re.fullmatch(_pattern(expected[2]), shown[2])


def test_statements_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readings.csv").write_text(
        "sensor,ts\na,2024-01-01 09:00:00\na,2099-01-01 00:00:00\na,2024-01-01 09:10:00\n"
    )
    with tableflow.connect(settings=SETTINGS) as connection:
        _register(connection, "readings", Script())
        run(connection, examples(PAGE))


def _pattern(line):
    return re.escape(line).replace(r"\.\.\.", "[^\n]*")


def test_a_grouping_at_work():
    script = Script()
    with tableflow.connect(settings=SETTINGS) as connection:
        _register(connection, "readings", script)
        connection.execute(
            "CREATE STREAMING TABLE counts AS SELECT sensor, count(*) AS n FROM readings GROUP BY sensor"
        )
        script.rows(*[(name, datetime(2024, 1, 1, 9), 20) for name in "abca"])
        connection.execute("FLUSH")
        expected = [_pattern(line) for line in _block("grouping")[1:]]
        limit = time.monotonic() + 30
        shown = [""] * len(expected)
        while not all(re.fullmatch(pattern, line) for pattern, line in zip(expected, shown, strict=False)):
            assert time.monotonic() < limit, "\n".join(shown)
            time.sleep(0.1)
            shown = _shown(connection, "EXPLAIN ANALYZE JOB 1")[2:]


def test_a_slow_sink_is_seen():
    def readings():
        for second in itertools.count():
            yield "a", datetime(2024, 1, 1) + timedelta(seconds=second % 1_000_000), 20

    expected = [_pattern(line) for line in _block("slow")[1:]]
    with tableflow.connect(settings=SETTINGS) as connection:
        connection.register_sink("outside", {"sensor": "STRING", "degrees": "INT"}, lambda batch: time.sleep(0.2))
        _register(connection, "readings", readings)
        connection.execute("INSERT INTO outside SELECT sensor, degrees FROM readings")
        limit = time.monotonic() + 30
        while not all(
            re.match(pattern, line)
            for pattern, line in zip(expected, _shown(connection, "EXPLAIN ANALYZE JOB 1")[2:], strict=False)
        ):
            assert time.monotonic() < limit
            time.sleep(0.1)
        connection.execute("CANCEL JOB 1")
