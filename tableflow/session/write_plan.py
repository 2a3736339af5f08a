"""The plan of a statement that writes: its query, and the operator that writes on top."""

from __future__ import annotations

from tableflow.config import Settings
from tableflow.errors import Span
from tableflow.expressions.nodes import ColumnRef, SortKey
from tableflow.physical.node import PhysicalNode
from tableflow.physical.table_write import INSERT, TableWrite
from tableflow.planner.logical.nodes import Join, JoinKind, Limit, Node, Project, Query, Sort
from tableflow.planner.logical.structure import output
from tableflow.records import dataclass, replace
from tableflow.runtime.graph import SinkSpec
from tableflow.session.planned import Planned, compute, finish
from tableflow.sql.statements import CreateManagedTable, Write
from tableflow.storage.description import KeyConstraint, TableDescription
from tableflow.types import Field


@dataclass(frozen=True, slots=True)
class Writing:
    """What :class:`~tableflow.sql.statements.Write` says of a query's columns, by position, about a table described so."""

    table: str
    description: TableDescription
    query: Query
    values: tuple[int, ...]
    default_action: int = INSERT
    row_id: int | None = None
    action: int | None = None
    checks: tuple[tuple[str, int], ...] = ()
    returning: tuple[int, ...] = ()
    keep_first: tuple[KeyConstraint, ...] = ()
    span: Span | None = None

    @staticmethod
    def of(statement: Write) -> Writing:
        """What a statement says."""
        return Writing(
            ".".join(statement.target),
            statement.table.description,
            statement.query,
            statement.values,
            int(statement.default_action),
            statement.row_id,
            statement.action,
            tuple((check.constraint, check.column) for check in statement.checks),
            statement.returning or (),
            statement.keep_first,
            statement.span,
        )

    @staticmethod
    def of_creation(statement: CreateManagedTable, query: Query) -> Writing:
        """The rows of CREATE TABLE AS."""
        values = tuple(range(len(query.columns)))
        return Writing(".".join(statement.name), statement.description, query, values, span=statement.span)


def plan_write(writing: Writing, sink: SinkSpec, settings: Settings) -> Planned:
    """A job that writes to ``sink`` and gives the columns of RETURNING."""
    ordered = replace(writing.query, root=sort_last(writing.query.root))
    computed = compute(ordered, settings, anywhere=not writing.keep_first)
    node = table_write(writing, computed.root, computed.columns, sink)
    return finish(computed, node, tuple(computed.columns[i] for i in writing.returning), settings)


def table_write(writing: Writing, input: PhysicalNode, columns: tuple[Field, ...], sink: SinkSpec) -> TableWrite:
    """The operator over an input in which the query's column i has the id ``columns[i].id``."""
    ids = [column.id for column in columns]
    stored = writing.description.columns
    where = {column.id: i for i, column in enumerate(stored)}
    returned = {ids[i] for i in writing.returning}
    return TableWrite(
        fields=tuple(f for f in input.fields if f.id in returned),
        facts=input.facts.handed_on(),
        input=input,
        table=writing.table,
        sink=sink,
        columns=tuple(column.name for column in stored),
        default_action=writing.default_action,
        values=tuple(ids[i] for i in writing.values),
        row_id=None if writing.row_id is None else ids[writing.row_id],
        action=None if writing.action is None else ids[writing.action],
        required=tuple(i for i, column in enumerate(stored) if not column.nullable),
        checks=tuple((name, ids[i]) for name, i in writing.checks),
        first_of=tuple(tuple(where[column] for column in key.columns) for key in writing.keep_first),
        span=writing.span,
    )


def sort_last(root: Node) -> Node:
    """The same rows in the order of a sort that lies below projections and ON CONFLICT's joins: it comes last.

    Of new rows with equal keys the first in that order is written; a join would not hand the order on.
    """
    if isinstance(root, Sort):
        return root
    found = _without_sort(root, joined=False)
    return root if found is None else found


def _without_sort(node: Node, *, joined: bool) -> Sort | None:
    """The sort over the rows in any order, with the columns they are sorted by; None if no sort orders them.

    A limit's rows are in order unless they are ``joined``.
    """
    match node:
        case Sort():
            return node
        case Project(input=child):
            found = _without_sort(child, joined=joined)
            return None if found is None else replace(found, input=_with_keys(node, found.input, found.keys))
        case Join(kind=JoinKind.ANTI, left=left):
            found = _without_sort(left, joined=True)
            return None if found is None else replace(found, input=replace(node, left=found.input))
        case Limit(input=child) if joined:
            # which rows there are depends on the order too
            found = _without_sort(child, joined=True)
            return None if found is None else replace(found, input=replace(node, input=found))
        case _:
            return None


def _with_keys(project: Project, plan: Node, keys: tuple[SortKey, ...]) -> Project:
    """The projection over ``plan``, with the columns of the keys."""
    missing = {key.column.id for key in keys} - {f.id for f in project.fields}
    added = tuple(f for f in output(plan) if f.id in missing)
    references = tuple(ColumnRef(f.type, f.id, f.name) for f in added)
    return Project(plan, (*project.fields, *added), (*project.expressions, *references))
