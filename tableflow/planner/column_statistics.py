"""What is expected of one column's values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tableflow.expressions.nodes import Call, ColumnRef, Expression
from tableflow.planner.logical.nodes import Scan
from tableflow.planner.logical.predicates import column_and_constant
from tableflow.records import dataclass, replace
from tableflow.types import (
    BooleanType,
    BytesType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    JsonType,
    SqlType,
    StringType,
)

GUESSED_STRINGS = 25.0
"""Distinct values of a text column that is compared with a constant, when nothing is known."""
_GROUPED_STRINGS = 0.7
GUESSED_NULLS = 0.02


@dataclass(frozen=True, slots=True)
class ColumnEstimate:
    """Estimates; ``base`` is the distinct count before any filter.

    ``limited``: the count is only known not to exceed the rows (the range of values is about as large); ``guessed``: nothing
    is known of it, ``unknown``: nor of the expression that computes it.  ``mean`` and ``deviation`` describe results of
    aggregates, which have no bounds.
    """

    distinct: float
    base: float
    minimum: Any = None
    maximum: Any = None
    null_fraction: float = 0.0
    average_bytes: float = 8.0
    limited: bool = False
    guessed: bool = False
    rows: float = 1.0
    table_rows: float = 1.0
    unknown: bool = False
    mean: float | None = None
    deviation: float = 0.0

    @property
    def grouping_distinct(self) -> float:
        """Distinct count for grouping, where too small a guess hurts more than too large a one."""
        if not self.guessed:
            return self.distinct
        return max(self.distinct, min(self.rows, math.pow(self.table_rows, _GROUPED_STRINGS)))

    def capped(self, rows: float) -> ColumnEstimate:
        """The same column among at most so many rows."""
        if self.distinct <= rows and self.rows == rows:
            return self
        return replace(self, distinct=min(self.distinct, max(rows, 0.0)), rows=rows)

    def narrowed(self, column: int, conjuncts: tuple[Expression, ...]) -> ColumnEstimate:
        """After conjuncts that speak of this column alone."""
        estimate = self
        for conjunct in conjuncts:
            match conjunct:
                case Call(function="in", args=(ColumnRef(id=i), *items)) if i == column:
                    estimate = replace(estimate, distinct=min(estimate.distinct, float(len(items))), guessed=False)
                case _:
                    found = column_and_constant(conjunct)
                    if found is not None and found[0].id == column:
                        estimate = estimate.compared(found[1], found[2].value)
        return estimate

    def share_below(self, value: float) -> float | None:
        """The share of values that are smaller; None if there is no telling."""
        if self.mean is not None:
            if self.deviation <= 0.0:
                return 1.0 if value > self.mean else 0.0
            return 0.5 * (1.0 + math.erf((value - self.mean) / self.deviation / math.sqrt(2.0)))
        low, high = self.minimum, self.maximum
        if not _is_number(low) or not _is_number(high):
            return None
        return 1.0 if value > high else 0.0 if value < low else float((value - low + 0.5) / (high - low + 1))

    def compared(self, function: str, value: Any) -> ColumnEstimate:
        """After a comparison with a constant."""
        if function == "eq":
            return replace(self, distinct=1.0, minimum=value, maximum=value, guessed=False, unknown=False)
        if not isinstance(value, (int, float)) or not isinstance(self.minimum, (int, float)):
            return self
        low, high = self.minimum, self.maximum
        if high is None or high <= low:
            return self
        new_low = max(low, value) if function in {"gt", "ge"} else low
        new_high = min(high, value) if function in {"lt", "le"} else high
        if new_high < new_low:
            return replace(self, distinct=1.0)
        share = (new_high - new_low + 1) / (high - low + 1)
        distinct = max(1.0, self.distinct * min(1.0, share))
        return replace(self, distinct=distinct, minimum=new_low, maximum=new_high)

    @staticmethod
    def union(parts: Sequence[ColumnEstimate]) -> ColumnEstimate:
        """The column of a UNION ALL."""
        first = parts[0]
        distinct = max(part.distinct for part in parts)
        return replace(
            first, distinct=distinct, base=distinct, minimum=None, maximum=None, rows=sum(part.rows for part in parts)
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def width(of: SqlType | None) -> float:
    """Bytes a value takes, roughly."""
    match of:
        case BooleanType():
            return 1.0
        case IntegerType(bits=bits) | FloatType(bits=bits):
            return bits / 8
        case DateType():
            return 4.0
        case StringType(length=int(length)):
            return min(float(length), 32.0)
        case StringType() | BytesType() | JsonType():
            return 24.0
        case _:
            return 8.0


def unknown_column(of: SqlType | None, rows: float, distinct: float) -> ColumnEstimate:
    """A column of which only its rows are known, and perhaps its distinct count."""
    count = min(distinct, max(rows, 0.0))
    return ColumnEstimate(count, count, average_bytes=width(of), limited=True, rows=rows)


def of_scan_column(scan: Scan, column: int, rows: float) -> ColumnEstimate:
    """From the table's statistics: distinct counts are given, or the range of whole numbers, or a guess."""
    position = [f.id for f in scan.fields].index(column)
    of = scan.fields[position].type
    known = scan.provider.statistics().columns.get(scan.columns[position])
    bytes_of = width(of)
    if known is None:
        return _guess(of, rows, bytes_of)
    nulls = GUESSED_NULLS if known.nulls is None or rows <= 0 else min(1.0, known.nulls / rows)
    bytes_of = known.average_bytes or bytes_of
    low, high = known.minimum, known.maximum
    distinct, limited, guessed = rows, True, False
    if isinstance(of, (IntegerType, DateType, DecimalType)) and isinstance(low, int) and isinstance(high, int):
        span = float(high - low + 1)
        distinct, limited = min(span, rows), span > rows / 2
        if known.distinct is not None and known.distinct < distinct:
            distinct, limited = known.distinct, False
    elif known.distinct is not None:
        distinct, limited = min(known.distinct, rows), False
    elif isinstance(of, BooleanType):
        distinct, limited = min(2.0, rows), False
    elif isinstance(of, StringType):
        distinct, guessed = min(GUESSED_STRINGS, rows), True
    return ColumnEstimate(distinct, distinct, low, high, nulls, bytes_of, limited, guessed, rows, rows)


def _guess(of: SqlType, rows: float, bytes_of: float) -> ColumnEstimate:
    if isinstance(of, StringType):
        count = min(GUESSED_STRINGS, rows)
        return ColumnEstimate(count, count, average_bytes=bytes_of, guessed=True, rows=rows, table_rows=rows)
    return ColumnEstimate(rows, rows, average_bytes=bytes_of, limited=True, rows=rows)
