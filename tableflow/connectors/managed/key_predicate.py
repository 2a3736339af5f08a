"""Which conjuncts say that a key has certain values, so that its index answers them.

Invariant: the rows that the look-up finds are exactly those that satisfy the conjuncts.  So only types are taken whose
equality is that of their storage values, and literals that the column's type holds exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tableflow import types as t
from tableflow.connectors.pruning import column_below_casts, equality
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.records import dataclass
from tableflow.storage.description import TableDescription

MOST_KEYS = 1_000
"""With more values than these in an IN list, reading the table is as good."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The key's column ids; for each of them a literal per wanted key; the conjuncts that say so."""

    key: tuple[int, ...]
    values: tuple[tuple[Literal, ...], ...]
    conjuncts: tuple[Expression, ...]


def find_lookup(description: TableDescription, predicates: Sequence[Expression]) -> Lookup | None:
    """The first key of which every column is compared with literals; None if there is none."""
    if not predicates or not description.keys:
        return None
    said: dict[str, tuple[tuple[Literal, ...], Expression]] = {}
    for predicate in predicates:
        found = _values(predicate)
        if found is not None and found[0] not in said:
            said[found[0]] = (found[1], predicate)
    for key in description.keys:
        columns = [description.column(column) for column in key.columns]
        if not all(column.name in said for column in columns):
            continue
        wanted = [_stored(said[column.name][0], column.type) for column in columns]
        if any(values is None for values in wanted) or (len(columns) > 1 and any(len(v or ()) != 1 for v in wanted)):
            continue
        conjuncts = tuple(said[column.name][1] for column in columns)
        return Lookup(key.columns, tuple(values or () for values in wanted), conjuncts)
    return None


def _values(predicate: Expression) -> tuple[str, tuple[Literal, ...]] | None:
    """The column's name and the literals it has to equal one of."""
    match predicate:
        case Call(function="in", args=(value, *items)) if len(items) <= MOST_KEYS:
            column = column_below_casts(value)
            literals = tuple(item for item in items if isinstance(item, Literal))
            if column is None or len(literals) != len(items):
                return None
            return column.name, literals
        case _:
            found = equality(predicate)
            return None if found is None else (found[0].name, (found[1],))


def _stored(literals: Sequence[Literal], of: t.SqlType) -> tuple[Literal, ...] | None:
    """The literals as values of the column, each once; None if that cannot be said exactly."""
    found: dict[Any, Literal] = {}
    for literal in literals:
        if literal.value is None:
            continue  # equal to nothing
        value = _value(literal, of)
        if value is None:
            return None
        found.setdefault(value, Literal(of, value))
    return tuple(found.values())


def _value(literal: Literal, of: t.SqlType) -> Any:
    value = literal.value
    match of, literal.type:
        case t.IntegerType(bits=bits), t.IntegerType():
            return value if -(1 << (bits - 1)) <= value < 1 << (bits - 1) else None
        case t.DecimalType(), t.DecimalType() | t.IntegerType():
            return _rescaled(value, getattr(literal.type, "scale", 0), of)
        case t.StringType(fixed=False), t.StringType(fixed=False):
            return value
        case (t.DateType() | t.BytesType() | t.BooleanType(), _) if of == literal.type:
            return value
        case (t.TimestampType() | t.TimeType(), t.TimestampType() | t.TimeType()) if of == literal.type:
            return value
        case _:
            return None


def _rescaled(value: int, scale: int, of: t.DecimalType) -> int | None:
    if scale > of.scale:
        value, rest = divmod(value, 10 ** (scale - of.scale))
        if rest:
            return None
    else:
        value *= 10 ** (of.scale - scale)
    return value if abs(value) < 10**of.precision else None
