"""Changes of a catalog: what each does, and that they survive the log's JSON."""

from __future__ import annotations

import pytest

from tableflow.catalog.change import (
    EMPTY,
    CatalogChange,
    NoteRead,
    PutEntry,
    PutSchema,
    RemoveEntry,
    RemoveSchema,
    apply_change,
    managed_tables,
)
from tableflow.catalog.entry import StreamingDefinition, TableDefinition, TableEntry, TableKind, ViewEntry
from tableflow.catalog.provider import ColumnDefinition
from tableflow.serialization import dumps, loads
from tableflow.types import INT

DEFINITION = TableDefinition("f", "filesystem", (ColumnDefinition("a", INT, nullable=False),), (("path", "x.csv"),))
CHANGES: list[CatalogChange] = [
    PutSchema("Sales"),
    PutEntry("sales", TableEntry("Orders", table=3)),
    PutEntry("sales", ViewEntry("v", "SELECT 1")),
    PutEntry("default", TableEntry("f", definition=DEFINITION)),
    RemoveEntry("sales", "V"),
    RemoveSchema("sales"),
    NoteRead(3, (("made 1", 7), ("made 2", 0))),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_changes_survive_json(change: CatalogChange) -> None:
    assert loads(dumps(change)) == change


def test_changes_are_applied_in_order() -> None:
    schemas = EMPTY
    for change in CHANGES[:4]:
        schemas = apply_change(schemas, change)
    assert schemas["sales"].name == "Sales"
    assert [entry.name for entry in schemas["sales"].visible()] == ["Orders", "v"]
    assert managed_tables(schemas) == {3: "Sales.Orders"}
    assert managed_tables(EMPTY) == {}, "the mapping before stays as it was"
    without_view = apply_change(schemas, CHANGES[4])
    assert [entry.name for entry in without_view["sales"].visible()] == ["Orders"]
    assert list(apply_change(without_view, CHANGES[5])) == ["default"]


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert apply_change(EMPTY, RemoveEntry("nowhere", "x")) == EMPTY
    assert apply_change(EMPTY, RemoveEntry("default", "x")) == EMPTY
    assert apply_change(EMPTY, RemoveSchema("nowhere")) == EMPTY
    assert apply_change(EMPTY, PutSchema("DEFAULT")) == EMPTY


def test_what_a_job_has_read_is_noted_whatever_became_of_its_name() -> None:
    kept = StreamingDefinition("SELECT 1", TableKind.APPEND, (), "default")
    schemas = apply_change(EMPTY, PutEntry("default", TableEntry("Renamed", table=4, streaming=kept)))
    noted = apply_change(schemas, NoteRead(4, (("made 1", 7),)))
    entry = noted["default"].permanent["renamed"]
    assert isinstance(entry, TableEntry)
    assert entry.streaming is not None
    assert entry.streaming.read == (("made 1", 7),)
    assert managed_tables(noted) == {4: "default.Renamed"}
    assert apply_change(schemas, NoteRead(3, (("made 1", 7),))) is schemas
    dropped = apply_change(noted, RemoveEntry("default", "renamed"))
    assert apply_change(dropped, NoteRead(4, (("made 1", 9),))) is dropped
