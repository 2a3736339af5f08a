"""From the end of a window to its result: what the engine adds to the time that is in the data.

The generator sends each event at its event time, which is the clock's, so a window's result is late by the time between the window's
end and the arrival of its last row.  The watermark follows the events without delay.  The first windows are left out: they
pay for what a process does once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tableflow
from benchmarks.nexmark.plot import Curve, curve_svg

_WARM = 2
_TABLE = """CREATE TABLE bid (auction BIGINT, `dateTime` TIMESTAMP(3), WATERMARK FOR `dateTime` AS `dateTime`)
WITH ('connector' = 'nexmark', 'table' = 'bid', 'rate' = '{rate}', 'paced' = 'true', 'base-ms' = 'now')"""
_COUNT = """SELECT {key} window_end, count(*) AS bids
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '{window:.3f}' SECOND)) GROUP BY {key} window_start, window_end"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the ends of windows to their last rows, ascending; ``processor``: of one, how much was busy."""

    milliseconds: tuple[float, ...]
    processor: float

    def at(self, part: float) -> float:
        """A quantile."""
        return self.milliseconds[min(int(part * len(self.milliseconds)), len(self.milliseconds) - 1)]

    @property
    def line(self) -> str:
        """For people."""
        return (
            f"{len(self.milliseconds)} windows: p50 {self.at(0.5):.1f} ms, p99 {self.at(0.99):.1f} ms, "
            f"max {self.milliseconds[-1]:.1f} ms; {self.processor:.0%} of a processor"
        )


def measure(
    rate: int, windows: int, window: float = 1.0, *, keyed: bool = False, settings: dict[str, str] | None = None
) -> Latency:
    """Counts ``rate`` events per second (of all kinds) in tumbling windows of so many seconds, by auction if ``keyed``."""
    late: dict[datetime, float] = {}
    with tableflow.connect(settings=settings or {}) as connection:
        connection.execute(_TABLE.format(rate=rate))
        cursor = connection.execute(_COUNT.format(window=window, key="auction," if keyed else ""))
        began, processor = time.monotonic(), time.process_time()
        while len(late) < windows + _WARM + 1:
            batch = cursor.fetch_record_batch()
            now = time.time()
            if batch is None:
                break
            for end in batch.column("window_end").unique().to_pylist():
                late[end] = (now - end.replace(tzinfo=UTC).timestamp()) * 1000
        busy = (time.process_time() - processor) / (time.monotonic() - began)
        cursor.close()
    # The last one may not have arrived whole.
    counted = [late[end] for end in sorted(late)[_WARM : _WARM + windows]]
    return Latency(tuple(sorted(counted)), busy)


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
