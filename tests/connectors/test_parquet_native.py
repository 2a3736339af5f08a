"""The native Parquet decoder against pyarrow: every type and writer option, and damaged files in their own process."""

import datetime as dt
import itertools
import random
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.columnar.kernels.parquet import open_chunk
from tableflow.connectors import file_provider
from tableflow.connectors.filesystem import parquet_column
from tableflow.connectors.filesystem.parquet_footer import read_footer
from tableflow.connectors.filesystem.path import stat_file
from tests.connectors.scanning import scan

pytestmark = pytest.mark.slow

ROWS = 5000


def columns(nulls, rows=ROWS, seed=1):
    """One column of every type that is decoded natively; ``nulls`` is the share of NULLs, None for NOT NULL."""
    source = np.random.default_rng(seed)
    mask = None if nulls is None else source.random(rows) < nulls

    def make(values, of=None):
        return pa.array(values, of, mask=mask)

    def integers(low, high):
        return source.integers(low, high, rows, endpoint=True)

    micros = integers(-(10**15), 10**15)
    digits = [int(v) for v in integers(-(10**17), 10**17)]
    words = np.array(["", "a", "köln", "x" * 40, "twelve bytes"], dtype=object)
    return {
        "bool": make(source.random(rows) < 0.3),
        "runs": make(np.repeat(source.random(rows // 100 + 1) < 0.5, 100)[:rows]),
        "i8": make(integers(-128, 127).astype(np.int8)),
        "i16": make(integers(-(2**15), 2**15 - 1).astype(np.int16)),
        "i32": make(integers(-(2**31), 2**31 - 1).astype(np.int32)),
        "i64": make(integers(-(2**63), 2**63 - 1)),
        "few": make(integers(0, 6)),
        "one": make(np.full(rows, 7)),
        "sorted": make(np.sort(integers(0, 1000))),
        "u8": make(integers(0, 255).astype(np.uint8)),
        "u16": make(integers(0, 2**16 - 1).astype(np.uint16)),
        "u32": make(integers(0, 2**32 - 1).astype(np.uint32)),
        "f32": make(source.random(rows).astype(np.float32)),
        "f64": make(source.standard_normal(rows)),
        "date": make(integers(-10000, 10000).astype(np.int32)).cast(pa.date32()),
        "time": make(integers(0, 86_399_999).astype(np.int32)).cast(pa.time32("ms")),
        "time_us": make(integers(0, 86_399_999_999)).cast(pa.time64("us")),
        "ms": make(micros // 1000, pa.int64()).cast(pa.timestamp("ms")),
        "us": make(micros).cast(pa.timestamp("us")),
        "ns": make(micros * 1000).cast(pa.timestamp("ns")),
        "zoned": make(micros).cast(pa.timestamp("us", "Europe/Berlin")),
        "d9": make([Decimal(v % 10**9).scaleb(-2) for v in digits], pa.decimal128(9, 2)),
        "d18": make([Decimal(v).scaleb(-4) for v in digits], pa.decimal128(18, 4)),
        "d38": make([Decimal(v * 10**15).scaleb(-10) for v in digits], pa.decimal128(38, 10)),
        "word": make(words[integers(0, 4)], pa.string()),
        "text": make([f"text {v}" * (int(v) % 5) for v in integers(0, 10**6)], pa.string()),
        "bytes": make([b"\0\xff" * (int(v) % 9) for v in integers(0, 100)], pa.binary()),
    }


OPTIONS = [
    {"compression": compression, "data_page_version": version, "use_dictionary": dictionary, "data_page_size": size}
    for (compression, version, dictionary), size in zip(
        itertools.product(["snappy", "none", "zstd", "gzip", "lz4", "brotli"], ["1.0", "2.0"], [True, False]),
        itertools.cycle([1 << 20, 300, 5000]),
        strict=False,
    )
]


def native_plans(path):
    footer = read_footer(stat_file(str(path)))
    return footer, {c.name: footer.plan(0, c) for c in footer.columns}


@pytest.fixture
def no_fallback(monkeypatch):
    """pyarrow must not be asked."""

    def refuse(*arguments):
        raise AssertionError("read through pyarrow")

    monkeypatch.setattr(parquet_column.ArrowColumns, "__init__", refuse)


def check(path, batch_rows):
    provider = file_provider(str(path))
    expected = pq.ParquetFile(path).read()
    got = scan(provider, batch_rows=batch_rows)
    names = expected.column_names
    wanted = list(zip(*(expected_values(expected.column(name)) for name in names), strict=True))
    assert len(got) == len(wanted)
    for i, name in enumerate(names):
        assert [row[i] for row in got] == [row[i] for row in wanted], name


def expected_values(column):
    of = column.type
    if pa.types.is_timestamp(of) and of.tz:
        column = column.cast(pa.timestamp(of.unit, "UTC"))
    if pa.types.is_timestamp(of) and of.unit == "ns":
        return [
            None if v is None else v.to_pydatetime(warn=False) if hasattr(v, "to_pydatetime") else v
            for v in column.to_pylist()
        ]
    return column.to_pylist()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("nulls", [None, 0.2, 1.0])
def test_equal_to_pyarrow(tmp_path, options, nulls, no_fallback):
    arrays = columns(nulls, rows=900)
    fields = [pa.field(name, array.type, nullable=nulls is not None) for name, array in arrays.items()]
    table = pa.table(list(arrays.values()), schema=pa.schema(fields))
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=600, dictionary_pagesize_limit=3000, **options)
    _, plans = native_plans(path)
    assert [name for name, plan in plans.items() if plan is None] == []
    check(path, 333)


def test_decimals_as_integers(tmp_path, no_fallback):
    arrays = {name: columns(0.1)[name] for name in ("d9", "d18", "d38")}
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(arrays), path, store_decimal_as_integer=True)
    assert {name: plan.conversion for name, plan in native_plans(path)[1].items()} == {
        "d9": "i32", "d18": "i64", "d38": "fixed:i128",
    }  # fmt: skip
    check(path, 777)


@pytest.mark.parametrize("name", ["i64", "text", "word", "bool", "d18", "few", "f64"])
@pytest.mark.parametrize("nulls", [None, 0.3])
def test_reading_and_skipping_in_any_steps(tmp_path, name, nulls):
    array = columns(nulls)[name]
    path = tmp_path / "t.parquet"
    schema = pa.schema([pa.field("c", array.type, nullable=nulls is not None)])
    pq.write_table(pa.table([array], schema=schema), path, data_page_size=700, dictionary_pagesize_limit=2000)
    plans = native_plans(path)[1]
    whole = decoded(open_all(path, plans["c"]).read(ROWS))
    random_ = random.Random(name)
    for _ in range(20):
        reader = open_all(path, plans["c"])
        position = 0
        while reader.left:
            step = random_.randint(0, min(reader.left, 900))
            if random_.random() < 0.4:
                reader.skip(step)
            else:
                assert decoded(reader.read(step)).equals(whole.slice(position, step))
            position += step
        assert position == ROWS


def open_all(path, plan):
    with open(path, "rb") as file:
        return open_chunk(file.fileno(), plan)


def decoded(vector):
    array = pa.array(vector)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def test_dictionary_codes_until_the_dictionary_is_full(tmp_path, no_fallback):
    values = [f"value {i // 2}" for i in range(4000)]
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table({"few": ["a", "b", None, "a"] * 1000, "many": values}), path, dictionary_pagesize_limit=5000,
        data_page_size=1000, write_batch_size=100,
    )  # fmt: skip
    _, plans = native_plans(path)
    few = open_all(path, plans["few"])
    first, second = few.read(1500), few.read(2500)
    assert first.dictionary is not None and len(first.dictionary) == 2
    assert pa.array(first).dictionary.equals(pa.array(second).dictionary)
    many = open_all(path, plans["many"])
    assert many.read(4000).dictionary is None
    check(path, 1000)


def test_what_is_not_decoded_natively_is_read_all_the_same(tmp_path):
    day = dt.datetime.fromisoformat("2020-01-01T00:00:00")
    table = pa.table({"n": [1, 2], "s": [{"a": 1}, None], "l": [[1], []], "at": [day, None]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    plans = native_plans(path)[1]
    assert {name for name, plan in plans.items() if plan is not None} == {"n", "at"}
    assert scan(file_provider(str(path)), ["n", "l", "s"], batch_rows=1) == [(1, [1], {"a": 1}), (2, [], None)]


@pytest.mark.parametrize("codec", ["snappy", "lz4"])
def test_enums_are_texts(tmp_path, codec, monkeypatch):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"e": ["yes", None, "no", "yes"]}), path, store_schema=False, compression=codec)
    data = path.read_bytes()
    text, enum = b"\x25\x00\x4c\x1c\x00\x00", b"\x25\x08\x4c\x4c\x00\x00"  # both spellings of a logical type
    assert data.count(text) == 1
    path.write_bytes(data.replace(text, enum))
    assert pq.read_schema(path).field("e").type == pa.binary()
    provider = file_provider(str(path))
    wanted = [("yes",), (None,), ("no",), ("yes",)]
    assert str(provider.schema.columns[0].type) == "STRING"
    assert scan(provider) == wanted
    assert provider.statistics().columns["e"].minimum in {None, "no"}
    monkeypatch.setattr(parquet_column, "open_chunk", refuse)
    assert scan(provider) == wanted


def refuse(*arguments):
    raise NotImplementedError


def test_pyarrow_goes_on_where_the_decoder_gives_up(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(1000)), "b": [str(i) for i in range(1000)]}), path)

    class GivesUp:
        def __init__(self, reader):
            self.reader = reader
            self.pages = reader.pages

        def skip(self, rows):
            self.reader.skip(rows)

        def read(self, rows):
            if self.reader.left < 800:
                raise NotImplementedError
            return self.reader.read(rows)

    monkeypatch.setattr(parquet_column, "open_chunk", lambda fd, plan, cache: GivesUp(open_chunk(fd, plan, cache)))
    assert scan(file_provider(str(path)), batch_rows=99) == [(i, str(i)) for i in range(1000)]


def test_errors_of_a_reader(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(10))}), path)
    plan = native_plans(path)[1]["a"]
    reader = open_all(path, plan)
    with pytest.raises(IndexError):
        reader.read(11)
    with pytest.raises(IndexError):
        reader.skip(-1)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="ends"):
        open_all(path, plan).read(10)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("function", "times"), [("main", 800), ("scan_damaged_files", 250)])
def test_damaged_files_do_not_crash(tmp_path, seed, function, times):
    code = f"from tests.connectors import parquet_damage; parquet_damage.{function}()"
    arguments = [sys.executable, "-c", code, str(tmp_path), str(seed), str(times)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == times and refused > times // 8
