"""COPY and read_csv on text files as they come: headers, delimiters, NULLs, quotes, encodings."""

from __future__ import annotations

import pytest

import tableflow
from tableflow.errors import InternalError, TableFlowError


@pytest.fixture
def con():
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        yield connection


@pytest.fixture
def file(tmp_path):
    def make(content: str | bytes, name: str = "f.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return make


def rows(con, sql: str):
    return con.execute(sql).fetchall()


def copied(con, columns: str, path: str, options: str = ""):
    con.execute(f"CREATE OR REPLACE TABLE t ({columns})")
    con.execute(f"COPY t FROM '{path}' {options}")
    return rows(con, "SELECT * FROM t")


def failure(con, sql: str) -> str:
    with pytest.raises(TableFlowError) as caught:
        con.execute(sql).fetchall()
    assert not isinstance(caught.value, InternalError), caught.value
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "options", "found"),
    [
        ("id,name\n1,pen\n", "", [(1, "pen")]),
        ("name,id\npen,1\n", "", [(1, "pen")]),
        ("more,NAME,Id\nx,pen,1\n", "", [(1, "pen")]),
        ("number,title\n1,pen\n", "", [(1, "pen")]),
        ("number,title\n1,pen\n", "(HEADER)", [(1, "pen")]),
        ("number,title\n1,pen\n", "(HEADER true)", [(1, "pen")]),
        ("number,title\n1,pen\n", "('csv.header' = 'true')", [(1, "pen")]),
        ("1,pen\n2,ink\n", "", [(1, "pen"), (2, "ink")]),
        ("1,pen\n2,ink\n", "(HEADER)", [(2, "ink")]),
        ("1,name\n2,ink\n", "(HEADER false)", [(1, "name"), (2, "ink")]),
        ("no;what\n1;pen\n", "(DELIMITER ';')", [(1, "pen")]),
        ("no;what\n1;pen\n", "DELIMITER ';' CSV HEADER", [(1, "pen")]),
        ("1|-|\n", "(SEP '|', NULLSTR '-', HEADER false)", None),
        ("1,NULL\n2,\"NULL\"\n3,\n", "(NULL 'NULL')", [(1, None), (2, "NULL"), (3, "")]),
        ("1,'a,''b'\n", "(QUOTE '''')", [(1, "a,'b")]),
        ('1,5" pipe\n', "(QUOTE '')", [(1, '5" pipe')]),
        ("1,x\nbad,y\n", "(IGNORE_ERRORS)", [(1, "x"), (None, "y")]),
        ("id,was\n1,\xe4\n".encode("latin-1"), "(ENCODING 'latin-1')", [(1, "ä")]),
        ("1,\u20ac\n".encode("cp1252"), "(ENCODING 'windows-1252')", [(1, "€")]),
    ],
)  # fmt: skip
def test_copy_from(con, file, content, options, found):
    path = file(content)
    if found is None:
        con.execute("CREATE TABLE t (id INT, name STRING)")
        assert "has 3 columns, not 2" in failure(con, f"COPY t FROM '{path}' {options}")
    else:
        assert copied(con, "id INT, name STRING", path, options) == found


def test_a_header_of_other_names_is_never_a_row_and_a_row_never_a_header(con, file):
    text = "Bob,Berlin\nEve,Rome\n"
    con.execute("CREATE TABLE t (name STRING, city STRING)")
    error = failure(con, f"COPY t FROM '{file(text)}'")
    assert "not clear whether its first line is a header" in error
    assert "HEADER true skips the line, HEADER false makes it a row" in error
    assert copied(con, "name STRING, city STRING", file(text), "(HEADER false)") == [("Bob", "Berlin"), ("Eve", "Rome")]
    assert copied(con, "name STRING, city STRING", file(text), "(HEADER)") == [("Eve", "Rome")]
    # a name of the table is enough, as is a column whose values are no texts
    assert copied(con, "name STRING, city STRING", file("Name,Town\nBob,Rome\n")) == [("Bob", "Rome")]
    assert copied(con, "name STRING, zip STRING", file("Who,Code\nBob,0815\n")) == [("Bob", "0815")]
    con.execute("CREATE OR REPLACE TABLE t (name STRING, city STRING)")
    error = failure(con, f"COPY t FROM '{file('place,name')}' (HEADER)")
    assert "has column 'name' at another place and no column 'city'" in error
    assert rows(con, "SELECT * FROM t") == []
    con.execute(f"COPY t (city, name) FROM '{file('place,name' + chr(10) + 'Rome,Eve')}'")
    assert rows(con, "SELECT * FROM t") == [("Eve", "Rome")]
    assert "has no column 'city'" in failure(
        con, f"COPY t FROM '{file('name,place' + chr(10) + 'a,b')}' (HEADER MATCH)"
    )


def test_the_wrong_delimiter_is_said(con, file):
    path = file("id;name\n1;pen\n2;ink\n")
    con.execute("CREATE TABLE t (id INT, name STRING)")
    assert "it looks as if ';' separated its fields: option delimiter" in failure(con, f"COPY t FROM '{path}'")
    error = failure(con, f"SELECT * FROM '{path}'")
    assert "has one column, and looks as if ';' separated several" in error
    assert f"read_csv('{path}', delim = ';')" in error
    assert rows(con, f"SELECT * FROM read_csv('{path}', delim = ';')") == [(1, "pen"), (2, "ink")]
    assert rows(con, f"SELECT * FROM read_csv('{path}', delim = ',') LIMIT 1") == [("1;pen",)]
    assert rows(con, f"SELECT * FROM '{file('note' + chr(10) + 'a;b' + chr(10) + 'c' + chr(10))}'") == [
        ("a;b",),
        ("c",),
    ]


def test_bytes_that_are_no_text_are_named(con, file):
    path = file("id,name\n1,pen\n2,Tür\n".encode("latin-1"))
    for sql in (f"SELECT * FROM '{path}'", f"SELECT count(name) FROM read_csv('{path}')"):
        error = failure(con, sql)
        assert f"file '{path}', line 3: byte 0xFC is not UTF-8" in error
        assert "it is byte 18 of the file" in error
        assert "encoding = 'latin-1'" in error
    assert rows(con, f"SELECT name FROM read_csv('{path}', encoding = 'latin-1')") == [("pen",), ("Tür",)]
    lines = file('{"a": "x"}\n{"a": "Tür"}\n'.encode("latin-1"), "lines.json")
    assert "line 2: byte 0xFC is not UTF-8" in failure(con, f"SELECT * FROM '{lines}'")
    head = file("id,größe\n1,2\n".encode("latin-1"), "head.csv")
    assert "line 1: byte 0xF6 is not UTF-8" in failure(con, f"SELECT * FROM '{head}'")
    late = file(b"id,name\n" + b"1,x\n" * 1_100_000 + b"2,\xff\n", "late.csv")
    assert "line 1100002: byte 0xFF" in failure(con, f"SELECT max(name) FROM '{late}'")
    assert rows(con, f"SELECT max(name) FROM read_csv('{late}', encoding = 'cp1252')") == [("ÿ",)]


def test_read_functions(con, file, tmp_path):
    con.execute(f"COPY (SELECT 1 AS a, 'x' AS b) TO '{tmp_path}/data' (FORMAT parquet)")
    assert rows(con, f"SELECT data.b FROM read_parquet('{tmp_path}/data')") == [("x",)]
    lines = file('{"a": 1}\nbad\n', "j.txt")
    assert rows(con, f"SELECT a FROM read_json('{lines}', ignore_errors = true)") == [(1,)]
    path = file("1,2\n3,4\n", "n.txt")
    assert rows(con, f"SELECT q.column0 FROM read_csv('{path}', header = false) q ORDER BY 1") == [(1,), (3,)]
    assert rows(con, f"SELECT * FROM read_csv('{path}', header = true)") == [(3, 4)]
    joined = f"SELECT * FROM read_csv('{path}', header = true) a, read_csv('{path}', header = false) b"
    assert len(rows(con, joined)) == 2
    assert "READ_CSV has no option HEADR" in failure(con, f"SELECT * FROM read_csv('{path}', headr = true)")
    assert "did you mean HEADER?" in failure(con, f"SELECT * FROM read_csv('{path}', headr = true)")
    assert "takes the path of a file as a string" in failure(con, "SELECT * FROM read_csv(path)")
    assert "options are written name = value" in failure(con, f"SELECT * FROM read_csv('{path}', ';')")


def test_describe_a_file(con, file):
    path = file("id,name\n1,pen\n")
    expected = [("id", "BIGINT", "YES"), ("name", "STRING", "YES")]
    assert rows(con, f"DESCRIBE '{path}'") == rows(con, f"DESC '{path}'") == expected
    assert rows(con, f"DESCRIBE SELECT * FROM '{path}'") == expected
    error = failure(con, "DESCRIBE 'nosuch.csv'")
    assert "does not exist" in error
    assert error.splitlines()[-1].count("^") == len("'nosuch.csv'")


def test_copy_to_csv_keeps_null_apart_from_empty_text(con, tmp_path):
    path = tmp_path / "out.csv"
    query = """SELECT * FROM (VALUES (1, '', DATE '2024-02-29', 1.50), (2, NULL, NULL, NULL), (3, 'a "b", c', NULL, -0.25))
               t(id, name, day, price) ORDER BY id"""
    con.execute(f"COPY ({query}) TO '{path}'")
    assert path.read_text() == (
        '"id","name","day","price"\n1,"",2024-02-29,1.50\n2,,,\n3,"a ""b"", c",,-0.25\n'
    )  # fmt: skip
    columns = "id INT, name STRING, day DATE, price DECIMAL(9,2)"
    assert copied(con, columns, str(path)) == rows(con, query)
    con.execute(f"COPY ({query}) TO '{path}' (HEADER false, DELIM ';', NULL 'NA', QUOTE '''')")
    assert path.read_text() == "1;'';2024-02-29;1.50\n2;NA;NA;NA\n3;'a \"b\", c';NA;-0.25\n"
    assert copied(con, columns, str(path), "(DELIM ';', NULL 'NA', QUOTE '''')") == rows(con, query)
    con.execute(f"COPY ({query}) TO '{path}' ('csv.field-delimiter' = '-')")
    assert copied(con, columns, str(path), "(DELIMITER '-')") == rows(con, query)
    assert "NULL cannot be written as ','" in failure(con, f"COPY ({query}) TO '{path}' (NULL ',')")
    assert "exists" in failure(con, f"COPY ({query}) TO '{path}' (OVERWRITE false)")
    con.execute(f"COPY (SELECT X'00ff' AS b, INTERVAL '1' DAY AS i, TRUE AS t, 1e0 / 0e0 AS d) TO '{path}'")
    assert path.read_bytes() == b'"b","i","t","d"\n"\x00\xff","1 day",true,inf\n'


def test_a_file_that_was_meant(con, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file("a\n1\n", "data.csv")
    assert "put the path in single quotes: FROM 'data.csv'" in failure(con, "SELECT * FROM data.csv")
    assert "put the path in single quotes: FROM 'data.csv'" in failure(con, 'SELECT * FROM "data.csv"')
