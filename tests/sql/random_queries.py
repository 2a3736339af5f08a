"""Random queries that bind: subqueries in every place, correlated at any depth, LATERAL, every join, grouping."""

from __future__ import annotations

import random

TABLES = {"t": ("a", "b"), "u": ("a", "x"), "v": ("a", "b")}
_SIMPLE = (",", "cross join")


class QueryMaker:
    """Draws queries from a seeded generator; all columns are integers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._number = 0

    def query(self, depth: int, width: int, outer: tuple[list[str], ...] = (), *, total: bool = False) -> str:
        """A query of ``width`` columns; ``outer`` are the columns of the blocks around it, ``total`` asks for one row."""
        if depth > 0 and not total and self._chance(0.1):
            kind = self._one("union", "union all", "intersect", "except")
            return f"{self.query(depth - 1, width, outer)} {kind} {self.query(depth - 1, width, outer)}"
        own: list[str] = []
        scopes = (*outer, own)
        source = f" from {self._from(depth, scopes)}" if self._chance(0.95) else ""
        where = f" where {self.condition(depth, scopes)}" if self._chance(0.5) else ""
        if total or (own and self._chance(0.25)):
            items, rest = self._grouped(width, own, scopes, total=total)
        else:
            items, rest = [self.number(depth - 1, scopes) for _ in range(width)], ""
        listed = ", ".join(f"{item} as {self._fresh('k')}" for item in items)
        distinct = "" if total else self._one("", "", "", "distinct ")
        return f"select {distinct}{listed}{source}{where}{rest}"

    def number(self, depth: int, scopes: tuple[list[str], ...], keys: list[str] | None = None) -> str:
        """An integer expression; with ``keys`` one over a group: those keys, and aggregates over the input."""
        if keys is not None and depth > 0 and self._chance(0.5):
            inner = self.number(depth - 1, scopes)
            filtered = f"min({inner}) filter (where {self.condition(0, scopes)})"
            return self._one(f"sum({inner})", "count(*)", f"max({inner})", f"count(distinct {inner})", filtered)
        if depth <= 0 or self._chance(0.25):
            return self._one(*keys, "1") if keys is not None else self._atom(scopes)
        one, two = (self.number(depth - 1, scopes, keys) for _ in range(2))
        shapes = [
            f"({one} {self._one(*'+-*')} {two})",
            f"case when {self.condition(depth - 1, scopes, keys)} then {one} else {two} end",
            f"coalesce({one}, {two})",
            f"cast({one} as bigint)",
            f"(- {one})",
        ]
        if keys is None:
            shapes.append(f"({self.query(depth - 1, 1, scopes, total=True)})")
        return self._one(*shapes)

    def condition(self, depth: int, scopes: tuple[list[str], ...], keys: list[str] | None = None) -> str:
        """A condition; see :meth:`number`."""
        one, two, three = (self.number(depth - 1, scopes, keys) for _ in range(3))
        plain = f"{one} {self._one('=', '<', '>=', '<>')} {two}"
        if depth <= 0:
            return plain
        left, right = (self.condition(depth - 1, scopes, keys) for _ in range(2))
        negated = self._one("", "not ")
        shapes = [
            plain, f"({left} and {right})", f"({left} or {right})", f"not ({left})", f"{one} between {two} and {three}",
            f"{one} is {negated}null", f"{one} is distinct from {two}", f"{one} {negated}in (1, {two})",
        ]  # fmt: skip
        if keys is None:
            query = self.query(depth - 1, 1, scopes)
            shapes += [
                f"{one} {negated}in ({query})",
                f"{negated}exists ({query})",
                f"{one} {self._one('=', '<', '<>', '>=')} {self._one('any', 'all')} ({query})",
                f"({one}, {two}) {negated}in ({self.query(depth - 1, 2, scopes)})",
            ]
        return self._one(*shapes)

    def _grouped(
        self, width: int, own: list[str], scopes: tuple[list[str], ...], *, total: bool
    ) -> tuple[list[str], str]:
        keys = [] if total else [self._one(*own) for _ in range(self.random.randint(1, 2))]
        if keys and self._chance(0.3):
            keys = [f"({keys[0]} + 1)"]
        items = [self.number(1, scopes, keys) for _ in range(width)]
        if not keys:
            # an aggregate makes it one row; one that reads outer columns only would belong to the outer query
            items[0] = "max(1)" if not own else f"{self._one('sum', 'max', 'count')}({self._one(*own)})"
        rest = f" group by {', '.join(keys)}" if keys else ""
        return items, rest + (f" having {self.condition(1, scopes, keys)}" if keys and self._chance(0.3) else "")

    def _from(self, depth: int, scopes: tuple[list[str], ...]) -> str:
        own = scopes[-1]
        text, columns = self._relation(depth - 1, scopes, lateral=False)
        own += columns
        chain = list(columns)
        for _ in range(self._one(0, 0, 1, 1, 2)):
            join = self._one(
                *_SIMPLE, "join", "join", "left join", "right join", "full join", "semi join", "anti join"
            )  # fmt: skip
            lateral = join in {*_SIMPLE, "join", "left join"}
            other, columns = self._relation(depth - 1, scopes, lateral=lateral)
            text += f" {join} {other}"
            if join == ",":
                chain = []
            elif join != "cross join":
                text += f" on {self._on(depth, join, chain, columns, scopes)}"
            if join not in {"semi join", "anti join"}:
                own += columns
                chain += columns
        return text

    def _on(self, depth: int, join: str, chain: list[str], columns: list[str], scopes: tuple[list[str], ...]) -> str:
        if join == "join":
            return self.condition(min(depth - 1, 1), (*scopes[:-1], chain + columns))
        if chain and self._chance(0.7):
            return f"{self._one(*chain)} = {self._one(*columns)}"
        return f"{self._one(*columns)} in ({self.query(depth - 2, 1, scopes[:-1])})"

    def _relation(self, depth: int, scopes: tuple[list[str], ...], *, lateral: bool) -> tuple[str, list[str]]:
        alias = self._fresh("r")
        if depth <= 0 or self._chance(0.65):
            table = self._one(*TABLES)
            return f"{table} {alias}", [f"{alias}.{column}" for column in TABLES[table]]
        names = [self._fresh("c") for _ in range(self.random.randint(1, 2))]
        seen, word = (scopes, "lateral ") if lateral and self._chance(0.3) else (scopes[:-1], "")
        inner = self.query(depth - 1, len(names), seen)
        return f"{word}({inner}) as {alias}({', '.join(names)})", [f"{alias}.{name}" for name in names]

    def _atom(self, scopes: tuple[list[str], ...]) -> str:
        around = [column for scope in scopes[:-1] for column in scope]
        own = scopes[-1]
        if around and (not own or self._chance(0.3)):
            return self._one(*around)
        return self._one(*own, *own, str(self.random.randint(0, 9))) if own else str(self.random.randint(0, 5))

    def _one(self, *options):
        return self.random.choice(options)

    def _chance(self, of: float) -> bool:
        return self.random.random() < of

    def _fresh(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"
