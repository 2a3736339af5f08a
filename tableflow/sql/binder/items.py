"""The select list: stars written out, names of the output, and aliases that other clauses may use.

An item is bound once, when it is first needed; so an alias in WHERE or GROUP BY is the very expression of the item.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tableflow.errors import BindError, Span, SqlSyntaxError
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.records import dataclass
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.scope import did_you_mean, one_of_tables
from tableflow.types import Field


@dataclass(slots=True)
class Item:
    """One output column: a tree to bind, or (from a star) a column that is bound already."""

    name: str
    node: exp.Expr | None
    aliased: bool
    bound: Expression | None = None
    extent: tuple[int, int] = (1, 1)


class SelectList:
    """See the module."""

    def __init__(self, block: Block, nodes: Sequence[exp.Expr]) -> None:
        self._block = block
        self._items: list[Item] = []
        self._visible = 0
        for node in nodes:
            self._add(node)
        self._visible = len(self._items)

    def count(self) -> int:
        """How many output columns there are."""
        return len(self._items)

    def bind(self) -> list[Expression]:
        """All items in order."""
        return [self.at(index) for index in range(len(self._items))]

    def at(self, index: int) -> Expression:
        """One item; inside it, the aliases of earlier items can be seen."""
        item = self._items[index]
        if item.bound is None:
            visible, self._visible = self._visible, index
            # a binder of its own: an item may be bound in the middle of another that uses its alias
            binder = ExpressionBinder(self._block, Clause("SELECT", aggregates=True, windows=True, aliases=self))
            item.bound = binder.bind(item.node)
            item.extent = (binder.size, binder.deepest)
            self._visible = visible
        return item.bound

    def names_of_output(self) -> list[str]:
        """Names of the output columns."""
        return [item.name for item in self._items]

    def names(self) -> list[str]:
        """Aliases that can be used."""
        return [item.name for item in self._items[: self._visible] if item.aliased]

    def find(self, name: str, span: Span | None) -> Expression | None:
        """The item of an alias."""
        return self._named(name, span, aliased=True)

    def extent(self, name: str) -> tuple[int, int]:
        """How many parts and levels the item of an alias has."""
        return max(item.extent for item in self._items if item.name.lower() == name.lower())

    def output(self, name: str, span: Span | None) -> Expression | None:
        """The output column of a name."""
        return self._named(name, span, aliased=False)

    def _named(self, name: str, span: Span | None, *, aliased: bool) -> Expression | None:
        lowered = name.lower()
        found = [
            index
            for index, item in enumerate(self._items[: self._visible])
            if item.name.lower() == lowered and (item.aliased or not aliased)
        ]
        if not found:
            return None
        exact = [index for index in found if self._items[index].name == name] or found
        expressions = [self.at(index) for index in exact]
        if any(each != expressions[0] for each in expressions):
            raise BindError(f"{name!r} is the name of several select items", hint="name them differently", span=span)
        return expressions[0]

    # stars -----------------------------------------------------------------------------------------------------------

    def _add(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Star):
            self._add_star(node, self._block.scope.columns)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            qualifier = [part.name for part in node.parts[:-1]]
            relation = self._block.scope.relation(qualifier)
            if relation is None:
                raise BindError(
                    f"no table in FROM is named {'.'.join(qualifier)!r}",
                    hint=one_of_tables(qualifier[-1], self._block.scope.relations),
                    span=self._block.source.span(node),
                )
            self._add_star(node.this, relation.columns)
        elif isinstance(node, exp.Alias):
            if not isinstance(node.args.get("alias"), exp.Identifier):
                raise SqlSyntaxError("a name is expected after AS", span=self._block.source.span(node))
            self._items.append(Item(node.alias, node.this, aliased=True))
        elif isinstance(node, exp.Aliases):
            raise SqlSyntaxError("a select item has one alias", span=self._block.source.span(node))
        else:
            self._items.append(Item(self._name_of(node), node, aliased=False))

    def _name_of(self, node: exp.Expr) -> str:
        """A column's own name, the text of any other expression."""
        inner = node
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Column):
            return inner.name
        if isinstance(inner, exp.Dot) and isinstance(inner.expression, exp.Identifier):
            return inner.expression.name
        return self._block.source.slice(node)

    def _add_star(self, star: exp.Star, columns: Sequence[Field]) -> None:
        source = self._block.source
        if star.args.get("ilike") or star.args.get("rename"):
            raise refused("* ILIKE or * RENAME", source.span(star))
        if not columns:
            raise BindError("* needs a FROM", span=source.span(star))
        known = [column.name for column in columns]
        excluded = {name.lower() for name in self._listed(star, "except_", known)}
        replaced: dict[str, exp.Expr] = {}
        for item in star.args.get("replace") or []:
            if not isinstance(item, exp.Alias):
                raise SqlSyntaxError("REPLACE lists expressions AS column", span=source.span(item))
            self._check_known(item.alias, known, source.span(item))
            replaced[item.alias.lower()] = item.this
        kept = 0
        for column in columns:
            if column.name.lower() in excluded:
                continue
            kept += 1
            node = replaced.get(column.name.lower())
            if node is not None:
                self._items.append(Item(column.name, node, aliased=False))
            else:
                reference = ColumnRef(column.type, column.id, column.name, source.span(star))
                self._items.append(Item(column.name, None, aliased=False, bound=reference))
        if not kept:
            raise BindError("* EXCLUDE leaves no column", span=source.span(star))

    def _listed(self, star: exp.Star, key: str, known: list[str]) -> list[str]:
        names = []
        for node in star.args.get(key) or []:
            if not isinstance(node, exp.Column) or len(node.parts) != 1:
                raise SqlSyntaxError("EXCLUDE lists column names", span=self._block.source.span(node))
            self._check_known(node.name, known, self._block.source.span(node))
            names.append(node.name)
        return names

    @staticmethod
    def _check_known(name: str, known: list[str], span: Span | None) -> None:
        if name.lower() not in {each.lower() for each in known}:
            raise BindError(f"* has no column {name!r}", hint=did_you_mean(name, known), span=span)
