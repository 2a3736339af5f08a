"""How many distinct values there are: theta sketches (Apache DataSketches) over our own hash of a value.

A theta sketch is the k smallest hashes and a bound theta below which it has all of them.  The library takes values
one by one; hashes of whole columns are computed natively here, and the sketch is written in the library's
format (compact, ordered, serial version 3), so that its unions and estimates apply.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.narrowing import DistinctHashes

LG_K = 10
"""1,024 hashes: a standard error of 3 %, and at most 8 KB per file and column."""

_THETA = 2**63 - 1  # of a sketch that has every hash
_SEED_HASH = 0x93CC  # of the library's default seed
_EMPTY, _FULL = 0x1E, 0x1A  # flags: read-only, compact, ordered; and empty

Hashes = npt.NDArray[np.uint64]


class DistinctSketch:
    """The smallest distinct hashes of what was added."""

    __slots__ = ("_hashes",)

    def __init__(self) -> None:
        self._hashes = DistinctHashes(1 << LG_K)

    def add(self, column: Column) -> None:
        """Adds values of a type that is not nested; NULLs do not count."""
        self._hashes.update(column)

    def serialize(self) -> bytes:
        """The sketch in the library's format."""
        return _serialize(*self._hashes.finish())


def _serialize(hashes: Hashes, theta: int) -> bytes:
    exact = theta == _THETA
    if not len(hashes) and exact:
        return struct.pack("<BBBHBH", 1, 3, 3, 0, _EMPTY, _SEED_HASH)
    if len(hashes) == 1 and exact:
        return struct.pack("<BBBHBHQ", 1, 3, 3, 0, _FULL, _SEED_HASH, int(hashes[0]))
    head = struct.pack("<BBBHBHII", 2 if exact else 3, 3, 3, 0, _FULL, _SEED_HASH, len(hashes), 0)
    bound = b"" if exact else struct.pack("<Q", theta)
    return head + bound + hashes.astype("<u8").tobytes()


def union(sketches: Iterable[bytes]) -> bytes:
    """The sketch of all values of several."""
    import datasketches  # takes a tenth of a second

    merged = datasketches.theta_union(LG_K)
    for sketch in sketches:
        merged.update(datasketches.compact_theta_sketch.deserialize(sketch))
    result: bytes = merged.get_result().serialize()
    return result


def estimate(sketch: bytes) -> float:
    """About how many distinct values the sketch has seen; exact up to 1,024."""
    import datasketches

    result: float = datasketches.compact_theta_sketch.deserialize(sketch).get_estimate()
    return result
