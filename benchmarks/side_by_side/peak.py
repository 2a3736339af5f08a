"""Peak anonymous memory of an engine that answers a suite's queries: measured apart, one process an engine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.side_by_side.engines import open_engine
from benchmarks.side_by_side.suite import Suite


def peak_memory(
    suite: Suite, engine: str, data: Path, threads: int, queries: Sequence[int], settings: Mapping[str, str]
) -> int:
    """Peak anonymous resident bytes of a process that runs the queries once."""
    command = [sys.executable, "-m", suite.module, "peak", "--engine", engine, "--data", str(data)]
    command += ["--threads", str(threads), "--queries", ",".join(map(str, queries))]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def print_own_peak(
    suite: Suite, engine: str, data: Path, threads: int, queries: Sequence[int], settings: Mapping[str, str]
) -> None:
    """Runs the queries in this process while sampling its anonymous memory; prints the peak in bytes."""
    peak = 0
    stop = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not stop.wait(0.005):
            peak = max(peak, anonymous_bytes())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    opened = open_engine(engine, suite.files(data), threads, settings)
    for number in queries:
        opened.run(suite.text(number, 0))
    stop.set()
    sampler.join()
    print(max(peak, anonymous_bytes()))


def anonymous_bytes() -> int:
    """RssAnon of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0
