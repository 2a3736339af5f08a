"""COPY: a query whose rows become a file, or a file whose rows are inserted.

What a text file holds is read as the table's columns declare it, never guessed; files that have types keep theirs and are
cast as INSERT casts.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow import types
from tableflow.catalog.provider import ColumnDefinition, ScanRequest
from tableflow.connectors.filesystem.options import ENDINGS, READABLE, WRITTEN
from tableflow.errors import BindError, Span, TableFlowError, UnsupportedError
from tableflow.expressions.nodes import Expression
from tableflow.nearest import nearest
from tableflow.planner.logical.nodes import Query, Scan
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.file_options import read_options, written_options
from tableflow.sql.binder.insert import completed, filled
from tableflow.sql.binder.local_time import localized
from tableflow.sql.binder.queries import bind_query
from tableflow.sql.binder.row_fields import by_field_name
from tableflow.sql.binder.target import BoundTarget, find_target
from tableflow.sql.binder.writing import Writing, reference, valued, write
from tableflow.sql.copy_syntax import CopySyntax
from tableflow.sql.dml_syntax import Target
from tableflow.sql.statements import Action, CopyTo, Write
from tableflow.storage.description import ChangeKind, StoredColumn

_TEXT_FORMATS = frozenset({"csv", "json"})


def bind_copy(context: StatementContext, source: Source, node: CopySyntax) -> CopyTo | Write:
    """A COPY."""
    return _from(context, source, node) if node.into else _to(context, source, node)


def _format(source: Source, node: CopySyntax) -> str:
    """The format that FORMAT or the path's ending says."""
    formats = [name for name in READABLE if node.into or name in WRITTEN]
    for option in node.options:
        if option.name == "FORMAT":
            found = option.value.lower()
            if found in formats:
                return found
            near = nearest(found, formats)
            raise BindError(
                f"format {option.value!r} is not known" if found not in READABLE else f"format {found!r} is only read",
                hint=f"did you mean {near}?" if near else f"formats are {', '.join(formats)}",
                span=source.place(option.span.start, option.span.end),
            )
    endings = node.path.lower().rstrip("/").split("/")[-1].split(".")[1:]
    for ending in reversed(endings):
        told = "csv" if ending == "tbl" else ENDINGS.get(ending)
        if told in formats:
            return str(told)
    raise BindError(
        f"the format of {node.path!r} is not known",
        hint=f"write (FORMAT {'|'.join(formats)})",
        span=source.place(node.path_span.start, node.path_span.end),
    )


def _to(context: StatementContext, source: Source, node: CopySyntax) -> CopyTo:
    query = node.query if node.query is not None else _select(node)
    bound = bind_query(context, source, query, Ctes(), None)
    kind = _format(source, node)
    options = written_options(source, node.options, kind)
    place = source.place(node.path_span.start, node.path_span.end)
    return CopyTo(
        Query(localized(bound.plan, context.zone), bound.columns), node.path, kind, options, names_at=(place,)
    )


def _select(node: CopySyntax) -> exp.Expr:
    """SELECT of the table's columns, with the places of its names."""
    assert node.target is not None
    parts = [_identifier(part, node.target.span) for part in node.target.path]
    keys = ("this", "db", "catalog")
    table = exp.Table(**dict(zip(keys, reversed(parts), strict=False)))
    table.meta.update(start=node.target.span.start, end=node.target.span.end - 1)
    items: list[exp.Expr] = [exp.Star()]
    if node.columns is not None:
        items = []
        for name in node.columns:
            column = exp.Column(this=_identifier(name.text, name.span))
            column.meta.update(start=name.span.start, end=name.span.end - 1)
            items.append(column)
    return exp.Select(expressions=items, from_=exp.From(this=table))


def _identifier(name: str, span: Span) -> exp.Identifier:
    found = exp.Identifier(this=name, quoted=True)
    found.meta.update(start=span.start, end=span.end - 1)
    return found


def _from(context: StatementContext, source: Source, node: CopySyntax) -> Write:
    assert node.target is not None
    target = find_target(context, source, Target(node.target.path, None, node.target.span))
    positions = filled(source, target, node.columns)
    columns = [target.columns[index] for index in positions]
    span = source.place(node.path_span.start, node.path_span.end)
    kind = _format(source, node)
    options = (("format", kind), *read_options(source, node.options, kind, "COPY FROM"))
    if kind == "csv" and all(name != "csv.columns-by" for name, _ in options):
        options = (*options, ("csv.columns-by", "either"))
    try:
        provider = context.catalog.file(node.path, _declared(kind, columns), options)
        file = provider.schema.columns
        provider.accept(ScanRequest(()))  # an error if there is no such file
    except TableFlowError as error:
        raise error.at(span) from None
    places = _matched(target, columns, file, span)
    fields = [context.field(column.name, column.type, nullable=column.nullable) for column in file]
    scan = Scan(node.path, provider, tuple(fields), tuple(column.name for column in file), node.path, span=span)
    given: dict[int, Expression] = {}
    for index, column, place in zip(positions, columns, places, strict=True):
        value = by_field_name(reference(fields[place]), column.type, column.name, span)
        given[index] = assigned(value, column.type, column.name, span)
    rows = valued(context, target, scan, completed(context, target, given), span)
    return write(context, source, Writing(target, ChangeKind.COPY, Action.INSERT), rows, None)


def _declared(kind: str, columns: Sequence[StoredColumn]) -> tuple[ColumnDefinition, ...]:
    """What a text file is read as; lengths are looked at when the rows are assigned."""
    if kind not in _TEXT_FORMATS:
        return ()
    for column in columns:
        if kind == "csv" and isinstance(column.type, (types.ArrayType, types.MapType, types.RowType)):
            raise UnsupportedError(f"column {column.name!r} of type {column.type} cannot be read from CSV")
    return tuple(
        ColumnDefinition(each.name, types.STRING if isinstance(each.type, types.StringType) else each.type)
        for each in columns
    )


def _matched(
    target: BoundTarget, columns: Sequence[StoredColumn], file: Sequence[ColumnDefinition], span: Span
) -> list[int]:
    """The file's column for each of the table's: by name if all are there, else by position."""
    by_name = {column.name.lower(): index for index, column in enumerate(file)}
    wanted = [column.name.lower() for column in columns]
    if len(file) == len(columns) or all(name in by_name for name in wanted):
        if all(name in by_name for name in wanted):
            return [by_name[name] for name in wanted]
        return list(range(len(columns)))
    raise BindError(
        f"the file has {len(file)} columns, {len(columns)} are expected",
        detail=f"it has {', '.join(column.name for column in file)[:300]}; "
        f"table {target.path[-1]!r} takes {', '.join(column.name for column in columns)}",
        hint="list the columns: COPY t (a, b) FROM ...",
        span=span,
    )
