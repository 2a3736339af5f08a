"""Reading sqllogictest files about streams: what is fed, and which changes come of it.

::

    stream bids (auction INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)

    case a window closes when the watermark has passed its end

    query TI
    SELECT window_end, count(*) FROM TUMBLE(bids, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end

    feed bids
    1  09:00:01
    2  09:00:14

    no changes

    feed bids
    1  09:00:15

    changes
    +I  09:00:10  1

``statement ok`` and ``statement error PATTERN``, and queries with ``----`` and rows, which are answered at once, are those of
:mod:`tests.slt.records`; values are written as there.  A time without a date is one of 2024-01-01, in rows as in results.  The rest:

``case TITLE``
    begins anew in an empty database.  What stands before the first case is done for each.
``stream NAME (columns) [retract|upsert] [parts N]``
    a table that the file feeds, with WATERMARK FOR and PRIMARY KEY (a promise) as in CREATE TABLE.  Rows of a stream that is neither
    retract (full rows come and go) nor upsert (rows replace each other by key) are only added.
``lookup NAME (columns) by KEY``, rows below
    a table that is asked for rows by key.
``query TYPES [as NAME]`` without ``----``, ``subscribe TABLE``
    a query without end, a table's rows and changes: their changes are read from here on.
``feed NAME [part N]``, rows below
    one batch of rows of the stream; for retract and upsert streams each with its kind (+I, -U, +U, -D) before it.
``watermark NAME TIME [part N]``, ``idle NAME [part N]``, ``end [NAME]``
    time has come so far, the part does not hold time back until its next event, there will be no more (without a name of any stream).
``wait SECONDS``
    so much processing time passes for all streams.  Time is simulated in files that have this record.
``changes [of NAME] [in order]``, changes below; ``no changes [of NAME]``
    exactly what has come since the last such record, each with its kind.  A query whose result only grows gives +I.
``table NAME``, rows below
    all rows of a (streaming) table when everything fed has had its effect, in any order.
``failure PATTERN``
    the query, or the job of a streaming table, has failed with this error.
``warning PATTERN``
    the query warns of this now.

Each record that feeds is one epoch: all its effects have come out before the next record.  Changes within an epoch are what an
epoch is documented to give, the difference that it made, so they are the same however its rows are cut into batches.  The rows of
one record are in the order of their time (or out of it by no more than the watermark's delay): which of them is late would
depend on the batches.  Streams are read from their beginning, so a query that begins later has all rows at once.

When a case is over its streams end, and each query's changes and each streaming table must add up to what the same query says in
batch mode over the rows that were fed.  A line ``# differs: reason`` before a query or its CREATE STREAMING TABLE says that it does not
(the runner checks that, too), ``# no batch: reason`` that it cannot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.slt.records import VALUES_APART

KINDS = {"+I": 1, "+U": 1, "-U": -1, "-D": -1}


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record: the words of its first line after the kind, the lines below as text, and as rows of cells."""

    file: str
    line: int
    kind: str
    rest: str
    text: str
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    def note(self, name: str) -> str | None:
        """What a comment ``# name: text`` before the record says."""
        return dict(self.notes).get(name)

    @property
    def name(self) -> str | None:
        """What the record is about, which ``as NAME`` and ``of NAME`` say."""
        found = re.search(r"\b(?:as|of)\s+(\w+)", self.rest)
        return found.group(1) if found else None

    @property
    def part(self) -> int:
        """The part of the stream, from 0."""
        found = re.search(r"\bpart\s+(\d+)", self.rest)
        return int(found.group(1)) - 1 if found else 0


@dataclass(frozen=True, slots=True)
class StreamCase:
    """Records that are carried out one after the other in an empty database."""

    title: str
    records: tuple[StreamRecord, ...]

    @property
    def waits(self) -> bool:
        """Whether processing time passes."""
        return any(record.kind == "wait" for record in self.records)


@dataclass(frozen=True, slots=True)
class StreamDeclaration:
    """A table as ``stream`` and ``lookup`` records declare it."""

    name: str
    types: dict[str, str]
    key: tuple[str, ...]
    watermark: tuple[str, timedelta] | None
    changelog: str
    parts: int
    columns: str
    """As written, for a CREATE TABLE of the same columns."""


_HEADERS = re.compile(
    r"(statement|query|case|stream|lookup|subscribe|feed|watermark|idle|end|wait|no changes|changes|table|failure|warning)\b\s*(.*)"
)
_NOTE = re.compile(r"# (differs|no batch): (.*)")
_DECLARED = re.compile(r"(\w+) \((.*)\)\s*(retract|upsert)?\s*(?:parts (\d+))?\s*(?:by (\w+))?")
_WATERMARK = re.compile(r"WATERMARK FOR (\w+) AS \1(?: - INTERVAL '(\d+)' (SECOND|MINUTE|HOUR))?")
_PRIMARY_KEY = re.compile(r"PRIMARY KEY \((.*)\)")


def read_cases(path: Path) -> list[StreamCase]:
    """All cases of a file; what stands before the first one is part of each."""
    before: list[StreamRecord] = []
    cases: list[tuple[str, list[StreamRecord]]] = []
    for record in _records(path):
        if record.kind == "case":
            cases.append((record.rest, []))
        else:
            (cases[-1][1] if cases else before).append(record)
    return [StreamCase(title, (*before, *records)) for title, records in cases]


def _records(path: Path) -> list[StreamRecord]:
    found = []
    notes: list[tuple[str, str]] = []
    lines = path.read_text().splitlines()
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        note = _NOTE.fullmatch(line)
        if note is not None:
            notes.append((note.group(1), note.group(2)))
        if not line or line.startswith("#"):
            continue
        header = _HEADERS.fullmatch(line)
        if header is None:
            raise ValueError(f"{path.name}:{number}: not a record: {line!r}")
        start = number
        while number < len(lines) and lines[number].strip():
            number += 1
        block = lines[start:number]
        rows = tuple(tuple(re.split(VALUES_APART, text.strip())) for text in block)
        found.append(StreamRecord(path.name, start, *header.groups(), "\n".join(block), rows, tuple(notes)))
        notes = []
    return found


def declaration(record: StreamRecord) -> StreamDeclaration:
    """What a ``stream`` or ``lookup`` record declares."""
    found = _DECLARED.fullmatch(record.rest)
    if found is None:
        raise ValueError(f"{record.place}: {record.kind} NAME (columns) ...")
    name, columns, changelog, parts, by = found.groups()
    types: dict[str, str] = {}
    key: tuple[str, ...] = (by,) if by else ()
    watermark = None
    for item in re.split(r",\s*(?![^(<]*[)>])", columns):
        if item.startswith("WATERMARK"):
            watermark = _watermark(record, item)
        elif (unique := _PRIMARY_KEY.fullmatch(item)) is not None:
            key = tuple(re.split(r",\s*", unique.group(1)))
        else:
            column, _, of = item.partition(" ")
            types[column] = of
    columns = columns.replace(
        "PRIMARY KEY (" + ", ".join(key) + ")", "PRIMARY KEY (" + ", ".join(key) + ") NOT ENFORCED"
    )
    return StreamDeclaration(name, types, key, watermark, changelog or "append", int(parts or 1), columns)


def _watermark(record: StreamRecord, text: str) -> tuple[str, timedelta]:
    found = _WATERMARK.fullmatch(text)
    if found is None:
        raise ValueError(f"{record.place}: WATERMARK FOR ts AS ts [- INTERVAL 'n' SECOND|MINUTE|HOUR]")
    column, count, unit = found.groups()
    return column, timedelta(**{f"{(unit or 'second').lower()}s": int(count or 0)})
