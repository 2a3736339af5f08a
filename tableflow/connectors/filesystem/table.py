"""The provider of a table over files."""

from __future__ import annotations

import functools
from typing import Any

from tableflow.catalog.provider import Accepted, ColumnDefinition, ScanRequest, TableSchema, TableStatistics
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format, Watch
from tableflow.connectors.filesystem.path import FileVersion

KIND = "filesystem"


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
    ) -> None:
        self._format = format
        self._files = files
        self._columns = columns
        self._options = options
        self._keys = keys
        self.warnings = warnings
        self._watch = watch

    @property
    def bounded(self) -> bool:
        """Whether it is the files that there are now, as they are."""
        return self._watch is None

    @functools.cached_property
    def schema(self) -> TableSchema:
        """Columns and keys."""
        return TableSchema(tuple(ColumnDefinition(c.name, c.type, c.nullable) for c in self._columns), self._keys)

    @property
    def files(self) -> tuple[FileVersion, ...]:
        """The files it reads."""
        return self._files

    def statistics(self) -> TableStatistics:
        """From footers, where the format has them; of files to come nothing is known."""
        return self._statistics if self._watch is None else TableStatistics()

    @functools.cached_property
    def _statistics(self) -> TableStatistics:
        return self._format.statistics(self._files, self._columns)

    def accept(self, request: ScanRequest) -> Accepted:
        """Conjuncts only prune (they stay above); a limit ends the scan early when there are no conjuncts."""
        return Accepted(request, inexact=tuple(one for one in request.predicates if self._format.prunes(one)))

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        positions = {column.name: i for i, column in enumerate(self._columns)}
        request = accepted.request
        scan = FileScan(
            self._format.name,
            self._files,
            self._columns,
            tuple(positions[name] for name in request.columns),
            tuple((name, value) for name, value in self._options.items() if value is not None),
            accepted.inexact,
            None if request.predicates else request.limit,
            self._watch,
        )
        return KIND, scan
