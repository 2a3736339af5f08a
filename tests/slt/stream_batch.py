"""The same queries over what was fed, as finished data: the other half of one answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tableflow.connectors.rows import rows
from tableflow.session import Session
from tests.slt.stream_records import StreamDeclaration, StreamRecord, declaration
from tests.slt.stream_run import Fed, lookup_of
from tests.slt.stream_values import arrow_types, cells

Row = tuple[str, ...]
_STREAMING = re.compile(
    r"CREATE (?:OR REPLACE )?STREAMING TABLE (\w+)\s*(?:\(PRIMARY KEY \(.*?\)\)\s*)?AS", re.IGNORECASE
)
_ABOUT_JOBS = re.compile(r"\s*(STOP|CANCEL|FLUSH|SHOW|DROP TABLE|CREATE TABLE \w+ .*'blackhole')", re.IGNORECASE)


class Finished:
    """A database in which each stream is a file of all its rows, and each streaming table a view."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="slt-")
        self._session = Session({"parallelism.default": "1", "execution.runtime-mode": "batch"})

    def prepare(self, records: Iterable[StreamRecord], fed: dict[str, Fed]) -> None:
        """Does what a case's statements say."""
        for record in records:
            if record.kind == "stream":
                table = declaration(record)
                self._declare(table, fed[table.name].left())
            elif record.kind == "lookup":
                self._session.registrations.lookup(*lookup_of(record))
            elif record.kind == "statement" and record.rest == "ok" and not _left_out(record):
                self._session.execute(_STREAMING.sub(r"CREATE VIEW \1 AS", record.text))

    def answer(self, query: str) -> Counter[Row]:
        """All rows of a query."""
        result = self._session.execute(query).result
        assert result is not None
        found: Counter[Row] = Counter()
        for batch in iter(result.next_batch, None):
            found.update(cells(rows(batch)))
        result.close()
        return found

    def close(self) -> None:
        """Ends the session and removes the files."""
        self._session.close()
        self._folder.cleanup()

    def _declare(self, table: StreamDeclaration, fed: Sequence[tuple[Any, ...]]) -> None:
        path = Path(self._folder.name) / f"{table.name}.parquet"
        columns = zip(table.types, arrow_types(table), strict=True)
        arrays = {name: pa.array([row[i] for row in fed], of) for i, (name, of) in enumerate(columns)}
        pq.write_table(pa.table(arrays), path)
        self._session.execute(
            f"CREATE TABLE {table.name} ({table.columns})"
            f" WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'parquet')"
        )


def _left_out(record: StreamRecord) -> bool:
    """Whether a statement is about jobs, or about what only streams have."""
    return record.note("no batch") is not None or _ABOUT_JOBS.match(record.text) is not None


def view_of(record: StreamRecord) -> str | None:
    """The streaming table that a statement makes."""
    found = _STREAMING.match(record.text)
    return found.group(1) if found else None
