"""Physical plans as text for EXPLAIN: one line a node, indented, with what the planner expected of it."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.expressions.text import to_sql
from tableflow.physical.assign_watermarks import AssignWatermarks
from tableflow.physical.assign_windows import AssignWindows
from tableflow.physical.changelog_result import ChangelogResult
from tableflow.physical.changelog_text import describe_changelog
from tableflow.physical.collect_aggregate import CollectAggregate
from tableflow.physical.exchange import Exchange
from tableflow.physical.fetch_columns import FetchColumns
from tableflow.physical.filter import FilterRows
from tableflow.physical.fork import Fork
from tableflow.physical.hash_aggregate import HashAggregate
from tableflow.physical.hash_join import HashJoin
from tableflow.physical.materialize import SharedResult
from tableflow.physical.nested_loop_join import NestedLoopJoin
from tableflow.physical.node import PhysicalNode
from tableflow.physical.partition_top_n import PartitionTopN
from tableflow.physical.pipeline import Pipeline
from tableflow.physical.project import ProjectColumns
from tableflow.physical.properties import ChangelogMode, OrderingKey, PartitioningKind
from tableflow.physical.routed_write import RoutedWrite
from tableflow.physical.scan import TableScan
from tableflow.physical.sort import LimitRows, SortRows, TopN
from tableflow.physical.stream_write import StreamWrite
from tableflow.physical.table_write import TableWrite
from tableflow.physical.window import WindowAggregate
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.physical.windows_text import describe_windows
from tableflow.types import Field

Annotation = Callable[[PhysicalNode], str]


def explain_physical(root: PhysicalNode, annotate: Annotation | None = None) -> str:
    """The plan as a tree; ``annotate`` adds to a node's line (actual rows and times)."""
    names = _names(root)
    lines: list[str] = []
    seen: set[str] = set()

    def visit(node: PhysicalNode, depth: int) -> None:
        note = "" if annotate is None else annotate(node)
        lines.append(f"{'  ' * depth}{describe(node, names)}  {{{expectation(node, names)}}}{note}")
        for step in node.steps if isinstance(node, Pipeline) else ():
            lines.append(f"{'  ' * depth}  | {describe(step, names)}")
        if isinstance(node, (SharedResult, Fork)):
            key = node.publication if isinstance(node, SharedResult) else node.key
            if key in seen:
                return
            seen.add(key)
        for child in node.inputs:
            visit(child, depth + 1)

    visit(root, 0)
    return "\n".join(lines)


def _names(root: PhysicalNode) -> dict[int, str]:
    names: dict[int, str] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        for f in node.fields:
            names.setdefault(f.id, f.name)
        stack.extend(node.inputs)
    return names


def _by(keys: tuple[Field, ...]) -> str:
    return f" by [{_columns(keys)}]" if keys else ""


def _columns(fields: tuple[Field, ...]) -> str:
    return ", ".join(f.name for f in fields)


def _order(keys: tuple[OrderingKey, ...], names: dict[int, str]) -> str:
    return ", ".join(
        names.get(key.column, f"#{key.column}")
        + (" desc" if key.descending else "")
        + (" nulls first" if key.nulls_first else "")
        for key in keys
    )


def describe(node: PhysicalNode, names: dict[int, str]) -> str:
    """The operator and what it does, without its inputs."""
    match node:
        case TableScan():
            pruned = f" where {' and '.join(map(to_sql, node.predicates))}" if node.predicates else ""
            wanted = [f"{one.column.name} in {one.publication}" for one in node.filters]
            narrowed = f" narrowed by {' and '.join(wanted)}" if wanted else ""
            return f"TableScan {node.table} [{_columns(node.fields)}]{pruned}{narrowed}"
        case FilterRows():
            return f"FilterRows {' and '.join(map(to_sql, node.conjuncts))}"
        case ProjectColumns():
            shown = (
                f.name if to_sql(e) == f.name else f"{to_sql(e)} as {f.name}"
                for f, e in zip(node.fields, node.expressions, strict=True)
            )
            return f"ProjectColumns {', '.join(shown)}"
        case HashJoin():
            on = " and ".join(
                f"{to_sql(left)} {'is not distinct from' if safe else '='} {to_sql(right)}"
                for left, right, safe in zip(node.left_keys, node.right_keys, node.null_safe, strict=True)
            )
            rest = f" and {' and '.join(map(to_sql, node.residual))}" if node.residual else ""
            return f"HashJoin {node.kind.value} {node.distribution.value} on {on}{rest}"
        case NestedLoopJoin():
            on = " and ".join(map(to_sql, node.conjuncts)) or "true"
            return f"NestedLoopJoin {node.kind.value} on {on}"
        case HashAggregate():
            calls = ", ".join(map(to_sql, node.calls))
            first = "" if node.first is None else f" first {node.first.limit} by {_order(node.first.keys, names)}"
            enough = "" if node.most is None else f" any {node.most}"
            return f"HashAggregate {node.phase.value}{_by(node.keys)} {calls}".rstrip() + first + enough
        case CollectAggregate():
            calls = ", ".join(map(to_sql, node.calls))
            return f"CollectAggregate{_by(node.keys)} {calls}".rstrip()
        case SortRows() | TopN() | PartitionTopN():
            return _sorting(node, names)
        case LimitRows():
            return f"LimitRows {node.limit}{f' offset {node.offset}' if node.offset else ''}"
        case FetchColumns():
            return f"FetchColumns {node.table} [{_columns(node.fetched)}]"
        case WindowAggregate():
            return f"WindowAggregate {_window(node, names)}"
        case Exchange():
            keys = f" by [{', '.join(names.get(key, f'#{key}') for key in node.keys)}]" if node.keys else ""
            merged = f" merging {_order(node.ordering, names)}" if node.ordering else ""
            return f"Exchange {node.kind.value}{keys}{merged}{' blocking' if node.blocking else ''}"
        case TableWrite() | StreamWrite() | RoutedWrite() | Fork() | ChangelogResult() | SharedResult():
            return _edge(node, names)
        case AssignWatermarks() | AssignWindows() | WindowedAggregate():
            return describe_windows(node, names)
        case _:
            return describe_changelog(node, names) or f"{type(node).__name__} [{_columns(node.fields)}]"


def _edge(
    node: TableWrite | StreamWrite | RoutedWrite | Fork | ChangelogResult | SharedResult, names: dict[int, str]
) -> str:
    match node:
        case TableWrite():
            checks = f" checking {', '.join(name for name, _ in node.checks)}" if node.checks else ""
            return f"TableWrite {node.table} [{_columns(node.fields)}]{checks}"
        case StreamWrite():
            return f"StreamWrite {node.table} [{', '.join(names.get(column, f'#{column}') for column in node.values)}]"
        case RoutedWrite():
            return f"RoutedWrite {', '.join(f'{route.kind.value} {route.table}' for route in node.routes)}"
        case SharedResult():
            return f"SharedResult {node.publication} [{_columns(node.fields)}]"
        case Fork():
            return f"Fork {node.key} [{_columns(node.fields)}]"
        case ChangelogResult(key=key):
            keyed = "" if key is None else f" by [{', '.join(names.get(column, f'#{column}') for column in key)}]"
            return f"ChangelogResult{keyed} [{_columns(node.fields)}]"


def _sorting(node: SortRows | TopN | PartitionTopN, names: dict[int, str]) -> str:
    match node:
        case SortRows():
            return f"SortRows {'by ranges ' if node.publication else ''}{_order(node.keys, names)}"
        case TopN():
            return f"TopN {node.limit}{f' offset {node.offset}' if node.offset else ''} by {_order(node.keys, names)}"
        case PartitionTopN():
            by, rest = _order(node.keys[: node.partition], names), _order(node.keys[node.partition :], names)
            return f"PartitionTopN {node.limit} by [{by}]{f' order {rest}' if rest else ''}"


def _window(node: WindowAggregate, names: dict[int, str]) -> str:
    partition = ", ".join(names.get(column, f"#{column}") for column in node.partition)
    parts = [f"by [{partition}]"]
    if node.order:
        parts.append(f"order {_order(node.order, names)}")
    if node.limit is not None:
        parts.append(f"first {node.limit}")
    return " ".join([*parts, ", ".join(map(to_sql, node.calls))]).rstrip()


def summary(node: PhysicalNode) -> str:
    """A short name of the operator for charts."""
    match node:
        case TableScan():
            return f"TableScan {node.table}"
        case HashJoin():
            return f"HashJoin {node.kind.value} on {' and '.join(map(to_sql, node.left_keys))}"
        case HashAggregate():
            return f"HashAggregate {node.phase.value} by {_columns(node.keys)}"
        case CollectAggregate():
            return f"CollectAggregate by {_columns(node.keys)}"
        case TableWrite():
            return f"TableWrite {node.table}"
        case Pipeline():
            return "Pipeline " + ", ".join(type(step).__name__ for step in node.steps)
        case _:
            return type(node).__name__


def expectation(node: PhysicalNode, names: dict[int, str]) -> str:
    """Estimated rows and cost, and the properties delivered."""
    estimate, properties = node.facts.estimate, node.facts.properties
    parts = [f"rows ~{_count(estimate.rows)}", f"cost {estimate.cost / 1e6:.2f} ms"]
    partitioning = properties.partitioning
    if partitioning.kind is not PartitioningKind.ARBITRARY:
        keys = f"({', '.join(names.get(key, f'#{key}') for key in partitioning.keys)})" if partitioning.keys else ""
        parts.append(f"{partitioning.kind.value}{keys}")
    if not properties.bounded:
        parts.append("unbounded")
    if properties.changelog is not ChangelogMode.APPEND:
        parts.append(f"changelog {properties.changelog.value}")
    if properties.event_time:
        parts.append(
            f"event time({', '.join(sorted(names.get(column, f'#{column}') for column in properties.event_time))})"
        )
    if properties.arrival_ordered:
        parts.append("arrival-ordered")
    if properties.ordering:
        parts.append(f"ordered by {_order(properties.ordering, names)}")
    for key in properties.keys:
        parts.append(f"unique({', '.join(sorted(names.get(column, f'#{column}') for column in key))})")
    return ", ".join(parts)


def _count(rows: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if rows >= size:
            return f"{rows / size:.1f}{unit}"
    return f"{rows:.0f}"
