"""What a file format implements, and the plain value that describes one scan of files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tableflow.catalog.clustering import Boundaries
from tableflow.catalog.known_values import KnownRows
from tableflow.catalog.provider import TableStatistics
from tableflow.columnar.batch import Batch
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.reading import Chunk
from tableflow.errors import InternalError
from tableflow.expressions.nodes import Expression
from tableflow.records import dataclass
from tableflow.runtime.source import KeyList, Split
from tableflow.serialization import serializable
from tableflow.types import SqlType


@serializable
@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a table over files: its name and type there, and where a file has it.

    ``source`` is its name in the files, ``occurrence`` counts earlier columns of exactly that name.
    """

    name: str
    type: SqlType
    nullable: bool = True
    source: str = ""
    occurrence: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """What identifies it inside a file."""
        return self.source or self.name, self.occurrence


@serializable
@dataclass(frozen=True, slots=True)
class Watch:
    """A path that is looked at every ``interval`` microseconds for files with these endings (none given: any).

    With ``follow`` files grow.
    """

    path: str
    interval: int
    endings: tuple[str, ...] = ()
    follow: bool = False


@serializable
@dataclass(frozen=True, slots=True)
class Partitions:
    """Columns whose values are in the names of directories (``name=value``), not in the files.

    ``places`` are, for each column of the result, its place among those that are read of files, or ~i for column i of these.
    ``predicates`` are conjuncts over these columns alone.
    """

    columns: tuple[FileColumn, ...]
    places: tuple[int, ...]
    predicates: tuple[Expression, ...] = ()


@serializable
@dataclass(frozen=True, slots=True)
class FileScan:
    """One scan: files, all columns of the table, positions of those to read, conjuncts that may prune, a limit.

    With a watch the files are those that it finds.  ``numbered``: behind the columns comes where each row stands.
    """

    format: str
    files: tuple[FileVersion, ...]
    columns: tuple[FileColumn, ...]
    projection: tuple[int, ...]
    options: tuple[tuple[str, Any], ...] = ()
    predicates: tuple[Expression, ...] = ()
    limit: int | None = None
    watch: Watch | None = None
    partitions: Partitions | None = None
    numbered: bool = False

    @property
    def read_columns(self) -> tuple[FileColumn, ...]:
        """The columns of the result, in its order."""
        return tuple(self.columns[i] for i in self.projection)

    def option(self, name: str) -> Any:
        """The value of a format option; None if it is not set."""
        return dict(self.options).get(name)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader counts, and what all readers of a source have found out, by a key of the format's own.

    Rows whose values ``lists`` do not have are not wanted.
    """

    counts: Counter[str]
    shared: dict[Any, Any]
    lists: tuple[KeyList, ...] = ()


class Format(ABC):
    """A file format: stateless, one instance for all files."""

    name: str
    follows = False
    """Whether a file may grow while it is read: records are lines, a split's definition is (file, start, end)."""
    takes_changes = False
    """Whether what is written says what each row does."""
    gives_changes = False
    """Whether rows that are read have weights."""

    def check_readable(self) -> None:  # noqa: B027 - most formats are
        """Raises if files of the format are only written."""

    def first_record(self, scan: FileScan, file: FileVersion) -> int:
        """Where the first record of a file that is followed begins."""
        return 0

    def quote(self, scan: FileScan, file: FileVersion) -> bytes | None:
        """What encloses line ends that do not end a record, if anything does."""
        return None

    @abstractmethod
    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """The columns of files nobody declared; names may still differ only in case."""

    def resolve(
        self, files: Sequence[FileVersion], columns: tuple[FileColumn, ...], options: Mapping[str, Any]
    ) -> tuple[FileColumn, ...]:
        """Declared columns with their place in the files; raises if the files do not have them."""
        return columns

    def statistics(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> TableStatistics:
        """What is known without reading data."""
        return TableStatistics()

    def known(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> KnownRows | None:
        """What files say of all their rows together, and of some columns; None if they do not even say how many there are."""
        return None

    def rows_of(self, file: FileVersion) -> int:
        """How many rows a file of which something is :meth:`known` has."""
        raise InternalError(f"files of format {self.name!r} do not say how many rows they have")

    def never_null(self, file: FileVersion, columns: Sequence[FileColumn]) -> frozenset[int]:
        """Positions of columns that cannot have a NULL in a file of which rows have been read."""
        return frozenset()

    def boundaries(self, files: Sequence[FileVersion], column: FileColumn) -> Boundaries:
        """See :mod:`tableflow.catalog.clustering`."""
        return ()

    def prunes(self, predicate: Expression) -> bool:
        """Whether :meth:`splits` can make use of a conjunct."""
        return False

    def splits(self, scan: FileScan, counts: Counter[str], tasks: int) -> Iterator[Split]:
        """The parts of a scan, in order, for so many tasks; a split's ``definition`` starts with the number of the file.

        What is left out may be counted, for EXPLAIN ANALYZE.
        """
        for number, file in enumerate(scan.files):
            yield Split(file.path, [number])

    def fetchable(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> frozenset[str]:
        """Columns that :meth:`fetch` gives for little; none if scans do not tell places of rows."""
        return frozenset()

    def fetch(
        self,
        scan: FileScan,
        number: int,
        places: npt.NDArray[np.int64],
        representation: str,
        stopped: Callable[[], bool],
    ) -> list[Batch]:
        """The rows of file ``number`` at ascending places, in that order, as batches; may give none once it is ``stopped``."""
        raise InternalError(f"rows of format {self.name!r} are not fetched")

    @abstractmethod
    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """The rows of a split after ``offset`` (None: all), at most ``batch_rows`` at a time."""
