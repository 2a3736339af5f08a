"""How a database is stored is set for all its connections, while it is open."""

from __future__ import annotations

import tableflow
from tableflow.config import COMMIT_DELAY, STORAGE_RETAINED_VERSIONS


def rows(con, sql):
    return con.execute(sql).fetchall()


def versions(con):
    return [number for number, *_ in rows(con, "SHOW VERSIONS t")]


def test_what_is_kept_can_be_set_while_the_database_is_open(tmp_path):
    with tableflow.connect(tmp_path / "db") as con, tableflow.connect(tmp_path / "db") as other:
        con.execute("CREATE TABLE t (a INT)")
        for number in range(4):
            con.execute("INSERT INTO t VALUES (?)", (number,))
        con.execute("VACUUM")
        assert versions(con) == [5, 4, 3, 2, 1]
        other.execute("SET 'storage.retained-versions' = '2'")
        con.execute("INSERT INTO t VALUES (4)")
        con.execute("VACUUM")
        assert versions(con) == versions(other) == [6, 5]
        other.execute("RESET 'storage.retained-versions'")
        con.execute("SET 'storage.retention' = '0 s'")
        con.execute("DELETE FROM t WHERE a < 4")
        con.execute("VACUUM")
        assert versions(con) == [7]
        before = {path.name for path in (tmp_path / "db").glob("tables/*/*.arrow")}
        con.execute("SET 'storage.removal-delay' = '0 s'")
        con.execute("VACUUM")
        after = {path.name for path in (tmp_path / "db").glob("tables/*/*.arrow")}
        assert after < before
        assert rows(other, "SELECT a FROM t") == [(4,)]


def test_a_connection_that_joins_may_set_it_too(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        settings = {"commit.delay": "3 ms"}
        with (
            tableflow.connect(tmp_path / "db", settings=settings),
            tableflow.connect(tmp_path / "db", read_only=True) as reader,
        ):
            database = con.session.storage.shared.database
            assert database.settings.get(COMMIT_DELAY) == 3_000
            reader.execute("SET 'storage.retained-versions' = '1'")
            assert database.settings.get(STORAGE_RETAINED_VERSIONS) == 100_000
