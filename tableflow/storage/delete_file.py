"""Which rows of a table are deleted, and by which version: pairs in order of row id."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.storage.damage import checksum, damaged, guarded
from tableflow.storage.disk import Disk

Ids = npt.NDArray[np.int64]
_SCHEMA = pa.schema([pa.field("row_id", pa.int64(), nullable=False), pa.field("version", pa.int64(), nullable=False)])


@serializable
@dataclass(frozen=True, slots=True)
class DeleteFile:
    """A file of deletes; ``name`` is relative to the disk, extension included; ``checksum`` is that of the whole file."""

    name: str
    rows: int
    bytes: int
    checksum: int


def write_deletes(disk: Disk, name: str, row_ids: Ids, versions: Ids) -> DeleteFile:
    """Writes and syncs ``<name>.deletes``; row ids ascend strictly."""
    if len(row_ids) != len(versions) or (len(row_ids) > 1 and bool((np.diff(row_ids) <= 0).any())):
        raise ValueError("deletes are pairs in strict order of row id")
    batch = pa.record_batch([pa.array(row_ids, pa.int64()), pa.array(versions, pa.int64())], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _SCHEMA) as writer:
        writer.write_batch(batch)
    content = sink.getvalue()
    file = DeleteFile(f"{name}.deletes", len(row_ids), content.size, checksum(content))
    out = disk.create(file.name)
    try:
        out.write(content)
        out.sync()
    finally:
        out.close()
    return file


def read_deletes(disk: Disk, file: DeleteFile) -> tuple[Ids, Ids]:
    """Row ids and versions, mapped and verified; raises :class:`~tableflow.errors.ConnectorError` for a damaged file."""
    with guarded(file.name, "its deletes cannot be read"):
        content = disk.map(file.name)
        if content.size != file.bytes:
            raise damaged(file.name, f"it has {content.size} bytes instead of {file.bytes}")
        if checksum(content) != file.checksum:
            raise damaged(file.name, "its checksum does not fit")
        batch = pa.ipc.open_file(pa.BufferReader(content)).get_batch(0)
        return batch.column(0).to_numpy(), batch.column(1).to_numpy()
