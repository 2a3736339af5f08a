"""Whether Arrow text from outside is UTF-8, which Arrow itself takes on trust.

Kernels and results rely on it, so it is looked at where data comes in: once for data that is read again and again.
"""

from __future__ import annotations

import pyarrow as pa

from tableflow.errors import DataError


def holds_text(of: pa.DataType) -> bool:
    """Whether there is text in values of the type, however deep."""
    kinds = pa.types
    if isinstance(of, pa.BaseExtensionType):
        return holds_text(of.storage_type)
    if kinds.is_dictionary(of):
        return holds_text(of.value_type)
    if kinds.is_nested(of):
        return any(holds_text(of.field(i).type) for i in range(of.num_fields))
    return bool(kinds.is_string(of) or kinds.is_large_string(of) or kinds.is_string_view(of))


def check_text(values: pa.Array | pa.ChunkedArray, column: str, subject: str, before: int = 0) -> None:
    """Raises :class:`DataError` for the first row that is no UTF-8; ``before``: how many rows of ``subject`` came earlier."""
    if not holds_text(values.type) or _valid(values):
        return
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    row = _first_invalid(values)
    if row is not None:
        raise DataError(
            f"row {before + row + 1} of {subject} has text in column {column!r} that is not UTF-8",
            detail=f"its bytes are {_bytes(values, row)}",
            hint="decode it before with the encoding that it has, or give the column as binary, which is BYTES",
        )


def _valid(values: pa.Array | pa.ChunkedArray) -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _first_invalid(values: pa.Array) -> int | None:
    """None if only values that no row refers to are invalid."""
    start, rows = 0, len(values)
    while rows > 1:  # the first invalid row is among ``rows`` from ``start`` on
        half = rows // 2
        if _valid(_alone(values, start, half)):
            start, rows = start + half, rows - half
        else:
            rows = half
    return None if _valid(_alone(values, start, 1)) else start


def _alone(values: pa.Array, start: int, rows: int) -> pa.Array:
    """These rows without what others of a nested array refer to."""
    part = values.slice(start, rows)
    return part.take(pa.array(range(rows))) if pa.types.is_nested(values.type) else part


def _bytes(values: pa.Array, row: int) -> str:
    value = values[row]
    buffer = value.as_buffer() if hasattr(value, "as_buffer") else None
    return "those of a nested value" if buffer is None else repr(buffer.to_pybytes()[:80])
