"""What of two answers to one query is compared: what does not depend on the order in which rows arrive.

Columns that depend on it are left out, and so are all rows if it decides which there are.  Of an array that lacks only an order the
elements are compared, of a text that was put together the characters.  Rows that a LIMIT chooses must be among all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tableflow.config import Settings
from tableflow.connectors.rows import Row
from tableflow.planner.arrival_dependence import Dependences, reasons
from tableflow.planner.arrival_order import RowFacts
from tableflow.planner.driver import Optimized, optimize
from tableflow.planner.implementation.needed import needed_columns
from tableflow.planner.logical.nodes import Hinted, Limit, Node, Project, Query, Sort
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """``columns`` are positions of those that are compared, in ``jumbled`` of those by their elements; None: nothing is certain.

    ``reasons``: why nodes of the plan are arrival-ordered.  ``among``: the query without its limit, of whose rows each must be one;
    in the columns ``whole``.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...] | None
    jumbled: frozenset[int] = frozenset()
    reasons: tuple[str, ...] = ()
    among: Query | None = None
    whole: tuple[int, ...] = ()

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know of what is compared."""
        if not self.reasons:
            return ()
        found = [f"arrival-ordered: {reason}" for reason in self.reasons]
        if self.columns is None:
            return (*found, "nothing is compared: which rows there are depends on the order in which rows arrive")
        left = [name for i, name in enumerate(self.names) if i not in self.columns]
        if left:
            shown = ", ".join(self.names[i] for i in self.columns if i not in self.jumbled)
            found.append(f"compared: {shown or 'the number of rows'}; not {', '.join(left)}")
        if self.jumbled:
            shown = ", ".join(self.names[i] for i in self.columns if i in self.jumbled)
            found.append(f"compared without their order: the elements of {shown}")
        if self.among is not None:
            found.append("compared: whether each row is one of those without LIMIT")
        return tuple(found)

    def difference(self, expected: Sequence[Row], found: Sequence[Row]) -> str | None:
        """The first difference of two answers in words, or None."""
        if self.columns is None:
            return None
        if len(self.columns) == len(self.names) and not self.jumbled:
            return difference(expected, found)
        if not self.columns:
            same = len(expected) == len(found)
            return None if same else f"batch has {len(expected)} rows, the stream {len(found)}"
        return difference([self._seen(row) for row in expected], [self._seen(row) for row in found])

    def _seen(self, row: Row) -> Row:
        assert self.columns is not None
        return tuple(_sorted(row[i]) if i in self.jumbled else row[i] for i in self.columns)

    def stranger(self, rows: Sequence[Row], found: Sequence[Row]) -> str | None:
        """A row found that is not one of ``rows``, in words."""
        everything, some = ([tuple(row[i] for i in self.whole) for row in many] for many in (rows, found))
        everything.sort(key=_order)
        at = 0
        for row in sorted(some, key=_order):
            while at < len(everything) and not _same(everything[at], row):
                at += 1
            if at == len(everything):
                return f"the stream has {row}, which is no row without LIMIT"
            at += 1
        return None


def comparison(query: Query, settings: Settings, known: Callable[[Query], Query]) -> Comparison:
    """What is compared of a query's answers; ``settings`` are those of its stream.

    ``known`` gives a query over tables of which more is known.
    """
    names = tuple(f.name for f in query.columns)
    everything = tuple(range(len(names)))
    optimized = optimize(known(query), settings)
    found = reasons(optimized.query.root, _facts(optimized))
    columns, jumbled = _compared(optimized)
    endless = _without_limit(query.root)
    if endless is query.root or (columns == everything and not jumbled):
        return Comparison(names, columns, jumbled, found)
    among = Query(endless, query.columns)
    whole, elements = _compared(optimize(known(among), settings))
    certain = tuple(i for i in whole or () if i not in elements)
    return Comparison(names, columns, jumbled, found, among if certain else None, certain)


def _facts(of: Optimized) -> RowFacts:
    needed = needed_columns(of.query.root, frozenset(f.id for f in of.query.columns))
    return RowFacts(of.statistics.keys, lambda node: needed[id(node)])


def _compared(of: Optimized) -> tuple[tuple[int, ...] | None, frozenset[int]]:
    """Positions of the columns to be compared, and of those among them that have the same elements."""
    depends = Dependences(_facts(of)).of(of.query.root)
    if depends.rows:
        return None, frozenset()
    ids = [f.id for f in of.query.columns]
    jumbled = frozenset(i for i, column in enumerate(ids) if depends.columns.get(column, False))
    return tuple(i for i, column in enumerate(ids) if depends.columns.get(column, True)), jumbled


def _without_limit(node: Node) -> Node:
    """The plan without what cuts its result."""
    match node:
        case Limit():
            return _without_limit(node.input)
        case Project() | Sort() | Hinted():
            return with_inputs(node, tuple(map(_without_limit, inputs(node))))
        case _:
            return node


def difference(expected: Sequence[Row], found: Sequence[Row]) -> str | None:
    """The first difference of two bags of rows in words, or None."""
    ours, theirs = sorted(expected, key=_order), sorted(found, key=_order)
    for mine, other in zip(ours, theirs, strict=False):
        if not _same(mine, other):
            return f"batch has {mine}, the stream {other}"
    if len(ours) > len(theirs):
        return f"the stream lacks {ours[len(theirs)]}"
    return f"the stream has {theirs[len(ours)]} too" if len(theirs) > len(ours) else None


def _sorted(value: Any) -> Any:
    return sorted(value, key=repr) if isinstance(value, (list, str)) else value


def _order(row: Row) -> list[tuple[bool, str]]:
    return [(value is None, _place(value)) for value in row]


def _place(value: Any) -> str:
    """A text by which values are sorted: the same for those that are equal, -0.0 and 0.0 included, wherever they stand."""
    if isinstance(value, float):
        return f"{value + 0.0:.6g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_place, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_place(each)}' for key, each in value.items())}}}"
    return repr(value)


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return all(_equal(a, b) for a, b in zip(one, other, strict=True))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and _same(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and _same(list(one.values()), [other[key] for key in one])
    return bool(one == other)
