"""What every connector must do, over all formats: projection, resuming, batches of one row, NULLs, types."""

import json

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import ColumnDefinition
from tableflow.columnar.representation import from_arrow_type
from tableflow.config import Settings
from tableflow.connectors import MemoryTable, Sources, create_provider
from tableflow.runtime.source import Done
from tableflow.types import DecimalType, StringType
from tests.connectors.scanning import all_types, batches_of, rows_of, scan, spec_of, splits_of

FORMATS = ["parquet", "csv", "json", "arrow", "orc", "memory"]


def write(table, path, format):
    if format == "parquet":
        pq.write_table(table, path, row_group_size=4)
    elif format == "csv":
        import csv

        with open(path, "w", newline="") as file:
            file.write(",".join(table.column_names) + "\n")
            for row in table.to_pylist():
                cells = ["" if v is None else json_text(v) for v in row.values()]
                csv.writer(file, quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerow(cells)
    elif format == "json":
        with open(path, "w") as file:
            for row in table.to_pylist():
                items = {k: v if isinstance(v, int | float) else json_text(v) for k, v in row.items() if v is not None}
                file.write(json.dumps(items) + "\n")
    elif format == "arrow":
        pa.feather.write_feather(table, str(path), chunksize=4, compression="uncompressed")
    else:
        pa.orc.write_table(table, str(path))


def json_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture(params=FORMATS)
def made(request, tmp_path):
    """(provider, sources) over a table, by format."""

    def make(table, **options):
        sources = Sources()
        if request.param == "memory":
            return MemoryTable(table, sources.objects, split_rows=4), sources
        path = tmp_path / f"t.{request.param}"
        write(table, path, request.param)
        columns = tuple(ColumnDefinition(f.name, from_arrow_type(f.type), f.nullable) for f in table.schema)
        given = {"path": str(path), "format": request.param, **options}
        return create_provider(TableDefinition("t", "filesystem", columns, tuple(given.items()))), sources

    return make


def expected(table, columns=None):
    chosen = table if columns is None else table.select(columns)
    return [tuple(row.values()) for row in chosen.to_pylist()]


def test_all_types_and_nulls(made, table):
    provider, sources = made(table)
    assert scan(provider, sources=sources) == expected(table)
    assert [c.type for c in provider.schema.columns] == [from_arrow_type(f.type) for f in table.schema]


@pytest.mark.parametrize("batch_rows", [1, 3, 1000])
def test_batches_are_not_larger_than_asked_for(made, table, batch_rows):
    provider, sources = made(table)
    assert scan(provider, batch_rows=batch_rows, sources=sources) == expected(table)


@pytest.mark.parametrize("columns", [["name"], ["real", "id"], ["price", "name", "day", "flag"]])
def test_projection(made, table, columns):
    provider, sources = made(table)
    assert scan(provider, columns, sources=sources) == expected(table, columns)


def test_no_column_at_all_still_has_rows(made, table):
    provider, sources = made(table)
    assert len(scan(provider, [], batch_rows=3, sources=sources)) == 10


def test_empty(made, table):
    provider, sources = made(table.slice(0, 0))
    assert scan(provider, sources=sources) == []
    assert scan(provider, [], sources=sources) == []
    provider.statistics()


def test_resuming_after_every_batch(made, table):
    provider, sources = made(table)
    spec = spec_of(provider, ["id", "name"])
    source = sources.open(spec)
    wanted = expected(table, ["id", "name"])
    got = []
    for split in splits_of(source):
        while True:
            # A new reader for each batch, from the offset of the one before.
            reader = sources.open(spec).reader(split, 2)
            batch = reader.poll()
            if isinstance(batch, Done):
                break
            got += rows_of(batch)
            offset = json.loads(json.dumps(reader.offset()))
            reader.close()
            split = type(split)(split.id, split.definition, offset)
    assert got == wanted


def test_statistics_are_bounds(made, table):
    provider, _ = made(table)
    statistics = provider.statistics()
    assert statistics.rows in {None, 10}
    if statistics.rows is None:
        return
    for name, found in statistics.columns.items():
        values = [v for v in table.column(name).to_pylist() if v is not None]
        if found.nulls is not None:
            assert found.nulls == 10 - len(values)
        if isinstance(found.minimum, int) and not isinstance(found.minimum, bool) and name in {"id", "tiny", "small"}:
            assert found.minimum == min(values) and found.maximum == max(values)


@pytest.mark.parametrize("representation", ["wide", "dictionary"])
def test_forced_representations(made, table, representation):
    provider, sources = made(table)
    forced = sources.with_settings(Settings().with_value("debug.representation", representation))
    assert scan(provider, sources=forced) == expected(table)
    for batch in batches_of(forced.open(spec_of(provider))):
        for column in batch.columns:
            if isinstance(column.type, StringType):
                assert pa.types.is_dictionary(column.array.type) == (representation == "dictionary")
            if isinstance(column.type, DecimalType) and representation == "wide":
                assert pa.types.is_decimal128(column.array.type)


def test_small_decimals_are_scaled_integers(made, table):
    provider, sources = made(table)
    for batch in batches_of(sources.open(spec_of(provider, ["price", "huge"]))):
        assert pa.types.is_integer(batch.columns[0].array.type)
        assert pa.types.is_decimal128(batch.columns[1].array.type)


def test_many_rows(made):
    table = all_types(5000)
    provider, sources = made(table)
    assert scan(provider, batch_rows=777, sources=sources) == expected(table)


def test_a_reader_may_be_closed_at_any_time(made, table):
    provider, sources = made(table)
    source = sources.open(spec_of(provider))
    split = splits_of(source)[0]
    reader = source.reader(split, 1)
    reader.close()
    reader = source.reader(split, 1)
    reader.poll()
    reader.close()
    reader.close()
    assert isinstance(reader.poll(), Done)
