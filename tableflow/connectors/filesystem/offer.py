"""What a declared table over files says about being written to."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.written import SinkOffer, SinkRequest, Takes
from tableflow.connectors.filesystem.format import Format
from tableflow.connectors.filesystem.path import local_path
from tableflow.connectors.filesystem.sink import FileSinkSpec
from tableflow.connectors.filesystem.sink_options import writer_options
from tableflow.errors import CatalogError, UnsupportedError

_ADVICE = (
    "EMIT ON WINDOW CLOSE gives final rows of windows; 'format' = 'changelog-json' or 'debezium-json' writes changes; "
    "CREATE STREAMING TABLE ... AS keeps the result"
)
_WRITTEN = ("parquet", "csv", "json", "arrow", "changelog-json", "debezium-json")


def offer(definition: TableDefinition, format: Format, options: dict[str, Any]) -> SinkOffer:
    """The offer; whatever keeps the table from being written is an error when it is."""
    takes = Takes.CHANGES if format.takes_changes else Takes.APPENDED

    def spec(request: SinkRequest) -> tuple[str, Any]:
        if format.name not in _WRITTEN:
            raise UnsupportedError(
                f"files of format {format.name!r} are only read", hint=f"{', '.join(_WRITTEN)} are written"
            )
        names = {column.name.lower(): column.name for column in request.columns}
        return "filesystem", FileSinkSpec.of(
            request,
            path=_directory(request.table, options["path"]),
            format=format.name,
            kinds=format.takes_changes,
            partitioned=tuple(names[name.lower()] for name in definition.partitioned_by),
            largest=options["sink.rolling-policy.file-size"],
            oldest=options["sink.rolling-policy.rollover-interval"],
            options=tuple(writer_options(format.name, options).items()),
        )

    return SinkOffer(takes, definition.columns, spec, _ADVICE, definition.primary_key)


def _directory(table: str, path: str) -> str:
    local = local_path(path)
    if glob.has_magic(local) or Path(local).is_file():
        raise CatalogError(
            f"table {table!r} cannot be written",
            detail=f"its path {path!r} is {'a file' if Path(local).is_file() else 'a pattern'}",
            hint="a table that is written has a directory as its path; COPY ... TO writes one file",
        )
    return local
