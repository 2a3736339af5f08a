"""The build side of hash joins: collected by tasks, sealed part by part, read by probes.

A row's number in the table is its number in the payload columns.  Rows with NULL keys match nothing but have numbers, because
outer joins give them back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, concat_steps
from tableflow.columnar.kernels.joining import JoinRows, JoinTable, table_bytes
from tableflow.columnar.representation import canonical
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.key_values import KeyValues, key_values, united
from tableflow.physical.node import positions
from tableflow.physical.row_values import Aligned, RowValues
from tableflow.records import dataclass
from tableflow.runtime.operator import Reservation
from tableflow.runtime.source import KeyList
from tableflow.types import Field, SqlType


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """What a build keeps of rows with the fields ``arriving``: keys, and the columns ``payload``.

    Of the keys numbered ``described`` it tells what values they have.
    """

    keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    arriving: tuple[Field, ...]
    payload: tuple[Field, ...]
    three_valued: bool
    described: tuple[int, ...] = ()

    @property
    def comparison(self) -> int | None:
        """The key whose NULLs make a three-valued answer unknown; the others are the correlation."""
        unsafe = [i for i, safe in enumerate(self.null_safe) if not safe]
        return unsafe[-1] if self.three_valued and unsafe else None

    @property
    def correlation(self) -> tuple[int, ...]:
        """The other keys of a three-valued comparison."""
        return tuple(i for i in range(len(self.keys)) if i != self.comparison)


@dataclass(frozen=True, slots=True)
class BuildSide:
    """The sealed build.

    ``correlated`` and ``unknown`` exist for three-valued comparisons with a correlation: which correlation keys there are,
    and for which of them there is a row whose compared value is NULL.  ``values`` are those of described keys.
    """

    columns: tuple[Column, ...]
    table: JoinTable
    correlated: JoinTable | None
    unknown: JoinTable | None
    values: Mapping[int, KeyValues]

    def conjuncts(self, key: int, column: ColumnRef, most: int) -> tuple[Expression, ...]:
        """See :class:`~tableflow.runtime.narrowing.KeyedBuild`."""
        return self.values[key].conjuncts(column, most)

    def key_list(self, key: int, column: ColumnRef) -> KeyList | None:
        """See :class:`~tableflow.runtime.narrowing.KeyedBuild`."""
        return self.values[key].key_list(column)

    @property
    def rows(self) -> int:
        """Build rows."""
        return self.table.rows


class BuildRows:
    """What one task has collected."""

    def __init__(self, spec: BuildSpec) -> None:
        self.spec = spec
        types = [key.type for key in spec.keys]
        where = positions(spec.arriving)
        self._payload = [where[f.id] for f in spec.payload]
        self._keys = RowValues(spec.keys, spec.arriving)
        self.rows = JoinRows(types, spec.null_safe)
        self.batches: list[Batch] = []
        self.key_batches: list[Batch] = []
        self._batch_bytes = 0
        self.values = {i: key_values(types[i]) for i in spec.described}
        self.correlated: JoinRows | None = None
        self.unknown: JoinRows | None = None
        if spec.comparison is not None and spec.correlation:
            kept = [types[i] for i in spec.correlation], [spec.null_safe[i] for i in spec.correlation]
            self.correlated, self.unknown = JoinRows(*kept), JoinRows(*kept)

    @property
    def bytes(self) -> int:
        """Bytes held."""
        tables = (self.rows, self.correlated, self.unknown)
        described = sum(values.bytes for values in self.values.values())
        return self._batch_bytes + described + sum(table.bytes for table in tables if table is not None)

    def bytes_after(self, batch: Batch) -> int:
        """An upper bound of :attr:`bytes` after this batch."""
        return self.bytes + 2 * batch.nbytes + 64 * batch.rows + 65_536

    def add(self, batch: Batch) -> None:
        """Collects the rows that count."""
        if batch.rows == 0:
            return
        keys = self._keys.aligned(batch)
        self.rows.append(*keys)
        for i, values in self.values.items():
            values.add(keys.columns[i], keys.selection)
        if self.correlated is not None and self.unknown is not None:
            self._add_correlation(keys, self.correlated, self.unknown)
        payload = compact(batch.project(self._payload))
        self.batches.append(payload)
        self._batch_bytes += payload.nbytes
        if not self.rows.exact:
            kept = compact(Batch(*keys))
            self.key_batches.append(kept)
            self._batch_bytes += kept.nbytes

    def _add_correlation(self, keys: Aligned, correlated: JoinRows, unknown: JoinRows) -> None:
        dense = compact(Batch(*keys))
        columns = [dense.columns[i] for i in self.spec.correlation]
        correlated.append(columns, dense.length)
        assert self.spec.comparison is not None
        unknown.append(columns, dense.length, only=nulls(dense.columns[self.spec.comparison]).view(np.uint8))


class BuildSealer:
    """Concatenates payload and keys column by column, and seals the directory partition by partition."""

    def __init__(self, spec: BuildSpec, reservation: Reservation) -> None:
        self._spec = spec
        self._reservation = reservation

    def plan(self, partials: Sequence[BuildRows]) -> int:
        """Parts: payload columns, then key columns, then parts of the directory, then the small tables."""
        spec = self._spec
        self._batches = [batch for partial in partials for batch in partial.batches]
        self._key_batches = [batch for partial in partials for batch in partial.key_batches]
        self._values = {i: united([partial.values[i] for partial in partials]) for i in spec.described}
        rows = sum(partial.rows.rows for partial in partials)
        held = sum(batch.nbytes for batch in (*self._batches, *self._key_batches)) + self._described_bytes()
        small = [_present(p.correlated for p in partials), _present(p.unknown for p in partials)]
        tables = 1 + sum(1 for part in small if part)
        self._reservation.resize(self._reservation.bytes + held + tables * table_bytes(rows))
        self._table = JoinTable([partial.rows for partial in partials])
        self._small = [JoinTable(part) for part in small if part]
        self._columns: dict[int, Column] = {}
        self._keys: dict[int, Column] = {}
        self._work: list[tuple[Callable[[int], Iterator[None] | None], int]] = [
            *((self._put_payload, i) for i in range(len(spec.payload))),
            *((self._put_key, i) for i in range(0 if self._table.exact else len(spec.keys))),
            *((self._table.seal, i) for i in range(self._table.parts)),
            *((table.seal, i) for table in self._small for i in range(table.parts)),
        ]
        return len(self._work)

    def seal(self, part: int) -> Iterator[None] | None:
        """Does one part, in steps if it may take long."""
        work, which = self._work[part]
        return work(which)

    def _put_payload(self, which: int) -> Iterator[None]:
        self._columns[which] = yield from _column(self._batches, which, self._spec.payload[which].type)

    def _put_key(self, which: int) -> Iterator[None]:
        self._keys[which] = yield from _column(self._key_batches, which, self._spec.keys[which].type)

    def finish(self) -> BuildSide:
        """What probes read."""
        self._batches, self._key_batches, self._work = [], [], []
        self._table.finish([self._keys[i] for i in sorted(self._keys)])
        for table in self._small:
            table.finish([self._keys[i] for i in self._spec.correlation])
        columns = tuple(self._columns[i] for i in range(len(self._spec.payload)))
        tables = [self._table, *self._small]
        kept = sum(column.nbytes for column in (*columns, *self._keys.values())) + sum(table.bytes for table in tables)
        self._reservation.resize(kept + self._described_bytes())
        correlated, unknown = self._small or (None, None)
        return BuildSide(columns, self._table, correlated, unknown, self._values)

    def _described_bytes(self) -> int:
        """Values as they were collected, and once more in order."""
        return 2 * sum(values.bytes for values in self._values.values())


def _present(tables: Iterable[JoinRows | None]) -> list[JoinRows]:
    return [table for table in tables if table is not None]


def _column(batches: Sequence[Batch], which: int, of: SqlType) -> Generator[None, None, Column]:
    if not batches:
        return Column(of, pa.array([], canonical(of)))
    whole = yield from concat_steps([batch.project([which]) for batch in batches])
    return whole.columns[0]


def nulls(of: Column) -> npt.NDArray[np.bool_]:
    """Which rows of a column are NULL."""
    array = of.array
    if pa.types.is_dictionary(array.type) and array.dictionary.null_count:
        array = array.dictionary_decode()
    mask: npt.NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return mask
