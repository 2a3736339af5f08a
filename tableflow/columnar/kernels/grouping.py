"""Groups by key and aggregates per group: the typed face of the native group table.

A table has one owner.  Exact sums that leave their type raise :class:`AggregateOverflow` when they are read, with the
position of the call as second argument.

A *changing* table takes weights, and so can take rows away again: sums of floats are exact then, extremes keep all their
values in order, DISTINCT counts them; a group from which everything has gone is as new (:meth:`GroupTable.vacant`).  Groups can
be named by number, moved to another table, forgotten and saved, whether a table is changing or not.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection, Weights
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.errors import UnsupportedError
from tableflow.records import dataclass
from tableflow.types import ArrayType, MapType, RowType, SqlType

if TYPE_CHECKING:
    from tableflow.columnar.kernels.partition import KeyRange

Snapshot: TypeAlias = bytes
GroupNumbers: TypeAlias = npt.NDArray[np.uint32]

Renaming: TypeAlias = Callable[[int, list[Column]], list[Column]]
"""Other keys for the groups of the snapshot with this number, row by row."""

AggregateOverflow = _native.AggregateOverflow

_COUNTS = frozenset({"count", "count_if"})


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate: its function, positions of its arguments and filter among the argument columns, its types.

    ``merging``: the arguments are the states that other tables gave for this call, not rows.
    """

    function: str
    arguments: tuple[int, ...]
    types: tuple[SqlType, ...]
    result: SqlType
    filter: int | None = None
    distinct: bool = False
    merging: bool = False


@lru_cache(maxsize=256)
def storage_format(of: SqlType) -> str:
    """The Arrow format string of a type's canonical storage."""
    return _native.Vector(pa.array([], canonical(of))).format


class GroupTable:
    """Groups in order of first appearance, with what each call accumulated."""

    __slots__ = ("_keys", "_made_of", "_results", "_states", "_table")

    def __init__(
        self,
        keys: Sequence[SqlType],
        aggregates: Sequence[Aggregate],
        states: Sequence[SqlType] = (),
        changing: bool = False,
    ) -> None:
        self._keys = tuple(keys)
        self._results = tuple(aggregate.result for aggregate in aggregates)
        self._states = tuple(states)
        try:
            self._made_of = [storage_format(key) for key in keys], [_spec(a, changing) for a in aggregates]
            self._table = _native.GroupTable(*self._made_of)
        except ValueError as error:
            types = ", ".join(sorted({str(of) for of in (*keys, *(of for each in aggregates for of in each.types))}))
            raise UnsupportedError(
                f"values of {types} cannot be grouped or aggregated so", detail=str(error)
            ) from error

    def update(
        self,
        keys: Sequence[Column],
        arguments: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        dense: list[bool] | None = None,
        weights: Weights | None = None,
    ) -> None:
        """Takes the selected of ``length`` rows; arguments that are ``dense`` have values for the selected rows only.

        ``weights`` (of all rows) say how often a row comes or, negative, goes; None: once each.
        """
        self._table.update([c.vector for c in keys], [c.vector for c in arguments], length, selection, dense, weights)

    def number(
        self,
        keys: Sequence[Column],
        arguments: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        dense: list[bool] | None = None,
        weights: Weights | None = None,
    ) -> GroupNumbers:
        """As :meth:`update`; the group of each row that counts."""
        vectors = [c.vector for c in keys], [c.vector for c in arguments]
        return self._table.number(*vectors, length, selection, dense, weights)

    def place(
        self, keys: Sequence[Column], length: int, selection: Selection | None = None
    ) -> tuple[GroupNumbers, GroupNumbers]:
        """The group of each row that counts, and each of these groups once; new ones have had no rows.

        So they can be read as they are before :meth:`accumulate` takes the rows.
        """
        return _native.place_groups(self._table, [c.vector for c in keys], length, selection)

    def accumulate(
        self,
        groups: GroupNumbers,
        arguments: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        dense: list[bool] | None = None,
        weights: Weights | None = None,
    ) -> None:
        """Takes the rows that :meth:`place` has placed; otherwise as :meth:`update`."""
        vectors = [c.vector for c in arguments]
        _native.accumulate_groups(self._table, groups, vectors, length, selection, dense, weights)

    def spread(
        self,
        arguments: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        dense: list[bool] | None = None,
    ) -> None:
        """Makes every row its own group, by row number; rows that are not selected give arbitrary states."""
        self._table.spread([c.vector for c in arguments], length, selection, dense)

    @property
    def native(self) -> _native.GroupTable:
        """The native table, for kernels that feed it."""
        return self._table

    def prepare(self, rows: int) -> bool:
        """One step of some milliseconds towards room for ``rows`` more groups; False while there is more to do."""
        return self._table.prepare(rows)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self._table.groups

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._table.bytes

    def bytes_after(self, keys: Sequence[Column], arguments: Sequence[Column], rows: int) -> int:
        """About how many :attr:`bytes` there are at most when ``rows`` rows of these columns have been taken."""
        text = sum(
            c.nbytes_of(rows)
            for c in (*keys, *arguments)
            if c.vector.format in {"u", "U", "z", "Z"} or c.vector.dictionary
        )
        return self._table.bytes_after(rows) + 2 * text

    def keys(self, start: int, count: int) -> list[Column]:
        """Key columns of groups ``[start, start + count)``."""
        return _columns(self._keys, self._table.keys(start, count))

    def key(self, column: int, start: int, count: int) -> Column:
        """One key column of groups ``[start, start + count)``."""
        return Column(self._keys[column], vector=self._table.key(column, start, count))

    def results(self, start: int, count: int) -> list[Column]:
        """One column per call; raises :class:`AggregateOverflow`."""
        return _columns(self._results, self._table.results(start, count))

    def result(self, call: int, start: int, count: int) -> Column:
        """What one call gives for groups ``[start, start + count)``; raises :class:`AggregateOverflow`."""
        return Column(self._results[call], vector=self._table.result(call, start, count))

    def states(self, start: int, count: int) -> list[Column]:
        """The state columns of all calls in order; raises :class:`AggregateOverflow`."""
        return _columns(self._states, self._table.states(start, count))

    def keys_of(self, groups: GroupNumbers) -> list[Column]:
        """Key columns of these groups."""
        return _columns(self._keys, self._table.listed_keys(groups))

    def results_of(self, groups: GroupNumbers) -> list[Column]:
        """One column per call for these groups; raises :class:`AggregateOverflow`."""
        return _columns(self._results, self._table.listed_results(groups))

    def states_of(self, groups: GroupNumbers) -> list[Column]:
        """The state columns of all calls for these groups; raises :class:`AggregateOverflow`."""
        return _columns(self._states, self._table.listed_states(groups))

    def absorb(self, other: GroupTable, groups: GroupNumbers, keys: Sequence[Column] | None = None) -> GroupNumbers:
        """Adds the rows of these groups of a table made alike; their numbers here.

        Groups meet by key, each with its own or, with ``keys``, with those (one row for each of ``groups``).
        """
        given = None if keys is None else [c.vector for c in keys]
        return self._table.absorb(other.native, groups, given)

    def locate(self, keys: Sequence[Column], length: int) -> GroupNumbers:
        """The groups of these keys; new ones are made, without rows (a count is 0, a sum NULL)."""
        return self._table.locate([c.vector for c in keys], length)

    def retain(self, groups: GroupNumbers) -> None:
        """Forgets all groups but these, numbers them from 0 in this order, and gives the others' memory back.

        Costs what these groups would cost a new table.
        """
        self._table.retain(groups)

    def vacant(self, groups: GroupNumbers) -> npt.NDArray[np.bool_]:
        """Of groups of a changing table: whether all calls are as they were before any row.

        A group whose rows cancel out in number but not in value is not.  Without calls every group is vacant.
        """
        return self._table.vacant(groups)

    def groups_in(self, keys: KeyRange, dealt: Sequence[int]) -> GroupNumbers:
        """The groups of a range of keys, ascending, where rows are dealt by the key columns ``dealt``."""
        columns = () if keys.whole else [self.key(column, 0, self.groups) for column in dealt]
        return keys.rows(columns, self.groups)

    def snapshot(self, groups: GroupNumbers | None = None) -> Snapshot:
        """What it holds of all groups, or of these, numbered in this order; :meth:`restore` of a table made alike takes it."""
        from tableflow.columnar.kernels.packed_rows import pack_arrays

        table = self._table
        if groups is not None and not _are_all(groups, self.groups):
            table = _native.GroupTable(*self._made_of)
            table.absorb(self._table, groups)
        sets = table.distinct_values()
        columns = [table.keys(0, table.groups), *sets]
        parts = [*[pack_arrays([[pa.array(vector) for vector in vectors]]) for vectors in columns], table.save()]
        sizes = struct.pack(f"<{len(parts) + 2}Q", table.groups, len(sets), *map(len, parts))
        return b"".join([sizes, *parts])

    def restore(self, snapshot: Snapshot) -> None:
        """Holds what was saved, instead of what it held.  The snapshot must be of such a table."""
        self._load(self._table, snapshot)

    def unite(self, snapshots: Sequence[Snapshot], renamed: Renaming | None = None) -> list[GroupNumbers]:
        """Holds what was saved of several tables, instead of what it held; for each, the numbers that its groups have now.

        Groups of equal keys become one.  ``renamed`` may give the groups of each other keys.
        """
        self.clear()
        placed: list[GroupNumbers] = []
        for i, snapshot in enumerate(snapshots):
            if i == 0 and renamed is None:
                self.restore(snapshot)
                placed.append(np.arange(self.groups, dtype=np.uint32))
                continue
            saved = _native.GroupTable(*self._made_of)
            self._load(saved, snapshot)
            groups = np.arange(saved.groups, dtype=np.uint32)
            keys = None
            if renamed is not None:
                keys = [c.vector for c in renamed(i, _columns(self._keys, saved.keys(0, saved.groups)))]
            placed.append(self._table.absorb(saved, groups, keys))
        return placed

    def _load(self, table: _native.GroupTable, snapshot: Snapshot) -> None:
        from tableflow.columnar.kernels.packed_rows import unpack_arrays

        groups, sets = struct.unpack_from("<2Q", snapshot)
        sizes = struct.unpack_from(f"<{sets + 2}Q", snapshot, 16)
        ends = list(accumulate(sizes, initial=32 + 8 * sets))
        *columns, state = [snapshot[at:end] for at, end in pairwise(ends)]
        keys, *values = [[_native.Vector(array) for array in next(unpack_arrays(packed))] for packed in columns]
        table.load(keys, groups, values, state)

    def clear(self) -> None:
        """Forgets all groups and gives their memory back."""
        self._table.clear()


def equal_rows(left: Sequence[Column], right: Sequence[Column], rows: int) -> npt.NDArray[np.bool_]:
    """Whether row i of both sides is the same by value, NULL like NULL; flat columns, one at least."""
    formats = [storage_format(column.type) for column in left]
    return _native.equal_rows(formats, [c.vector for c in left], [c.vector for c in right], rows)


def _are_all(groups: GroupNumbers, count: int) -> bool:
    return len(groups) == count and bool((groups == np.arange(count, dtype=np.uint32)).all())


def _columns(types: Sequence[SqlType], vectors: Sequence[_native.Vector]) -> list[Column]:
    return [Column(of, vector=vector) for of, vector in zip(types, vectors, strict=True)]


def _spec(of: Aggregate, changing: bool) -> _native.AggregateSpec:
    if of.function not in _COUNTS and any(isinstance(argument, (ArrayType, MapType, RowType)) for argument in of.types):
        raise ValueError(f"{of.function} keeps single values only")
    return _native.AggregateSpec(
        function=of.function,
        arguments=list(of.arguments),
        filter=-1 if of.filter is None else of.filter,
        distinct=of.distinct,
        formats=[storage_format(argument) for argument in of.types],
        result=storage_format(of.result),
        merging=of.merging,
        changing=changing,
    )
