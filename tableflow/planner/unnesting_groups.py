"""Equalities with an outer row that pass a grouping: their inner sides become group keys."""

from __future__ import annotations

from tableflow.expressions.nodes import Call, ColumnRef, Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Node, Project
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import Field


class GroupKeys:
    """Collects the group keys that lifting conjuncts through a grouping adds."""

    def __init__(self, below: Node, keys: dict[int, Field], outer: frozenset[int], context: Context) -> None:
        self._below = below
        self._keys = keys
        self._outer = outer
        self._context = context
        self._fields = {f.id: f for f in context.output(below)}
        self._computed: list[tuple[Field, Expression]] = []

    def take(self, conjunct: Expression) -> Expression | None:
        """The conjunct over the grouping's output; None if it cannot be decided per group."""
        local = self._fields.keys()
        columns = self._context.columns(conjunct) & local
        if not columns:
            # of outer rows alone: it decides for the whole group
            return conjunct
        match conjunct:
            case Call(function="eq", args=(a, b)) if not self._outer.isdisjoint(self._context.columns(conjunct)):
                for inner, other in ((a, b), (b, a)):
                    reads = self._context.columns(inner)
                    decides = reads and reads <= local and local.isdisjoint(self._context.columns(other))
                    # a key is computed for rows that other conjuncts do not accept
                    if decides and self._context.movable(inner):
                        return replace(conjunct, args=(other, self._key(inner)))
            case _:
                pass
        return conjunct if columns <= self._keys.keys() else None

    def _key(self, of: Expression) -> Expression:
        if isinstance(of, ColumnRef):
            self._keys[of.id] = self._fields[of.id]
            return of
        for known, expression in self._computed:
            if expression == of:
                return reference(known)
        new = Field(self._context.fresh_id(), "key", of.type)
        self._keys[new.id] = new
        self._computed.append((new, of))
        return reference(new)

    def input(self) -> Node:
        """The grouping's input with the computed keys."""
        if not self._computed:
            return self._below
        fields = self._context.output(self._below)
        new = tuple([f for f, _ in self._computed])
        return Project(self._below, (*fields, *new), (*passing(fields), *[e for _, e in self._computed]))
