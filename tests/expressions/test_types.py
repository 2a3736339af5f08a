"""Type rules: the dialect's rulings, written down once more."""

from __future__ import annotations

import pytest

from tableflow import types as t
from tableflow.errors import BindError
from tableflow.expressions import registry
from tableflow.expressions.coercion import unify
from tableflow.expressions.fold import fold
from tableflow.expressions.nodes import Cast, ColumnRef, Literal
from tests.expressions.binding import bind

D = t.DecimalType
TYPES = {
    "i": t.INT, "b": t.BIGINT, "sm": t.SMALLINT, "d": D(15, 2), "w": D(38, 10), "f": t.FLOAT, "x": t.DOUBLE, "s": t.STRING,
    "v": t.StringType(10), "dt": t.DATE, "ts": t.TIMESTAMP, "t3": t.TimestampType(3), "tz": t.TIMESTAMP_LTZ, "iv": t.INTERVAL,
    "k": t.BOOLEAN, "tm": t.TIME,
}  # fmt: skip
REFS = {name: ColumnRef(of, n, name) for n, (name, of) in enumerate(TYPES.items())}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("i + i", t.INT), ("i + b", t.BIGINT), ("sm * sm", t.SMALLINT), ("i / i", t.INT), ("i % b", t.BIGINT),
        ("d + d", D(16, 2)), ("d * d", D(30, 4)), ("d + 1", D(16, 2)), ("1 - d", D(16, 2)), ("d * 2", D(16, 2)), ("d + i", D(16, 2)),
        ("d + b", D(22, 2)), ("d * (1 - d) * (1 + d)", D(38, 6)), ("d / d", t.DOUBLE), ("d / 2", t.DOUBLE), ("d // 2", D(13, 0)),
        ("d % 7", D(3, 2)), ("w * w", D(38, 6)), ("w + d", D(38, 9)), ("x + d", t.DOUBLE), ("f + f", t.FLOAT), ("f + i", t.DOUBLE),
        ("f * d", t.DOUBLE), ("div(d, i, 4)", D(17, 4)), ("NULL + 1", t.INT), ("-d", D(15, 2)), ("abs(sm)", t.SMALLINT),
        ("sign(x)", t.INT), ("round(d)", D(14, 0)), ("round(d, 1)", D(15, 1)), ("round(d, 5)", D(15, 2)), ("floor(d)", D(14, 0)),
        ("round(x, 2)", t.DOUBLE), ("sqrt(i)", t.DOUBLE), ("dt + 1", t.DATE), ("dt - dt", t.BIGINT), ("ts - ts", t.INTERVAL),
        ("dt - ts", t.INTERVAL), ("dt + INTERVAL '1' DAY", t.DATE), ("dt + INTERVAL '1' HOUR", t.TIMESTAMP), ("dt + iv", t.TIMESTAMP),
        ("dt - INTERVAL '1' MONTH * 3", t.DATE), ("t3 + INTERVAL '1' SECOND", t.TimestampType(3)), ("t3 - INTERVAL '0.00025' SECOND", t.TimestampType(5)),
        ("t3 + i * INTERVAL '1' MILLISECOND", t.TimestampType(3)), ("t3 + (t3 - t3)", t.TimestampType(3)), ("t3 + iv", t.TIMESTAMP), ("INTERVAL '1' DAY + dt", t.DATE),
        ("iv * 2", t.INTERVAL), ("iv + iv", t.INTERVAL), ("-iv", t.INTERVAL), ("tm + iv", t.TIME), ("dt + tm", t.TIMESTAMP),
        ("s || i", t.STRING), ("v || v", t.STRING), ("length(s)", t.BIGINT), ("year(dt)", t.BIGINT), ("extract(epoch FROM ts)", t.DOUBLE),
        ("date_trunc('day', t3)", t.TimestampType(3)), ("coalesce(i, d)", D(15, 2)), ("coalesce(b, d)", D(21, 2)),
        ("if(k, d, 0)", D(15, 2)), ("CASE WHEN k THEN sm ELSE 0 END", t.SMALLINT), ("CASE WHEN k THEN sm ELSE 100000 END", t.INT),
        ("CASE WHEN k THEN dt ELSE ts END", t.TIMESTAMP), ("coalesce(t3, tz)", t.TIMESTAMP_LTZ), ("coalesce(v, s)", t.STRING),
        ("coalesce(v, v)", t.StringType(10)), ("coalesce(f, d)", t.DOUBLE), ("nullif(d, 0)", D(15, 2)), ("NULL", t.NULL),
        ("coalesce(dt, '1970-01-01')", t.DATE), ("1", t.INT), ("3000000000", t.BIGINT), ("99999999999999999999", D(20, 0)),
        ("0.05", D(2, 2)), ("1e3", t.DOUBLE), ("12.50", D(4, 2)), ("at_time_zone(ts, 'UTC')", t.TIMESTAMP_LTZ),
        ("array(1, 2.5)", t.ArrayType(D(2, 1))), ("element_at(map('a', 1), 'a')", t.INT),
    ],
)  # fmt: skip
def test_result_types(sql, expected):
    assert bind(sql, REFS).type == expected


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("sum", "sm", t.BIGINT), ("sum", "i", t.BIGINT), ("sum", "b", D(38, 0)), ("sum", "d", D(38, 2)), ("sum", "f", t.DOUBLE),
        ("avg", "d", t.DOUBLE), ("avg", "i", t.DOUBLE), ("count", "s", t.BIGINT), ("min", "dt", t.DATE), ("max", "v", t.StringType(10)),
        ("stddev", "d", t.DOUBLE), ("variance", "i", t.DOUBLE), ("bool_and", "k", t.BOOLEAN), ("count_if", "k", t.BIGINT),
        ("any_value", "s", t.STRING),
    ],
)  # fmt: skip
def test_aggregate_types(name, column, expected):
    assert registry.resolve_aggregate(name, [REFS[column]]).type == expected


def test_aggregates():
    call = registry.resolve_aggregate("STDDEV", [REFS["i"]])
    assert call.function == "stddev_samp"
    assert call.args == (Cast(t.DOUBLE, REFS["i"]),)
    assert not registry.resolve_aggregate("max", [REFS["i"]], distinct=True).distinct
    assert registry.resolve_aggregate("sum", [REFS["i"]], distinct=True).distinct
    assert registry.is_aggregate("Count")
    assert not registry.is_aggregate("upper")
    for name, column in (("sum", "s"), ("bool_and", "i"), ("avg", "dt")):
        with pytest.raises(BindError, match="does not take"):
            registry.resolve_aggregate(name, [REFS[column]])
    with pytest.raises(BindError, match="FILTER takes a condition"):
        registry.resolve_aggregate("sum", [REFS["i"]], filter=REFS["i"])


@pytest.mark.parametrize(
    ("sql", "argument", "literal"),
    [
        ("dt < '1994-01-01'", "dt", Literal(t.DATE, 8766)),
        ("'1994-01-01' > dt", "dt", Literal(t.DATE, 8766)),
        ("d < 24", "d", Literal(D(15, 2), 2400)),
        ("d = '1.5'", "d", Literal(D(15, 2), 150)),
        ("sm = 5", "sm", Literal(t.SMALLINT, 5)),
        ("b > 5", "b", Literal(t.BIGINT, 5)),
        ("x > 5", "x", Literal(t.DOUBLE, 5.0)),
        ("ts >= '1970-01-01 00:00:01'", "ts", Literal(t.TIMESTAMP, 1_000_000)),
        ("v = 'abc'", "v", Literal(t.STRING, "abc")),
    ],
)
def test_comparisons_leave_the_column_bare(sql, argument, literal):
    args = bind(sql, REFS).args
    assert REFS[argument] in args
    assert literal in args


def test_a_literal_with_more_digits_is_not_rounded():
    call = bind("d = 1.005", REFS)
    assert call.args == (Cast(D(16, 3), REFS["d"]), Literal(D(16, 3), 1005))


def test_common_type():
    assert registry.common_type([t.INT, t.NULL, t.BIGINT]) == t.BIGINT
    assert registry.common_type([]) == t.NULL
    assert registry.common_type([t.INT, t.STRING]) is None
    assert registry.common_type([t.DATE, t.TimestampType(3)]) == t.TimestampType(3)
    assert registry.common_type([t.ArrayType(t.INT), t.ArrayType(t.DOUBLE)]) == t.ArrayType(t.DOUBLE)
    assert registry.common_type([D(38, 0), D(10, 10)]) == D(38, 6)
    assert [e.type for e in unify([REFS["i"], bind("NULL"), bind("2.5")])] == [D(11, 1)] * 3


def test_can_cast():
    assert registry.can_cast(t.INT, t.BIGINT, implicit=True)
    assert not registry.can_cast(t.BIGINT, t.INT, implicit=True)
    assert registry.can_cast(t.BIGINT, t.INT, implicit=False)
    assert not registry.can_cast(t.STRING, t.INT, implicit=True)
    assert not registry.can_cast(t.DATE, t.INT, implicit=False)
    assert registry.can_cast(t.NULL, t.DATE, implicit=True)


def test_names_are_found_in_any_case_and_nearest_ones_offered():
    assert bind("UPPER('a')", REFS) == bind("upper('a')", REFS)
    with pytest.raises(BindError) as caught:
        bind("uper('a')", REFS)
    assert "upper" in caught.value.hint


def test_every_cast_that_exists_folds_or_fails_and_never_breaks():
    samples = [
        "TRUE", "CAST(1 AS TINYINT)", "7", "3000000000", "1.50", "1.5e0", "CAST(1 AS FLOAT)", "'1'", "X'31'", "DATE '2020-01-01'",
        "CAST('10:00' AS TIME)", "TIMESTAMP '2020-01-01 00:00:00'", "INTERVAL '1' DAY", "CAST('1' AS JSON)",
    ]  # fmt: skip
    targets = [
        t.BOOLEAN, t.TINYINT, t.INT, t.BIGINT, D(10, 2), D(38, 20), t.FLOAT, t.DOUBLE, t.STRING, t.StringType(3), t.StringType(4, True),
        t.BYTES, t.DATE, t.TIME, t.TimeType(9), t.TIMESTAMP, t.TimestampType(9), t.TIMESTAMP_LTZ, t.INTERVAL, t.JSON,
    ]  # fmt: skip
    done = 0
    for sql in samples:
        source = Literal(t.BYTES, b"1") if sql.startswith("X") else bind(sql)
        for to in targets:
            if registry.can_cast(source.type, to, implicit=False):
                result = registry.cast(source, to, lenient=True)
                assert isinstance(fold(result), Literal)
                assert result.type == to
                done += 1
    assert done > 120
