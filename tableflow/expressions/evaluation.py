"""The reference evaluator: expressions over batches, a column at a time.

A row's failure is never an exception while evaluating: it is a bit in a mask, and the row's value is NULL.  CASE, COALESCE,
AND and OR evaluate an arm only for the rows that the arms before left open.  In AND and OR, and among the conjuncts of
a filter, an error counts only if no other arm decides the row, so that arms commute.  Only :func:`filter_rows` and
:func:`project` raise, for the first row whose error counts.

A function of one dictionary column is evaluated on the dictionary's entries and mapped over the rows (:mod:`tableflow.expressions.entries`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.errors import InternalError, RowError
from tableflow.expressions import arms
from tableflow.expressions.arms import outcomes, with_errors
from tableflow.expressions.casting import convert
from tableflow.expressions.entries import Entries, Kernel, Step
from tableflow.expressions.frame import Frame, Rows
from tableflow.expressions.literals import operand_of
from tableflow.expressions.nodes import Call, Case, Cast, Chain, ColumnRef, Expression, Literal
from tableflow.expressions.operand import Mask, Operand, either, repeated
from tableflow.expressions.registry import function
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One value for each row that was asked for; ``errors`` marks those that could not be computed (None: all could)."""

    column: Column
    errors: Mask | None


def evaluate(
    expression: Expression, columns: Mapping[int, Column], length: int, selection: Selection | None = None
) -> Evaluated:
    """The expression's values for the selected rows (all, without a selection), densely, in their order."""
    frame = Frame(columns, length, selection)
    result = compute(expression, frame)
    return Evaluated(_column(result, frame.rows), _errors(result, frame.rows))


def compute(of: Expression, frame: Frame) -> Operand:
    """The expression's values for the rows of a frame, constant where they are."""
    match of:
        case ColumnRef(id=number):
            return frame.operand(number)
        case Literal():
            return operand_of(of)
        case Case():
            return arms.searched_case(of, frame, compute)
        case Cast():
            return _cast(of, frame)
        case Chain():
            return _chain(of, frame)
        case Call(function=name):
            lazy = _LAZY.get(name)
            return _call(of, frame) if lazy is None else lazy(of, frame, compute)
    raise InternalError(f"a {type(of).__name__} cannot be evaluated")


def _errors(of: Operand, rows: int) -> Mask | None:
    if of.errors is None or not of.errors.any():
        return None
    return np.broadcast_to(of.errors, rows)


def _array(of: Operand, rows: int) -> pa.Array:
    if not of.constant:
        return of.array
    if isinstance(of.type, t.NullType):
        return pa.nulls(rows)
    return repeated(of.array, rows) if rows != 1 else of.array


def _column(of: Operand, rows: int) -> Column:
    return Column(of.type, _array(of, rows))


def _call(of: Call, frame: Frame) -> Operand:
    args = [compute(argument, frame) for argument in of.args] or [Operand(t.NULL, pa.nulls(frame.rows))]
    return _applied(of.function, args, of.type, of, frame.entries)


def _chain(of: Chain, frame: Frame) -> Operand:
    """Step by step, so that no more than two operands are in memory."""
    result = compute(of.first, frame)
    for name, operand in zip(of.operators, of.operands, strict=True):
        result = _applied(name, [result, compute(operand, frame)], of.type, operand, frame.entries)
    return result


def _applied(name: str, args: Sequence[Operand], to: t.SqlType, of: Expression, entries: Entries) -> Operand:
    """A function's result; ``of`` is what is computed, and what is known of dictionaries is in ``entries``."""
    entry = function(name)
    if entry.kernel is None:
        raise InternalError(f"function {name!r} has no kernel")
    kernel = entry.kernel
    varying = [i for i, argument in enumerate(args) if not argument.constant]
    result = None
    if entry.deterministic and len(varying) == 1:
        place = varying[0]

        def of_one(argument: Operand) -> Operand:
            return kernel([*args[:place], argument, *args[place + 1 :]], to)

        result = _by_entry(args[place], to, of_one, (name, of), entries)
    if result is None:
        result = kernel(args, to)
    inherited = either(*(argument.errors for argument in args))
    if inherited is not None and inherited.any():
        result = with_errors(result, either(result.errors, inherited))
    result.constant = not varying
    return result


def _by_entry(operand: Operand, to: t.SqlType, kernel: Kernel, of: Step, entries: Entries) -> Operand | None:
    """The kernel on the entries of a dictionary, mapped over its codes; None where it is better called for each row."""
    array = operand.array
    if not pa.types.is_dictionary(array.type):
        return None
    found = entries.of(of, array)
    if found is None:
        return None
    if found.values is None:
        found.compute(operand.type, kernel)
    return found.over(array.indices, to)


def _cast(of: Cast, frame: Frame) -> Operand:
    operand = compute(of.operand, frame)
    inherited = operand.errors
    source = Operand(operand.type, operand.array, constant=operand.constant)
    result = None
    if source.type != of.type and not source.constant:
        result = _by_entry(source, of.type, lambda one: convert(one, of.type, of.zone), ("cast", of), frame.entries)
    if result is None:
        result = convert(source, of.type, of.zone)
    own = None if of.lenient else result.errors
    return Operand(of.type, result.array, constant=operand.constant, errors=either(own, inherited))


def _try(of: Call, frame: Frame, _compute: arms.Compute) -> Operand:
    result = compute(of.args[0], frame)
    return Operand(result.type, result.array, constant=result.constant)


_LAZY: dict[str, Callable[[Call, Frame, arms.Compute], Operand]] = {
    "and": arms.conjunction,
    "or": arms.disjunction,
    "coalesce": arms.coalesce,
    "try": _try,
}


def _frame(batch: Batch, positions: Mapping[int, int], selection: Rows | None, entries: Entries | None) -> Frame:
    columns = {number: batch.columns[position] for number, position in positions.items()}
    return Frame(columns, batch.length, selection, entries)


def filter_rows(
    conjuncts: Sequence[Expression], batch: Batch, positions: Mapping[int, int], entries: Entries | None = None
) -> Selection:
    """Row numbers (of the stored rows, ascending) for which every conjunct is TRUE.

    ``entries``: what calls before have found out of dictionaries, under the same conjuncts.  Raises :class:`~tableflow.errors.DataError` for a row in error that no other conjunct refuses.
    """
    chosen = np.arange(batch.length, dtype=np.uint32) if batch.selection is None else batch.selection
    whole = batch.selection is None
    failed = np.zeros(len(chosen), np.bool_)
    for conjunct in conjuncts:
        frame = _frame(batch, positions, None if whole else chosen, entries)
        true, _, errors = outcomes(compute(conjunct, frame), None, frame.rows)
        kept = true | errors
        failed |= errors
        if not kept.all():
            chosen, failed, whole = chosen[kept], failed[kept], False
    if failed.any():
        first = chosen[failed][:1]
        error = _failure(conjuncts, _frame(batch, positions, first, entries))
        raise error.within(int(first[0]), batch.length) if isinstance(error, RowError) else error
    return chosen


def project(
    expressions: Sequence[Expression], batch: Batch, positions: Mapping[int, int], entries: Entries | None = None
) -> list[Column]:
    """The expressions for the rows that count, densely: columns of ``batch.rows`` values.

    ``entries``: what calls before have found out of dictionaries, under the same expressions.  Raises :class:`~tableflow.errors.DataError` for the first row that cannot be computed.
    """
    frame = _frame(batch, positions, batch.selection, entries)
    columns = []
    for expression in expressions:
        result = compute(expression, frame)
        errors = _errors(result, frame.rows)
        if errors is not None and errors.any():
            raise _failure([expression], frame.narrowed(np.flatnonzero(errors)[:1]))
        columns.append(_column(result, frame.rows))
    return columns


def _failure(expressions: Sequence[Expression], row: Frame) -> Exception:
    from tableflow.expressions.failure import explain

    return explain(expressions, row)
