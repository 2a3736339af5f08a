"""The provider of a table over files."""

from __future__ import annotations

import functools
import itertools
from typing import Any

from tableflow.catalog.clustering import Boundaries
from tableflow.catalog.known_values import KnownRows
from tableflow.catalog.provider import (
    Accepted,
    ColumnDefinition,
    ColumnStatistics,
    ScanRequest,
    TableSchema,
    TableStatistics,
)
from tableflow.catalog.written import SinkOffer
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format, Partitions, Watch
from tableflow.connectors.filesystem.numbering import MOST_FILES
from tableflow.connectors.filesystem.partition_pruning import judges_partitions, known_partitions, names_of
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.errors import InternalError, TableFlowError
from tableflow.expressions.nodes import Expression

KIND = "filesystem"
_MOST_ROWS = 4_000_000
"""Of more rows it takes too long to find out that all values of a column are different."""
_LIKELY = 0.9


class FileTable:
    """Columns, statistics and scans of some files of one format, as they were when this was made."""

    def __init__(
        self,
        format: Format,
        files: tuple[FileVersion, ...],
        columns: tuple[FileColumn, ...],
        options: dict[str, Any],
        *,
        keys: tuple[tuple[str, ...], ...] = (),
        warnings: tuple[str, ...] = (),
        watch: Watch | None = None,
        partitions: tuple[FileColumn, ...] = (),
        missing: TableFlowError | None = None,
        sink: SinkOffer | None = None,
    ) -> None:
        """``columns`` are all, ``partitions`` those of them that names of directories tell; ``missing``: why there are no files."""
        self._format = format
        self._files = files
        self._columns = columns
        self._options = options
        self._keys = keys
        self.warnings = warnings
        self._watch = watch
        self._partitions = partitions
        self._in_files = tuple(column for column in columns if column not in partitions)
        self._missing = missing
        self.sink = sink

    @property
    def bounded(self) -> bool:
        """Whether it is the files that there are now, as they are."""
        return self._watch is None

    @functools.cached_property
    def schema(self) -> TableSchema:
        """Columns and keys."""
        columns = tuple(ColumnDefinition(c.name, c.type, c.nullable) for c in self._columns)
        return TableSchema(columns, self._keys, changelog="retract" if self._format.gives_changes else "append")

    @property
    def partitioned(self) -> tuple[str, ...]:
        """The columns that names of directories tell."""
        return tuple(column.name for column in self._partitions)

    @property
    def files(self) -> tuple[FileVersion, ...]:
        """The files it reads."""
        return self._files

    def statistics(self) -> TableStatistics:
        """From footers, where the format has them; of files to come nothing is known."""
        return self._statistics if self._watch is None else TableStatistics()

    @functools.cached_property
    def _statistics(self) -> TableStatistics:
        if self._format.gives_changes:
            return TableStatistics()
        return self._format.statistics(self._files, self._in_files)

    def known_rows(self, columns: tuple[str, ...]) -> KnownRows | None:
        """See :class:`~tableflow.catalog.known_values.KnownValuesProvider`; of columns that directories tell values are known, too."""
        if self._watch is not None or self._missing is not None or self._format.gives_changes:
            return None
        for file in self._files:
            file.check()
        wanted = [column for column in self._in_files if column.name in columns]
        found = self._format.known(self._files, wanted)
        outside = [column for column in self._partitions if column.name in columns]
        if found is None or not outside:
            return found
        rows = [self._format.rows_of(file) for file in self._files]
        return KnownRows(found.rows, {**found.columns, **known_partitions(self._files, rows, outside)})

    def boundaries(self, column: str) -> Boundaries:
        """See :mod:`tableflow.catalog.clustering`."""
        if self._watch is not None or self._missing is not None or self._format.gives_changes:
            return ()
        found = [one for one in self._in_files if one.name == column]
        return self._format.boundaries(self._files, found[0]) if found else ()

    def accept(self, request: ScanRequest) -> Accepted:
        """Conjuncts only prune (they stay above); a limit ends the scan early when there are no conjuncts."""
        self._format.check_readable()
        if self._missing is not None:
            raise self._missing
        useful = [one for one in request.predicates if self._prunes(one) or judges_partitions(one, self._partitions)]
        return Accepted(request, inexact=tuple(useful))

    def _prunes(self, predicate: Expression) -> bool:
        """Whether what is known of the content of files may rule some of it out."""
        outside = {column.name for column in self._partitions}
        return self._format.prunes(predicate) and names_of(predicate).isdisjoint(outside)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        positions = {column.name: i for i, column in enumerate(self._in_files)}
        request = accepted.request
        numbered = self.position in request.columns
        if numbered and request.columns[-1] != self.position:
            raise InternalError("where rows stand is not the last column of a scan")
        limited = not request.predicates and not self._format.gives_changes
        scan = FileScan(
            self._format.name,
            self._files,
            self._in_files,
            tuple(positions[name] for name in request.columns if name in positions),
            tuple((name, value) for name, value in self._options.items() if value is not None),
            tuple([one for one in accepted.inexact if self._prunes(one)]),
            request.limit if limited else None,
            self._watch,
            self._outside(request.columns, accepted.inexact),
            numbered,
        )
        return KIND, scan

    @functools.cached_property
    def position(self) -> str:
        """See :class:`~tableflow.catalog.fetching.FetchProvider`."""
        names = {column.name.lower() for column in self._columns}
        return next(name for i in itertools.count() if (name := f"row position{f' {i}' if i else ''}") not in names)

    def fetchable(self) -> frozenset[str]:
        """See :class:`~tableflow.catalog.fetching.FetchProvider`; what names of directories tell is there without reading."""
        if self._watch is not None or self._missing is not None or len(self._files) > MOST_FILES:
            return frozenset()
        return self._format.fetchable(self._files, self._in_files)

    def fetch(self, columns: tuple[str, ...]) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.fetching.FetchProvider`."""
        places = {column.name: i for i, column in enumerate(self._in_files)}
        options = tuple((name, value) for name, value in self._options.items() if value is not None)
        wanted = tuple([places[name] for name in columns])
        return KIND, FileScan(self._format.name, self._files, self._in_files, wanted, options)

    def may_tell_apart(self, column: str) -> bool:
        """See :class:`~tableflow.catalog.fetching.TellingProvider`."""
        if (
            self._watch is not None
            or self._missing is not None
            or not any(one.name == column for one in self._in_files)
        ):
            return False
        known = self.statistics()
        return known.rows is not None and may_be_key(known.rows, known.columns.get(column))

    def tells_apart(self, column: str) -> bool:
        """See :class:`~tableflow.catalog.fetching.TellingProvider`."""
        if not self.may_tell_apart(column):
            return False
        from tableflow.connectors.filesystem.unique_values import are_all_different

        place = next(i for i, one in enumerate(self._in_files) if one.name == column)
        options = tuple((name, value) for name, value in self._options.items() if value is not None)
        return are_all_different(FileScan(self._format.name, self._files, self._in_files, (place,), options))

    def _outside(self, wanted: tuple[str, ...], predicates: tuple[Expression, ...]) -> Partitions | None:
        """Which columns of a scan names of directories tell, and where they stand among the others."""
        if not self._partitions:
            return None
        names = [column.name for column in self._partitions]
        read, places = 0, []
        for name in wanted:
            if name in names:
                places.append(~names.index(name))
            else:
                places.append(read)
                read += 1
        judged = tuple([one for one in predicates if judges_partitions(one, self._partitions)])
        return Partitions(self._partitions, tuple(places), judged)


def may_be_key(rows: int, column: ColumnStatistics | None) -> bool:
    """Whether integers are likely to be all different, and there are few enough to find that out."""
    if column is None or column.nulls != 0 or not 0 < rows <= _MOST_ROWS:
        return False
    low, high = column.minimum, column.maximum
    if not isinstance(low, int) or not isinstance(high, int) or high - low + 1 < rows:
        return False
    return column.distinct is None or column.distinct >= rows * _LIKELY
