"""The version of the files' format, which the identity, the root and every manifest state.

A file of a newer version is refused by the first that reads it, with one clear error; what says nothing is of version 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tableflow.errors import ConnectorError
from tableflow.storage.disk import Disk

FORMAT_VERSION = 1
KEY = "format_version"


def check_format(disk: Disk, document: Mapping[str, Any], name: str | None = None) -> None:
    """:class:`~tableflow.errors.ConnectorError` for another version of the database, or of its file ``name``."""
    version = document.get(KEY, 1)
    if version != FORMAT_VERSION:
        what = f"database {disk.place!r}" if name is None else f"file {name!r} of the database {disk.place!r}"
        raise ConnectorError(
            f"{what} has format version {version}",
            detail=f"this version of tableflow reads format version {FORMAT_VERSION}",
            hint="use the version of tableflow that wrote it, or a newer one",
        )
