"""Directories that hold the values of PARTITIONED BY columns: ``day=2024-01-01/kind=a/``, as Hive, Flink and Spark name them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.storage import column_from_arrow, fitted
from tableflow.connectors.value_text import text_of
from tableflow.errors import ConnectorError
from tableflow.types import BytesType, SqlType, TypeFamily, family

NULL_NAME = "__HIVE_DEFAULT_PARTITION__"
_PLAIN = " !$&'()*+,;@-_.~"


def directory_of(names: Sequence[str], values: Sequence[Any]) -> str:
    """The directories of values, one below the other."""
    return "/".join(f"{quote(name, _PLAIN)}={_spelled(value)}" for name, value in zip(names, values, strict=True))


def _spelled(value: Any) -> str:
    return NULL_NAME if value is None else quote(text_of(value), _PLAIN)


def values_of(path: str, columns: Sequence[FileColumn]) -> list[str | None]:
    """The texts of the columns' values in a file's path; one that is not there is an error."""
    found: dict[str, str] = {}
    for part in Path(path).parts[:-1]:
        name, equals, value = part.partition("=")
        if equals:
            found[unquote(name).lower()] = value
    values: list[str | None] = []
    for column in columns:
        text = found.get(column.name.lower())
        if text is None:
            raise ConnectorError(
                f"file {path!r} is in no directory '{column.name}=...'",
                detail=f"the table is partitioned by {', '.join(c.name for c in columns)}",
            )
        values.append(None if text == NULL_NAME else unquote(text))
    return values


def constant(text: str | None, of: SqlType, rows: int, representation: str) -> Column:
    """A column with one value, read from the name of a directory."""
    target = canonical(of)
    try:
        value = pa.scalar(None, target) if text is None else pc.cast(pa.scalar(text), target)
    except (pa.ArrowException, ValueError) as error:
        raise ConnectorError(f"the directory's value {text!r} is no {of}", detail=str(error)[:200]) from None
    return column_from_arrow(fitted(pa.repeat(value, rows), of), of, of, representation)


def can_partition(of: SqlType) -> bool:
    """Whether values of a type can be names of directories and be read back."""
    return not isinstance(of, BytesType) and family(of) not in {
        TypeFamily.NESTED,
        TypeFamily.INTERVAL,
        TypeFamily.FLOAT,
        TypeFamily.JSON,
        TypeFamily.NULL,
    }
