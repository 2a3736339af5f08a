"""The latency benchmark measures what it says, at a rate that any machine keeps up with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

import tableflow
from benchmarks.nexmark.__main__ import main
from benchmarks.nexmark.latency import Latency, measure
from benchmarks.nexmark.plot import Curve, curve_svg


@pytest.mark.parametrize("keyed", [False, True])
def test_every_window_arrives_after_its_end(keyed):
    found = measure(2_000, 3, 0.05, keyed=keyed)
    assert len(found.milliseconds) == 3
    # Splits are dealt 50 events in turn, so that one may be ahead of the other by as many.
    assert found.milliseconds[0] > -100
    assert list(found.milliseconds) == sorted(found.milliseconds)
    assert "3 windows: p50" in found.line


def test_quantiles():
    found = Latency(tuple(float(i) for i in range(1, 101)), (1.0, 2.0, 3.0), 0.5, 0.02)
    assert (found.at(0.5), found.at(0.99), found.at(0.0), found.at(1.0)) == (51.0, 100.0, 1.0, 100.0)
    assert "2.0% of the machine taken away; 3 undisturbed windows: p50 2.0 ms, p99 3.0 ms" in found.line


def test_no_window_may_be_undisturbed():
    assert "0 undisturbed windows: p50 nan ms" in Latency((1.0,), (), 0.5, 0.9).line


def test_the_command_prints_a_line_and_draws(capsys, tmp_path):
    given = ["latency", "--rates", "2000", "--windows", "2", "--seconds", "0.05"]
    assert main(given) == 0
    assert "2,000 events/s, 2 windows" in capsys.readouterr().out
    picture = tmp_path / "latency.svg"
    assert main([*given, "--timeouts", "0,5", "--plot", str(picture)]) == 0
    assert "5 ms" in picture.read_text()


def test_curves_are_drawn_where_their_values_are():
    drawn = ET.fromstring(curve_svg([Curve("one", ((10.0, 1.0), (1000.0, 100.0)))], "x", "y"))
    places = [(float(each.get("cx")), float(each.get("cy"))) for each in drawn.iter() if each.tag.endswith("circle")]
    assert places == [(70.0, 310.0), (510.0, 20.0)]


def test_time_of_live_events_is_the_clocks():
    with tableflow.connect() as con:
        con.execute(
            "CREATE TABLE live (`dateTime` TIMESTAMP(3)) WITH ('connector' = 'nexmark', 'table' = 'bid', 'base-ms' = 'now', "
            "'events' = '500')"
        )
        before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
        (first,) = con.execute("SELECT min(`dateTime`) FROM live").fetchone()
        assert before < first < datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=1)
