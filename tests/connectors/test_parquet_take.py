"""Rows by their places, accepted dictionary entries, jumps; and pages that no writer at hand produces."""

import dataclasses
import random
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.columnar.kernels.parquet import ChunkPlan
from tests.connectors.parquet_matrix import ENCODINGS, table_of
from tests.connectors.test_parquet_native import decoded, native_plans, open_all

NAMES = [
    "i32",
    "i64",
    "few",
    "one",
    "sorted",
    "bool",
    "runs",
    "d18",
    "d38",
    "word",
    "text",
    "fixed",
    "nan",
    "u8",
    "long",
]
ROWS = 3000


def write(path, nulls, name, **options):
    table = table_of(nulls, ROWS, [name])
    settings = {"data_page_size": 1500, "write_batch_size": 50, "dictionary_pagesize_limit": 4000} | options
    pq.write_table(table, path, **settings)
    plan = native_plans(path)[1][name]
    return plan, decoded(open_all(path, plan).read(ROWS))


def same(found, wanted):
    if pa.types.is_floating(wanted.type):
        found, wanted = (one.view(pa.int64() if one.type == pa.float64() else pa.int32()) for one in (found, wanted))
    assert found.equals(wanted)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("nulls", [None, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("dictionary", [True, False])
def test_any_places_in_any_steps(tmp_path, name, nulls, dictionary):
    plan, whole = write(tmp_path / "t.parquet", nulls, name, use_dictionary=dictionary)
    random_ = random.Random(f"{name}{nulls}{dictionary}")
    for share in (0.0, 0.003, 0.1, 0.6, 1.0):
        reader = open_all(tmp_path / "t.parquet", plan)
        position = 0
        while reader.left:
            step = random_.randint(0, min(reader.left, 1200))
            at = np.array([i for i in range(step) if random_.random() < share], np.uint32)
            if random_.random() < 0.3:
                same(decoded(reader.read(step)), whole.slice(position, step))
            else:
                same(decoded(reader.read_at(step, at)), whole.slice(position, step).take(pa.array(at)))
            position += step


@pytest.mark.parametrize("name", ["few", "i64", "word", "text", "fixed", "d18", "nan", "one", "sorted"])
@pytest.mark.parametrize("nulls", [None, 0.3])
def test_accepted_entries(tmp_path, name, nulls):
    plan, whole = write(tmp_path / "t.parquet", nulls, name)
    random_ = random.Random(name)
    reader = open_all(tmp_path / "t.parquet", plan)
    entries = pa.array(reader.dictionary())
    accepted = np.array([random_.random() < 0.4 for _ in range(len(entries))], np.uint8)
    values = set(entries.filter(pa.array(accepted.astype(bool))).to_pylist())
    all_exact = True
    position = 0
    while reader.left:
        step = random_.randint(0, min(reader.left, 900))
        at = np.array([i for i in range(step) if random_.random() < 0.7], np.uint32)
        if random_.random() < 0.4:
            at = np.arange(step, dtype=np.uint32)
            vector, kept, exact = reader.read_matching(step, None, accepted)
        else:
            vector, kept, exact = reader.read_matching(step, at, accepted)
        rows = at[kept]
        part = whole.slice(position, step)
        same(decoded(vector), part.take(pa.array(rows)))
        wanted = [i for i in at.tolist() if part[i].as_py() in values]
        assert set(wanted) <= set(rows.tolist()) <= set(at.tolist())
        if exact and name != "nan":
            assert rows.tolist() == wanted
        all_exact &= exact
        position += step
    assert all_exact == (name in {"few", "fixed", "one", "word"})  # the others outgrow their dictionary


@pytest.mark.parametrize(
    "entries", [1, 2, 3, 7, 16, 31, 32, 33, 100, 256, 257, 1000, 3000, 5000, 20_000, 40_000, 70_000]
)
def test_codes_of_every_width(tmp_path, entries):
    rng = np.random.default_rng(entries)
    rows = entries + 300
    values = np.concatenate([rng.permutation(entries), rng.integers(0, entries, 300)]) * 3
    table = pa.table({"v": pa.array(values, pa.int64())}, schema=pa.schema([pa.field("v", pa.int64(), nullable=False)]))
    pq.write_table(table, tmp_path / "t.parquet", dictionary_pagesize_limit=1 << 24)
    plan = native_plans(tmp_path / "t.parquet")[1]["v"]
    stored = pa.array(open_all(tmp_path / "t.parquet", plan).dictionary()).to_numpy()
    assert len(stored) == entries
    assert decoded(open_all(tmp_path / "t.parquet", plan).read(rows)).to_pylist() == values.tolist()
    for share in (0.0, 0.01, 0.5, 1.0):
        accepted = (rng.random(entries) < share).astype(np.uint8)
        inside = np.isin(values, stored[accepted == 1])
        vector, kept, exact = open_all(tmp_path / "t.parquet", plan).read_matching(rows, None, accepted)
        assert exact and np.asarray(kept).tolist() == np.flatnonzero(inside).tolist()
        assert decoded(vector).to_pylist() == values[inside].tolist()
        at = np.flatnonzero(rng.random(rows) < 0.7).astype(np.uint32)
        vector, kept, _ = open_all(tmp_path / "t.parquet", plan).read_matching(rows, at, accepted)
        assert np.asarray(kept).tolist() == np.flatnonzero(inside[at]).tolist()
        assert decoded(vector).to_pylist() == values[at][inside[at]].tolist()
    for places in (None, np.arange(rows, dtype=np.uint32)):
        with pytest.raises(ValueError, match="outside"):  # one entry less than there are codes of
            open_all(tmp_path / "t.parquet", plan).read_matching(rows, places, np.ones(entries - 1, np.uint8))


def test_places_and_masks_are_checked(tmp_path):
    plan, _ = write(tmp_path / "t.parquet", 0.2, "few")
    for at in ([5], [1, 1], [2, 1]):
        with pytest.raises(ValueError, match="ascend"):
            open_all(tmp_path / "t.parquet", plan).read_at(5, np.array(at, np.uint32))
    with pytest.raises(IndexError):
        open_all(tmp_path / "t.parquet", plan).read_at(ROWS + 1, np.array([], np.uint32))
    with pytest.raises(ValueError, match="outside"):
        open_all(tmp_path / "t.parquet", plan).read_matching(
            ROWS, np.arange(ROWS, dtype=np.uint32), np.array([1], np.uint8)
        )
    with pytest.raises(ValueError, match="offset index"):
        open_all(tmp_path / "t.parquet", plan).jump(plan.offset + plan.size + 1, 7)
    with pytest.raises(ValueError, match="offset index"):
        open_all(tmp_path / "t.parquet", plan).jump(plan.offset, ROWS + 1)


# Pages by hand: a data page of version 1 in the compact protocol of thrift.


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def page(values, contents, encoding=0, level_encoding=3):
    def field(delta, number):
        return bytes([delta << 4 | 5]) + varint(number << 1)

    header = field(1, values) + field(1, encoding) + field(1, level_encoding) + field(1, 3) + b"\0"
    return field(1, 0) + field(1, len(contents)) + field(1, len(contents)) + b"\x2c" + header + b"\0" + contents


def hand_made(path, contents, values, conversion, format, *, optional=False, type_length=0, **options):
    data = page(values, contents, **options)
    path.write_bytes(data)
    plan = ChunkPlan(0, len(data), values, optional, conversion, format, type_length, "none", None)
    return pa.array(open_all(path, plan).read(values))


def test_levels_packed_from_the_highest_bit(tmp_path):
    present = [i % 3 != 1 for i in range(21)]
    levels = np.packbits(np.array(present, np.uint8)).tobytes()
    contents = levels + np.arange(sum(present), dtype=np.int64).tobytes()
    found = hand_made(tmp_path / "p", contents, 21, "i64", "l", optional=True, level_encoding=4)
    numbers = iter(range(21))
    assert found.to_pylist() == [next(numbers) if one else None for one in present]


@pytest.mark.parametrize("numbers", [[0, 1, -1, 127, -128, 10**17, -(10**17)], [2**63 - 1, -(2**63)]])
def test_decimals_of_any_number_of_bytes(tmp_path, numbers):
    def stored(number, extra):
        size = number.bit_length() // 8 + 1 + extra
        return size.to_bytes(4, "little") + number.to_bytes(size, "big", signed=True)

    for extra in (0, 1, 20):
        contents = b"".join(stored(number, extra) for number in numbers)
        found = hand_made(tmp_path / "p", contents, len(numbers), "bytes:i64", "l")
        assert found.to_pylist() == numbers
        wide = b"".join(stored(number * 10**18, extra) for number in numbers)
        found = hand_made(tmp_path / "p", wide, len(numbers), "bytes:i128", "d:38,0")
        assert [int(v) for v in found.to_pylist()] == [number * 10**18 for number in numbers]
        fixed = b"".join(number.to_bytes(9 + extra, "big", signed=True) for number in numbers)
        found = hand_made(tmp_path / "p", fixed, len(numbers), "fixed:i64", "l", type_length=9 + extra)
        assert found.to_pylist() == numbers


@pytest.mark.parametrize(
    ("conversion", "format", "length", "contents"),
    [
        ("bytes:i64", "l", 0, struct.pack("<i", 0)),
        ("bytes:i64", "l", 0, struct.pack("<i", 9) + b"\x01" + bytes(8)),
        ("bytes:i64", "l", 0, struct.pack("<i", 200) + bytes(9)),
        ("fixed:i64", "l", 9, b"\x01" + bytes(8)),
        ("fixed:i128", "d:38,0", 20, b"\0\0\0\x01" + bytes(16)),
        ("fixed:i128", "d:38,0", 17, b"\0\x80" + bytes(15)),
        ("fixed:i64", "l", 9, bytes(8)),
    ],
)
def test_decimals_that_do_not_fit_are_refused(tmp_path, conversion, format, length, contents):
    with pytest.raises(ValueError, match=r"decimal|fewer"):
        hand_made(tmp_path / "p", contents, 1, conversion, format, type_length=length)


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name not in {"RLE", "PLAIN"}])
def test_an_encoding_of_another_type_is_refused(tmp_path, encoding):
    name, to = ("text", ("i64", "l")) if encoding.endswith("BYTE_ARRAY") else ("i64", ("string", "u"))
    path = tmp_path / "t.parquet"
    pq.write_table(table_of(None, 100, [name]), path, use_dictionary=False, column_encoding={name: encoding})
    plan = dataclasses.replace(native_plans(path)[1][name], conversion=to[0], format=to[1])
    with pytest.raises(NotImplementedError):
        open_all(path, plan).read(100)
