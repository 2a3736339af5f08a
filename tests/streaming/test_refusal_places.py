"""What streams and jobs refuse is shown where it stands in the statement."""

from __future__ import annotations

import pytest

import tableflow

REFUSED = [
    ("INSERT INTO s VALUES (1, 2)", "s", "cannot be written to"),
    ("DELETE FROM s WHERE a = 1", "s", "cannot be written to"),
    ("UPDATE s SET a = 1", "s", "cannot be written to"),
    ("MERGE INTO s USING t ON s.a = t.a WHEN MATCHED THEN DELETE", "s", "cannot be written to"),
    ("EXPLAIN ANALYZE DELETE FROM s", "s", "cannot be written to"),
    ("TRUNCATE s", "s", "cannot be truncated"),
    ("CREATE STREAMING TABLE u AS SELECT a, now() AS n FROM t", "now()", "the time of an epoch"),
    ("CREATE STREAMING TABLE u AS SELECT a, 1 + random() AS r FROM t", "random()", "another value each time"),
    (
        "CREATE STREAMING TABLE u AS SELECT a FROM t WHERE a > 1 AND current_date > DATE '2024-01-01'",
        "current_date",
        "the time of",
    ),
    ("CREATE STREAMING TABLE u AS SELECT sum(a * rand()) FROM t", "rand()", "another value each time"),
    (
        "CREATE STREAMING TABLE u AS SELECT count(*) FILTER (WHERE rand() < a) FROM t",
        "rand()",
        "another value each time",
    ),
    ("CREATE STREAMING TABLE u AS SELECT max(rand()) OVER (ORDER BY a) FROM t", "rand()", "another value each time"),
    (
        "CREATE STREAMING TABLE u AS SELECT t.a FROM t LEFT JOIN t AS v ON t.a = v.a AND rand() < 1",
        "rand()",
        "another value",
    ),
    (
        "CREATE STREAMING TABLE u AS SELECT t.a FROM t LEFT JOIN t AS v ON t.a = v.a AND v.a < epoch(now())",
        "now()",
        "read here",
    ),
    ("STOP JOB 99", "99", "there is no job 99"),
    ("EXPLAIN ANALYZE JOB 99", "99", "there is no job 99"),
]


@pytest.fixture(scope="module")
def connection():
    with tableflow.connect() as opened:
        opened.execute("CREATE TABLE t (a INT)")
        opened.execute("CREATE STREAMING TABLE s AS SELECT a, a * 2 AS b FROM t")
        yield opened


@pytest.mark.parametrize(("statement", "place", "message"), REFUSED)
def test_a_refusal_points_at_what_it_is_about(connection, statement, place, message):
    with pytest.raises(tableflow.Error, match=message) as raised:
        connection.execute(statement)
    lines = str(raised.value).splitlines()
    shown, marked = (
        line.partition("|")[2] for line in lines[[line.startswith("1 |") for line in lines].index(True) :][:2]
    )
    assert shown[marked.index("^") : marked.rindex("^") + 1] == place
