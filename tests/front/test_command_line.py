"""``tableflow run``: what it prints, where, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.front.command import COMMAND, environment, tableflow

pytestmark = pytest.mark.slow

HUGE = "SELECT count(*) FROM " + ", ".join(
    f"(VALUES {', '.join(f'({i})' for i in range(50))}) t{n}(x)" for n in range(8)
)


def test_a_table(tmp_path):
    script = tmp_path / "report.sql"
    script.write_text(
        "-- numbers\nSELECT 1 AS n, 'ä' AS text, NULL AS nothing UNION ALL SELECT 1234, 'b', NULL ORDER BY n;\n"
    )
    done = tableflow("run", str(script))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "   n | text | nothing\n"
        "-----+------+--------\n"
        "   1 | ä    | NULL\n"
        "1234 | b    | NULL\n"
        "(2 rows)\n"
    )  # fmt: skip


def test_the_package_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "tableflow", "run", "-c", "SELECT 1 AS x", "--format", "csv"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "x\n1\n"


def test_without_the_native_core_it_says_how_to_build_it():
    code = (
        "import sys; sys.modules['tableflow.columnar._native'] = None; sys.argv = ['tableflow', 'run', '-c', 'SELECT 1'];"
        "from tableflow.shell.main import command; command()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: TableFlow's native core")
    assert "pip install ." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_defect_is_told_in_a_line_and_its_traceback_on_request():
    code = (
        "import sys; sys.argv = ['tableflow', 'run', '-c', 'SELECT 1']; import tableflow.shell.run as run;"
        "run._show = lambda *arguments: {}['nobody']; from tableflow.shell.main import command; command()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "error: internal error of TableFlow: KeyError: 'nobody'"
    assert "TABLEFLOW_TRACEBACK=1" in done.stderr
    assert "Traceback" not in done.stderr
    asked = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=environment(TABLEFLOW_TRACEBACK="1"),
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 1
    assert asked.stderr.startswith("Traceback")
    assert "_show" in asked.stderr


def test_the_script_from_standard_input_and_from_the_command_line():
    assert tableflow("run", "-", input="SELECT 6 * 7 AS answer").stdout == "answer\n------\n    42\n(1 row)\n"
    assert tableflow("run", "-c", "SELECT 6 * 7 AS answer").stdout == "answer\n------\n    42\n(1 row)\n"
    assert tableflow("run", "-", input="\ufeffSELECT 1 AS a\r\n  , 2 AS b\r\n;\r\n").stdout.startswith("a | b\n")


def test_several_statements():
    done = tableflow(
        "run", "-c", "CREATE VIEW v AS SELECT 1 AS a; SELECT * FROM v; SET parallelism.default = 1; SHOW VIEWS"
    )
    assert done.returncode == 0
    assert done.stdout == "view v created\na\n-\n1\n(1 row)\nparallelism.default = 1\nname\n----\nv\n(1 row)\n"
    assert tableflow("run", "-c", " ; -- nothing\n ").stdout == ""


def test_csv():
    sql = """SELECT 1 AS n, 'a "quoted", text' AS "the text", NULL AS nothing, 1.50 AS d, X'00ff' AS bytes, TRUE AS b
             UNION ALL SELECT 2, 'line 1
line 2', NULL, -0.25, X'', FALSE ORDER BY 1"""
    done = tableflow("run", "-c", sql, "--format", "csv")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["n", "the text", "nothing", "d", "bytes", "b"],
        ["1", 'a "quoted", text', "", "1.50", "\\x00ff", "true"],
        ["2", "line 1\nline 2", "", "-0.25", "\\x", "false"],
    ]
    assert tableflow("run", "-c", "SELECT 1 AS a, 2 AS b WHERE FALSE", "--format", "csv").stdout == "a,b\n"


def test_json():
    sql = """SELECT 1 AS n, 'ä "x"' AS s, NULL AS z, 1.50 AS d, DATE '2020-01-02' AS day, TRUE AS b, ARRAY[1, NULL] AS list,
             MAP['k', 1.5e0] AS m, CAST(ROW(1, 'x') AS ROW<a INT, b STRING>) AS r, 1e0 / 0e0 AS inf, X'0f' AS x,
             CAST('2020-01-01 01:02:03.1' AS TIMESTAMP(3)) AS t, INTERVAL '1' DAY AS i, 12345678901234567890 AS big"""
    done = tableflow("run", "-c", sql, "--format", "json")
    assert json.loads(done.stdout) == {
        "n": 1, "s": 'ä "x"', "z": None, "d": 1.50, "day": "2020-01-02", "b": True, "list": [1, None], "m": {"k": 1.5},
        "r": {"a": 1, "b": "x"}, "inf": "inf", "x": "\\x0f", "t": "2020-01-01 01:02:03.1", "i": "1 day",
        "big": 12345678901234567890,
    }  # fmt: skip
    assert '"d": 1.50,' in done.stdout
    assert len(tableflow("run", "-c", "VALUES (1), (2), (3)", "--format", "json").stdout.splitlines()) == 3
    assert tableflow("run", "-c", "SELECT 1 WHERE FALSE", "--format", "json").stdout == ""


def test_values_keep_their_digits():
    sql = """SELECT CAST('2020-01-01 01:02:03.456789012' AS TIMESTAMP(9)), CAST('23:59:59.000000001' AS TIME(9)),
             CAST('2020-01-01 01:02:03.25' AS TIMESTAMP_LTZ(9)), INTERVAL '123456.789' SECOND, 1e-7, 0.1e0 + 0.2e0"""
    done = tableflow("run", "-c", sql, "--format", "csv")
    assert next(iter(list(csv.reader(io.StringIO(done.stdout)))[1:])) == [
        "2020-01-01 01:02:03.456789012", "23:59:59.000000001", "2020-01-01 01:02:03.25+00", "34:17:36.789", "1e-07",
        "0.30000000000000004",
    ]  # fmt: skip


def test_settings():
    assert (
        tableflow(
            "run", "-c", "SELECT 1", "--set", "parallelism.default=2", "--set", "execution.fusion = off"
        ).returncode
        == 0
    )
    done = tableflow("run", "-c", "SELECT 1", "--set", "paralelism.default=2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown setting 'paralelism.default'\nhint: did you mean 'parallelism.default'?\n"
    done = tableflow("run", "-c", "SELECT 1", "--set", "parallelism.default=many")
    assert done.returncode == 2
    assert "setting 'parallelism.default' cannot be 'many'" in done.stderr
    done = tableflow("run", "-c", "SELECT 1", "--set", "parallelism.default")
    assert done.returncode == 2
    assert "'parallelism.default' is not KEY=VALUE" in done.stderr


def test_an_error_in_the_middle():
    script = "SELECT 1 AS a;\n\nSELECT 2 +\n       nosuch;\nSELECT 3"
    done = tableflow("run", "-c", script)
    assert done.returncode == 1
    assert done.stdout == "a\n-\n1\n(1 row)\n"
    assert done.stderr.startswith(
        "error: column 'nosuch' does not exist\n"
        " --> line 4, column 8\n"
        "  |\n"
        "4 |        nosuch;\n"
        "  |        ^^^^^^\n"
    )  # fmt: skip


def test_an_error_of_data_after_rows():
    done = tableflow("run", "-c", "SELECT 10 / (x - 3) AS q FROM (VALUES (1), (3)) t(x)")
    assert done.returncode == 1
    assert done.stderr.startswith("error: division by zero\n --> line 1, column 8\n")
    assert "where x = 3" in done.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["run", "a.sql", "-c", "SELECT 1"], ["walk"], ["run", "-c", "x", "--format", "xml"]]
)
def test_a_wrong_command_line(arguments):
    done = tableflow(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error:" in done.stderr


def test_scripts_that_cannot_be_read(tmp_path):
    done = tableflow("run", str(tmp_path / "nosuch.sql"))
    assert done.returncode == 2
    assert done.stderr == f"error: script '{tmp_path}/nosuch.sql' cannot be read: No such file or directory\n"
    assert "Is a directory" in tableflow("run", str(tmp_path)).stderr
    (tmp_path / "latin.sql").write_bytes("SELECT 'ä'".encode("latin-1"))
    done = tableflow("run", str(tmp_path / "latin.sql"))
    assert done.returncode == 2
    assert done.stderr == f"error: script '{tmp_path}/latin.sql' is not UTF-8 (byte 8)\n"
    done = subprocess.run(
        [*COMMAND, "run", "-"], input=b"SELECT '\xff'", capture_output=True, env=environment(), check=False
    )
    assert done.returncode == 2
    assert b"script '-' is not UTF-8 (byte 8)" in done.stderr


def test_files_are_found_from_the_working_directory(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    assert tableflow("run", "-c", "SELECT sum(a) AS s FROM 't.csv'", "--format", "csv", cwd=tmp_path).stdout == "s\n3\n"


def test_timing():
    done = tableflow(
        "run",
        "-c",
        "SELECT x, count(*) AS n FROM (VALUES (1), (2)) t(x) GROUP BY x ORDER BY x",
        "--timing",
        "--format",
        "csv",
    )
    assert done.stdout == "x,n\n1,1\n2,1\n"
    lines = done.stderr.splitlines()
    assert any("Aggregate" in line and "2 rows" in line for line in lines)
    assert any("█" in line for line in lines)
    assert lines[-1].endswith(" ms")


def test_a_reader_that_goes_away():
    sql = "SELECT a.x FROM " + ", ".join(
        f"(VALUES {', '.join(f'({i})' for i in range(20))}) t{n}(x)" for n in range(4)
    ).replace("t0", "a")
    for kind in ("table", "csv", "json"):
        with subprocess.Popen(
            [*COMMAND, "run", "-c", sql, "--format", kind],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "run", "-c", "SELECT 1"], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"error: the output cannot be written: No space left on device\n"


def test_a_terminal_that_knows_ascii_only():
    env = {"PYTHONIOENCODING": "ascii"}
    assert tableflow("run", "-c", "SELECT 'ä' AS x", env=env).stdout == "x\n-\n\\xe4\n(1 row)\n"
    assert tableflow("run", "-c", "SELECT 'ä' AS x", "--format", "csv", env=env).stdout == "x\nä\n"
    assert "column '\\xe4' does not exist" in tableflow("run", "-c", "SELECT ä", env=env).stderr


def _interrupted(script: str, settle: float) -> tuple[int, bytes, bytes, float]:
    """Exit code, both outputs, and the seconds from the signal to the end."""
    with subprocess.Popen(
        [*COMMAND, "run", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        time.sleep(settle)
        assert process.poll() is None
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err, time.perf_counter() - began


@pytest.mark.parametrize("settle", [0.0, 0.3])
def test_control_c(settle):
    best = 99.0
    for _ in range(3):
        code, _, err, took = _interrupted(f"SELECT 1 AS started; {HUGE}", settle)
        assert (code, err) == (130, b"interrupted\n")
        best = min(best, took)
        if best < 0.3:
            break
    assert best < 0.3


def test_version_and_help():
    assert tableflow("--version").stdout.startswith("tableflow 0.")
    assert "run a SQL script" in tableflow("--help").stdout


@pytest.mark.slow
def test_a_statement_that_waits_for_rows_at_a_rate_says_how_many_have_come():
    """And Ctrl-C ends it."""
    made = (
        "CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '20', 'number-of-rows' = '4000');"
    )
    script = f"SELECT 1 AS started; {made} CREATE TABLE kept (k INT); INSERT INTO kept SELECT k FROM made;"
    code, _, err, seconds = _interrupted(script, 5.0)
    assert code == 130
    assert seconds < 2
    told = re.findall(
        r"waiting for 'made', whose rows come at a rate: ([\d,]+) of 4,000 so far; Ctrl-C ends", err.decode()
    )
    assert told
    assert 20 <= int(told[0].replace(",", "")) <= 400
