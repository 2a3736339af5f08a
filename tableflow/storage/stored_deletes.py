"""Deletes in a file, read when they are first needed."""

from __future__ import annotations

from tableflow.errors import ConnectorError
from tableflow.storage.delete_file import DeleteFile, read_deletes
from tableflow.storage.deletes import DeleteLayer, Ids
from tableflow.storage.disk import Disk
from tableflow.storage.failure import missing_file


def stored_layer(disk: Disk, file: DeleteFile) -> DeleteLayer:
    """The layer of a file; :class:`~tableflow.errors.ConnectorError` where it is read, if it is missing or damaged."""

    def load() -> tuple[Ids, Ids]:
        try:
            return read_deletes(disk, file)
        except ConnectorError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise missing_file(disk, file.name) from error
            raise

    return DeleteLayer(file.rows, load=load, file=file)
