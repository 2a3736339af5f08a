"""``tableflow run --database`` and ``tableflow check-database``."""

from __future__ import annotations

import pytest

from tests.front.command import tableflow

pytestmark = pytest.mark.slow


def test_a_database_on_the_command_line(tmp_path):
    folder = str(tmp_path / "db")
    made = tableflow(
        "run", "--database", folder, "-c", "CREATE TABLE t AS SELECT 1 AS a; INSERT INTO t VALUES (2), (3)"
    )
    assert (made.returncode, made.stdout) == (0, "table t created with 1 row\n2 rows inserted\n")
    read = tableflow("run", "--database", folder, "--read-only", "--format", "csv", "-c", "SELECT sum(a) AS s FROM t")
    assert (read.returncode, read.stdout) == (0, "s\n6\n")
    refused = tableflow("run", "--database", folder, "--read-only", "-c", "DELETE FROM t")
    assert refused.returncode == 1
    assert "is open for reading only" in refused.stderr
    wrong = tableflow("run", "--read-only", "-c", "SELECT 1")
    assert wrong.returncode == 2
    missing = tableflow("run", "--database", str(tmp_path / "missing"), "--read-only", "-c", "SELECT 1")
    assert missing.returncode == 2
    assert "does not exist" in missing.stderr


def test_checking_a_database(tmp_path):
    folder = tmp_path / "db"
    script = "CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t SELECT * FROM (VALUES (1), (2)); VACUUM"
    assert tableflow("run", "--database", str(folder), "-c", script).returncode == 0
    sound = tableflow("check-database", str(folder))
    assert (sound.returncode, sound.stderr) == (0, "")
    assert "1 table, 2 versions, 2 rows, " in sound.stdout
    assert sound.stdout.endswith(", 0 problems\n")
    data = next(file for file in folder.rglob("*.arrow"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    damaged = tableflow("check-database", str(folder))
    assert damaged.returncode == 1
    assert "error: table 't':" in damaged.stderr
    assert tableflow("check-database", str(tmp_path / "nothing")).returncode == 1
