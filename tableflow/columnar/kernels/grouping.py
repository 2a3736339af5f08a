"""Groups by key and aggregates per group: the typed face of the native group table.

A table has one owner.  Exact sums that leave their type raise :class:`AggregateOverflow` when they are read, with the
position of the call as second argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.errors import UnsupportedError
from tableflow.types import ArrayType, MapType, RowType, SqlType

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

    __slots__ = ("_keys", "_results", "_states", "_table")

    def __init__(
        self, keys: Sequence[SqlType], aggregates: Sequence[Aggregate], states: Sequence[SqlType] = ()
    ) -> None:
        self._keys = tuple(keys)
        self._results = tuple(aggregate.result for aggregate in aggregates)
        self._states = tuple(states)
        try:
            self._table = _native.GroupTable([storage_format(key) for key in keys], [_spec(a) for a in aggregates])
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
    ) -> None:
        """Takes the selected of ``length`` rows; arguments that are ``dense`` have values for the selected rows only."""
        self._table.update([c.vector for c in keys], [c.vector for c in arguments], length, selection, dense)

    def number(
        self,
        keys: Sequence[Column],
        arguments: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        dense: list[bool] | None = None,
    ) -> npt.NDArray[np.uint32]:
        """As :meth:`update`; the group of each row that counts."""
        return self._table.number([c.vector for c in keys], [c.vector for c in arguments], length, selection, dense)

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
        """An upper bound of :attr:`bytes` after these columns (``rows`` rows of them) were taken."""
        text = sum(
            c.nbytes for c in (*keys, *arguments) if c.vector.format in {"u", "U", "z", "Z"} or c.vector.dictionary
        )
        return self._table.bytes_after(rows) + 2 * text

    def keys(self, start: int, count: int) -> list[Column]:
        """Key columns of groups ``[start, start + count)``."""
        return _columns(self._keys, self._table.keys(start, count))

    def results(self, start: int, count: int) -> list[Column]:
        """One column per call; raises :class:`AggregateOverflow`."""
        return _columns(self._results, self._table.results(start, count))

    def states(self, start: int, count: int) -> list[Column]:
        """The state columns of all calls in order; raises :class:`AggregateOverflow`."""
        return _columns(self._states, self._table.states(start, count))

    def clear(self) -> None:
        """Forgets all groups and gives their memory back."""
        self._table.clear()


def _columns(types: Sequence[SqlType], vectors: Sequence[_native.Vector]) -> list[Column]:
    return [Column(of, vector=vector) for of, vector in zip(types, vectors, strict=True)]


def _spec(of: Aggregate) -> _native.AggregateSpec:
    if of.function not in _COUNTS and any(isinstance(argument, ArrayType | MapType | RowType) for argument in of.types):
        raise ValueError(f"{of.function} keeps single values only")
    return _native.AggregateSpec(
        function=of.function,
        arguments=list(of.arguments),
        filter=-1 if of.filter is None else of.filter,
        distinct=of.distinct,
        formats=[storage_format(argument) for argument in of.types],
        result=storage_format(of.result),
        merging=of.merging,
    )
