"""The benchmark: engines interleaved per query in one process, planning included, nothing kept between runs but what the engines keep by
themselves: parsed footers, compiled programs, decompressed pages as far as ``scan.page-cache`` goes (DuckDB: bytes of files).  ``--set scan.page-cache=0``
measures without these.  Each run but the first has other literals, where the suite has rules to draw them.

Each run is timed by the clock and by the processor (all threads of the process); the second hardly depends on what else the machine does.
An engine whose SQL lacks what a query needs has no figures for it; ours must answer all.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.side_by_side.chart import bar_chart
from benchmarks.side_by_side.engines import Engine, open_engine
from benchmarks.side_by_side.peak import peak_memory
from benchmarks.side_by_side.suite import Suite


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one query on one engine, by the clock and by the processor; no runs where it has no answer."""

    query: int
    engine: str
    runs: tuple[float, ...]
    processor: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The fastest run, by the clock."""
        return min(self.runs, default=math.nan)

    @property
    def median(self) -> float:
        """The middle run, by the clock."""
        return statistics.median(self.runs) if self.runs else math.nan

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self) | ({"min": self.minimum, "median": self.median} if self.runs else {})


def bench(
    suite: Suite,
    data: Path,
    engines: Sequence[str],
    runs: int,
    threads: int,
    out: Path | None,
    queries: Sequence[int],
    settings: Mapping[str, str],
    *,
    memory: bool = True,
) -> list[Timing]:
    """Measures, prints a table, writes JSON and an SVG beside it."""
    opened = [open_engine(name, suite.files(data), threads, settings) for name in engines]
    timings: list[Timing] = []
    for number in queries:
        taken = measure(suite, number, opened, runs)
        timings += taken
        shown = "  ".join(f"{timing.engine} {timing.minimum:8.1f} ({timing.median:8.1f})" for timing in taken)
        print(f"q{number:02d}  {shown}", flush=True)
    answered = {name: [t.query for t in timings if t.engine == name and t.runs] for name in engines}
    peaks = (
        {name: peak_memory(suite, name, data, threads, answered[name], settings) for name in engines} if memory else {}
    )
    for line in summarise(timings, engines):
        print(line)
    for name, peak in peaks.items():
        print(f"{name}: peak anonymous memory {peak / 2**20:.0f} MiB")
    if out is not None:
        document = {
            "data": data.name,
            "threads": threads,
            "runs": runs,
            "settings": dict(settings),
            "timings": [timing.document() for timing in timings],
            "peak_anonymous_bytes": peaks,
        }
        out.write_text(json.dumps(document, indent=1))
        by_engine = {name: [t.minimum if t.runs else 0.0 for t in timings if t.engine == name] for name in engines}
        labels = [f"q{number}" for number in queries]
        out.with_suffix(".svg").write_text(bar_chart(labels, by_engine, f"{suite.title}, milliseconds, minimum"))
    return timings


def measure(suite: Suite, number: int, engines: Sequence[Engine], runs: int) -> list[Timing]:
    """One query, run after run by each engine in turn."""
    taken: dict[str, list[tuple[float, float]]] = {engine.name: [] for engine in engines}
    able = list(engines)
    for run in range(runs):
        text = suite.text(number, run)
        for engine in tuple(able):
            start, processor = time.perf_counter(), time.process_time()
            try:
                engine.run(text)
            except Exception:
                if engine.name == "tableflow":
                    raise
                able.remove(engine)
                continue
            taken[engine.name].append(((time.perf_counter() - start) * 1e3, (time.process_time() - processor) * 1e3))
    return [Timing(number, name, tuple(r[0] for r in some), tuple(r[1] for r in some)) for name, some in taken.items()]


def summarise(timings: Sequence[Timing], engines: Sequence[str]) -> list[str]:
    """By the fastest run, the middle one, and the fastest by the processor: totals, geometric mean of the ratios, the worst query."""
    measures: Mapping[str, Callable[[Timing], float]] = {
        "minimum": lambda timing: timing.minimum,
        "median": lambda timing: timing.median,
        "processor": lambda timing: max(min(timing.processor), 1e-3),
    }
    by = {(t.query, t.engine): t for t in timings if t.runs}
    lines, first = [], engines[0]
    for other in engines[1:]:
        both = [(by[query, first], by[query, other]) for query, name in by if name == other and (query, first) in by]
        lines += [_summary(f"{first} / {other}, {name}", of, both) for name, of in measures.items() if both]
    return lines


def _summary(what: str, of: Callable[[Timing], float], both: Sequence[tuple[Timing, Timing]]) -> str:
    ratios = {ours.query: of(ours) / of(theirs) for ours, theirs in both}
    ours, theirs = (sum(of(pair[side]) for pair in both) for side in (0, 1))
    mean = math.exp(statistics.fmean(map(math.log, ratios.values())))
    worst = max(ratios, key=lambda query: ratios[query])
    return (
        f"{what}: geometric mean of {len(ratios)} queries {mean:.2f}, total {ours:.1f} ms / {theirs:.1f} ms = {ours / theirs:.2f}, "
        f"worst q{worst} {ratios[worst]:.2f}"
    )
