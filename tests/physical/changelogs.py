"""Changes as hypothesis draws them, and how an operator is shown to answer them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tableflow.expressions.nodes import ColumnRef
from tableflow.physical.build import build_operator
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.current_join import CurrentJoin
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.node import Input, PhysicalNode, UnaryNode
from tableflow.physical.normalize import Normalize
from tableflow.physical.versioned_join import VersionedJoin
from tableflow.records import replace
from tableflow.runtime.graph import OperatorSpec
from tableflow.runtime.operator import Operator
from tests.physical.event_harness import EventHarness


@st.composite
def changes(draw: Any, row: st.SearchStrategy[Any], *, appends: bool = False) -> list[tuple[Any, int]]:
    """Rows with weights whose sums are not negative, in any order: a -1 may come before its +1."""
    rows = draw(st.lists(row, max_size=8))
    made = [(row, 1) for row in rows]
    if not appends:
        for row in draw(st.lists(st.sampled_from(rows), max_size=8)) if rows else ():
            made.append((row, draw(st.integers(1, 2))))
        total: Counter[Any] = Counter()
        for row, weight in made:
            total[row] += weight
        for row in draw(st.lists(st.sampled_from(sorted(total, key=repr)), unique=True)) if total else ():
            made.append((row, -draw(st.integers(1, total[row]))))
    return draw(st.permutations(made))


@st.composite
def cuts(draw: Any, made: list[Any]) -> list[list[Any]]:
    """A list in batches."""
    batches: list[list[Any]] = []
    for change in made:
        if batches and draw(st.booleans()):
            batches[-1].append(change)
        else:
            batches.append([change])
    return batches


def dealt(node: PhysicalNode) -> PhysicalNode:
    """The node over rows that are dealt by its keys, as far as these are columns, unless it says by what they are."""
    match node:
        case ChangelogAggregate():
            keys = [[key.id for key in node.keys]]
        case ChangelogTopN() | ChangelogOver() | EventTimeOver():
            keys = [list(node.partition)]
        case Normalize():
            keys = [list(node.key)]
        case ChangelogJoin() | VersionedJoin() | CurrentJoin():
            pairs = list(zip(node.left_keys, node.right_keys, strict=True))
            columns = [pair for pair in pairs if all(isinstance(key, ColumnRef) for key in pair)]
            keys = [[pair[side].id for pair in columns] for side in (0, 1)]  # type: ignore[attr-defined]
        case _:
            return node
    leaves = [
        replace(leaf, dealt=leaf.dealt or tuple(by)) if isinstance(leaf, Input) else leaf
        for leaf, by in zip(node.inputs, keys, strict=True)
    ]
    return node.with_inputs(tuple(leaves))


def operator_of(node: PhysicalNode) -> Callable[[], Operator]:
    """Makes operators of a node, whose rows are :func:`dealt`."""
    by_keys = dealt(node)
    return lambda: build_operator(OperatorSpec("op", by_keys, "op"))


def check_changes(
    node: UnaryNode,
    batches: list[list[tuple[Any, int]]],
    expected: Callable[[Counter[Any]], Counter[Any]],
    *,
    rebuild: bool = False,
    batch_rows: int = 65_536,
    weighted: bool = True,
) -> EventHarness:
    """Whenever no count is below zero, the sum of what came out is ``expected`` of the sum of what came in."""
    harness = EventHarness(operator_of(node), node.input.fields, rebuild=rebuild, batch_rows=batch_rows)
    total: Counter[Any] = Counter()
    for batch in batches:
        harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch] if weighted else None)
        for row, weight in batch:
            total[row] += weight
        if all(count >= 0 for count in total.values()):
            assert harness.changes() == expected(Counter({row: count for row, count in total.items() if count}))
    return harness
