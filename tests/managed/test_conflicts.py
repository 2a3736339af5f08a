"""ON CONFLICT DO NOTHING on a table with two keys, beside a model that takes one row after the other.

DuckDB is no model here: it takes NULLs of a key to be equal, and leaves rows out that conflict with none.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tableflow

Row = tuple[int | None, int | None]
ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 6)), st.one_of(st.none(), st.integers(0, 5))), min_size=1, max_size=6
)
TARGETS = {
    "": (),
    "ON CONFLICT DO NOTHING": (0, 1),
    "ON CONFLICT (k) DO NOTHING": (0,),
    "ON CONFLICT (u) DO NOTHING": (1,),
}
NAMES = ("k", "u")


def inserted(table: list[Row], rows: list[Row], ignored: tuple[int, ...]) -> tuple[list[Row], int | None]:
    """The table with the rows, or as it was and the number of the first row that may not be."""
    after = list(table)
    for number, row in enumerate(rows):
        clashes = {i for i in (0, 1) for other in after if row[i] is not None and row[i] == other[i]}
        if clashes & set(ignored):
            continue
        if clashes:
            return table, number
        after.append(row)
    return after, None


@settings(max_examples=40)
@given(script=st.lists(st.tuples(ROWS, st.sampled_from(sorted(TARGETS)), st.booleans()), min_size=1, max_size=5))
@example(script=[([(0, 5), (1, 5), (6, None)], "ON CONFLICT (k) DO NOTHING", False)])
@example(script=[([(0, 5), (0, 4), (2, 4), (1, 5)], "ON CONFLICT (k) DO NOTHING", True)])
@example(script=[([(5, 0), (6, 1), (4, 2), (6, 3)], "", True)])
def test_two_keys(script):
    table: list[Row] = []
    with tableflow.connect() as con:
        con.execute("CREATE TABLE t (k INT UNIQUE, u INT UNIQUE)")
        for rows, conflict, many in script:
            table, wrong = inserted(table, rows, TARGETS[conflict])
            values = ", ".join(f"({'NULL' if k is None else k}, {'NULL' if u is None else u})" for k, u in rows)

            def run(values=values, conflict=conflict, many=many, rows=rows):
                if many:
                    con.cursor().executemany(f"INSERT INTO t VALUES (?, ?) {conflict}", rows)
                else:
                    con.execute(f"INSERT INTO t VALUES {values} {conflict}")

            if wrong is None:
                run()
            else:
                with pytest.raises(tableflow.IntegrityError, match="duplicate key in table 't'") as error:
                    run()
                assert error.value.detail is not None
                if many:
                    # each key is looked at by itself, so it may be a row that breaks another one
                    first = int(error.value.detail.split()[1]) - 1
                    assert first >= wrong
                    named = next(i for i in (0, 1) if f"({NAMES[i]}) = ({rows[first][i]})" in error.value.detail)
                    others = [row[named] for row in (*table, *rows[:first])]
                    assert rows[first][named] in others
            assert sorted(con.execute("SELECT * FROM t").fetchall(), key=repr) == sorted(table, key=repr)
