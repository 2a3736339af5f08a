"""A managed table as the statement that makes it, and as rows of DESCRIBE and SHOW VERSIONS."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.catalog.entry import StreamingDefinition, TableKind
from tableflow.session.fixed_result import FixedResult
from tableflow.storage.description import StoredColumn, TableDescription, VersionFacts
from tableflow.types import BIGINT, STRING, TIMESTAMP_LTZ


def create_statement(name: Sequence[str], description: TableDescription) -> str:
    """CREATE TABLE with everything that the description says."""
    items = [_column(column) for column in description.columns]
    for key in description.keys:
        names = ", ".join(quoted(description.column(column).name) for column in key.columns)
        items.append(f"CONSTRAINT {quoted(key.name)} {'PRIMARY KEY' if key.primary else 'UNIQUE'} ({names})")
    items += [f"CONSTRAINT {quoted(check.name)} CHECK ({check.text})" for check in description.checks]
    text = f"CREATE TABLE {'.'.join(map(quoted, name))} (\n  " + ",\n  ".join(items) + "\n)"
    if description.comment is not None:
        text += f" COMMENT {_literal(description.comment)}"
    if description.options:
        text += f" WITH ({', '.join(f'{_literal(key)} = {_literal(value)}' for key, value in description.options)})"
    return text


def create_streaming_statement(
    name: Sequence[str], description: TableDescription, definition: StreamingDefinition
) -> str:
    """CREATE STREAMING TABLE with the names of its columns, its key and its query."""
    items = [quoted(column.name) for column in description.columns]
    key = description.primary_key
    if key is not None:
        items.append(f"PRIMARY KEY ({', '.join(quoted(description.column(column).name) for column in key.columns)})")
    text = f"CREATE STREAMING TABLE {'.'.join(map(quoted, name))} ({', '.join(items)})"
    if description.options:
        text += f" WITH ({', '.join(f'{_literal(key)} = {_literal(value)}' for key, value in description.options)})"
    return f"{text} AS\n{definition.text}"


def _column(column: StoredColumn) -> str:
    text = f"{quoted(column.name)} {column.type}"
    if not column.nullable:
        text += " NOT NULL"
    if column.default is not None:
        text += f" DEFAULT {column.default}"
    if column.generated is not None:
        text += f" GENERATED ALWAYS AS ({column.generated})"
    if column.comment is not None:
        text += f" COMMENT {_literal(column.comment)}"
    return text


def quoted(name: str) -> str:
    """A name that means itself whatever it is; unquoted where the parser takes it for a name."""
    from tableflow.sql.parser import TableFlowParser
    from tableflow.sql.tokens import tokenize

    if name.isidentifier() and name.islower():
        tokens = tokenize(name)
        if len(tokens) == 1 and tokens[0].token_type in TableFlowParser.ID_VAR_TOKENS:
            return name
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def describe_table(description: TableDescription, streaming: StreamingDefinition | None = None) -> FixedResult:
    """A row per column, then the checks and what kind of table it is."""
    rows: list[list[str | None]] = []
    for column in description.columns:
        default = column.default if column.generated is None else f"GENERATED ALWAYS AS ({column.generated})"
        keys = ", ".join(
            "PRIMARY KEY" if key.primary else f"UNIQUE {key.name}"
            for key in description.keys
            if column.id in key.columns
        )
        nullable = "YES" if column.nullable else "NO"
        rows.append([column.name, str(column.type), nullable, keys or None, default, column.comment])
    rows += [[check.name, f"CHECK ({check.text})", None, None, None, None] for check in description.checks]
    rows.append(
        [
            "(kind)",
            "managed table" if streaming is None else _streaming_kind(streaming),
            None,
            None,
            None,
            description.comment,
        ]
    )
    return FixedResult(["column", "type", "nullable", "key", "default", "comment"], rows)


def _streaming_kind(streaming: StreamingDefinition) -> str:
    keyed = f" by {', '.join(streaming.key)}" if streaming.kind is TableKind.KEYED else ""
    return f"streaming table, {streaming.kind.value}{keyed}"


def show_versions(versions: Sequence[VersionFacts], zone: str) -> FixedResult:
    """A row per retained version, the newest first."""
    names = ["version", "time", "kind", "inserted", "deleted", "rows"]
    rows = [
        [
            one.version,
            one.time,
            one.kind.value,
            one.inserted,
            one.deleted,
            one.rows,
        ]
        for one in reversed(versions)
    ]
    return FixedResult(names, rows, [BIGINT, TIMESTAMP_LTZ, STRING, BIGINT, BIGINT, BIGINT], zone)
