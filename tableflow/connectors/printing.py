"""The print connector: one line for each row, with what it does to those before it, as Flink prints it."""

from __future__ import annotations

import sys
import threading
from typing import Any

from tableflow.catalog.written import SinkRequest, Takes
from tableflow.columnar.batch import Batch
from tableflow.connectors.connector import Connector, OpenContext
from tableflow.connectors.option import Option, boolean, text
from tableflow.connectors.sink_rows import SinkRows
from tableflow.connectors.value_text import text_of
from tableflow.connectors.write_only import unread, write_only
from tableflow.runtime.write_behind import BlockingSink

KIND = "print"
OPTIONS = (
    Option("print-identifier", "text", text, "what stands before each row, with `> ` behind it"),
    Option("standard-error", "boolean", boolean, "rows go to standard error instead of standard output", default=False),
)
_LOCK = threading.Lock()


class Printer(BlockingSink):
    """Prints a batch at a time, so lines of several tasks are whole."""

    def __init__(self, rows: SinkRows, identifier: str | None, *, to_error: bool) -> None:
        self._rows = rows
        self._before = f"{identifier}> " if identifier else ""
        self._to_error = to_error

    def write(self, batch: Batch) -> None:
        """Prints and flushes."""
        lines = [f"{self._before}{kind}[{', '.join(map(_text, row))}]\n" for kind, row in self._rows.rows(batch)]
        out = sys.stderr if self._to_error else sys.stdout
        with _LOCK:
            out.write("".join(lines))
            out.flush()


def _text(value: Any) -> str:
    return "null" if value is None else text_of(value)


def _spec(options: dict[str, Any], request: SinkRequest) -> tuple[str, Any]:
    return KIND, {
        "rows": SinkRows.of(request),
        "identifier": options["print-identifier"],
        "error": options["standard-error"],
    }


def _open_sink(options: Any, _context: OpenContext) -> Printer:
    return Printer(options["rows"], options["identifier"], to_error=options["error"])


CONNECTOR = Connector(
    KIND,
    "prints each row with its kind",
    OPTIONS,
    unread,
    write_only(Takes.CHANGES, _spec),
    open_sink=_open_sink,
)
