"""The native group table equals a dictionary of Python lists, for every representation of keys and arguments."""

from __future__ import annotations

import decimal
import math
import statistics
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import Aggregate, AggregateOverflow, GroupTable
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.errors import UnsupportedError
from tableflow.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    FLOAT,
    INT,
    INTERVAL,
    NULL,
    SMALLINT,
    STRING,
    TIMESTAMP,
    TINYINT,
    ArrayType,
    DecimalType,
    SqlType,
)  # fmt: skip

D = DecimalType(12, 2)
WIDE = DecimalType(30, 3)

_integers = {
    TINYINT: [pa.int8()],
    SMALLINT: [pa.int8(), pa.int16()],
    INT: [pa.int8(), pa.int32()],
    BIGINT: [pa.int8(), pa.int16(), pa.int32(), pa.int64()],
    D: [pa.int8(), pa.int32(), pa.int64(), pa.decimal128(12, 2)],
    WIDE: [pa.int16(), pa.int64(), pa.decimal128(30, 3)],
}


def _storages(of: SqlType) -> list[pa.DataType]:
    simple = {
        BOOLEAN: [pa.bool_()], FLOAT: [pa.float32()], DOUBLE: [pa.float64()], DATE: [pa.date32()],
        TIMESTAMP: [pa.timestamp("us")], NULL: [pa.null()],
        STRING: [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())],
        BYTES: [pa.binary(), pa.large_binary()],
    }  # fmt: skip
    return simple.get(of) or _integers[of]


def _values(of: SqlType) -> st.SearchStrategy:
    match of:
        case _ if of == BOOLEAN:
            return st.booleans()
        case _ if of in (FLOAT, DOUBLE):
            return st.sampled_from([0.0, -0.0, math.nan, 1.5, -2.25, math.inf, -math.inf])
        case _ if of == STRING:
            return st.sampled_from(["", "a", "b", "ab", "longer than sixteen bytes", "ä", "a\0"])
        case _ if of == BYTES:
            return st.sampled_from([b"", b"a", b"\xff\xfe"])
        case _ if of == NULL:
            return st.none()
        case _:
            small = st.integers(-100, 100)
            return (
                small
                if of in (TINYINT, D, WIDE)
                else small | st.sampled_from([-(2**15), 2**15 - 1])
                if of == SMALLINT
                else (
                    small | st.sampled_from([-(2**31), 2**31 - 1])
                    if of in (INT, DATE)
                    else small | st.sampled_from([-(2**63), 2**63 - 1])
                )
            )


def _array(values: list, storage: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(storage):
        context = decimal.Context(prec=60)
        return pa.array(
            [None if v is None else decimal.Decimal(v).scaleb(-storage.scale, context) for v in values], storage
        )
    if pa.types.is_dictionary(storage):
        return pa.array(values, pa.string()).dictionary_encode().cast(storage)
    if storage in (pa.date32(), pa.timestamp("us")):
        return pa.array(values, pa.int32() if storage == pa.date32() else pa.int64()).cast(storage)
    return pa.array(values, storage)


@st.composite
def _column(draw, of: SqlType, n: int):
    values = draw(st.lists(_values(of) | st.none(), min_size=n, max_size=n))
    fits = [
        storage
        for storage in _storages(of)
        if not pa.types.is_integer(storage)
        or all(v is None or -(1 << storage.bit_width - 1) <= v < 1 << storage.bit_width - 1 for v in values)
    ]
    storage = draw(st.sampled_from(fits))
    before = draw(st.integers(0, 3))  # slices must not matter
    padding = draw(st.lists(_values(of), min_size=before, max_size=before))
    if pa.types.is_integer(storage):
        padding = [0] * before
    array = _array(padding + values + padding, storage).slice(before, n)
    return Column(of, array), [_canonical(v, of) for v in values]


def _canonical(value, of: SqlType):
    """A Python value that is equal and hashable exactly when the SQL value is."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    return value


def _stored(column: Column) -> list:
    """Storage values, canonical in the sense above."""
    array = column.array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_decimal(array.type):
        context = decimal.Context(prec=60)
        return [None if v is None else int(v.scaleb(array.type.scale, context)) for v in array.to_pylist()]
    if pa.types.is_date(array.type):
        array = array.cast(pa.int32())
    elif pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    return [_canonical(v, column.type) for v in array.to_pylist()]


@st.composite
def _batches(draw, types: list[SqlType]):
    result = []
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(0, 40))
        drawn = [draw(_column(of, n)) for of in types]
        selection = None
        if draw(st.booleans()):
            selection = np.array([i for i in range(n) if draw(st.booleans())], np.uint32)
        rows = range(n) if selection is None else selection.tolist()
        result.append(([c for c, _ in drawn], n, selection, [tuple(values[i] for _, values in drawn) for i in rows]))
    return result


def _export(table: GroupTable, step: int = 7) -> tuple[list, list]:
    keys, results = [], []
    for start in range(0, table.groups, step):
        count = min(step, table.groups - start)
        keys += zip(*map(_stored, table.keys(start, count)), strict=True) if table._keys else [()] * count
        results += zip(*map(_stored, table.results(start, count)), strict=True)
    return keys, results


KEYS = [[], [BIGINT], [INT], [D], [WIDE], [DOUBLE], [FLOAT], [STRING], [BOOLEAN], [NULL], [BYTES], [DATE], [TIMESTAMP],
        [STRING, STRING], [BIGINT, BIGINT], [BIGINT, STRING], [BOOLEAN, TINYINT], [WIDE, DOUBLE, STRING], [BOOLEAN, STRING],
        [INT, DATE, SMALLINT, BOOLEAN], [BIGINT, NULL, TIMESTAMP]]  # fmt: skip


@pytest.mark.parametrize("types", KEYS, ids=lambda types: "-".join(map(str, types)) or "none")
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_groups_are_the_distinct_keys(types, data):
    count = [Aggregate("count", (), (), BIGINT)]
    table = GroupTable(types, count)
    expected: dict[tuple, int] = {} if types else {(): 0}
    for columns, n, selection, rows in data.draw(_batches(types)):
        table.update(columns, [], n, selection)
        for row in rows:
            expected[row] = expected.get(row, 0) + 1
    keys, counts = _export(table)
    assert dict(zip(keys, (c for (c,) in counts), strict=True)) == expected
    assert len(keys) == len(expected)
    if types not in ([STRING], [BYTES]):
        assert keys == list(expected)  # in order of first appearance; only a NULL among texts may come later


def _extreme(values, greatest):
    order = (
        (lambda v: (v == "nan", 0.0 if v == "nan" else v))
        if any(isinstance(v, float) or v == "nan" for v in values)
        else None
    )
    return None if not values else (max if greatest else min)(values, key=order)


def _average(values, scale):
    return None if not values else float(decimal.Decimal(sum(values)).scaleb(-scale) / len(values))


def _reference(function: str, of: SqlType, values: list, result: SqlType):
    values = [v for v in values if v is not None]
    match function:
        case "count":
            return len(values)
        case "count_if":
            return sum(values)
        case "sum":
            return sum(values) if values else None
        case "avg":
            return _average(values, of.scale if isinstance(of, DecimalType) else 0)
        case "min" | "bool_and" | "any_value":
            return _extreme(values, False)
        case "max" | "bool_or":
            return _extreme(values, True)
    floats = [float(v) for v in values]
    least = 2 if function.endswith("samp") else 1
    if len(floats) < least:
        return None
    spread = statistics.variance(floats) if least == 2 else statistics.pvariance(floats)
    return math.sqrt(spread) if function.startswith("stddev") else spread


CALLS = [
    *[("count", of, BIGINT) for of in (BIGINT, STRING, NULL, DOUBLE)],
    *[("sum", of, BIGINT) for of in (TINYINT, SMALLINT, INT)],
    ("sum", BIGINT, DecimalType(38, 0)), ("sum", D, DecimalType(38, 2)), ("sum", WIDE, DecimalType(38, 3)),
    *[("avg", of, DOUBLE) for of in (INT, BIGINT, D, WIDE)],
    *[(f, of, of) for f in ("min", "max") for of in (BOOLEAN, TINYINT, INT, BIGINT, D, WIDE, FLOAT, DOUBLE, STRING, BYTES, DATE, TIMESTAMP)],
    ("any_value", STRING, STRING), ("bool_and", BOOLEAN, BOOLEAN), ("bool_or", BOOLEAN, BOOLEAN), ("count_if", BOOLEAN, BIGINT),
    *[(f, of, DOUBLE) for f in ("stddev_samp", "stddev_pop", "var_samp", "var_pop") for of in (SMALLINT,)],
]  # fmt: skip


def _same(actual, expected):
    if isinstance(expected, float) and isinstance(actual, float) and not math.isinf(expected):
        return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-9)
    return actual == expected


@pytest.mark.slow
@pytest.mark.parametrize(("function", "of", "result"), CALLS, ids=str)
@pytest.mark.parametrize("filtered", [False, True], ids=["", "filter"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_aggregates_equal_the_reference(function, of, result, filtered, data):
    distinct = function in {"count", "sum", "avg", "var_pop", "min"} and data.draw(st.booleans())
    key = data.draw(st.sampled_from([[], [SMALLINT], [STRING]]))
    table = GroupTable(key, [Aggregate(function, (0,), (of,), result, 1 if filtered else None, distinct)])
    groups: dict[tuple, list] = {} if key else {(): []}
    for columns, n, selection, rows in data.draw(_batches([*key, of, BOOLEAN])):
        table.update(columns[: len(key)], columns[len(key) :], n, selection)
        for row in rows:
            values = groups.setdefault(row[: len(key)], [])
            if row[-1] or not filtered:
                values.append(row[-2])
    keys, results = _export(table)
    actual = dict(zip(keys, (r for (r,) in results), strict=True))
    assert actual.keys() == groups.keys()
    for group, values in groups.items():
        expected = _reference(function, of, list(dict.fromkeys(values)) if distinct else values, result)
        assert _same(actual[group], expected), (group, values)


def _state_types(function, of, result):
    wide = DOUBLE if of in (FLOAT, DOUBLE) else DecimalType(38, of.scale if isinstance(of, DecimalType) else 0)
    if function == "avg":
        return [wide, BIGINT]
    if function.startswith(("var", "stddev")):
        return [BIGINT, DOUBLE, DOUBLE]
    return [BIGINT] if function.startswith("count") else [result if function == "sum" else of]


@pytest.mark.slow
@pytest.mark.parametrize(("function", "of", "result"), CALLS, ids=str)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_merged_states_give_the_result_of_all_rows(function, of, result, data):
    states = _state_types(function, of, result)
    final = GroupTable(
        [SMALLINT], [Aggregate(function, tuple(range(len(states))), tuple(states), result, merging=True)]
    )
    groups: dict[tuple, list] = {}
    for columns, n, selection, rows in data.draw(_batches([SMALLINT, of])):
        rows_of = Aggregate(function, (0,), (of,), result)
        if data.draw(st.booleans()):
            partial = GroupTable([SMALLINT], [rows_of], states)
            partial.update(columns[:1], columns[1:], n, selection)
            final.update(partial.keys(0, partial.groups), partial.states(0, partial.groups), partial.groups)
        else:  # every row its own state
            partial = GroupTable([], [rows_of], states)
            partial.spread(columns[1:], n, selection)
            final.update(columns[:1], partial.states(0, n), n, selection)
        for key, value in rows:
            groups.setdefault((key,), []).append(value)
    keys, results = _export(final)
    actual = dict(zip(keys, (r for (r,) in results), strict=True))
    assert actual.keys() == groups.keys()
    for group, values in groups.items():
        assert _same(actual[group], _reference(function, of, values, result)), (group, values)


@pytest.mark.parametrize("spacing", [1, 3, 1000, 10**12])
@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_many_integer_keys(spacing, order):
    generator = np.random.default_rng(spacing)
    values = generator.integers(-20_000, 20_000, 120_000) * spacing
    if order != "random":
        values = np.sort(values)
    if order == "descending":
        values = values[::-1].copy()
    values[77_777] = 2**62 if spacing == 3 else values[77_777]  # leaves the array in the middle
    table = GroupTable(
        [BIGINT], [Aggregate("sum", (0,), (BIGINT,), DecimalType(38, 0)), Aggregate("count", (), (), BIGINT)]
    )
    for start in range(0, len(values), 50_000):
        part = Column(BIGINT, pa.array(values[start : start + 50_000]))
        table.update([part], [part], len(part))
    keys = np.array(_stored(table.keys(0, table.groups)[0]))
    sums, counts = (np.array(_stored(c)) for c in table.results(0, table.groups))
    expected, expected_counts = np.unique(values, return_counts=True)
    by_key = np.argsort(keys)
    assert (keys[by_key] == expected).all()
    assert (counts[by_key] == expected_counts).all()
    assert (sums == keys * counts).all()


def _many(kind):
    """Values whose tables grow far; what is dense is held in an array that moves and is given up."""
    random = np.random.default_rng(5)
    match kind:
        case "descending":
            return -np.arange(2_000_000, step=3)
        case "dense, then far apart, then dense":
            dense, sparse = np.arange(400_000), random.integers(-(2**60), 2**60, 300_000)
            return np.concatenate((dense, sparse, dense[::-1] + 200_000, sparse[::2]))
        case "far apart, then dense":
            return np.concatenate((random.permutation(280_000) * 20, random.integers(0, 5_600_000, 500_000)))
        case _:
            return np.concatenate((random.integers(0, 2**60, 600_000), random.integers(0, 2**10, 100_000)))


@pytest.mark.parametrize(
    "kind", ["numbers", "texts", "numbers and texts", "descending", "dense, then far apart, then dense", "far apart, then dense"]
)  # fmt: skip
def test_tables_grow_in_steps_that_may_stop_anywhere(kind):
    values = _many(kind)
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    expected = np.argsort(np.argsort(first))[inverse]
    types = {"texts": [STRING], "numbers and texts": [BIGINT, STRING]}.get(kind, [BIGINT])
    table, steps = GroupTable(types, []), 0
    for batch, start in enumerate(range(0, len(values), 50_000)):
        part = pa.array(values[start : start + 50_000], pa.int64())
        keys = [Column(of, part if of is BIGINT else part.cast(pa.string())) for of in types]
        # The shortest step, or all of them: what is left is done by the batch itself.
        steps += not table.native.prepare(len(part), 0)
        while batch % 2 and not table.prepare(len(part)):
            pass
        assert (table.number(keys, [], len(part)) == expected[start : start + 50_000]).all()
        assert table.bytes_after(keys, [], 50_000) >= table.bytes
    assert steps > 0 or kind == "descending"
    found = table.keys(table.groups - 5, 5)[0].array.to_pylist()
    assert [int(v) for v in found] == values[np.sort(first)[-5:]].tolist()


@pytest.mark.parametrize("where", ["first", "last", "both"])
def test_a_table_grows_although_its_entries_lie_far_from_their_places(where):
    """Texts whose hashes all belong to the first or last slots: one long run, which begins or goes on at the other end of the table."""
    texts = pa.array(np.arange(1 << 20)).cast(pa.string())
    tags = hash_rows([Column(STRING, texts)]) & 0xFFFFFFFF
    near = {
        "first": tags < 1 << 23,
        "last": tags >= (1 << 32) - (1 << 23),
        "both": tags + (1 << 22) & 0xFFFFFFFF < 1 << 23,
    }
    keys = texts.filter(pa.array(near[where]))
    assert len(keys) > 1500  # so that the smallest table grows twice
    table = GroupTable([STRING], [])
    for start in range(0, len(keys), 100):
        part = Column(STRING, keys[start : start + 100])
        assert (table.number([part], [], len(part)) == np.arange(start, start + len(part))).all()
    assert (table.number([Column(STRING, keys)], [], len(keys)) == np.arange(len(keys))).all()


def test_many_string_keys():
    texts = [f"key {i % 30_000:x}" for i in range(90_000)]
    column = Column(STRING, pa.array(texts))
    table = GroupTable([STRING, BIGINT], [Aggregate("count", (), (), BIGINT)])
    table.update([column, Column(BIGINT, pa.array(np.arange(90_000) % 2))], [], 90_000)
    assert table.groups == 30_000
    assert set(_stored(table.keys(0, 30_000)[0])) == set(texts)
    assert set(_stored(table.results(0, 30_000)[0])) == {3}


@pytest.mark.parametrize("keys", [[STRING], [STRING, STRING, BIGINT]])
def test_texts_of_a_pool_beyond_the_caches(keys):
    random = np.random.default_rng(5)
    distinct = [f"{i:x}" * (1 + i % 40) if i % 1000 else None for i in range(120_000)]
    chosen = [distinct[i] for i in random.integers(0, len(distinct), 300_000).tolist()]
    texts = Column(STRING, pa.array(chosen))
    rest = [
        Column(STRING, pa.array([text and text[:3] for text in chosen])),
        Column(BIGINT, pa.nulls(len(chosen), pa.int64())),
    ]
    table = GroupTable(keys, [Aggregate("count", (), (), BIGINT)])
    for start in range(0, len(chosen), 50_000):
        table.update([one.slice(start, 50_000) for one in (texts, *rest)][: len(keys)], [], 50_000)
    counted = dict(
        zip(_stored(table.keys(0, table.groups)[0]), _stored(table.results(0, table.groups)[0]), strict=True)
    )
    assert counted == Counter(chosen)


def test_dictionaries_may_change_from_batch_to_batch():
    table = GroupTable([STRING, STRING], [Aggregate("count", (), (), BIGINT)])
    for entries in (["x", "y"], ["y", "z"], ["x", "y"], [None, "y"]):
        column = Column(
            STRING, pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], pa.int32()), pa.array(entries))
        )
        table.update([column, column], [], 4)
    keys, counts = _export(table)
    assert dict(zip(keys, counts, strict=True)) == {
        ("x", "x"): (2,), ("y", "y"): (7,), (None, None): (5,), ("z", "z"): (2,)
    }  # fmt: skip


def test_count_distinct_of_two_columns():
    a = Column(INT, pa.array([1, 1, 1, None, 2], pa.int32()))
    b = Column(STRING, pa.array(["x", "x", "y", "x", None]))
    table = GroupTable([], [Aggregate("count", (0, 1), (INT, STRING), BIGINT, None, True)])
    table.update([], [a, b], 5)
    assert _export(table)[1] == [(2,)]


def test_an_exact_sum_may_leave_its_type_on_the_way_but_not_at_the_end():
    big = 10**38 - 1
    of = DecimalType(38, 0)
    column = Column(of, pa.array([decimal.Decimal(v) for v in (big, big, -big, -big, big)], pa.decimal128(38, 0)))
    table = GroupTable([], [Aggregate("count", (), (), BIGINT), Aggregate("sum", (0,), (of,), of)])
    table.update([], [column], 5)
    assert _stored(table.results(0, 1)[1]) == [big]
    table.update([], [column], 2)
    with pytest.raises(AggregateOverflow) as caught:
        table.results(0, 1)
    assert caught.value.args == ("decimal overflow", 1)


def test_clear_begins_anew():
    table = GroupTable([INT], [Aggregate("max", (0,), (STRING,), STRING)])
    column, texts = Column(INT, pa.array([1, 2, 1], pa.int32())), Column(STRING, pa.array(["b", None, "c"]))
    for _ in range(2):
        table.update([column], [texts], 3)
        assert _export(table) == ([(1,), (2,)], [("c",), (None,)])
        table.clear()
        assert table.groups == 0


def test_memory_stays_below_what_was_announced():
    table = GroupTable(
        [BIGINT, STRING],
        [Aggregate("sum", (0,), (BIGINT,), DecimalType(38, 0)), Aggregate("max", (1,), (STRING,), STRING)],
    )
    for i in range(20):
        numbers = Column(BIGINT, pa.array(np.arange(i * 5000, i * 5000 + 5000) * 7919))
        texts = Column(STRING, pa.array([f"text {i} {k}" for k in range(5000)]))
        bound = table.bytes_after([numbers, texts], [numbers, texts], 5000)
        table.update([numbers, texts], [numbers, texts], 5000)
        assert table.bytes <= bound + 2**22  # huge pages are counted whole


def test_foreign_input_is_refused():
    table = GroupTable([BIGINT], [])
    column = Column(BIGINT, pa.array([1, 2, 3]))
    with pytest.raises(IndexError):
        table.update([column], [], 4)
    with pytest.raises(IndexError):
        table.update([column], [], 3, np.array([3], np.uint32))
    damaged = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int32()), pa.array(["x"]), safe=False)
    with pytest.raises(IndexError):
        GroupTable([STRING], []).update([Column(STRING, damaged)], [], 2)
    table = GroupTable([STRING], [])
    table.update(
        [Column(STRING, pa.DictionaryArray.from_arrays(pa.array([None, 0], pa.int32()), damaged.dictionary))], [], 2
    )
    with pytest.raises(IndexError):  # and is not taken for the NULL that is known
        table.update([Column(STRING, damaged)], [], 2)
    with pytest.raises(UnsupportedError):
        GroupTable([ArrayType(INT)], [])
    with pytest.raises(ValueError, match="wider"):
        GroupTable([INT], []).update([column], [], 3)


def test_intervals():
    months = Column(INTERVAL, pa.array([(1, 0, 0), (1, 0, 0), (0, 30, 0)], pa.month_day_nano_interval()))
    for order in ([0, 1, 2], [2, 1, 0], [2]):
        table = GroupTable([INTERVAL], [])
        table.update([Column(INTERVAL, months.array.take(pa.array(order)))], [], len(order))
        # One group by their length; it shows the spelling with most months.
        assert [tuple(v) for v in table.keys(0, 1)[0].to_pylist()] == [(0, 30, 0) if order == [2] else (1, 0, 0)]
        assert table.groups == 1
    values = Column(INTERVAL, pa.array([(0, 31, 0), (1, 0, 0), None, (1, 0, -5)], pa.month_day_nano_interval()))
    table = GroupTable([], [Aggregate(f, (0,), (INTERVAL,), INTERVAL) for f in ("min", "max")])
    table.update([], [values], 4)
    assert [tuple(c.to_pylist()[0]) for c in table.results(0, 1)] == [(1, 0, -5), (0, 31, 0)]
