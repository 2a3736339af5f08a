"""Results as people and programs read them: a table, CSV, or one JSON object a line.

Each renderer takes batches as they come and writes them out at once; only the table waits for its first rows, to know
how wide its columns are.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Protocol, TextIO

import pyarrow as pa

from tableflow.expressions.casting.formatting import format_interval
from tableflow.session.rows import printable_rows

_SAMPLE_ROWS = 1_000
_WIDEST = 120


class Renderer(Protocol):
    """Writes one result to a stream."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        ...

    def finish(self) -> None:
        """Ends the result."""
        ...


def open_renderer(kind: str, schema: pa.Schema, out: TextIO) -> Renderer:
    """The renderer called table, csv or json."""
    match kind:
        case "csv":
            return CsvRenderer(schema, out)
        case "json":
            return JsonRenderer(schema, out)
        case _:
            return TableRenderer(schema, out)


def text_of(value: Any) -> str:
    """A value as SQL people write it; NULL for None."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case float():
            return _float_text(value)
        case Decimal():
            return f"{value:f}"
        case bytes():
            return "\\x" + value.hex()
        case datetime():
            return _clock_text(value.isoformat(sep=" "))
        case time():
            return _clock_text(value.isoformat())
        case list():
            return "[" + ", ".join(map(text_of, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{k}: {text_of(v)}" for k, v in value.items()) + "}"
        case pa.MonthDayNano():
            return format_interval(value.months, value.days, value.nanoseconds // 1000)
        case _:
            return str(value)


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def _clock_text(text: str) -> str:
    """ISO's text as a cast to STRING spells it: the fraction without trailing zeros, whole hours of the zone."""
    whole, point, rest = text.partition(".")
    if point:
        digits, zone = rest[:6].rstrip("0"), rest[6:]
        text = f"{whole}.{digits}{zone}" if digits else f"{whole}{zone}"
    return text[:-3] if text.endswith(":00") and text[-6] in "+-" else text


class TableRenderer:
    """Aligned columns: numbers to the right, the header above a rule, the row count below."""

    def __init__(self, schema: pa.Schema, out: TextIO) -> None:
        self._names = [name.replace("\n", " ") for name in schema.names]
        self._right = [_is_number(kind) for kind in schema.types]
        self._out = out
        self._waiting: list[list[str]] = []
        self._widths: list[int] = []
        self._count = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows; the first ones are held until the widths are known."""
        for row in printable_rows(batch):
            self._count += 1
            cells = [text_of(value).replace("\n", "\\n") for value in row]
            if self._widths:
                self._line(cells)
            else:
                self._waiting.append(cells)
                if len(self._waiting) >= _SAMPLE_ROWS:
                    self._begin()

    def finish(self) -> None:
        """Writes what is left and the count."""
        if not self._widths:
            self._begin()
        self._out.write(f"({self._count} row{'' if self._count == 1 else 's'})\n")

    def _begin(self) -> None:
        columns = zip(*self._waiting, strict=True) if self._waiting else [()] * len(self._names)
        longest = [max(map(len, cells), default=0) for cells in columns]
        self._widths = [
            max(len(name), min(width, _WIDEST), 1) for name, width in zip(self._names, longest, strict=True)
        ]
        self._line(self._names)
        self._out.write("-+-".join("-" * width for width in self._widths) + "\n")
        for cells in self._waiting:
            self._line(cells)
        self._waiting = []

    def _line(self, cells: Sequence[str]) -> None:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, self._widths, self._right, strict=True)
        )
        self._out.write(" | ".join(aligned).rstrip() + "\n")


class CsvRenderer:
    """RFC 4180 with a header; NULL is an empty field."""

    def __init__(self, schema: pa.Schema, out: TextIO) -> None:
        self._out = out
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, lineterminator="\n")
        self._writer.writerow(schema.names)

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        self._writer.writerows(
            ["" if value is None else text_of(value) for value in row] for row in printable_rows(batch)
        )
        self._flush()

    def finish(self) -> None:
        """Writes the header of an empty result."""
        self._flush()

    def _flush(self) -> None:
        self._out.write(self._buffer.getvalue())
        self._buffer.seek(0)
        self._buffer.truncate()


class JsonRenderer:
    """One JSON object a line; decimals as exact numbers, times and intervals as text, NaN and infinities as text."""

    def __init__(self, schema: pa.Schema, out: TextIO) -> None:
        self._names = schema.names
        self._out = out

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        for row in printable_rows(batch):
            members = (f"{json.dumps(n)}: {_json(v)}" for n, v in zip(self._names, row, strict=True))
            self._out.write("{" + ", ".join(members) + "}\n")

    def finish(self) -> None:
        """Nothing is left."""


def _json(value: Any) -> str:
    match value:
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case float() if math.isfinite(value):
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case list():
            return "[" + ", ".join(map(_json, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{json.dumps(str(k))}: {_json(v)}" for k, v in value.items()) + "}"
        case date() | time():
            return json.dumps(text_of(value))
        case _:
            return json.dumps(text_of(value))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
