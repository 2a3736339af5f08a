"""Values of stream records: from cells to what is fed, from results to cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from tableflow.columnar.representation import declared
from tableflow.session.live_tables import columns_of
from tests.slt.compare import cell
from tests.slt.stream_records import KINDS, StreamDeclaration, StreamRecord

DAY = "2024-01-01"
"""The date of times that are written without one."""


def cells(rows: Iterable[Sequence[Any]]) -> list[tuple[str, ...]]:
    """Rows of results as files write them."""
    return [tuple(cell(value).removeprefix(f"{DAY} ") for value in row) for row in rows]


def moment(text: str) -> datetime:
    """A time, whose date may be left out."""
    return datetime.fromisoformat(f"{DAY} {text}" if text[2:3] == ":" else text)


def microseconds(text: str) -> int:
    """A time as microseconds since 1970."""
    return round(moment(text).replace(tzinfo=UTC).timestamp() * 1e6)


def value(text: str, of: str) -> Any:
    """A cell as a value of the type."""
    kind = of.split("(")[0].split(" ")[0]
    if text == "NULL":
        return None
    if kind.startswith("TIMESTAMP"):
        return moment(text)
    makers: dict[str, Any] = {
        "DECIMAL": Decimal, "DOUBLE": float, "DATE": date.fromisoformat, "TIME": time.fromisoformat,
        "BOOLEAN": {"true": True, "false": False}.__getitem__, "INT": int, "BIGINT": int,
    }  # fmt: skip
    return "" if text == "(empty)" else makers.get(kind, str)(text)


def fed(record: StreamRecord, table: StreamDeclaration) -> tuple[list[tuple[Any, ...]], list[int] | None]:
    """The rows of a record and what each does: +1 or -1, None if rows are only added."""
    types = list(table.types.values())
    rows, weights = [], []
    for cells_of_row in record.rows:
        own = cells_of_row
        if table.changelog != "append":
            weights.append(KINDS[own[0]])
            own = own[1:]
        if len(own) != len(types):
            raise ValueError(f"{record.place}: {own} has not the columns {', '.join(table.types)}")
        rows.append(tuple(value(text, of) for text, of in zip(own, types, strict=True)))
    return rows, weights if table.changelog != "append" else None


def arrow_types(table: StreamDeclaration) -> list[Any]:
    """How Arrow stores the columns."""
    return [declared(column.type) for column in columns_of(table.types)]
