"""What random queries over tables with event time are made of: rows, expressions, aggregates, orders.

A relation knows its columns by kind: ``i`` numbers, ``s`` text, ``t`` times; they are called c0, c1, ... in every relation.
Numbers stay small, orders are total up to equal rows, times are not NULL.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

START = datetime(2024, 1, 1)
DISORDER = 5
"""Seconds by which rows of the tables with event time may be late."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A SELECT in both dialects, and the kinds of its columns in order."""

    ours: str
    theirs: str
    kinds: str

    def columns(self, kind: str) -> list[str]:
        """Names of the columns of one kind."""
        return [f"c{number}" for number, found in enumerate(self.kinds) if found == kind]


def literal(value: object) -> str:
    """A value in SQL."""
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


class ExpressionMaker:
    """Draws from a seeded generator."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def rows(self, most: int = 14) -> list[tuple[int | None, int | None, str | None, datetime]]:
        """Rows (k, v, s, ts) of a table: few distinct values, NULLs, equal rows, equal times."""
        found: list[tuple[int | None, int | None, str | None, datetime]] = []
        for _ in range(self.random.randint(0, most)):
            if found and self.random.random() < 0.15:
                found.append(self._one(*found))
                continue
            at = START + timedelta(seconds=self.random.randint(0, 45))
            found.append(
                (self._one(None, 0, 1, 1, 2), self._one(None, -2, 0, 3, 3, 5), self._one(None, "", "x", "y"), at)
            )
        return found

    def _one(self, *options):
        return self.random.choice(options)

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def _names(self, kinds: str, names: Sequence[str] | None = None) -> Sequence[str]:
        return names or [f"c{number}" for number in range(len(kinds))]

    def _number(self, alias: str, kinds: str, names: Sequence[str] | None = None, depth: int = 1) -> str:
        columns = [
            f"{alias}.{name}" for name, kind in zip(self._names(kinds, names), kinds, strict=True) if kind == "i"
        ]
        if depth == 0 or not columns:
            return self._one(*columns, *columns, str(self.random.randint(-1, 4)))
        one, two = self._number(alias, kinds, names, 0), self._number(alias, kinds, names, 0)
        return self._one(
            one, one, f"({one} + {two})", f"coalesce({one}, {self.random.randint(-1, 2)})",
            f"CASE WHEN {self._condition(alias, kinds, names)} THEN {one} ELSE {two} END",
        )  # fmt: skip

    def _condition(self, alias: str, kinds: str, names: Sequence[str] | None = None) -> str:
        texts = [f"{alias}.{name}" for name, kind in zip(self._names(kinds, names), kinds, strict=True) if kind == "s"]
        one, two = (self._number(alias, kinds, names, 0) for _ in range(2))
        shapes = [
            f"{one} {self._one('=', '<', '>=', '<>')} {two}", f"{one} IS NULL", f"{one} IS NOT DISTINCT FROM {two}", f"{one} IN (0, 1, 3)",
            f"{one} NOT IN (1, 2)",
        ]  # fmt: skip
        shapes += [f"{text} {self._one('=', '<>', '>=')} 'x'" for text in texts]
        chosen = self._one(*shapes)
        return f"({chosen} {self._one('AND', 'OR')} {self._one(*shapes)})" if self._chance(0.25) else chosen

    def _item(self, alias: str, kinds: str) -> tuple[str, str]:
        """An expression and its kind."""
        columns = list(zip(self._names(kinds), kinds, strict=True))
        if self._chance(0.7):
            name, kind = self._one(*columns)
            return f"{alias}.{name}", kind
        return self._number(alias, kinds), "i"

    def _items(self, alias: str, kinds: str) -> tuple[list[str], str]:
        found = [self._item(alias, kinds) for _ in range(self.random.randint(1, 3))]
        return [text for text, _ in found], "".join(kind for _, kind in found)

    def _select(self, items: Sequence[str], kinds: str, rest: str, *inputs: Relation, distinct: str = "") -> Relation:
        """SELECT of items FROM rest, in which {0}, {1} stand for inputs."""
        named = ", ".join(f"{item} AS c{number}" for number, item in enumerate(items))
        text = f"SELECT {distinct}{named} FROM {rest}"
        ours, theirs = (text.format(*(f"({getattr(r, side)})" for r in inputs)) for side in ("ours", "theirs"))
        return Relation(ours, theirs, kinds)

    def _pair(self, one: Relation, two: Relation) -> str:
        """An equality of columns of both sides, or of a number of each."""
        kinds = [kind for kind in "iiist" if kind in one.kinds and kind in two.kinds]
        if not kinds:
            return f"{self._number('l', one.kinds, depth=0)} = {self._number('r', two.kinds, depth=0)}"
        kind = self._one(*kinds)
        equal = self._one("=", "=", "=", "IS NOT DISTINCT FROM")
        return f"l.{self._one(*one.columns(kind))} {equal} r.{self._one(*two.columns(kind))}"

    def _call(self, alias: str, kinds: str) -> tuple[str, str]:
        """An aggregate and the kind of its result."""
        number = self._number(alias, kinds)
        filtered = f" FILTER (WHERE {self._condition(alias, kinds)})" if self._chance(0.2) else ""
        shapes = [
            ("count(*)", "i"), (f"count({number})", "i"), (f"CAST(sum({number}) AS BIGINT)", "i"), (f"min({number})", "i"), (f"max({number})", "i"),
            (f"count(DISTINCT {number})", "i"), (f"CAST(sum(DISTINCT {number}) AS BIGINT)", "i"),
        ]  # fmt: skip
        for name, kind in zip(self._names(kinds), kinds, strict=True):
            if kind != "i":
                shapes += [
                    (f"{self._one('min', 'max')}({alias}.{name})", kind),
                    (f"count(DISTINCT {alias}.{name})", "i"),
                ]
        text, kind = self._one(*shapes)
        if filtered and text.startswith("CAST("):
            text = text.replace(" AS BIGINT)", f"{filtered} AS BIGINT)")
        elif filtered:
            text += filtered
        return text, kind

    def _calls(self, alias: str, kinds: str) -> tuple[list[str], str]:
        found = [self._call(alias, kinds) for _ in range(self.random.randint(1, 3))]
        return [text for text, _ in found], "".join(kind for _, kind in found)

    def _order(self, alias: str, kinds: str) -> str:
        """An order that is total up to equal rows."""
        names = list(self._names(kinds))
        self.random.shuffle(names)
        return ", ".join(
            f"{alias}.{name}{self._one('', ' DESC', ' NULLS FIRST', ' DESC NULLS FIRST')}" for name in names
        )

    def _everything(self, alias: str, kinds: str) -> list[str]:
        return [f"{alias}.{name}" for name in self._names(kinds)]
