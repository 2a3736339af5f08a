"""CREATE TABLE ... AS: a managed table with the names and types of a query, filled with its rows."""

from __future__ import annotations

from tableflow import types
from tableflow.errors import BindError, CatalogError, UnsupportedError
from tableflow.planner.logical.nodes import Node, Query, Scan
from tableflow.planner.logical.structure import inputs, output
from tableflow.records import replace
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.local_time import localized
from tableflow.sql.binder.managed_table import bind_managed_table, place_of
from tableflow.sql.binder.queries import Bound, bind_query
from tableflow.sql.dml_syntax import Name
from tableflow.sql.statements import CreateManagedTable
from tableflow.sql.table_syntax import ColumnSyntax, LikeSyntax, TableSyntax
from tableflow.storage.description import ROW_ID


def bind_create_as(context: StatementContext, source: Source, table: TableSyntax) -> CreateManagedTable:
    """The table and the query; constraints may be written over the query's columns."""
    assert table.query is not None
    for item in table.items:
        if isinstance(item, LikeSyntax):
            raise UnsupportedError(
                "LIKE together with AS is not supported", span=source.place(item.span.start, item.span.end)
            )
        if item.type is not None or item.default is not None or item.generated is not None:
            raise UnsupportedError(
                "column types in CREATE TABLE ... AS are not supported",
                hint="the query gives them: CAST its columns, and list names only",
                span=place_of(source, item.name),
            )
    bound = bind_query(context, source, table.query, Ctes(), None)
    items = _columns(source, table, bound)
    made = bind_managed_table(context, source, replace(table, items=items))
    if not table.with_data:
        return made
    return replace(made, query=Query(localized(bound.plan, context.zone), bound.columns))


def _columns(source: Source, table: TableSyntax, bound: Bound) -> list[ColumnSyntax | LikeSyntax]:
    """The query's columns as definitions."""
    assert table.query is not None
    given = table.columns
    span = source.span(table.query)
    if given and len(given) != len(bound.columns):
        raise BindError(
            f"{len(given)} column name{'' if len(given) == 1 else 's'} given to a query of {len(bound.columns)}",
            span=place_of(source, given[-1].name),
        )
    required = _required(bound.plan)
    found: list[ColumnSyntax | LikeSyntax] = []
    seen: set[str] = set()
    for index, column in enumerate(bound.columns):
        name = given[index].name if given else Name(column.name, table.name_span)
        if name.text.lower() in seen:
            raise CatalogError(
                f"the table would have two columns named {name.text!r}",
                hint="give one of them another name with AS",
                span=place_of(source, name) if given else span,
            )
        if name.text.lower() == ROW_ID:
            raise CatalogError(
                f"column name {name.text!r} is taken", detail="every table has it, hidden", hint="rename it with AS",
                span=span,
            )  # fmt: skip
        seen.add(name.text.lower())
        if isinstance(column.type, types.NullType):
            raise BindError(
                f"column {name.text!r} has no type: it is always NULL", hint="write CAST(NULL AS INT)", span=span
            )
        nullable = column.id not in required and (not given or given[index].nullable)
        comment = given[index].comment if given else None
        found.append(ColumnSyntax(name, column.type, nullable, comment=comment))
    return found


def _required(plan: Node) -> frozenset[int]:
    """Columns of the plan that are columns of tables, and NOT NULL there and still."""
    declared: set[int] = set()
    rest = [plan]
    while rest:
        node = rest.pop()
        if isinstance(node, Scan):
            declared.update(field.id for field in node.fields if not field.nullable)
        rest += inputs(node)
    return frozenset(field.id for field in output(plan) if not field.nullable and field.id in declared)
