"""In which order the conjuncts of a filter are applied: what drops most rows for its price comes first.

Only estimates: the order never changes the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.physical.program_builder import scale_of

_FLIPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_GUESSES = {"eq": 0.1, "like": 0.2, "in": 0.2, "is_null": 0.1, "and": 0.3}
_LEAST = 0.01


def kept_part(conjuncts: Sequence[Expression], domains: Mapping[int, Domain]) -> float:
    """The part of the rows that conjuncts over the same columns are expected to keep."""
    dropped = 0.0
    guessed = 1.0
    for conjunct in conjuncts:
        part = _range_part(conjunct, domains)
        if part is None:
            guessed *= _GUESSES.get(conjunct.function, 0.5) if isinstance(conjunct, Call) else 0.5
        else:
            dropped += 1.0 - part  # the two ends of a range drop different rows
    return max(_LEAST, min(1.0, (1.0 - dropped) * guessed))


def _range_part(conjunct: Expression, domains: Mapping[int, Domain]) -> float | None:
    """How much of a column's range a comparison with a constant leaves, where the range is known."""
    if not isinstance(conjunct, Call) or conjunct.function not in _FLIPPED:
        return None
    column, constant = conjunct.args
    relation = conjunct.function
    if isinstance(column, Literal):
        column, constant, relation = constant, column, _FLIPPED[relation]
    if not isinstance(column, ColumnRef) or not isinstance(constant, Literal) or constant.value is None:
        return None
    domain = domains.get(column.id)
    if (
        domain is None
        or domain.minimum is None
        or domain.maximum is None
        or not isinstance(constant.value, (int, float))
    ):
        return None
    at = constant.value * 10.0 ** (scale_of(column.type) - scale_of(constant.type))
    width = max(domain.maximum - domain.minimum, 1)
    below = min(1.0, max(0.0, (at - domain.minimum) / width))
    return below if relation in {"lt", "le"} else 1.0 - below
