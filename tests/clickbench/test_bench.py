"""The benchmark measures every engine that has an answer, and only our own must have all."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks.clickbench.suite import SUITE
from benchmarks.side_by_side.bench import Timing, measure, summarise
from benchmarks.side_by_side.command import run_command
from benchmarks.side_by_side.engines import Engine


class Unable(Engine):
    """An engine that lacks what a query needs."""

    def __init__(self, name):
        self.name = name

    def run(self, sql):
        raise NotImplementedError(sql)


def test_figures_of_a_run(hits, tmp_path, capsys):
    out = tmp_path / "figures.json"
    given = ["bench", "--data", str(hits), "--queries", "0,q7-8", "--runs", "2", "--engines", "tableflow,duckdb"]
    assert run_command(SUITE, [*given, "--threads", "2", "--no-memory", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "tableflow / duckdb, minimum: geometric mean of 3 queries" in printed
    document = json.loads(out.read_text())
    assert [(t["query"], t["engine"]) for t in document["timings"]] == [
        (query, engine) for query in (0, 7, 8) for engine in ("tableflow", "duckdb")
    ]
    assert all(len(t["runs"]) == len(t["processor"]) == 2 and 0 < t["min"] <= t["median"] for t in document["timings"])
    assert out.with_suffix(".svg").read_text().count("<rect") == 2 + 3 * 2


def test_peak_of_this_process(hits, capsys):
    assert run_command(SUITE, ["peak", "--engine", "tableflow", "--data", str(hits), "--queries", "0"]) == 0
    assert int(capsys.readouterr().out) > 2**20


def test_a_peer_without_an_answer_has_no_figures():
    [timing] = measure(SUITE, 0, [Unable("polars")], 2)
    assert timing.runs == ()
    assert math.isnan(timing.minimum)
    assert "min" not in timing.document()
    with pytest.raises(NotImplementedError):
        measure(SUITE, 0, [Unable("tableflow")], 1)


def test_ratios_are_over_what_both_answer():
    timings = [Timing(1, "a", (4.0, 2.0), (2.0,)), Timing(2, "a", (8.0,), (8.0,)), Timing(3, "a", (1.0,), (1.0,))]
    timings += [Timing(1, "b", (1.0,), (4.0,)), Timing(2, "b", (1.0,), (1.0,)), Timing(3, "b", (), ())]
    by_minimum, by_median, by_processor = summarise(timings, ["a", "b"])
    assert by_minimum == (
        "a / b, minimum: geometric mean of 2 queries 4.00, total 10.0 ms / 2.0 ms = 5.00, worst q2 8.00"
    )
    assert "median: geometric mean of 2 queries 4.90, total 11.0 ms" in by_median
    assert "processor: geometric mean of 2 queries 2.00" in by_processor
    assert summarise(timings, ["b", "c"]) == []


def test_numbers_of_queries():
    assert SUITE.chosen("0,q3,7-q9") == (0, 3, 7, 8, 9)
    with pytest.raises(SystemExit):
        run_command(SUITE, ["bench", "--data", "x", "--queries", "43"])
