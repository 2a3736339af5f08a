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
