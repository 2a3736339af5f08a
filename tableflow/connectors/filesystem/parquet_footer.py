"""Footers of Parquet files: read once per version of a file, with the statistics of its column chunks.

A bound taken from a footer is used to prove that nothing overflows, so it must really be one: legacy statistics of
columns whose order was ambiguous (pyarrow hides them), upper bounds of floating point columns (NaN sorts above all
numbers and is not counted in) and bounds that are not UTF-8 count as unknown.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tableflow import types as t
from tableflow.columnar.kernels.parquet import ChunkPlan, plan_chunk
from tableflow.columnar.representation import from_arrow_type
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.connectors.pruning import ColumnRange
from tableflow.connectors.reading import read_error
from tableflow.errors import ConnectorError, UnsupportedError


@dataclass(frozen=True, slots=True)
class FooterColumn:
    """A column of a file; ``leaf`` is the number of its column chunk, None for nested columns."""

    name: str
    type: t.SqlType
    nullable: bool
    arrow: pa.DataType
    leaf: int | None
    physical: str


class Footer:
    """The metadata of one file."""

    def __init__(self, file: FileVersion, metadata: pq.FileMetaData, columns: tuple[FooterColumn, ...]) -> None:
        self.file = file
        self.metadata = metadata
        self.columns = columns
        self.group_rows = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
        self._ranges: dict[tuple[int, int], ColumnRange] = {}
        self._plans: dict[tuple[int, int], ChunkPlan | None] = {}

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return int(self.metadata.num_rows)

    def plan(self, group: int, column: FooterColumn) -> ChunkPlan | None:
        """How one column chunk is decoded natively; None if it is not."""
        if column.leaf is None:
            return None
        key = group, column.leaf
        if key not in self._plans:
            chunk = self.metadata.row_group(group).column(column.leaf)
            self._plans[key] = plan_chunk(chunk, self.metadata.schema.column(column.leaf), column.arrow)
        return self._plans[key]

    def range(self, group: int, column: FooterColumn) -> ColumnRange:
        """What the statistics of one column chunk say."""
        rows = self.group_rows[group]
        if column.leaf is None:
            return ColumnRange(column.type, rows=rows)
        key = group, column.leaf
        found = self._ranges.get(key)
        if found is None:
            statistics = self.metadata.row_group(group).column(column.leaf).statistics
            found = self._ranges[key] = _range(statistics, column, rows)
        return found


@functools.lru_cache(maxsize=4096)
def read_footer(file: FileVersion) -> Footer:
    """The footer of this version of a file; :class:`ConnectorError` if it is damaged or no Parquet file."""
    try:
        with pq.ParquetFile(file.path, memory_map=True) as opened:
            metadata, schema = opened.metadata, opened.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _footer_error(file, error) from error
    file.check()
    return Footer(file, metadata, _columns(file, metadata, schema))


def _footer_error(file: FileVersion, error: Exception) -> ConnectorError:
    subject = f"file {file.path!r}"
    if isinstance(error, FileNotFoundError | PermissionError):
        return read_error(subject, error)
    if file.size == 0:
        return ConnectorError(f"{subject} is not a Parquet file", detail="it is empty")
    try:
        with open(file.path, "rb") as opened:  # noqa: PTH123
            magic = opened.read(4)
    except OSError as failure:
        return read_error(subject, failure)
    if magic not in {b"PAR1", b"PARE"}:
        return ConnectorError(f"{subject} is not a Parquet file", detail="it does not begin with PAR1")
    if magic == b"PARE":
        return ConnectorError(f"{subject} is encrypted", detail="encrypted Parquet files cannot be read")
    text = " ".join(str(error).split())
    return ConnectorError(f"{subject} is damaged or incomplete", detail=f"its footer cannot be read: {text[:300]}")


def _columns(file: FileVersion, metadata: pq.FileMetaData, schema: pa.Schema) -> tuple[FooterColumn, ...]:
    columns: list[FooterColumn] = []
    leaf = 0
    for field in schema:
        arrow = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
        count = _leaves(arrow)
        try:
            of = from_arrow_type(arrow)
        except UnsupportedError as error:
            raise ConnectorError(
                f"column {field.name!r} of file {file.path!r} cannot be read", detail=error.message
            ) from None
        flat = count == 1 and not pa.types.is_nested(arrow)
        physical = metadata.schema.column(leaf).physical_type if flat else ""
        columns.append(FooterColumn(field.name, of, field.nullable, arrow, leaf if flat else None, physical))
        leaf += count
    if leaf != metadata.num_columns:
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


def _range(statistics: Any, column: FooterColumn, rows: int) -> ColumnRange:
    if statistics is None:
        return ColumnRange(column.type, nulls=None if column.nullable else 0, rows=rows)
    nulls = statistics.null_count if statistics.has_null_count else None
    if not column.nullable:
        nulls = 0
    if not statistics.has_min_max:
        return ColumnRange(column.type, nulls=nulls, rows=rows)
    low = _storage_value(statistics.min_raw, column, upper=False)
    high = _storage_value(statistics.max_raw, column, upper=True)
    return ColumnRange(column.type, low, high, nulls, rows)


def _storage_value(raw: Any, column: FooterColumn, *, upper: bool) -> Any:
    """A bound as a storage value of the column's type; None if it cannot be relied on."""
    if column.physical == "INT96":
        return None
    match column.type:
        case t.BooleanType():
            return bool(raw)
        case t.FloatType():
            if not isinstance(raw, float):
                return None
            return None if upper or math.isnan(raw) else raw
        case t.DecimalType() if isinstance(raw, bytes):
            return int.from_bytes(raw, "big", signed=True)
        case t.StringType() | t.JsonType():
            try:
                return bytes(raw).decode()
            except UnicodeDecodeError:
                return None
        case t.BytesType():
            return bytes(raw)
        case t.TimestampType() | t.TimeType():
            return raw * {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 1}[column.arrow.unit]
        case t.IntegerType() | t.DateType() | t.DecimalType() if isinstance(raw, int):
            if pa.types.is_unsigned_integer(column.arrow):
                return raw & (2**column.arrow.bit_width - 1)
            return raw
        case _:
            return None
