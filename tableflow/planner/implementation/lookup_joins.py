"""Implementation rule of joins with a table that can only be asked for the rows of keys, over finished data and streams."""

from __future__ import annotations

from collections.abc import Iterable, Set

from tableflow.catalog.lookup import LookupProvider
from tableflow.errors import UnsupportedError
from tableflow.expressions.nodes import Call, Expression, column_ids
from tableflow.expressions.properties import is_constant
from tableflow.physical.lookup_join import LookupJoin
from tableflow.physical.node import PhysicalNode
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.join_conditions import JoinCondition, pairs_of
from tableflow.planner.implementation.joins import STRAIGHT
from tableflow.planner.implementation.requirements import NOTHING, Required
from tableflow.planner.implementation.search import Search
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.logical.lookups import looked_up
from tableflow.records import replace
from tableflow.runtime.graph import SourceSpec


def implement_lookup_join(search: Search, node: timed.TemporalJoin, required: Required) -> Iterable[PhysicalNode]:
    """Rows stay where they are; each task asks for the keys of its own."""
    scan = looked_up(node)
    assert scan is not None
    provider = scan.provider
    assert isinstance(provider, LookupProvider)
    if node.right is not scan and not isinstance(node.right, logical.Hinted):
        raise UnsupportedError(
            f"lookup table {scan.table!r} is joined as it is, without filters and computed columns",
            hint="put conditions on its columns into WHERE",
            span=node.span,
        )
    if search.streaming and not search.stream(node.left).appends:
        raise UnsupportedError(
            "rows that may be taken back cannot be looked up: another answer may come when they are",
            hint="look rows up before they are grouped or joined",
            span=node.span,
        )
    condition = _condition(search, node)
    names = {f.id: name for f, name in zip(scan.fields, scan.columns, strict=True)}
    columns = [_column(key, names) for key in condition.right]
    asked = _asked(scan, provider, columns, node)
    child = search.best(node.left, NOTHING)
    wanted, known = search.needed(node), search.output(node)
    fields = tuple(known[f.id] for f in (*child.fields, *scan.fields) if f.id in wanted and f.id in known)
    kind, options = provider.lookup(tuple(str(columns[i]) for i in asked), scan.columns)
    rows = child.facts.estimate.rows
    yield LookupJoin(
        fields=fields,
        facts=search.facts(
            node, fields, (child,), costs.probe_cost(rows, rows, rows, len(fields)), child.facts.properties.partitioning
        ),
        input=child,
        kind=STRAIGHT[node.kind],
        table=scan.table,
        lookup=SourceSpec(kind, options),
        found=tuple(replace(f, nullable=True) for f in scan.fields),
        left_keys=condition.left,
        right_keys=condition.right,
        residual=condition.residual,
        asked=asked,
        batch_keys=provider.batch_keys,
        cache=provider.cache,
    )


def _condition(search: Search, node: timed.TemporalJoin) -> JoinCondition:
    """What keys are compared with, which may be constants, and what else a pair of rows has to satisfy."""
    equal = [each for each in node.conjuncts if isinstance(each, Call) and each.function == "eq"]
    condition = pairs_of(search, equal, node.left, node.right)
    left, right, residual = list(condition.left), list(condition.right), []
    for each in (*condition.residual, *[other for other in node.conjuncts if other not in equal]):
        pair = _with_constant(each, search.output(node.right).keys())
        if pair is None:
            residual.append(each)
        else:
            left.append(pair[0])
            right.append(pair[1])
    return JoinCondition(tuple(left), tuple(right), (False,) * len(left), tuple(residual))


def _with_constant(of: Expression, asked: Set[int]) -> tuple[Expression, Expression] | None:
    """The constant and the column of ``column = constant``."""
    from tableflow.physical.lookup_keys import asked_column  # most queries ask nobody

    if not isinstance(of, Call) or of.function != "eq":
        return None
    for constant, column in (of.args, of.args[::-1]):
        if is_constant(constant) and asked_column(column) is not None and column_ids(column) <= asked:
            return constant, column
    return None


def _column(key: Expression, names: dict[int, str]) -> str | None:
    """The column that a key is, apart from its type."""
    from tableflow.physical.lookup_keys import asked_column  # most queries ask nobody

    column = asked_column(key)
    return None if column is None else names.get(column.id)


def _asked(
    scan: logical.Scan, provider: LookupProvider, columns: list[str | None], node: timed.TemporalJoin
) -> tuple[int, ...]:
    """Numbers of the keys to ask by: those that the table wants, or all that are plain columns, in the table's order."""
    order = [column.name for column in provider.schema.columns]
    wanted = provider.key or tuple(name for name in order if name in columns)
    missing = [name for name in wanted if name not in columns]
    if missing or not wanted:
        named = ", ".join(missing or order)
        raise UnsupportedError(
            f"lookup table {scan.table!r} is asked by {named}, for which the join has no condition",
            hint="write ON r.key = l.key, or r.key = a constant, for every key column of the table",
            span=node.span,
        )
    return tuple(columns.index(name) for name in wanted)
