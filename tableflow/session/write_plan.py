"""The plan of a statement that writes: its query, and the operator that writes on top."""

from __future__ import annotations

from dataclasses import replace

from tableflow.config import Settings
from tableflow.expressions.nodes import ColumnRef
from tableflow.physical.table_write import TableWrite
from tableflow.planner.logical.nodes import Node, Project, Sort, output
from tableflow.runtime.graph import SinkSpec
from tableflow.session.planned import Computed, Planned, compute, finish
from tableflow.sql.statements import Write


def plan_write(statement: Write, sink: SinkSpec, settings: Settings) -> Planned:
    """A job that writes to ``sink`` and gives the columns of RETURNING, none without it."""
    ordered = replace(statement.query, root=sort_last(statement.query.root))
    computed = compute(ordered, settings, anywhere=not statement.keep_first)
    columns = tuple(computed.columns[i] for i in statement.returning or ())
    return finish(computed, _writing(statement, sink, computed), columns, settings)


def _writing(statement: Write, sink: SinkSpec, computed: Computed) -> TableWrite:
    ids = [column.id for column in computed.columns]
    description = statement.table.description
    where = {column.id: i for i, column in enumerate(description.columns)}
    returned = {ids[i] for i in statement.returning or ()}
    keys = tuple(tuple(where[column] for column in key.columns) for key in description.keys)
    return TableWrite(
        fields=tuple(f for f in computed.root.fields if f.id in returned),
        facts=computed.root.facts,
        input=computed.root,
        table=".".join(statement.target),
        sink=sink,
        columns=tuple(column.name for column in description.columns),
        default_action=int(statement.default_action),
        values=tuple(ids[i] for i in statement.values),
        row_id=None if statement.row_id is None else ids[statement.row_id],
        action=None if statement.action is None else ids[statement.action],
        required=tuple(i for i, column in enumerate(description.columns) if not column.nullable),
        checks=tuple((check.constraint, ids[check.column]) for check in statement.checks),
        first_of=keys if statement.keep_first else (),
        span=statement.span,
    )


def sort_last(root: Node) -> Node:
    """The same rows in the order of a sort that lies below projections: it comes last, over columns kept for it."""
    projects: list[Project] = []
    node = root
    while isinstance(node, Project):
        projects.append(node)
        node = node.input
    if not projects or not isinstance(node, Sort):
        return root
    sort, plan = node, node.input
    for project in reversed(projects):
        passed = {f.id for f in project.fields}
        kept = {key.column.id for key in sort.keys} - passed
        added = tuple(f for f in output(plan) if f.id in kept)
        references = tuple(ColumnRef(f.type, f.id, f.name) for f in added)
        plan = Project(plan, (*project.fields, *added), (*project.expressions, *references))
    return Sort(plan, sort.keys)
