"""Casts: which exist, and how values of one type become values of another.

Takes operands, gives operands whose errors mark the rows that do not fit; knows nothing of expressions.
"""

from tableflow.expressions.casting.convert import convert
from tableflow.expressions.casting.rules import can_cast, cast_can_fail

__all__ = ["can_cast", "cast_can_fail", "convert"]
