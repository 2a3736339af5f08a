"""What can be read once is read in one place of a job: all its parts see all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations_with_replacement
from queue import Queue

import pyarrow as pa
import pytest

import tableflow

pytestmark = pytest.mark.slow

ROWS = [(i % 7, i) for i in range(60)]
PARTS = {
    "columns": "SELECT k, v FROM s",
    "filter": "SELECT k, v FROM s WHERE v > 30",
    "groups": "SELECT k, count(*) FROM s GROUP BY k",
    "one group": "SELECT 0, sum(v) FROM s",
    "subquery": "SELECT k, v FROM s WHERE v > (SELECT avg(v) FROM s)",
}


@pytest.fixture(params=["1", "2"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": request.param}) as opened:
        yield opened


def _put(connection: tableflow.Connection) -> None:
    rows: Queue[tuple[int, int] | None] = Queue()
    for row in (*ROWS, None):
        rows.put(row)
    connection.register_stream("s", {"k": "INT", "v": "INT"}, rows)


def _settled(changes: list[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    """The rows that are left, from changes that name their operation first or from rows alone."""
    found: Counter[tuple[object, ...]] = Counter()
    for change in changes:
        op, *row = change if isinstance(change[0], str) else ("+I", *change)
        found[tuple(row)] += 1 if op in {"+I", "+U"} else -1
    assert min(found.values(), default=0) >= 0
    return +found


def test_parts_of_a_query(connection: tableflow.Connection) -> None:
    finished = tableflow.connect()
    finished.register("s", pa.table({"k": [k for k, _ in ROWS], "v": [v for _, v in ROWS]}))
    for names in combinations_with_replacement(PARTS, 3):
        text = " UNION ALL ".join([PARTS[name] for name in names])
        _put(connection)
        plan = [line for (line,) in connection.execute(f"EXPLAIN {text}").fetchall()]
        assert sum("TableScan s " in line for line in plan) == 1, names
        answer = Counter(finished.execute(text).fetchall())
        assert _settled(connection.execute(text).fetchall()) == answer, names


def test_expression_read_twice_and_its_stream(connection: tableflow.Connection) -> None:
    _put(connection)
    changes = connection.execute(
        "WITH a AS (SELECT k FROM s WHERE v > 30) "
        "SELECT * FROM a UNION ALL SELECT * FROM a UNION ALL SELECT CAST(count(*) AS INT) FROM s"
    ).fetchall()
    read = [k for k, v in ROWS if v > 30]
    assert _settled(changes) == Counter([(k,) for k in (*read, *read, len(ROWS))])


def test_statements_of_a_set(connection: tableflow.Connection) -> None:
    _put(connection)
    written: dict[str, list[tuple[object, ...]]] = {"p1": [], "p2": [], "p3": []}
    for name, columns in (("p1", "k INT, v INT"), ("p2", "n BIGINT"), ("p3", "k INT, v INT")):
        schema = dict([column.split() for column in columns.split(", ")])

        def write(batch: pa.RecordBatch, to: list[tuple[object, ...]] = written[name]) -> None:
            to.extend([tuple(row.values()) for row in batch.to_pylist()])

        connection.register_sink(name, schema, write)
    connection.execute("""EXECUTE STATEMENT SET BEGIN
        INSERT INTO p1 SELECT k, v FROM s;
        INSERT INTO p3 SELECT k, v FROM s;
        INSERT INTO p2 SELECT count(*) FROM s;
    END""")
    assert connection.session.await_jobs(20)
    assert [row[2] for row in connection.execute("SHOW JOBS").fetchall()] == ["finished"]
    assert _settled(written["p1"]) == _settled(written["p3"]) == Counter(ROWS)
    assert _settled(written["p2"]) == Counter([(len(ROWS),)])
