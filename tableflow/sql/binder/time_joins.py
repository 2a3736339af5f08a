"""Joins as of a time: FOR SYSTEM_TIME AS OF a column of the left side, and ASOF JOIN."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow.errors import BindError, Span, SqlSyntaxError
from tableflow.expressions.coercion import without_widening
from tableflow.expressions.nodes import Call, ColumnRef, Expression, column_ids
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.lookups import looked_up
from tableflow.planner.logical.nodes import Filter, Hinted, JoinKind, Node, Project
from tableflow.planner.logical.predicates import COMPARISONS, MIRRORED
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.time_nodes import AsofJoin, AssignWatermarks, TemporalJoin
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.context import StatementContext
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.operators import flattened
from tableflow.sql.binder.parts import Part
from tableflow.sql.binder.scope import Scope
from tableflow.types import Field, TimestampType

_KEEPING = frozenset({JoinKind.INNER, JoinKind.LEFT})
_ORDERS = COMPARISONS - {"eq", "ne"}


def is_temporal(node: exp.Expr) -> bool:
    """Whether a relation stands behind JOIN with FOR SYSTEM_TIME AS OF something of the other side."""
    version = node.args.get("version") if isinstance(node, exp.Table) else None
    if version is None or version.name != "SYSTEM_TIME":
        return False
    time = version.expression
    called = any(each.name.lower() == "proctime" for each in time.find_all(exp.Anonymous))
    return called or time.find(exp.Column) is not None


def without_version(node: exp.Table) -> exp.Table:
    """The relation as it is read."""
    plain = node.copy()
    plain.set("version", None)
    return plain


def temporal_join(
    block: Block, kind: JoinKind, left: Part, right: Part, node: exp.Join, conjuncts: Sequence[Expression]
) -> Part:
    """The left rows with what was valid at their time."""
    span = block.source.span(node)
    _check_kind(kind, "a join FOR SYSTEM_TIME AS OF", span)
    clause = node.this.args["version"]
    place = block.source.span(clause.expression)
    before, block.scope = block.scope, left.scope
    time = ExpressionBinder(block, Clause("FOR SYSTEM_TIME AS OF")).bind(clause.expression)
    block.scope = before
    versions: Field | None = None
    if _is_processing_time(block.context, time):
        time = resolve_call("proctime", [], place)  # when the row passes the join, so no column is kept for it
    else:
        if not isinstance(time.type, TimestampType):
            raise BindError(f"FOR SYSTEM_TIME AS OF takes a time, this is {time.type}", span=place)
        versions = _event_time(right)
        if versions is None:
            raise BindError(
                "the table behind JOIN has no event time by which its rows could be versions",
                hint="declare WATERMARK FOR, or join AS OF a column that is PROCTIME()",
                span=block.source.span(node.this),
            )
        _check_same(time, versions, place)
    plan = TemporalJoin(
        kind, left.plan, right.plan, tuple(conjuncts), time, versions, block=block.number, span=span
    )  # fmt: skip
    if looked_up(plan) is None:
        _equalities(conjuncts, left, right, span)
    return Part(plan, left.scope.beside(right.scope), left.needs | right.needs)


def asof_join(
    block: Block, kind: JoinKind, left: Part, right: Part, node: exp.Join, conjuncts: Sequence[Expression]
) -> Part:
    """Each left row with the nearest right row in the order that one of the conjuncts (or MATCH_CONDITION) says."""
    span = block.source.span(node)
    _check_kind(kind, "ASOF JOIN", span)
    matches = [each for each in conjuncts if isinstance(each, Call) and each.function in _ORDERS]
    if len(matches) != 1:
        raise BindError(
            "ASOF JOIN needs one inequality" + (f", here are {len(matches)}" if matches else ""),
            hint="write ON a.k = b.k AND a.ts >= b.ts, or MATCH_CONDITION (a.ts >= b.ts)",
            span=span,
        )
    match = matches[0]
    function, (first, second) = match.function, match.args
    if _reads_only(second, left) and _reads_only(first, right):
        function, first, second = MIRRORED[function], second, first
    elif not (_reads_only(first, left) and _reads_only(second, right)):
        raise BindError("the inequality of ASOF JOIN compares the two sides", span=match.span or span)
    equalities = [each for each in conjuncts if each is not match]
    _equalities(equalities, left, right, span)
    # Moments compare as they are: a column that is cast would not be the event time of its side any more.
    first, second = without_widening(first), without_widening(second)
    right_plan, versions = _as_column(block.context, right.plan, second)
    plan = AsofJoin(
        kind, left.plan, right_plan, tuple(equalities), function, first, versions, block=block.number, span=span
    )  # fmt: skip
    return Part(plan, left.scope.beside(right.scope), left.needs | right.needs)


def match_condition(block: Block, node: exp.Join, both: Scope) -> list[Expression]:
    """The condition of MATCH_CONDITION (...), if there is one."""
    tree = node.args.get("match_condition")
    if tree is None:
        return []
    before, block.scope = block.scope, both
    found = [ExpressionBinder(block, Clause("MATCH_CONDITION")).condition(each) for each in flattened(tree, exp.And)]
    block.scope = before
    return found


def _check_kind(kind: JoinKind, what: str, span: Span | None) -> None:
    if kind not in _KEEPING:
        raise SqlSyntaxError(
            f"{what} is INNER or LEFT, not {kind.value.upper()}",
            hint="rows of the right side without a partner come of a second query, put behind this one with UNION ALL",
            span=span,
        )


def _is_processing_time(context: StatementContext, of: Expression) -> bool:
    if isinstance(of, ColumnRef):
        return of.id in context.processing_times
    return isinstance(of, Call) and of.function == "proctime"


def _event_time(part: Part) -> Field | None:
    """The column of a relation that is its event time, if one can see it."""
    plan: Node = part.plan
    while isinstance(plan, (Filter, Project, Hinted)):
        plan = plan.input
    if not isinstance(plan, AssignWatermarks):
        return None
    column = plan.column
    return next((f for f in output(part.plan) if f.id == column.id), None)


def _check_same(time: Expression, versions: Field, span: Span | None) -> None:
    assert isinstance(time.type, TimestampType)
    if not isinstance(versions.type, TimestampType) or versions.type.zoned != time.type.zoned:
        raise BindError(
            f"the time of the left side is {time.type}, the versions have {versions.type}",
            hint="cast one of them",
            span=span,
        )


def _equalities(conjuncts: Sequence[Expression], left: Part, right: Part, span: Span | None) -> None:
    for each in conjuncts:
        if isinstance(each, Call) and each.function == "eq":
            first, second = each.args
            if (_reads_only(first, left) and _reads_only(second, right)) or (
                _reads_only(first, right) and _reads_only(second, left)
            ):
                continue
        raise BindError(
            "a join as of a time takes equalities between the two sides",
            hint="put other conditions into WHERE, or filter a side in a subquery",
            span=getattr(each, "span", None) or span,
        )


def _reads_only(of: Expression, part: Part) -> bool:
    read = column_ids(of)
    return bool(read) and read <= {f.id for f in output(part.plan)}


def _as_column(context: StatementContext, plan: Node, of: Expression) -> tuple[Node, Field]:
    fields = output(plan)
    for f in fields:
        if isinstance(of, ColumnRef) and f.id == of.id:
            return plan, f
    made = context.field("versions", of.type)
    return Project(plan, (*fields, made), (*passing(fields), of)), made
