"""Rows as bytes and back, for snapshots: an Arrow stream of what the columns' types prescribe, whatever their representation was."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_rows
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.columnar.representation import widen
from tableflow.types import Field


def rows_in(keys: KeyRange, batches: Sequence[Batch], dealt: Sequence[int]) -> list[Batch]:
    """Of batches without a selection the rows of a range of keys, dealt by these columns; batches without any are left out."""
    if keys.whole:
        return list(batches)
    taken = [take_rows(each, keys.rows([each.columns[i] for i in dealt], each.length)) for each in batches]
    return [each for each in taken if each.length]


def pack_rows(batches: Sequence[Batch]) -> bytes:
    """The rows of all batches, which have a column at least; nothing for none."""
    if not batches:
        return b""
    arrays = [widen(column).array for column in concat(batches).columns]
    batch = pa.RecordBatch.from_arrays(arrays, [str(i) for i in range(len(arrays))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def unpack_rows(packed: bytes, fields: Sequence[Field]) -> Batch | None:
    """What :func:`pack_rows` was given, as one batch."""
    if not packed:
        return None
    with pa.ipc.open_stream(packed) as reader:
        batch = reader.read_next_batch()
    columns = [Column(f.type, array) for f, array in zip(fields, batch.columns, strict=True)]
    return Batch(columns, batch.num_rows)
