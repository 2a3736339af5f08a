"""What errors say to people who are new here: the column that was meant, the spelling that was meant, what to do."""

from __future__ import annotations

import pyarrow as pa
import pytest

import tableflow
from tableflow.errors import InternalError, TableFlowError, UnsupportedError


@pytest.fixture(scope="module")
def con():
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.execute("CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(5), net DOUBLE)")
        connection.execute("INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 2)")
        yield connection


def failure(con, sql: str) -> TableFlowError:
    with pytest.raises(TableFlowError) as caught:
        con.execute(sql).fetchall()
    assert not isinstance(caught.value, InternalError), caught.value
    return caught.value


def pointed(sql: str, error: TableFlowError) -> str | None:
    return None if error.span is None else sql[error.span.start : error.span.end]


@pytest.mark.parametrize(
    ("sql", "message", "detail", "at"),
    [
        ("INSERT INTO item (id) VALUES (99999999999)", "cannot cast 99999999999 to INT", "for column 'id'", "99999999999"),
        ("INSERT INTO item (id) VALUES (7), ('abc')", "cannot cast 'abc' to INT", "for column 'id'", "'abc'"),
        ("INSERT INTO item (id, name) SELECT 8, 'much too long'", "has 13 characters, 5 fit", "for column 'name'", None),
        ("INSERT INTO item (id) SELECT x FROM (VALUES ('abc')) v(x)", "cannot cast 'abc'", "it comes from x", None),
        ("UPDATE item SET id = 'x' || name", "cannot cast 'xpen' to INT|'xink'", "comes from 'x' || name", "'x' || name"),
        ("UPDATE item SET name = 'much too long'", "5 fit", "for column 'name'", "'much too long'"),
        ("UPDATE item SET id = CAST('x' AS INT) + 1", "cannot cast 'x' to INT", "in CAST('x' AS INT)", None),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_name_their_column(con, sql, message, detail, at):
    error = failure(con, sql)
    assert any(one in error.message for one in message.split("|")), error
    assert detail in error.detail
    assert "#" not in str(error)
    if at is not None:
        assert pointed(sql, error) == at


def test_hints_for_duplicate_keys_fit_the_statement(con):
    assert "ON CONFLICT" in failure(con, "INSERT INTO item (id) VALUES (1)").hint
    assert failure(con, "UPDATE item SET id = 1 WHERE id = 2").hint == "choose other values"
    with pytest.raises(tableflow.IntegrityError) as caught:
        con.append("item", pa.table({"id": [1]}))
    text = str(caught.value)
    assert "duplicate key in table 'item'" in text
    assert 'SELECT "id"' not in text
    assert "-->" not in text
    with pytest.raises(tableflow.DataError) as caught:
        con.append("item", pa.table({"id": ["abc"]}))
    assert "for column 'id'" in str(caught.value)
    assert "INSERT" not in str(caught.value)
    with pytest.raises(tableflow.ProgrammingError, match="has no column 'nosuch'") as caught:
        con.append("item", pa.table({"nosuch": [1]}))
    assert "INSERT" not in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT cuont(*) FROM item", "did you mean count?"),
        ("SELECT * FROM data.csv", "put the path in single quotes: FROM 'data.csv'"),
        ("SELECT * FROM /tmp/data.csv", "put the path in single quotes: '/tmp/data.csv'"),
        ("SELECT * FROM item JOIN ../x/y.parquet ON 1 = 1", "single quotes: '../x/y.parquet'"),
        ("SELECT * FROM item, data/x.parquet", "single quotes: 'data/x.parquet'"),
        ('SELECT * FROM item WHERE name = "pen"', "double quotes enclose names; a text is written 'pen'"),
        ('SELECT * FROM item WHERE name = "nam"', "did you mean 'name'?"),
        ("SELECT * FROM item WHERE name = ''pen''", "two single quotes are an empty text"),
        ("SELECT * FROM item WHERE name = 'it's'", "is doubled: 'it''s'"),
        ("SELECT TOP 3 * FROM item", "write LIMIT 3 at the end"),
        ("SHOW COLUMNS FROM item", "DESCRIBE t"),
        ("SELECT 1 / 2 FROM itme", "did you mean 'item'?"),
    ],
)  # fmt: skip
def test_hints(con, sql, hint):
    assert hint in (failure(con, sql).hint or "")


@pytest.mark.parametrize(
    ("sql", "what", "at"),
    [
        ("SELECT unnest(ARRAY[1, 2])", "UNNEST outside of FROM", "unnest"),
        ("PIVOT item ON name USING sum(net)", "PIVOT", "PIVOT"),
        ("UNPIVOT item ON net", "UNPIVOT", "UNPIVOT"),
        ("SELECT * FROM item PIVOT (sum(net) FOR name IN ('pen'))", "PIVOT", "PIVOT"),
        ("SELECT * FROM item TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE", "TABLESAMPLE"),
        ("SELECT * FROM item USING SAMPLE 10", "USING SAMPLE", "USING SAMPLE"),
        ("CREATE TABLE f (a INT REFERENCES item (id))", "a FOREIGN KEY constraint", "REFERENCES"),
        ("CREATE TABLE f (a INT, FOREIGN KEY (a) REFERENCES item (id))", "a FOREIGN KEY constraint", "FOREIGN"),
        ("SELECT list(id)[1:2] FROM item", "a slice [a:b]", None),
        ("SUMMARIZE item", "SUMMARIZE", "SUMMARIZE"),
    ],
)  # fmt: skip
def test_refusals_by_name(con, sql, what, at):
    error = failure(con, sql)
    assert isinstance(error, UnsupportedError)
    assert error.message.startswith(f"{what} is not supported yet")
    if at is not None:
        assert pointed(sql, error) == at


def test_an_unfinished_group_by_points_at_its_end(con):
    sql = "SELECT name FROM item GROUP BY"
    error = failure(con, sql)
    assert (error.span.start, error.span.end) == (len(sql), len(sql))
    assert "an expression is expected after GROUP BY" in error.message


def test_elements_of_collected_lists(con):
    assert con.execute("SELECT list(id ORDER BY id)[1] FROM item").fetchall() == [(1,)]


def test_aggregates_without_groups_are_explained_without_by(con):
    plan = [line for (line,) in con.execute("EXPLAIN SELECT count(*) FROM item").fetchall()]
    assert any("HashAggregate" in line for line in plan)
    assert not any(" by []" in line for line in plan)


def test_unregister(con):
    con.register("seen", pa.table({"a": [1]}))
    assert con.execute("SELECT a FROM seen").fetchall() == [(1,)]
    con.unregister("Seen")
    assert "table 'seen' does not exist" in failure(con, "SELECT a FROM seen").message
    for name in ("seen", "item"):
        with pytest.raises(tableflow.InterfaceError, match=f"nothing is registered as '{name}'"):
            con.unregister(name)
