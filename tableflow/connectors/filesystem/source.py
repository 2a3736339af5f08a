"""The source of a table over files: splits from the format, readers over its generators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tableflow.columnar.column import Column
from tableflow.config import FORCE_REPRESENTATION, PARALLELISM
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format, Partitions, Reading
from tableflow.connectors.filesystem.formats import load_format
from tableflow.connectors.filesystem.numbering import position_column
from tableflow.connectors.filesystem.page_cache import resize_page_cache
from tableflow.connectors.filesystem.partition_pruning import judges_partitions, matching_files, names_of
from tableflow.connectors.filesystem.partitions import constant, values_of
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.reading import Chunk, ChunkReader, ListAssigner
from tableflow.connectors.storage import null_count
from tableflow.errors import ConnectorError, SerializationError
from tableflow.expressions.nodes import Call, Expression
from tableflow.records import replace
from tableflow.runtime.source import KeyList, Source, Split
from tableflow.types import StringType


class FileReading:
    """Makes readers of parts of files for one :class:`FileScan`; what they find out is shared."""

    def __init__(
        self,
        scan: FileScan,
        format: Format,
        representation: str,
        lists: Sequence[KeyList] = (),
        numbered: Sequence[FileVersion] = (),
    ) -> None:
        """``numbered``: the files of which a numbered scan reads some, in the order of their numbers."""
        self._scan = scan
        self._format = format
        self._representation = representation
        self._lists = tuple(lists)
        self._shared: dict[Any, Any] = {}
        self._columns = scan.read_columns
        self._required = [i for i, column in enumerate(self._columns) if not column.nullable]
        self._in_doubt: tuple[FileVersion | None, Sequence[int]] = None, ()
        self._numbers = {file.path: number for number, file in enumerate(numbered)}

    def reader(self, file: FileVersion | None, split: Split, batch_rows: int) -> ChunkReader:
        """A reader from the split's offset on; ``file`` is the scan's only one, None: the split says which of them."""
        scan = self._scan if file is None else replace(self._scan, files=(file,))
        file = scan.files[split.definition[0]]
        reading = Reading(Counter(), self._shared, self._lists)
        return ChunkReader(
            split.offset,
            lambda offset: self._checked(
                file, self._format.read(scan, split, offset, batch_rows, self._representation, reading)
            ),
            f"file {file.path!r}",
            reading.counts,
        )

    def _checked(self, file: FileVersion, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """The chunks; a NULL in a column that is declared NOT NULL would make plans wrong, so it is an error."""
        path = file.path
        partitions = self._scan.partitions
        outside = [] if partitions is None else values_of(path, partitions.columns)
        looked_at: Sequence[int] | None = None
        for chunk in chunks:
            if looked_at is None:  # not before the file was seen to be there and whole
                looked_at = self._uncertain(file)
            if looked_at:
                check_required(path, self._columns, looked_at, chunk.columns)
            if chunk.places is not None:
                chunk = replace(chunk, columns=[*chunk.columns, position_column(self._numbers[path], chunk.places)])
            yield chunk if partitions is None else self._completed(chunk, partitions, outside)

    def _uncertain(self, file: FileVersion) -> Sequence[int]:
        """Columns without NULLs by declaration of which the file does not say so itself."""
        if not self._required:
            return ()
        known, found = self._in_doubt  # of one file: those of a directory that is watched are without end
        if known is not file and known != file:
            surely = self._format.never_null(file, self._columns)
            found = [i for i in self._required if i not in surely]
            self._in_doubt = file, found
        return found

    def _completed(self, chunk: Chunk, partitions: Partitions, values: Sequence[str | None]) -> Chunk:
        """The chunk with the columns that the names of its directories tell."""
        columns = [
            chunk.columns[place]
            if place >= 0
            else constant(values[~place], partitions.columns[~place].type, chunk.rows, self._representation)
            for place in partitions.places
        ]
        return replace(chunk, columns=columns)


def check_required(path: str, of: Sequence[FileColumn], required: Sequence[int], columns: Sequence[Column]) -> None:
    """Raises for a NULL in one of the ``required`` columns."""
    for i in required:
        if null_count(columns[i]):
            raise ConnectorError(
                f"file {path!r} has a NULL in column {of[i].name!r}", detail="the column is declared NOT NULL"
            )


class FileSource:
    """A bounded source over one :class:`FileScan`; files whose directory rules them out are never opened."""

    bounded = True
    longest_list = 64
    """How many values narrowing may list as a conjunct, which is looked through for each row group; all come as a list besides."""

    def __init__(
        self, scan: FileScan, format: Format, representation: str, tasks: int, lists: Sequence[KeyList] = ()
    ) -> None:
        """``tasks``: how many will share the splits, as far as that is known."""
        self._tasks = tasks
        files = matching_files(scan.files, scan.partitions)
        self._pruned = len(scan.files) - len(files)
        self._whole = scan
        self._scan = scan = replace(scan, files=files) if self._pruned else scan
        self._format = format
        self._representation = representation
        numbered = self._whole.files if scan.numbered else ()
        self._reading = FileReading(scan, format, representation, lists, numbered)

    def assigner(self) -> ListAssigner:
        """A fresh assigner; files are opened as splits are asked for."""
        counts: Counter[str] = Counter()
        if self._pruned:
            counts["files_pruned"] = self._pruned
        return ListAssigner(self._format.splits(self._scan, counts, self._tasks), counts)

    def narrowed(self, predicates: Sequence[Expression], lists: Sequence[KeyList]) -> FileSource:
        """See :class:`~tableflow.runtime.source.Narrowable`; a limit counts rows that were not narrowed."""
        partitions = self._whole.partitions
        outside = frozenset[str]() if partitions is None else {column.name for column in partitions.columns}
        inside = [one for one in predicates if names_of(one).isdisjoint(outside)]
        useful = tuple(one for one in inside if self._format.prunes(one) and not _is_long(one))
        lists = [one for one in lists if one.column.name not in outside]
        if partitions is not None:
            judged = [one for one in predicates if judges_partitions(one, partitions.columns)]
            partitions = replace(partitions, predicates=(*partitions.predicates, *judged))
        if not (useful or lists or partitions != self._whole.partitions) or self._scan.limit is not None:
            return self
        narrower = replace(self._whole, predicates=(*self._scan.predicates, *useful), partitions=partitions)
        return FileSource(narrower, self._format, self._representation, self._tasks, lists)

    def reader(self, split: Split, batch_rows: int) -> ChunkReader:
        """A reader from the split's offset on."""
        return self._reading.reader(None, split, batch_rows)


def _is_long(predicate: Expression) -> bool:
    """Whether to compare a value with the list costs more than to read it: numbers are looked up, texts compared."""
    match predicate:
        case Call(function="in", args=(value, *items)):
            return isinstance(value.type, StringType) and len(items) > _MOST_TEXTS
        case _:
            return False


_MOST_TEXTS = 32


def open_source(options: Any, context: OpenContext) -> Source:
    """The source of a spec's options."""
    from tableflow.connectors.filesystem.watched import WatchedSource

    if not isinstance(options, FileScan):
        raise SerializationError(f"a source of files is made from a FileScan, not from a {type(options).__name__}")
    kind = FileSource if options.watch is None else WatchedSource
    settings = context.settings
    resize_page_cache(settings)
    return kind(options, load_format(options.format), settings.get(FORCE_REPRESENTATION), settings.get(PARALLELISM))
