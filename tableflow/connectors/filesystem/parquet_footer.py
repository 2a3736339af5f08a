"""Footers of Parquet files: read once per version of a file, with what scans want to know of column chunks."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tableflow import types as t
from tableflow.columnar.kernels.parquet import ChunkPlan, plan_chunk
from tableflow.columnar.kernels.parquet_metadata import ChunkMetadata, FileMetadata, parse_footer
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors.filesystem.parquet_bounds import bounds_are_values, chunk_range
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.pruning import ColumnRange
from tableflow.connectors.reading import read_error
from tableflow.errors import ConnectorError, UnsupportedError
from tableflow.records import dataclass

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"


@dataclass(frozen=True, slots=True)
class FooterColumn:
    """A column of a file; ``leaf`` is the number of its column chunk, None for nested columns."""

    name: str
    type: t.SqlType
    nullable: bool
    arrow: pa.DataType
    leaf: int | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the chunks of a column lie, by row group, and how those that are ``alike`` are decoded."""

    place: FooterColumn
    plan: ChunkPlan
    alike: npt.NDArray[np.bool_]
    all_alike: bool
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    coded: bool  # the first of them has a dictionary


class Footer:
    """The metadata of one file; ``arrow`` is pyarrow's view of it, for reading through pyarrow only."""

    def __init__(
        self, file: FileVersion, metadata: FileMetadata, arrow: pq.FileMetaData, columns: tuple[FooterColumn, ...]
    ) -> None:
        self.file = file
        self.metadata = metadata
        self.arrow = arrow
        self.columns = columns
        self.group_rows = metadata.group_rows
        self.group_starts = tuple(itertools.accumulate(self.group_rows, initial=0))
        self._ranges: dict[tuple[int, int], ColumnRange] = {}
        self._common: dict[int, ColumnRange | None] = {}
        self._plans: dict[tuple[int, int], ChunkPlan | None] = {}
        self._chunks: dict[tuple[int, int], ChunkMetadata | None] = {}
        self._layouts: dict[int, Layout | None] = {}

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return self.metadata.rows

    def chunk(self, group: int, column: FooterColumn) -> ChunkMetadata | None:
        """The metadata of a column chunk; None for nested columns and where they make no sense."""
        if column.leaf is None:
            return None
        key = group, column.leaf
        if key not in self._chunks:
            try:
                self._chunks[key] = self.metadata.chunk(group, column.leaf)
            except ValueError:
                self._chunks[key] = None
        return self._chunks[key]

    def column_of(self, leaf: int) -> FooterColumn:
        """The flat column whose chunks have this number."""
        return next(column for column in self.columns if column.leaf == leaf)

    def plan(self, group: int, column: FooterColumn) -> ChunkPlan | None:
        """How one column chunk is decoded natively; None if it is not."""
        if column.leaf is None:
            return None
        key = group, column.leaf
        if key not in self._plans:
            chunk, leaf = self.chunk(group, column), self.metadata.leaves[column.leaf]
            rows = self.group_rows[group]
            self._plans[key] = None if chunk is None else plan_chunk(chunk, leaf, column.arrow, rows)
        return self._plans[key]

    def layout(self, column: FooterColumn) -> Layout | None:
        """How all row groups hold a column; None if the first is not decoded by native code alone."""
        if column.leaf is None:
            return None
        if column.leaf not in self._layouts:
            self._layouts[column.leaf] = self._find_layout(column)
        return self._layouts[column.leaf]

    def _find_layout(self, column: FooterColumn) -> Layout | None:
        plans = [self.plan(group, column) for group in range(len(self.group_rows))]
        first = plans[0] if plans else None
        chunk = self.chunk(0, column) if plans else None
        if first is None or chunk is None or first.pyarrow_codec is not None:
            return None
        kind = (first.conversion, first.format, first.codec)  # the rest is the same for all chunks of a column
        alike = [plan is not None and (plan.conversion, plan.format, plan.codec) == kind for plan in plans]
        offsets = [0 if plan is None else plan.offset for plan in plans]
        sizes = [0 if plan is None else plan.size for plan in plans]
        most = (1 << 63) - 1
        if max(offsets) > most or max(sizes) > most:
            return None
        return Layout(
            column,
            first,
            np.array(alike),
            all(alike),
            np.array(offsets, np.int64),
            np.array(sizes, np.int64),
            np.array(self.group_rows, np.int64),
            chunk.dictionary_offset is not None,
        )

    def range(self, group: int, column: FooterColumn) -> ColumnRange:
        """What the statistics of one column chunk say."""
        rows = self.group_rows[group]
        if column.leaf is None:
            return ColumnRange(column.type, rows=rows)
        key = group, column.leaf
        found = self._ranges.get(key)
        if found is None:
            chunk, leaf = self.chunk(group, column), self.metadata.leaves[column.leaf]
            statistics = {} if chunk is None else chunk.statistics
            found = self._ranges[key] = chunk_range(statistics, leaf, column.type, column.arrow, rows)
        return found

    def has_extremes(self, group: int, column: FooterColumn) -> bool:
        """Whether the bounds of a column chunk are values that it has, or nothing but NULL is in it."""
        chunk = self.chunk(group, column)
        if chunk is None or column.leaf is None:
            return False
        known = self.range(group, column)
        return known.all_null or bounds_are_values(chunk.statistics, self.metadata.leaves[column.leaf], column.type)

    def common_range(self, column: FooterColumn) -> ColumnRange | None:
        """What lies within the range of every row group that has rows: a conjunct that may be TRUE in it may be so in each.

        None where more than ranges is known of a row group: that all its values are NULL, or a Bloom filter.
        """
        if column.leaf is None:
            return ColumnRange(column.type)
        if column.leaf not in self._common:
            self._common[column.leaf] = self._find_common(column)
        return self._common[column.leaf]

    def _find_common(self, column: FooterColumn) -> ColumnRange | None:
        groups = [group for group, rows in enumerate(self.group_rows) if rows]
        ranges = [self.range(group, column) for group in groups]
        chunks = [self.chunk(group, column) for group in groups]
        if any(one.all_null for one in ranges) or any(chunk is not None and chunk.bloom_filter for chunk in chunks):
            return None
        lows = [one.minimum for one in ranges if one.minimum is not None]
        highs = [one.maximum for one in ranges if one.maximum is not None]
        nulls = [one.nulls for one in ranges if one.nulls is not None]
        try:
            return ColumnRange(
                column.type, max(lows, default=None), min(highs, default=None), min(nulls, default=None), self.rows
            )
        except TypeError:  # storage values of types that do not compare in Python
            return None


@functools.lru_cache(maxsize=4096)
def read_footer(file: FileVersion) -> Footer:
    """The footer of this version of a file; :class:`ConnectorError` if it is damaged or no Parquet file."""
    subject = f"file {file.path!r}"
    try:
        metadata = parse_footer(_footer_bytes(file))
        with pq.ParquetFile(file.path) as opened:
            arrow, schema = opened.metadata, opened.schema_arrow
    except (FileNotFoundError, PermissionError) as error:
        raise read_error(subject, error) from None
    except (pa.ArrowException, OSError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ConnectorError(
            f"{subject} is damaged or incomplete", detail=f"its footer cannot be read: {text[:300]}"
        ) from error
    file.check()
    return Footer(file, metadata, arrow, _columns(file, metadata, schema))


def _footer_bytes(file: FileVersion) -> bytes:
    """The thrift part of the footer; the file ends with its length and the magic."""
    subject = f"file {file.path!r}"
    with open(file.path, "rb") as opened:  # noqa: PTH123 - paths are text here
        magic = opened.read(4)
        if not magic:
            raise ConnectorError(f"{subject} is not a Parquet file", detail="it is empty")
        if magic == _ENCRYPTED:
            raise ConnectorError(f"{subject} is encrypted", detail="encrypted Parquet files cannot be read")
        if magic != _MAGIC:
            raise ConnectorError(f"{subject} is not a Parquet file", detail="it does not begin with PAR1")
        if file.size < 12:
            raise ValueError("the file is too short")
        opened.seek(file.size - 8)
        tail = opened.read(8)
        size = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC:
            raise ValueError("the file does not end with PAR1")
        if size > file.size - 12:
            raise ValueError("the footer is longer than the file")
        opened.seek(file.size - 8 - size)
        return opened.read(size)


def _columns(file: FileVersion, metadata: FileMetadata, schema: pa.Schema) -> tuple[FooterColumn, ...]:
    columns: list[FooterColumn] = []
    leaf = 0
    for field in schema:
        arrow = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
        count = _leaves(arrow)
        if count == 1 and pa.types.is_binary(arrow) and leaf < len(metadata.leaves) and metadata.leaves[leaf].enum:
            arrow = pa.string()
        try:
            of = from_arrow_type(arrow)
        except UnsupportedError as error:
            raise ConnectorError(
                f"column {field.name!r} of file {file.path!r} cannot be read", detail=error.message
            ) from None
        flat = count == 1 and not pa.types.is_nested(arrow)
        columns.append(FooterColumn(field.name, of, field.nullable, arrow, leaf if flat else None))
        leaf += count
    if leaf != len(metadata.leaves):
        raise ConnectorError(
            f"file {file.path!r} is damaged", detail="its columns do not agree with the Arrow schema in its footer"
        )
    return tuple(columns)


def _leaves(of: pa.DataType) -> int:
    """Column chunks that hold an Arrow type."""
    if isinstance(of, pa.BaseExtensionType):
        return _leaves(of.storage_type)
    if pa.types.is_struct(of):
        return sum(_leaves(field.type) for field in of)
    if pa.types.is_map(of):
        return _leaves(of.key_type) + _leaves(of.item_type)
    if pa.types.is_nested(of):
        return _leaves(of.value_type)
    return 1
