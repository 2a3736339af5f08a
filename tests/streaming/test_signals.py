"""What ends the command from outside ends its jobs at an epoch: files are complete, metrics written."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.front.command import COMMAND, environment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("sent", "code", "told"), [(signal.SIGTERM, 143, "terminated\n"), (signal.SIGINT, 130, "interrupted\n")]
)
def test_a_signal_completes_what_jobs_write(tmp_path: Path, sent: signal.Signals, code: int, told: str) -> None:
    script = f"""
        CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');
        CREATE TABLE out (k INT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path / "out"}', 'format' = 'json');
        INSERT INTO out SELECT k FROM made;
        FLUSH;
    """
    metrics = tmp_path / "metrics.json"
    command = [*COMMAND, "run", "-c", script, "--metrics", str(metrics)]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=environment()) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "running: out; Ctrl-C stops\n"
        process.send_signal(sent)
        if sent is signal.SIGTERM:
            process.send_signal(sent)  # as `timeout` does
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (code, told)
    files = [one for one in (tmp_path / "out").rglob("*") if one.is_file()]
    rows = [line for one in files for line in one.read_text().splitlines()]
    assert not [one.name for one in files if one.name.startswith((".", "_"))]
    assert rows
    assert json.loads(metrics.read_text())["rows_out"] >= len(rows)  # some were under way to the next epoch
