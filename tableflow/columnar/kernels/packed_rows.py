"""Rows as bytes and back, for snapshots: an Arrow stream, of one piece or of several.

Every state is saved so.  :func:`pack_rows` saves what the columns' types prescribe, whatever their representation was; who packs arrays
saves them as they are, and knows what they were when they come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_rows
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.columnar.representation import widen
from tableflow.types import SqlType


def rows_in(keys: KeyRange, batches: Sequence[Batch], dealt: Sequence[int]) -> list[Batch]:
    """Of batches without a selection the rows of a range of keys, dealt by these columns; batches without any are left out."""
    if keys.whole:
        return list(batches)
    taken = [take_rows(each, keys.rows([each.columns[i] for i in dealt], each.length)) for each in batches]
    return [each for each in taken if each.length]


def pack_arrays(pieces: Iterable[Sequence[pa.Array]]) -> bytes:
    """Columns, a piece at a time, all alike; nothing for no pieces."""
    sink = pa.BufferOutputStream()
    writer: pa.ipc.RecordBatchStreamWriter | None = None
    for arrays in pieces:
        batch = pa.RecordBatch.from_arrays(arrays, [str(i) for i in range(len(arrays))])
        if writer is None:
            writer = pa.ipc.new_stream(sink, batch.schema)
        writer.write_batch(batch)
    if writer is not None:
        writer.close()
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack_arrays(packed: bytes) -> Iterator[list[pa.Array]]:
    """The pieces that :func:`pack_arrays` was given."""
    if packed:
        with pa.ipc.open_stream(packed) as reader:
            for batch in reader:
                yield batch.columns


def pack_rows(batches: Sequence[Batch]) -> bytes:
    """The rows of all batches, which have a column at least, as one piece; nothing for none."""
    return pack_arrays([[widen(column).array for column in concat(batches).columns]] if batches else ())


def unpack_rows(packed: bytes, types: Sequence[SqlType]) -> Batch | None:
    """What :func:`pack_rows` was given, as one batch, by the types of its columns."""
    for arrays in unpack_arrays(packed):
        return Batch([Column(of, array) for of, array in zip(types, arrays, strict=True)], len(arrays[0]))
    return None
