"""``tableflow run --metrics``: what the jobs of a script did, as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tableflow.runtime.counts import JobCounters
from tableflow.shell.metrics import JobFigures, figures_of, summed
from tableflow.shell.run import Target, run_script

_SOURCE = """CREATE TABLE s (a BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '1000',
  'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '1000');
"""


def _metrics(script: str, tmp_path: Path, **settings: str) -> dict[str, Any]:
    file = tmp_path / "metrics.json"
    target = Target(tuple(settings.items()), metrics=str(file))
    out, err = io.StringIO(), io.StringIO()
    assert run_script(script, target, "table", timing=False, out=out, err=err) == 0, err.getvalue()
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("mode", ["batch", "streaming"])
def test_a_statement_that_writes(tmp_path: Path, mode: str) -> None:
    script = f"{_SOURCE} SET 'execution.runtime-mode' = '{mode}'; CREATE TABLE b (a BIGINT) WITH ('connector' = 'blackhole'); "
    found = _metrics(script + "INSERT INTO b SELECT a FROM s WHERE a > 10", tmp_path)
    assert (found["events"], found["rows_out"], found["jobs"]) == (1000, 990, 1)
    assert (found["checkpoints"], found["checkpoint_mb"]) == (0, 0.0)
    assert 0 < found["job_s"] < 60
    assert 10 < found["peak_rss_mb"] < 100_000


def test_rows_that_are_shown(tmp_path: Path) -> None:
    assert _metrics(_SOURCE + "SELECT a FROM s LIMIT 7", tmp_path)["rows_out"] == 7
    nothing = _metrics("CREATE VIEW v AS SELECT 1 AS a", tmp_path)
    assert (nothing["job_s"], nothing["events"], nothing["rows_out"], nothing["jobs"]) == (0.0, 0, 0, 0)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        run_script(
            "SELECT 1", Target(metrics=str(tmp_path / "no" / "m.json")), "table", timing=False,
            out=io.StringIO(), err=io.StringIO(),
        )  # fmt: skip


def test_jobs_are_summed() -> None:
    whole = summed([JobFigures(2_000, 5_000, 3, 2), JobFigures(1_000, 4_000, 4, 1), JobFigures(0, 0, 0, 1)])
    assert (whole.job_s, whole.events, whole.rows_out, whole.jobs) == (4e-6, 7, 4, 3)
    assert figures_of(JobCounters((), 0, 0), 5, 7) == JobFigures(0, 7, 0, 5)
