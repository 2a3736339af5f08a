"""Flink behind a pipe, in a process of its own with the interpreter that is given (one with ``pip install apache-flink``).

One JVM runs all queries: parallelism as ours, objects reused.  What it answers, and how, is told by :mod:`benchmarks.nexmark.flink_process`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.nexmark.quiet import wait_until_quiet

_PATH = "/usr/local/bin:/usr/bin:/bin"
_JVM = {"_JAVA_OPTIONS": "-Xmx6g"}
BID_NOW = "CREATE VIEW bid_now AS SELECT *, PROCTIME() AS p_time FROM bid"


@dataclass(frozen=True, slots=True)
class Measured:
    """One query once: seconds by the clock, of the processor, and the most resident megabytes of the process.

    ``beyond``: by how many of them it grew, where free memory had been given back before.
    """

    seconds: float
    processor: float
    megabytes: float | None
    beyond: float | None = None


def by_seconds(of: Measured) -> float:
    """To find the fastest run."""
    return of.seconds


class Flink:
    """A process that runs queries; ``classes`` is a directory of further classes, which make job times exact."""

    def __init__(self, interpreter: str, threads: int, statements: Sequence[str], classes: Path | None = None) -> None:
        script = Path(__file__).with_name("flink_process.py")
        environment = {"PATH": _PATH, **_JVM}
        if classes is not None:
            environment["HADOOP_CLASSPATH"] = str(classes)  # what PyFlink appends to the JVM's own class path
        self._process = subprocess.Popen(
            [interpreter, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment,
        )  # fmt: skip
        settings = {
            "parallelism.default": str(threads),
            "pipeline.object-reuse": "true",
            "table.local-time-zone": "UTC",
        }
        question = {"settings": settings, "statements": list(statements), "clock": classes is not None}
        answer = self._ask(question)
        if "error" in answer:
            raise RuntimeError(f"Flink cannot be used: {answer['error']}")
        self._java = int(answer["process"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, as its output says as well
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise RuntimeError(
                "the process with Flink has ended: does its interpreter have apache-flink, and is there a Java?"
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, sql: str, *, trim: bool = False) -> Measured | str:
        """A query once, or why not; ``trim``: free memory is given back before, so that ``beyond`` is known."""
        answer = self._ask({"query": sql, "trim": trim})
        return str(answer["error"]) if "error" in answer else Measured(**answer)

    def wait_until_quiet(self) -> bool:
        """Before either engine's turn: neither the JVM nor this process does anything; False if one did not stop."""
        return wait_until_quiet((self._java, os.getpid()))

    def rows(self, sql: str) -> list[tuple[str, tuple[object, ...]]] | str:
        """All changes of a query: the kind as Flink abbreviates it, and the values, those that JSON has no word for as texts."""
        answer = self._ask({"rows": sql})
        return str(answer["error"]) if "error" in answer else [(kind, tuple(row)) for kind, row in answer["changes"]]

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def __enter__(self) -> Flink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
