"""How Flink's answers are compared with ours, and the figures with it and without it."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import datetime
from decimal import Decimal

import numpy as np
import pytest

from benchmarks.nexmark import bench as measuring
from benchmarks.nexmark.__main__ import main
from benchmarks.nexmark.bench import Figures, Run, summary
from benchmarks.nexmark.flink_check import difference
from benchmarks.nexmark.flink_memory import compile_connector, statements, write_parts
from benchmarks.nexmark.flink_peer import Measured


def test_changes_come_to_the_same_rows():
    moment = datetime(2015, 7, 15, 0, 0, 1)
    changes = [
        ("+I", ("2015-07-15 00:00:01", 1)),
        ("-U", ("2015-07-15 00:00:01", 1)),
        ("+U", ("2015-07-15 00:00:01", 2)),
    ]
    assert difference(0, changes, {(moment, 2): 1}) is None
    assert "1 rows that we have not" in str(difference(0, changes, {}))
    assert "1 that only we have" in str(difference(0, changes, {(moment, 2): 2}))


def test_rows_written_over_those_of_their_key_count_once():
    changes = [("+I", (7, 1, "a")), ("+U", (7, 1, "b")), ("+I", (7, 2, "c"))]
    assert difference(18, changes, {(7, 1, "b"): 1, (7, 2, "c"): 1}) is None
    assert difference(18, [*changes, ("-D", (7, 2, "c"))], {(7, 1, "b"): 1}) is None
    assert difference(0, changes, {(7, 1, "b"): 1, (7, 2, "c"): 1}) is not None


def test_averages_and_missing_matches_differ_as_the_dialects_do():
    assert difference(4, [("+I", (10, 3))], {(10, 3.75): 1}) is None
    assert difference(17, [("+I", (10, 8))], {(10, Decimal(8)): 1}) is None
    assert difference(21, [], {(10, ""): 1}) is None
    assert difference(21, [], {(10, "1"): 1}) is not None


def test_ratios_are_those_of_one_run_where_flink_ran():
    ours = (Run(0.5, 0.8, 10, None), Run(0.4, 0.9, 10, None))
    figures = Figures(0, 1_000_000, 2, ours, 4.0, (Measured(2.0, 4.0, 900.0), Measured(4.0, 3.2, 900.0)), 100.0)
    assert (figures.ratio, figures.ratio_by_processor, figures.ratio_of_memory) == (5.0, pytest.approx(4.0), 25.0)
    assert "5.0 x by the clock" in figures.line()
    stored = Figures(0, 1_000_000, 2, ours)
    assert stored.ratio == pytest.approx(2500 / 1029)
    assert "as stored" in stored.line()
    refused = Figures(6, 1_000_000, 2, ours, refused="no such window")
    assert "refuses: no such window" in refused.line()
    assert summary([figures, refused])[0] == "geometric mean of 1: 5.0 x Flink by the clock, least 5.0 (q0)"
    assert "as stored" in summary([stored])[0]


def test_without_a_compiler_stored_figures_are_used(monkeypatch, capsys):
    monkeypatch.setattr(measuring, "has_compiler", lambda: False)
    assert (
        main(["bench", "--events", "500", "--runs", "1", "--alone", "--queries", "0", "--flink", sys.executable]) == 0
    )
    assert "there is no javac" in (printed := capsys.readouterr().out)
    assert "as stored" in printed


@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a Java compiler")
def test_an_interpreter_without_flink_is_named(tmp_path):
    with pytest.raises(RuntimeError, match="no apache-flink"):
        compile_connector(sys.executable, tmp_path)


def test_parts_hold_cycles_of_events_in_turn(tmp_path):
    write_parts(tmp_path, 200, 2)
    assert [(tmp_path / "bid" / part / "rows").read_text() for part in "01"] == ["92", "92"]
    times = [np.fromfile(tmp_path / "bid" / part / "dateTime.values", dtype="<i8") for part in "01"]
    assert times[0][45] < times[1][0] < times[1][45] < times[0][46]
    offsets = np.fromfile(tmp_path / "person" / "0" / "name.offsets", dtype="<i4")
    assert len(offsets) == 3
    assert (tmp_path / "person" / "0" / "name.values").stat().st_size == offsets[-1]
    assert sum(f"'path' = '{tmp_path}" in statement for statement in statements(tmp_path)) == 4


@pytest.mark.thorough
@pytest.mark.skipif(
    "TABLEFLOW_FLINK" not in os.environ, reason="TABLEFLOW_FLINK names no interpreter with apache-flink"
)
def test_flink_gives_the_same_answers():
    assert main(["check", "--events", "5000", "--flink", os.environ["TABLEFLOW_FLINK"]]) == 0
