"""Random statements on a table, here and in DuckDB: equal contents after each, and change streams that add up."""

from __future__ import annotations

import tempfile
from collections import Counter

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tableflow

KEYS = st.integers(0, 12)
NUMBERS = st.one_of(st.none(), st.integers(-3, 6))
TEXTS = st.sampled_from([None, "", "a", "b", "it's", "äöü"])
CREATE = "CREATE TABLE t (k INT PRIMARY KEY, n INT CHECK (n < 6), s VARCHAR DEFAULT 'd', u INT UNIQUE)"


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


@st.composite
def values(draw: st.DrawFn, *, distinct: bool = False) -> str:
    unique = (lambda row: row[0]) if distinct else None
    rows = draw(st.lists(st.tuples(KEYS, NUMBERS, TEXTS, NUMBERS), min_size=1, max_size=4, unique_by=unique))
    return ", ".join(f"({', '.join(map(literal, row))})" for row in rows)


@st.composite
def conditions(draw: st.DrawFn, prefix: str = "") -> str:
    number = draw(st.integers(-2, 12))
    return draw(
        st.sampled_from(
            [f"{prefix}k = {number}", f"{prefix}k > {number}", f"{prefix}n = {number}", f"{prefix}s = 'a'",
             f"{prefix}u IS NULL", f"{prefix}k IN ({number}, {number + 2})", f"{prefix}k % 3 = 1 AND {prefix}n < {number}"]
        )
    )  # fmt: skip


@st.composite
def statements(draw: st.DrawFn) -> str:
    rows, distinct = draw(values()), draw(values(distinct=True))
    where = draw(conditions())
    number = draw(NUMBERS)
    return draw(
        st.sampled_from(
            [
                f"INSERT INTO t VALUES {rows}",
                f"INSERT INTO t (n, k) SELECT k % 6, n FROM (VALUES {rows}) r(k, n, s, u)",
                f"INSERT INTO t SELECT k + 13, n, s, NULL FROM t WHERE {where}",
                # DuckDB lets a statement update a row that it has inserted, here that is an error.
                f"INSERT INTO t VALUES {distinct} ON CONFLICT (k) DO UPDATE SET n = excluded.n, s = t.s",
                f"UPDATE t SET n = {literal(number)}, s = s || '!' WHERE {where}",
                f"UPDATE t SET n = n + 1 WHERE {where}",
                (
                    f"UPDATE t SET s = r.s FROM (SELECT DISTINCT k, 'joined' AS s FROM (VALUES {rows}) v(k, n, x, u)) r "
                    "WHERE t.k = r.k"
                ),
                f"DELETE FROM t WHERE {where}",
                f"DELETE FROM t WHERE k IN (SELECT k FROM (VALUES {rows}) r(k, n, s, u))",
                "TRUNCATE TABLE t",
                "VACUUM t",
                "REOPEN",
            ]
        )
    )


FILES_AT_ONCE = {"storage.inline-rows": "0", "storage.chunk-rows": "2"}
ONE_ROW = {"execution.batch-rows": "1", "parallelism.default": "1"}


def contents(con, sql="SELECT k, n, s, u FROM t"):
    return Counter(con.execute(sql).fetchall())


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, FILES_AT_ONCE, ONE_ROW], ids=["default", "files at once", "one row"])
@settings(max_examples=25)
@given(script=st.lists(statements(), min_size=1, max_size=8))
@example(
    script=["INSERT INTO t VALUES (1, 1, 'a', 1), (2, 2, 'b', NULL)", "UPDATE t SET n = n + 1 WHERE k > 0", "REOPEN"]
)
def test_random_statements(options, script):
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as model:
        con = tableflow.connect(f"{folder}/db", settings=options)
        for each in (con, model):
            each.execute(CREATE)
        try:
            for sql in script:
                if sql == "REOPEN":
                    con.close()
                    con = tableflow.connect(f"{folder}/db", settings=options)
                elif sql.startswith("VACUUM"):
                    con.execute(sql)
                else:
                    run_both(con, model, sql)
                assert contents(con) == contents(model), sql
            check_changes(con)
        finally:
            con.close()


def run_both(con, model, sql):
    """The statement fails for both or for none."""
    expected = refused = None
    try:
        expected = model.execute(sql).fetchall()
    except duckdb.Error as error:
        refused = error
    if refused is not None:
        with pytest.raises(tableflow.IntegrityError):
            con.execute(sql)
        return
    cursor = con.execute(sql)
    if expected and sql.split()[0] in {"INSERT", "UPDATE", "DELETE"}:
        assert cursor.rowcount == expected[0][0], sql


def check_changes(con):
    """The sum of all changes up to a version is the table at that version."""
    newest = int(con.execute("SHOW VERSIONS t").fetchone()[0])
    seen: Counter = Counter()
    for version in range(1, newest + 1):
        changes = con.execute(
            f"SELECT k, n, s, u, _change_weight FROM table_changes('t', {version - 1}, {version})"
        ).fetchall()
        for *row, weight in changes:
            seen[tuple(row)] += weight
        assert min(seen.values(), default=0) >= 0
        at = contents(con, f"SELECT k, n, s, u FROM t FOR VERSION AS OF {version}")
        assert +seen == at, version
