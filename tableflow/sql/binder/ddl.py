"""CREATE, ALTER, DROP and COPY as data; a view's query is bound once here, so that mistakes show at once."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from tableflow.errors import BindError, CatalogError, Span, TableFlowError
from tableflow.records import replace
from tableflow.sql.alter_syntax import parse_alter, parse_truncate
from tableflow.sql.binder.alter import bind_alter
from tableflow.sql.binder.connector_table import bind_connector_table
from tableflow.sql.binder.context import Source, StatementContext
from tableflow.sql.binder.copy import bind_copy
from tableflow.sql.binder.create_as import bind_create_as
from tableflow.sql.binder.ctes import Ctes
from tableflow.sql.binder.managed_table import bind_managed_table
from tableflow.sql.binder.queries import bind_query
from tableflow.sql.binder.streaming_table import bind_streaming_table
from tableflow.sql.binder.tables import renamed
from tableflow.sql.binder.target import find_managed
from tableflow.sql.copy_syntax import parse_copy
from tableflow.sql.ddl_syntax import ViewText, parse_create, parse_drop
from tableflow.sql.dialect import parse_query, parse_with
from tableflow.sql.statements import (
    AlterTable,
    CopyTo,
    CreateManagedTable,
    CreateSchema,
    CreateStreamingTable,
    CreateTable,
    CreateView,
    Drop,
    DropSchema,
    Truncate,
    Write,
)
from tableflow.sql.tokens import tokenize


def bind_create(
    text: str, start: int, context: StatementContext
) -> CreateTable | CreateManagedTable | CreateStreamingTable | CreateView | CreateSchema:
    """A CREATE statement."""
    try:
        tokens = tokenize(text)
        created = parse_with(text, tokens, parse_create)
    except TableFlowError as error:
        raise _moved(error, start) from None
    if isinstance(created, CreateSchema):
        return replace(created, names_at=_shifted(created.names_at, start))
    if isinstance(created, ViewText):
        return _view(created, text, start, context)
    source = Source(text, tokens, start)
    places = _shifted((created.name_span,), start)
    if created.streaming:
        return replace(bind_streaming_table(context, source, created), names_at=places)
    if "connector" in dict(created.options or ()):
        return replace(bind_connector_table(context, source, created), names_at=places)
    bind = bind_managed_table if created.query is None else bind_create_as
    made = bind(context, source, created)
    context.check_parameters_used([source])
    return replace(made, names_at=places)


def bind_altering(text: str, start: int, context: StatementContext) -> AlterTable:
    """An ALTER TABLE."""
    tokens = tokenize(text)
    try:
        altering = parse_with(text, tokens, parse_alter)
    except TableFlowError as error:
        raise _moved(error, start) from None
    return bind_alter(context, Source(text, tokens, start), altering)


def bind_truncate(text: str, start: int, context: StatementContext) -> Truncate:
    """A TRUNCATE."""
    try:
        name, span = parse_with(text, tokenize(text), parse_truncate)
    except TableFlowError as error:
        raise _moved(error, start) from None
    find_managed(context, name, span.shifted(start), "truncated")
    return Truncate(name, names_at=(span.shifted(start),))


def bind_copying(text: str, start: int, context: StatementContext) -> CopyTo | Write:
    """A COPY."""
    tokens = tokenize(text)
    try:
        copying = parse_with(text, tokens, parse_copy)
    except TableFlowError as error:
        raise _moved(error, start) from None
    source = Source(text, tokens, start)
    found = bind_copy(context, source, copying)
    context.check_parameters_used([source])
    return found


def bind_drop(text: str, start: int) -> Drop | DropSchema:
    """A DROP statement."""
    try:
        dropped = parse_with(text, tokenize(text), parse_drop)
    except TableFlowError as error:
        raise _moved(error, start) from None
    return replace(dropped, names_at=_shifted(dropped.names_at, start))


def _shifted(places: tuple[Span, ...], start: int) -> tuple[Span, ...]:
    return tuple(place.shifted(start) for place in places)


def _moved(error: TableFlowError, start: int) -> TableFlowError:
    error.span = error.span.shifted(start) if error.span is not None else None
    return error


def _view(view: ViewText, text: str, start: int, context: StatementContext) -> CreateView:
    query = text[view.start :]
    begins = start + view.start
    parsed = parse_query(query)
    for token in parsed.tokens:
        if token.token_type is TokenType.PLACEHOLDER:
            raise BindError("a view cannot hold parameters", span=Span(token.start + begins, token.end + 1 + begins))
    scope = context.catalog.view_scope(view.name, temporary=view.temporary)
    context.views, context.catalog = (scope.name,), scope.catalog
    bound = bind_query(context, Source(query, parsed.tokens, begins), parsed.tree, Ctes(), None)
    columns = renamed(bound.columns, view.columns, Span(start, begins))
    names: set[str] = set()
    for column in columns:
        if column.name.lower() in names:
            raise CatalogError(
                f"the view has two columns named {column.name!r}",
                hint="give one of them another name with AS",
                span=Span(begins, begins + len(query)),
            )
        names.add(column.name.lower())
    if view.columns:
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in view.columns)
        query = f"SELECT * FROM ({query}\n) AS view_text ({listed})"
    places = _shifted((view.name_at,), start)
    return CreateView(view.name, query, view.temporary, view.or_replace, view.if_not_exists, names_at=places)
