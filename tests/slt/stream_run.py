"""What stream records drive: streams that are told what to give, and queries whose changes are collected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tableflow.connectors.lookup import Asked
from tableflow.connectors.row_shape import RowShape
from tableflow.connectors.rows import rows
from tableflow.connectors.script import Script, ScriptReader
from tableflow.errors import TableFlowError
from tableflow.session.job_result import JobResult
from tests.slt.stream_records import KINDS, StreamDeclaration, StreamRecord, declaration
from tests.slt.stream_values import cells, value

Row = tuple[str, ...]


class Told(Script):
    """A script whose readers let an epoch pass when all that was told before it has been given, waits over."""

    def told(self, part: int) -> int:
        """How many events a part has."""
        return len(self._parts[part])

    def reader(self, split: int, shape: RowShape, offset: Any, batch_rows: int, *, inline: bool) -> ScriptReader:
        """See :class:`~tableflow.connectors.live.Feed`."""
        return ToldReader(self, split, shape, offset or 0)


class ToldReader(ScriptReader):
    """A :class:`~tableflow.runtime.source.CatchingUp` reader."""

    _script: Told

    def newest(self) -> int:
        """What has been told so far."""
        return self._script.told(self._part)

    def reached(self, position: int) -> bool:
        """Whether so many events were given."""
        return self._position >= position


@dataclass(slots=True)
class Fed:
    """A stream, and all rows that it was fed."""

    table: StreamDeclaration
    script: Told
    rows: list[tuple[tuple[Any, ...], int]] = field(default_factory=list)
    ended: bool = False

    def left(self) -> list[tuple[Any, ...]]:
        """The rows that are there in the end, in the order in which they came."""
        if self.table.changelog == "upsert":
            where = [list(self.table.types).index(column) for column in self.table.key]
            newest = {tuple(row[i] for i in where): (row, weight) for row, weight in self.rows}
            return [row for row, weight in newest.values() if weight > 0]
        total: Counter[tuple[Any, ...]] = Counter()
        for row, weight in self.rows:
            total[row] += weight
        return [row for row, count in total.items() for _ in range(count)]


@dataclass(slots=True)
class Running:
    """A query without end, what has come of it and was not looked at, and what all of it adds up to."""

    record: StreamRecord
    result: JobResult
    types: str
    pending: list[Row] = field(default_factory=list)
    total: Counter[Row] = field(default_factory=Counter)
    failure: TableFlowError | None = None
    table: str | None = None
    """A streaming table of the same query."""

    def settle(self) -> None:
        """Takes all that comes of what was fed so far."""
        if self.failure is not None:
            return
        try:
            for batch in self.result.settled():
                self._take([row if self.result.changes else ("+I", *row) for row in rows(batch)])
        except TableFlowError as error:
            self.failure = error

    def _take(self, changes: Sequence[tuple[Any, ...]]) -> None:
        found = cells(changes)
        self.pending += found
        for kind, *row in found:
            self.total[tuple(row)] += KINDS[kind]
            if not self.total[tuple(row)]:
                del self.total[tuple(row)]

    def rounded(self, changes: Sequence[Row]) -> list[Row]:
        """Changes with numbers of columns R as far as they have to agree."""
        return [(kind, *rounded(row, self.types)) for kind, *row in changes]


def rounded(row: Sequence[str], types: str) -> Row:
    """A row with its numbers of type R in nine digits."""
    if "R" not in types:
        return tuple(row)
    pairs = zip(types, row, strict=True)
    return tuple(f"{float(text):.9g}" if of == "R" and text != "NULL" else text for of, text in pairs)


def lookup_of(record: StreamRecord) -> tuple[str, dict[str, str], Asked]:
    """The name, columns and function of a ``lookup`` record."""
    table = declaration(record)
    types = list(table.types.values())
    known = [tuple(value(text, of) for text, of in zip(row, types, strict=True)) for row in record.rows]
    where = [list(table.types).index(column) for column in table.key]

    def fetch(keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        wanted = set(keys)
        return [row for row in known if tuple(row[i] for i in where) in wanted]

    return table.name, table.types, Asked(fetch, table.key, False, None)
