"""The catalog store: names, replacing, temporary objects, snapshots that do not change."""

import pytest

from tableflow.catalog import CatalogStore, TableDefinition
from tableflow.catalog.provider import TableSchema
from tableflow.errors import CatalogError


class Provider:
    """Only its identity matters here."""

    schema = TableSchema(())


@pytest.fixture
def made():
    return []


@pytest.fixture
def store(made):
    def open_table(definition):
        made.append(definition)
        return Provider()

    return CatalogStore(open_file=lambda path: Provider(), open_table=open_table)


def test_names_match_without_case_and_keep_it(store):
    provider = Provider()
    assert store.create_table(["Orders"], provider=provider)
    snapshot = store.snapshot()
    assert snapshot.table(["ORDERS"]) is provider
    assert snapshot.table(["default", "orders"]) is provider
    assert list(snapshot.names()) == ["Orders"]


def test_a_snapshot_does_not_change(store):
    store.create_table(["a"], provider=Provider())
    before = store.snapshot()
    store.drop_table(["A"])
    store.create_view(["v"], "SELECT 1")
    assert before.table(["a"]) is not None
    assert before.view(["v"]) is None
    assert store.snapshot().table(["a"]) is None
    assert store.snapshot().view(["V"]) == "SELECT 1"


def test_exists_and_replace(store):
    store.create_view(["v"], "SELECT 1")
    with pytest.raises(CatalogError, match="view 'v' exists already"):
        store.create_view(["V"], "SELECT 2")
    assert store.create_view(["V"], "SELECT 2", if_not_exists=True) is False
    assert store.create_view(["V"], "SELECT 2", or_replace=True)
    assert store.snapshot().view(["v"]) == "SELECT 2"
    with pytest.raises(CatalogError, match="view 'V' exists already"):
        store.create_table(["v"], provider=Provider(), or_replace=True)


def test_drop_of_the_wrong_kind_or_nothing(store):
    store.create_view(["orders"], "SELECT 1")
    with pytest.raises(CatalogError, match="is a view") as caught:
        store.drop_table(["orders"])
    assert caught.value.hint == "use DROP VIEW"
    with pytest.raises(CatalogError, match="table 'order' does not exist") as caught:
        store.drop_table(["order"])
    assert "'orders'" in caught.value.hint
    assert store.drop_table(["order"], if_exists=True) is False
    assert store.drop_view(["nowhere", "x"], if_exists=True) is False


def test_temporary_objects_hide_permanent_ones(store):
    store.create_view(["v"], "permanent")
    store.create_view(["v"], "temporary", temporary=True)
    assert store.snapshot().view(["v"]) == "temporary"
    store.drop_view(["v"])
    assert store.snapshot().view(["v"]) == "permanent"
    store.create_view(["w"], "x", temporary=True)
    store.drop_temporary()
    assert list(store.snapshot().names()) == ["v"]


def test_schemas(store):
    store.create_schema("Other")
    store.create_table(["other", "t"], provider=Provider())
    assert store.snapshot().table(["t"]) is None
    assert list(store.snapshot().names()) == ["Other.t"]
    with pytest.raises(CatalogError, match="not empty"):
        store.drop_schema("other")
    store.use("OTHER")
    assert store.snapshot().table(["t"]) is not None
    with pytest.raises(CatalogError, match="cannot be dropped"):
        store.drop_schema("other", cascade=True)
    store.use("default")
    assert store.drop_schema("other", cascade=True)
    with pytest.raises(CatalogError, match="schema 'other' does not exist"):
        store.use("other")
    with pytest.raises(CatalogError, match="3 parts"):
        store.snapshot().table(["a", "b", "c"])


def test_providers_are_made_when_first_asked_for_and_once_per_snapshot(store, made):
    definition = TableDefinition("t", "filesystem")
    store.create_table(["t"], definition=definition)
    snapshot = store.snapshot()
    assert made == []
    assert snapshot.table(["t"]) is snapshot.table(["T"])
    assert made == [definition]
    assert store.snapshot().table(["t"]) is not snapshot.table(["t"])
    assert snapshot.file("x") is snapshot.file("x")


def test_connector_errors_are_not_remembered():
    attempts = []

    def open_table(definition):
        attempts.append(definition)
        if len(attempts) == 1:
            raise CatalogError("not yet")
        return Provider()

    store = CatalogStore(open_file=lambda path: Provider(), open_table=open_table)
    store.create_table(["t"], definition=TableDefinition("t", "x"))
    with pytest.raises(CatalogError):
        store.snapshot().table(["t"])
    assert store.snapshot().table(["t"]) is not None
