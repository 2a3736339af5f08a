"""A view means what it meant when it was made, whoever reads it: its schema, and no temporary objects of a reader."""

from __future__ import annotations

import pyarrow as pa
import pytest

import tableflow
from tableflow.catalog.entry import ViewEntry
from tableflow.serialization import decode, encode


@pytest.fixture
def con():
    with tableflow.connect() as connection:
        yield connection


def script(con, text):
    for each in text.split(";"):
        con.execute(each)


def rows(con, sql):
    return con.execute(sql).fetchall()


def test_a_view_does_not_see_temporary_objects_of_its_readers(con):
    script(con, "CREATE TABLE t (a INT); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT a FROM t")
    con.execute("CREATE VIEW w AS SELECT a + 10 AS a FROM v")
    script(con, "CREATE TEMPORARY TABLE t (b STRING); CREATE TEMPORARY VIEW v AS SELECT b FROM t")
    assert rows(con, "SELECT * FROM w") == [(11,)]
    con.execute("INSERT INTO t VALUES ('x')")
    assert rows(con, "SELECT * FROM v") == [("x",)]
    con.execute("CREATE TEMPORARY VIEW u AS SELECT w.a, v.b FROM w, v")
    assert rows(con, "SELECT * FROM u") == [(11, "x")]
    # made while the temporary ones are there, it reads the others all the same
    con.execute("CREATE VIEW z AS SELECT * FROM t")
    assert rows(con, "SELECT * FROM z") == [(1,)]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = '{}'"
    assert rows(con, columns.format("z")) == [("a",)]
    script(con, "DROP VIEW v; DROP TABLE t")
    assert rows(con, "SELECT * FROM v") == [(1,)]
    assert rows(con, columns.format("w")) == [("a",)]


def test_a_view_of_what_ends_with_the_session_is_refused(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        _check_refusals(con)


def _check_refusals(con):
    con.execute("CREATE TEMPORARY TABLE t (a INT)")
    con.execute("CREATE TEMPORARY VIEW tv AS SELECT * FROM t")
    con.register("r", pa.table({"a": [1]}))
    for name, kind in (("t", "table"), ("r", "table"), ("tv", "view")):
        with pytest.raises(tableflow.ProgrammingError, match=f"{kind} '{name}' lives in this session only") as error:
            con.execute(f"CREATE VIEW v AS SELECT * FROM (SELECT * FROM {name}) x")
        assert error.value.hint.startswith("CREATE TEMPORARY VIEW")
        assert error.value.script[error.value.span.start : error.value.span.end] == name
    con.execute("CREATE TEMPORARY VIEW v AS SELECT * FROM r")
    assert rows(con, "SELECT * FROM v") == [(1,)]


def test_in_memory_a_view_may_read_what_is_registered(con):
    """It ends with the session as well; a permanent object of the name comes first all the same."""
    con.register("t", pa.table({"a": [1, 2]}))
    con.execute("CREATE VIEW v AS SELECT sum(a) AS s FROM t")
    con.execute("CREATE VIEW w AS SELECT s + 1 AS s FROM v")
    assert rows(con, "SELECT * FROM w") == [(4,)]
    con.register("t", pa.table({"a": [5]}))
    assert rows(con, "SELECT * FROM w") == [(6,)]
    con.unregister("t")
    with pytest.raises(tableflow.ProgrammingError, match="table 't' does not exist"):
        con.execute("SELECT * FROM v")
    script(con, "CREATE TABLE t (a INT); INSERT INTO t VALUES (8)")
    assert rows(con, "SELECT * FROM v") == [(8,)]


def test_names_of_a_view_are_those_of_the_schema_in_which_it_was_made(con):
    script(con, "CREATE SCHEMA s; CREATE TABLE b (a INT); INSERT INTO b VALUES (1)")
    script(con, "USE s; CREATE TABLE b (x INT, y INT); INSERT INTO b VALUES (2, 3); CREATE TABLE only (x INT)")
    script(con, "CREATE VIEW v AS SELECT * FROM b; CREATE VIEW o AS SELECT count(*) AS n FROM only")
    con.execute("CREATE VIEW default.elsewhere AS SELECT * FROM b")
    script(con, "USE default; CREATE VIEW s.from_default AS SELECT * FROM b; CREATE VIEW v AS SELECT x FROM s.v")
    con.execute("CREATE TEMPORARY VIEW s.mine AS SELECT * FROM b")
    for current in ("default", "s"):
        con.execute(f"USE {current}")
        assert rows(con, "SELECT * FROM s.v") == [(2, 3)]
        assert rows(con, "SELECT * FROM default.v") == [(2,)]
        assert rows(con, "SELECT * FROM s.o") == [(0,)]
        assert rows(con, "SELECT * FROM default.elsewhere") == [(2, 3)]
        assert rows(con, "SELECT * FROM s.from_default") == rows(con, "SELECT * FROM s.mine") == [(1,)]
        listed = "SELECT column_name FROM information_schema.columns WHERE table_name = 'elsewhere'"
        assert rows(con, listed) == [("x",), ("y",)]
        assert ("s", "v", "SELECT * FROM b") in rows(
            con, "SELECT table_schema, table_name, view_definition FROM information_schema.views"
        )
    texts = {}
    for name in ("s.v", "default.elsewhere", "s.from_default", "s.mine", "default.v"):
        con.execute("USE default")
        ((texts[name],),) = rows(con, f"SHOW CREATE VIEW {name}")
    assert texts["s.v"] == "USE s;\nCREATE VIEW v AS SELECT * FROM b"
    assert texts["s.mine"] == "CREATE TEMPORARY VIEW s.mine AS SELECT * FROM b"
    for name, text in texts.items():
        before = rows(con, f"SELECT * FROM {name}")
        script(con, f"USE default; DROP VIEW {name}; {text}; USE default")
        assert rows(con, f"SELECT * FROM {name}") == before


def test_a_view_is_kept_with_its_schema(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        script(con, "CREATE SCHEMA s; USE s; CREATE TABLE b (a INT); INSERT INTO b VALUES (5)")
        con.execute("CREATE VIEW default.v AS SELECT * FROM b")
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TEMPORARY TABLE s.b (z STRING)")
        assert rows(con, "SELECT * FROM v") == [(5,)]
        con.execute("CREATE STREAMING TABLE kept AS SELECT sum(a) AS n FROM v")
        assert rows(con, "SELECT n FROM kept") == [(5,)]


def test_a_view_of_an_older_database_means_its_own_schema():
    document = encode(ViewEntry("v", "SELECT 1", schema="s"))
    del document["schema"]
    assert decode(document) == ViewEntry("v", "SELECT 1")
