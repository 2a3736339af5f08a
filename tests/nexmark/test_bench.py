"""The benchmark reports every query, and measures neither making events nor planning."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks.nexmark.__main__ import main
from benchmarks.nexmark.bench import Figures, Run
from benchmarks.nexmark.flink_peer import Flink
from benchmarks.nexmark.flink_process import _reason


@pytest.mark.slow
def test_the_benchmark_reports_what_it_measured(tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert (
        main(["bench", "--events", "5000", "--runs", "1", "--threads", "2", "--queries", "0,12", "--json", str(out)])
        == 0
    )
    printed = capsys.readouterr().out
    assert "q0 " in printed
    assert "geometric mean" in printed
    found = json.loads(out.read_text())
    assert [each["query"] for each in found["queries"]] == [0, 12]
    assert found["queries"][0]["runs"][0]["rows"] == 4600
    assert found["queries"][0]["duckdb_seconds"] > 0
    assert found["queries"][1]["duckdb_seconds"] is None  # it has no processing time
    assert all(each["by_processor"] > 0 and each["ratio"] > 0 for each in found["queries"])


def test_lines_without_a_peer_or_figures_of_flink():
    figures = Figures(6, 50_000, 2, (Run(0.5, 0.25, 10, None), Run(0.4, 0.2, 10, 3.0)), 3.0)
    assert figures.ratio is None
    assert "DuckDB" not in figures.line()
    assert " 3 MB" in figures.line()
    assert (figures.by_clock, figures.by_processor) == (125.0, 500.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_files_are_read_by_all_queries(kind, tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert main(["files", "--events", "3000", "--runs", "1", "--format", kind, "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert [each["query"] for each in found["queries"]] == list(range(23))
    assert all(each["ours"]["seconds"] > 0 and each["flink"] is None for each in found["queries"])
    assert "Flink" not in capsys.readouterr().out


def test_an_interpreter_without_flink_is_named_as_the_reason(tmp_path):
    with pytest.raises(RuntimeError, match="apache-flink"):
        Flink(sys.executable, 1, [])


def test_the_innermost_cause_is_told():
    assert (
        _reason("o.a.Outer: x\n\tat y\nCaused by: o.a.Inner: no such thing\n\t... 13 more")
        == "o.a.Inner: no such thing"
    )
    assert _reason("plain") == "plain"
