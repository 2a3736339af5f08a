"""Rows that a fused program hands to a table of few groups, in place and ordered by group, give what plain Python gives.

Filters leave out few rows or many, keys are codes, numbers or absent, and there are NULLs, filters of calls, DISTINCT and selections.
"""

from __future__ import annotations

import decimal
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

import tableflow
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import Aggregate, GroupTable
from tableflow.types import BIGINT, BOOLEAN, INT, STRING, DecimalType

ROWS = 5_000
SUM = DecimalType(38, 0)


def _rows(groups: int, skewed: bool, seed: int = 0) -> dict[str, list]:
    random = np.random.default_rng((groups, skewed, seed))
    codes = random.integers(0, groups, ROWS)
    if skewed:
        codes[random.random(ROWS) < 0.8] = groups - 1
    large = random.integers(-100, 100, ROWS)
    large[random.random(ROWS) < 0.001] = 2**63 - 1
    large[random.random(ROWS) < 0.001] = -(2**63)
    nullable = [None if lacks else int(v) for v, lacks in zip(large // 2, random.random(ROWS) < 0.1, strict=True)]
    flags = [None if draw < 0.05 else bool(draw < 0.5) for draw in random.random(ROWS)]
    return {
        "k": [None if code == 1 else f"group {code}" for code in codes.tolist()],
        "b": flags,
        "c": codes.tolist(),
        "v": large.tolist(),
        "w": nullable,
        "i": random.integers(-(2**31), 2**31, ROWS).tolist(),
        "x": random.integers(0, 1000, ROWS).tolist(),
    }


def _reference(rows: dict[str, list], keys: list[str], kept: list[int]) -> dict[tuple, tuple]:
    found: dict[tuple, list[int]] = {} if keys else {(): []}
    for row in kept:
        found.setdefault(tuple(rows[key][row] for key in keys), []).append(row)
    out = {}
    for group, of in found.items():
        w = [rows["w"][r] for r in of if rows["w"][r] is not None]
        marked = [rows["i"][r] for r in of if rows["b"][r]]
        out[group] = (
            len(of),
            sum(rows["v"][r] for r in of) if of else None,
            sum(w) if w else None,
            len(w),
            sum(rows["i"][r] * 3 for r in of) if of else None,
            max((rows["i"][r] for r in of), default=None),
            sum(marked) if marked else None,
            len({rows["x"][r] for r in of}),
        )
    return out


@pytest.mark.parametrize("least", [15, 260, 1000], ids="{}".format)
@pytest.mark.parametrize(
    ("keys", "groups", "skewed"),
    [([], 3, False), (["k"], 4, True), (["k"], 40, False), (["k"], 300, False), (["b"], 3, False), (["k", "b"], 2, True),
     (["k", "b"], 5, False), (["k", "b"], 90, True), (["c"], 6, False), (["k", "c"], 7, True)],
    ids=lambda value: "-".join(value) or "none" if isinstance(value, list) else str(value),
)  # fmt: skip
def test_rows_left_out_by_a_filter_change_no_group(keys, groups, skewed, least):
    rows = _rows(groups, skewed)
    connection = tableflow.connect(settings={"parallelism.default": "1"})
    types = {"k": pa.string(), "b": pa.bool_(), "i": pa.int32()}
    table = pa.table({name: pa.array(values, types.get(name, pa.int64())) for name, values in rows.items()})
    connection.register("rows_here", table.set_column(0, "k", table["k"].dictionary_encode()))
    by = "".join(f"{key}, " for key in keys)
    query = f"""
        SELECT {by} count(*), sum(v), sum(w), count(w), sum(CAST(i AS BIGINT) * 3), max(i), sum(i) FILTER (WHERE b), count(DISTINCT x)
        FROM rows_here WHERE x >= {least} {"GROUP BY " + by.rstrip(", ") if keys else ""}"""
    found = connection.execute(query).fetchall()
    kept = [row for row in range(ROWS) if rows["x"][row] >= least]
    assert len(found) == len({row[: len(keys)] for row in found})
    actual = {row[: len(keys)]: tuple(_number(value) for value in row[len(keys) :]) for row in found}
    assert actual == _reference(rows, keys, kept)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("keys", [["k"], ["k", "b"], ["k", "m"]], ids="-".join)
@pytest.mark.parametrize("ahead", [1, 2, 7, 60])
def test_rows_left_out_ahead_of_a_new_group_do_not_name_it(ahead, keys, threads):
    piece = 2048
    count = 3 * piece + 5
    first = [row % piece < ahead for row in range(count)]
    names = [
        ["left out", None][row % 2] if out else [f"in {row // piece}", "in all", None][row % 3]
        for row, out in enumerate(first)
    ]
    rows = {"k": names, "b": first, "m": [name and name[:1] for name in names], "x": [int(not out) for out in first]}
    connection = tableflow.connect(settings={"parallelism.default": str(threads)})
    table = pa.table(rows)
    for number, name in enumerate(table.column_names):
        if pa.types.is_string(table[name].type):
            table = table.set_column(number, name, table[name].dictionary_encode())
    connection.register("rows_here", table)
    by = ", ".join(keys)
    found = connection.execute(f"SELECT {by}, count(*) FROM rows_here WHERE x * 2 > 1 GROUP BY {by}").fetchall()
    expected = Counter(tuple(rows[key][row] for key in keys) for row in range(count) if not first[row])
    assert sorted(found, key=repr) == sorted(((*group, n) for group, n in expected.items()), key=repr)


def _number(value: object) -> object:
    return int(value) if isinstance(value, decimal.Decimal) else value


@pytest.mark.parametrize("selected", [False, True], ids=["all", "selection"])
@pytest.mark.parametrize("groups", [1, 8, 9, 64, 65])
@pytest.mark.parametrize("skewed", [False, True], ids=["even", "skewed"])
def test_few_groups_of_many_rows(groups, skewed, selected):
    rows = _rows(groups, skewed, 1)
    keys = [Column(STRING, pa.array(rows["k"]).dictionary_encode())]
    calls = [
        Aggregate("count", (), (), BIGINT),
        Aggregate("sum", (0,), (BIGINT,), SUM),
        Aggregate("sum", (1,), (BIGINT,), SUM),
        Aggregate("count", (1,), (BIGINT,), BIGINT),
        Aggregate("sum", (2,), (INT,), BIGINT),
        Aggregate("max", (2,), (INT,), INT),
        Aggregate("sum", (2,), (INT,), BIGINT, 3),
        Aggregate("count", (4,), (BIGINT,), BIGINT, None, True),
    ]
    arguments = [
        Column(BIGINT, pa.array(rows["v"], pa.int64())),
        Column(BIGINT, pa.array(rows["w"], pa.int64())),
        Column(INT, pa.array(rows["i"], pa.int32())),
        Column(BOOLEAN, pa.array(rows["b"], pa.bool_())),
        Column(BIGINT, pa.array(rows["x"], pa.int64())),
    ]
    kept = [row for row in range(ROWS) if not selected or rows["x"][row] < 400]
    table = GroupTable([STRING], calls)
    table.update(keys, arguments, ROWS, np.array(kept, np.uint32) if selected else None)
    (names,) = (column.array.to_pylist() for column in table.keys(0, table.groups))
    results = [column.array.to_pylist() for column in table.results(0, table.groups)]
    actual = {(name,): tuple(_number(value) for value in row) for name, *row in zip(names, *results, strict=True)}
    expected = _reference(rows, ["k"], kept)
    assert actual == {
        group: (n, v, w, c, i and i // 3, m, f, d) for group, (n, v, w, c, i, m, f, d) in expected.items()
    }
