"""Types of the extension module; each native file adds its own section."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

class Vector:
    def __init__(self, array: Any) -> None: ...
    def __arrow_c_array__(self, requested_schema: Any = ...) -> tuple[Any, Any]: ...
    def __len__(self) -> int: ...
    null_count: int
    nbytes: int
    format: str
    @property
    def dictionary(self) -> Vector | None: ...

# rows: hashes, partitions, take and concat
_Rows = npt.NDArray[np.uint32]
HASH_VERSION: int

def hash_columns(columns: Sequence[Vector], selection: _Rows | None, length: int) -> npt.NDArray[np.uint64]: ...
def partition(
    hashes: npt.NDArray[np.uint64], parts: int, selection: _Rows | None
) -> tuple[_Rows, npt.NDArray[np.int64]]: ...
def take(columns: Sequence[Vector], index: npt.NDArray[Any], nullable: bool) -> list[Vector]: ...
def concat(columns: Sequence[Sequence[Vector]], selections: Sequence[_Rows | None]) -> list[Vector]: ...
def concat_ranges(
    columns: Sequence[Sequence[Vector]], starts: Sequence[int], counts: Sequence[int]
) -> list[Vector]: ...

# rows: sorting
_Directions = Sequence[tuple[bool, bool]]

def sort_indices(columns: Sequence[Vector], directions: _Directions, length: int) -> npt.NDArray[np.int64]: ...
def lower_bound(
    columns: Sequence[Vector], length: int, keys: Sequence[Vector], row: int, directions: _Directions
) -> int: ...
def select_before(
    columns: Sequence[Vector],
    selection: _Rows | None,
    length: int,
    keys: Sequence[Vector],
    row: int,
    directions: _Directions,
) -> _Rows: ...

class Merger:
    def __init__(self, inputs: int, directions: _Directions) -> None: ...
    def push(self, input: int, keys: Sequence[Vector], length: int) -> None: ...
    def finish(self, input: int) -> None: ...
    def wants(self, input: int) -> bool: ...
    def merge(self, most: int) -> tuple[list[int], npt.NDArray[np.int64]]: ...

# groups: keys to group numbers, aggregates per group
class AggregateOverflow(OverflowError): ...  # noqa: N818 - the name of the native class

class AggregateSpec:
    def __init__(
        self,
        function: str,
        arguments: Sequence[int],
        filter: int,
        distinct: bool,
        formats: Sequence[str],
        result: str,
        merging: bool,
    ) -> None: ...

class GroupTable:
    def __init__(self, keys: Sequence[str], calls: Sequence[AggregateSpec]) -> None: ...
    def update(
        self,
        keys: Sequence[Vector],
        arguments: Sequence[Vector],
        length: int,
        selection: _Rows | None = ...,
        dense: Sequence[bool] | None = ...,
    ) -> None: ...
    def spread(
        self,
        arguments: Sequence[Vector],
        length: int,
        selection: _Rows | None = ...,
        dense: Sequence[bool] | None = ...,
    ) -> None: ...
    def keys(self, start: int, count: int) -> list[Vector]: ...
    def results(self, start: int, count: int) -> list[Vector]: ...
    def states(self, start: int, count: int) -> list[Vector]: ...
    def clear(self) -> None: ...
    def prepare(self, rows: int) -> bool: ...
    def bytes_after(self, rows: int) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def bytes(self) -> int: ...

# Parquet: metadata, decoding of column chunks
def parse_thrift(data: bytes) -> dict[int, Any]: ...

class ParquetColumnReader:
    def __init__(
        self,
        fd: int,
        offset: int,
        size: int,
        num_values: int,
        optional: bool,
        conversion: str,
        format: str,
        type_length: int,
        codec: str,
        decompress: Any,
    ) -> None: ...
    left: int
    def read(self, rows: int) -> Vector: ...
    def skip(self, rows: int) -> None: ...

class ProgramResult:
    columns: list[Vector | None]
    @property
    def selection(self) -> npt.NDArray[np.uint32]: ...
    dropped: bool
    compact: bool
    rows: int
    failed: int
    failed_row: int

class Program:
    def __init__(
        self,
        registers: list[str],
        code: list[tuple[str, int, list[int], tuple[Any, ...], int]],
        outputs: list[tuple[int, int, str]],
        inputs: int,
        errors: int,
    ) -> None: ...
    def run(
        self, columns: list[Vector | None], length: int, selection: npt.NDArray[np.uint32] | None, numbered: bool
    ) -> ProgramResult: ...
    def feed(
        self,
        columns: list[Vector | None],
        length: int,
        selection: npt.NDArray[np.uint32] | None,
        table: GroupTable,
        keys: list[int],
        arguments: list[int],
    ) -> ProgramResult: ...

# joins: build rows by key, probing
class JoinRows:
    def __init__(self, keys: Sequence[str], null_safe: Sequence[int]) -> None: ...
    def append(
        self,
        keys: Sequence[Vector],
        length: int,
        selection: _Rows | None = ...,
        only: npt.NDArray[np.uint8] | None = ...,
    ) -> None: ...
    @property
    def exact(self) -> bool: ...
    @property
    def rows(self) -> int: ...
    @property
    def bytes(self) -> int: ...

class JoinTable:
    def __init__(self, partials: Sequence[JoinRows]) -> None: ...
    def seal(self, part: int) -> None: ...
    def finish(self, keys: Sequence[Vector]) -> None: ...
    @property
    def parts(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def exact(self) -> bool: ...
    @property
    def unique(self) -> bool: ...
    @property
    def direct(self) -> bool: ...
    @property
    def bytes(self) -> int: ...
    @staticmethod
    def bytes_for(rows: int) -> int: ...

class JoinProbe:
    def __init__(self, table: JoinTable) -> None: ...
    def start(self, keys: Sequence[Vector], length: int, selection: _Rows | None = ...) -> None: ...
    def next(self, limit: int, outer: bool, done: npt.NDArray[np.uint8] | None = ...) -> tuple[_Rows, _Rows]: ...
    def lanes(self, matched: bool) -> _Rows: ...
    @property
    def exhausted(self) -> bool: ...

# windows: boundaries, and aggregates over frames that move forward
_Wide = npt.NDArray[np.int64]

def key_changes(keys: Sequence[Vector], length: int) -> _Wide: ...
def same_keys(keys: Sequence[Vector], row: int, others: Sequence[Vector], other: int) -> bool: ...
def range_ends(
    keys: Vector,
    bounds: Vector,
    first: int,
    start: _Wide,
    end: _Wide,
    descending: bool,
    nulls_first: bool,
    beyond: bool,
) -> _Wide: ...

class FrameSum:
    def __init__(self, function: str, format: str, result: str, values: Vector, distinct: bool) -> None: ...
    def next(self, low: _Wide, high: _Wide) -> Vector: ...
    @property
    def bytes(self) -> int: ...

class FrameExtreme:
    def __init__(self, values: Vector, greatest: bool) -> None: ...
    def next(self, low: _Wide, high: _Wide) -> _Wide: ...
    @property
    def bytes(self) -> int: ...
