"""COPY: a query whose rows become a file, or a file whose rows are inserted.

What a text file holds is read as the table's columns declare it, never guessed; files that have types keep theirs and are
cast as INSERT casts.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sqlglot import exp

from tableflow import types
from tableflow.catalog.provider import ColumnDefinition
from tableflow.errors import BindError, Span, TableFlowError, UnsupportedError
from tableflow.expressions.nodes import Expression
from tableflow.planner.logical.nodes import Query, Scan
from tableflow.sql.binder.assignment import assigned
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.insert import completed, filled
from tableflow.sql.binder.local_time import localized
from tableflow.sql.binder.queries import bind_query
from tableflow.sql.binder.target import BoundTarget, find_target
from tableflow.sql.binder.writing import Writing, reference, valued, write
from tableflow.sql.copy_syntax import CopyOption, CopySyntax
from tableflow.sql.dml_syntax import Target
from tableflow.sql.statements import Action, CopyTo, Write
from tableflow.storage.description import ChangeKind, StoredColumn

FORMATS = {
    "parquet": ("parquet", "pq"), "csv": ("csv", "tsv", "tbl"), "json": ("json", "ndjson", "jsonl"),
    "arrow": ("arrow", "feather", "ipc"),
}  # fmt: skip
_TO_OPTIONS = {
    "HEADER": "header", "DELIMITER": "delimiter", "DELIM": "delimiter", "SEP": "delimiter", "NULL": "null",
    "NULLSTR": "null", "QUOTE": "quote", "COMPRESSION": "compression", "ROW_GROUP_SIZE": "row-group-size",
    "OVERWRITE": "overwrite",
}  # fmt: skip
_FROM_OPTIONS = {
    "HEADER": ("csv.header",), "DELIMITER": ("csv.field-delimiter",), "DELIM": ("csv.field-delimiter",),
    "SEP": ("csv.field-delimiter",), "NULL": ("csv.null-literal",), "NULLSTR": ("csv.null-literal",),
    "QUOTE": ("csv.quote-character",), "IGNORE_ERRORS": ("csv.ignore-parse-errors", "json.ignore-parse-errors"),
}  # fmt: skip
_TEXT_FORMATS = frozenset({"csv", "json"})
_BOOLEANS = {"true": "true", "on": "true", "1": "true", "false": "false", "off": "false", "0": "false"}
_TRUTHS = frozenset({"header", "overwrite", "csv.header", "csv.ignore-parse-errors", "json.ignore-parse-errors"})


def bind_copy(context: StatementContext, source: Source, node: CopySyntax) -> CopyTo | Write:
    """A COPY."""
    return _from(context, source, node) if node.into else _to(context, source, node)


def _format(source: Source, node: CopySyntax) -> str:
    """The format that FORMAT or the path's ending says."""
    for option in node.options:
        if option.name == "FORMAT":
            found = option.value.lower()
            if found in FORMATS:
                return found
            near = difflib.get_close_matches(found, FORMATS, 1)
            raise BindError(
                f"format {option.value!r} is not known",
                hint=f"did you mean {near[0]}?" if near else f"formats are {', '.join(FORMATS)}",
                span=source.place(option.span.start, option.span.end),
            )
    endings = node.path.lower().rstrip("/").split("/")[-1].split(".")[1:]
    for ending in reversed(endings):
        for name, known in FORMATS.items():
            if ending in known:
                return name
    raise BindError(
        f"the format of {node.path!r} is not known",
        hint=f"write (FORMAT {'|'.join(FORMATS)})",
        span=source.place(node.path_span.start, node.path_span.end),
    )


def _place(source: Source, option: CopyOption) -> Span:
    return source.place(option.span.start, option.span.end)


def _options(source: Source, node: CopySyntax, known: Sequence[str]) -> list[CopyOption]:
    found: list[CopyOption] = []
    for option in node.options:
        if option.name == "FORMAT":
            continue
        if option.name not in known:
            near = difflib.get_close_matches(option.name, known, 1)
            raise BindError(
                f"COPY has no option {option.name} here",
                hint=f"did you mean {near[0]}?" if near else f"options are FORMAT, {', '.join(known)}",
                span=_place(source, option),
            )
        if any(each.name == option.name for each in found):
            raise BindError(f"option {option.name} is given twice", span=_place(source, option))
        found.append(option)
    return found


def _value(source: Source, option: CopyOption, key: str) -> str:
    if key not in _TRUTHS:
        return option.value
    value = _BOOLEANS.get(option.value.lower())
    if value is None:
        raise BindError(f"{option.name} is true or false, not {option.value!r}", span=_place(source, option))
    return value


def _to(context: StatementContext, source: Source, node: CopySyntax) -> CopyTo:
    options = tuple(
        (_TO_OPTIONS[each.name], _value(source, each, _TO_OPTIONS[each.name]))
        for each in _options(source, node, tuple(_TO_OPTIONS))
    )
    query = node.query if node.query is not None else _select(node)
    bound = bind_query(context, source, query, Ctes(), None)
    return CopyTo(Query(localized(bound.plan, context.zone), bound.columns), node.path, _format(source, node), options)


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
    options = [("format", kind)]
    for option in _options(source, node, tuple(_FROM_OPTIONS)):
        for key in _FROM_OPTIONS[option.name]:
            if key.split(".")[0] == kind:
                options.append((key, _value(source, option, key)))
            elif option.name != "IGNORE_ERRORS":
                raise BindError(f"{option.name} is an option of {key.split('.')[0]} files", span=_place(source, option))
    try:
        provider = context.catalog.file(node.path, _declared(kind, columns), tuple(options))
        file = provider.schema.columns
    except TableFlowError as error:
        raise error.at(span) from None
    places = _matched(target, columns, file, span)
    fields = [context.field(column.name, column.type, nullable=column.nullable) for column in file]
    scan = Scan(node.path, provider, tuple(fields), tuple(column.name for column in file), node.path)
    given: dict[int, Expression] = {}
    for index, column, place in zip(positions, columns, places, strict=True):
        given[index] = assigned(reference(fields[place]), column.type, column.name, span)
    rows = valued(context, target, scan, completed(context, target, given), span)
    return write(context, source, Writing(target, ChangeKind.COPY, Action.INSERT), rows, None)


def _declared(kind: str, columns: Sequence[StoredColumn]) -> tuple[ColumnDefinition, ...]:
    """What a text file is read as; lengths are looked at when the rows are assigned."""
    if kind not in _TEXT_FORMATS:
        return ()
    for column in columns:
        if kind == "csv" and isinstance(column.type, types.ArrayType | types.MapType | types.RowType):
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
