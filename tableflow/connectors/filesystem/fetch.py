"""Rows of files by their positions: what a plan asks that reads most columns when it knows which rows are left."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat
from tableflow.columnar.representation import widen
from tableflow.config import FORCE_REPRESENTATION, PARALLELISM
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.filesystem.format import FileScan, Format
from tableflow.connectors.filesystem.formats import load_format
from tableflow.connectors.filesystem.numbering import by_file
from tableflow.connectors.filesystem.page_cache import resize_page_cache
from tableflow.connectors.filesystem.source import check_required
from tableflow.connectors.reading import read_error
from tableflow.errors import SerializationError, TableFlowError
from tableflow.runtime.lookup import Lookup


class FileLookup:
    """A :class:`~tableflow.runtime.lookup.BlockingLookup` by ascending positions; it may be asked by several threads."""

    def __init__(self, scan: FileScan, format: Format, representation: str, calls: int) -> None:
        self._scan = scan
        self._format = format
        self._representation = representation
        self._calls = calls
        self._closed = threading.Event()
        self._required = [i for i, column in enumerate(scan.read_columns) if not column.nullable]

    @property
    def calls(self) -> int:
        """As many as there are threads."""
        return self._calls

    def fetch(self, keys: Batch) -> Batch:
        """The columns of the rows, in the order of the positions."""
        found: list[Batch] = []
        for number, places in by_file(widen(keys.columns[0]).array.to_numpy()):
            path = self._scan.files[number].path
            try:
                parts = self._format.fetch(self._scan, number, places, self._representation, self._closed.is_set)
            except TableFlowError:
                raise
            except (pa.ArrowException, OSError, ValueError, EOFError) as error:
                raise read_error(f"file {path!r}", error) from error
            for part in parts:
                check_required(path, self._scan.read_columns, self._required, part.columns)
            found += parts
        return concat(found) if found else Batch([], 0)

    def close(self) -> None:
        """What is being read stops at the next column."""
        self._closed.set()


def open_fetch(options: Any, context: OpenContext) -> Lookup:
    """What answers for the rows of a scan's files."""
    if not isinstance(options, FileScan):
        raise SerializationError(f"rows are fetched of a FileScan, not of a {type(options).__name__}")
    settings = context.settings
    resize_page_cache(settings)
    return FileLookup(
        options, load_format(options.format), settings.get(FORCE_REPRESENTATION), settings.get(PARALLELISM)
    )
