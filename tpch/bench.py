"""The benchmark: engines interleaved per query in one process, planning included, nothing cached between runs but
parsed footers and compiled programs.  Each run but the first has other literals, drawn by TPC-H's rules.  Peak anonymous memory is measured apart, one process an engine.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tpch.chart import bar_chart
from tpch.engines import open_engine
from tpch.queries import NUMBERS


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one query on one engine."""

    query: int
    engine: str
    runs: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The fastest run."""
        return min(self.runs)

    @property
    def median(self) -> float:
        """The middle run."""
        return statistics.median(self.runs)


def bench(
    data: Path,
    engines: Sequence[str],
    runs: int,
    threads: int,
    out: Path | None,
    queries: Sequence[int] = NUMBERS,
    *,
    memory: bool = True,
) -> None:
    """Measures, prints a table, writes JSON and an SVG beside it."""
    opened = [open_engine(name, data, threads) for name in engines]
    timings: list[Timing] = []
    for number in queries:
        taken: dict[str, list[float]] = {name: [] for name in engines}
        for run in range(runs):
            for engine in opened:
                start = time.perf_counter()
                engine.run(number, run)
                taken[engine.name].append((time.perf_counter() - start) * 1e3)
        timings += [Timing(number, name, tuple(taken[name])) for name in engines]
        shown = "  ".join(f"{name} {min(taken[name]):8.1f} ({statistics.median(taken[name]):8.1f})" for name in engines)
        print(f"q{number:02d}  {shown}", flush=True)
    peaks = {name: peak_memory(name, data, threads, queries) for name in engines} if memory else {}
    summary = summarise(timings, engines)
    for line in summary:
        print(line)
    for name, peak in peaks.items():
        print(f"{name}: peak anonymous memory {peak / 2**20:.0f} MiB")
    if out is not None:
        document = {
            "data": data.name,
            "threads": threads,
            "runs": runs,
            "timings": [asdict(timing) | {"min": timing.minimum, "median": timing.median} for timing in timings],
            "peak_anonymous_bytes": peaks,
        }
        out.write_text(json.dumps(document, indent=1))
        by_engine = {name: [t.minimum for t in timings if t.engine == name] for name in engines}
        labels = [f"q{number}" for number in queries]
        out.with_suffix(".svg").write_text(bar_chart(labels, by_engine, "TPC-H, milliseconds, minimum"))


def summarise(timings: Sequence[Timing], engines: Sequence[str]) -> list[str]:
    """By the fastest and by the middle run: totals, geometric means of the ratios to the first engine's time, the worst query."""
    by_minimum = {(t.query, t.engine): t.minimum for t in timings}
    by_median = {(t.query, t.engine): t.median for t in timings}
    return [*_summary("minimum", by_minimum, engines), *_summary("median", by_median, engines)]


def _summary(what: str, by: Mapping[tuple[int, str], float], engines: Sequence[str]) -> list[str]:
    queries = sorted({query for query, _ in by})
    lines = [f"total {what}: {'  '.join(f'{e} {sum(by[q, e] for q in queries):.1f} ms' for e in engines)}"]
    first = engines[0]
    for other in engines[1:]:
        ratios = {q: by[q, first] / by[q, other] for q in queries}
        mean = math.exp(statistics.fmean(math.log(r) for r in ratios.values()))
        worst = max(ratios, key=lambda q: ratios[q])
        lines.append(
            f"{first} / {other}: geometric mean {mean:.2f}, total {sum(by[q, first] for q in queries) / sum(by[q, other] for q in queries):.2f}, "
            f"worst q{worst} {ratios[worst]:.2f}"
        )
    return lines


def peak_memory(engine: str, data: Path, threads: int, queries: Sequence[int]) -> int:
    """Peak anonymous resident bytes of a process that runs the queries once."""
    command = [sys.executable, "-m", "tpch", "peak", "--engine", engine, "--data", str(data), "--threads", str(threads)]
    command += ["--queries", ",".join(map(str, queries))]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def print_own_peak(engine: str, data: Path, threads: int, queries: Sequence[int]) -> None:
    """Runs the queries in this process while sampling its anonymous memory; prints the peak in bytes."""
    peak = 0
    stop = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not stop.wait(0.005):
            peak = max(peak, anonymous_bytes())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    opened = open_engine(engine, data, threads)
    for number in queries:
        opened.run(number)
    stop.set()
    sampler.join()
    print(max(peak, anonymous_bytes()))


def anonymous_bytes() -> int:
    """RssAnon of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0
