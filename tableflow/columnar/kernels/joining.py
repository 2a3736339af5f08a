"""Equality joins by hash: build rows collected by tasks, a table sealed over all of them, and probes of it.

Rows of equal keys are found by value, whatever the two sides' representations.  A sealed table is read-only and shared;
everything else has one owner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import storage_format
from tableflow.errors import UnsupportedError
from tableflow.types import SqlType

NO_ROW = np.uint32(0xFFFFFFFF)
"""The build row of a probe row without a match."""

Rows = npt.NDArray[np.uint32]


class JoinRows:
    """Keys of one task's build rows, numbered in the order in which they are appended."""

    __slots__ = ("native",)

    def __init__(self, keys: Sequence[SqlType], null_safe: Sequence[bool]) -> None:
        try:
            self.native = _native.JoinRows([storage_format(key) for key in keys], [int(safe) for safe in null_safe])
        except ValueError as error:
            raise UnsupportedError("values of this type cannot be joined by equality", detail=str(error)) from error

    def append(
        self,
        keys: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        only: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        """The selected of ``length`` rows.

        Rows with a NULL key that is not null-safe, and those whose byte in ``only`` is 0, are counted and match nothing.
        """
        self.native.append([key.vector for key in keys], length, selection, only)

    @property
    def exact(self) -> bool:
        """Whether the directory alone will decide equality, so that key columns need not be kept."""
        return self.native.exact

    @property
    def rows(self) -> int:
        """Rows appended."""
        return self.native.rows

    @property
    def bytes(self) -> int:
        """Bytes held."""
        return self.native.bytes


class JoinTable:
    """A table over the rows of all partials, those of the first one first; usable after all parts and :meth:`finish`."""

    __slots__ = ("native",)

    def __init__(self, partials: Sequence[JoinRows]) -> None:
        self.native = _native.JoinTable([partial.native for partial in partials])

    @property
    def parts(self) -> int:
        """Parts to seal; different parts may be sealed at the same time."""
        return self.native.parts

    def seal(self, part: int) -> None:
        """Makes one part of the directory."""
        self.native.seal(part)

    def finish(self, keys: Sequence[Column]) -> None:
        """Ends the making; ``keys`` are the key columns of all rows, needed unless :attr:`exact`."""
        self.native.finish([key.vector for key in keys])

    @property
    def exact(self) -> bool:
        """Whether the directory alone decides equality (one integer key)."""
        return self.native.exact

    @property
    def unique(self) -> bool:
        """Whether no key occurs twice."""
        return self.native.unique

    @property
    def rows(self) -> int:
        """Build rows."""
        return self.native.rows

    @property
    def entries(self) -> int:
        """Build rows whose key is not NULL (or NULL-safe)."""
        return self.native.entries

    @property
    def bytes(self) -> int:
        """Bytes of the directory."""
        return self.native.bytes


def table_bytes(rows: int) -> int:
    """An upper bound of the directory's size for this many rows."""
    return _native.JoinTable.bytes_for(rows)


class JoinProbe:
    """A cursor over the pairs of probe lanes and build rows with equal keys.

    A *lane* is the position of a row among those that count.
    """

    __slots__ = ("_native",)

    def __init__(self, table: JoinTable) -> None:
        self._native = _native.JoinProbe(table.native)

    def start(self, keys: Sequence[Column], length: int, selection: Selection | None = None) -> None:
        """Begins anew with these rows."""
        self._native.start([key.vector for key in keys], length, selection)

    def pairs(
        self,
        limit: int,
        *,
        outer: bool = False,
        done: npt.NDArray[np.uint8] | None = None,
        marked: npt.NDArray[np.uint8] | None = None,
    ) -> tuple[Rows, Rows]:
        """At most ``limit`` further pairs (lanes ascending, build rows).

        ``outer``: lanes without a match are paired with :data:`NO_ROW`.  Lanes whose ``done`` is not 0 are left out, and so are
        build rows whose ``marked`` is not 0: the same array in all calls, in which marks only come, costs 4 bytes a row.
        """
        return self._native.next(limit, outer, done, marked)

    def lanes(self, *, matched: bool) -> Rows:
        """The lanes that have a match, or those that have none."""
        return self._native.lanes(matched)

    @property
    def exhausted(self) -> bool:
        """Whether there are no further pairs."""
        return self._native.exhausted
