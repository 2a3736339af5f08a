"""Parquet: pruning, statistics as bounds, names that differ in case, damaged files."""

import datetime as dt
import gc
import os
import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow import types as t
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import ColumnDefinition, ScanRequest
from tableflow.connectors import Sources, create_provider, file_provider
from tableflow.errors import ConnectorError
from tableflow.expressions.nodes import Call, Cast, ColumnRef, Literal
from tests.connectors.scanning import scan, spec_of, splits_of

pytestmark = pytest.mark.usefixtures("row_groups_alone")


def call(function, *args):
    return Call(t.BOOLEAN, function, args)


def column(name, of=t.BIGINT):
    return ColumnRef(of, 1, name)


def literal(value, of=t.BIGINT):
    return Literal(of, value)


@pytest.fixture
def ten_groups(tmp_path):
    rows = range(100)
    table = pa.table(
        {
            "id": pa.array(rows, pa.int64()),
            "price": pa.array([Decimal(i).scaleb(-2) for i in rows], pa.decimal128(9, 2)),
            "day": pa.array([dt.date(1970, 1, 1) + dt.timedelta(i) for i in rows]),
            "name": [f"{i:03}" for i in rows],
            "real": pa.array([float(i) for i in rows]),
            "odd": pa.array([i if i < 50 else None for i in rows], pa.int32()),
            "yes": pa.array([i >= 90 for i in rows]),
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=10, store_decimal_as_integer=True)
    return str(path)


PRUNED = [
    (call("eq", column("id"), literal(42)), [4]),
    (call("eq", literal(42), column("id")), [4]),
    (call("lt", column("id"), literal(10)), [0]),
    (call("le", column("id"), literal(10)), [0, 1]),
    (call("gt", literal(10), column("id")), [0]),
    (call("ge", column("id"), literal(90)), [9]),
    (call("gt", column("id"), literal(89)), [9]),
    (call("in", column("id"), literal(5), literal(55), literal(500)), [0, 5]),
    (call("eq", column("id"), literal(None)), []),
    (call("or", call("eq", column("id"), literal(1)), call("eq", column("id"), literal(99))), [0, 9]),
    (call("and", call("gt", column("id"), literal(20)), call("lt", column("id"), literal(40))), [2, 3]),
    (call("eq", column("price", t.DecimalType(9, 2)), literal(421, t.DecimalType(10, 3))), [4]),
    (call("eq", column("day", t.DATE), literal(33, t.DATE)), [3]),
    (call("ge", column("name", t.STRING), literal("08", t.STRING)), [8, 9]),
    (call("is_null", column("odd", t.INT)), [5, 6, 7, 8, 9]),
    (call("is_not_null", column("odd", t.INT)), [0, 1, 2, 3, 4]),
    (call("gt", column("odd", t.INT), literal(5, t.INT)), [0, 1, 2, 3, 4]),
    (call("eq", Cast(t.BIGINT, column("odd", t.INT)), literal(12)), [1]),
    (column("yes", t.BOOLEAN), [9]),
    # NaN is above all numbers and not in the statistics: only lower bounds of floating point columns count.
    (call("lt", column("real", t.DOUBLE), literal(10.0, t.DOUBLE)), [0]),
    (call("gt", column("real", t.DOUBLE), literal(1e9, t.DOUBLE)), list(range(10))),
]


@pytest.mark.parametrize(("predicate", "groups"), PRUNED, ids=lambda value: str(value)[:60])
def test_row_groups_are_pruned(ten_groups, predicate, groups):
    provider = file_provider(ten_groups)
    assert provider.accept(ScanRequest(("id",), (predicate,))).inexact == (predicate,)
    splits = splits_of(Sources().open(spec_of(provider, ["id"], [predicate])))
    assert [split.definition[1] for split in splits] == groups


def test_conjuncts_that_cannot_prune_are_not_accepted(ten_groups):
    provider = file_provider(ten_groups)
    like = call("like", column("name", t.STRING), literal("%1", t.STRING))
    costly = call("regexp_matches", column("name", t.STRING), literal("1$", t.STRING))
    accepted = provider.accept(ScanRequest(("id",), (like, costly)))
    assert (accepted.inexact, accepted.exact) == ((like,), ())  # it leaves out rows, though no row groups


def test_a_limit_ends_the_scan_early_only_without_conjuncts(ten_groups):
    provider = file_provider(ten_groups)
    assert len(splits_of(Sources().open(spec_of(provider, ["id"], limit=15)))) == 2
    assert splits_of(Sources().open(spec_of(provider, ["id"], limit=0))) == []
    some = call("like", column("name", t.STRING), literal("%1", t.STRING))
    assert len(splits_of(Sources().open(spec_of(provider, ["id"], [some], limit=15)))) == 10


def test_statistics(ten_groups):
    statistics = file_provider(ten_groups).statistics()
    assert statistics.rows == 100
    found = statistics.columns
    assert (found["id"].minimum, found["id"].maximum, found["id"].nulls, found["id"].distinct) == (0, 99, 0, 100)
    assert (found["price"].minimum, found["price"].maximum) == (0, 99)
    assert (found["day"].minimum, found["day"].maximum) == (0, 99)
    assert (found["name"].minimum, found["name"].maximum) == ("000", "099")
    assert (found["real"].minimum, found["real"].maximum) == (0.0, None)
    assert (found["odd"].minimum, found["odd"].maximum, found["odd"].nulls) == (0, 49, 50)
    assert (found["yes"].minimum, found["yes"].maximum) == (False, True)


def test_statistics_of_every_unit_are_storage_values(tmp_path):
    moment = dt.datetime.fromisoformat("2020-01-02T03:04:05")
    micros = pa.scalar(moment, pa.timestamp("us")).value
    arrays = {unit: pa.array([moment], pa.timestamp(unit)) for unit in ("ms", "us", "ns")}
    arrays["time_ms"] = pa.array([dt.time(0, 0, 1)], pa.time32("ms"))
    arrays["u32"] = pa.array([2**32 - 1], pa.uint32())
    arrays["u64"] = pa.array([2**64 - 1], pa.uint64())
    arrays["wide"] = pa.array([Decimal(-(10**30))], pa.decimal128(38, 0))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(arrays), path)
    provider = file_provider(str(path))
    found = {name: one.maximum for name, one in provider.statistics().columns.items()}
    assert found == {
        "ms": micros, "us": micros, "ns": micros * 1000, "time_ms": 1_000_000, "u32": 2**32 - 1, "u64": 2**64 - 1,
        "wide": -(10**30),
    }  # fmt: skip
    assert scan(provider, ["ms", "u32", "u64", "wide"]) == [(moment, 2**32 - 1, 2**64 - 1, -(10**30))]


def test_distinct_values_are_estimated_from_dictionaries(tmp_path):
    path = tmp_path / "t.parquet"
    rows, drawn = 20_000, random.Random(1)
    table = pa.table(
        {
            "few": [f"v{i % 7}" for i in range(rows)],
            "drawn": [f"v{drawn.randrange(1000)}" for _ in range(rows)],
            "grows": [f"{i // 4:06}" for i in range(rows)],
            "unique": [f"{i * 7919 % rows}" for i in range(rows)],
            "null": pa.nulls(rows, pa.string()),
        }
    )
    pq.write_table(table, path, row_group_size=2000)
    found = {name: one.distinct for name, one in file_provider(str(path)).statistics().columns.items()}
    assert found["few"] == pytest.approx(7, abs=1)
    assert 900 <= found["drawn"] <= 1200
    assert found["grows"] == pytest.approx(5000, rel=0.01)
    assert found["unique"] == rows
    assert found["null"] <= 1


def test_statistics_that_are_missing(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path, write_statistics=False)
    found = file_provider(str(path)).statistics().columns["a"]
    assert (found.minimum, found.maximum, found.nulls) == (None, None, None)


def test_names_that_differ_in_case_only(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table([[1], [2], [3]], names=["A", "a", "a_1"]), path)
    provider = file_provider(str(path))
    assert [c.name for c in provider.schema.columns] == ["A", "a_2", "a_1"]
    assert provider.warnings == ("column 'a' is called 'a_2', because another one has that name",)
    assert scan(provider, ["a_2", "A", "a_1"]) == [(2, 1, 3)]


def test_equal_names(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table([[1], ["x"], [[3]]], names=["a", "a", "a"]), path)
    provider = file_provider(str(path))
    assert scan(provider, ["a_2", "a_1", "a"]) == [([3], "x", 1)]


def test_nested_columns(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "s": [{"a": 1, "b": [1, 2]}, None],
            "n": [1, 2],
            "m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        }
    )
    pq.write_table(table, path)
    provider = file_provider(str(path))
    assert scan(provider, ["n", "m", "s"]) == [(1, [("k", 1)], {"a": 1, "b": [1, 2]}), (2, None, None)]


def test_several_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "_tmp").mkdir()
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": ["y"], "a": [2]}), tmp_path / "deep" / "2.parquet")
    (tmp_path / "_tmp" / "3.parquet").write_text("unfinished")
    (tmp_path / ".hidden.parquet").write_text("unfinished")
    (tmp_path / "_SUCCESS").write_text("")
    provider = file_provider(str(tmp_path))
    assert scan(provider) == [(1, "x"), (2, "y")]
    assert provider.statistics().columns["a"].maximum == 2
    assert scan(file_provider(f"{tmp_path}/*.parquet")) == [(1, "x")]
    assert scan(file_provider(f"{tmp_path}/*/2.parquet")) == [("y", 2)]


def test_files_that_do_not_agree(tmp_path):
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": ["x"], "b": ["x"]}), tmp_path / "2.parquet")
    with pytest.raises(ConnectorError, match=r"column 'a' of file .*2\.parquet' is STRING, not the BIGINT"):
        file_provider(str(tmp_path))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "2.parquet")
    with pytest.raises(ConnectorError, match=r"2\.parquet' has no column 'b'"):
        file_provider(str(tmp_path))


def test_declared_columns(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"Id": pa.array([1, 2], pa.int32()), "x": [1.5, None]}), path)

    def declared(*columns):
        definition = TableDefinition("t", "filesystem", columns, (("path", str(path)),))
        return create_provider(definition)

    provider = declared(ColumnDefinition("x", t.DOUBLE), ColumnDefinition("ID", t.DecimalType(12, 1)))
    assert scan(provider) == [(1.5, Decimal("1.0")), (None, Decimal("2.0"))]
    assert provider.statistics().columns["ID"].maximum == 20
    with pytest.raises(ConnectorError, match=r"column 'Id' of file .* is INT, not the STRING that was declared"):
        declared(ColumnDefinition("id", t.STRING))
    with pytest.raises(ConnectorError, match="has no column 'y'"):
        declared(ColumnDefinition("y", t.STRING))
    with pytest.raises(ConnectorError, match="has a NULL in column 'x'"):
        scan(declared(ColumnDefinition("x", t.DOUBLE, nullable=False)))


def test_a_file_that_changes_after_planning(ten_groups):
    provider = file_provider(ten_groups)
    spec = spec_of(provider)
    os.utime(ten_groups, ns=(1, 1))
    with pytest.raises(ConnectorError, match="was changed while it was being read"):
        splits_of(Sources().open(spec))


@pytest.mark.parametrize("columns", [["id"], []], ids=["columns", "bare rows"])
def test_a_file_that_changes_between_two_row_groups(ten_groups, columns):
    source = Sources().open(spec_of(file_provider(ten_groups), columns))
    first, second, *_ = splits_of(source)
    assert source.reader(first, 1000).poll().length == 10
    os.utime(ten_groups, ns=(1, 1))
    with pytest.raises(ConnectorError, match="was changed while it was being read"):
        source.reader(second, 1000).poll()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a Parquet file"),
        (b"hello, this is text", "is not a Parquet file"),
        (b"PAR1" + b"\0" * 100, "is damaged or incomplete"),
        (b"PARE" + b"\0" * 100, "is encrypted"),
    ],
)
def test_files_that_are_no_parquet_files(tmp_path, content, message):
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    with pytest.raises(ConnectorError, match=f"t.parquet' {message}"):
        file_provider(str(path))


def test_truncated(ten_groups):
    data = Path(ten_groups).read_bytes()
    Path(ten_groups).write_bytes(data[: len(data) // 2])
    with pytest.raises(ConnectorError, match="is damaged or incomplete"):
        file_provider(ten_groups)


def test_a_damaged_page_is_named_when_it_is_read(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table({"a": list(range(1000)), "b": list(range(1000))}), path, row_group_size=500, compression="zstd"
    )
    chunk = pq.read_metadata(path).row_group(1).column(1)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)
    provider = file_provider(str(path))
    assert len(scan(provider, ["a"])) == 1000
    with pytest.raises(ConnectorError, match=r"t\.parquet") as caught:
        scan(provider, ["b"])
    assert "row group 1" in str(caught.value)


def test_paths(tmp_path):
    (tmp_path / "orders.parquet").write_bytes(b"")
    with pytest.raises(ConnectorError, match="does not exist") as caught:
        file_provider(str(tmp_path / "order.parquet"))
    assert "orders.parquet" in caught.value.hint
    with pytest.raises(ConnectorError, match="no file matches"):
        file_provider(f"{tmp_path}/*.csv")
    with pytest.raises(ConnectorError, match="s3 is not a local file system"):
        file_provider("s3://bucket/x.parquet")
    (tmp_path / "data.txt").write_text("x")
    with pytest.raises(ConnectorError, match="no ending that tells its format"):
        file_provider(str(tmp_path / "data.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConnectorError, match="has no files to read"):
        file_provider(str(tmp_path / "empty"))
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.csv").write_text("a\n1\n")
    (tmp_path / "mixed" / "b.json").write_text("{}\n")
    with pytest.raises(ConnectorError, match="files of several formats"):
        file_provider(str(tmp_path / "mixed"))


def test_a_scan_keeps_few_files_open(tmp_path):
    for i in range(40):
        pq.write_table(pa.table({"n": range(100)}), tmp_path / f"{i:02}.parquet", row_group_size=25)
    source = Sources().open(spec_of(file_provider(f"{tmp_path}/*.parquet")))
    before = len(os.listdir("/proc/self/fd"))
    for split in splits_of(source):
        assert source.reader(split, 1000).poll().length
        assert len(os.listdir("/proc/self/fd")) <= before + 5
    del source
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
