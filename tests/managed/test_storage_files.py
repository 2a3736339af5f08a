"""Files of a table's folder, as statements leave them: few, and none that nothing names."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tableflow

ROWS = 9000


def data_files(folder: Path) -> int:
    return len(list(folder.glob("tables/*/*.arrow")))


def stored(con: tableflow.Connection) -> int:
    """How many files the newest version has."""
    ((files,),) = con.execute("SELECT files FROM information_schema.storage WHERE table_name = 't'").fetchall()
    assert isinstance(files, int)
    return files


def part(number: int) -> pa.Table:
    return pa.table({"k": np.arange(number * ROWS, (number + 1) * ROWS), "v": np.ones(ROWS, np.int32)})


@pytest.mark.slow
def test_files_that_commits_write_are_joined_behind_them(tmp_path: Path) -> None:
    """Each commit is too large for the log, so it writes a file; no setting has to be changed for them to become few."""
    with tableflow.connect(tmp_path / "db", settings={"storage.removal-delay": "0 s"}) as con:
        con.execute("CREATE TABLE t (k BIGINT, v INT)")
        for number in range(100):
            con.append("t", part(number))
        deadline = time.monotonic() + 60
        while stored(con) > 20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert con.execute("SELECT count(*), count(DISTINCT k), sum(v) FROM t").fetchall() == [
            (100 * ROWS, 100 * ROWS, 100 * ROWS)
        ]
        assert con.execute("SELECT count(*) FROM t FOR VERSION AS OF 31").fetchall() == [(30 * ROWS,)]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["append", "insert", "read"])
def test_vacuum_leaves_no_file_that_nothing_names(tmp_path: Path, how: str) -> None:
    """Also in a process that does nothing else: nobody in it holds what was there before."""
    with (
        tableflow.connect(tmp_path / "db", settings={"storage.removal-delay": "0 s"}) as con,
        tableflow.connect(tmp_path / "db") as idle,
    ):
        con.execute("CREATE TABLE t (k BIGINT, v INT)")
        for number in range(6):
            if how == "insert":
                con.register("source", part(number))
                con.execute("INSERT INTO t SELECT * FROM source")
            else:
                con.append("t", part(number))
        if how == "read":
            assert idle.execute("SELECT count(*) FROM t").fetchall() == [(6 * ROWS,)]
        con.execute("VACUUM t")
        con.execute("VACUUM t")
        assert stored(con) == 1
        assert data_files(tmp_path / "db") == 1
        assert idle.execute("SELECT sum(v) FROM t").fetchall() == [(6 * ROWS,)]
