"""Common table expressions: which text a name of WITH means, and where it may look for outer columns."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from sqlglot import exp

from tableflow.errors import BindError, Span, UnsupportedError
from tableflow.records import dataclass
from tableflow.sql.binder.context import Source

if TYPE_CHECKING:
    from tableflow.sql.binder.block import Block


@dataclass(frozen=True, slots=True)
class Cte:
    """A definition; it is bound anew, with fresh column ids, at every reference."""

    name: str
    query: exp.Expr
    columns: tuple[str, ...]
    visible: Ctes
    parent: Block | None
    span: Span | None


@dataclass(frozen=True, slots=True)
class Ctes:
    """Definitions that can be seen at some place; inner ones hide outer ones."""

    by_name: dict[str, Cte] = field(default_factory=dict)
    recursive: frozenset[str] = frozenset()

    def find(self, name: str, span: Span | None) -> Cte | None:
        """The definition of a name; a name of WITH RECURSIVE used inside itself is refused."""
        if name.lower() in self.recursive:
            raise UnsupportedError(
                f"recursive WITH (of {name!r}) is not supported yet",
                hint="write as many steps as there can be as joins, with UNION ALL between them; or keep the rows in a table, and"
                " repeat INSERT INTO ... SELECT from a program until nothing is added",
                span=span,
            )
        return self.by_name.get(name.lower())


def define(node: exp.Expr | None, outer: Ctes, parent: Block | None, source: Source) -> Ctes:
    """The definitions of a WITH on top of those around it; each sees the ones before it."""
    if node is None:
        return outer
    visible = outer
    recursive = frozenset(
        cte.alias.lower() for cte in node.expressions if node.args.get("recursive") and isinstance(cte, exp.CTE)
    )
    seen: set[str] = set()
    for cte in node.expressions:
        alias = cte.args["alias"]
        name, span = alias.this.name, source.span(alias)
        if name.lower() in seen:
            raise BindError(f"WITH defines {name!r} twice", span=span)
        if cte.args.get("key_expressions"):
            raise UnsupportedError("USING KEY is not supported yet", span=span)
        seen.add(name.lower())
        inside = Ctes(
            {key: value for key, value in visible.by_name.items() if key != name.lower() or key not in recursive},
            recursive - {other for other in seen if other != name.lower()} if recursive else frozenset(),
        )
        columns = tuple(column.name for column in alias.args.get("columns") or ())
        found = Cte(name, cte.this, columns, inside, parent, span)
        visible = Ctes({**visible.by_name, name.lower(): found}, visible.recursive)
    return visible
