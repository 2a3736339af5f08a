"""Columns as narrow as their values allow, with their bounds, in one pass; for writers of files.

Pieces are columns of one type, in any representation each, that are put together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow import types as t
from tableflow.columnar import _native
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat


def narrow(pieces: Sequence[Column], keep: bool = False) -> tuple[Column, int | None, int | None]:
    """Integers, decimals, dates or times in the least width (``keep``: in the widest of a piece), minimum and maximum.

    Bounds are storage values, None when all are NULL.
    """
    vector, low, high = _native.narrow([piece.vector for piece in pieces], keep)
    return Column(pieces[0].type, vector=vector), low, high


def joined(pieces: Sequence[Column]) -> Column:
    """The pieces put together as they are."""
    return concat([Batch([piece], len(piece)) for piece in pieces]).columns[0]


def real_bounds(column: Column) -> tuple[float | None, float | None, bool]:
    """Minimum and maximum of the numbers of a floating-point column, and whether a NaN is among its values."""
    return _native.real_bounds(column.vector)


def text_bounds(column: Column) -> tuple[bytes | None, bytes | None]:
    """Minimum and maximum by bytes of a column of strings that is no dictionary."""
    return _native.text_bounds(column.vector)


class TextCodes:
    """Strings by the numbers of one dictionary that grows; single-owner."""

    __slots__ = ("_native", "_type")

    def __init__(self, of: t.SqlType) -> None:
        self._type = of
        self._native = _native.TextCodes()

    def add(self, pieces: Sequence[Column]) -> tuple[Column, bytes | None, bytes | None, int]:
        """Codes as an INT column (NULL where the text is), minimum, maximum, and bytes of all texts together."""
        codes, low, high, size = self._native.add([piece.vector for piece in pieces])
        return Column(t.INT, vector=codes), low, high, size

    @property
    def entries(self) -> int:
        """Distinct texts so far: each code is less."""
        return self._native.entries

    @property
    def entry_bytes(self) -> int:
        """Their bytes."""
        return self._native.entry_bytes

    def dictionary(self) -> Column:
        """The texts by code."""
        return Column(self._type, vector=self._native.dictionary(isinstance(self._type, t.BytesType)))


class DistinctHashes:
    """The ``k`` smallest distinct hashes of what was added, halved to 63 bits; NULLs do not count."""

    __slots__ = ("_native",)

    def __init__(self, k: int) -> None:
        self._native = _native.DistinctHashes(k)

    def update(self, column: Column) -> None:
        """Adds a column of a type that is not nested."""
        self._native.update(column.vector)

    def finish(self) -> tuple[npt.NDArray[np.uint64], int]:
        """The hashes, ascending, and theta: every smaller hash that occurred is among them."""
        hashes = self._native.hashes()
        return hashes, self._native.theta
