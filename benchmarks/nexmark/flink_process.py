"""Runs queries with Flink when asked to, line by line; started with an interpreter that has ``apache-flink`` (see :mod:`benchmarks.nexmark.files`).

Standard input has one JSON document a line: first ``{"statements": [...], "settings": {...}}``, then ``{"query": SQL}`` as often
as wanted.  Each is answered by a line of JSON: the JVM's process, or seconds by the clock, of the JVM's processor time and the megabytes that
the JVM had at most, or the error.  The JVM lives as long as this process, so that it is warm.

With ``"clock": true`` in the first document the classes of ``java/nexmark`` are there: seconds count from the first reader's begin, and
``"trim": true`` beside a query has free memory given back before.  ``{"rows": SQL}`` is answered by all changes of a query.

Nothing of TableFlow is imported: it need not be installed there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
_GIVING_BACK = 1.5
"""Seconds in which a collector surely returns memory that it has freed."""


def _java() -> Path:
    """The directory in /proc of the JVM, the only child that is one."""
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        for child in (task / "children").read_text().split():
            if "java" in Path(f"/proc/{child}/comm").read_text():
                return Path(f"/proc/{child}")
    raise RuntimeError("no JVM was started")


def _processor(java: Path) -> float:
    fields = (java / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _megabytes(java: Path, name: str = "VmHWM") -> float:
    line = next(line for line in (java / "status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _clock() -> Any:
    from pyflink.java_gateway import get_gateway  # type: ignore[import-not-found]

    return get_gateway().jvm.nexmark.Clock


def _type(text: str) -> str:
    return text.replace("*ROWTIME*", "").replace("*PROCTIME*", "").replace("NOT NULL", "").strip()


def _reason(trace: str) -> str:
    """The innermost of the causes that a Java trace tells, in one line."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    causes = [line for line in lines if line.startswith("Caused by:")] or lines[:1]
    return causes[-1].removeprefix("Caused by: ")[:200]


def _wanted(environment: Any, sql: str) -> None:
    """Declares the view ``wanted`` of a query."""
    environment.execute_sql("DROP VIEW IF EXISTS wanted")
    environment.execute_sql(f"CREATE VIEW wanted AS {sql}")


def _run(environment: Any, sql: str, clock: Any, *, trim: bool) -> dict[str, Any]:
    """One query into a sink that drops everything; ``clock``: the class that knows when the first reader began, if there is one."""
    environment.execute_sql("DROP TEMPORARY TABLE IF EXISTS dropped")
    _wanted(environment, sql)
    described = environment.execute_sql("DESCRIBE wanted").collect()
    columns = ", ".join(f"`{row[0]}` {_type(str(row[1]))}" for row in described)
    environment.execute_sql(f"CREATE TEMPORARY TABLE dropped ({columns}) WITH ('connector' = 'blackhole')")
    java = _java()
    if clock is not None:
        if trim:
            clock.trim()
            time.sleep(_GIVING_BACK)
        clock.reset()
    before = _megabytes(java, "VmRSS")
    (java / "clear_refs").write_text("5")
    began, processor = time.perf_counter(), _processor(java)
    environment.execute_sql("INSERT INTO dropped SELECT * FROM wanted").wait()
    if clock is None:
        seconds, taken = time.perf_counter() - began, _processor(java) - processor
    else:
        seconds, taken = map(float, clock.read().split())
    most = _megabytes(java)
    return {"seconds": seconds, "processor": taken, "megabytes": most, "beyond": most - before if trim else None}


def _rows(environment: Any, sql: str) -> dict[str, Any]:
    """All changes of a query, each with its kind."""
    _wanted(environment, sql)
    with environment.execute_sql("SELECT * FROM wanted").collect() as rows:
        return {"changes": [[str(row.get_row_kind()), list(row)] for row in rows]}


def main() -> None:
    """Answers until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Flink prints is not an answer
    from pyflink.table import EnvironmentSettings, TableEnvironment  # type: ignore[import-not-found]

    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    clock = None
    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            for name, value in asked.get("settings", {}).items():
                environment.get_config().set(name, value)
            for statement in asked.get("statements", []):
                environment.execute_sql(statement)
            if "statements" in asked:
                answer = {"process": int(_java().name)}
            if "query" in asked:
                answer = _run(environment, asked["query"], clock, trim=asked.get("trim", False))
            if "rows" in asked:
                answer = _rows(environment, asked["rows"])
            if asked.get("clock"):
                clock = _clock()
        except Exception as error:  # noqa: BLE001 - a query that Flink refuses is an answer, too
            answer = {"error": _reason(str(error))}
        print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
