"""What conjuncts over one column say of its values, found out before any row is read.

Sound for leaving rows out: a value that is not accepted makes its row fail whatever the other conjuncts say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.connectors.pruning import integer_interval
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal, walk
from tableflow.expressions.properties import can_raise

Accepted = npt.NDArray[np.uint8]
_CHEAP = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "in", "like", "starts_with", "ends_with", "contains", "and", "or", "not"}
)


def conjunction(of: Sequence[Expression]) -> Expression | None:
    """All conjuncts as one; None if there are none."""
    return Call(t.BOOLEAN, "and", tuple(of)) if len(of) > 1 else of[0] if of else None


def interval_of(conjuncts: Sequence[Expression]) -> tuple[int | None, int | None] | None:
    """The storage values for which all conjuncts are TRUE, as bounds that are in; None if there are no such."""
    whole = conjunction(conjuncts)
    found = None if whole is None else integer_interval(whole)
    return None if found is None else found[1:]


def texts_of(conjunct: Expression) -> frozenset[str] | None:
    """The values for which a conjunct over strings is TRUE, where it compares the column with literals; None for others."""
    match conjunct:
        case Call(function="eq" | "in", args=(ColumnRef(type=t.StringType(fixed=False)), *items)):
            texts = [one.value for one in items if isinstance(one, Literal) and _is_plain_text(one.type)]
            return frozenset(texts) - {None} if len(texts) == len(items) else None
        case _:
            return None


def _is_plain_text(of: t.SqlType) -> bool:
    """Whether values are equal only if their characters are: trailing blanks count."""
    return isinstance(of, t.StringType) and not of.fixed


def is_cheap(conjunct: Expression) -> bool:
    """Whether a conjunct speaks of one column, in terms that may be asked about all its values."""
    if single_column(conjunct) is None:
        return False
    parts = list(walk(conjunct))
    plain = all(isinstance(node, (ColumnRef, Literal, Call)) for node in parts)
    return plain and all(node.function in _CHEAP for node in parts if isinstance(node, Call))


def may_accept(column: ColumnRef, predicate: Expression, entries: Column) -> Accepted:
    """Of each entry whether a conjunct is TRUE or fails (others may yet rule that row out)."""
    result = evaluate(predicate, {column.id: entries}, len(entries))
    found: npt.NDArray[np.bool_] = pc.fill_null(result.column.array, fill_value=False).to_numpy(zero_copy_only=False)
    return (found if result.errors is None else found | result.errors).astype(np.uint8)


_COMPARING = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "in"})
_MATCHING = frozenset({"like", "starts_with", "ends_with", "contains"})


def _gives_null(predicate: Expression) -> bool:
    """Whether a predicate over one column is NULL where the column is, as far as its form tells."""
    match predicate:
        case Call(function="not", args=(negated,)):
            return _gives_null(negated)
        case Call(function=function, args=(ColumnRef(), *others)) if function in _COMPARING:
            return all(isinstance(each, Literal) for each in others)
        case Call(function=function, args=(ColumnRef(), *others)) if function in _MATCHING:
            return all(isinstance(each, Literal) for each in others) and not can_raise(predicate)
        case _:
            return False


def _is_not_true_of_null(predicate: Expression) -> bool:
    """Whether a predicate over one column is NULL or FALSE where the column is NULL, as far as its form tells."""
    match predicate:
        case Call(function="and", args=parts):
            return any(map(_is_not_true_of_null, parts)) and not can_raise(predicate)
        case Call(function="or", args=arms):
            return all(map(_is_not_true_of_null, arms))
        case _:
            return _gives_null(predicate)


def rejects_null(column: ColumnRef, predicate: Expression) -> bool:
    """Whether a row without a value fails the conjunct for sure."""
    if _is_not_true_of_null(predicate):
        return True
    null = Column(column.type, pa.nulls(1, canonical(column.type)))
    return not may_accept(column, predicate, null)[0]


def single_column(predicate: Expression) -> ColumnRef | None:
    """The only column a conjunct speaks of."""
    found = {node.id: node for node in walk(predicate) if isinstance(node, ColumnRef)}
    return next(iter(found.values())) if len(found) == 1 else None


def by_column(predicate: Expression) -> list[tuple[ColumnRef, Expression]]:
    """What a conjunct says of columns one by one: itself of its only one, of several what each arm of its ORs says of a column.

    A row that fails one of these fails the conjunct.
    """
    found = {node.id: node for node in walk(predicate) if isinstance(node, ColumnRef)}
    if len(found) == 1:
        return [(next(iter(found.values())), predicate)]
    if not any(isinstance(node, Call) and node.function == "or" for node in walk(predicate)) or can_raise(predicate):
        return []
    return [(column, said) for column in found.values() if (said := _said_of(column, predicate)) is not None]


def _said_of(column: ColumnRef, predicate: Expression) -> Expression | None:
    """What holds of the column wherever the predicate does; None if it says nothing of it alone."""
    match predicate:
        case Call(function="or", args=arms):
            said = [_said_of(column, arm) for arm in arms]
            once = tuple(dict.fromkeys(each for each in said if each is not None))
            if None in said:
                return None
            return Call(t.BOOLEAN, "or", once) if len(once) > 1 else once[0]
        case Call(function="and", args=parts):
            return conjunction([each for part in parts if (each := _said_of(column, part)) is not None])
        case _:
            only = single_column(predicate)
            return predicate if only is not None and only.id == column.id else None
