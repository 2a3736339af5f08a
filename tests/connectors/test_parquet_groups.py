"""Row groups are read several at once, and give what each would give alone."""

import datetime as dt
from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tableflow.config import Settings
from tableflow.connectors import Sources, file_provider
from tableflow.connectors.filesystem import parquet, parquet_filter, parquet_groups, parquet_reader, source
from tableflow.connectors.filesystem.format import FileColumn, FileScan
from tableflow.connectors.filesystem.path import stat_file
from tableflow.errors import ConnectorError
from tableflow.expressions.nodes import Call, ColumnRef, Literal
from tableflow.runtime.source import Done
from tableflow.types import BIGINT, BOOLEAN, DATE, StringType
from tests.connectors.scanning import batches_of, rows_of, scan, spec_of, splits_of

ROWS, GROUP = 1_300, 83
TEXT = StringType()
DICE = np.random.default_rng(5)


def nullable(values, type=None):
    return pa.array(values, type, mask=DICE.random(ROWS) < 0.1)


TABLE = pa.table(
    {
        "id": np.arange(ROWS),
        "key": nullable(DICE.integers(-500, 500, ROWS)),
        "day": nullable(DICE.integers(0, 90, ROWS).astype(np.int32)).cast(pa.date32()),
        "colour": nullable(np.array(["red", "green", "blue"])[DICE.integers(0, 3, ROWS)]),
        "remark": nullable([f"remark {i}" for i in DICE.integers(0, 9999, ROWS)]),
        "money": nullable([Decimal(int(i)) * 10**20 for i in DICE.integers(0, 99, ROWS)], pa.decimal128(30, 2)),
        "real": nullable(DICE.random(ROWS)),
        "yes": nullable(DICE.random(ROWS) < 0.5),
        "empty": pa.nulls(ROWS, pa.string()),
    }
)


@pytest.fixture(params=["small", "middling"])
def size(request, monkeypatch):
    """Middling row groups have filters that need Python, and pages that are left out."""
    if request.param == "middling":
        monkeypatch.setattr(parquet_groups, "SMALL_ROWS", 0)


@pytest.fixture(params=["zstd", "no dictionaries"])
def path(tmp_path, request, size):
    path = tmp_path / "t.parquet"
    compression = "none" if request.param == "no dictionaries" else request.param
    dictionaries = request.param != "no dictionaries"
    pq.write_table(TABLE, path, row_group_size=GROUP, compression=compression, use_dictionary=dictionaries)
    return path


def call(function, *args):
    return Call(BOOLEAN, function, args)


KEY, DAY, COLOUR = ColumnRef(BIGINT, 1, "key"), ColumnRef(DATE, 1, "day"), ColumnRef(TEXT, 1, "colour")
CONJUNCTS = {
    "none": [],
    "range": [call("ge", KEY, Literal(BIGINT, 100)), call("lt", KEY, Literal(BIGINT, 160))],
    "day": [call("eq", DAY, Literal(DATE, 19))],
    "colour": [call("eq", COLOUR, Literal(TEXT, "red"))],
    "colour of a day": [call("eq", COLOUR, Literal(TEXT, "blue")), call("lt", DAY, Literal(DATE, 8))],
    "nothing": [call("eq", COLOUR, Literal(TEXT, "yellow")), call("eq", KEY, Literal(BIGINT, 7))],
}


def accepts(name, row):
    _, key, day, colour = row[:4]
    early = day is not None and day < dt.date(1970, 1, 9)
    return {
        "none": True,
        "range": key is not None and 100 <= key < 160,
        "day": day == dt.date(1970, 1, 20),
        "colour": colour == "red",
        "colour of a day": colour == "blue" and early,
        "nothing": False,
    }[name]


@pytest.mark.parametrize("batch_rows", [50, 65_536])
@pytest.mark.parametrize("name", CONJUNCTS)
def test_the_rows_are_those_of_the_file(path, name, batch_rows):
    found = scan(file_provider(str(path)), predicates=CONJUNCTS[name], batch_rows=batch_rows)
    whole = [tuple(row.values()) for row in TABLE.to_pylist()]
    wanted = [row for row in whole if accepts(name, row)]
    assert [row for row in found if accepts(name, row)] == wanted
    positions = {row[0]: row for row in whole}
    assert all(positions[row[0]] == row for row in found)


def test_few_splits_and_few_batches(path):
    source = Sources().open(spec_of(file_provider(str(path))))
    assert len(splits_of(source)) == 1
    assert [batch.length for batch in batches_of(source, 65_536)] == [ROWS]
    assert all(batch.length > 500 for batch in list(batches_of(source, 700))[:-1])


def test_what_is_counted(path):
    source = Sources().open(spec_of(file_provider(str(path)), predicates=CONJUNCTS["range"]))
    counts = Counter()
    for split in splits_of(source):
        reader = source.reader(split, 65_536)
        while not isinstance(reader.poll(), Done):
            pass
        counts.update(reader.take_counts())
    groups = -(-ROWS // GROUP)
    assert counts["native_chunks"] == groups * TABLE.num_columns
    inside = sum(accepts("range", tuple(row.values())) for row in TABLE.to_pylist())
    assert counts["rows_filtered"] == ROWS - inside


@pytest.mark.parametrize("name", ["none", "range"])
def test_a_reader_goes_on_where_another_stopped(path, name):
    source = Sources().open(spec_of(file_provider(str(path)), ["id", "key", "colour"], CONJUNCTS[name]))
    (split,) = splits_of(source)

    def rest(offset, batch_rows):
        reader = source.reader(split.__class__(split.id, split.definition, offset), batch_rows)
        while not isinstance(batch := reader.poll(), Done):
            yield reader.offset(), rows_of(batch)

    whole = [row for _, rows in rest(None, 65_536) for row in rows]
    read = []
    for offset, rows in rest(None, 130):
        read += rows
        assert read + [row for _, more in rest(offset, 400) for row in more] == whole


def test_no_columns_and_limits(path):
    assert scan(file_provider(str(path)), columns=[], batch_rows=1000) == [()] * ROWS
    assert len(scan(file_provider(str(path)), columns=["id"], limit=100)) == 2 * GROUP


@pytest.mark.parametrize("codec", ["gzip", "brotli"])
def test_what_is_not_covered_is_read_one_by_one(tmp_path, codec):
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path, row_group_size=GROUP, compression={"key": codec, "colour": "snappy"})
    nested = tmp_path / "nested.parquet"
    lists = TABLE.append_column("list", pa.array([[i, None] for i in range(ROWS)]))
    pq.write_table(lists, nested, row_group_size=GROUP)
    whole = [tuple(row.values()) for row in TABLE.to_pylist()]
    assert scan(file_provider(str(path)), batch_rows=500) == whole
    assert [row[:-1] for row in scan(file_provider(str(nested)), batch_rows=500)] == whole


def test_groups_of_another_codec_are_left_to_others(tmp_path):
    path = tmp_path / "t.parquet"
    with pq.ParquetWriter(path, TABLE.schema) as writer:
        for first in range(0, ROWS, GROUP):
            writer.write_table(TABLE.slice(first, GROUP))
    provider = file_provider(str(path))
    footer = parquet.read_footer(provider_file(provider))
    for place in footer.columns:
        footer.layout(place).alike[5] = False
    assert scan(provider, batch_rows=400) == [tuple(row.values()) for row in TABLE.to_pylist()]


def provider_file(provider):
    return spec_of(provider).options.files[0]


def test_damage_is_told_by_whom_reads_one_by_one(path, monkeypatch):
    provider = file_provider(str(path))
    footer = parquet.read_footer(provider_file(provider))
    place = footer.columns[4]
    layout = footer.layout(place)
    data = bytearray(path.read_bytes())
    file = provider_file(provider)
    data[layout.offsets[3] : layout.offsets[3] + 40] = b"\xff" * 40
    path.write_bytes(data)
    monkeypatch.setattr(type(file), "check", lambda self: None)
    monkeypatch.setattr(type(file), "check_opened", lambda self, fd: None)
    source = Sources().open(spec_of(provider, ["id", "remark"]))
    seen = []
    with pytest.raises(ConnectorError, match="row group 3, column 'remark'"):
        for batch in batches_of(source, 65_536):
            seen += rows_of(batch)
    assert len(seen) == 3 * GROUP


def test_a_file_that_has_changed_is_noticed(path):
    import os

    source = Sources().open(spec_of(file_provider(str(path)), ["id"]))
    (split,) = splits_of(source)
    os.utime(path, ns=(1, 1))
    with pytest.raises(ConnectorError, match="was changed while it was being read"):
        source.reader(split, 1000).poll()


def test_large_groups_between_small_ones_keep_their_place(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MIDDLING_ROWS", 100)
    monkeypatch.setattr(parquet, "_together_rows", lambda footer, group, tasks: 250)
    path = tmp_path / "t.parquet"
    with pq.ParquetWriter(path, TABLE.schema) as writer:
        first = 0
        for rows in (80, 90, 70, 300, 10, 101, 100, 100, 100, 1):
            writer.write_table(TABLE.slice(first, rows))
            first += rows
    source = Sources().open(spec_of(file_provider(str(path)), ["id"]))
    assert [split.definition[1] for split in splits_of(source)] == [[0, 1, 2], 3, [4], 5, [6, 7], [8, 9]]
    assert scan(file_provider(str(path)), columns=["id"]) == [(i,) for i in range(first)]


def test_splits_get_smaller_towards_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MIDDLING_ROWS", 20)
    monkeypatch.setattr(parquet, "TOGETHER_ROWS", 150)
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path, row_group_size=10)
    for tasks, first in (1, 150), (8, 80):
        settings = Settings().with_value("parallelism.default", str(tasks))
        splits = splits_of(Sources(settings).open(spec_of(file_provider(str(path)))))
        groups = [one if isinstance(one := split.definition[1], list) else [one] for split in splits]
        assert [one for each in groups for one in each] == list(range(ROWS // 10))
        rows = [len(each) * 10 for each in groups]
        assert rows[0] == first
        assert rows[-1] <= 20
        assert rows == sorted(rows, reverse=True)


def test_pages_of_middling_groups_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_groups, "SMALL_ROWS", 0)
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path, row_group_size=400, write_page_index=True, data_page_size=64, write_batch_size=10)
    low = [call("lt", ColumnRef(BIGINT, 0, "id"), Literal(BIGINT, 405))]
    source = Sources().open(spec_of(file_provider(str(path)), ["id", "remark"], low))
    counts, seen = Counter(), []
    for split in splits_of(source):
        reader = source.reader(split, 65_536)
        while not isinstance(batch := reader.poll(), Done):
            seen += [row[0] for row in rows_of(batch)]
        counts.update(reader.take_counts())
    assert [number for number in seen if number < 405] == list(range(405))
    assert counts["rows_pruned_by_page"] > 300


def test_steps_grow_where_little_is_left():
    wider = parquet_reader.wider
    assert [wider(100, share) for share in (1.0, 0.3, 0.25, 0.1, 0.01, 0.0)] == [100, 100, 200, 500, 800, 800]


def test_only_columns_that_may_have_a_null_are_asked_for_one(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    numbers = pa.array([1, 2, 3])
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.int64())])
    pq.write_table(pa.table([numbers, numbers], schema=schema), path)
    columns = (FileColumn("a", BIGINT, nullable=False), FileColumn("b", BIGINT, nullable=False))
    declared = FileScan("parquet", (stat_file(str(path)),), columns, (1, 0))
    asked = []
    monkeypatch.setattr(source, "null_count", lambda column: asked.append(column) or 0)
    files = source.FileSource(declared, parquet.ParquetFormat(), "natural", 1)
    assert files.reader(files.assigner().next(0), 100).poll().rows == 3
    assert len(asked) == 1  # the first of the columns that are read, which is b


def test_bounds_that_leave_little_are_not_weighed_anew_for_each_group(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    values = [i % 50 for i in range(1_000)]
    pq.write_table(pa.table({"v": values, "n": list(range(1_000))}), path, row_group_size=100, use_dictionary=False)
    monkeypatch.setattr(parquet_groups, "SMALL_ROWS", 0)
    asked = []
    weigh = parquet_filter.ScanFilters.of_group
    monkeypatch.setattr(parquet_filter.ScanFilters, "of_group", lambda *args: asked.append(weigh(*args)) or asked[-1])
    conjunct = Call(BOOLEAN, "lt", (ColumnRef(BIGINT, 1, "v"), Literal(BIGINT, 3)))
    given = scan(file_provider(str(path)), ["n", "v"], [conjunct], batch_rows=100)
    assert [row for row in given if row[1] < 3] == [(i, v) for i, v in enumerate(values) if v < 3]
    assert len(given) < 200  # rows were left out in later groups, too
    assert [len(filters) for filters in asked] == [1]
