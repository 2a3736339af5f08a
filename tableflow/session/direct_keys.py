"""Which rows of a managed table a query wants by a key: of a filter over it, and of a join with it."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.connectors.managed.key_predicate import Lookup, find_lookup
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.expressions.nodes import Call, ColumnRef, Expression, transform
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Scan
from tableflow.planner.logical.structure import output
from tableflow.records import replace


def wanted_by_filter(node: Filter) -> tuple[Lookup, tuple[Expression, ...], Scan, ManagedProvider] | None:
    """Which rows a filter over a table wants by a key, and the conjuncts that remain."""
    scan = node.input
    if not isinstance(scan, Scan):
        return None
    provider = scan.provider
    if not isinstance(provider, ManagedProvider) or scan.predicates or not provider.description.keys:
        return None
    names = {f.id: name for f, name in zip(scan.fields, scan.columns, strict=True)}
    conjuncts = [each for conjunct in node.conjuncts for each in _split(conjunct)]
    named = [_by_table_name(conjunct, names) for conjunct in conjuncts]
    lookup = find_lookup(provider.description, named)
    if lookup is None:
        return None
    pairs = zip(conjuncts, named, strict=True)
    rest = tuple(conjunct for conjunct, said in pairs if not any(said is e for e in lookup.conjuncts))
    return lookup, rest, scan, provider


def _split(conjunct: Expression) -> Sequence[Expression]:
    if isinstance(conjunct, Call) and conjunct.function == "and":
        return [each for argument in conjunct.args for each in _split(argument)]
    return [conjunct]


def _by_table_name(conjunct: Expression, names: dict[int, str]) -> Expression:
    def named(e: Expression) -> Expression:
        return replace(e, name=names[e.id]) if isinstance(e, ColumnRef) and e.id in names else e

    return transform(conjunct, named)


def wanted_by_join(node: Join) -> tuple[Scan, ManagedProvider, tuple[int, ...], list[int]] | None:
    """The key that a join compares with columns of its left side, which are given in the key's order."""
    scan = node.right
    if node.kind not in {JoinKind.LEFT, JoinKind.ANTI} or node.dependent or node.null_aware:
        return None
    if not isinstance(scan, Scan) or not isinstance(scan.provider, ManagedProvider) or scan.predicates:
        return None
    left = {f.id: f.type for f in output(node.left)}
    names = {f.id: name for f, name in zip(scan.fields, scan.columns, strict=True)}
    compared: dict[str, int] = {}
    for conjunct in node.conjuncts:
        match conjunct:
            case Call(function="eq", args=(ColumnRef() as one, ColumnRef() as other)):
                if other.id in left:
                    one, other = other, one
                if one.id not in left or other.id not in names or one.type != other.type:
                    return None
                compared[names[other.id]] = one.id
            case _:
                return None
    description = scan.provider.description
    for key in description.keys:
        wanted = [description.column(column).name for column in key.columns]
        if len(node.conjuncts) == len(wanted) and set(wanted) == set(compared):
            return scan, scan.provider, key.columns, [compared[name] for name in wanted]
    return None
