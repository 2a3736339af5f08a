"""Names of a SELECT block: what its FROM offers, and how a name finds its column.

Matching ignores case; a quoted name that matches one column exactly is preferred to others that match without case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tableflow.errors import BindError, Span
from tableflow.nearest import nearest
from tableflow.records import dataclass
from tableflow.types import Field


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, subquery or CTE under its name in FROM; ``path`` is how a table without alias may be qualified.

    ``hidden`` columns can be named, but ``*`` and JOIN USING do not see them.
    """

    alias: str
    columns: tuple[Field, ...]
    path: tuple[str, ...] = ()
    span: Span | None = None
    hidden: tuple[Field, ...] = ()

    def answers(self, qualifier: Sequence[str]) -> bool:
        """Whether ``qualifier.column`` means this relation."""
        if len(qualifier) == 1:
            return self.alias.lower() == qualifier[0].lower()
        return [part.lower() for part in self.path[-len(qualifier) :]] == [part.lower() for part in qualifier]


class Scope:
    """Relations for qualified names, and the columns that a bare name or ``*`` sees, in order."""

    def __init__(self, relations: Sequence[Relation] = (), columns: Sequence[Field] = ()) -> None:
        self.relations = tuple(relations)
        self.columns = tuple(columns)
        self._by_name: dict[str, list[Field]] | None = None
        self._ids: frozenset[int] | None = None

    @staticmethod
    def of(relation: Relation) -> Scope:
        """The scope of a single relation."""
        return Scope((relation,), relation.columns)

    def beside(self, other: Scope) -> Scope:
        """Both scopes, side by side; :class:`BindError` if a name is given to two relations."""
        return Scope(unique_relations(self.relations, other.relations), (*self.columns, *other.columns))

    def renamed(self, fields: Mapping[int, Field]) -> Scope:
        """The same names for other columns, given by the ids of these; columns keep their names."""

        def new(columns: Iterable[Field]) -> tuple[Field, ...]:
            pairs = [(column, fields.get(column.id, column)) for column in columns]
            return tuple(Field(to.id, column.name, to.type, to.nullable) for column, to in pairs)

        relations = [Relation(each.alias, new(each.columns), each.path, each.span) for each in self.relations]
        return Scope(relations, new(self.columns))

    @property
    def ids(self) -> frozenset[int]:
        """Ids of all columns, those that a bare name does not see included."""
        if self._ids is None:
            everything = [column.id for each in self.relations for column in (*each.columns, *each.hidden)]
            self._ids = frozenset(everything).union(column.id for column in self.columns)
        return self._ids

    def find(self, name: str) -> list[Field]:
        """Columns that a bare name may mean."""
        if self._by_name is None:
            by_name: dict[str, list[Field]] = {}
            for column in self.columns:
                by_name.setdefault(column.name.lower(), []).append(column)
            for column in (column for relation in self.relations for column in relation.hidden):
                by_name.setdefault(column.name.lower(), []).append(column)
            self._by_name = by_name
        return exact_first(self._by_name.get(name.lower(), []), name)

    def find_qualified(self, qualifier: Sequence[str], name: str) -> list[Field]:
        """Columns that a qualified name may mean."""
        lowered = name.lower()
        found = [
            column
            for relation in self.relations
            if relation.answers(qualifier)
            for column in (*relation.columns, *relation.hidden)
            if column.name.lower() == lowered
        ]
        return exact_first(found, name)

    def relation(self, qualifier: Sequence[str]) -> Relation | None:
        """The relation of this name."""
        return next((relation for relation in self.relations if relation.answers(qualifier)), None)

    def names(self) -> list[str]:
        """All column names, for hints."""
        return list(dict.fromkeys(column.name for relation in self.relations for column in relation.columns))


def unique_relations(left: Sequence[Relation], right: Sequence[Relation]) -> tuple[Relation, ...]:
    """Both in order; two of the same name are an error."""
    seen = {relation.alias.lower() for relation in left}
    for relation in right:
        if relation.alias.lower() in seen and relation.alias:
            raise BindError(
                f"table name {relation.alias!r} is used twice in FROM",
                hint=f"give one of them another name: {relation.alias} AS {relation.alias}_2",
                span=relation.span,
            )
    return (*left, *right)


def exact_first(found: list[Field], name: str) -> list[Field]:
    """Columns spelled exactly like the name if there are any, else all; each id once."""
    if len(found) < 2:
        return found
    distinct = list({column.id: column for column in found}.values())
    exact = [column for column in distinct if column.name == name]
    return exact if len(exact) == 1 else distinct


def one_of_tables(name: str, relations: Sequence[Relation]) -> str:
    """A hint with the nearest name of a table in FROM, else with all."""
    known = [relation.alias for relation in relations if relation.alias]
    if not known:
        return "there is no table in FROM" if not relations else "no table in FROM has a name"
    return did_you_mean(name, known) or f"in FROM there {'is' if len(known) == 1 else 'are'} {', '.join(known[:20])}"


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest known name."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else None
