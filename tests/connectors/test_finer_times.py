"""Times from outside that are finer than their columns: what is below the precision is cut off as they come in, as CAST does it."""

from __future__ import annotations

import datetime as dt
import json
import random

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.columnar.representation import canonical
from tableflow.connectors.storage import fitted
from tableflow.types import BIGINT, STRING, ArrayType, MapType, RowField, RowType, TimestampType

EPOCH = dt.datetime(1970, 1, 1)
TYPES = [f"TIMESTAMP({p})" for p in (0, 1, 2, 3, 4, 6)] + ["TIMESTAMP_LTZ(1)", "TIME(0)", "TIME(2)", "TIME(6)"]
WITH = "'connector' = 'filesystem', 'path' = '{}', 'format' = '{}'"


def _moments():
    """Nanoseconds around 1970 and today, most with digits of all places, some of them equal up to a tenth or a millisecond."""
    draw = random.Random(5)
    made = []
    for base in (-5 * 10**9, 0, 1_700_000_000 * 10**9):
        for _ in range(40):
            made.append(
                base
                + draw.choice([0, 1, -1, 999_999_999, draw.randrange(10**9), draw.randrange(10) * 10**8 + 1_500_000])
            )
    draw.shuffle(made)
    return made


MOMENTS = _moments()


def _kept(nanoseconds, of):
    """What a CAST makes of it, in nanoseconds."""
    if of.startswith("TIME("):
        nanoseconds %= 86400 * 10**9
    unit = 10 ** (9 - int(of[-2]))
    return nanoseconds // unit * unit


def _text(nanoseconds, of):
    moment = EPOCH + dt.timedelta(seconds=nanoseconds // 10**9)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}"
    return text[11:] if of.startswith("TIME(") else text + "Z" * ("LTZ" in of)


def _array(of, unit="ns"):
    by = {"ns": 1, "us": 1000, "ms": 10**6}[unit]
    if of.startswith("TIME("):
        kind = pa.time64(unit) if unit != "ms" else pa.time32(unit)
        return (
            pa.array([each % (86400 * 10**9) // by for each in MOMENTS], pa.int64())
            .cast(pa.int32() if unit == "ms" else pa.int64())
            .cast(kind)
        )
    return pa.array([each // by for each in MOMENTS]).cast(pa.timestamp(unit, "UTC" if "LTZ" in of else None))


def _parquet(path, of, unit="ns", **options):
    table = pa.table({"at": _array(of, unit), "n": list(range(len(MOMENTS)))})
    pq.write_table(table, path, row_group_size=30, **options)


def _stream(path, table):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def _write(path, form, of):
    table = pa.table({"at": _array(of), "n": list(range(len(MOMENTS)))})
    match form:
        case "parquet":
            _parquet(path, of)
        case "parquet-plain":
            _parquet(path, of, use_dictionary=False, write_page_index=True, data_page_size=64)
        case "parquet-us":
            _parquet(path, of, "us")
        case "arrow":
            pyarrow.feather.write_feather(table, path, compression="uncompressed")
        case "arrow-stream":
            _stream(path, table)
        case "orc":
            pyarrow.orc.write_table(table, path)
        case "csv":
            path.write_text("".join(f"{_text(each, of)},{n}\n" for n, each in enumerate(MOMENTS)))
        case "json" | "json-slow":
            rows = [{"at": _text(each, of), "n": n if form == "json" else f" {n}"} for n, each in enumerate(MOMENTS)]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case "debezium-json":
            rows = [{"before": None, "after": {"at": _text(e, of), "n": n}, "op": "c"} for n, e in enumerate(MOMENTS)]
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))


FORMS = [
    "parquet",
    "parquet-plain",
    "parquet-us",
    "arrow",
    "arrow-stream",
    "orc",
    "csv",
    "json",
    "json-slow",
    "debezium-json",
]


@pytest.fixture
def table(tmp_path):
    def make(connection, form, of):
        path = tmp_path / f"file.{form}"
        _write(path, form, of)
        name = form if form == "debezium-json" else form.partition("-")[0]
        connection.execute(f"CREATE TABLE t (at {of}, n BIGINT) WITH ({WITH.format(path, name)})")

    return make


def _literal(nanoseconds, of):
    kind = "TIME" if of.startswith("TIME(") else "TIMESTAMP"
    return f"CAST({kind} '{_text(nanoseconds, 'TIME(9)' if kind == 'TIME' else 'TIMESTAMP(9)')}' AS {of})"


PAIRS = [
    pytest.param(form, of, marks=[] if of == "TIMESTAMP(1)" else pytest.mark.slow)
    for form in FORMS
    for of in TYPES
    if form != "orc" or not of.startswith("TIME(")
]


@pytest.mark.parametrize(("form", "of"), PAIRS)
def test_a_value_is_one_of_its_type(table, form, of):
    kept = [_kept(each, of) for each in MOMENTS]
    with tableflow.connect() as connection:
        table(connection, form, of)
        ask = lambda text: connection.execute(text).fetchall()  # noqa: E731
        assert ask("SELECT count(*) FROM (SELECT DISTINCT at FROM t)") == [(len(set(kept)),)]
        for wanted in sorted({kept[0], kept[7], min(kept), max(kept)}):
            literal = _literal(wanted, of)
            assert ask(f"SELECT count(*) FROM t WHERE at = {literal}") == [(kept.count(wanted),)]
            assert ask(f"SELECT count(*) FROM t WHERE at <= {literal}") == [(sum(each <= wanted for each in kept),)]
            assert ask(f"SELECT count(*) FROM t WHERE at IN ({literal}, NULL)") == [(kept.count(wanted),)]
        if form != "debezium-json":
            low, high = _literal(min(kept), of), _literal(max(kept), of)
            assert ask(f"SELECT min(at) = {low}, max(at) = {high} FROM t") == [(True, True)]
        equal = sum(kept.count(each) for each in kept)
        assert ask("SELECT count(*) FROM t a JOIN t b ON a.at = b.at") == [(equal,)]
        given = ask("SELECT count(*) FROM t WHERE CAST(CAST(at AS STRING) AS " + of + ") = at")
        assert given == [(len(kept),)]


def test_a_bloom_filter_of_finer_values_rules_nothing_out(tmp_path):
    path = tmp_path / "t.parquet"
    _parquet(path, "TIMESTAMP(3)", "us", use_dictionary=False, bloom_filter_options={"at": True})
    with tableflow.connect() as connection:
        connection.execute(f"CREATE TABLE t (at TIMESTAMP(1), n BIGINT) WITH ({WITH.format(path, 'parquet')})")
        kept = [_kept(each, "TIMESTAMP(1)") for each in MOMENTS]
        for wanted in sorted(set(kept))[::7]:
            found = connection.execute(
                f"SELECT count(*) FROM t WHERE at = {_literal(wanted, 'TIMESTAMP(1)')}"
            ).fetchall()
            assert found == [(kept.count(wanted),)]


@pytest.mark.parametrize("form", ["parquet", "arrow", "json"])
def test_times_within_other_values(tmp_path, form):
    moments = [None, *MOMENTS[:20]]
    inner = pa.array(moments).cast(pa.timestamp("ns"))
    rows = pa.StructArray.from_arrays([inner, pa.array(range(21))], ["at", "n"])
    lists = pa.ListArray.from_arrays(pa.array([0, 3, 3, 3, *range(4, 22)]), inner)
    table = pa.table({"r": rows, "l": lists}).slice(1)
    path = tmp_path / "file"
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "arrow":
        pyarrow.feather.write_feather(table, path, compression="uncompressed")
    else:
        text = lambda value: None if value is None else _text(value.value, "TIMESTAMP(9)")  # noqa: E731
        with path.open("w") as file:
            for row, values in zip(table["r"], table["l"], strict=True):
                members = [text(each) if each.is_valid else None for each in values]
                given = {"at": text(row["at"]) if row["at"].is_valid else None, "n": row["n"].as_py()}
                file.write(json.dumps({"r": given, "l": members}) + "\n")
    with tableflow.connect() as connection:
        connection.execute(
            f"CREATE TABLE t (r ROW<at TIMESTAMP(2), n BIGINT>, l ARRAY<TIMESTAMP(0)>) WITH ({WITH.format(path, form)})"
        )
        found = connection.execute("SELECT r.at, l FROM t").fetch_arrow_table()
    cut = lambda value, digits: None if value is None else value // 10 ** (9 - digits)  # noqa: E731
    given = [row["at"].value if row["at"].is_valid else None for row in table["r"]]
    assert [v and v // 10 for v in _numbers(found["at"])] == [cut(each, 2) for each in given]
    wanted = [[cut(each.value if each.is_valid else None, 0) for each in values] for values in table["l"]]
    assert [_numbers(each.values) for each in found["l"]] == wanted


def _numbers(times):
    return times.cast(pa.int64()).to_pylist()


@pytest.mark.parametrize(
    "of", ["TIMESTAMP(0)", "TIMESTAMP(1)", "TIMESTAMP(4)", "TIMESTAMP_LTZ(2)", "ARRAY<TIMESTAMP(1)>"]
)
@pytest.mark.parametrize("as_arrow", [False, True])
def test_rows_of_a_program(of, as_arrow):
    plain = of.replace("ARRAY<", "").replace(">", "")
    zone = dt.UTC if "LTZ" in of else None
    rows = [(EPOCH + dt.timedelta(microseconds=each // 1000)).replace(tzinfo=zone) for each in MOMENTS]
    given = [[each] for each in rows] if of.startswith("ARRAY") else rows
    data = [pa.record_batch({"at": given})] if as_arrow else [(each,) for each in given]
    kept = {_kept(each // 1000 * 1000, plain) for each in MOMENTS}
    with tableflow.connect() as connection:
        connection.register_stream("s", {"at": of}, data)
        found = connection.execute("SELECT at FROM s").fetchall()
        told = {value[0] if isinstance(value, list) else value for (value,) in found}
    assert told == {(EPOCH + dt.timedelta(microseconds=each // 1000)).replace(tzinfo=zone) for each in kept}
    with tableflow.connect() as connection:
        connection.register_stream("s", {"at": of}, data)
        count = connection.execute("SELECT count(*) FROM (SELECT DISTINCT at FROM s)").fetchall()[-1][-1]
    assert count == len(kept)


def test_inserted_rows_are_of_their_type():
    with tableflow.connect() as connection:
        connection.execute("CREATE TABLE t (at TIMESTAMP(1))")
        moments = [EPOCH - dt.timedelta(microseconds=each) for each in (1, 50_000, 99_999, 100_001)]
        connection.cursor().executemany("INSERT INTO t VALUES (?)", [(each,) for each in moments])
        connection.execute("INSERT INTO t VALUES (TIMESTAMP '1969-12-31 23:59:59.95')")
        connection.execute("INSERT INTO t SELECT TIMESTAMP '1969-12-31 23:59:59.950001'")
        found = connection.execute("SELECT at, count(*) FROM t GROUP BY at ORDER BY at").fetchall()
    assert found == [(EPOCH - dt.timedelta(microseconds=200_000), 1), (EPOCH - dt.timedelta(microseconds=100_000), 5)]


def test_names_of_directories(tmp_path):
    for text in ("2024-01-01 00:00:00.1", "2024-01-01 00:00:00.9"):
        (tmp_path / f"at={text}").mkdir()
        (tmp_path / f"at={text}" / "x.csv").write_text("1\n")
    with tableflow.connect() as connection:
        connection.execute(
            f"CREATE TABLE t (n BIGINT, at TIMESTAMP(0)) PARTITIONED BY (at) WITH ({WITH.format(tmp_path, 'csv')})"
        )
        assert connection.execute("SELECT at, sum(n) FROM t GROUP BY at").fetchall() == [(dt.datetime(2024, 1, 1), 2)]
        assert connection.execute("SELECT count(*) FROM t WHERE at = TIMESTAMP '2024-01-01 00:00:00'").fetchall() == [
            (2,)
        ]


def test_windows_of_a_stream_see_what_is_of_the_type(tmp_path):
    """Of a window that ends between two values of a column nothing is late, whatever digits a file has."""
    lines = [f"1969-12-31T23:59:5{s}.{f:03d},{s}\n" for s in range(10) for f in (0, 499, 999)]
    (tmp_path / "x.csv").write_text("".join(lines))
    with tableflow.connect() as connection:
        connection.execute("SET 'execution.runtime-mode' = 'streaming'")
        connection.execute(
            "CREATE TABLE t (at TIMESTAMP(0), n BIGINT, WATERMARK FOR at AS at)"
            f" WITH ({WITH.format(tmp_path / 'x.csv', 'csv')})"
        )
        found = connection.execute(
            "SELECT window_start, count(*), count(DISTINCT at) FROM TUMBLE(t, at, INTERVAL '2' SECOND) GROUP BY window_start"
        ).fetchall()
    assert sorted(found) == [(EPOCH - dt.timedelta(seconds=10 - s), 6, 2) for s in range(0, 10, 2)]


@pytest.mark.parametrize(
    ("values", "of"),
    [
        ([[1, 2], None, []], ArrayType(BIGINT)),
        ([{"a": 1, "b": [2]}, None], RowType((RowField("a", BIGINT), RowField("b", ArrayType(BIGINT))))),
        ([[("k", 1)], None], MapType(STRING, BIGINT)),
        ([[EPOCH], None], ArrayType(TimestampType(6))),
    ],
)
def test_what_has_no_finer_times_is_not_built_again(values, of):
    array = pa.array(values, canonical(of))
    assert fitted(array, of) is array
    assert fitted(array[1:], of).equals(array[1:])


def test_finer_times_within_slices():
    lists = [None, [EPOCH + dt.timedelta(microseconds=1)], [], [None, EPOCH + dt.timedelta(microseconds=1_999)]]
    array = pa.array(lists, pa.list_(pa.timestamp("us")))[2:]
    found = fitted(array, ArrayType(TimestampType(3)))
    found.validate(full=True)
    assert found.to_pylist() == [[], [None, EPOCH + dt.timedelta(milliseconds=1)]]
