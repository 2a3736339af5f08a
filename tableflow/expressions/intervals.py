"""Interval analysis: bounds of values from the bounds of columns, through expressions.

Invariant: a domain never lies.  Every value that an expression yields lies within what this module derives;
where an operation is not understood the answer is "unbounded", never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class Domain:
    """Bounds of a column's values, from statistics: storage values, both inclusive, None if unbounded; never lies."""

    minimum: int | float | None = None
    maximum: int | float | None = None
    nullable: bool = True
