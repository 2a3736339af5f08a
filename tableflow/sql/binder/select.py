"""A SELECT block, in the order in which SQL means it: FROM, WHERE, GROUP BY, HAVING, SELECT, DISTINCT, ORDER BY, LIMIT."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow.errors import BindError, SqlSyntaxError
from tableflow.expressions.keys import is_nested_key, keyed, unkeyed
from tableflow.expressions.nodes import ColumnRef, Expression, Literal
from tableflow.planner.logical.nodes import Aggregate, Filter, Node
from tableflow.sql.binder import emission, group_windows, subqueries, window_plan, windows
from tableflow.sql.binder.aggregates import Grouping, check_groupable, check_sortable
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.calls import has_aggregate
from tableflow.sql.binder.distinct_on import first_rows
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.grouping_sets import GroupBy, columns_apart, group_by, is_set
from tableflow.sql.binder.hints import Hints
from tableflow.sql.binder.items import SelectList
from tableflow.sql.binder.late_into import check_late_into
from tableflow.sql.binder.operators import flattened
from tableflow.sql.binder.order import (
    is_all,
    limited_plan,
    ordered_items,
    ordinal,
    sort_key,
    sorted_plan,
)
from tableflow.sql.binder.projection import Projection
from tableflow.sql.binder.queries import Bound, only
from tableflow.sql.binder.tables import bind_from
from tableflow.types import Field

_CLAUSES = frozenset({
    "expressions", "from_", "joins", "where", "group", "having", "distinct", "order", "limit", "offset", "with_", "hint",
    "windows", "qualify", "emit",
})  # fmt: skip


def bind_select(block: Block, node: exp.Select) -> Bound:
    """The plan of a SELECT block."""
    only(block, node, _CLAUSES)
    hints = Hints.read(block, node.args.get("hint"))
    bind_from(block, node)
    if hints is not None:
        block.plan = hints.attached(block)
    if block.late is None and _is_whole(node) and block.scope.columns:
        return Bound(block.plan, tuple(block.scope.columns), tuple(block.outer.values()))
    if not node.expressions:
        raise SqlSyntaxError("a select list is expected after SELECT", span=block.source.span(node))
    group = node.args.get("group")
    if group is not None and any(map(is_set, group.expressions)):
        block.plan, block.scope = columns_apart(block.context, block.plan, block.scope)
    windows.define(block, node.args.get("windows") or ())
    group_windows.define(block, node)
    emission.bind_emit(block, node)
    items = SelectList(block, node.expressions)
    _where(block, node, items)
    keys = _keys(block, node, items)
    expressions = items.bind()
    order = _order(block, node, items)
    first_of = _distinct_on(block, node, items)
    having = _having(block, node, items)
    qualify = _qualify(block, node, items)
    grouping = None
    above = [*expressions, *(key for key, _ in order), *first_of, *having, *qualify]
    above += [part for window in block.windows for part in window.parts()]
    window_plan.refuse_in_aggregates(block, above)
    grouped = keys is not None or bool(having or block.outer_aggregates) or any(map(has_aggregate, above))
    emission.check_governs(block, aggregates=grouped or (node.args.get("distinct") is not None and not first_of))
    if block.late is not None:
        check_late_into(block, grouped=grouped)
    if grouped:
        grouping = Grouping(block, keys or GroupBy(()), above)
        expressions = [grouping.rewrite(each) for each in expressions]
        order = [(grouping.rewrite(key), item) for key, item in order]
        first_of = [grouping.rewrite(each) for each in first_of]
        qualify = [grouping.rewrite(each) for each in qualify]
        if having:
            having = [grouping.rewrite(each) for each in having]
            grouping.attach(having)
            block.plan = Filter(block.plan, tuple(having))
    join = block.attach if grouping is None else grouping.attach
    if block.windows:
        window_plan.attach(block, (lambda each: each) if grouping is None else grouping.rewrite, join)
    if qualify:
        join(qualify)
        block.plan = Filter(block.plan, tuple(qualify))
    join([*expressions, *(key for key, _ in order), *first_of])
    if first_of:
        plan, columns = first_rows(block, items.names_of_output(), expressions, order, first_of)
    else:
        plan, columns = _output(block, node, items.names_of_output(), expressions, order, grouped=grouped)
    return Bound(limited_plan(block, node, plan), columns, tuple(block.outer.values()))


def _is_whole(node: exp.Select) -> bool:
    """Whether it is the columns of one relation as they are, as in most views."""
    match node.expressions:
        case [exp.Star() as star] if not any(star.args.values()):
            return not any(value for key, value in node.args.items() if key not in {"expressions", "from_"})
        case _:
            return False


def _where(block: Block, node: exp.Select, items: SelectList) -> None:
    where = node.args.get("where")
    if where is None:
        return
    binder = ExpressionBinder(block, Clause("WHERE", aliases=items))
    rest = [each for each in flattened(where.this, exp.And) if not subqueries.conjunct(binder, each)]
    conjuncts = [binder.condition(each) for each in rest]
    if conjuncts:
        block.attach(conjuncts)
        block.plan = Filter(block.plan, tuple(dict.fromkeys(conjuncts)))


def _keys(block: Block, node: exp.Select, items: SelectList) -> GroupBy | None:
    """Expressions of GROUP BY; None without GROUP BY."""
    group = node.args.get("group")
    if group is None:
        return None
    for key in ("grouping_sets", "cube", "rollup", "totals"):
        if group.args.get(key):
            raise refused(key.replace("_", " ").upper(), block.source.span(group))
    if group.args.get("all") is False:
        raise refused("GROUP BY DISTINCT", block.source.span(group))
    if group.args.get("all"):
        if group.expressions:
            raise SqlSyntaxError("GROUP BY ALL takes no expressions", span=block.source.span(group.expressions[0]))
        bound = [each for each in items.bind() if not isinstance(each, Literal)]
        return GroupBy(tuple(each for each in bound if not has_aggregate(each) and not block.has_window(each)))
    if not group.expressions:
        raise SqlSyntaxError("an expression is expected after GROUP BY", span=block.source.span(node))
    binder = ExpressionBinder(block, Clause("GROUP BY", aliases=items))
    span = block.source.span(group)
    found = group_by(group.expressions, lambda part: _key(block, part, items, binder), span)
    if block.group_window is None:
        return found
    if found.sets is not None:
        raise refused(f"{block.group_window.name} beside grouping sets", span)
    return GroupBy(tuple(dict.fromkeys((*found.keys, *block.group_window.references))))


def _key(block: Block, node: exp.Expr, items: SelectList, binder: ExpressionBinder) -> Expression:
    span = block.source.span(node)
    if is_set(node):
        raise SqlSyntaxError("ROLLUP and CUBE stand in GROUP BY or in GROUPING SETS only", span=span)
    index = ordinal(node, items.count(), "GROUP BY", span)
    key = binder.bind(node) if index is None else items.at(index)
    if (
        index is None
        and isinstance(node, exp.Query)
        and isinstance(key, ColumnRef)
        and node.find(exp.Placeholder) is None
    ):
        block.key_subqueries.append((node, key))
    if has_aggregate(key):
        raise BindError("GROUP BY cannot hold an aggregate", span=span)
    window_plan.refuse_windows(block, [key], "GROUP BY")
    return key


def _having(block: Block, node: exp.Select, items: SelectList) -> list[Expression]:
    having = node.args.get("having")
    if having is None:
        return []
    binder = ExpressionBinder(block, Clause("HAVING", aggregates=True, aliases=items))
    return list(dict.fromkeys(binder.condition(each) for each in flattened(having.this, exp.And)))


def _qualify(block: Block, node: exp.Select, items: SelectList) -> list[Expression]:
    qualify = node.args.get("qualify")
    if qualify is None:
        return []
    binder = ExpressionBinder(block, Clause("QUALIFY", aggregates=True, windows=True, aliases=items))
    found = list(dict.fromkeys(binder.condition(each) for each in flattened(qualify.this, exp.And)))
    if not block.windows:
        raise BindError(
            "QUALIFY needs a window function", hint="use WHERE or HAVING", span=block.source.span(qualify.this)
        )
    return found


def _order(block: Block, node: exp.Select, items: SelectList) -> list[tuple[Expression, exp.Ordered]]:
    """Expressions of ORDER BY: a bare name is an output column first, inside an expression an input column first."""
    binder = ExpressionBinder(block, Clause("ORDER BY", aggregates=True, windows=True, aliases=items))
    keys: list[tuple[Expression, exp.Ordered]] = []
    for item in ordered_items(block, node.args.get("order")):
        if is_all(item):
            keys += [(each, item) for each in items.bind()]
            continue
        found = _output_first(block, item.this, items, binder, "ORDER BY")
        check_sortable(found, block.source.span(item.this))
        keys.append((found, item))
    return keys


def _output_first(block: Block, target: exp.Expr, items: SelectList, binder: ExpressionBinder, what: str) -> Expression:
    span = block.source.span(target)
    index = ordinal(target, items.count(), what, span)
    found = items.at(index) if index is not None else None
    if found is None and isinstance(target, exp.Column) and len(target.parts) == 1:
        found = items.output(target.name, span)
    return binder.bind(target) if found is None else found


def _distinct_on(block: Block, node: exp.Select, items: SelectList) -> list[Expression]:
    """Expressions of DISTINCT ON, named as those of ORDER BY are; none without it."""
    distinct = node.args.get("distinct")
    on = None if distinct is None else distinct.args.get("on")
    if on is None:
        return []
    binder = ExpressionBinder(block, Clause("DISTINCT ON", aggregates=True, windows=True, aliases=items))
    found: list[Expression] = []
    for target in on.expressions if isinstance(on, exp.Tuple) else [on]:
        bound = _output_first(block, target, items, binder, "DISTINCT ON")
        check_groupable(bound)
        found.append(bound)
    return found


def _output(
    block: Block,
    node: exp.Select,
    names: Sequence[str],
    expressions: Sequence[Expression],
    order: Sequence[tuple[Expression, exp.Ordered]],
    *,
    grouped: bool,
) -> tuple[Node, tuple[Field, ...]]:
    """Project, make distinct and sort; the columns under their names."""
    projection = Projection(block.context, block.plan)
    distinct = node.args.get("distinct")
    as_keys = keyed if distinct is not None else lambda each: each
    fields = [projection.add(as_keys(each), name) for each, name in zip(expressions, names, strict=True)]
    if distinct is not None:
        for key, item in order:
            if not projection.holds(keyed(key)):
                raise BindError(
                    "with SELECT DISTINCT, ORDER BY can only use what is selected", span=block.source.span(item.this)
                )
        for each in expressions:
            check_groupable(each)
    keys = [sort_key(projection.add(keyed(key), "order"), item) for key, item in order if not isinstance(key, Literal)]
    plan = projection.node()
    if distinct is not None:
        unique = tuple({field.id: field for field in fields}.values())
        emit = block.emit if not grouped else None
        plan = Aggregate(plan, unique, (), (), emit)
        if any(is_nested_key(each.type) for each in expressions):
            values = Projection(block.context, plan)
            for field in unique:
                values.add(ColumnRef(field.type, field.id, field.name), field.name)
            pairs = zip(fields, expressions, strict=True)
            fields = [values.add(unkeyed(ColumnRef(f.type, f.id, f.name), e.type), f.name) for f, e in pairs]
            plan = values.node()
    columns = tuple(
        Field(field.id, name, field.type, field.nullable) for field, name in zip(fields, names, strict=True)
    )
    return sorted_plan(block, plan, keys, [item for _, item in order]), columns
