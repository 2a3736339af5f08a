"""Columns of a table and columns of a file that has a schema of its own: found by name, checked by type."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from tableflow import types as t
from tableflow.connectors.filesystem.format import FileColumn, Format
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.filesystem.widening import fits
from tableflow.errors import ConnectorError
from tableflow.nearest import nearest


class SelfDescribing(Format):
    """A format whose files say which columns they have."""

    @abstractmethod
    def columns_of(self, file: FileVersion) -> Sequence[FileColumn]:
        """The columns of one file."""

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """The columns of the first file, which all files must have."""
        columns = tuple(self.columns_of(files[0]))
        for file in files[1:]:
            matched(file, self.columns_of(file), columns)
        return columns

    def resolve(
        self, files: Sequence[FileVersion], columns: tuple[FileColumn, ...], options: Mapping[str, Any]
    ) -> tuple[FileColumn, ...]:
        """Declared columns with their names in the files, found without regard to case; types may widen."""
        if not files:
            return columns
        names = {column.name.lower(): column.name for column in reversed(self.columns_of(files[0]))}
        found = tuple(FileColumn(c.name, c.type, c.nullable, names.get(c.name.lower(), c.name)) for c in columns)
        for file in files:
            matched(file, self.columns_of(file), found)
        return found


def listed(names: Sequence[str]) -> str:
    """Names of columns for a message: the first of many."""
    shown = ", ".join(names[:20])
    return f"columns {shown}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def matched(file: FileVersion, present: Sequence[FileColumn], columns: Sequence[FileColumn]) -> list[int]:
    """Positions of the columns in a file; one that is missing or of another type is named."""
    places = {column.key: (i, column.type) for i, column in enumerate(present)}
    positions: list[int] = []
    for column in columns:
        if column.key not in places:
            near = nearest(column.key[0], [name for name, _ in places])
            raise ConnectorError(
                f"file {file.path!r} has no column {column.key[0]!r}",
                detail=f"it has {listed([name for name, _ in places])}",
                hint=f"did you mean {near!r}?" if near else None,
            )
        position, of = places[column.key]
        if not (isinstance(of, t.NullType) or fits(of, column.type)):
            raise ConnectorError(
                f"column {column.key[0]!r} of file {file.path!r} is {of}, not {column.type}",
                hint=f"declare it as {of}, and CAST it in a query or view",
            )
        positions.append(position)
    return positions
