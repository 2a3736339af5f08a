"""Copies of subplans under new column ids, so that one plan may read the same subplan twice.

Invariant: every id made in the copy is new; ids of an outer row stay as they are.
"""

from __future__ import annotations

from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Join,
    Node,
    Project,
    Replicate,
    Scan,
    SetOperation,
    Shared,
    Values,
    Window,
)
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.planner.logical.traversal import map_expressions, produced, reference
from tableflow.records import replace
from tableflow.types import Field


def copy_plan(of: Node, context: Context) -> tuple[Node, dict[int, Field]]:
    """The same plan under new ids, and the new field of every id that was made in it."""
    renamed: dict[int, Field] = {}
    references: dict[int, Expression] = {}
    return _copy(of, renamed, references, context), renamed


def _copy(of: Node, renamed: dict[int, Field], references: dict[int, Expression], context: Context) -> Node:
    # what several read stays one plan; only this reader's columns are new
    children = () if isinstance(of, Shared) else inputs(of)
    if children:
        of = with_inputs(of, tuple([_copy(child, renamed, references, context) for child in children]))
    for old in produced(of):
        renamed[old.id] = new = context.copy_of(old)
        references[old.id] = reference(new)
    of = map_expressions(of, lambda expression: substitute_columns(expression, references, context))
    match of:
        case Scan(fields=fields) | Values(fields=fields) | Project(fields=fields):
            return replace(of, fields=_rename(fields, renamed))
        case SetOperation(fields=fields, columns=columns):
            read = tuple([_rename(each, renamed) for each in columns])
            return replace(of, fields=_rename(fields, renamed), columns=read)
        case Shared(fields=fields):
            return replace(of, fields=_rename(fields, renamed))
        case Aggregate(keys=keys, results=results, fire=fire):
            fired = _renamed(fire, renamed)
            return replace(of, keys=_rename(keys, renamed), results=_rename(results, renamed), fire=fired)
        case Window(partition=partition, results=results):
            return replace(of, partition=_rename(partition, renamed), results=_rename(results, renamed))
        case Join(mark=Field() as mark):
            return replace(of, mark=renamed[mark.id])
        case Replicate(count=count):
            return replace(of, count=renamed[count].id)
        case Fetch(row=row, fields=fields):
            return replace(of, row=renamed[row.id], fields=_rename(fields, renamed))
        case AssignWatermarks(column=column):
            return replace(of, column=renamed.get(column.id, column))
        case WindowTable() | WindowedAggregate():
            return _copy_windows(of, renamed)
        case AsofJoin(versions=Field() as versions) | TemporalJoin(versions=Field() as versions):
            return replace(of, versions=renamed.get(versions.id, versions))
        case _:
            return of


def _copy_windows(of: WindowTable | WindowedAggregate, renamed: dict[int, Field]) -> Node:
    of = replace(
        of,
        time=_renamed(of.time, renamed),
        partition=_rename(of.partition, renamed),
        start=_renamed(of.start, renamed),
        end=_renamed(of.end, renamed),
        window_time=_renamed(of.window_time, renamed),
    )
    if isinstance(of, WindowTable):
        return of
    fire = _renamed(of.fire, renamed)
    return replace(of, fire=fire, keys=_rename(of.keys, renamed), results=_rename(of.results, renamed))


def _renamed(field: Field | None, renamed: dict[int, Field]) -> Field | None:
    return None if field is None else _new(field, renamed)


def _rename(fields: tuple[Field, ...], renamed: dict[int, Field]) -> tuple[Field, ...]:
    return tuple([_new(f, renamed) for f in fields])


def _new(field: Field, renamed: dict[int, Field]) -> Field:
    """Its copy: above an outer join a column may be NULL that is not where it is made."""
    new = renamed.get(field.id, field)
    return new if new.nullable == field.nullable else replace(new, nullable=field.nullable)


def passing(fields: tuple[Field, ...]) -> tuple[ColumnRef, ...]:
    """The expressions of a projection that hands these columns on."""
    return tuple([reference(f) for f in fields])
