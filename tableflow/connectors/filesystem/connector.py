"""The filesystem connector: its options, declared tables, and tables named by a path."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.connectors.connector import Connector, OpenContext
from tableflow.connectors.filesystem.declared_columns import (
    check_columns,
    check_format,
    check_formats,
    check_sizes,
    check_text,
)
from tableflow.connectors.filesystem.format import FileColumn, Format
from tableflow.connectors.filesystem.formats import BY_SUFFIX, FORMATS, load_format
from tableflow.connectors.filesystem.offer import offer
from tableflow.connectors.filesystem.options import OPTIONS
from tableflow.connectors.filesystem.partitions import can_partition
from tableflow.connectors.filesystem.path import FileVersion, expand, local_path, suffix
from tableflow.connectors.filesystem.sink import open_sink, settle_sink
from tableflow.connectors.filesystem.sink_options import SINKING
from tableflow.connectors.filesystem.source import open_source
from tableflow.connectors.filesystem.table import KIND, FileTable
from tableflow.connectors.filesystem.watch_options import WATCHING, watch_of
from tableflow.connectors.naming import distinct_names
from tableflow.connectors.option import ColumnError, OptionError, read_options
from tableflow.errors import CatalogError, ConnectorError, TableFlowError
from tableflow.nearest import nearest
from tableflow.runtime.lookup import Lookup


def create(definition: TableDefinition, options: dict[str, Any]) -> FileTable:
    """The provider of a declared table; columns may be left out, then they come from the files."""
    path = options["path"]
    format_name = options["format"]
    wanted = None if format_name is None else frozenset(FORMATS[format_name].suffixes)
    missing: TableFlowError | None = None
    try:
        files = expand(path, may_be_empty=bool(definition.columns and format_name))
    except ConnectorError as error:
        if not (definition.columns and format_name):
            raise
        files, missing = (), error  # it may be written to; to read it is an error
    if wanted is None and len(files) > 1:
        files = tuple(file for file in files if suffix(file.path) in BY_SUFFIX)
    file_format = load_format(format_name or _format_of(path, files))
    keys = (definition.primary_key,) if definition.primary_key else ()
    if not definition.columns:
        return _inferred(file_format, files, options, keys)
    declared, partitions = _declared(definition)
    inside = file_format.resolve(files, tuple(c for c in declared if c not in partitions), options)
    found = {column.name: column for column in inside}
    watch = watch_of(file_format, path, options)
    return FileTable(
        file_format,
        files,
        tuple(found.get(column.name, column) for column in declared),
        options,
        keys=keys,
        watch=watch,
        partitions=partitions,
        missing=missing if watch is None else None,  # who looks again and again waits for it
        sink=offer(definition, file_format, options),
    )


def check(definition: TableDefinition, options: dict[str, Any]) -> None:
    """Raises for what is wrong with a declaration whatever files there are."""
    path = options["path"]
    try:
        ending = suffix(local_path(path))
    except ConnectorError as error:
        raise OptionError(error.message, option="path", value=True, detail=error.detail, hint=error.hint) from None
    if not path.strip():
        raise OptionError("a path is not empty", option="path", value=True, hint="a file, a directory or a glob")
    check_sizes(options)
    _, partitions = _declared(definition)
    format_name = options["format"] or BY_SUFFIX.get(ending)
    if format_name is None:
        return  # the files that are there when it is read will tell
    check_formats(definition, format_name, BY_SUFFIX.values())
    check_text(options, format_name)
    apart = {column.name for column in partitions}
    check_columns([column for column in definition.columns if column.name not in apart], format_name)
    file_format = load_format(format_name)
    check_format(definition, file_format, options)
    watch_of(file_format, path, options)


def _declared(definition: TableDefinition) -> tuple[tuple[FileColumn, ...], tuple[FileColumn, ...]]:
    """The columns of a declaration, and those of them that directories tell."""
    names, _ = distinct_names([column.name for column in definition.columns])
    for column, name in zip(definition.columns, names, strict=True):
        if column.name != name:
            raise ColumnError(f"table {definition.name!r} declares column {column.name!r} twice", column=column.name)
    columns = tuple(FileColumn(c.name, c.type, c.nullable) for c in definition.columns)
    if not columns and definition.partitioned_by:
        raise CatalogError(
            f"table {definition.name!r} is partitioned and declares no columns",
            hint="declare them: directories tell no types",
        )
    return columns, tuple(_partition(definition, columns, name) for name in definition.partitioned_by)


def _partition(definition: TableDefinition, columns: tuple[FileColumn, ...], name: str) -> FileColumn:
    column = next((column for column in columns if column.name.lower() == name.lower()), None)
    if column is None:
        raise ColumnError(
            f"table {definition.name!r} cannot be partitioned by column {name!r}", column=name, detail="it is computed"
        )
    if not can_partition(column.type):
        raise ColumnError(
            f"table {definition.name!r} cannot be partitioned by column {column.name!r}",
            column=column.name,
            detail=f"it is {column.type}",
        )
    if len(definition.partitioned_by) == len(columns):
        raise ColumnError(
            f"table {definition.name!r} has no columns besides those that it is partitioned by",
            column=column.name,
            hint="files hold at least one",
        )
    return column


def file_provider(path: str, options: Mapping[str, str] | None = None) -> FileTable:
    """The table behind a quoted path, directory or glob, its format told by the ending."""
    if not options:
        return _plain(path, expand(path, suffixes=frozenset(BY_SUFFIX)))
    values = read_options(KIND, OPTIONS, {"path": path, **options})
    files = expand(path, suffixes=frozenset(BY_SUFFIX))
    file_format = load_format(values["format"] or _format_of(path, files))
    return _inferred(file_format, files, values, ())


@functools.lru_cache(maxsize=256)
def _plain(path: str, files: tuple[FileVersion, ...]) -> FileTable:
    """The table of files without options: the same one for every statement, while the files are those."""
    return _inferred(load_format(_format_of(path, files)), files, read_options(KIND, OPTIONS, {"path": path}), ())


def _inferred(
    file_format: Format, files: tuple[FileVersion, ...], options: dict[str, Any], keys: tuple[tuple[str, ...], ...]
) -> FileTable:
    found = file_format.infer(files, options)
    names, warnings = distinct_names([column.name for column in found])
    columns: list[FileColumn] = []
    seen: dict[str, int] = {}
    for column, name in zip(found, names, strict=True):
        occurrence = seen.get(column.name, 0)
        seen[column.name] = occurrence + 1
        columns.append(FileColumn(name, column.type, column.nullable, column.name, occurrence))
    watch = watch_of(file_format, options["path"], options)
    return FileTable(file_format, files, tuple(columns), options, keys=keys, warnings=warnings, watch=watch)


def _format_of(path: str, files: tuple[FileVersion, ...]) -> str:
    """The one format that the endings of the files tell."""
    found: dict[str, FileVersion] = {}
    for file in files:
        ending = suffix(file.path)
        name = BY_SUFFIX.get(ending)
        if name is None:
            near = nearest(ending, BY_SUFFIX)
            hint = f"did you mean .{near}?" if near else f"endings are {', '.join(f'.{one}' for one in BY_SUFFIX)}"
            raise ConnectorError(
                f"file {file.path!r} has no ending that tells its format",
                hint=f"{hint}; or declare a table with 'format' = ...",
            )
        found.setdefault(name, file)
    if not found:
        raise ConnectorError(f"the format of {path!r} is not known", hint="say it: 'format' = 'parquet'")
    if len(found) > 1:
        (first, one), (second, other) = list(found.items())[:2]
        raise ConnectorError(
            f"path {path!r} has files of several formats",
            detail=f"{one.path!r} is {first}, {other.path!r} is {second}",
            hint="name one of them with a glob such as '*.parquet'",
        )
    return next(iter(found))


def _open_fetch(options: Any, context: OpenContext) -> Lookup:
    from tableflow.connectors.filesystem.fetch import open_fetch  # few plans ask for rows

    return open_fetch(options, context)


CONNECTOR = Connector(
    KIND,
    "files of a local file system",
    (*OPTIONS, *WATCHING, *SINKING),
    open_source,
    create,
    open_lookup=_open_fetch,
    open_sink=open_sink,
    settle_sink=settle_sink,
    check=check,
    partitions=True,
)
