"""Random statements that write, over three small tables; all of them mean one thing in TableFlow and in DuckDB.

What the engines see differently is left out: a target row that two source rows change, keys that move while they are updated.
"""

from __future__ import annotations

import random

TABLES = (
    "CREATE TABLE t (a INT, b INT DEFAULT 5, c INT)",
    "CREATE TABLE u (a INT, x INT)",
    "CREATE TABLE k (id INT PRIMARY KEY, v INT DEFAULT 7, w INT)",
)
COLUMNS = {"t": ("a", "b", "c"), "u": ("a", "x"), "k": ("id", "v", "w")}


class ChangeMaker:
    """Draws statements from a seeded generator."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def statement(self) -> str:
        """One statement, perhaps with RETURNING."""
        kinds = (
            self._insert,
            self._insert,
            self._insert_key,
            self._update,
            self._update_from,
            self._delete,
            self._merge,
        )
        return str(self._one(*kinds)())

    def _one(self, *options):
        return self.random.choice(options)

    def _number(self, columns: tuple[str, ...], depth: int = 2) -> str:
        if depth == 0 or self.random.random() < 0.3:
            return (
                self._one(*columns, *columns, str(self.random.randint(-3, 9)), "NULL") if columns else self._constant()
            )
        one, two = self._number(columns, depth - 1), self._number(columns, depth - 1)
        return self._one(
            f"({one} + {two})", f"({one} - {two})", f"coalesce({one}, {two})",
            f"CASE WHEN {self._condition(columns, depth - 1)} THEN {one} ELSE {two} END",
        )  # fmt: skip

    def _constant(self) -> str:
        return self._one(str(self.random.randint(-3, 9)), str(self.random.randint(0, 4)), "NULL")

    def _condition(self, columns: tuple[str, ...], depth: int = 1) -> str:
        one, two = self._number(columns, 0), self._number(columns, 0)
        plain = f"{one} {self._one('=', '<', '>=', '<>')} {two}"
        if depth == 0:
            return plain
        other = self._condition(columns, depth - 1)
        table = self._one("t", "u")
        return self._one(
            plain, f"({plain} AND {other})", f"({plain} OR {other})", f"NOT ({other})", f"{one} IS NULL",
            f"{one} IN (SELECT {self._one(*COLUMNS[table])} FROM {table})",
            f"{one} < (SELECT max({COLUMNS[table][0]}) FROM {table})",
        )  # fmt: skip

    def _qualified(self, table: str, alias: str = "") -> tuple[str, ...]:
        return tuple(f"{alias or table}.{column}" for column in COLUMNS[table])

    def _insert(self) -> str:
        table = self._one("t", "u")
        columns = COLUMNS[table]
        if self.random.random() < 0.4:
            rows = ", ".join(
                f"({', '.join(self._constant() for _ in columns)})" for _ in range(self.random.randint(1, 4))
            )
            return f"INSERT INTO {table} VALUES {rows}{self._returning(columns)}"
        source = self._one("t", "u", "k")
        names = columns[: self.random.randint(1, len(columns))]
        items = ", ".join(self._number(self._qualified(source)) for _ in names)
        where = f" WHERE {self._condition(self._qualified(source))}"
        return f"INSERT INTO {table} ({', '.join(names)}) SELECT {items} FROM {source}{where}{self._returning(columns)}"

    def _insert_key(self) -> str:
        ids = self.random.sample(range(12), self.random.randint(1, 4))
        rows = ", ".join(f"({number}, {self._constant()}, {self._one(self._constant(), 'DEFAULT')})" for number in ids)
        conflict = self._one(
            " ON CONFLICT DO NOTHING",
            " ON CONFLICT (id) DO NOTHING",
            " ON CONFLICT (id) DO UPDATE SET v = excluded.v + k.v",
            " ON CONFLICT (id) DO UPDATE SET w = excluded.w, v = k.w WHERE k.v > excluded.v",
        )
        return f"INSERT INTO k VALUES {rows}{conflict}"

    def _update(self) -> str:
        table = self._one("t", "u", "k")
        free = [column for column in COLUMNS[table] if column != "id"]
        chosen = self.random.sample(free, self.random.randint(1, len(free)))
        sets = ", ".join(f"{column} = {self._number(self._qualified(table))}" for column in chosen)
        where = f" WHERE {self._condition(self._qualified(table))}"
        return f"UPDATE {table} SET {sets}{where}{self._returning(COLUMNS[table])}"

    def _update_from(self) -> str:
        source = "(SELECT a, max(x) AS x, count(*) AS n FROM u GROUP BY a) s"
        seen = (*self._qualified("t"), "s.a", "s.x", "s.n")
        return (
            f"UPDATE t SET b = {self._number(seen)}, c = s.x FROM {source} WHERE t.a = s.a AND {self._condition(seen)}"
        )

    def _delete(self) -> str:
        table = self._one("t", "u", "k")
        if self.random.random() < 0.4:
            other = self._one(*({"t", "u", "k"} - {table}))
            left, right = self._qualified(table), self._qualified(other)
            return f"DELETE FROM {table} USING {other} WHERE {left[0]} = {right[-1]} AND {self._condition((*left, *right), 0)}"
        return f"DELETE FROM {table} WHERE {self._condition(self._qualified(table))} AND {self._condition(self._qualified(table))}"

    def _merge(self) -> str:
        source = "(SELECT a, max(x) AS x FROM u WHERE a IS NOT NULL GROUP BY a) s"
        own = self._qualified("t")
        both = (*own, "s.a", "s.x")
        clauses = [
            f"WHEN MATCHED AND {self._condition(both, 0)} THEN {self._one('DELETE', 'DO NOTHING', f'UPDATE SET c = {self._number(both)}')}",
            f"WHEN MATCHED THEN UPDATE SET b = {self._number(both)}",
            f"WHEN NOT MATCHED AND {self._condition(('s.a', 's.x'), 0)} THEN INSERT (a, c) VALUES (s.a, {self._number(('s.a', 's.x'))})",
            "WHEN NOT MATCHED THEN INSERT VALUES (s.x, s.a, DEFAULT)",
            (f"WHEN NOT MATCHED BY SOURCE AND {self._condition(own, 0)} THEN "
            f"{self._one('DELETE', f'UPDATE SET b = {self._number(own)}')}"),
        ]  # fmt: skip
        chosen = [clause for clause in clauses if self.random.random() < 0.5] or clauses[:2]
        return f"MERGE INTO t USING {source} ON t.a = s.a {' '.join(chosen)}"

    def _returning(self, columns: tuple[str, ...]) -> str:
        if self.random.random() < 0.6:
            return ""
        return f" RETURNING {self._number(columns, 1)} AS r, *"
