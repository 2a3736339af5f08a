"""Random queries over random small tables, as SQL that DuckDB reads too and answers alike.

Only what both engines define the same way is drawn: integer arithmetic that cannot overflow, no division, text in ASCII,
three-valued logic, every join and subquery kind, grouping, set operations.
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
    ]
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
    match draw(st.sampled_from(["rows", "groups", "distinct", "total", "set", "scalar"])):
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
