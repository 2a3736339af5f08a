"""Random queries over random small tables, as SQL that DuckDB reads too and answers alike.

Only what both engines define the same way is drawn: integer arithmetic that cannot overflow, no division, text in ASCII,
three-valued logic, every join and subquery kind, grouping, windows, set operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

INTEGERS = ("a", "b")
TEXTS = ("s",)
TABLES = ("t0", "t1", "t2")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows (a INT, b INT, s STRING) of a table, NULLs included."""

    name: str
    rows: tuple[tuple[Any, ...], ...]

    def view(self) -> str:
        """A view over VALUES; the first row gives the types and is filtered out."""
        lines = ["(CAST(0 AS INT), CAST(0 AS INT), CAST('' AS VARCHAR), 0)"]
        for row in self.rows:
            lines.append(f"({', '.join(_literal(value) for value in row)}, 1)")
        return f"CREATE VIEW {self.name} AS SELECT a, b, s FROM (VALUES {', '.join(lines)}) v(a, b, s, real) WHERE real = 1"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)


_number = st.one_of(st.none(), st.integers(-3, 4))
_text = st.one_of(st.none(), st.sampled_from(["", "x", "xy", "y"]))
_rows = st.lists(st.tuples(_number, _number, _text), max_size=7).map(tuple)
tables = st.tuples(*(st.builds(Table, st.just(name), _rows) for name in TABLES))


@st.composite
def number(draw: st.DrawFn, alias: str, depth: int = 1) -> str:
    """An integer expression over one alias."""
    column = f"{alias}.{draw(st.sampled_from(INTEGERS))}"
    if depth == 0:
        return draw(st.one_of(st.just(column), st.integers(-2, 3).map(str)))
    inner = number(alias, depth - 1)
    shapes = [
        st.just(column),
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} - {})".format, inner, inner),
        st.builds("({} * {})".format, inner, inner),
        st.builds("coalesce({}, {})".format, inner, inner),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, predicate(alias, 0), inner, inner),
        st.just(f"length({alias}.s)"),
    ]
    return draw(st.one_of(shapes))


@st.composite
def predicate(draw: st.DrawFn, alias: str, depth: int = 1) -> str:
    """A condition over one alias."""
    compare = st.builds(
        "{} {} {}".format, number(alias, 0), st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), number(alias, 0)
    )
    shapes = [
        compare,
        st.builds("{}.{} IS NULL".format, st.just(alias), st.sampled_from(INTEGERS + TEXTS)),
        st.builds("{} IS NOT DISTINCT FROM {}".format, number(alias, 0), number(alias, 0)),
        st.builds("{}.s LIKE {}".format, st.just(alias), st.sampled_from(["'x%'", "'%y'", "'_'", "'%'"])),
        st.builds("{}.s {} 'x'".format, st.just(alias), st.sampled_from(["=", "<>", "<"])),
        st.builds("{} IN (1, 2, {})".format, number(alias, 0), st.sampled_from(["3", "NULL"])),
        st.builds("{} NOT IN (0, {})".format, number(alias, 0), st.sampled_from(["1", "NULL"])),
        st.builds("{} BETWEEN {} AND {}".format, number(alias, 0), number(alias, 0), number(alias, 0)),
    ]
    if depth > 0:
        inner = predicate(alias, depth - 1)
        shapes += [
            st.builds("({} AND {})".format, inner, inner),
            st.builds("({} OR {})".format, inner, inner),
            st.builds("NOT ({})".format, inner),
        ]
    return draw(st.one_of(shapes))


@st.composite
def correlated(draw: st.DrawFn, outer: str) -> str:
    """A condition with a subquery over another table, mostly correlated with ``outer``."""
    table = draw(st.sampled_from(TABLES))
    link = draw(
        st.sampled_from([f"i.a = {outer}.a", f"i.a = {outer}.b", f"i.b < {outer}.a", f"i.s = {outer}.s", "true"])
    )
    where = f"{link} AND {draw(predicate('i', 0))}" if draw(st.booleans()) else link
    column = draw(st.sampled_from(INTEGERS))
    shapes = [
        f"EXISTS (SELECT 1 FROM {table} i WHERE {where})",
        f"NOT EXISTS (SELECT 1 FROM {table} i WHERE {where})",
        f"{outer}.a IN (SELECT i.{column} FROM {table} i WHERE {where})",
        f"{outer}.b NOT IN (SELECT i.{column} FROM {table} i WHERE {where})",
        f"{outer}.a > (SELECT max(i.{column}) FROM {table} i WHERE {where})",
        f"(SELECT count(*) FROM {table} i WHERE {where}) > {draw(st.integers(0, 2))}",
        f"{outer}.a <= ALL (SELECT i.{column} FROM {table} i WHERE {where})",
        f"{outer}.b = ANY (SELECT i.{column} FROM {table} i WHERE {where})",
        f"({outer}.a IN (SELECT i.{column} FROM {table} i WHERE {where})) IS NULL",
        f"({draw(predicate(outer, 0))} OR EXISTS (SELECT 1 FROM {table} i WHERE {where}))",
        f"{outer}.a IN (SELECT i.{column} FROM {table} i WHERE {where} ORDER BY i.a, i.b, i.s LIMIT {draw(st.integers(1, 2))})",
        f"{outer}.b >= (SELECT i.{column} FROM {table} i WHERE {where} ORDER BY i.b DESC, i.a, i.s LIMIT 1 OFFSET 1)",
        f"{outer}.a IN (SELECT rank() OVER (ORDER BY i.b) FROM {table} i WHERE {where})",
        f"EXISTS (SELECT sum(i.a) OVER (PARTITION BY i.s) AS w FROM {table} i WHERE {where} QUALIFY w > {outer}.a)",
        f"({outer}.a, {outer}.b) IN (SELECT i.a, i.b FROM {table} i WHERE {where})",
        f"{outer}.a = (SELECT count(*) FROM (SELECT i.b FROM {table} i WHERE {where} UNION SELECT {outer}.b) u)",
    ]
    return draw(st.sampled_from(shapes))


@st.composite
def window(draw: st.DrawFn, alias: str) -> str:
    """A window function over one alias; its order is total up to equal rows, so that both engines number them alike."""
    partition = draw(st.sampled_from(["", f"PARTITION BY {alias}.a", f"PARTITION BY {alias}.s, {alias}.b"]))
    way = draw(st.sampled_from(["", " DESC", " NULLS FIRST", " DESC NULLS FIRST"]))
    total = f"ORDER BY {alias}.a{way}, {alias}.b, {alias}.s"
    single = f"ORDER BY {alias}.b{way}"
    column = f"{alias}.{draw(st.sampled_from(INTEGERS))}"
    match draw(st.sampled_from(["number", "neighbour", "rows", "peers", "range", "whole"])):
        case "number":
            function = draw(
                st.sampled_from(["row_number()", "rank()", "dense_rank()", "ntile(3)", "cume_dist()", "percent_rank()"])
            )
            return f"{function} OVER ({partition} {total})"
        case "neighbour":
            function = draw(st.sampled_from(["lag", "lead"]))
            rest = draw(st.sampled_from(["", ", 2", ", 1, 9", ", 0", ", -1", ", 2, 9"]))
            nulls = draw(st.sampled_from(["", " IGNORE NULLS"]))
            return f"{function}({column}{rest}{nulls}) OVER ({partition} {total})"
        case "rows":
            return f"{draw(aggregate(column, ordered=True))} OVER ({partition} {total} ROWS {draw(frame())})"
        case "peers":
            unit = draw(st.sampled_from(["GROUPS", "RANGE"]))
            frames = frame() if unit == "GROUPS" else st.sampled_from(UNBOUNDED)
            return f"{draw(aggregate(column, ordered=False))} OVER ({partition} {single} {unit} {draw(frames)})"
        case "range":
            return f"{draw(aggregate(column, ordered=False))} OVER ({partition} {single} RANGE {draw(frame())})"
        case _:
            return f"{draw(aggregate(column, ordered=False))} OVER ({partition})"


UNBOUNDED = [
    "BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    "BETWEEN CURRENT ROW AND CURRENT ROW",
]


@st.composite
def frame(draw: st.DrawFn) -> str:
    """Ends of a frame; an end never lies before the start."""
    sides = [
        "UNBOUNDED PRECEDING",
        "2 PRECEDING",
        "1 PRECEDING",
        "CURRENT ROW",
        "1 FOLLOWING",
        "2 FOLLOWING",
        "UNBOUNDED FOLLOWING",
    ]
    start = draw(st.integers(0, 5))
    return f"BETWEEN {sides[start]} AND {sides[draw(st.integers(max(1, start), 6))]}"


@st.composite
def aggregate(draw: st.DrawFn, column: str, *, ordered: bool) -> str:
    """An aggregate, or where the order is total a value of the frame."""
    shapes = [f"sum({column})", f"count({column})", "count(*)", f"min({column})", f"max({column})", f"avg({column})"]
    shapes += [f"sum({column}) FILTER (WHERE {column} > 0)", f"var_pop({column})"]
    if ordered:
        shapes += [
            f"{name}({column}{nulls})" for name in ("first_value", "last_value") for nulls in ("", " IGNORE NULLS")
        ]
        shapes += [f"nth_value({column}, 2)", f"nth_value({column}, 1 IGNORE NULLS)"]
    return draw(st.sampled_from(shapes))


@st.composite
def relation(draw: st.DrawFn) -> str:
    """Two or three tables joined; aliases l, r and m."""
    first, second, third = (draw(st.sampled_from(TABLES)) for _ in range(3))
    kind = draw(st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]))
    on = draw(
        st.sampled_from(["l.a = r.a", "l.a = r.b", "l.s = r.s", "l.a = r.a AND l.b < r.b", "l.a = r.b AND r.s = 'x'"])
    )
    text = f"{first} l {kind} {second} r ON {on}"
    if draw(st.booleans()):
        other = draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
        text += f" {other} {third} m ON {draw(st.sampled_from(['m.a = l.a', 'm.b = r.b', 'm.s = l.s AND m.a > 0']))}"
    return text


@st.composite
def query(draw: st.DrawFn) -> str:
    """A SELECT; its rows are compared as a bag."""
    joined = draw(st.booleans())
    source = draw(relation()) if joined else f"{draw(st.sampled_from(TABLES))} l"
    aliases = ["l", "r"] if joined else ["l"]
    conditions = [draw(predicate(draw(st.sampled_from(aliases)))) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        conditions.append(draw(correlated("l")))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    last = aliases[-1]
    kinds = ["rows", "groups", "distinct", "total", "set", "scalar", "windows", "qualify", "over groups", "lateral"]
    match draw(st.sampled_from(kinds)):
        case "windows":
            return (
                f"SELECT l.a AS x, {draw(window(last))} AS y, {draw(window('l'))} AS z, l.s AS w FROM {source}{where}"
            )
        case "qualify":
            most = f"row_number() OVER (PARTITION BY l.a ORDER BY l.b, l.s{f', {last}.a, {last}.b, {last}.s' if joined else ''})"
            return f"SELECT l.a AS x, l.b AS y FROM {source}{where} QUALIFY {most} <= {draw(st.integers(1, 3))}"
        case "over groups":
            return (
                f"SELECT l.a AS k, sum(count(*)) OVER (ORDER BY l.a) AS n, rank() OVER (ORDER BY min({last}.b)) AS r, "
                f"(SELECT sum(l.b)) AS t FROM {source}{where} GROUP BY l.a"
            )
        case "lateral":
            inner = draw(st.sampled_from(TABLES))
            link = draw(st.sampled_from(["i.a = l.a", "i.b >= l.b", "i.s = l.s AND i.a <> l.b"]))
            bound = draw(st.sampled_from(["LIMIT 1", "LIMIT 2", "LIMIT 1 OFFSET 1", "OFFSET 1"]))
            kind = draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
            return (
                f"SELECT l.a AS x, n.a AS y, n.b AS z FROM {draw(st.sampled_from(TABLES))} l {kind} LATERAL (SELECT * FROM {inner} i "
                f"WHERE {link} ORDER BY i.a DESC, i.b, i.s {bound}) n ON true"
            )
        case "rows":
            return f"SELECT {draw(number('l'))} AS x, {last}.s AS y, l.b AS z FROM {source}{where}"
        case "groups":
            having = draw(st.sampled_from(["", " HAVING count(*) > 1", " HAVING max(l.b) IS NOT NULL"]))
            key = draw(number(last, 0))
            key = key if "." in key else f"{last}.a"
            return (
                f"SELECT {key} AS k, count(*) AS n, sum({draw(number('l'))}) AS t, min({last}.s) AS m, "
                f"count(DISTINCT l.b) AS d FROM {source}{where} GROUP BY {key}{having}"
            )
        case "distinct":
            return f"SELECT DISTINCT {draw(number(last))} AS x, l.s AS y FROM {source}{where}"
        case "total":
            return f"SELECT count(*) AS n, sum(l.a) AS t, max({last}.b) AS m, avg(l.b) AS v FROM {source}{where}"
        case "set":
            kind = draw(st.sampled_from(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]))
            return f"SELECT l.a AS x, l.s AS y FROM {source}{where} {kind} SELECT o.b, o.s FROM {draw(st.sampled_from(TABLES))} o"
        case _:
            link = draw(st.sampled_from(["i.a = l.a", "i.b = l.b AND i.a > 0", "i.s = l.s"]))
            value = draw(st.sampled_from(["max(i.b)", "count(*)", "sum(i.a)", "count(i.b) + 1"]))
            return f"SELECT l.a AS x, (SELECT {value} FROM {draw(st.sampled_from(TABLES))} i WHERE {link}) AS y FROM {source}{where}"
