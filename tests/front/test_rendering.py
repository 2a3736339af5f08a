"""Results as text: what tells NULL from an empty text, and columns of one name from each other."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

import tableflow
from tableflow.shell.rendering import open_renderer
from tableflow.shell.run import Target, run_script


def rendered(kind: str, table: pa.Table) -> str:
    out = io.StringIO()
    renderer = open_renderer(kind, table.schema, out)
    for batch in table.to_batches():
        renderer.write(batch)
    renderer.finish()
    return out.getvalue()


def test_csv_tells_null_from_an_empty_text():
    table = pa.table({"a": [1, None], "the, text": ["", None], "q": ['say "hi"', "two\nlines"]})
    assert rendered("csv", table) == 'a,"the, text",q\n1,"","say ""hi"""\n,,"two\nlines"\n'
    assert rendered("csv", table.slice(0, 0)) == 'a,"the, text",q\n'


def run(sql: str, format: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    run_script(sql, Target(), format, timing=False, out=out, err=err)
    return out.getvalue(), err.getvalue()


def test_json_keeps_columns_of_one_name():
    assert run("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS A", "json") == (
        '{"a": 1, "a_2": 2, "a_1": 3, "A_3": 4}\n',
        (
            "warning: column 'a' is called 'a_2': a JSON object has each name once\n"
            "warning: column 'A' is called 'A_3': a JSON object has each name once\n"
        ),
    )
    assert run("SELECT 1 AS a, 2 AS A", "json") == ('{"a": 1, "A": 2}\n', "")


def test_copy_to_json_refuses_columns_of_one_name(tmp_path):
    with (
        tableflow.connect() as con,
        pytest.raises(tableflow.OperationalError, match="two columns are called 'a', and a JSON object"),
    ):
        con.execute(f"COPY (SELECT 1 AS a, 2 AS a) TO '{tmp_path}/x.json'")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "'' is no path of a database"), ("a\0b", "is no path of a database"), ("/proc/no/db", "cannot be made"),
        ("/dev/null", "is a file"), ("/dev/null/db", "is a file, not a database"),
    ],
)  # fmt: skip
def test_impossible_databases(path, message):
    with pytest.raises(tableflow.Error, match=message) as caught:
        tableflow.connect(path)
    assert caught.value.hint


def test_reading_only_is_said_in_both_spellings(tmp_path):
    tableflow.connect(tmp_path / "db").close()
    out, err = io.StringIO(), io.StringIO()
    run_script(
        "CREATE TABLE t (a INT)", Target((), str(tmp_path / "db"), True), "table", timing=False, out=out, err=err
    )
    assert "connect without read_only (on the command line without --read-only)" in err.getvalue()
