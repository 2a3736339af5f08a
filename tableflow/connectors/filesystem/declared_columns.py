"""What a declaration over text or files says that cannot be, whatever files there are: columns, options, paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tableflow import types as t
from tableflow.catalog.entry import TableDefinition
from tableflow.connectors.option import ColumnError, OptionError
from tableflow.errors import CatalogError, TableFlowError

if TYPE_CHECKING:
    from tableflow.connectors.filesystem.format import Format

_NOT_IN_CSV = (t.ArrayType, t.MapType, t.RowType, t.IntervalType)
_LINES_OF_CHANGES = ("changelog-json", "debezium-json")
_NO_INTERVAL = {"json": "JSON", "changelog-json": "JSON", "debezium-json": "JSON", "parquet": "Parquet"}


class Column(Protocol):
    """A column as it is declared."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def type(self) -> t.SqlType:
        """Its type."""
        ...


def check_columns(columns: Sequence[Column], format: str) -> None:
    """Raises for a column whose values the format does not have."""
    for column in columns:
        if format == "csv" and isinstance(column.type, _NOT_IN_CSV):
            advice = (
                "declare it as STRING" if isinstance(column.type, t.IntervalType) else "'json' and 'parquet' have them"
            )
            raise ColumnError(
                f"column {column.name!r} cannot be {column.type}",
                column=column.name,
                detail="the CSV format has no such values",
                hint=advice,
            )
        if format in _NO_INTERVAL and isinstance(column.type, t.IntervalType):
            raise ColumnError(
                f"column {column.name!r} cannot be {column.type}",
                column=column.name,
                detail=f"{_NO_INTERVAL[format]} has no such values",
                hint="declare it as STRING",
            )


def check_formats(definition: TableDefinition, format: str, formats: Iterable[str]) -> None:
    """Raises for an option of another one of the formats, which would say nothing."""
    own = "json" if format in _LINES_OF_CHANGES else format
    for name, _ in definition.options:
        of = name.lower().partition(".")[0]
        if of in formats and of != own:
            raise OptionError(
                f"option {name!r} says nothing of files of format {format!r}"
                if definition.connector.lower() == "filesystem"
                else f"option {name!r} says nothing of lines of format {format!r}",
                option=name,
                hint=f"leave it out, or say 'format' = '{of}'",
            )


def check_text(options: dict[str, Any], format: str) -> None:
    """Raises for marks of CSV that cannot be told apart."""
    if format != "csv":
        return
    delimiter = options["csv.field-delimiter"] or ","
    quote = None if options.get("csv.disable-quote-character") else options.get("csv.quote-character") or '"'
    if delimiter == quote:
        given = "csv.field-delimiter" if options["csv.field-delimiter"] else "csv.quote-character"
        raise OptionError(
            f"fields are separated by {delimiter!r} and enclosed in it",
            option=given,
            value=True,
            hint="they are told apart",
        )
    null = options["csv.null-literal"] or ""
    if any(mark in null for mark in (delimiter, quote or '"', "\n", "\r")):
        raise OptionError(
            f"NULL cannot be {null!r}: it looks like fields or quotes",
            option="csv.null-literal",
            value=True,
            hint="a text without delimiters and quotes, such as 'NULL'",
        )


def check_sizes(options: dict[str, Any]) -> None:
    """Raises for files that would never be begun or never be whole."""
    for name, example in (
        ("source.monitor-interval", "1 s"),
        ("sink.rolling-policy.file-size", "128 mb"),
        ("sink.rolling-policy.rollover-interval", "30 min"),
    ):
        value = options[name]
        if value is not None and value <= 0:
            raise OptionError(
                f"option {name!r} has to be above 0", option=name, value=True, hint=f"'{name}' = '{example}'"
            )


def check_format(definition: TableDefinition, format: Format, options: dict[str, Any]) -> None:
    """Raises for what the format of a declared table cannot do."""
    if not definition.columns and (format.gives_changes or format.takes_changes):
        raise CatalogError(
            f"table {definition.name!r} declares no columns", hint=f"a table of format {format.name!r} declares them"
        )
    if options["source.monitor-interval"] is None and not options["source.follow"]:
        return
    try:
        format.check_readable()
    except TableFlowError as error:
        watched = options["source.monitor-interval"] is not None
        name = "source.monitor-interval" if watched else "source.follow"
        raise OptionError(error.message, option=name, hint=f"leave {name!r} out; {error.hint}") from None
