"""CREATE TABLE ... WITH ('connector' = 'nexmark'): the auction house as three tables or as one of all events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import Accepted, ColumnDefinition, ProjectedTable, TableSchema, TableStatistics
from tableflow.connectors.connector import Connector
from tableflow.connectors.nexmark.source import KIND, NexmarkScan, open_source
from tableflow.connectors.nexmark.tables import AUCTIONS, CYCLE, TABLES
from tableflow.connectors.option import ColumnError, Option, OptionError, boolean, choice

_ROWS_PER_CYCLE = {"person": 1, "auction": AUCTIONS, "bid": CYCLE - AUCTIONS - 1, "events": CYCLE}


def _number(least: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value.strip().replace("_", ""))
        except ValueError:
            number = least - 1
        if number < least:
            raise ValueError(f"a whole number of at least {least} is expected")
        return number

    return parse


def _base(value: str) -> int | None:
    """None stands for the start of a query."""
    return None if value.strip().lower() == "now" else _number(0)(value)


OPTIONS = (
    Option("table", "text", choice(*TABLES), f"which rows: {', '.join(TABLES)}", default="events"),
    Option("events", "number", _number(0), "how many events of all kinds there are; by default they never end"),
    Option("rate", "number", _number(1), "events of all kinds per second of event time", default=10_000),
    Option("seed", "number", _number(0), "other seeds give other events", default=42),
    Option(
        "base-ms", "number or now", _base,
        "when the first event happens, in ms since 1970, or 'now': when the query starts; then paced events come at their time",
        default=1_436_918_400_000,
    ),
    Option("paced", "boolean", boolean, "events come when they happen, counted from the start of the query",
           default=False),
    Option("preloaded", "boolean", boolean,
           "all rows are made before the first one is given, and kept by the connection: to measure what comes behind",
           default=False),
    Option("out-of-order-group", "number", _number(1), "so many events that follow each other come in another order",
           default=1),
    Option("scan.parallelism", "number", _number(1), "how many tasks make events, of those that there are; by default all"),
)  # fmt: skip


class NexmarkTable(ProjectedTable):
    """The provider of a declared table; columns may be left out, then they are all of the table's."""

    def __init__(self, definition: TableDefinition, options: dict[str, Any]) -> None:
        self._options = options
        if options["preloaded"] and (options["events"] is None or options["paced"]):
            what = "of their own pace" if options["paced"] else "without end"
            hint = "leave 'paced' out" if options["paced"] else "say how many: 'events' = '1000000'"
            raise OptionError(f"events {what} cannot be preloaded", option="preloaded", hint=hint)
        known = {name.lower(): (name, of) for name, of in TABLES[options["table"]].items()}
        declared = definition.columns or tuple(
            ColumnDefinition(name, of, nullable=options["table"] == "events") for name, of in known.values()
        )
        self._names: dict[str, str] = {}
        for column in declared:
            if column.name.lower() not in known:
                raise ColumnError(
                    f"the {options['table']} table of {KIND} has no column {column.name!r}",
                    column=column.name,
                    hint=f"it has {', '.join(name for name, _ in known.values())}; those of other tables come with 'table' = "
                    f"{', '.join(repr(one) for one in TABLES if one != options['table'])}",
                )
            name, of = known[column.name.lower()]
            if column.type != of:
                raise ColumnError(
                    f"column {column.name!r} is declared as {column.type}", column=column.name, hint=f"it is {of}"
                )
            self._names[column.name] = name
        keys = (definition.primary_key,) if definition.primary_key else ()
        self._schema = TableSchema(declared, keys)

    @property
    def schema(self) -> TableSchema:
        """The declared columns."""
        return self._schema

    @property
    def bounded(self) -> bool:
        """Whether the number of events was given."""
        return self._options["events"] is not None

    @property
    def made_up(self) -> bool:
        """See :func:`~tableflow.catalog.provider.is_made_up`."""
        return self._options["events"] is None or bool(self._options["paced"])

    def statistics(self) -> TableStatistics:
        """Rows, exact where cycles are whole."""
        events = self._options["events"]
        if events is None or events % CYCLE:
            return TableStatistics()
        return TableStatistics(events // CYCLE * _ROWS_PER_CYCLE[self._options["table"]])

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        types = {column.name: column.type for column in self._schema.columns}
        columns = tuple((self._names[name], types[name]) for name in accepted.request.columns)
        given = self._options
        base, live = given["base-ms"], given["base-ms"] is None
        return KIND, NexmarkScan(
            given["table"], columns, given["events"], given["rate"], given["seed"], time.time_ns() // 1_000_000 if live else base,
            given["paced"], given["out-of-order-group"], given["preloaded"], live, given["scan.parallelism"],
        )  # fmt: skip


CONNECTOR = Connector(
    KIND, "events of an online auction house, generated: persons, auctions and bids", OPTIONS, open_source, NexmarkTable
)
