"""Expressions whose operands are evaluated one after the other, each for the rows that the ones before left open.

In AND and OR an error counts only if no other operand decides the row, so operands commute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.expressions.frame import Frame, Rows, scattered
from tableflow.expressions.functions.logic import truth
from tableflow.expressions.nodes import Call, Case, Expression
from tableflow.expressions.operand import Mask, Operand, blank, build, either
from tableflow.expressions.properties import can_raise

Compute: TypeAlias = Callable[[Expression, Frame], Operand]


def with_errors(of: Operand, errors: Mask | None) -> Operand:
    """The operand with these rows in error, and therefore NULL."""
    wide = None if errors is None else np.broadcast_to(errors, len(of))
    return Operand(of.type, blank(of.array, wide), constant=of.constant, errors=errors)


def _open_part(arm: Expression, frame: Frame, closed: Mask, compute: Compute) -> tuple[Operand, Rows | None]:
    """The arm for the rows that are not closed (their numbers), or for all rows (None) where that does no harm."""
    if not closed.any():
        return compute(arm, frame), None
    left = np.flatnonzero(~closed)
    if can_raise(arm) or len(left) * 8 < frame.rows:
        return compute(arm, frame.narrowed(left)), left
    return compute(arm, frame), None


def outcomes(result: Operand, left: Rows | None, rows: int) -> tuple[Mask, Mask, Mask]:
    """Where an arm is TRUE, where FALSE, where in error, over all rows; rows not evaluated are none of these."""
    here = rows if left is None else len(left)
    true, false = truth(result, here)
    errors = np.zeros(here, np.bool_) if result.errors is None else np.broadcast_to(result.errors, here)
    true, false = true & ~errors, false & ~errors
    if left is None:
        return true, false, errors
    return scattered(true, left, rows), scattered(false, left, rows), scattered(errors, left, rows)


def _connective(of: Call, frame: Frame, compute: Compute, *, decided_by: bool) -> Operand:
    """AND (decided by FALSE) and OR (decided by TRUE)."""
    rows = frame.rows
    decided, errors = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    agreed = np.ones(rows, np.bool_)
    for arm in of.args:
        result, left = _open_part(arm, frame, decided, compute)
        true, false, failed = outcomes(result, left, rows)
        decided = decided | (true if decided_by else false)
        agreed &= false if decided_by else true
        errors |= failed
        if decided.all():
            break
    values = decided if decided_by else ~decided
    return build(t.BOOLEAN, values, decided | agreed | (errors & ~decided), errors & ~decided)


def conjunction(of: Call, frame: Frame, compute: Compute) -> Operand:
    """AND: decided by FALSE."""
    return _connective(of, frame, compute, decided_by=False)


def disjunction(of: Call, frame: Frame, compute: Compute) -> Operand:
    """OR: decided by TRUE."""
    return _connective(of, frame, compute, decided_by=True)


def coalesce(of: Call, frame: Frame, compute: Compute) -> Operand:
    """The first operand that is not NULL."""
    left = np.arange(frame.rows)
    pieces: list[tuple[Rows, Operand]] = []
    for arm in of.args:
        if len(left) == 0 and pieces:
            break
        part = frame if len(left) == frame.rows else frame.narrowed(left)
        result = compute(arm, part)
        pieces.append((left, result))
        valid = result.valid
        missing = np.zeros(1, np.bool_) if valid is None else ~valid
        if result.errors is not None:
            missing = missing & ~result.errors
        left = left[np.broadcast_to(missing, len(left))]
    return _assembled(pieces, of.type, frame.rows)


def searched_case(of: Case, frame: Frame, compute: Compute) -> Operand:
    """The result of the first arm whose condition is TRUE."""
    left = np.arange(frame.rows)
    errors = np.zeros(frame.rows, np.bool_)
    pieces: list[tuple[Rows, Operand]] = []
    for condition, arm in zip(of.conditions, of.results, strict=True):
        if len(left) == 0:
            break
        part = frame if len(left) == frame.rows else frame.narrowed(left)
        true, _, failed = outcomes(compute(condition, part), None, part.rows)
        errors[left[failed]] = True
        chosen = left[true]
        if len(chosen):
            pieces.append((chosen, compute(arm, _part(frame, chosen))))
        left = left[~true & ~failed]
    if len(left) or not pieces:
        pieces.append((left, compute(of.otherwise, _part(frame, left))))
    result = _assembled(pieces, of.type, frame.rows)
    return with_errors(result, either(result.errors, errors)) if errors.any() else result


def _part(frame: Frame, rows: Rows) -> Frame:
    return frame if len(rows) == frame.rows else frame.narrowed(rows)


def _assembled(pieces: Sequence[tuple[Rows, Operand]], to: t.SqlType, rows: int) -> Operand:
    """One operand from parts computed for some rows each; later parts win, rows in none are NULL."""
    if len(pieces) == 1 and len(pieces[0][0]) == rows and not pieces[0][1].constant:
        return pieces[0][1]
    index = np.full(rows, -1, np.int64)
    errors = np.zeros(rows, np.bool_)
    start = 0
    for numbers, operand in pieces:
        index[numbers] = start if operand.constant else start + np.arange(len(numbers))
        errors[numbers] = False if operand.errors is None else np.broadcast_to(operand.errors, len(numbers))
        start += len(operand)
    arrays = _alike([operand for _, operand in pieces], to)
    taken = pa.concat_arrays(arrays).take(pa.array(index, mask=index < 0))
    return Operand(to, taken, errors=errors if errors.any() else None)


def _alike(operands: Sequence[Operand], to: t.SqlType) -> list[pa.Array]:
    """The operands' arrays in one representation."""
    if isinstance(to, t.DecimalType) and all(pa.types.is_integer(operand.array.type) for operand in operands):
        return [operand.array.cast(pa.int64()) for operand in operands]
    return [operand.with_type(to).plain for operand in operands]
