"""Time zones against zoneinfo, one value at a time: offsets, wall clocks, gaps and overlaps, before 1900 and after 2037."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.expressions.casting.zones import offset_text, to_instant, to_wall

pytestmark = pytest.mark.slow

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "Pacific/Apia",
    "Africa/Monrovia", "America/Sao_Paulo", "Europe/Dublin",
)  # fmt: skip
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
WALL_EPOCH = dt.datetime(1970, 1, 1)
MOMENTS = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29)) | st.datetimes(
    dt.datetime(2019, 1, 1), dt.datetime(2021, 1, 1)
)


def microseconds(of):
    return of // dt.timedelta(microseconds=1)


@pytest.mark.slow
@given(st.lists(MOMENTS, min_size=1, max_size=30), st.sampled_from(ZONES))
@example(
    [dt.datetime(2050, 7, 1), dt.datetime(2499, 12, 31, 23, 59), dt.datetime(2500, 7, 1), dt.datetime(1850, 1, 1)],
    "Europe/Berlin",
)
def test_an_instant_is_shown_as_zoneinfo_shows_it(moments, zone):
    instants = np.array([microseconds(m - WALL_EPOCH) for m in moments])
    expected = [m.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for m in moments]
    assert to_wall(instants, t.TIMESTAMP_LTZ, zone).tolist() == [microseconds(m - WALL_EPOCH) for m in expected]
    of = t.TimestampType(9, zoned=True)
    held = [i for i, m in enumerate(moments) if 1700 < m.year < 2250]
    shown = to_wall(instants[held] * 1000, of, zone).tolist()
    assert shown == [microseconds(expected[i] - WALL_EPOCH) * 1000 for i in held]


@given(st.lists(MOMENTS, min_size=1, max_size=30), st.sampled_from(ZONES))
@example(
    [dt.datetime(2020, 3, 29, 2, 30), dt.datetime(2020, 10, 25, 2, 30), dt.datetime(2020, 10, 25, 3, 0)],
    "Europe/Berlin",
)
@example(
    [dt.datetime(2011, 12, 30, 12, 0), dt.datetime(2011, 12, 29, 23, 59), dt.datetime(2011, 12, 31)], "Pacific/Apia"
)
def test_a_wall_clock_time_is_the_instant_with_the_offset_before_a_change(moments, zone):
    # zoneinfo, too, takes the first of two instants (fold=0), and in a gap the offset before it.
    walls = np.array([microseconds(m - WALL_EPOCH) for m in moments])
    expected = [microseconds(m.replace(tzinfo=ZoneInfo(zone)) - EPOCH) for m in moments]
    assert to_instant(walls, t.TIMESTAMP_LTZ, zone).tolist() == expected


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "+00"), (7200, "+02"), (-12600, "-03:30"), (3208, "+00:53:28"), (-43200, "-12")]
)
def test_offsets_are_written_as_short_as_can_be(seconds, text):
    assert offset_text(seconds) == text
