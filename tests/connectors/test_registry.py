"""Options, the registry, tables in memory."""

import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.catalog import CatalogStore
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import ColumnDefinition
from tableflow.connectors import CONNECTORS, MemoryTable, Sources, check_definition, create_provider, file_provider
from tableflow.connectors.option import describe_options
from tableflow.errors import CatalogError, ConnectorError, InternalError
from tests.connectors.scanning import scan, spec_of


def create(connector="filesystem", **options):
    given = tuple((name.replace("__", "."), value) for name, value in options.items())
    return create_provider(TableDefinition("t", connector, (ColumnDefinition("a", t.INT),), given))


def test_declaration_errors():
    with pytest.raises(CatalogError, match="unknown connector 'filesytem'") as caught:
        create("filesytem")
    assert caught.value.hint == "did you mean 'filesystem'?"
    with pytest.raises(CatalogError, match="needs option 'path'"):
        create(format="csv")
    with pytest.raises(CatalogError, match="has no option 'paht'") as caught:
        create(paht="x")
    assert caught.value.hint == "did you mean 'path'?"
    with pytest.raises(CatalogError, match="'format' of connector 'filesystem' cannot be 'cvs'"):
        create(path="x", format="cvs")
    with pytest.raises(CatalogError, match="cannot be 'maybe'"):
        create(path="x", csv__header="maybe")


def test_a_definition_is_checked_without_its_files():
    check_definition(TableDefinition("t", "filesystem", (), (("path", "/nowhere"), ("format", "csv"))))
    with pytest.raises(CatalogError, match="has no option 'paht'"):
        check_definition(TableDefinition("t", "filesystem", (), (("paht", "/nowhere"),)))


def test_duplicate_columns(tmp_path):
    (tmp_path / "t.csv").write_text("1,2\n")
    columns = (ColumnDefinition("a", t.INT), ColumnDefinition("A", t.INT))
    with pytest.raises(CatalogError, match="declares column 'A' twice"):
        create_provider(TableDefinition("t", "filesystem", columns, (("path", str(tmp_path / "t.csv")),)))


def test_an_empty_directory_is_an_empty_table(tmp_path):
    provider = create(path=str(tmp_path), format="parquet")
    assert scan(provider) == []
    assert provider.statistics().rows == 0


def test_options_are_documented():
    text = describe_options(CONNECTORS["filesystem"].options)
    assert '| `csv.quote-character` | character | `"` |' in text
    assert all(option.doc for connector in CONNECTORS.values() for option in connector.options)


def test_through_the_catalog(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    store = CatalogStore(file_provider, create_provider)
    definition = TableDefinition("t", "filesystem", (ColumnDefinition("a", t.INT),), (("path", str(tmp_path)),))
    store.create_table(["t"], definition=definition)
    assert scan(store.snapshot().table(["T"])) == [(1,)]
    (tmp_path / "u.csv").write_text("a\n2\n")
    assert scan(store.snapshot().table(["T"])) == [(1,), (2,)]
    assert scan(store.snapshot().file(str(path))) == [(1,)]


def test_memory_tables_are_gone_after_close():
    sources = Sources()
    provider = MemoryTable(pa.table({"a": [1, 2], "A": ["x", None]}), sources.objects)
    assert provider.warnings
    assert scan(provider, ["A_1", "a"], sources=sources) == [("x", 1), (None, 2)]
    spec = spec_of(provider)
    provider.close()
    with pytest.raises(InternalError):
        sources.open(spec)


def test_memory_statistics():
    data = pa.table(
        {
            "a": pa.chunked_array([[3, None], [1]]),
            "s": pa.array(["x", "y", "x"]).dictionary_encode(),
            "at": pa.array([1, 2, 3], pa.timestamp("ms")),
            "f": [1.0, float("nan"), 2.0],
        }
    )
    found = MemoryTable(data, Sources().objects).statistics()
    assert found.rows == 3
    assert (found.columns["a"].minimum, found.columns["a"].maximum, found.columns["a"].nulls) == (1, 3, 1)
    assert (found.columns["s"].minimum, found.columns["s"].maximum) == ("x", "y")
    assert (found.columns["at"].minimum, found.columns["at"].maximum) == (1000, 3000)
    assert found.columns["f"].maximum is None


def test_files_are_one_table_for_all_statements_until_they_change(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    first = file_provider(str(path))
    assert file_provider(str(path)) is first
    assert file_provider(str(path), {"csv.delimiter": ";"}) is not first
    path.write_text("a,b,c\n1,2,x\n")
    assert [column.name for column in file_provider(str(path)).schema.columns] == ["a", "b", "c"]
    path.unlink()
    with pytest.raises(ConnectorError, match="does not exist"):
        file_provider(str(path))
