"""Columns that conjuncts make equal, as classes."""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import Expression
from tableflow.planner.logical.predicates import column_pair


class Classes:
    """Classes of columns of one type that equalities among the conjuncts connect; a column without any is its own."""

    def __init__(self, conjuncts: Iterable[Expression]) -> None:
        self._of: dict[int, set[int]] = {}
        for conjunct in conjuncts:
            pair = column_pair(conjunct)
            if pair is not None:
                merged = self._class(pair[0].id) | self._class(pair[1].id)
                self._of.update(dict.fromkeys(merged, merged))

    def _class(self, column: int) -> set[int]:
        return self._of.get(column) or {column}

    def same(self, one: int, other: int) -> bool:
        """Whether the two columns are equal."""
        return other in self._class(one)

    def implies(self, conjunct: Expression) -> bool:
        """Whether the conjunct equates columns that are equal."""
        pair = column_pair(conjunct)
        return pair is not None and self.same(pair[0].id, pair[1].id)

    def all_like(self, columns: Iterable[int]) -> set[int]:
        """All columns that equal one of these."""
        return set().union(*(self._class(column) for column in columns))
