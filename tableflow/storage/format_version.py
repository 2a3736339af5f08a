"""The version of the files' format, which the identity, the root and every manifest state.

A file of a newer version is refused by the first that reads it, with one clear error; what says nothing is of version 1.
Older ones are read; a database becomes one of this version when it is opened for writing, before anything of that version is in its log.

====  ================================================================================
 1    the first
 2    the log and the catalog tell how many rows streaming tables have read (``NoteRead``)
====  ================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tableflow.errors import ConnectorError
from tableflow.storage.disk import Disk

FORMAT_VERSION = 2
KEY = "format_version"


def check_format(disk: Disk, document: Mapping[str, Any], name: str | None = None) -> None:
    """:class:`~tableflow.errors.ConnectorError` for another version of the database, or of its file ``name``."""
    version = document.get(KEY, 1)
    if not isinstance(version, int) or not 0 < version <= FORMAT_VERSION:
        what = f"database {disk.place!r}" if name is None else f"file {name!r} of the database {disk.place!r}"
        raise ConnectorError(
            f"{what} was written by a newer tableflow: it has format version {version}",
            detail=f"this version of tableflow reads format versions up to {FORMAT_VERSION}",
            hint="use the version of tableflow that wrote it, or a newer one",
        )
