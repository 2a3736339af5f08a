"""What the command tells somebody who waits: why windows do not close, and which jobs have failed while others go on."""

from __future__ import annotations

import io
import threading
import time

import pytest

from tableflow.shell.run import Target, run_script
from tableflow.shell.watching import Watch

ARRIVING = """
CREATE TABLE arriving (at TIMESTAMP(3), n INT, WATERMARK FOR at AS at)
WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv', 'source.monitor-interval' = '50 ms');
"""
BY_MINUTE = (
    "SELECT window_end, sum(n) AS n FROM TUMBLE(arriving, at, INTERVAL '1' MINUTE) GROUP BY window_start, window_end"
)


def test_a_warning_is_told_when_it_begins_to_hold():
    err = io.StringIO()
    watch = Watch(err)
    for warnings in (["a", "2 rows came too late"], ["1,200 rows came too late"], ["a"], ["a"]):
        watch.warn(warnings)
    assert err.getvalue().splitlines() == ["warning: a", "warning: 2 rows came too late", "warning: a"]


def test_a_job_that_fails_is_told_of_and_is_the_exit_code(tmp_path):
    (tmp_path / "1.csv").write_text("x\n")
    script = f"""
        CREATE TABLE bad (k INT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'csv', 'source.monitor-interval' = '50 ms');
        CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'number-of-rows' = '10');
        CREATE STREAMING TABLE kept AS SELECT k FROM made;
        CREATE STREAMING TABLE fails AS SELECT k FROM bad;
    """
    out, err = io.StringIO(), io.StringIO()
    assert run_script(script, Target(), "csv", timing=False, out=out, err=err) == 1
    told = err.getvalue()
    assert told.count("warning: job 2, which writes to fails, has failed; CREATE OR REPLACE STREAMING TABLE fails") == 1
    assert "column 'k' is INT: invalid value 'x'" in told
    assert "job 1" not in told


@pytest.mark.parametrize(("last", "code"), [("FLUSH", 1), ("STOP JOB 1", 0)])
def test_a_job_that_has_failed_before_the_command_leaves_is_told_of(tmp_path, last, code):
    (tmp_path / "1.csv").write_text("x\n" if code else "1\n")
    script = f"""
        CREATE TABLE bad (k INT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'csv', 'source.monitor-interval' = '50 ms');
        CREATE STREAMING TABLE fails AS SELECT k FROM bad;
        FLUSH;
        {last};
    """
    out, err = io.StringIO(), io.StringIO()
    assert run_script(script, Target(), "csv", timing=False, out=out, err=err, stay=False) == code
    told = err.getvalue()
    assert told.count("job 1, which writes to 'fails', has failed") == code
    assert told.count("column 'k' is INT: invalid value 'x'") == code


@pytest.mark.slow
@pytest.mark.parametrize("query", [f"{BY_MINUTE};", f"CREATE STREAMING TABLE minutes AS {BY_MINUTE};"])
def test_who_waits_is_told_of_an_idle_source(tmp_path, query):
    (tmp_path / "1.csv").write_text("2024-01-01 09:00:00,1\n2024-01-01 09:01:00,2\n")
    out, err = io.StringIO(), io.StringIO()
    target = Target((("table.exec.source.idle-timeout", "100 ms"),))
    codes = []

    def run():
        codes.append(
            run_script(ARRIVING.format(tmp_path) + query, target, "csv", timing=False, out=out, err=err, stay=True)
        )

    thread = threading.Thread(target=run)
    thread.start()
    limit = time.monotonic() + 60
    while "warning" not in err.getvalue() and time.monotonic() < limit:
        time.sleep(0.05)
    (tmp_path / ".2.csv").write_text("no time,3\n")
    (tmp_path / ".2.csv").rename(tmp_path / "2.csv")
    thread.join(60)
    assert codes == [1]
    assert err.getvalue().count("windows that are open cannot close: source 'arriving' is idle") == 1
    assert "2.csv', line 1, could not be read" in err.getvalue()
    if query.startswith("SELECT"):
        assert out.getvalue().splitlines()[-2:] == ["window_end,n", "2024-01-01 09:01:00,1"]
