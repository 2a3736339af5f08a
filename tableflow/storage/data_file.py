"""What a manifest says of a file of rows, and how such files are written."""

from __future__ import annotations

from tableflow.config import STORAGE_CHUNK_ROWS, STORAGE_FILE_BYTES, STORAGE_FILE_ROWS, Settings
from tableflow.errors import CatalogError
from tableflow.records import dataclass
from tableflow.serialization import serializable
from tableflow.storage.description import TableDescription

FORMAT_VERSION = 1
COMPRESSIONS = ("none", "lz4", "zstd")


@serializable
@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of rows; ``name`` is relative to the disk and without extension, as its side files share it.

    ``bytes`` is the exact size of the rows' file and ``checksum`` that of the side file, which has the checksums of
    everything else.  ``row_ids`` are the first and last one, of a file that stores them.  ``keys`` are the
    columns of each index beside it.
    """

    name: str
    rows: int
    bytes: int
    checksum: int
    format_version: int = FORMAT_VERSION
    row_ids: tuple[int, int] | None = None
    keys: tuple[tuple[int, ...], ...] = ()

    @property
    def data_name(self) -> str:
        """The file of the rows."""
        return f"{self.name}.arrow"

    @property
    def side_name(self) -> str:
        """The file with what is known of them."""
        return f"{self.name}.json"

    @property
    def names(self) -> tuple[str, ...]:
        """All files that belong to it, to be removed together."""
        return (self.data_name, self.side_name, *(index_name(self.name, k) for k in range(len(self.keys))))


def index_name(name: str, key: int) -> str:
    """The file of the index of a file's key."""
    return f"{name}.index-{key}"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Rows of a chunk; rows and bytes at which a file is full; how its columns are compressed."""

    chunk_rows: int = 131_072
    file_rows: int = 4_194_304
    file_bytes: int = 128 << 20
    compression: str = "none"

    @classmethod
    def of(cls, settings: Settings, description: TableDescription) -> FileOptions:
        """The session's settings, and the table's option ``compression``."""
        compression = dict(description.options).get("compression", "none").lower()
        if compression not in COMPRESSIONS:
            raise CatalogError(f"unknown compression {compression!r}", hint=f"one of {', '.join(COMPRESSIONS)}")
        return cls(
            settings.get(STORAGE_CHUNK_ROWS),
            settings.get(STORAGE_FILE_ROWS),
            settings.get(STORAGE_FILE_BYTES),
            compression,
        )
