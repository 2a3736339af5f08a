"""From the end of a window to its result: what the engine adds to the time that is in the data.

The generator sends each event at its event time, which is the clock's, so a window's result is late by the time between the window's
end and the arrival of its last row.  The watermark follows the events without delay.  The first windows are left out: they
pay for what a process does once.

On a machine that others share the hypervisor takes processors away for a while, and no engine answers then; so windows during which
that happened are told apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tableflow
from benchmarks.nexmark.plot import Curve, curve_svg

_WARM = 2
_TAKEN = 0.01
"""From which share of the processors' time on a window counts as disturbed."""
_TABLE = """CREATE TABLE bid (auction BIGINT, `dateTime` TIMESTAMP(3), WATERMARK FOR `dateTime` AS `dateTime`)
WITH ('connector' = 'nexmark', 'table' = 'bid', 'rate' = '{rate}', 'paced' = 'true', 'base-ms' = 'now')"""
_COUNT = """SELECT {key} window_end, count(*) AS bids
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '{window:.3f}' SECOND)) GROUP BY {key} window_start, window_end"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the ends of windows to their last rows, ascending; ``processor``: of one, how much was busy.

    ``undisturbed`` are those of the windows during which the hypervisor took less than :data:`_TAKEN` of the processors away.
    """

    milliseconds: tuple[float, ...]
    undisturbed: tuple[float, ...]
    processor: float
    stolen: float

    def at(self, part: float) -> float:
        """A quantile."""
        return _quantile(self.milliseconds, part)

    @property
    def line(self) -> str:
        """For people."""
        return (
            f"{len(self.milliseconds)} windows: p50 {self.at(0.5):.1f} ms, p99 {self.at(0.99):.1f} ms, "
            f"max {self.milliseconds[-1]:.1f} ms; {self.processor:.0%} of a processor, {self.stolen:.1%} of the machine taken away; "
            f"{len(self.undisturbed)} undisturbed windows: p50 {_quantile(self.undisturbed, 0.5):.1f} ms, "
            f"p99 {_quantile(self.undisturbed, 0.99):.1f} ms"
        )


def _quantile(ascending: Sequence[float], part: float) -> float:
    return ascending[min(int(part * len(ascending)), len(ascending) - 1)] if ascending else float("nan")


def _stolen_seconds() -> float:
    """How long the hypervisor has taken processors away from this machine, summed over them; 0 where that is not told."""
    try:
        line = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return 0.0
    return int(line[8]) / os.sysconf("SC_CLK_TCK") if len(line) > 8 else 0.0


def measure(
    rate: int, windows: int, window: float = 1.0, *, keyed: bool = False, settings: dict[str, str] | None = None
) -> Latency:
    """Counts ``rate`` events per second (of all kinds) in tumbling windows of so many seconds, by auction if ``keyed``."""
    late: dict[datetime, float] = {}
    stolen_by: dict[datetime, float] = {}
    with tableflow.connect(settings=settings or {}) as connection:
        connection.execute(_TABLE.format(rate=rate))
        cursor = connection.execute(_COUNT.format(window=window, key="auction," if keyed else ""))
        began, processor, stolen = time.monotonic(), time.process_time(), _stolen_seconds()
        while len(late) < windows + _WARM + 1:
            batch = cursor.fetch_record_batch()
            now = time.time()
            if batch is None:
                break
            for end in batch.column("window_end").unique().to_pylist():
                late[end] = (now - end.replace(tzinfo=UTC).timestamp()) * 1000
                stolen_by[end] = _stolen_seconds()
        took = time.monotonic() - began
        busy = (time.process_time() - processor) / took
        stolen = (_stolen_seconds() - stolen) / took / (os.cpu_count() or 1)
        cursor.close()
    ends = sorted(late)
    before = dict(zip(ends[1:], ends, strict=False))
    counted = ends[_WARM : _WARM + windows]  # the last one may not have arrived whole
    most = _TAKEN * window * (os.cpu_count() or 1)
    calm = [late[end] for end in counted if stolen_by[end] - stolen_by[before[end]] < most]
    return Latency(tuple(sorted(late[end] for end in counted)), tuple(sorted(calm)), busy, stolen)


def latency(rates: Sequence[int], windows: int, window: float, *, keyed: bool) -> None:
    """Prints what was measured at each rate."""
    for rate in rates:
        print(f"{rate:>9,} events/s, {measure(rate, windows, window, keyed=keyed).line}", flush=True)


def plot(
    timeouts: Sequence[int], rates: Sequence[int], windows: int, window: float, out: Path, part: float = 0.99
) -> None:
    """Draws a quantile over the rate for several buffer timeouts (in ms), as of figure 4 of the Flink paper."""
    curves = []
    for timeout in timeouts:
        points = []
        for rate in rates:
            found = measure(rate, windows, window, keyed=True, settings={"execution.buffer-timeout": f"{timeout} ms"})
            print(f"buffer timeout {timeout:>3} ms, {rate:>9,} events/s, {found.line}", flush=True)
            points.append((float(rate), max(found.at(part), 0.1)))
        curves.append(Curve(f"{timeout} ms", tuple(points)))
    out.write_text(curve_svg(curves, "events per second", f"latency in ms, {part:.0%} of windows"))
