"""How many distinct values there are: theta sketches over our own hash of a value.

A theta sketch is the k smallest hashes and a bound theta below which it has all of them (Dasgupta, Lang, Rhodes and Thaler,
"A Framework for Estimating Stream Expression Cardinalities", 2016).  The format is that of Apache DataSketches (compact,
ordered, serial version 3); its library takes values one by one, hashes of whole columns are computed natively here.
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
_IS_EMPTY = 0x04

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
        """The sketch in the format of DataSketches."""
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


def _parse(sketch: bytes) -> tuple[Hashes, int]:
    """Hashes, ascending, and theta."""
    longs, flags = sketch[0] & 0x3F, sketch[5]
    if flags & _IS_EMPTY:
        return np.empty(0, np.uint64), _THETA
    count = 1 if longs == 1 else struct.unpack_from("<I", sketch, 8)[0]
    theta = struct.unpack_from("<Q", sketch, 16)[0] if longs == 3 else _THETA
    return np.frombuffer(sketch, "<u8", count, 8 * longs), theta


def union(sketches: Iterable[bytes]) -> bytes:
    """The sketch of all values of several."""
    parsed = [_parse(sketch) for sketch in sketches]
    theta = min((bound for _, bound in parsed), default=_THETA)
    hashes = np.unique(np.concatenate([found for found, _ in parsed] or [np.empty(0, np.uint64)]))
    hashes = hashes[hashes < theta]
    if len(hashes) > 1 << LG_K:
        theta = int(hashes[1 << LG_K])
        hashes = hashes[: 1 << LG_K]
    return _serialize(hashes, theta)


def estimate(sketch: bytes) -> float:
    """About how many distinct values the sketch has seen; exact up to 1,024."""
    hashes, theta = _parse(sketch)
    return len(hashes) / (theta / 2**63) if theta < _THETA else float(len(hashes))
