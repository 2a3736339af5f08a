"""The ORC format through pyarrow; splits are stripes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import ColumnStatistics, TableStatistics
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Reading
from tableflow.connectors.filesystem.matching import SelfDescribing, matched
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.reading import Chunk
from tableflow.connectors.storage import column_from_arrow
from tableflow.errors import ConnectorError
from tableflow.runtime.source import Split


class OrcFormat(SelfDescribing):
    """See the module."""

    name = "orc"

    def columns_of(self, file: FileVersion) -> Sequence[FileColumn]:
        """Those of its schema."""
        return file_columns(file)

    def statistics(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> TableStatistics:
        """Rows only."""
        rows = sum(_open(file).nrows for file in files)
        return TableStatistics(rows, {column.name: ColumnStatistics() for column in columns})

    def splits(self, scan: FileScan, counts: Counter[str], tasks: int) -> Iterator[Split]:
        """One per stripe."""
        for number, file in enumerate(scan.files):
            for stripe in range(_open(file).nstripes):
                yield Split(f"{file.path}#{stripe}", [number, stripe])

    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """Slices of a stripe; the resume token is the number of rows delivered."""
        number, stripe = split.definition
        file = scan.files[number]
        file.check()
        columns = scan.read_columns
        matched(file, file_columns(file), columns)
        opened = _open(file)
        # With no column wanted one is read all the same, so that rows are counted.
        names = list(dict.fromkeys(column.key[0] for column in columns)) or [opened.schema.names[0]]
        data = opened.read_stripe(stripe, columns=names)
        done = offset or 0
        while done < data.num_rows:
            part = data.slice(done, batch_rows)
            arrays = [
                column_from_arrow(array, from_arrow_type(array.type), column.type, representation)
                for column in columns
                for array in (part.column(column.key[0]),)
            ]
            done += part.num_rows
            yield Chunk(arrays, part.num_rows, done)


def _open(file: FileVersion) -> Any:
    try:
        from pyarrow import orc
    except ImportError:
        raise ConnectorError("ORC files cannot be read", detail="this build of pyarrow has no ORC") from None
    try:
        return orc.ORCFile(file.path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ConnectorError(
            f"file {file.path!r} is not an ORC file, or damaged", detail=" ".join(str(error).split())[:300]
        ) from None


def file_columns(file: FileVersion) -> tuple[FileColumn, ...]:
    """The columns of a file's schema."""
    return tuple(FileColumn(field.name, from_arrow_type(field.type), nullable=True) for field in _open(file).schema)
