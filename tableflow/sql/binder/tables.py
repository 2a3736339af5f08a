"""What FROM reads: tables, files, views, WITH names, subqueries, VALUES, parenthesised joins."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from sqlglot import exp

from tableflow.catalog.provider import ColumnDefinition, TableProvider, WatermarkDefinition
from tableflow.catalog.snapshot import folded_path
from tableflow.connectors.filesystem.options import ENDINGS
from tableflow.errors import BindError, CatalogError, Span, TableFlowError, UnsupportedError
from tableflow.planner.logical.nodes import Node, Scan
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.context import Source
from tableflow.sql.binder.ctes import Cte, Ctes
from tableflow.sql.binder.declared import ComputedText, bind_computed, bind_watermark, with_computed, with_watermarks
from tableflow.sql.binder.file_functions import FILE_FUNCTIONS, file_function, no_function
from tableflow.sql.binder.parts import Part
from tableflow.sql.binder.queries import Bound, bind_query, modified, only
from tableflow.sql.binder.scope import Relation, Scope, did_you_mean
from tableflow.sql.binder.system_tables import system_table
from tableflow.sql.binder.values import bind_values
from tableflow.sql.binder.versions import TABLE_CHANGES, table_changes, versioned
from tableflow.sql.dialect import Parsed, parse_query
from tableflow.sql.window_table_syntax import META
from tableflow.types import Field

MAX_VIEW_DEPTH = 30


def bind_from(block: Block, node: exp.Select) -> None:
    """FROM: the block's plan and scope."""
    from tableflow.sql.binder.joins import bind_chains

    clause = node.args.get("from_")
    if clause is None:
        return
    part = bind_chains(block, clause.this, node.args.get("joins") or [], Scope())
    block.plan, block.scope = part.plan, part.scope


def bind_relation(block: Block, node: exp.Expr, visible: Scope) -> Part:
    """One item of FROM; LATERAL subqueries see the columns of ``visible``."""
    span = block.source.span(node)
    block.context.count_relation(span)
    match node:
        case exp.Table() if META in node.meta:
            return _window_table(block, node, visible, span)
        case exp.Table():
            return _table(block, node, span)
        case exp.Subquery():
            return _subquery(block, node, visible)
        case exp.Values():
            only(block, node, {"expressions", "alias"})
            return _relation(block, node, bind_values(block, node), "values", span)
        case exp.Lateral():
            return _lateral(block, node, visible, span)
        case exp.Unnest():
            raise refused("UNNEST", span)
    raise BindError("a table, subquery or file is expected", span=span)


def _table(block: Block, node: exp.Table, span: Span | None) -> Part:
    only(block, node, {"this", "db", "catalog", "alias", "joins", "version"})
    if not isinstance(node.this, exp.Identifier) or node.this.meta.get("file"):
        _refuse_version(block, node)
    if isinstance(node.this, exp.Values):
        return _relation(block, node, bind_values(block, node.this), "values", span)
    if isinstance(node.this, exp.Anonymous) and node.this.name.lower() == TABLE_CHANGES:
        changes, text = table_changes(block, node.this, span)
        return _scan(block, node, changes, (TABLE_CHANGES,), span, table=text)
    if isinstance(node.this, exp.Anonymous) and node.this.name.lower() in FILE_FUNCTIONS:
        file, stem, text = file_function(block, node.this, span)
        return _scan(block, node, file, (stem,), span, table=text)
    if not isinstance(node.this, exp.Identifier):
        raise no_function(node.this.name or node.this.key, span)
    path = tuple(part.name for part in node.parts)
    if node.this.meta.get("file"):
        if len(path) > 1:
            raise BindError("a file is one string", span=span)
        if not path[0].strip():
            raise BindError("a path or the name of a table is expected in FROM", span=span)
        return _file(block, node, path[0], span)
    if len(path) == 1 and node.args.get("version") is None:
        cte = block.ctes.find(path[0], span)
        if cte is not None:
            return _relation(block, node, _cte(block, cte), cte.name, span)
    provider = _provider(block, path, span)
    if provider is not None:
        provider, text = versioned(block, node, provider)
        return _scan(block, node, provider, path, span, table=".".join(path) + text, stored=True)
    bound, view = system_table(block, path), block.context.catalog.view(path)
    if bound is not None or view is not None:
        _refuse_version(block, node)
    if bound is not None:
        return _relation(block, node, bound, path[-1], span, path)
    if view is not None:
        return _relation(block, node, _view(block, path, view, span), path[-1], span, path)
    raise CatalogError(
        f"table {'.'.join(path)!r} does not exist",
        hint=_file_meant(path) or did_you_mean(path[-1], [*block.context.catalog.names(), *block.ctes.by_name]),
        span=span,
    )


def _refuse_version(block: Block, node: exp.Table) -> None:
    """Only a table that is stored may be read as it was."""
    if (version := node.args.get("version")) is not None:
        raise UnsupportedError(
            "FOR ... AS OF is not supported here",
            detail="only tables that TableFlow stores keep versions",
            span=block.source.span(version),
        )


def _provider(block: Block, path: tuple[str, ...], span: Span | None) -> TableProvider | None:
    try:
        return block.context.catalog.table(path)
    except TableFlowError as error:
        raise error.at(span) from None


def _window_table(block: Block, node: exp.Table, visible: Scope, span: Span | None) -> Part:
    from tableflow.sql.binder.window_tables import bind_window_table

    only(block, node, {"this", "alias", "joins"})
    part = bind_window_table(block, node, visible)
    relation = part.scope.relations[0]
    bound = Bound(part.plan, part.scope.columns)
    return _relation(block, node, bound, relation.alias, span, needs=part.needs, hidden=relation.hidden)


def _file_meant(path: Sequence[str]) -> str | None:
    """A hint for a name that looks like a file's, or is that of a file in this directory but for the ending."""
    ending = path[-1].lower().rpartition(".")[2]
    if ending in ENDINGS:
        return f"put the path in single quotes: FROM '{'.'.join(path)}'"
    named = (f"{path[0]}.{ending}" for ending in ENDINGS)
    beside = next((name for name in named if len(path) == 1 and Path(name).is_file()), None)
    return None if beside is None else f"a file of this name lies here: FROM '{beside}'"


def _file(block: Block, node: exp.Table, path: str, span: Span | None) -> Part:
    try:
        provider = block.context.catalog.file(path)
    except TableFlowError as error:
        raise error.at(span) from None
    stem = path.rstrip("/").rpartition("/")[2].split(".")[0] or "file"
    return _scan(block, node, provider, (stem,), span, table=path)


def _scan(
    block: Block,
    node: exp.Table,
    provider: TableProvider,
    path: tuple[str, ...],
    span: Span | None,
    table: str = "",
    *,
    stored: bool = False,
) -> Part:
    """``stored``: the path is one of the catalog."""
    try:
        columns = provider.schema.columns
    except TableFlowError as error:
        raise error.at(span) from None
    fields = _fields(block, columns, path[-1], span)
    alias, called = _alias(node) or path[-1], table or ".".join(path)
    delivered = [(f, column) for f, column in zip(fields, columns, strict=True) if not column.computed]
    plan: Node = Scan(
        called, provider, tuple([f for f, _ in delivered]), tuple([column.name for _, column in delivered]), alias,
        block=block.number, span=span, origin=folded_path(path, block.context.catalog.current()) if stored else None,
    )  # fmt: skip
    watermark = provider.schema.watermark
    if watermark is not None or len(delivered) < len(columns):
        plan, fields = _declared(block, plan, fields, columns, watermark, called, span)
    hidden = tuple([field for field, column in zip(fields, columns, strict=True) if column.hidden])
    shown = tuple(fields if not hidden else [f for f, column in zip(fields, columns, strict=True) if not column.hidden])
    return _relation(block, node, Bound(plan, shown), path[-1], span, path, hidden=hidden)


def _fields(block: Block, columns: Sequence[ColumnDefinition], table: str, span: Span | None) -> list[Field]:
    """A field for each column; those whose names differ in case alone are numbered."""
    context = block.context
    if len({column.name.lower() for column in columns}) == len(columns):
        return [context.field(column.name, column.type, nullable=column.nullable) for column in columns]
    taken: set[str] = set()
    fields: list[Field] = []
    for column in columns:
        name, number = column.name, 0
        while name.lower() in taken:
            number += 1
            name = f"{column.name}_{number}"
        if number:
            context.warn(f"column {column.name!r} of {table!r} is called {name!r}: names ignore case", span)
        taken.add(name.lower())
        fields.append(context.field(name, column.type, nullable=column.nullable))
    return fields


def _declared(
    block: Block,
    plan: Node,
    fields: Sequence[Field],
    columns: Sequence[ColumnDefinition],
    watermark: WatermarkDefinition | None,
    table: str,
    span: Span | None,
) -> tuple[Node, list[Field]]:
    """The scan with computed columns and event time, and all columns as they were declared."""
    place = span or Span(0, 0)
    pairs = list(zip(fields, columns, strict=True))
    known = [field for field, column in pairs if not column.computed]
    texts = [ComputedText(f.name, c.computed, f.type, place) for f, c in pairs if c.computed]
    levels, by_name = bind_computed(block.context, known, texts)
    plan = with_computed(plan, known, levels)
    if watermark is not None:
        time = bind_watermark(block.context, watermark, place, by_name)
        plan = with_watermarks(block.context, plan, time, table)
    return plan, [by_name[field.name.lower()] for field in fields]


def _cte(block: Block, cte: Cte) -> Bound:
    bound = bind_query(block.context, block.source, cte.query, cte.visible, cte.parent)
    return Bound(bound.plan, renamed(bound.columns, cte.columns, cte.span), bound.outer)


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> Parsed:
    """The tree of a view's text; binding reads trees and leaves them as they are, so one does for all readers."""
    return parse_query(text)


def _view(block: Block, path: tuple[str, ...], text: str, span: Span | None) -> Bound:
    context, reader = block.context, block.context.catalog
    scope = reader.view_scope(path)
    key = scope.name
    if key in context.views:
        raise BindError(f"view {path[-1]!r} refers to itself", detail=" -> ".join((*context.views, key)), span=span)
    if len(context.views) >= MAX_VIEW_DEPTH:
        raise UnsupportedError(f"views are nested more than {MAX_VIEW_DEPTH} levels deep", span=span)
    before, context.views, context.catalog = context.views, (*context.views, key), scope.catalog
    try:
        parsed = _parsed(text)
        bound = bind_query(context, Source(text, parsed.tokens, fixed=span or Span(0, 0)), parsed.tree, Ctes(), None)
    except TableFlowError as error:
        error.span = span
        error.detail = f"in view {path[-1]!r}" + (f": {error.detail}" if error.detail else "")
        raise
    finally:
        context.views, context.catalog = before, reader
    return bound


def _subquery(block: Block, node: exp.Subquery, visible: Scope) -> Part:
    from tableflow.sql.binder.joins import bind_chains

    span = block.source.span(node)
    inner = node.this
    if isinstance(inner, exp.Table) or (isinstance(inner, exp.Subquery) and inner.args.get("joins")):
        only(block, node, {"this", "alias", "joins"})
        part = bind_chains(block, inner, [], visible)
        if _alias(node) is None:
            return part
        return _relation(block, node, Bound(part.plan, part.scope.columns), "", span, needs=part.needs)
    only(block, node, {"this", "alias", "joins", "order", "limit", "offset", "with_"})
    return _relation(block, node, _query(block, node, block.parent), "", span)


def _query(block: Block, node: exp.Subquery, parent: Block | None) -> Bound:
    """A query in parentheses with what may follow it inside FROM."""
    bound = bind_query(block.context, block.source, node.this, block.ctes, parent)
    if any(node.args.get(key) for key in ("order", "limit", "offset")):
        bound = modified(Block.begin(block.context, block.source, block.ctes, parent), node, bound)
    return bound


def _lateral(block: Block, node: exp.Lateral, visible: Scope, span: Span | None) -> Part:
    only(block, node, {"this", "alias"})
    inner = node.this
    if not isinstance(inner, exp.Subquery):
        raise refused("LATERAL of anything but a subquery", span)
    before, block.scope = block.scope, visible
    bound = _query(block, inner, block)
    block.scope = before
    return _relation(block, node, bound, "", span)


def _relation(
    block: Block,
    node: exp.Expr,
    bound: Bound,
    name: str,
    span: Span | None,
    path: Sequence[str] = (),
    needs: frozenset[int] = frozenset(),
    hidden: tuple[Field, ...] = (),
) -> Part:
    """A bound relation under its alias and column aliases."""
    own = block.adopt(bound.outer)
    alias = node.args.get("alias")
    names = [column.name for column in alias.args.get("columns") or ()] if alias is not None else []
    columns = renamed(bound.columns, names, block.source.span(alias) if alias is not None else span)
    called = _alias(node)
    relation = Relation(called or name, columns, () if called else tuple(path), span, hidden)
    return Part(bound.plan, Scope.of(relation), needs | frozenset(own))


def _alias(node: exp.Expr) -> str | None:
    alias = node.args.get("alias")
    return alias.this.name if alias is not None and alias.this is not None else None


def renamed(columns: Sequence[Field], names: Sequence[str], span: Span | None) -> tuple[Field, ...]:
    """Columns under other names, as far as there are names."""
    if not names:
        return tuple(columns)
    if len(names) > len(columns):
        raise BindError(f"{len(names)} column names are given to {len(columns)} columns", span=span)
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise BindError(f"column name {name!r} is given twice", span=span)
        seen.add(name.lower())
    given = [*names, *(column.name for column in columns[len(names) :])]
    return tuple(
        Field(column.id, name, column.type, column.nullable) for column, name in zip(columns, given, strict=True)
    )
