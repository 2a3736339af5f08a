"""Subplans that compute the same rows are computed once.

Two readers need not read the same columns: the shared plan makes all that any of them reads.  Bare scans are not shared, nor
is what has hardly fewer rows than it took to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tableflow.planner.logical.canonical import Canonical
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import copy_plan
from tableflow.planner.logical.nodes import Aggregate, Join, Node, Replicate, Scan, Shared, Window
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.time_nodes import WindowedAggregate
from tableflow.planner.logical.traversal import walk_plan
from tableflow.planner.rules.merged_subplans import merge
from tableflow.records import replace

Worth = Callable[[Node, Context], bool]
_STATEFUL = (Join, Aggregate, Window, WindowedAggregate)
_WORK_PER_ROW_KEPT = 2.0
_LEAST_WORK = 50_000.0
"""Rows looked at that are worth the materialisation's own stage."""


def share_common_subplans(root: Node, required: frozenset[int], context: Context) -> Node:
    """The plan where each group of equal subplans reads one :class:`Shared` input."""
    return _shared(root, context, _is_worth_it)


def share_streams(root: Node, required: frozenset[int], context: Context) -> Node:
    """The same in streams: each is scanned in one place, so that all readers see one prefix; of the rest state is kept once.

    What became shared may read a stream that others read in another way: then it shares its own inputs with them.
    """
    while True:
        new = _shared(root, context, _saves_stream, within_shared=True)
        if new is root:
            return root
        root = new


def _shared(root: Node, context: Context, worth: Worth, *, within_shared: bool = False) -> Node:
    """One round; ``within_shared``: also below plans that are shared already, which the next round needs to look at."""
    tables = [node.table for node in walk_plan(root) if isinstance(node, Scan)]
    if len(tables) == len(set(tables)):
        return root
    canonical = Canonical(context)
    canonical.signature(root)
    parts = [root, *_below_shared(root)] if within_shared else [root]
    counts = _counts(parts, canonical)
    rejected: set[int] = set()
    while True:
        groups: dict[int, list[Node]] = {}
        for part in parts:
            _choose(part, counts, rejected, groups, canonical, context, worth)
        lonely = {signature for signature, readers in groups.items() if len(readers) < 2}
        if not lonely or within_shared:
            break  # the others that are equal to a lonely one are below what is shared now: the next round finds them there
        rejected |= lonely
    for signature in lonely:
        del groups[signature]
    if not groups:
        return root
    replaced: dict[int, Node] = {}
    for readers in groups.values():
        _share(readers, replaced, context)
    return _replace(root, replaced, {}, context)


def _below_shared(root: Node) -> list[Node]:
    """The input of each shared plan, once however many read it."""
    return list({node.key: node.input for node in walk_plan(root) if isinstance(node, Shared)}.values())


def _walk_to_shared(root: Node) -> Iterator[Node]:
    """The plan down to the readers of shared ones."""
    yield root
    if not isinstance(root, Shared):
        for child in inputs(root):
            yield from _walk_to_shared(child)


def _counts(parts: list[Node], canonical: Canonical) -> dict[int, int]:
    found: dict[int, int] = {}
    for part in parts:
        for node in _walk_to_shared(part):
            signature = canonical.signature(node)
            found[signature] = found.get(signature, 0) + 1
    return found


def _choose(
    node: Node,
    counts: dict[int, int],
    rejected: set[int],
    groups: dict[int, list[Node]],
    canonical: Canonical,
    context: Context,
    worth: Worth,
) -> None:
    """Collects the largest subplans that occur more than once and are worth sharing."""
    signature = canonical.signature(node)
    if isinstance(node, Shared):
        return
    if counts[signature] > 1 and signature not in rejected:
        if signature in groups or worth(node, context):
            groups.setdefault(signature, []).append(node)
            return
        rejected.add(signature)
    for child in inputs(node):
        _choose(child, counts, rejected, groups, canonical, context, worth)


def _saves_stream(node: Node, context: Context) -> bool:
    parts = list(walk_plan(node))
    saves = any(isinstance(part, _STATEFUL) or (isinstance(part, Scan) and not part.provider.bounded) for part in parts)
    return saves and not any(isinstance(part, Shared) for part in parts) and context.without_chance(node)


def _is_worth_it(node: Node, context: Context) -> bool:
    parts = list(walk_plan(node))
    if not any(isinstance(part, (Join, Aggregate, Window)) for part in parts) or any(
        isinstance(p, Shared) for p in parts
    ):
        return False
    if not context.without_chance(node):
        return False
    statistics = context.statistics
    work = sum([statistics.table_rows(part) if isinstance(part, Scan) else statistics.rows(part) for part in parts])
    return statistics.rows(node) * _WORK_PER_ROW_KEPT + _LEAST_WORK < work


def _share(readers: list[Node], replaced: dict[int, Node], context: Context) -> None:
    merged = readers[0]
    positions: list[dict[int, int]] = [{f.id: f.id for f in context.output(merged)}]
    for reader in readers[1:]:
        merged, names = merge(merged, reader, context)
        positions.append(names)
    # What says how often rows are repeated is gone once they are.
    gone = {part.count for part in walk_plan(merged) if isinstance(part, Replicate)}
    fields = tuple([f for f in context.output(merged) if f.id not in gone])
    copy, renamed = copy_plan(merged, context)
    columns = tuple([renamed.get(f.id, f) for f in fields])
    key = context.fresh_id()
    for reader, names in zip(readers, positions, strict=True):
        own = {names[f.id]: f for f in context.output(reader)}
        made = tuple([own.get(f.id) or context.fresh(f) for f in fields])
        replaced[id(reader)] = Shared(key, copy, made, columns)


def _replace(node: Node, replaced: dict[int, Node], below: dict[int, Node], context: Context) -> Node:
    """``below`` keeps the new input of each shared plan by key, for all its readers."""
    new = replaced.get(id(node))
    if new is not None:
        return new
    if isinstance(node, Shared):
        if node.key not in below:
            below[node.key] = _replace(node.input, replaced, below, context)
        return _reading(node, below[node.key], context)
    return with_inputs(node, tuple([_replace(child, replaced, below, context) for child in inputs(node)]))


def _reading(reader: Shared, input: Node, context: Context) -> Shared:
    """A reader of the new input; where that only reads another shared plan, a reader of that one itself."""
    if not isinstance(input, Shared):
        return replace(reader, input=input)
    own = {column.id: f for column, f in zip(reader.columns, reader.fields, strict=True)}
    return replace(input, fields=tuple([own.get(f.id) or context.fresh(f) for f in input.fields]))
