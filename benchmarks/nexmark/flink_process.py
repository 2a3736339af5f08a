"""Runs queries with Flink when asked to, line by line; started with an interpreter that has ``apache-flink`` (see :mod:`benchmarks.nexmark.files`).

Standard input has one JSON document a line: first ``{"statements": [...], "settings": {...}}``, then ``{"query": SQL}`` as often
as wanted.  Each is answered by a line of JSON: ``{}``, or seconds by the clock, of the JVM's processor time and the megabytes that
the JVM had at most, or the error.  The JVM lives as long as this process, so that it is warm.

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


def _megabytes(java: Path) -> float:
    line = next(line for line in (java / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _type(text: str) -> str:
    return text.replace("*ROWTIME*", "").replace("*PROCTIME*", "").replace("NOT NULL", "").strip()


def _reason(trace: str) -> str:
    """The innermost of the causes that a Java trace tells, in one line."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    causes = [line for line in lines if line.startswith("Caused by:")] or lines[:1]
    return causes[-1].removeprefix("Caused by: ")[:200]


def _run(environment: Any, sql: str) -> dict[str, Any]:
    """One query into a sink that drops everything."""
    environment.execute_sql("DROP TEMPORARY TABLE IF EXISTS dropped")
    environment.execute_sql("DROP VIEW IF EXISTS wanted")
    environment.execute_sql(f"CREATE VIEW wanted AS {sql}")
    described = environment.execute_sql("DESCRIBE wanted").collect()
    columns = ", ".join(f"`{row[0]}` {_type(str(row[1]))}" for row in described)
    environment.execute_sql(f"CREATE TEMPORARY TABLE dropped ({columns}) WITH ('connector' = 'blackhole')")
    java = _java()
    (java / "clear_refs").write_text("5")
    began, processor = time.perf_counter(), _processor(java)
    environment.execute_sql("INSERT INTO dropped SELECT * FROM wanted").wait()
    return {
        "seconds": time.perf_counter() - began,
        "processor": _processor(java) - processor,
        "megabytes": _megabytes(java),
    }


def main() -> None:
    """Answers until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Flink prints is not an answer
    from pyflink.table import EnvironmentSettings, TableEnvironment  # type: ignore[import-not-found]

    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            for name, value in asked.get("settings", {}).items():
                environment.get_config().set(name, value)
            for statement in asked.get("statements", []):
                environment.execute_sql(statement)
            if "query" in asked:
                answer = _run(environment, asked["query"])
        except Exception as error:  # noqa: BLE001 - a query that Flink refuses is an answer, too
            answer = {"error": _reason(str(error))}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
