"""Making ``hits.parquet``: our own draws in the shape of the published table, a row group at a time.

The same seed and number of rows give the same table.  Like the original, which is a dump of sorted parts, every part of four
row groups is ordered by counter and day: a query about one counter finds it in some row groups and not in others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.clickbench.draws import Numbers, chosen, mixed, part, picked, share, skewed
from benchmarks.clickbench.fillers import filled
from benchmarks.clickbench.schema import HITS
from benchmarks.clickbench.texts import phrases, referers, titles, urls

GROUP_ROWS = 250_000
GROUPS_OF_PART = 4
COUNTERS = 6_000
FIRST_DAY = np.datetime64("2013-07-01", "us")
NAMED_COUNTER, NAMED_USER, NAMED_REFERER, NAMED_URL = 62, 435090932899640449, 3594120000172545465, 2868770270353813622
"""What the queries ask for by value: the second of the counters, a user, the first referer, the front page of that counter."""

_SCREENS = (
    (1366, 768),
    (1920, 1080),
    (1280, 1024),
    (1024, 768),
    (1600, 900),
    (1440, 900),
    (360, 640),
    (320, 480),
    (0, 0),
)
_MODELS = [
    "iPhone",
    "iPad",
    *(f"{maker} {n}" for maker in ("GT-I", "Lumia", "Xperia", "HTC") for n in range(9000, 9040)),
]


def generate(rows: int, out: Path, seed: int = 62, group_rows: int = GROUP_ROWS) -> Path:
    """Writes ``out/hits.parquet`` with this many rows; a file that is there is replaced."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "hits.parquet"
    with pq.ParquetWriter(path, HITS, compression="snappy") as writer:
        for group in row_groups(rows, seed, group_rows):
            writer.write_table(group, row_group_size=group_rows)
    return path


def row_groups(rows: int, seed: int, group_rows: int) -> Iterator[pa.Table]:
    """The table in pieces; memory is that of one."""
    for first in range(0, rows, group_rows * GROUPS_OF_PART):
        draw = np.random.default_rng((seed, first))
        count = min(group_rows * GROUPS_OF_PART, rows - first)
        counters, days = skewed(draw, count, COUNTERS, 1.05), draw.integers(0, 31, count)
        order = np.lexsort((days, _counter_ids(counters)))
        for start in range(0, count, group_rows):
            some = order[start : start + group_rows]
            yield _Rows(draw, rows, counters[some], days[some], first + start).table()


def _counter_ids(ranks: Numbers) -> Numbers:
    """Counters by rank; those of few visits have any number."""
    return np.where(ranks == 1, NAMED_COUNTER, 63 + part(ranks, 1, 2**24) % 240_000)


class _Rows:
    """The rows of one row group: who visited which page when, and all that follows from it."""

    def __init__(self, draw: np.random.Generator, rows: int, counters: Numbers, days: Numbers, first: int) -> None:
        self._draw, self._rows, self._count = draw, rows, len(counters)
        self._counters, self._days, self._first = counters, days, first
        self._columns: dict[str, Numbers | pa.Array] = {}

    def table(self) -> pa.Table:
        """All columns by the schema."""
        self._columns |= filled(self._draw, self._count)
        self._visit()
        self._visitor()
        self._page()
        self._origin()
        return pa.table([pa.array(self._columns[field.name]).cast(field.type) for field in HITS], schema=HITS)

    def _flags(self, *portions: float) -> list[Numbers]:
        return [(self._draw.random(self._count) < portion).astype(np.int16) for portion in portions]

    def _visit(self) -> None:
        """When, and what of kind of hit it was; more happens in the evening."""
        columns, count = self._columns, self._count
        seconds = (self._draw.triangular(0, 17, 24, count) * 3600).astype(np.int64)
        times = FIRST_DAY + ((self._days * 86_400 + seconds) * 1_000_000).astype("timedelta64[us]")
        columns["WatchID"] = (mixed(np.arange(self._first, self._first + count), 70) >> np.uint64(1)).astype(np.int64)
        columns["EventTime"], columns["EventDate"] = times, times.astype("datetime64[D]")
        columns["ClientEventTime"] = times + self._draw.integers(-600, 600, count).astype("timedelta64[s]")
        columns["LocalEventTime"] = times + self._draw.integers(-3, 60, count).astype("timedelta64[s]")
        columns["CounterID"] = _counter_ids(self._counters)
        names = ("IsRefresh", "DontCountHits", "IsLink", "IsDownload")
        columns |= dict(zip(names, self._flags(0.12, 0.06, 0.1, 0.003), strict=True))

    def _visitor(self) -> None:
        """Who: everything follows from the user but the window, which has any size up to that of the screen."""
        columns, draw, count = self._columns, self._draw, self._count
        users = skewed(draw, count, max(self._rows // 4, 100), 0.6)
        columns["UserID"] = np.where(users == 7, NAMED_USER, (mixed(users, 71) >> np.uint64(1)).astype(np.int64))
        columns["FUniqID"] = np.where(share(users, 72, 0.2), 0, (mixed(users, 73) >> np.uint64(2)).astype(np.int64))
        addresses = users * 4 + skewed(draw, count, 4, 1.5)
        columns["ClientIP"] = mixed(addresses, 74).astype(np.uint32).view(np.int32)
        columns["RemoteIP"] = mixed(addresses, 75).astype(np.uint32).view(np.int32)
        columns["IPNetworkID"] = part(addresses, 76, 4_000_000)
        columns["RegionID"] = 1 + part(users, 77, 96) * part(users, 78, 9_000) // 96
        screens = part(users, 79, 12) * part(users, 80, len(_SCREENS)) // 12
        widths, heights = (np.asarray([screen[side] for screen in _SCREENS])[screens] for side in (0, 1))
        columns["ResolutionWidth"], columns["ResolutionHeight"] = widths, heights
        columns["WindowClientWidth"] = (widths * draw.random(count)).astype(np.int64)
        columns["WindowClientHeight"] = (heights * draw.random(count)).astype(np.int64)
        columns["OS"], columns["UserAgent"] = part(users, 81, 90), part(users, 82, 80)
        columns["UserAgentMajor"] = part(users, 83, 30)
        mobile = share(users, 84, 0.06)
        models = np.where(mobile, part(users, 85, 40) * part(users, 86, len(_MODELS)) // 40, -1)
        columns["IsMobile"] = mobile.astype(np.int16)
        columns["MobilePhone"] = np.where(mobile, models % 60 + 1, 0)
        columns["MobilePhoneModel"] = picked(["", *_MODELS], models + 1)

    def _page(self) -> None:
        """What: a site has as many pages as it has visits for, its front page is a tenth of them, others follow Zipf's law."""
        columns, draw, count = self._columns, self._draw, self._count
        universe = np.maximum(self._rows * 0.06 / (self._counters + 1.0), 20.0).astype(np.int64)
        pages = np.where(draw.random(count) < 0.1, 0, skewed(draw, count, universe, 0.7))
        numbers, where = np.unique(self._counters << 40 | pages, return_inverse=True)
        sites = numbers >> 40
        columns["URL"], columns["Title"] = (made(numbers, sites).take(pa.array(where)) for made in (urls, titles))
        hashes = mixed(numbers, 90).view(np.int64)
        columns["URLHash"] = np.where(numbers == 1 << 40, NAMED_URL, hashes)[where]
        kept = draw.random(count) < 0.06
        columns["OriginalURL"] = pa.compute.if_else(pa.array(kept), columns["URL"], "")

    def _origin(self) -> None:
        """From where: a search engine knows the phrase, an advertisement its network; a fifth comes from nowhere."""
        columns, draw, count = self._columns, self._draw, self._count
        searched = draw.random(count) < 0.13
        ranks, where = np.unique(skewed(draw, count, max(self._rows // 14, 50), 0.75), return_inverse=True)
        columns["SearchPhrase"] = pa.compute.if_else(pa.array(searched), phrases(ranks).take(pa.array(where)), "")
        columns["SearchEngineID"] = np.where(
            searched, chosen(draw, count, (2, 3, 4, 13, 22), (0.3, 0.1, 0.05, 0.01)), 0
        )
        columns["AdvEngineID"] = chosen(draw, count, (0, 2, 27, 13, 45, 44), (0.004, 0.001, 0.0005, 0.0003, 0.0001))
        elsewhere = chosen(draw, count, (-1, 0, 1, 6, 3, 5), (0.2, 0.25, 0.08, 0.05, 0.02))
        columns["TraficSourceID"] = np.where(searched, 2, elsewhere)
        ranks, where = np.unique(skewed(draw, count, max(self._rows // 5, 200), 0.85), return_inverse=True)
        known = draw.random(count) >= 0.2
        columns["Referer"] = pa.compute.if_else(pa.array(known), referers(ranks).take(pa.array(where)), "")
        hashes = np.where(ranks == 0, NAMED_REFERER, mixed(ranks, 91).view(np.int64))
        columns["RefererHash"] = np.where(known, hashes[where], 0)
