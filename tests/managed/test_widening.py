"""A column of FLOAT becomes DOUBLE: rows in the log and in files keep their values, and keys, checks, zones and old versions hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tableflow

ROWS = 20_000
TENTH = float(np.float32(0.1))


@pytest.mark.parametrize("vacuumed", [False, True])
def test_float_becomes_double(tmp_path: Path, vacuumed: bool) -> None:
    place, settings = tmp_path / "db", {"storage.inline-rows": "5"}
    with tableflow.connect(place, settings=settings) as con:
        con.execute("CREATE TABLE t (k INT PRIMARY KEY, f FLOAT UNIQUE, g FLOAT CHECK (g < 1e30))")
        con.execute("INSERT INTO t VALUES (1, 0.1, 0.5), (2, NULL, NULL)")
        numbers = np.arange(ROWS, dtype=np.float32)
        con.append("t", pa.table({"k": pa.array(range(10, ROWS + 10), pa.int32()), "f": numbers + 1, "g": numbers}))
        if vacuumed:
            con.execute("VACUUM")
        con.execute("ALTER TABLE t ALTER f TYPE DOUBLE, ALTER g TYPE DOUBLE")
        con.execute("INSERT INTO t VALUES (3, 0.1, 0.1), (4, 1e300, 7)")
        with pytest.raises(tableflow.IntegrityError, match="t_f_key"):
            con.execute("INSERT INTO t VALUES (5, CAST(CAST(0.1 AS FLOAT) AS DOUBLE), 1)")
        with pytest.raises(tableflow.IntegrityError, match="t_g_check"):
            con.execute("INSERT INTO t VALUES (5, 7e200, 1e30)")
    with tableflow.connect(place) as con:
        for _ in range(2):
            assert con.execute("SELECT f, g FROM t WHERE k < 10 ORDER BY k").fetchall() == [
                (TENTH, 0.5),
                (None, None),
                (0.1, 0.1),
                (1e300, 7.0),
            ]
            assert con.execute("SELECT k FROM t WHERE f = 0.1").fetchall() == [(3,)]
            assert con.execute("SELECT k FROM t WHERE f = ?", (TENTH,)).fetchall() == [(1,)]
            assert con.execute("SELECT count(*), max(f), count(DISTINCT f) FROM t WHERE f > 100").fetchall() == [
                (ROWS - 99, 1e300, ROWS - 99)
            ]
            assert con.execute("SELECT max(f) FROM t FOR VERSION AS OF 3").fetchall() == [(float(ROWS),)]
            con.execute("VACUUM")
