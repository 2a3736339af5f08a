"""Random queries over tables with event time, each written twice: for TableFlow and, with the same meaning, for DuckDB.

Only what has one answer is drawn; see :mod:`tests.random.stream_expressions`.
"""

from __future__ import annotations

from tests.random.stream_expressions import START, ExpressionMaker, Relation, literal


class StreamQueryMaker(ExpressionMaker):
    """Draws queries, and statements that change their tables."""

    def query(self, depth: int = 2) -> Relation:
        """A query."""
        return self._relation(depth)

    def statement(self) -> str:
        """A statement that changes one of the tables."""
        table, other = self._one(*"efd"), self._one(*"efd")
        condition = self._condition(table, "iist", ("k", "v", "s", "ts"))
        source = f"(SELECT k, max(v) AS v, max(ts) AS ts FROM {other} WHERE k IS NOT NULL GROUP BY k) q"
        rows = [*self.rows(4), (1, 1, "x", START)]
        values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
        change = self._one("v = v + 1", "k = v", "s = NULL", "k = NULL", "v = coalesce(k, 0)")
        return self._one(
            f"INSERT INTO {table} VALUES {values}",
            f"INSERT INTO {table} SELECT k, v + 1, s, ts FROM {other} LIMIT 3",
            f"UPDATE {table} SET {change} WHERE {condition}",
            f"DELETE FROM {table} WHERE {condition}",
            f"MERGE INTO {table} USING {source} ON {table}.k = q.k WHEN MATCHED AND q.v > 2 THEN DELETE"
            " WHEN MATCHED THEN UPDATE SET v = q.v WHEN NOT MATCHED THEN INSERT (k, v, ts) VALUES (q.k, q.v, q.ts)",
        )

    def _relation(self, depth: int) -> Relation:
        if depth == 0:
            return self._base()
        return self._one(
            self._projection, self._join, self._join, self._semi_join, self._group, self._group, self._distinct, self._set_operation,
            self._top_n, self._limited, self._over, self._scalar, self._windowed, self._windowed, self._session, self._interval_join,
            self._window_join, self._as_of, self._windowed_twice, self._window_top_n, self._over_in_time,
        )(depth - 1)  # fmt: skip

    def _base(self, event_time: bool = False) -> Relation:
        table = self._one("e", "f") if event_time else self._one("e", "e", "f", "d")
        kinds = "iist"
        where = f" WHERE {self._condition(table, 'iist', ('k', 'v', 's', 'ts'))}" if self._chance(0.3) else ""
        text = f"SELECT k AS c0, v AS c1, s AS c2, ts AS c3 FROM {table}{where}"
        return Relation(text, text, kinds)

    def _projection(self, depth: int) -> Relation:
        source = self._relation(depth)
        items, kinds = self._items("r", source.kinds)
        return self._select(items, kinds, f"{{0}} r WHERE {self._condition('r', source.kinds)}", source)

    def _join(self, depth: int) -> Relation:
        one, two = self._relation(depth), self._relation(self._one(0, depth))
        first, kinds = self._items("l", one.kinds)
        second, more = self._items("r", two.kinds)
        on = self._pair(one, two)
        if self._chance(0.3):
            on += f" AND {self._pair(one, two)}"
        if self._chance(0.3):
            on += f" AND {self._number('l', one.kinds, depth=0)} < {self._number('r', two.kinds, depth=0)}"
        kind = self._one("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN")
        if kind != "FULL JOIN" and self._chance(0.1):
            on = f"{self._number('l', one.kinds, depth=0)} < {self._number('r', two.kinds, depth=0)}"
        return self._select([*first, *second], kinds + more, f"{{0}} l {kind} {{1}} r ON {on}", one, two)

    def _semi_join(self, depth: int) -> Relation:
        one, two = self._relation(depth), self._relation(self._one(0, depth))
        items, kinds = self._items("l", one.kinds)
        inner = self._number("r", two.kinds, depth=0)
        outer = self._number("l", one.kinds, depth=0)
        test = self._one(
            f"EXISTS (SELECT 1 FROM {{1}} r WHERE {self._pair(one, two)})",
            f"NOT EXISTS (SELECT 1 FROM {{1}} r WHERE {self._pair(one, two)})",
            f"{outer} IN (SELECT {inner} FROM {{1}} r)",
            f"{outer} NOT IN (SELECT {inner} FROM {{1}} r)",
            f"{outer} NOT IN (SELECT {inner} FROM {{1}} r WHERE {self._pair(one, two)})",
            f"({outer} IN (SELECT {inner} FROM {{1}} r)) IS NULL",
            f"({self._condition('l', one.kinds)} OR EXISTS (SELECT 1 FROM {{1}} r WHERE {self._pair(one, two)}))",
            f"{outer} <= (SELECT max({inner}) FROM {{1}} r WHERE {self._pair(one, two)})",
            f"(SELECT count(*) FROM {{1}} r WHERE {self._pair(one, two)}) > {self.random.randint(0, 2)}",
        )
        return self._select(items, kinds, f"{{0}} l WHERE {test}", one, two)

    def _scalar(self, depth: int) -> Relation:
        one, two = self._relation(depth), self._relation(0)
        items, kinds = self._items("l", one.kinds)
        call, kind = self._call("r", two.kinds)
        where = f" WHERE {self._pair(one, two)}" if self._chance(0.6) else ""
        return self._select([*items, f"(SELECT {call} FROM {{1}} r{where})"], kinds + kind, "{0} l", one, two)

    def _group(self, depth: int) -> Relation:
        source = self._relation(depth)
        keys, kinds = self._items("r", source.kinds) if self._chance(0.85) else ([], "")
        calls, more = self._calls("r", source.kinds)
        grouping = f" GROUP BY {', '.join(f'{n + 1}' for n in range(len(keys)))}" if keys else ""
        having = (
            f" HAVING {self._call('r', source.kinds)[0]} IS NOT NULL AND count(*) > {self.random.randint(0, 1)}"
            if keys and self._chance(0.3)
            else ""
        )
        return self._select([*keys, *calls], kinds + more, f"{{0}} r{grouping}{having}", source)

    def _distinct(self, depth: int) -> Relation:
        source = self._relation(depth)
        items, kinds = self._items("r", source.kinds)
        return self._select(items, kinds, "{0} r", source, distinct="DISTINCT ")

    def _set_operation(self, depth: int) -> Relation:
        one, two = self._relation(depth), self._relation(self._one(0, depth))
        kind = self._one(*[kind for kind in "ist" if kind in one.kinds and kind in two.kinds] or ["i"])
        sides = []
        for relation in (one, two):
            item = (
                f"r.{self._one(*relation.columns(kind))}"
                if kind in relation.kinds
                else self._number("r", relation.kinds)
            )
            sides.append(self._select([item, self._number("r", relation.kinds)], kind + "i", "{0} r", relation))
        operation = self._one("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
        return Relation(
            f"{sides[0].ours} {operation} {sides[1].ours}",
            f"{sides[0].theirs} {operation} {sides[1].theirs}",
            kind + "i",
        )

    def _top_n(self, depth: int) -> Relation:
        source = self._relation(depth)
        partition = f"PARTITION BY r.{self._one(*self._names(source.kinds))} " if self._chance(0.8) else ""
        most = self.random.randint(1, 3)
        over = f"OVER ({partition}ORDER BY {self._order('r', source.kinds)})"
        inner = self._select(
            [*self._everything("r", source.kinds), f"row_number() {over}"], source.kinds + "i", "{0} r", source
        )
        rank = f"c{len(source.kinds)}"
        if self._chance(0.4):
            return self._select(
                self._everything("q", inner.kinds), inner.kinds, f"{{0}} q WHERE q.{rank} <= {most}", inner
            )
        return self._select(
            self._everything("q", source.kinds), source.kinds, f"{{0}} q WHERE q.{rank} <= {most}", inner
        )

    def _limited(self, depth: int) -> Relation:
        source = self._relation(depth)
        offset = f" OFFSET {self.random.randint(1, 2)}" if self._chance(0.3) else ""
        rest = f"{{0}} r ORDER BY {self._order('r', source.kinds)} LIMIT {self.random.randint(1, 5)}{offset}"
        return self._select(self._everything("r", source.kinds), source.kinds, rest, source)

    def _over(self, depth: int) -> Relation:
        source = self._relation(depth)
        items, kinds = self._items("r", source.kinds)
        partition = f"PARTITION BY r.{self._one(*self._names(source.kinds))} " if self._chance(0.8) else ""
        order = f"ORDER BY {self._order('r', source.kinds)}"
        number = self._number("r", source.kinds, depth=0)
        call = self._one(
            f"count(*) OVER ({partition})", f"max({number}) OVER ({partition})", f"CAST(sum({number}) OVER ({partition}{order}) AS BIGINT)",
            f"rank() OVER ({partition}{order})", f"lag({number}) OVER ({partition}{order})", f"first_value({number}) OVER ({partition}{order})",
            f"count({number}) OVER ({partition}{order} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
            f"min({number}) OVER ({partition}{order} ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING)",
        )  # fmt: skip
        return self._select([*items, call], kinds + "i", "{0} r", source)

    def _over_in_time(self, depth: int) -> Relation:
        """Calls in the order of event time, over a table or over such calls."""
        source = self._over_in_time(0) if depth and self._chance(0.3) else self._base(event_time=True)
        partition = f"PARTITION BY {self._one('r.c0', 'r.c2', 'r.c0, r.c2')} " if self._chance(0.8) else ""
        total = (
            f"{partition}ORDER BY r.c3, {', '.join(f'r.{name}' for name in self._names(source.kinds) if name != 'c3')}"
        )
        single = f"{partition}ORDER BY r.c3"
        number = self._number("r", source.kinds, depth=0)
        few, seconds = self.random.randint(1, 3), f"INTERVAL '{self.random.randint(0, 6)}' SECOND"
        behind = self._one("CURRENT ROW", "CURRENT ROW", f"INTERVAL '{few}' SECOND FOLLOWING")
        call = self._one(
            f"row_number() OVER ({total})", f"rank() OVER ({single})", f"dense_rank() OVER ({single})", f"lag({number}) OVER ({total})",
            f"lag({number}, {few}, -1) OVER ({total})", f"count(DISTINCT {number}) OVER ({single})", f"max({number}) OVER ({single})",
            f"CAST(sum({number}) FILTER (WHERE {number} > 1) OVER ({single}) AS BIGINT)", f"last_value({number}) OVER ({total})",
            f"CAST(round(avg({number}) OVER ({single}) * 8) AS BIGINT)", f"first_value({number} IGNORE NULLS) OVER ({total})",
            f"CAST(sum({number}) OVER ({total} ROWS BETWEEN {few} PRECEDING AND CURRENT ROW) AS BIGINT)",
            f"min({number}) OVER ({single} GROUPS BETWEEN {few} PRECEDING AND CURRENT ROW)",
            f"CAST(sum({number}) OVER ({single} RANGE BETWEEN {seconds} PRECEDING AND {behind}) AS BIGINT)",
            f"count({number}) OVER ({single} RANGE BETWEEN CURRENT ROW AND {behind})",
        )  # fmt: skip
        return self._select([*self._everything("r", source.kinds), call], source.kinds + "i", "{0} r", source)

    def _assigned(self, source: Relation, time: str = "c3") -> Relation:
        """A relation with window_start and window_end as its last columns."""
        number, names = len(source.kinds), ", ".join(self._names(source.kinds))
        slide = self._one(3, 5, 10)
        parts = self._one(1, 1, 2, 4)
        size = slide * parts
        kind = "TUMBLE" if parts == 1 else self._one("HOP", "CUMULATE")
        sizes = f"INTERVAL '{size}' SECOND" if parts == 1 else f"INTERVAL '{slide}' SECOND, INTERVAL '{size}' SECOND"
        offset = self._one(0, 0, 0, 2) if kind == "TUMBLE" else 0
        if offset:
            sizes += f", INTERVAL '{offset}' SECOND"
        ours = f"SELECT {names}, window_start AS c{number}, window_end AS c{number + 1} FROM {kind}(({source.ours}), DESCRIPTOR({time}), {sizes})"
        seconds = f"(epoch({time})::BIGINT - {offset})"
        if kind == "CUMULATE":
            base = f"{seconds} // {size} * {size} + {offset}"
            first = f"make_timestamp(({base}) * 1000000)"
            last = f"unnest([make_timestamp(({base} + n * {slide}) * 1000000) for n in range(({seconds} % {size}) // {slide} + 1, {parts + 1})])"
        else:
            base = f"{seconds} // {slide} * {slide} + {offset}"
            first = f"unnest([make_timestamp(({base} - n * {slide}) * 1000000) for n in range({parts})])"
            last = f"unnest([make_timestamp(({base} - n * {slide} + {size}) * 1000000) for n in range({parts})])"
        theirs = f"SELECT {names}, {first} AS c{number}, {last} AS c{number + 1} FROM ({source.theirs}) x"
        return Relation(ours, theirs, source.kinds + "tt")

    def _windowed(self, _: int) -> Relation:
        source = self._assigned(self._base(event_time=True))
        keys, kinds = (
            ([], "") if self._chance(0.4) else (["w.c0"], "i") if self._chance(0.6) else (["w.c0", "w.c2"], "is")
        )
        calls, more = self._calls("w", source.kinds[:4])
        grouping = ", ".join(["w.c4", "w.c5", *keys])
        items = self._one(["w.c4", "w.c5"], ["w.c5"])
        rest = f"{{0}} w GROUP BY {grouping}"
        if self._chance(0.2):
            rest += f" HAVING count(*) > {self.random.randint(0, 1)}"
        return self._emitting(self._select([*keys, *calls, *items], kinds + more + "t" * len(items), rest, source))

    def _emitting(self, windows: Relation) -> Relation:
        """Perhaps with early results, or corrected ones, which others replace in the end."""
        if self._chance(0.6):
            return windows
        emit = self._one(
            "ON UPDATE", "EVERY 2 ROWS", "EVERY INTERVAL '7' SECOND OF EVENT TIME", "EVERY 3 ROWS, ON WINDOW CLOSE",
            "ON WINDOW CLOSE WITH LATENESS INTERVAL '10' SECOND",
        )  # fmt: skip
        return Relation(f"{windows.ours} EMIT {emit}", windows.theirs, windows.kinds)

    def _windowed_twice(self, _: int) -> Relation:
        """Windows over the results of windows, by window_time."""
        base = self._base(event_time=True)
        size = self._one(2, 5)
        outer = size * self._one(2, 3)
        inner = (
            f"SELECT c0, CAST(sum(c1) AS BIGINT) AS n, window_time FROM TUMBLE(({base.ours}), DESCRIPTOR(c3), INTERVAL '{size}' SECOND)"
            " GROUP BY c0, window_start, window_end, window_time"
        )
        ours = (
            f"SELECT window_end AS c0, CAST(sum(n) AS BIGINT) AS c1, count(*) AS c2 FROM TUMBLE(({inner}), DESCRIPTOR(window_time), INTERVAL '{outer}' SECOND)"
            " GROUP BY window_start, window_end"
        )
        theirs = (
            f"SELECT make_timestamp((b // {outer} + 1) * {outer} * 1000000) AS c0, CAST(sum(n) AS BIGINT) AS c1, count(*) AS c2 FROM"
            f" (SELECT c0, CAST(sum(c1) AS BIGINT) AS n, epoch(c3)::BIGINT // {size} * {size} AS b FROM ({base.theirs}) x GROUP BY c0, b) y GROUP BY 1"
        )
        return Relation(ours, theirs, "tii")

    def _session(self, _: int) -> Relation:
        base = self._base(event_time=True)
        gap = self._one(2, 4, 8)
        partition = self._one("", "c0", "(c0, c2)")
        calls, kinds = self._calls("w", base.kinds)
        names = {"": [], "c0": ["c0"], "(c0, c2)": ["c0", "c2"]}[partition]
        keys = ["w.c0", "w.c2"] if partition == "c0" and self._chance(0.5) else [f"w.{name}" for name in names]
        plain = f"PARTITION BY {', '.join(names)}" if names else ""
        table = f"SESSION(({base.ours}){f' PARTITION BY {partition}' if partition else ''}, DESCRIPTOR(c3), INTERVAL '{gap}' SECOND)"
        apart = f"CASE WHEN epoch(c3) - lag(epoch(c3)) OVER ({plain} ORDER BY c3) < {gap} THEN 0 ELSE 1 END"
        marked = f"SELECT *, {apart} AS opens FROM ({base.theirs}) x"
        counted = f"SELECT *, sum(opens) OVER ({plain} ORDER BY c3) AS session FROM ({marked}) y"
        of_one = f"OVER (PARTITION BY {', '.join([*names, 'session'])})"
        bounded = f"SELECT *, min(c3) {of_one} AS first, max(c3) {of_one} AS last FROM ({counted}) z"
        bounds = ["w.window_start", "w.window_end"]
        ours = self._select([*keys, *calls, *bounds], "", f"{table} w GROUP BY {', '.join([*keys, *bounds])}").ours
        theirs = self._select(
            [*keys, *calls, "w.first", f"w.last + INTERVAL '{gap}' SECOND"],
            "",
            f"({bounded}) w GROUP BY {', '.join([*keys, 'w.session', 'w.first', 'w.last'])}",
        ).theirs
        return self._emitting(Relation(ours, theirs, ["", "i", "is"][len(keys)] + kinds + "tt"))

    def _interval_join(self, _: int) -> Relation:
        one, two = self._base(event_time=True), self._base(event_time=True)
        before, after = self.random.randint(0, 6), self.random.randint(0, 6)
        on = f"l.c0 = r.c0 AND l.c3 BETWEEN r.c3 - INTERVAL '{before}' SECOND AND r.c3 + INTERVAL '{after}' SECOND"
        kind = self._one("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
        return self._select(
            ["l.c0", "l.c1", "l.c3", "r.c2", "r.c3"], "iitst", f"{{0}} l {kind} {{1}} r ON {on}", one, two
        )

    def _window_join(self, _: int) -> Relation:
        one = self._assigned(self._base(event_time=True))
        two = self._assigned(self._base(event_time=True))
        kind = self._one("JOIN", "LEFT JOIN", "FULL JOIN")
        on = "l.c4 = r.c4 AND l.c5 = r.c5 AND l.c0 = r.c0"
        return self._select(
            ["l.c0", "l.c1", "r.c1", "l.c4", "r.c5"], "iiitt", f"{{0}} l {kind} {{1}} r ON {on}", one, two
        )

    def _window_top_n(self, _: int) -> Relation:
        source = self._assigned(self._base(event_time=True))
        over = f"OVER (PARTITION BY r.c4, r.c5{self._one('', ', r.c0')} ORDER BY {self._order('r', source.kinds)})"
        inner = self._select(
            [*self._everything("r", source.kinds), f"row_number() {over}"], source.kinds + "i", "{0} r", source
        )
        return self._select(
            self._everything("q", source.kinds),
            source.kinds,
            f"{{0}} q WHERE q.c6 <= {self.random.randint(1, 2)}",
            inner,
        )

    def _as_of(self, _: int) -> Relation:
        """The nearest earlier row, told apart by all its columns."""
        one = self._base(event_time=True)
        table = self._one("e", "f")
        kind = self._one("", "LEFT ")
        ours = f"SELECT l.c0 AS c0, l.c1 AS c1, l.c3 AS c2, r.ts AS c3 FROM ({one.ours}) l ASOF {kind}JOIN {table} r ON l.c0 = r.k AND l.c3 >= r.ts"
        theirs = f"SELECT l.c0 AS c0, l.c1 AS c1, l.c3 AS c2, r.ts AS c3 FROM ({one.theirs}) l ASOF {kind}JOIN {table} r ON l.c0 = r.k AND l.c3 >= r.ts"
        return Relation(ours, theirs, "iitt")
